"""The five scores against their publications: points, bands, and what an unanswered item does. Expected values are written here."""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement, product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from intake.answers import Answer, Answers, Coding, State, Value
from intake.content_files import ContentError, questionnaire
from intake.facts.gather import Person, gather
from intake.facts.reading import Filled
from intake.parameters import Parameters
from intake.scoring import Flagged, Score, check, score, score_definitions

AT = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)

# What each answer is worth, item by item, as the published forms say.
FREQUENCY = {"Not at all": 0, "Several days": 1, "More than half the days": 2, "Nearly every day": 3}
POINTS: dict[str, list[dict[str, int]]] = {
    "phq9": [FREQUENCY] * 9,
    "gad7": [FREQUENCY] * 7,
    "sud11": [{"Yes": 1, "No": 0}] * 11,
    "dast10": [{"Yes": 1, "No": 0}] * 2 + [{"Yes": 0, "No": 1}] + [{"Yes": 1, "No": 0}] * 7,
    "dwc": [{"Not at all": 0, "A little": 1, "Moderately": 2, "Quite a bit": 3, "Extremely": 4}] * 16,
    "auditc": [
        {"Never": 0, "Monthly or less": 1, "2-4 times a month": 2, "2-3 times a week": 3, "4 or more times a week": 4},
        {"1 or 2": 0, "3 or 4": 1, "5 or 6": 2, "7 to 9": 3, "10 or more": 4},
        {"Never": 0, "Less than monthly": 1, "Monthly": 2, "Weekly": 3, "Daily or almost daily": 4},
    ],
    "cows": [
        {"80 or below": 0, "81-100": 1, "101-120": 2, "greater than 120": 4},
        {
            "no report of chills or flushing": 0,
            "subjective report of chills or flushing": 1,
            "flushed or observable moistness on face": 2,
            "beads of sweat on brow or face": 3,
            "sweat streaming off face": 4,
        },
        {
            "able to sit still": 0,
            "reports difficulty sitting still, but is able to do so": 1,
            "frequent shifting or extraneous movements of legs/arms": 3,
            "unable to sit still for more than a few seconds": 5,
        },
        {
            "pupils pinned or normal size for room light": 0,
            "possibly larger than normal": 1,
            "moderately dilated": 2,
            "so dilated that only the rim of the iris is visible": 5,
        },
        {
            "not present": 0,
            "mild diffuse discomfort": 1,
            "severe diffuse aching of joints/muscles": 2,
            "rubbing joints or muscles and unable to sit still because of discomfort": 4,
        },
        {
            "not present": 0,
            "nasal stuffiness or unusually moist eyes": 1,
            "nose running or tearing": 2,
            "nose constantly running or tears streaming down cheeks": 4,
        },
        {
            "no GI symptoms": 0,
            "stomach cramps": 1,
            "nausea or loose stool": 2,
            "vomiting or diarrhea": 3,
            "multiple episodes of diarrhea or vomiting": 5,
        },
        {"no tremor": 0, "can be felt, but not observed": 1, "slight tremor observable": 2, "gross tremor or muscle twitching": 4},
        {"no yawning": 0, "once or twice": 1, "three or more times": 2, "several times/minute": 4},
        {
            "none": 0,
            "reports increasing irritability or anxiousness": 1,
            "obviously irritable or anxious": 2,
            "so irritable or anxious that participation in the assessment is difficult": 4,
        },
        {
            "skin is smooth": 0,
            "piloerection of skin can be felt or hairs standing up on arms": 3,
            "prominent piloerection": 5,
        },
    ],
}
BANDS = {
    "phq9": "0-4 minimal, 5-9 mild, 10-14 moderate, 15-19 moderately severe, 20-27 severe",
    "gad7": "0-4 minimal, 5-9 mild, 10-14 moderate, 15-21 severe",
    "cows": "0-4 none/minimal, 5-12 mild, 13-24 moderate, 25-36 moderately severe, 37-48 severe",
    "sud11": "0-1 none, 2-3 mild, 4-5 moderate, 6-11 severe",
    "dast10": "0-0 none, 1-2 low, 3-5 moderate, 6-8 substantial, 9-10 severe",
}
CUTOFF = {"phq9": 10, "gad7": 10}  # positive from; AUDIT-C depends on sex, COWS and SUD-11 have none
PRORATED = {"phq9": 2, "gad7": 1, "dwc": 3}  # so many unanswered items are estimated

OPEN = (None, "declined")  # two ways of being unanswered: not reached, refused
Pattern = Sequence[int | str | None]  # points, None (not reached) or "declined", in item order


def band_rows(code: str) -> list[tuple[int, int, str]]:
    """(first, last, band) as written above."""
    rows = [row.strip().split(" ", 1) for row in BANDS[code].split(",")]
    return [(*map(int, limits.split("-")), band) for limits, band in rows]  # type: ignore[misc]


def band_of(code: str, total: int) -> str | None:
    return next(band for first, last, band in band_rows(code) if first <= total <= last) if code in BANDS else None


@cache
def given_answers(code: str) -> list[dict[int | str | None, Answer]]:
    """For each item the answer that is worth so many points: found by its words, not by its weight."""
    items = [questionnaire(code).by_id[str(number)] for number in range(1, len(POINTS[code]) + 1)]
    by_words = [{option.display.casefold(): Answer(State.GIVEN, (option.value,)) for option in item.options} for item in items]
    return [
        {worth: by_words[at][words.casefold()] for words, worth in points.items()} | {"declined": Answer(State.DECLINED)}
        for at, points in enumerate(POINTS[code])
    ]


def answers_of(code: str, pattern: Pattern) -> Answers:
    return {(str(at + 1), ""): given_answers(code)[at][worth] for at, worth in enumerate(pattern) if worth is not None}


def scored(code: str, pattern: Pattern, cutoff: int | None = None) -> Score:
    return score(score_definitions()[code], questionnaire(code), answers_of(code, pattern), cutoff=cutoff)


def pattern_of(code: str, total: int) -> list[int]:
    """One whole pattern with this total: each item takes the most that still leaves the rest possible."""
    pattern: list[int] = []
    rest = [tuple(sorted(points.values(), reverse=True)) for points in POINTS[code]]

    def fill(at: int, left: int) -> bool:
        if at == len(rest):
            return left == 0
        if left > sum(options[0] for options in rest[at:]):
            return False
        for worth in rest[at]:
            if worth <= left:
                pattern.append(worth)
                if fill(at + 1, left - worth):
                    return True
                pattern.pop()
        return False

    assert fill(0, total), f"{code} cannot reach {total}"
    return pattern


def round_half_up(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def as_it_counts(code: str, pattern: Pattern) -> Pattern:
    """Whoever never drinks did not have the drinks of the other two questions."""
    return (0, 0, 0) if code == "auditc" and pattern[0] == 0 else pattern


def assert_as_published(code: str, pattern: Pattern) -> None:
    """A second computation of everything a score says, in whole numbers and fractions."""
    found = scored(code, pattern)
    pattern = as_it_counts(code, pattern)
    known = [worth for worth in pattern if isinstance(worth, int)]
    open_at = [at for at, worth in enumerate(pattern) if worth in OPEN]
    floor = sum(known)
    ceiling = floor + sum(max(POINTS[code][at].values()) for at in open_at)
    total: int | None = floor
    low, high, band = floor, floor, band_of(code, floor)
    if code == "sud11":
        high = ceiling
        band = band if band == band_of(code, ceiling) else f"{band} to {band_of(code, ceiling)}, incomplete"
    elif open_at and len(open_at) <= PRORATED.get(code, 0):
        low = high = total = round_half_up(Fraction(floor, len(known)) * len(pattern))
        band = band_of(code, total)
    elif open_at:
        total, high, band = None, ceiling, None
    assert (found.total, found.low, found.high, found.floor, found.band) == (total, low, high, floor, band)
    assert found.prorated is (bool(open_at) and total is not None and code != "sud11")
    assert (found.answered, found.unanswered, found.declined) == (len(known), len(open_at), sum(w == "declined" for w in pattern))
    if code in CUTOFF and total is not None:
        assert found.positive is (total >= CUTOFF[code])


def patterns(code: str) -> st.SearchStrategy[tuple[int | str | None, ...]]:
    return st.tuples(*[st.sampled_from([*points.values(), *OPEN]) for points in POINTS[code]])


# Points


@pytest.mark.parametrize("code", POINTS)
def test_the_form_offers_exactly_the_published_answers_with_their_points(code: str) -> None:
    for at, points in enumerate(POINTS[code]):
        item = questionnaire(code).by_id[str(at + 1)]
        shown = {option.display.casefold(): option.weight for option in item.options}
        assert shown == {words.casefold(): worth for words, worth in points.items()}, item.text


# Bands: the first and the last total of each


EDGES = [(code, total, band) for code in BANDS for first, last, band in band_rows(code) for total in sorted({first, last})]


@pytest.mark.parametrize(("code", "total", "band"), EDGES, ids=[f"{code} {total} {band}" for code, total, band in EDGES])
def test_each_band_begins_and_ends_where_the_publication_says(code: str, total: int, band: str) -> None:
    found = scored(code, pattern_of(code, total))
    assert (found.total, found.band, found.text) == (total, band, f"{total}, {band}")


@pytest.mark.parametrize("code", CUTOFF)
def test_phq9_and_gad7_are_positive_from_10(code: str) -> None:
    assert scored(code, pattern_of(code, 9)).positive is False
    assert scored(code, pattern_of(code, 10)).positive is True


@pytest.mark.parametrize("code", ["cows", "sud11"])
def test_cows_and_sud11_have_bands_but_no_cut_off(code: str) -> None:
    assert {scored(code, pattern_of(code, total)).positive for total in range(12)} == {None}


# Unanswered items, one sentence each: (what, score, answers, total, low, high, band, text)

CASES = [
    ("PHQ-9, item 10 is not scored and item 9 not reached: 13 of 8 items, 14.6 is about 15",
     "phq9", [2, 2, 2, 2, 2, 1, 1, 1, None], 15, 15, 15, "moderately severe", "about 15 (at least 13, 1 unanswered), moderately severe"),
    ("PHQ-9, one refused: 4 of 8 items is exactly 4.5, half goes up",
     "phq9", [1, 1, 1, 1, 0, 0, 0, 0, "declined"], 5, 5, 5, "mild", "about 5 (at least 4, 1 unanswered), mild"),
    ("PHQ-9, two open, one refused: 11 of 7 items, 14.1 is about 14",
     "phq9", [2, 2, 2, 2, 1, 1, 1, None, "declined"], 14, 14, 14, "moderate", "about 14 (at least 11, 2 unanswered), moderate"),
    ("PHQ-9, three open: no total",
     "phq9", [3, 3, 3, 3, 0, 0, None, None, None], None, 12, 21, None, "at least 12, 3 unanswered"),
    ("PHQ-9, nothing answered: no total, at least 0",
     "phq9", [None] * 9, None, 0, 27, None, "at least 0, 9 unanswered"),
    ("PHQ-9, all answered 0 is a 0",
     "phq9", [0] * 9, 0, 0, 0, "minimal", "0, minimal"),
    ("GAD-7, one open: 9 of 6 items is exactly 10.5, half goes up",
     "gad7", [2, 2, 2, 1, 1, 1, None], 11, 11, 11, "moderate", "about 11 (at least 9, 1 unanswered), moderate"),
    ("GAD-7, one refused: 8 of 6 items, 9.3 is about 9",
     "gad7", ["declined", 2, 2, 1, 1, 1, 1], 9, 9, 9, "mild", "about 9 (at least 8, 1 unanswered), mild"),
    ("GAD-7, two open: no total, though PHQ-9 would estimate it",
     "gad7", [3, 3, 3, 3, 3, None, "declined"], None, 15, 21, None, "at least 15, 2 unanswered"),
    ("COWS, pupils not rated, 6 so far: at least 6, at most 11",
     "cows", [2, 2, 0, None, 1, 0, 1, 0, 0, 0, 0], None, 6, 11, None, "at least 6, 1 unanswered"),
    ("COWS, gooseflesh and yawning not rated: 5 and 4 could be added",
     "cows", [1, 1, 1, 1, 1, 1, 1, 1, None, 1, None], None, 9, 18, None, "at least 9, 2 unanswered"),
    ("COWS, nothing rated: anything from 0 to 48",
     "cows", [None] * 11, None, 0, 48, None, "at least 0, 11 unanswered"),
    ("SUD-11, three yes, three open: 3 to 6 is mild to severe",
     "sud11", [1, 1, 1, 0, 0, 0, 0, 0, None, "declined", None], 3, 3, 6, "mild to severe, incomplete",
     "at least 3, 3 unanswered, mild to severe, incomplete"),
    ("SUD-11, two yes, one open: mild either way",
     "sud11", [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, None], 2, 2, 3, "mild", "at least 2, 1 unanswered, mild"),
    ("SUD-11, one yes, one open: none to mild",
     "sud11", [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, None], 1, 1, 2, "none to mild, incomplete",
     "at least 1, 1 unanswered, none to mild, incomplete"),
    ("SUD-11, six yes, the rest open: severe whatever they are",
     "sud11", [1] * 6 + [None] * 5, 6, 6, 11, "severe", "at least 6, 5 unanswered, severe"),
    ("SUD-11, nothing answered: none to severe",
     "sud11", [None] * 11, 0, 0, 11, "none to severe, incomplete", "at least 0, 11 unanswered, none to severe, incomplete"),
    ("AUDIT-C, the second open: no total",
     "auditc", [2, None, 1], None, 3, 7, None, "at least 3, 1 unanswered"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "pattern", "total", "low", "high", "band", "text"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_an_unanswered_item_is_never_a_nought(
    code: str, pattern: Pattern, total: int | None, low: int, high: int, band: str | None, text: str
) -> None:
    found = scored(code, pattern)
    assert (found.total, found.low, found.high, found.band, found.text) == (total, low, high, band, text)
    assert found.prorated == text.startswith("about"), "only an estimate is called one"


def test_refused_and_not_reached_are_counted_apart() -> None:
    found = scored("phq9", [0, 0, 0, 0, 0, 0, "declined", "declined", None])
    assert (found.answered, found.unanswered, found.declined) == (6, 3, 2)


@pytest.mark.parametrize(
    ("pattern", "nine", "two"),
    [([1] * 11, 9, 2), ([0] * 9 + [1, 1], 0, 2), ([1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1], 2, 1), ([1] + [None] * 10, 1, 0)],
)
def test_tolerance_and_withdrawal_are_counted_apart_from_the_other_criteria(pattern: Pattern, nine: int, two: int) -> None:
    assert scored("sud11", pattern).subscores == {"criteria_1_to_9": nine, "tolerance_and_withdrawal": two}


# Everything there is


def test_every_phq9_there_is() -> None:
    """All 2002 ways of giving 0-3, no answer or a refusal to nine items, up to their order; order is the next test's."""
    cases = list(combinations_with_replacement([0, 1, 2, 3, None, "declined"], 9))
    assert len(cases) == 2002
    for pattern in cases:
        assert_as_published("phq9", pattern)


@given(patterns("phq9").flatmap(lambda pattern: st.tuples(st.just(pattern), st.permutations(pattern))))
def test_the_order_of_the_answers_does_not_change_a_phq9(pair: tuple[Pattern, Pattern]) -> None:
    assert scored("phq9", pair[0]) == scored("phq9", pair[1])


def test_every_auditc_there_is() -> None:
    for pattern in product([0, 1, 2, 3, 4, None, "declined"], repeat=3):
        assert_as_published("auditc", pattern)


@pytest.mark.parametrize("code", ["gad7", "cows", "sud11", "dast10", "dwc"])
def test_any_pattern_of_answers_scores_as_published(code: str) -> None:
    @given(patterns(code))
    def holds(pattern: Pattern) -> None:
        assert_as_published(code, pattern)

    holds()


@pytest.mark.parametrize("code", POINTS)
def test_no_way_of_completing_the_answers_leaves_the_bounds(code: str) -> None:
    """Without a total (and for SUD-11) the true score lies between low and high, and both can come true."""

    @given(patterns(code), st.data())
    def holds(pattern: Pattern, data: st.DataObject) -> None:
        found = scored(code, pattern)
        if found.prorated:
            return
        completed = [
            data.draw(st.sampled_from(sorted(POINTS[code][at].values()))) if worth in OPEN else worth for at, worth in enumerate(pattern)
        ]
        assume(list(as_it_counts(code, completed)) == completed)  # drinks of somebody who never drinks
        assert found.low <= scored(code, completed).total <= found.high  # type: ignore[operator]
        worst = [max(POINTS[code][at].values()) if worth in OPEN else worth for at, worth in enumerate(pattern)]
        assert scored(code, worst).total == found.high

    holds()


# AUDIT-C: the cut-off depends on sex, and never drinking is 0


def through_the_form(pattern: Pattern, sex: str | None, **values: int) -> Score:
    """As the program computes it: answers of questions that do not apply are not looked at."""
    filled = Filled(questionnaire("auditc"), answers_of("auditc", pattern), AT)
    return gather(Person(40, sex), {"auditc": filled}, {"auditc"}, Parameters(values=values), AT).scores["auditc"]


@pytest.mark.parametrize(
    ("says", "pattern", "sex", "positive"),
    [
        ("A man with 3 points", [1, 1, 1], "M", False),
        ("A man with 4 points", [2, 1, 1], "M", True),
        ("A woman with 2 points", [1, 1, 0], "F", False),
        ("A woman with 3 points", [1, 1, 1], "F", True),
        ("Another sex, 3 points", [1, 1, 1], "X", True),
        ("Another sex, 2 points", [1, 1, 0], "X", False),
        ("Sex not known, 3 points", [1, 1, 1], None, True),
        ("A man with 4 points already, one open", [3, 1, None], "M", True),
        ("A man with 3 points, one open", [3, 0, None], "M", None),
        ("A woman with 3 points already, one refused", [3, "declined", 0], "F", True),
        ("A woman with 2 points, two open", [2, None, None], "F", None),
        ("A man who refused the first question", ["declined", None, None], "M", None),
    ],
)
def test_auditc_is_positive_by_sex_as_soon_as_it_is_decided(says: str, pattern: Pattern, sex: str | None, positive: bool | None) -> None:
    assert through_the_form(pattern, sex).positive is positive, says


def test_the_cut_off_of_a_program_replaces_the_published_one() -> None:
    assert through_the_form([2, 1, 1], "M", auditc_cutoff_men=5).positive is False
    assert through_the_form([1, 1, 0], "F", auditc_cutoff_women_and_other=2).positive is True


def test_whoever_never_drinks_scores_0_and_the_other_questions_do_not_apply() -> None:
    found = through_the_form([0, None, None], "F")
    assert (found.total, found.unanswered, found.positive, found.text) == (0, 0, False, "0, negative")


def test_an_answer_left_over_from_before_never_does_not_count() -> None:
    assert through_the_form([0, 4, 4], "F").total == 0


def test_who_did_not_answer_the_first_question_has_no_total_even_when_the_others_say_little() -> None:
    assert through_the_form([None, 0, 0], "M").total is None


def test_while_the_gate_is_open_nothing_is_scored() -> None:
    found = score(score_definitions()["pcptsd5"], questionnaire("pcptsd5"), {}, cutoff=3)
    assert (found.total, found.low, found.high, found.band, found.prorated, found.positive) == (None, None, None, None, False, None)
    assert found.text == "not scored, the first question is unanswered"


@pytest.mark.parametrize(("cutoff", "positive"), [(2, True), (3, None), (6, None), (7, False)])
def test_what_the_open_question_can_no_longer_change_is_decided(cutoff: int, positive: bool | None) -> None:
    """One and one point, and one question open that could add four: at least 2, at most 6."""
    form = questionnaire("auditc")
    whole = {(id, ""): Answer(State.GIVEN, (with_points("auditc", id, 1),)) for id in ("1", "3")}
    assert score(score_definitions()["auditc"], form, whole, cutoff=cutoff).positive is positive


# Scores in parts, and a mean


def with_points(code: str, link_id: str, points: int) -> Value:
    """The answer of this many points."""
    item = questionnaire(code).by_id[link_id]
    return points if item.type == "integer" else next(option.value for option in item.options if option.weight == points)


def bam(**sums: int) -> Score:
    """The BAM with these sums of its parts, the points heaped on their first questions."""
    definition, answers = score_definitions()["bam"], {}
    for name, ids in definition.subscores.items():
        left = sums.get(name, 0)
        for id in ids:
            item = questionnaire("bam").by_id[id]
            worth = [int(option.weight or 0) for option in item.options] or range(item.max_value + 1)
            points = max(each for each in worth if each <= left)
            answers[id, ""] = Answer(State.GIVEN, (with_points("bam", id, points),))
            left -= points
    return score(definition, questionnaire("bam"), answers)


@pytest.mark.parametrize(
    ("sums", "flagged"),
    [
        ({"use": 0, "risk": 11, "protective": 13}, ()),
        ({"use": 1, "risk": 11, "protective": 13}, ("use",)),
        ({"use": 0, "risk": 12, "protective": 13}, ("risk",)),
        ({"use": 0, "risk": 0, "protective": 12}, ("protective",)),
    ],
)
def test_a_part_of_the_bam_stands_out_from_its_threshold_on(sums: dict[str, int], flagged: tuple[str, ...]) -> None:
    found = bam(**sums)
    assert (found.subscores, found.flagged) == (sums | {"satisfaction": 0}, flagged)
    assert (found.total, found.low, found.high, found.prorated) == (None, None, None, False)
    words = [f"{name} {value}{' (stands out)' if name in flagged else ''}" for name, value in found.subscores.items()]
    assert found.text == ", ".join(words)


def test_a_part_with_an_open_question_is_not_scored() -> None:
    found = score(score_definitions()["bam"], questionnaire("bam"), {})
    assert found.text == "use not scored, risk not scored, protective not scored, satisfaction not scored" and found.flagged == ()


def test_a_peg_is_the_mean_to_one_decimal() -> None:
    for points, mean in (((1, 0, 0), "0.3"), ((2, 0, 0), "0.7"), ((7, 8, 7), "7.3"), ((2, 2, 2), "2")):
        given = {(id, ""): Answer(State.GIVEN, (n,)) for id, n in zip(score_definitions()["peg"].items, points, strict=True)}
        found = score(score_definitions()["peg"], questionnaire("peg"), given)
        assert (found.total, found.said, found.prorated) == (Decimal(mean), mean, False)


def test_what_an_assessment_keeps_of_a_score() -> None:
    definition = score_definitions()["sud11"]
    assert scored("sud11", [1] + [0] * 8 + [None, "declined"]).as_json() == {
        "prorated": False, "answered": 9, "unanswered": 2, "declined": 1, "positive": None, "source": definition.source,
        "note": definition.note, "subscores": {"criteria_1_to_9": 1, "tolerance_and_withdrawal": 0}, "flagged": [],
    }  # fmt: skip


def test_an_answer_that_is_not_of_the_form_is_refused_by_name() -> None:
    strange = {("1", ""): Answer(State.GIVEN, (Coding("nowhere", "x"),))}
    with pytest.raises(ValueError, match="item 1: .* has no weight"):
        score(score_definitions()["phq9"], questionnaire("phq9"), strange)


# A score file that does not fit its questionnaire is refused


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"questionnaire": "https://steady.health/Questionnaire/phq9|1.0.1"}, "pinned to"),
        ({"items": ("1", "2", "11")}, "item 11 has no weights"),
        ({"subscores": {"first": ("problems",)}}, "item problems has no weights"),
        ({"items": ("1", "2")}, "^scores/phq9.yaml: the bands do not cover 0 to 6"),
        ({"gate": "nowhere"}, "there is no item nowhere in https://steady.health"),
        ({"flagged": {"b": Flagged(to=1), "a": Flagged(to=1)}}, "there is no subscore a, b$"),
    ],
)
def test_a_score_that_does_not_fit_its_questionnaire_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ContentError, match=says):
        check(score_definitions()["phq9"].model_copy(update=change), questionnaire("phq9"))


@pytest.mark.parametrize("edge", range(1, 4))
def test_a_gap_between_two_bands_is_refused(edge: int) -> None:
    definition = score_definitions()["sud11"]
    bands = list(definition.bands)
    bands[edge] = bands[edge].model_copy(update={"low": bands[edge].low + 1})
    with pytest.raises(ContentError, match="without gap"):
        check(definition.model_copy(update={"bands": tuple(bands)}), questionnaire("sud11"))
