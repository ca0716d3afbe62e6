"""Suggestions: the right components, each with its reason in words, its tier, and what stands against it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from intake.answers import State
from intake.rules import Fired
from plans.components import load_components
from plans.suggest import Suggested, Suggestion, may_be_held, plan_rules, start_gate, suggest

VIGNETTES: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "cases" / "vignettes.yaml").read_text())
RULES = dict.fromkeys([f"sf_{n:02}" for n in range(1, 17)] + [f"ix_{n:02}" for n in range(1, 23)], False)
PEOPLE = VIGNETTES["people"]


def fired(rule_id: str, severity: str = "HIGH") -> Fired:
    return Fired(rule_id, f"Name of {rule_id}", severity, "message", "action", "D", "source", (), "clears", None)


def facts_of(given: dict[str, Any], rules: dict[str, str]) -> dict[str, object]:
    raised = {rule.lower().replace("-", "_"): True for rule in rules}
    return {**RULES, **given, **raised, "any_ix": any(rule.startswith("IX") for rule in rules)}


def for_person(name: str, **changes: Any) -> Suggested:
    person = PEOPLE[name]
    facts = facts_of({**VIGNETTES["all"], **person["facts"], **changes}, person["fired"])
    return suggest(facts, [fired(rule, severity) for rule, severity in person["fired"].items()])


def known(rules: dict[str, str] | None = None, **given: Any) -> Suggested:
    return suggest(facts_of(given, rules or {}), [fired(rule, severity) for rule, severity in (rules or {}).items()])


def one(made: Suggested, component_id: str) -> Suggestion:
    return next(s for s in made.suggestions if s.component.id == component_id)


def ids(made: Suggested) -> list[str]:
    return [s.component.id for s in made.suggestions]


@pytest.mark.parametrize("name", PEOPLE)
def test_the_six_people_get_their_components(name: str) -> None:
    made = for_person(name)
    assert ", ".join(ids(made)) == PEOPLE[name]["expected"]
    assert made.undecided == ()
    assert all(s.because for s in made.suggestions)


@pytest.mark.parametrize("name", PEOPLE)
def test_buprenorphine_suggested_raises_its_rule(name: str) -> None:
    made = for_person(name)
    assert [rule.rule_id for rule in made.plan_rules] == (["IX-15"] if "DTX-04" in ids(made) else [])
    if "start_gate" in PEOPLE[name]:
        assert start_gate(made.facts).met is PEOPLE[name]["start_gate"]


def test_the_chronic_pain_patient_with_the_instruments_of_the_first_packet() -> None:
    later = (
        "slp_insomnia",
        "slp_day_effect",
        "slp_apnea",
        "peg",
        "cmd_mood",
        "cmd_detachment",
        "cmd_social",
        "cmd_panic",
        "cmd_stress",
        "pcptsd5_pos",
    )
    made = for_person("V5 chronic pain", n2=1, loc="1.5", **dict.fromkeys(later))
    less = [name for name in PEOPLE["V5 chronic pain"]["expected"].split(", ") if name not in ("CBT-05", "MED-03", "PAIN-01")]
    assert ids(made) == less
    assert {u.component.id for u in made.undecided} == {"CBT-05", "OTH-03", "OTH-04", "OTH-05", "MED-02", "MED-03", "PAIN-01", "SOC-02"}


def test_an_unknown_condition_says_what_to_ask() -> None:
    (pain,) = [u for u in for_person("V1 low risk", peg=None).undecided if u.component.id == "PAIN-01"]
    assert pain.sentence.startswith("Cannot tell yet: ask ")
    assert "PEG" in pain.sentence


@pytest.mark.parametrize(
    ("name", "component", "says"),
    [
        ("V5 chronic pain", "CBT-04", ("PHQ-9 is 13, and 10 or more counts.",)),
        ("V5 chronic pain", "CBT-03", ("PHQ-9 is 13, and 10 or more counts.",)),
        ("V5 chronic pain", "DTX-05", ("SF-06 (Name of SF-06) is raised.", "The SUD-11 count is 5, and 4 or more counts.")),
        (
            "V5 chronic pain",
            "OTH-01",
            ("The SUD-11 count is 5, and 2 or more counts.", "The lowest readiness ruler is 4, and 6 or less counts."),
        ),
        ("V5 chronic pain", "OTH-06", ("The SUD-11 count is 5, and 2 or more counts.", "Consents to involving family.")),
        (
            "V4 suicidal with plan and intent",
            "PEER-02",
            (
                "The SUD-11 count is 8, and 4 or more counts.",
                "The number of unmet social needs is 2, and 2 or more counts.",
                "Has nobody to rely on.",
            ),
        ),
        (
            "V6 benzodiazepine, opioid and kratom",
            "DTX-03",
            (
                "The suggested level of care is 3.7.",
                "Kratom or 7-OH is used daily (25 or more of 30 days).",
                "Another opioid is used daily.",
                "A benzodiazepine or Z-drug is used daily.",
            ),
        ),
        ("V3 pregnant", "OB-01", ("Pregnant.",)),
    ],
)
def test_the_reason_is_said_in_words(name: str, component: str, says: tuple[str, ...]) -> None:
    assert one(for_person(name), component).because == says


def test_what_speaks_for_it_comes_before_what_does_not_stand_in_its_way() -> None:
    said = one(for_person("V5 chronic pain"), "DTX-01").because
    assert said[0] == "Kratom or 7-OH is used daily (25 or more of 30 days)."
    assert "Leaf is 32 g a day, and 40 or less counts." in said
    assert said.index("Not pregnant.") > said.index("The SUD-11 count is 5, and 2 or more counts.")


def test_what_does_not_apply_to_somebody_is_not_said() -> None:
    said = one(for_person("V5 chronic pain", pregnant=State.NA), "DTX-01").because
    assert not any("regnan" in sentence for sentence in said)


@pytest.mark.parametrize("name", PEOPLE)
def test_no_reason_shows_a_name_from_the_code(name: str) -> None:
    said = " ".join(sentence for s in for_person(name).suggestions for sentence in s.because)
    assert "_" not in said
    assert "==" not in said


@pytest.mark.parametrize(
    ("rules", "given", "component", "tier"),
    [
        ({"SF-05": "HIGH"}, {}, "SAF-04", "today"),
        ({"SF-06": "HIGH"}, {}, "DTX-05", "today"),
        ({}, {"sud_count": 4}, "DTX-05", "consider"),
        ({}, {"sud_count": 4}, "CBT-01", "core"),
        ({}, {"sud_count": 4}, "PEER-02", "consider"),
        ({}, {"sud_count": 4}, "PEER-01", "core"),
        ({"IX-18": "MODERATE"}, {}, "MED-04", "consider"),
        ({"IX-05": "HIGH"}, {}, "MED-04", "today"),
        ({"SF-16": "HIGH"}, {"auditc_positive": True}, "MED-07", "today"),
        ({}, {"auditc_positive": True}, "MED-07", "consider"),
        ({"IX-21": "HIGH"}, {"sud_count": 4, "kuh_daily": True, "kuh_oh7": True, "medclass_naltrexone": False}, "DTX-04", "today"),
        ({}, {"sud_count": 4, "kuh_daily": True, "kuh_oh7": True, "medclass_naltrexone": False}, "DTX-04", "core"),
        ({"SF-12": "CRITICAL"}, {"sdoh_unmet": 1}, "SOC-01", "today"),
    ],
)
def test_the_first_tier_that_fits(rules: dict[str, str], given: dict[str, Any], component: str, tier: str) -> None:
    assert one(known(rules, **given), component).tier == tier


def test_a_reason_is_asked_only_where_declining_matters() -> None:
    made = known({"SF-04": "HIGH", "IX-05": "HIGH"}, sud_count=4, kuh_daily=True)
    asked = {s.component.id for s in made.suggestions if s.reason_needed}
    assert asked == {"SAF-01", "SAF-03", "DTX-05", "MED-04"}


def test_a_high_suicide_risk_holds_everything_but_safety() -> None:
    made = for_person("V4 suicidal with plan and intent")
    assert ids(made)[0] == "SAF-02"
    assert {s.component.id for s in made.suggestions if not may_be_held(s.component)} == {"SAF-01", "SAF-02", "SAF-03"}


def test_a_contraindication_is_shown_and_said_when_it_holds_now() -> None:
    sleep = one(for_person("V6 benzodiazepine, opioid and kratom"), "MED-03")
    assert sleep.contraindication == "SLP.apnea; no benzodiazepine or Z-drug with SF-06"
    assert sleep.contra_now == ("signs of sleep apnoea", "SF-06 is raised: no benzodiazepine or Z-drug")
    assert one(for_person("V5 chronic pain"), "CBT-04").contra_now == ()


def test_citation_and_grade_go_with_every_suggestion() -> None:
    taper = one(for_person("V5 chronic pain"), "DTX-01")
    assert (taper.citation, taper.grade) == ("CDC 2022 opioid taper by analogy", "D")


LEAF = {"kuh_oh7": False, "kuh_concentrate": False, "opioid_30d": False, "opioid_methadone": False}
OXYCODONE = LEAF | {"opioid_30d": True}
METHADONE = LEAF | {"opioid_30d": True, "opioid_methadone": True}


@pytest.mark.parametrize(
    ("facts", "threshold", "hours", "met"),
    [
        (LEAF | {"cows_total": 8, "hours_since_last_use": 8}, 8, 8, True),
        (LEAF | {"cows_total": 7, "hours_since_last_use": 100}, 8, 8, False),
        (LEAF | {"cows_total": 20, "hours_since_last_use": 7}, 8, 8, False),
        (LEAF | {"cows_total": None, "hours_since_last_use": 12}, 8, 8, None),
        (LEAF | {"cows_total": 9, "hours_since_last_use": None}, 8, 8, None),
        (LEAF | {"kuh_oh7": True, "cows_total": 12, "hours_since_last_use": 12}, 12, 12, True),
        (LEAF | {"kuh_oh7": None, "cows_total": 9, "hours_since_last_use": 12}, 12, 12, False),
        (LEAF | {"kuh_concentrate": True, "cows_total": 8, "hours_since_last_use": 8}, 12, 12, False),
        (LEAF | {"kuh_concentrate": None, "cows_total": 12, "hours_since_last_use": 12}, 12, 12, True),
        (OXYCODONE | {"cows_total": 11, "hours_since_last_use": 12, "hours_since_last_opioid": 12}, 12, 12, False),
        (OXYCODONE | {"cows_total": 12, "hours_since_last_use": 12, "hours_since_last_opioid": 12}, 12, 12, True),
        (OXYCODONE | {"cows_total": 12, "hours_since_last_use": 12, "hours_since_last_opioid": 2}, 12, 12, False),
        (OXYCODONE | {"cows_total": 12, "hours_since_last_use": 12}, 12, 12, None),
        (METHADONE | {"cows_total": 12, "hours_since_last_use": 12, "hours_since_last_opioid": 80}, 13, 72, False),
        (METHADONE | {"cows_total": 13, "hours_since_last_use": 72, "hours_since_last_opioid": 72}, 13, 72, True),
        (METHADONE | {"opioid_methadone": None, "cows_total": 12, "hours_since_last_use": 12}, 13, 72, False),
    ],
)
def test_the_start_gate(facts: dict[str, object], threshold: int, hours: int, met: bool | None) -> None:
    gate = start_gate(facts)
    assert (gate.cows_threshold, gate.min_hours, gate.met) == (threshold, hours, met)


def test_a_start_gate_that_is_not_met_says_to_wait() -> None:
    (said,) = one(for_person("V4 suicidal with plan and intent"), "DTX-04").contra_now
    assert (
        said == "Start gate not met: wait and re-score; the first dose needs a COWS of 8 or more and 8 hours or more since the last "
        "kratom or 7-OH (at the assessment: COWS was 5, hours since the last kratom or 7-OH 144)."
    )
    assert one(for_person("V3 pregnant"), "DTX-04").contra_now == ()


PLANNED = [
    ("loperamide with ondansetron planned", {}, [], {"loperamide", "ondansetron"}, {"IX-19": "HIGH"}),
    ("loperamide planned, citalopram taken", {"medclass_qt_prolonging": True}, [], {"Loperamide"}, {"IX-19": "HIGH"}),
    ("loperamide alone", {"medclass_qt_prolonging": False}, [], {"loperamide"}, {}),
    ("loperamide, the medicines not known", {}, [], {"loperamide"}, {}),
    ("loperamide, already raised by its dose", {"medclass_qt_prolonging": True}, ["IX-19"], {"loperamide"}, {}),
    (
        "lofexidine with paroxetine",
        {"kuh_daily": True, "medclass_cyp2d6_inhibitor_strong": True},
        ["IX-20"],
        {"lofexidine"},
        {"IX-20": "MODERATE"},
    ),
    ("lofexidine without an inhibitor", {"kuh_daily": True, "medclass_cyp2d6_inhibitor_strong": False}, [], {"lofexidine"}, {}),
    ("buprenorphine added by hand", {}, [], {"DTX-04"}, {"IX-15": "HIGH"}),
]


@pytest.mark.parametrize(("facts", "before", "planned", "expected"), [row[1:] for row in PLANNED], ids=[row[0] for row in PLANNED])
def test_rules_that_look_at_the_plan(facts: dict[str, object], before: list[str], planned: set[str], expected: dict[str, str]) -> None:
    rules = plan_rules(facts, [fired(rule, "INFO") for rule in before], planned)
    assert {rule.rule_id: rule.severity for rule in rules} == expected


def test_medicine_reconciliation_sees_the_rules_of_the_plan() -> None:
    made = suggest(facts_of({"any_meds": False}, {}), [], planned={"DTX-04"})
    assert "MED-04" in ids(made)
    assert made.facts["ix_15"] is True


FACT_VALUES = st.fixed_dictionaries(
    {},
    optional={
        "kuh_current": st.sampled_from([True, False, None]),
        "kuh_daily": st.sampled_from([True, False, None]),
        "pregnant": st.sampled_from([True, False, None, State.NA]),
        "sud_count": st.none() | st.integers(0, 11),
        "phq9_low": st.none() | st.integers(0, 27),
        "medclass_naltrexone": st.sampled_from([True, False, None]),
        "auditc_positive": st.sampled_from([True, False, None]),
        "sf_01": st.booleans(),
    },
)


@given(FACT_VALUES)
def test_whatever_is_known_each_component_is_suggested_undecided_or_neither(facts: dict[str, Any]) -> None:
    made = suggest({**RULES, "any_ix": False, **facts}, [])
    suggested, undecided = set(ids(made)), {u.component.id for u in made.undecided}
    assert not suggested & undecided
    assert suggested | undecided <= set(load_components())
    assert all(s.because for s in made.suggestions)
    assert all(u.ask for u in made.undecided)
    assert facts.get("pregnant") is not True or not suggested & {"DTX-01", "DTX-02"}
