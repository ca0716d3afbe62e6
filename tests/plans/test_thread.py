"""The golden thread: each missing link is said, stops a signature only where it should, and goes when it is mended."""

import datetime
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from plans.thread import (
    Decision,
    Deferral,
    Flag,
    Gap,
    Goal,
    Intervention,
    Objective,
    PlanView,
    Problem,
    Settings,
    gaps,
    left_open,
    same_text,
    stops,
)

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "cases" / "thread.yaml").read_text())
TODAY = datetime.date(2026, 11, 23)
TEMPLATE = "From {x} g/day to 0 by {date}"

INTERVENTION = Intervention("i1", "Taper card and weekly check", "nurse", "weekly", "10 weeks")
OBJECTIVE = Objective("o1", "Weigh every dose", (INTERVENTION,))
GOAL = Goal("g1", "From 32 g a day to none by February", "I want my mornings back.", TEMPLATE, Decimal(32), Decimal(0), TODAY, (OBJECTIVE,))
PROBLEM = Problem("p1", "Kratom use, moderate", "SUD-11: 5", (GOAL,))
WHOLE = PlanView(
    today=TODAY,
    problems=(PROBLEM,),
    discharge_criteria="Four weeks without kratom.",
    review_on=datetime.date(2027, 2, 21),
    patient_signature="signed",
)


def changed(change: dict[str, dict[str, Any]]) -> PlanView:
    lists = {key: {k: tuple(v) if isinstance(v, list) else v for k, v in part.items()} for key, part in change.items()}
    intervention = replace(INTERVENTION, **lists.get("intervention", {}))
    objective = replace(OBJECTIVE, **{"interventions": (intervention,), **lists.get("objective", {})})
    goal = replace(GOAL, **{"objectives": (objective,), **lists.get("goal", {})})
    problem = replace(PROBLEM, **{"goals": (goal,), **lists.get("problem", {})})
    return replace(WHOLE, **{"problems": (problem,), "facts": change.get("facts", {}), **lists.get("plan", {})})


def test_a_whole_plan_has_no_gap() -> None:
    assert gaps(WHOLE) == ()
    assert not stops(gaps(WHOLE))


@pytest.mark.parametrize("case", CASES, ids=[f"{case['rule']} {case['what']}" for case in CASES])
def test_one_missing_link_is_one_sentence(case: dict[str, Any]) -> None:
    (gap,) = gaps(changed(case["change"]))
    assert (gap.rule, gap.stops) == (case["rule"], case["stops"])
    assert case["says"] in gap.sentence
    assert stops([gap]) is case["stops"]


@pytest.mark.parametrize("case", [c for c in CASES if not c["stops"]], ids=lambda case: case["what"])
def test_a_clinical_finding_goes_with_a_documented_reason(case: dict[str, Any]) -> None:
    plan = changed(case["change"])
    assert gaps(replace(plan, deferrals=(Deferral(case["rule"], "  "),))) != ()
    assert gaps(replace(plan, deferrals=(Deferral(case["rule"], "The prescriber joins next week."),))) == ()


@pytest.mark.parametrize("case", [c for c in CASES if c["stops"]], ids=lambda case: case["what"])
def test_a_documentation_gap_does_not_go_with_a_reason(case: dict[str, Any]) -> None:
    assert len(gaps(replace(changed(case["change"]), deferrals=(Deferral(case["rule"], "No time."),)))) == 1


def test_a_gap_leads_to_what_mends_it() -> None:
    def anchor(change: dict[str, dict[str, Any]]) -> tuple[str, str]:
        return gaps(changed(change))[0].anchor

    assert anchor({"goal": {"baseline": None}}) == ("goal", "g1")
    assert anchor({"goal": {"objectives": []}}) == ("add objective", "g1")
    assert anchor({"objective": {"interventions": []}}) == ("add intervention", "o1")
    assert anchor({"intervention": {"duration": ""}}) == ("intervention", "i1")
    assert anchor({"problem": {"goals": []}}) == ("add goal", "p1")
    assert anchor({"plan": {"review_on": None}}) == ("plan", "review_on")


def test_one_sentence_names_everything_a_goal_lacks() -> None:
    (gap,) = gaps(changed({"goal": {"patient_words": "", "baseline": None, "target": None}}))
    assert gap.sentence.endswith("still needs the patient's own words, a baseline number and a target number.")


def test_a_goal_of_ones_own_needs_no_template() -> None:
    assert gaps(changed({"goal": {"template_text": ""}})) == ()


def test_a_long_text_is_shortened_in_the_sentence() -> None:
    (gap,) = gaps(changed({"goal": {"text": "word " * 100, "target": None}}))
    assert len(gap.sentence) < 120


def test_a_review_on_the_last_day_is_in_time() -> None:
    assert gaps(replace(WHOLE, review_on=TODAY + datetime.timedelta(days=30), settings=Settings(review_days=30))) == ()


def test_where_the_program_does_not_ask_the_patient_to_sign() -> None:
    assert gaps(replace(WHOLE, patient_signature="", settings=Settings(patient_signature_required=False))) == ()


def test_a_reason_for_a_missing_signature_is_enough() -> None:
    assert gaps(replace(WHOLE, patient_signature="absent", patient_signature_reason="Left for work.")) == ()


def test_two_disciplines_are_enough() -> None:
    second = replace(INTERVENTION, id="i2", discipline="therapist")
    objective = replace(OBJECTIVE, interventions=(INTERVENTION, second))
    problem = replace(PROBLEM, goals=(replace(GOAL, objectives=(objective,)),))
    assert gaps(replace(WHOLE, problems=(problem,), facts={"sud_count": 5, "phq9_low": 13})) == ()


@pytest.mark.parametrize(
    "facts", [{"sud_count": 1, "phq9_low": 20}, {"sud_count": 5, "phq9_low": 9, "gad7_low": 9}, {"phq9_low": 20}, {"sud_count": 5}]
)
def test_one_discipline_is_enough_where_only_one_thing_is_known_to_stand(facts: dict[str, object]) -> None:
    assert gaps(replace(WHOLE, facts=facts)) == ()


def flagged(*flags: Flag, accepted: str = "", facts: dict[str, object] | None = None, deferred: str = "") -> tuple[Gap, ...]:
    decisions = tuple(Decision(name, True) for name in accepted.split())
    deferrals = tuple(Deferral("PV-1", "Referred out.", rule) for rule in deferred.split())
    return gaps(replace(WHOLE, flags=flags, decisions=decisions, facts=facts or {}, deferrals=deferrals))


def flag(rule: str, severity: str = "HIGH", **changes: Any) -> Flag:
    return Flag(rule, "Name", severity, **changes)


def test_a_flag_that_nothing_answers() -> None:
    (gap,) = flagged(flag("SF-06"))
    assert (gap.rule, gap.stops, gap.anchor, gap.subject) == ("PV-1", False, ("component", "DTX-05"), "SF-06")
    assert gap.sentence == "SF-06 (Name) is not answered yet: it asks for DTX-05 Naloxone and overdose education, or a reason."


def test_the_sentence_names_only_what_is_still_missing() -> None:
    (gap,) = flagged(flag("SF-01", "CRITICAL"), accepted="SAF-02")
    assert "SAF-02" not in gap.sentence
    assert "SAF-01 Safety plan (six own-worded parts) and SAF-03 Lethal-means counselling" in gap.sentence


@pytest.mark.parametrize(
    ("flags", "accepted", "facts"),
    [
        ([flag("SF-06")], "DTX-05", {}),
        ([flag("SF-01", "CRITICAL")], "SAF-01 SAF-02 SAF-03", {}),
        ([flag("SF-16")], "MED-07", {}),
        ([flag("IX-21")], "DTX-04", {}),
        ([flag("IX-05")], "MED-04", {}),
        ([flag("IX-02", "CRITICAL")], "DTX-05", {"sedative_daily": False}),
        ([flag("IX-02", "CRITICAL")], "DTX-05 DTX-06", {"sedative_daily": True}),
        ([flag("SF-10"), flag("IX-12")], "MED-05", {}),
        ([flag("SF-13", action=True)], "", {}),
        ([flag("SF-12", "CRITICAL", action=True)], "", {}),
        ([flag("SF-12", "CRITICAL")], "SOC-01", {}),
        ([flag("IX-17", action=True)], "", {"pregnancy_possible": True}),
        ([flag("SF-06", open=False)], "", {}),
        ([flag("SF-06", "MODERATE")], "", {}),
        ([flag("SF-14", "INFO")], "", {}),
    ],
)
def test_what_is_answered_is_not_said(flags: list[Flag], accepted: str, facts: dict[str, object]) -> None:
    assert flagged(*flags, accepted=accepted, facts=facts) == ()


@pytest.mark.parametrize(
    ("flags", "accepted", "facts"),
    [
        ([flag("IX-02", "CRITICAL")], "DTX-05", {"sedative_daily": True}),
        ([flag("SF-13")], "MED-01", {}),
        ([flag("IX-17")], "OB-01", {"pregnancy_possible": True}),
        ([flag("SF-06", action=True)], "", {}),
    ],
)
def test_what_is_half_answered_is_said(flags: list[Flag], accepted: str, facts: dict[str, object]) -> None:
    assert len(flagged(*flags, accepted=accepted, facts=facts)) == 1


def test_a_component_that_was_not_accepted_answers_nothing() -> None:
    assert len(gaps(replace(WHOLE, flags=(flag("SF-06"),), decisions=(Decision("DTX-05", False),)))) == 1


def test_a_flag_and_the_interaction_it_is_named_after_are_said_once() -> None:
    (gap,) = flagged(flag("SF-10"), flag("IX-12"))
    assert gap.subject == "SF-10"


@pytest.mark.parametrize("deferred", ["SF-10", "IX-12"])
def test_a_reason_for_either_name_counts_for_both(deferred: str) -> None:
    assert flagged(flag("SF-10"), flag("IX-12"), deferred=deferred) == ()


def test_what_is_left_open_is_known_under_each_of_its_names_whether_a_reason_was_given_or_not() -> None:
    plan = replace(WHOLE, flags=(flag("SF-10"), flag("IX-12"), flag("SF-06")), deferrals=(Deferral("PV-1", "Referred out.", "IX-12"),))
    assert [gap.subject for gap in gaps(plan)] == ["SF-06"]
    assert [gap.subject for gap in left_open(plan)] == ["SF-10", "IX-12", "SF-06"]
    assert list(left_open(replace(plan, decisions=(Decision("MED-05", True), Decision("DTX-05", True))))) == []


def test_a_reason_for_another_flag_does_not_count() -> None:
    assert len(flagged(flag("SF-06"), deferred="SF-07")) == 1


def test_what_stops_a_signature_stands_first() -> None:
    found = gaps(replace(changed({"goal": {"target": None}}), flags=(flag("SF-06"),), discharge_criteria="", review_on=None))
    assert [gap.stops for gap in found] == [True, True, False, False]


@pytest.mark.parametrize(("a", "b", "same"), [("A  goal.", "a goal", True), ("A goal", "Another goal", False), ("", " ", True)])
def test_when_two_texts_are_the_same(a: str, b: str, same: bool) -> None:
    assert same_text(a, b) is same
