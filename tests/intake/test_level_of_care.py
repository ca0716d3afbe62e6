"""Needs N1-N5 and the suggested level: every row of the tables, the edges of each, and what is not known yet."""

import datetime
from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intake.content_files import read
from intake.evaluation import Settings, evaluate_episode
from intake.facts.gather import Person
from intake.facts.names import FACTS
from intake.level_of_care import (
    LevelSuggestion,
    Need,
    is_lower,
    level_rules,
    levels,
    need_tables,
    needs_cosignature,
    override_reasons,
    rate_needs,
    suggest_level,
)
from intake.rules import Input

AT = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
LEVELS = ["0.5", "1.0", "1.5", "1.7", "2.1", "2.5", "2.7", "3.1", "3.5", "3.7", "4"]
RANK = {level: at for at, level in enumerate(LEVELS)}

# Somebody about whom everything is known and nothing is the matter.
WELL: dict[str, Any] = {
    **dict.fromkeys(sorted({name for table in need_tables() for _, row in table.rows for name in row.names}), False),
    **dict.fromkeys(["cows_low", "leaf_g_day_known", "peg", "phq9_low", "gad7_low", "pcptsd5_yes", "sud_count", "sdoh_unmet"], 0),
    "alt_x_uln": 1,
    "qtc_ms": 420,
    "failed_treatment_12m": 0,
    "cssrs": "NONE",
    "housing": "stable",
    "support_person": True,
    "sustained_remission": False,
}


def rated(facts: Mapping[str, Any], bounds: Mapping[str, Any] | None = None) -> dict[str, Need]:
    return rate_needs({**WELL, **facts}, bounds or {}, {})


def suggested(facts: Mapping[str, Any], bounds: Mapping[str, Any] | None = None, needs: dict[str, Need] | None = None) -> LevelSuggestion:
    """The level that follows from the facts, needs and all."""
    needs = needs or rated(facts, bounds)
    return suggest_level({**WELL, **facts, **{code.lower(): need.rating for code, need in needs.items()}}, needs, bounds or {}, {})


def by_needs(n: tuple[int, ...], **facts: Any) -> LevelSuggestion:
    """The level that follows from five ratings, whatever they came from."""
    needs = {f"N{at}": Need(f"N{at}", "", rating, "", (), None, "") for at, rating in enumerate(n, 1)}
    return suggest_level({**WELL, **facts, **{f"n{at}": rating for at, rating in enumerate(n, 1)}}, needs, {}, {})


# 4.2 Needs: each clause of each row, and the last value that does not reach it

ROWS: list[tuple[str, int, str, dict[str, Any]]] = [
    ("N1", 4, "COWS 37", {"cows_low": 37}),
    ("N1", 4, "emergency vital signs", {"emergency_vitals": True}),
    ("N1", 4, "daily sedative, a complicated withdrawal before", {"sedative_daily": True, "complicated_withdrawal_hx": True}),
    ("N1", 4, "active alcohol, a complicated withdrawal before", {"alc_active": True, "complicated_withdrawal_hx": True}),
    ("N1", 3, "COWS 36", {"cows_low": 36}),
    ("N1", 3, "COWS 25", {"cows_low": 25}),
    ("N1", 3, "daily sedative and another opioid", {"sedative_daily": True, "opioid_30d": True}),
    ("N1", 3, "daily sedative and daily kratom", {"sedative_daily": True, "kuh_daily": True}),
    ("N1", 3, "active alcohol and a daily opioid", {"alc_active": True, "opioid_daily": True}),
    ("N1", 3, "active alcohol and daily kratom", {"alc_active": True, "kuh_daily": True}),
    ("N1", 3, "pregnant, COWS 13", {"pregnant": True, "cows_low": 13}),
    ("N1", 3, "precipitated withdrawal now", {"precipitated_withdrawal_now": True}),
    ("N1", 2, "COWS 24", {"cows_low": 24}),
    ("N1", 2, "COWS 13", {"cows_low": 13}),
    ("N1", 2, "40.1 g of leaf a day", {"leaf_g_day_known": 40.1}),
    ("N1", 2, "daily 7-OH", {"kuh_daily": True, "kuh_oh7": True}),
    ("N1", 2, "active alcohol", {"alc_active": True}),
    ("N1", 2, "active alcohol with an opioid that is not daily", {"alc_active": True, "opioid_30d": True}),
    ("N1", 2, "daily sedative", {"sedative_daily": True}),
    ("N1", 2, "daily opioid", {"opioid_daily": True}),
    ("N1", 2, "naltrexone and kratom", {"medclass_naltrexone": True, "kuh_current": True}),
    ("N1", 2, "pregnant, daily kratom", {"pregnant": True, "kuh_daily": True}),
    ("N1", 1, "COWS 12", {"cows_low": 12}),
    ("N1", 1, "COWS 5", {"cows_low": 5}),
    ("N1", 1, "pregnant, COWS 12", {"pregnant": True, "cows_low": 12}),
    ("N1", 1, "daily kratom, 40 g of leaf", {"kuh_daily": True, "leaf_g_day_known": 40}),
    ("N1", 1, "withdrawal among the SUD criteria", {"sud_criterion_11": True}),
    ("N1", 0, "COWS 4", {"cows_low": 4}),
    ("N1", 0, "7-OH now and then", {"kuh_oh7": True, "kuh_current": True}),
    ("N1", 0, "a complicated withdrawal long ago", {"complicated_withdrawal_hx": True}),
    ("N1", 0, "naltrexone without kratom", {"medclass_naltrexone": True}),
    ("N2", 4, "QTc 500", {"qtc_ms": 500, "qtc_prolonged": True}),
    ("N2", 4, "acute liver failure", {"acute_liver_failure": True}),
    ("N2", 4, "another acute emergency", {"acute_emergency": True}),
    ("N2", 3, "jaundice", {"jaundice": True}),
    ("N2", 3, "ALT 5 x ULN", {"alt_x_uln": 5}),
    ("N2", 3, "a seizure this week", {"seizure_7d": True, "seizure_hx": True}),
    ("N2", 3, "an unstable condition", {"unstable_condition": True}),
    ("N2", 3, "pregnant with a complication", {"pregnant": True, "ob_complication": True}),
    ("N2", 2, "QTc 499", {"qtc_ms": 499, "qtc_prolonged": True}),
    ("N2", 2, "pregnant", {"pregnant": True}),
    ("N2", 2, "liver disease", {"liver_disease": True}),
    ("N2", 2, "ALT 4.9 x ULN", {"alt_x_uln": 4.9}),
    ("N2", 2, "ALT 3.1 x ULN", {"alt_x_uln": 3.1}),
    ("N2", 2, "a seizure once, kratom now", {"seizure_hx": True, "kuh_current": True}),
    ("N2", 2, "a seizure once, a medicine that lowers the threshold", {"seizure_hx": True, "medclass_seizure_threshold": True}),
    ("N2", 2, "PEG 7", {"peg": 7}),
    ("N2", 1, "a seizure once", {"seizure_hx": True}),
    ("N2", 1, "a stable long-term condition", {"stable_chronic": True}),
    ("N2", 1, "PEG 6.9", {"peg": 6.9}),
    ("N2", 1, "PEG 4", {"peg": 4}),
    ("N2", 0, "ALT 3 x ULN", {"alt_x_uln": 3}),
    ("N2", 0, "PEG 3.9", {"peg": 3.9}),
    ("N3", 4, "suicide risk high", {"cssrs": "HIGH"}),
    ("N3", 3, "suicide risk moderate, PHQ-9 20", {"cssrs": "MODERATE", "phq9_low": 20}),
    ("N3", 3, "a psychotic experience this month", {"bps_3": True, "bps_any": True}),
    ("N3", 2, "suicide risk moderate, PHQ-9 19", {"cssrs": "MODERATE", "phq9_low": 19}),
    ("N3", 2, "not screened", {"cssrs": "NOT_SCREENED"}),
    ("N3", 2, "not screened, PHQ-9 27", {"cssrs": "NOT_SCREENED", "phq9_low": 27}),
    ("N3", 2, "PHQ-9 15", {"phq9_low": 15}),
    ("N3", 2, "GAD-7 15", {"gad7_low": 15}),
    ("N3", 2, "PC-PTSD-5 with 4 yes", {"pcptsd5_yes": 4}),
    ("N3", 2, "told of a bipolar disorder", {"bps_any": True}),
    ("N3", 2, "suicide risk low, PHQ-9 10", {"cssrs": "LOW", "phq9_low": 10}),
    ("N3", 1, "suicide risk low, PHQ-9 9", {"cssrs": "LOW", "phq9_low": 9}),
    ("N3", 1, "PHQ-9 14", {"phq9_low": 14}),
    ("N3", 1, "PHQ-9 5", {"phq9_low": 5}),
    ("N3", 1, "GAD-7 14", {"gad7_low": 14}),
    ("N3", 1, "GAD-7 5", {"gad7_low": 5}),
    ("N3", 1, "PC-PTSD-5 with 3 yes", {"pcptsd5_yes": 3}),
    *[("N3", 1, f"a sign of {sign}", {f"cmd_{sign}": True}) for sign in ("mood", "cognitive", "detachment", "social", "panic", "stress")],
    ("N3", 0, "PHQ-9 4, GAD-7 4, PC-PTSD-5 2", {"phq9_low": 4, "gad7_low": 4, "pcptsd5_yes": 2}),
    ("N4", 4, "an overdose this month", {"overdose_30d": True, "overdose_12m": True}),
    ("N4", 4, "an overdose this year, opioid and sedative", {"overdose_12m": True, "opioid_30d": True, "sedative_30d": True}),
    ("N4", 3, "6 criteria and another opioid", {"sud_count": 6, "opioid_30d": True}),
    ("N4", 3, "6 criteria and a sedative", {"sud_count": 6, "sedative_30d": True}),
    ("N4", 3, "6 criteria and daily 7-OH", {"sud_count": 6, "kuh_oh7": True, "kuh_daily": True}),
    ("N4", 3, "6 criteria and two treatments that did not hold", {"sud_count": 6, "failed_treatment_12m": 2}),
    ("N4", 2, "5 criteria and another opioid", {"sud_count": 5, "opioid_30d": True}),
    ("N4", 2, "6 criteria and one treatment", {"sud_count": 6, "failed_treatment_12m": 1}),
    ("N4", 2, "6 criteria and 7-OH that is not daily", {"sud_count": 6, "kuh_oh7": True}),
    ("N4", 2, "11 criteria", {"sud_count": 11}),
    ("N4", 2, "4 criteria", {"sud_count": 4}),
    ("N4", 1, "3 criteria", {"sud_count": 3}),
    ("N4", 1, "2 criteria", {"sud_count": 2}),
    ("N4", 0, "1 criterion", {"sud_count": 1}),
    ("N4", 0, "an overdose this year and an opioid, no sedative", {"overdose_12m": True, "opioid_30d": True}),
    ("N5", 4, "unsafe and in danger now", {"unsafe": True, "danger_now": True}),
    ("N5", 4, "no housing and nowhere safe tonight", {"housing": "none", "nowhere_safe_tonight": True}),
    ("N5", 3, "no housing, somewhere safe tonight", {"housing": "none"}),
    ("N5", 3, "unsafe, not in danger now", {"unsafe": True}),
    ("N5", 3, "another user at home and nobody to rely on", {"household_use": True, "support_person": False}),
    ("N5", 2, "another user at home, somebody to rely on", {"household_use": True}),
    ("N5", 2, "nobody to rely on", {"support_person": False}),
    ("N5", 2, "unstable housing", {"housing": "unstable", "sdoh_unmet": 1}),
    ("N5", 2, "two unmet needs", {"sdoh_unmet": 2}),
    ("N5", 1, "one unmet need", {"sdoh_unmet": 1}),
    ("N5", 0, "no unmet need", {}),
]


@pytest.mark.parametrize(("code", "rating", "facts"), [(c, r, f) for c, r, _, f in ROWS], ids=[f"{c}={r} {says}" for c, r, says, _ in ROWS])
def test_a_need_is_rated_by_its_first_row_that_is_true(code: str, rating: int, facts: dict[str, Any]) -> None:
    need = rated(facts)[code]
    assert (need.rating, need.up_to, need.note) == (rating, None, "")


def test_every_row_of_every_need_is_reached_by_a_case() -> None:
    assert {(code, rating) for code, rating, _, _ in ROWS} == set(product(["N1", "N2", "N3", "N4", "N5"], range(5)))


def test_somebody_well_has_no_need_and_gets_early_help() -> None:
    assert {code: need.rating for code, need in rated({}).items()} == dict.fromkeys(["N1", "N2", "N3", "N4", "N5"], 0)
    found = suggested({})
    assert (found.level, found.rule, found.label, found.up_to, found.addons) == ("0.5", "L15", "Early help", None, ())


def test_a_need_says_its_row_in_words_and_shows_what_it_rests_on() -> None:
    shown = Input("cows_low", "COWS", "25", "COWS, today")
    need = rate_needs(WELL | {"cows_low": 25}, {}, {"cows_low": [shown], "kuh_daily": [Input("kuh_daily", "", "no", "")]})["N1"]
    assert need.inputs == (shown,)
    assert need.row_text.startswith("COWS 25-36")


# 4.2 What is not known yet: (sentence, facts, bounds, need, rating, up to)

OPEN: list[tuple[str, dict[str, Any], dict[str, Any], str, int, int | None]] = [
    ("COWS 12 with the pupils unrated may reach 17", {"cows_low": 12}, {"cows_low": 17}, "N1", 1, 2),
    ("COWS 6 with the pupils unrated stays below 13", {"cows_low": 6}, {"cows_low": 11}, "N1", 1, None),
    ("no sign rated at all", {"cows_low": 0}, {"cows_low": 48}, "N1", 0, 4),
    ("no COWS at all", {"cows_low": None}, {}, "N1", 0, 4),
    ("vital signs not measured", {"emergency_vitals": None}, {}, "N1", 0, 4),
    ("daily sedative, earlier withdrawals not asked", {"sedative_daily": True, "complicated_withdrawal_hx": None}, {}, "N1", 2, 4),
    ("daily sedative, other opioids not asked", {"sedative_daily": True, "opioid_30d": None}, {}, "N1", 2, 3),
    ("30 g of leaf known, another product in doubt", {"leaf_g_day_known": 30}, {"leaf_g_day_known": None}, "N1", 0, 2),
    ("45 g of leaf known: more changes nothing", {"leaf_g_day_known": 45}, {"leaf_g_day_known": None}, "N1", 2, None),
    ("daily kratom, pregnancy possible", {"kuh_daily": True, "pregnant": None}, {}, "N1", 1, 2),
    ("COWS 13, pregnancy possible", {"cows_low": 13, "pregnant": None}, {}, "N1", 2, 3),
    ("no ECG", {"qtc_ms": None, "qtc_prolonged": None}, {}, "N2", 0, 4),
    ("ALT never measured", {"alt_x_uln": None}, {}, "N2", 0, 3),
    ("pregnancy possible, no complication known", {"pregnant": None, "ob_complication": None}, {}, "N2", 0, 3),
    ("pregnancy possible, no complication", {"pregnant": None}, {}, "N2", 0, 2),
    ("liver disease, pain not asked", {"liver_disease": True, "peg": None}, {}, "N2", 2, None),
    ("PHQ-9 12 so far, three open", {"phq9_low": 12}, {"phq9_low": 21}, "N3", 1, 2),
    ("suicide risk moderate, PHQ-9 12 so far, three open", {"cssrs": "MODERATE", "phq9_low": 12}, {"phq9_low": 21}, "N3", 2, 3),
    ("psychosis not asked", {"bps_3": None}, {}, "N3", 0, 3),
    ("SUD-11: 3 yes, 3 open, another opioid", {"sud_count": 3, "opioid_30d": True}, {"sud_count": 6}, "N4", 1, 3),
    ("SUD-11: 3 yes, 3 open, nothing else", {"sud_count": 3}, {"sud_count": 6}, "N4", 1, 2),
    ("SUD-11 not asked", {"sud_count": None}, {}, "N4", 0, 2),
    ("SUD-11 not asked, a sedative", {"sud_count": None, "sedative_30d": True}, {}, "N4", 0, 3),
    ("overdoses not asked", {"overdose_30d": None}, {}, "N4", 0, 4),
    ("support refused: not read as nobody", {"support_person": None}, {}, "N5", 0, 2),
    ("another user at home, support refused", {"support_person": None, "household_use": True}, {}, "N5", 2, 3),
    ("unsafe, danger not asked", {"unsafe": True, "danger_now": None}, {}, "N5", 3, 4),
    ("two social questions open", {"sdoh_unmet": 0}, {"sdoh_unmet": 2}, "N5", 0, 2),
    ("housing not asked, nor tonight", {"housing": None, "nowhere_safe_tonight": None}, {}, "N5", 0, 4),
    ("housing not asked, safe tonight", {"housing": None}, {}, "N5", 0, 3),
]


@pytest.mark.parametrize(("facts", "bounds", "code", "rating", "up_to"), [row[1:] for row in OPEN], ids=[f"{r[3]} {r[0]}" for r in OPEN])
def test_what_is_not_known_is_not_read_as_absent(
    facts: dict[str, Any], bounds: dict[str, Any], code: str, rating: int, up_to: int | None
) -> None:
    need = rated(facts, bounds)[code]
    assert (need.rating, need.up_to) == (rating, up_to)
    assert need.note.startswith(f"May be up to {up_to}. Cannot tell yet: ask " if up_to else "")
    assert bool(need.note) is (up_to is not None)


def test_the_note_asks_for_what_is_open_and_for_nothing_else() -> None:
    assert rated({"emergency_vitals": None})["N1"].note == f"May be up to 4. Cannot tell yet: ask {FACTS['emergency_vitals'].ask}."
    assert rated({"cows_low": 12}, {"cows_low": 17})["N1"].note == f"May be up to 2. Cannot tell yet: ask {FACTS['cows_low'].ask}."


# 4.3 Levels: (rule, level, N1..N5, other facts)

LEVEL_ROWS: list[tuple[str, str, tuple[int, ...], dict[str, Any]]] = [
    ("L1", "4", (4, 0, 0, 0, 0), {}),
    ("L1", "4", (0, 4, 0, 0, 0), {}),
    ("L1", "4", (0, 0, 4, 0, 0), {}),
    ("L2", "4", (3, 0, 0, 0, 0), {"pregnant": True}),
    ("L3", "3.7", (3, 0, 0, 0, 0), {}),
    ("L3", "3.7", (0, 3, 0, 0, 0), {}),
    ("L3", "3.7", (2, 3, 2, 4, 4), {"pregnant": True}),
    ("L3", "3.7", (3, 0, 0, 4, 4), {"pregnant": None}),
    ("L4", "3.7", (2, 0, 0, 4, 0), {}),
    ("L4", "3.5", (1, 2, 3, 4, 4), {}),
    ("L5", "3.5", (0, 0, 0, 3, 4), {}),
    ("L5", "3.5", (0, 0, 2, 2, 4), {}),
    ("L5", "3.1", (2, 2, 1, 2, 4), {}),
    ("L6", "3.5", (0, 0, 0, 3, 3), {}),
    ("L6", "3.1", (0, 0, 3, 2, 3), {}),
    ("L7", "2.7", (2, 0, 3, 0, 0), {}),
    ("L7", "2.7", (0, 2, 3, 0, 0), {}),
    ("L7", "2.5", (1, 1, 3, 3, 2), {}),
    ("L8", "2.7", (2, 0, 2, 3, 0), {}),
    ("L8", "2.7", (0, 2, 0, 3, 0), {}),
    ("L8", "2.5", (1, 1, 2, 3, 0), {}),
    ("L8", "2.1", (1, 1, 1, 3, 2), {}),
    ("L9", "2.1", (2, 2, 2, 2, 0), {"sud_count": 4}),
    ("L10", "2.1", (2, 0, 1, 2, 0), {"sud_count": 6}),
    ("L10", "1.7", (2, 0, 1, 2, 0), {"sud_count": 5}),
    ("L10", "1.7", (0, 2, 0, 2, 0), {"sud_count": 4}),
    ("L11", "2.1", (1, 1, 1, 2, 2), {"sud_count": 6}),
    ("L11", "1.5", (1, 1, 1, 2, 2), {"sud_count": 5}),
    ("L12", "1.7", (2, 0, 2, 1, 0), {}),
    ("L12", "1.7", (0, 2, 0, 0, 0), {"pregnant": True}),
    ("L13", "1.5", (0, 0, 0, 1, 0), {}),
    ("L13", "1.5", (1, 1, 2, 0, 2), {"sustained_remission": True}),
    ("L14", "1.0", (1, 1, 1, 0, 2), {"sustained_remission": True}),
    ("L15", "0.5", (1, 1, 1, 0, 2), {}),
    ("L15", "0.5", (0, 0, 0, 0, 0), {"sustained_remission": None}),
]


@pytest.mark.parametrize(("rule", "level", "n", "facts"), LEVEL_ROWS, ids=[f"{r[0]} {r[1]} {r[2]} {r[3]}" for r in LEVEL_ROWS])
def test_each_rule_gives_its_level(rule: str, level: str, n: tuple[int, ...], facts: dict[str, Any]) -> None:
    found = by_needs(n, **facts)
    assert (found.rule, found.level) == (rule, level)
    assert found.label == levels()[level]


def test_every_rule_and_every_outcome_of_it_has_a_case() -> None:
    assert {(rule, level) for rule, level, _, _ in LEVEL_ROWS} == {
        (rule, choice.value) for rule, (_, rows) in level_rules().items() for choice in rows
    }


def second_computation(n: tuple[int, ...], pregnant: bool, sud_count: int, remission: bool) -> tuple[str, str]:
    """4.3 once more, by hand."""
    n1, n2, n3, n4, n5 = n
    medical = 2 in (n1, n2)
    if max(n1, n2, n3) == 4:
        return "L1", "4"
    if pregnant and n1 == 3:
        return "L2", "4"
    if 3 in (n1, n2):
        return "L3", "3.7"
    if n4 == 4:
        return "L4", "3.7" if n1 >= 2 else "3.5"
    if n5 == 4:
        return "L5", "3.5" if n4 == 3 or n3 >= 2 else "3.1"
    if n5 == 3:
        return "L6", "3.5" if n4 == 3 else "3.1"
    if n3 == 3:
        return "L7", "2.7" if medical else "2.5"
    if n4 == 3:
        return "L8", "2.7" if medical else "2.5" if n3 == 2 else "2.1"
    if n4 == 2:
        if n3 == 2:
            return "L9", "2.1"
        severe = sud_count >= 6
        return ("L10", "2.1" if severe else "1.7") if medical else ("L11", "2.1" if severe else "1.5")
    if medical:
        return "L12", "1.7"
    if n4 == 1 or n3 == 2:
        return "L13", "1.5"
    return ("L14", "1.0") if remission else ("L15", "0.5")


PEOPLE = st.tuples(st.tuples(*[st.integers(0, 4)] * 5), st.booleans(), st.sampled_from([0, 5, 6]), st.booleans())


@given(PEOPLE)
@settings(max_examples=200)
def test_any_five_ratings_give_the_level_of_the_specification(person: tuple[tuple[int, ...], bool, int, bool]) -> None:
    n, pregnant, sud_count, remission = person
    found = by_needs(n, pregnant=pregnant, sud_count=sud_count, sustained_remission=remission)
    assert (found.rule, found.level) == second_computation(*person)
    assert found.up_to is None
    expected = [
        ("CO_OCCURRING_ENHANCED", n[2] >= 2 and found.level != "4"),
        ("MEDICAL_MANAGEMENT_ADDON", max(n[:2]) >= 2 and found.level in ("0.5", "1.0", "1.5", "2.1", "2.5", "3.1", "3.5")),
        ("OBSTETRIC_COMANAGEMENT", pregnant),
    ]
    assert found.addons == tuple(code for code, applies in expected if applies)


@given(PEOPLE, st.integers(0, 6))
@settings(max_examples=200)
def test_the_level_never_falls_when_a_need_rises_or_in_pregnancy(person: tuple[tuple[int, ...], bool, int, bool], what: int) -> None:
    n, pregnant, sud_count, remission = person
    worse = tuple(min(4, rating + (at == what)) for at, rating in enumerate(n))
    before = by_needs(n, pregnant=pregnant, sud_count=sud_count, sustained_remission=remission)
    changed = {"pregnant": pregnant or what == 5, "sud_count": 6 if what == 6 else sud_count}
    after = by_needs(worse, **changed, sustained_remission=remission)
    assert RANK[after.level] >= RANK[before.level]


# What may still turn out

BOOLS = sorted({name for name, value in WELL.items() if isinstance(value, bool)})
SPREAD: dict[str, list[Any]] = {
    "cows_low": [0, 5, 13, 25, 37], "leaf_g_day_known": [0, 41], "peg": [0, 4, 7], "phq9_low": [0, 5, 10, 15, 20], "gad7_low": [0, 5, 15],
    "pcptsd5_yes": [0, 3, 4], "sud_count": [0, 2, 4, 6], "sdoh_unmet": [0, 1, 2], "alt_x_uln": [1, 4, 5], "qtc_ms": [420, 500],
    "failed_treatment_12m": [0, 2], "cssrs": ["NONE", "LOW", "MODERATE", "HIGH", "NOT_SCREENED"], "housing": ["stable", "unstable", "none"],
} | {name: [False, True] for name in BOOLS}  # fmt: skip


FINDINGS = st.sampled_from([(name, value) for name, values in SPREAD.items() for value in values])


@given(st.lists(st.tuples(FINDINGS, st.booleans()), min_size=1, max_size=10))
@settings(max_examples=100)
def test_whatever_the_open_facts_turn_out_to_be_needs_and_level_stay_within_what_was_said(
    findings: list[tuple[tuple[str, Any], bool]],
) -> None:
    """Each finding is a fact and its true value, and whether it is still open when the first word is said."""
    after = WELL | {name: value for (name, value), _ in findings}
    before = after | {name: None for (name, _), is_open in findings if is_open}
    needs, turned_out = rated(before), rated(after)
    for code, need in turned_out.items():
        assert needs[code].rating <= need.rating <= max(needs[code].rating, needs[code].up_to or 0)
    said = suggested(before, needs=needs)
    assert RANK[said.level] <= RANK[suggested(after, needs=turned_out).level] <= RANK[said.up_to or said.level]


@pytest.mark.parametrize(
    ("says", "facts", "bounds", "level", "up_to"),
    [
        ("SUD-11 not asked: six criteria alone give 2.1", {"sud_count": None}, {}, "0.5", "2.1"),
        ("SUD-11 with 5 yes and one open", {"sud_count": 5}, {"sud_count": 6}, "1.5", "2.1"),
        ("SUD-11 with 4 yes and one open", {"sud_count": 4}, {"sud_count": 5}, "1.5", None),
        ("remission not asked", {"sustained_remission": None}, {}, "0.5", "1.0"),
        ("COWS 24 with gooseflesh unrated", {"cows_low": 24}, {"cows_low": 29}, "1.7", "3.7"),
        ("the same, pregnancy possible", {"cows_low": 24, "pregnant": None}, {"cows_low": 29}, "1.7", "4"),
        ("vital signs not measured", {"emergency_vitals": None}, {}, "0.5", "4"),
        ("at the top already", {"cssrs": "HIGH", "emergency_vitals": None}, {}, "4", None),
    ],
)
def test_a_level_says_how_high_it_may_still_become(
    says: str, facts: dict[str, Any], bounds: dict[str, Any], level: str, up_to: str | None
) -> None:
    found = suggested(facts, bounds)
    assert (found.level, found.up_to) == (level, up_to), says


def test_of_somebody_who_answered_nothing_the_level_is_provisional_and_may_be_anything() -> None:
    """Not screened for suicide is N3 = 2, so 1.5; everything else is open."""
    found = evaluate_episode(Person(40, "M"), {}, Settings(packet=("phq9", "asq", "cows")), AT)
    assert {code: (need.rating, need.up_to) for code, need in found.needs.items()} == {
        "N1": (0, 4), "N2": (0, 4), "N3": (2, 3), "N4": (0, 4), "N5": (0, 4),
    }  # fmt: skip
    assert (found.level.level, found.level.rule, found.level.up_to, found.level.provisional) == ("1.5", "L13", "4", True)


# Words, notes, choosing another level


def test_the_levels_stand_in_ascending_order_with_plain_labels() -> None:
    assert list(levels()) == LEVELS
    assert levels() == {
        "0.5": "Early help",
        "1.0": "Long-term check-ups",
        "1.5": "Outpatient therapy (<9 h/week)",
        "1.7": "Outpatient with medical management",
        "2.1": "Intensive outpatient (9-19 h/week)",
        "2.5": "Day program (>=20 h/week)",
        "2.7": "Intensive outpatient with medical management",
        "3.1": "Supportive residence",
        "3.5": "High-intensity residence",
        "3.7": "Residence with medical management",
        "4": "Hospital",
    }
    assert not any("asam" in label.casefold() for label in levels().values())


@pytest.mark.parametrize(
    ("n", "notes"),
    [
        ((4, 0, 0, 0, 0), ("Emergency or hospital evaluation now.",)),
        ((0, 4, 0, 0, 0), ("Emergency or hospital evaluation now.",)),
        ((0, 0, 4, 0, 0), ("Psychiatric emergency evaluation now.",)),
        ((3, 3, 3, 4, 4), ()),
    ],
)
def test_a_hospital_level_says_which_evaluation(n: tuple[int, ...], notes: tuple[str, ...]) -> None:
    assert by_needs(n).notes == notes


@pytest.mark.parametrize("truth", [True, False, None])
def test_a_level_on_incomplete_data_is_provisional(truth: bool | None) -> None:
    assert by_needs((0, 0, 0, 0, 0), sf_14=truth).provisional is (truth is True)


def test_a_level_shows_what_its_rule_and_its_choice_rest_on() -> None:
    inputs = {name: [Input(name, name, "", "")] for name in ("n1", "n3", "n4", "sud_count")}
    needs = {f"N{at}": Need(f"N{at}", "", 0, "", (), None, "") for at in range(1, 6)}
    facts = WELL | {"n1": 1, "n2": 0, "n3": 1, "n4": 2, "n5": 0, "sud_count": 6}
    found = suggest_level(facts, needs, {}, inputs)
    assert (found.rule, [shown.name for shown in found.inputs]) == ("L11", ["sud_count", "n4"])


def test_lower_is_by_order_and_not_by_digits() -> None:
    assert is_lower("3.7", "4") and is_lower("0.5", "1.0") and is_lower("2.7", "3.1")
    assert not is_lower("4", "4") and not is_lower("4", "3.7")


@pytest.mark.parametrize(
    ("says", "suggestion", "final", "facts", "cosigned"),
    [
        ("lower, suicide risk high", "4", "3.7", {"sf_01": True}, True),
        *[(f"lower, N{at} at 4", "3.7", "2.1", {f"n{at}": 4}, True) for at in range(1, 6)],
        ("lower, nothing at 4", "3.7", "2.1", {"n1": 3}, False),
        ("the same level, N5 at 4", "3.5", "3.5", {"n5": 4}, False),
        ("higher, N5 at 4", "3.5", "4", {"n5": 4}, False),
    ],
)
def test_a_lower_level_in_danger_needs_a_second_clinician(
    says: str, suggestion: str, final: str, facts: dict[str, Any], cosigned: bool
) -> None:
    known = {"sf_01": False, **{f"n{at}": 0 for at in range(1, 6)}, **facts}
    assert needs_cosignature(suggestion, final, known) is cosigned, says


def test_another_level_has_eight_reasons_and_twenty_characters() -> None:
    assert set(override_reasons()) == {
        "patient_preference", "service_unavailable", "access_or_childcare", "payer", "legal", "clinical_judgement_higher",
        "clinical_judgement_lower", "patient_declined",
    }  # fmt: skip
    assert read("level_of_care.yaml")["override"]["min_characters"] == 20
