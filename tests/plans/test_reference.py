"""assess() against the specification computed a second time (reference.py): the six people, and whole cases made at random."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plans.reference import DECLINED, reference
from tests.plans.test_cases import CASES, VIGNETTES, assessed

Strategy = st.SearchStrategy[Any]
PARTS = ("kratom", "scores", "flags", "interactions", "needs", "level", "components")


def plain(value: object) -> object:
    """Numbers as numbers: 25, 25.0 and Decimal("25.00") are one."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    return Decimal(str(value)) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value


def agree(case: Mapping[str, Any]) -> None:
    found, expected = assessed(case), reference(case)
    assert {part: plain(found[part]) for part in PARTS} == {part: plain(expected[part]) for part in PARTS}


@pytest.mark.parametrize("code", VIGNETTES)
def test_the_reference_gives_for_each_of_the_six_people_what_the_specification_expects(code: str) -> None:
    found, expected = reference(VIGNETTES[code]["given"]), VIGNETTES[code]["expected"]
    assert {part: plain(found[part]) for part in PARTS} == {part: plain(expected[part]) for part in PARTS}


@pytest.mark.parametrize(("says", "case"), [(says, case) for says, case, _ in CASES], ids=[says for says, *_ in CASES])
def test_both_agree_about_the_corners_of_missing_and_declined(says: str, case: dict[str, Any]) -> None:
    agree(case)


# Whole cases. Every answer is sometimes missing, null or refused; numbers lie about the limits of the rules.


def one_of(*values: object) -> Strategy:
    """Mostly a value; one time in about eight each not reached and refused."""
    weight = max(1, 6 // len(values))
    return st.sampled_from([*values * weight, None, DECLINED])


yes_no = one_of("Y", "N", "N", "N")


def answers_of(*items: Strategy) -> Strategy:
    """The answers of a list: all of them, a list that breaks off, one refused as a whole, one not reached."""
    whole = st.tuples(*items).map(list)
    return st.one_of(whole, whole, whole, st.tuples(whole, st.integers(0, len(items))).map(lambda drawn: drawn[0][: drawn[1]]), refused)


refused = st.sampled_from([None, DECLINED, [DECLINED], []])


def scored(highest: int, items: int) -> Strategy:
    """Lists whose totals spread over all bands: each case has its own ceiling, and some have no gaps."""

    def up_to(ceiling: int) -> Strategy:
        return answers_of(*[point(range(ceiling + 1))] * items) | full(range(ceiling + 1), items)

    return st.integers(0, highest).flatmap(up_to)


def point(values: range) -> Strategy:
    return st.sampled_from([*(list(values) * (12 // len(values) + 1)), None, DECLINED])


def full(values: range, items: int) -> Strategy:
    return st.tuples(*[st.sampled_from(values)] * items).map(list)


def ticks(items: int) -> Strategy:
    return answers_of(*[yes_no] * items) | st.tuples(*[st.sampled_from("YN")] * items).map(list)


def group_of(**parts: Strategy) -> Strategy:
    """An object: each part now and then not there at all."""
    whole = st.fixed_dictionaries(parts)
    return st.one_of(whole, whole, whole, st.fixed_dictionaries({}, optional=parts), st.sampled_from([None, DECLINED, [DECLINED]]))


COWS_POINTS = ((0, 1, 2, 4), (0, 1, 2, 3, 4), (0, 1, 3, 5), (0, 1, 2, 5), (0, 1, 2, 4), (0, 1, 2, 4), (0, 1, 2, 3, 5), (0, 1, 2, 4),
               (0, 1, 2, 4), (0, 1, 2, 4), (0, 3, 5))  # fmt: skip
FORMS = (
    "leaf_powder", "capsule", "tea", "resin_extract", "liquid_shot", "7oh_tablet", "7oh_other", "mp_mgm", "combination_tonic", "unknown",
)  # fmt: skip
CLASSES = (
    "opioid", "benzodiazepine", "z_drug", "gabapentinoid", "cns_depressant_other", "stimulant", "serotonergic", "maoi", "cyp2d6_substrate",
    "cyp2d6_inhibitor_strong", "cyp3a_substrate", "cyp3a_inhibitor_strong", "cyp3a_inducer", "hepatotoxic", "qt_prolonging",
    "seizure_threshold", "naltrexone", "antihypertensive",
)  # fmt: skip

leaf = st.fixed_dictionaries({
    "form": st.sampled_from(FORMS[:3]), "doses_per_day": st.sampled_from([1, 2, 2.5, 4, 5]),
    "amount_per_dose": st.sampled_from([0.1, 2, 4, 4.99, 8, 8.01, 10, 16]), "unit": st.just("g"),
})  # fmt: skip
product = st.fixed_dictionaries(
    {"form": one_of(*FORMS)},
    optional={
        "doses_per_day": one_of(0, 1, 2.5, 4), "amount_per_dose": one_of(0, 0.1, 5, 10, 16.01),
        "unit": one_of("g", "mg_mitragynine", "mg_7oh", "units"),
    },
)  # fmt: skip
products = st.one_of(st.lists(leaf, max_size=2), st.lists(leaf | product, max_size=3), st.lists(leaf | product, max_size=3), refused)
medicine = st.fixed_dictionaries({
    "name": st.sampled_from(["x", "bupropion", "tramadol", "quetiapine", "Bupropion XL 300 mg", "alprazolam 4 mg/day"]),
    "classes": st.lists(st.sampled_from(CLASSES), max_size=3, unique=True),
})  # fmt: skip
medicines = st.one_of(st.just([]), st.lists(medicine, max_size=3), st.lists(medicine, max_size=3), refused)
cows = st.one_of(
    st.tuples(*[st.sampled_from([*points[:2] * 4, *points, None, DECLINED]) for points in COWS_POINTS]).map(list),
    answers_of(*[one_of(*points) for points in COWS_POINTS]),
    st.tuples(*[st.sampled_from(points) for points in COWS_POINTS]).map(list),
    st.tuples(*[st.sampled_from(points[-2:]) for points in COWS_POINTS]).map(list),
)
days = one_of(0, 1, 3)

WHOLE: dict[str, Strategy] = {
    "age": one_of(11, 12, 17, 18, 30, 55, 56),
    "sex": one_of("M", "F", "F", "other"),
    "pregnant": one_of("Y", "N", "NA", "unknown"),
    "KUH": group_of(
        days_30=one_of(0, 1, 24, 25, 30, 30), products=products, last_use_hours=one_of(0, 9, 144), route=one_of("oral", "smoked/vaped"),
        reasons=st.sampled_from([[], ["pain", "energy"], None]), quit_attempts_12m=one_of(0, 1, 2, 5), failed_treatment_12m=one_of(0, 1, 2),
        duration_months=one_of(0, 30),
    ),
    "SUD": ticks(11),
    "COWS": cows,
    "DWC": scored(4, 16),
    "PHQ9": scored(3, 9),
    "GAD7": scored(3, 7),
    "PCPTSD5": group_of(gate=one_of("Y", "Y", "N"), items=ticks(5)),
    "CSSRS": group_of(**dict.fromkeys(("q1", "q2", "q3", "q4", "q5", "q6", "q6_3mo"), yes_no))
    | st.fixed_dictionaries({"q1": yes_no, "q2": st.just("N"), "q6": st.just("N")}),
    "ASQ": group_of(**dict.fromkeys(("q1", "q2", "q3", "q4", "q5"), yes_no)) | st.just({"q1": "N", "q2": "N", "q3": "N", "q4": "N"}),
    "AUDITC": scored(4, 3),
    "DAST10": ticks(10),
    "SLP": group_of(
        n_onset=one_of(0, 2, 3, 7), n_wake=one_of(0, 2, 3, 7), n_dream=one_of(0, 2, 3), duration=one_of("<1mo", "1-3mo", ">=3mo"),
        day_effect=one_of(0, 1, 2, 3), hours=one_of(0, 7.5), apnea=yes_no,
    ),
    "BAM": answers_of(*[one_of(0, 4) if item == 14 else one_of(0, 1, 2, 3, 4) for item in range(1, 18)])
    | st.tuples(*[st.sampled_from((0, 4)) if item == 14 else st.sampled_from((0, 0, 1, 2, 4)) for item in range(1, 18)]).map(list),
    "PEG": scored(10, 3),
    "CMD": scored(3, 10),
    "BPS": ticks(3),
    "SDOH": group_of(
        housing=one_of("stable", "stable", "unstable", "none"),
        **dict.fromkeys(("food", "transport", "utilities", "unsafe", "income", "legal", "childcare", "communication"), yes_no),
    ) | group_of(housing=one_of("stable", "unstable", "none"), unsafe=yes_no, danger_now=yes_no, nowhere_safe_tonight=yes_no),
    "STR": group_of(support_person=yes_no, household_use=yes_no, family_ok=yes_no),
    "RR": group_of(**dict.fromkeys(("importance", "confidence", "readiness"), one_of(0, 6, 7, 10))),
    "MED": group_of(
        **dict.fromkeys(("liver_disease", "jaundice", "seizure_hx", "seizure_7d", "overdose_30d", "overdose_12m", "oud_hx"), yes_no),
        **dict.fromkeys(("complicated_withdrawal_hx", "stable_chronic"), yes_no), alt_x_uln=one_of(1.0, 3.0, 3.1, 4.9, 5.0),
        qtc_ms=one_of(None, 450, 451, 470, 471, 499, 500),
    ) | group_of(
        **dict.fromkeys(("emergency_vitals", "unstable_condition", "acute_liver_failure", "acute_emergency", "ob_complication"), yes_no),
        **dict.fromkeys(("seizure_hx", "overdose_12m", "stable_chronic"), yes_no),
    ),
    "MEDS": medicines,
    "OTH": group_of(
        opioid_30d=st.sampled_from([[], [], [], ["oxycodone"], ["tramadol", "methadone"], None, DECLINED, [DECLINED]]),
        **dict.fromkeys(("opioid_daily", "sedative_daily", "sedative_30d", "stimulant_30d"), yes_no),
        last_drink_days=one_of(0, 7, 8, 30, 31),
        **dict.fromkeys(("precipitated_withdrawal_now", "sustained_remission"), yes_no), loperamide_mg_day=one_of(0, 16, 16.5, 17),
    ),
}  # fmt: skip
KEYS = st.sampled_from(sorted(WHOLE))
PEOPLE = [VIGNETTES[code]["given"] for code in VIGNETTES]


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """A case of its own, or one of the six people with some keys answered anew; some keys are not there at all."""
    person = draw(st.sampled_from([{}] * len(PEOPLE) + PEOPLE))
    absent = draw(st.sets(KEYS, max_size=3 if person else 8))
    anew = draw(st.sets(KEYS, max_size=6)) if person else set(WHOLE)
    case = person | {key: draw(WHOLE[key]) for key in sorted(anew - absent)}
    return {key: value for key, value in case.items() if key not in absent}


quickly = settings(max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@quickly
@given(cases())
def test_both_agree_about_any_case(case: dict[str, Any]) -> None:
    agree(case)


@pytest.mark.thorough
@settings(quickly, max_examples=2_000)
@given(cases())
def test_both_agree_about_two_thousand_cases(case: dict[str, Any]) -> None:
    agree(case)
