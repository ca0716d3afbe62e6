"""What must hold for whatever anybody answers: worse is never rated lower, and an answer taken back is never read as a no."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.intake.test_level_of_care import LEVELS, by_needs
from tests.plans.reference import DECLINED, answered, suggested_level
from tests.plans.test_cases import VIGNETTES, assessed
from tests.plans.test_reference import COWS_POINTS, cases, quickly

Place = tuple[str, Any]  # a key of the case, and the item of its list or the part of its object; None for the key itself
few = settings(quickly, max_examples=8)
many = settings(quickly, max_examples=600)

# The answers by which somebody is better off, and the next worse one.
NEXT_POINT = {"PHQ9": {0: 1, 1: 2, 2: 3}, "GAD7": {0: 1, 1: 2, 2: 3}, "CMD": {0: 1, 1: 2, 2: 3}, "PEG": {n: n + 1 for n in range(10)}}
NO_TO_YES = {"N": "Y"}
RISKS = {
    "MED": ("liver_disease", "jaundice", "seizure_hx", "seizure_7d", "overdose_30d", "overdose_12m", "complicated_withdrawal_hx",
            "stable_chronic", "emergency_vitals", "unstable_condition", "acute_liver_failure", "acute_emergency", "ob_complication"),
    "OTH": ("opioid_daily", "sedative_daily", "sedative_30d", "precipitated_withdrawal_now"),
    "SDOH": ("food", "transport", "utilities", "unsafe", "income", "legal", "childcare", "communication", "danger_now"),
    "STR": ("household_use",),
}  # fmt: skip


def worsenings(case: Mapping[str, Any]) -> Iterator[tuple[Place, Any]]:
    """Every answer of a case that can become one step worse, and to what."""
    for key in (*NEXT_POINT, "SUD", "BPS", "COWS"):
        answers = case.get(key)
        for item, answer in enumerate(answers if isinstance(answers, list) else ()):
            if key == "COWS":
                worse = next((points for points in COWS_POINTS[item] if answered(answer) and points > answer), None)
            else:
                worse = NEXT_POINT.get(key, NO_TO_YES).get(answer)
            if worse is not None:
                yield (key, item), worse
    for key, names in RISKS.items():
        given_ = case.get(key)
        if isinstance(given_, dict):
            yield from (((key, name), "Y") for name in names if given_.get(name) == "N")
    if case.get("pregnant") == "N":
        yield ("pregnant", None), "Y"


def answers_given(case: Mapping[str, Any]) -> Iterator[Place]:
    """Every answer of a case outside the suicide screen, which has a rule of its own for what is open."""
    for key, value in case.items():
        if key in ("CSSRS", "ASQ") or not answered(value):
            continue
        match value:
            case dict():
                yield from ((key, name) for name, part in value.items() if answered(part))
            case list() if key != "MEDS":
                yield from ((key, item) for item, part in enumerate(value) if answered(part))
            case _:
                yield key, None


def changed(case: Mapping[str, Any], place: Place, answer: Any) -> dict[str, Any]:
    """The same case with one other answer."""
    key, part = place
    if part is None:
        return {**case, key: answer}
    inner = dict(case[key]) if isinstance(case[key], dict) else list(case[key])
    inner[part] = answer
    return {**case, key: inner}


# Worse is never rated lower


def never_lower(case: Mapping[str, Any], place: Place, worse: Any) -> None:
    before, after = assessed(case), assessed(changed(case, place, worse))
    assert all(after["needs"][need] >= rating for need, rating in before["needs"].items()), (place, before["needs"], after["needs"])
    assert LEVELS.index(after["level"]["suggested"]) >= LEVELS.index(before["level"]["suggested"]), place


@few
@given(cases(), st.data())
def test_no_need_and_no_level_falls_when_one_answer_is_worse(case: dict[str, Any], data: st.DataObject) -> None:
    steps = list(worsenings(case))
    assume(steps)
    never_lower(case, *data.draw(st.sampled_from(steps)))


@pytest.mark.thorough
@many
@given(cases(), st.data())
def test_no_need_and_no_level_falls_when_one_of_six_hundred_is_worse(case: dict[str, Any], data: st.DataObject) -> None:
    steps = list(worsenings(case))
    assume(steps)
    never_lower(case, *data.draw(st.sampled_from(steps)))


EVERYBODY = list(product(product(range(5), repeat=5), (0, 2, 4, 6), (False, True), (False, True)))


def by_reference(n: tuple[int, ...], sud: int, pregnant: bool, remission: bool) -> tuple[str, str]:
    return suggested_level({f"N{at}": rating for at, rating in enumerate(n, 1)}, sud >= 6, pregnant, remission)


def test_by_the_specification_itself_the_level_never_falls_when_a_need_or_the_sud_band_rises_or_in_pregnancy() -> None:
    level = {person: LEVELS.index(by_reference(*person)[1]) for person in EVERYBODY}
    for (n, sud, pregnant, remission), found in level.items():
        worse = [((*n[:at], n[at] + 1, *n[at + 1 :]), sud, pregnant, remission) for at in range(5) if n[at] < 4]
        worse += [(n, sud + 2, pregnant, remission)] if sud < 6 else []
        worse += [(n, sud, True, remission)]
        assert all(level[other] >= found for other in worse), (n, sud, pregnant, remission)


@pytest.mark.thorough
def test_each_of_all_ratings_gives_the_level_of_the_specification() -> None:
    for n, sud, pregnant, remission in EVERYBODY:
        found = by_needs(n, sud_count=sud, pregnant=pregnant, sustained_remission=remission)
        assert (found.rule, found.level) == by_reference(n, sud, pregnant, remission), (n, sud, pregnant, remission)


# "At least" and "at most" hold however the rest is answered


LISTS = {
    "COWS": ("cows", COWS_POINTS), "SUD": ("sud", (("N", "Y"),) * 11), "AUDITC": ("auditc", (range(1, 5), range(5), range(5))),
    "PHQ9": ("phq9", (range(4),) * 9), "GAD7": ("gad7", (range(4),) * 7),
}  # fmt: skip


@few
@given(st.sampled_from(sorted(LISTS)), st.data())
def test_what_is_known_so_far_is_never_more_than_the_total_of_any_completion(key: str, data: st.DataObject) -> None:
    """Estimates (prorated) are none of it. Whoever drinks never (AUDIT-C 1) is not asked the rest, so that completion is left out."""
    code, items = LISTS[key]
    whole = [data.draw(st.sampled_from(list(values))) for values in items]
    open_ = data.draw(st.sets(st.sampled_from(range(len(items))), min_size=min(3, len(items)), max_size=len(items)))
    so_far = [data.draw(st.sampled_from([None, DECLINED])) if item in open_ else answer for item, answer in enumerate(whole)]
    partly, total = assessed({key: so_far})["scores"][code], assessed({key: whole})["scores"][code]["value"]
    assert partly.get("low", partly["value"]) <= total <= partly.get("high", total)


# An answer taken back is never read as a no


NEED_A_NO = {"BI-01", "DTX-01", "DTX-02", "DTX-04"}
RESIDENTIAL = ("3.5", "3.7", "4")


def never_read_as_no(case: Mapping[str, Any], place: Place, state: Any) -> None:
    """What needs a no (and no suicide screen) is not gained by an answer less.

    The tapers also need that no residence is suggested, and that may rest on the very answer that was taken back.
    """
    before, after = assessed(case), assessed(changed(case, place, state))
    gained = NEED_A_NO & (set(after["components"]) - set(before["components"]))
    if before["level"]["suggested"] in RESIDENTIAL or before["needs"]["N1"] > 2:
        gained -= {"DTX-01", "DTX-02"}
    assert not gained, place


@few
@given(cases(), st.data())
def test_an_answer_taken_back_is_never_read_as_a_no(case: dict[str, Any], data: st.DataObject) -> None:
    places = list(answers_given(case))
    assume(places)
    never_read_as_no(case, data.draw(st.sampled_from(places)), data.draw(st.sampled_from([None, DECLINED])))


@pytest.mark.thorough
@many
@given(cases(), st.data())
def test_none_of_six_hundred_answers_taken_back_is_read_as_a_no(case: dict[str, Any], data: st.DataObject) -> None:
    places = list(answers_given(case))
    assume(places)
    never_read_as_no(case, data.draw(st.sampled_from(places)), data.draw(st.sampled_from([None, DECLINED])))


TAPER = VIGNETTES["V5"]["given"] | {"age": 40, "pregnant": "N", "MEDS": [], "COWS": [0] * 11}  # V5 as she could still be pregnant
BRIEF = VIGNETTES["V1"]["given"]


def test_the_taper_and_the_brief_intervention_are_suggested_while_every_no_is_given() -> None:
    assert {"DTX-01", "DTX-02"} <= set(assessed(TAPER)["components"])
    assert "BI-01" in assessed(BRIEF)["components"]


@pytest.mark.parametrize("state", [None, DECLINED])
@pytest.mark.parametrize(
    ("component", "person", "place"),
    [
        ("DTX-01", TAPER, ("pregnant", None)),
        ("DTX-02", TAPER, ("pregnant", None)),
        ("DTX-01", TAPER, ("OTH", "opioid_30d")),
        ("DTX-01", TAPER, ("OTH", "opioid_daily")),
        ("DTX-01", TAPER, ("OTH", "sedative_daily")),
        ("DTX-01", TAPER, ("MEDS", None)),
        ("DTX-02", TAPER, ("MEDS", None)),
        ("DTX-01", TAPER, ("COWS", None)),
        ("DTX-02", TAPER, ("COWS", None)),
        ("DTX-01", TAPER, ("KUH", "products")),
        ("BI-01", BRIEF, ("SUD", None)),
        ("BI-01", BRIEF, ("SUD", 10)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_needs_a_no_goes_with_it(component: str, person: dict[str, Any], place: Place, state: Any) -> None:
    assert component not in assessed(changed(person, place, state))["components"]
