"""A draft keeps up with what is known: with a newer assessment, with the version before it, with the flags that stand now."""

import datetime
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clinic.actions import Stale
from clinic.models import Membership, User
from clinic.transaction import acting
from intake import actions as intake_actions
from intake.models import Answer, Instrument, Response
from plans import actions, signing, tree
from plans.models import Goal, Intervention, Objective, Plan, Problem
from plans.people import people
from tests.intake.test_actions import acknowledge, fill, submit
from tests.people import House, make_house
from tests.plans.test_actions import GOAL, add, begin, component, decide, details, draft, gaps, sign, whole

WORSE = {"phq9": [3] * 9}  # PHQ-9 27, item 9 nearly every day
PREGNANT = {"medhx": {"pregnant": "yes"}}
UNSAFE = {"social": {"unsafe": True}}


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def answer(house: House, person: str = "V5", **changes: Any) -> None:
    """Some questionnaires of one of the six again, with these answers changed."""
    invented = people()[person]
    for code, given in changes.items():
        again = given if isinstance(given, list) else invented.answers[code] | given
        changed = replace(invented, answers=dict(invented.answers) | {code: again})
        draft = Response.objects.draft_of(house.mine, code)
        read = Answer.objects.of(draft)
        with acting(house.staff["nurse"], "intake.edit"):
            intake_actions.save_answers(
                by=house.staff["nurse"], episode=house.mine, instrument=Instrument.objects.get(code=code, active=True),
                answers=changed.filled(code, timezone.localtime()), versions={key: row.version for key, row in read.items()},
                basis=intake_actions.basis_of(house.mine, code, draft),
            )  # fmt: skip


def reassess(house: House, person: str = "V5", **changes: Any) -> Any:
    answer(house, person, **changes)
    return submit(house.staff["nurse"], house.mine)


def refresh(house: House, plan: Plan) -> Plan:
    with acting(house.staff["nurse"], "plan.edit"):
        return actions.refresh(by=house.staff["nurse"], plan=plan)


def rules(plan: Plan) -> list[str]:
    return [gap.rule for gap in gaps(plan)]


def next_version(house: House, plan: Plan, assessment: Any = None) -> Plan:
    sign(house.staff["prescriber"], plan)
    return begin(house.staff["prescriber"], house, assessment or plan.assessment)


# A newer assessment


def test_a_newer_assessment_stops_the_signature_until_the_draft_is_brought_up_to_date(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    assert rules(plan) == []
    newest = reassess(house, **WORSE)
    with pytest.raises(signing.NotReady) as caught:
        sign(by, plan)
    assert [gap.sentence for gap in caught.value.gaps] == [
        f"A newer assessment from {timezone.localdate():%-d %b %Y} is there: bring the draft up to date."
    ]
    refresh(house, plan)
    plan.refresh_from_db()
    assert plan.assessment == newest and "assessment" not in rules(plan)


def test_bringing_up_to_date_adds_what_is_suggested_now_and_keeps_what_was_decided(house: House) -> None:
    plan, by = draft(house), house.staff["prescriber"]
    decide(by, plan, "CBT-04", "accepted", note="With her sister")
    assert not plan.components.filter(component_id__startswith="SAF").exists()
    reassess(house, **WORSE)
    refresh(house, plan)
    new = component(plan, "SAF-01")
    assert (new.suggested, new.decision, new.tier) == (True, "open", "today")
    kept = component(plan, "CBT-04")
    assert (kept.decision, kept.note, kept.by, kept.reopened) == ("accepted", "With her sister", by, "")
    assert "27" in " ".join(kept.suggestion["because"])


def test_a_suggestion_that_no_longer_applies_is_marked_and_its_decision_is_asked_anew(house: House) -> None:
    plan, by = draft(house), house.staff["prescriber"]
    decide(by, plan, "DTX-01")
    decide(by, plan, "CMP-02", "declined")
    reassess(house, **PREGNANT)
    refresh(house, plan)
    row = component(plan, "DTX-01")
    assert (row.decision, row.suggested, row.remark) == ("open", False, "no longer suggested by the newest assessment")
    assert "accepted" in row.reopened and row.suggestion["because"] == []
    assert component(plan, "CMP-02").decision == "declined"
    decide(by, plan, "DTX-01", "declined")
    assert component(plan, "DTX-01").reopened == ""


def test_a_page_from_before_is_refused_where_what_it_showed_has_changed(house: House) -> None:
    plan = draft(house)
    reassess(house, **PREGNANT)
    refresh(house, plan)
    with pytest.raises(Stale):
        decide(house.staff["prescriber"], plan, "DTX-01", version=1)


def test_a_provisional_draft_is_provisional_no_more_once_it_rests_on_the_submitted_intake(house: House) -> None:
    fill(house.staff["nurse"], house.mine, "V5", "kuh", "sud11", "phq9")
    with acting(house.staff["nurse"], "plan.edit"):
        early = intake_actions.assess_provisionally(by=house.staff["nurse"], episode=house.mine, key=house.mine.public_id)
    plan = begin(house.staff["nurse"], house, early)
    assert plan.provisional
    submit(house.staff["nurse"], house.mine)
    assert not refresh(house, plan).provisional


def test_a_problem_says_what_the_newest_assessment_found_unless_somebody_wrote_another_source(house: House) -> None:
    plan, by = draft(house), house.staff["prescriber"]
    add(by, plan, "problem", title="Depressive symptoms", source="PHQ-9: 13, moderate")
    add(by, plan, "problem", title="Anxiety symptoms", source="She says so")
    reassess(house, **WORSE)
    refresh(house, plan)
    assert list(Problem.objects.order_by("pk").values_list("source", flat=True)) == ["PHQ-9: 27, severe", "She says so"]


def test_a_draft_that_is_up_to_date_stays_as_it_is(house: House) -> None:
    plan = whole(house)
    before = list(plan.components.order_by("pk").values())
    refresh(house, plan)
    assert list(plan.components.order_by("pk").values()) == before


# The next version


def test_the_next_version_does_not_carry_old_facts_as_present_ones(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    decide(by, plan, "DTX-01", note="One step a week")
    assert any("regnan" in sentence for sentence in component(plan, "DTX-01").suggestion["because"])
    sign(by, plan)
    row = component(begin(by, house, reassess(house, **PREGNANT)), "DTX-01")
    assert (row.decision, row.note, row.remark) == (
        "open", "One step a week", "carried over from version 1; not suggested by the newest assessment",
    )  # fmt: skip
    assert row.suggestion["because"] == []
    assert row.reopened == "In version 1: accepted. The newest assessment does not suggest it any more. Please decide again."


def test_a_decision_against_which_something_stands_now_is_asked_anew(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    decide(by, plan, "DTX-01")
    sign(by, plan)
    row = component(begin(by, house, reassess(house, medhx={"unstable_condition": True})), "DTX-01")
    assert row.decision == "open" and "unstable" in row.reopened and row.suggestion["contra_now"]


def test_goals_stay_and_their_component_is_the_new_versions(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    goal = Goal.objects.get(plan=plan)
    actions.edit_part(by=by, part=goal, values={"component": component(plan, "DTX-05")}, version=goal.version)
    following = next_version(house, plan)
    assert Goal.objects.get(plan=following).component == component(following, "DTX-05")


def test_declined_without_a_reason_is_asked_anew_once_a_reason_is_needed(house: House) -> None:
    plan, by = whole(house, "V2"), house.staff["prescriber"]
    decide(by, plan, "SOC-01", "declined")
    sign(by, plan)
    row = component(begin(by, house, reassess(house, "V2", **UNSAFE)), "SOC-01")
    assert (row.decision, row.suggestion["reason_needed"]) == ("open", True)
    assert "declining it asks for a reason" in row.reopened


def test_the_next_version_is_written_in_a_few_steps_however_much_there_is(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    for row in plan.components.filter(decision="open"):
        decide(by, plan, row.component_id, "not now")
    for goal in Goal.objects.filter(plan=plan):
        for number in range(10):
            add(by, plan, "objective", goal, text=f"Step {number}")
    objective = Objective.objects.filter(plan=plan, text__startswith="Step")
    for one in objective:
        add(by, plan, "intervention", one, text="Call", discipline="nurse", frequency="weekly", duration="4 weeks")
    sign(by, plan)
    with CaptureQueriesContext(connection) as asked:
        following = begin(by, house, plan.assessment)
    assert following.interventions.count() == 12
    assert len(asked) < 50


# The flags that stand now


def test_a_flag_raised_after_the_draft_asks_for_a_reason_and_moves_what_answers_it_to_today(house: House) -> None:
    plan, by = draft(house, "V2"), house.staff["prescriber"]
    before = {row.component_id: row for row in tree.components(plan)}["SOC-01"]
    assert (before.tier, before.suggestion["reason_needed"]) == ("consider", False)
    answer(house, "V2", **UNSAFE)  # not submitted: only the flags that cannot wait
    after = {row.component_id: row for row in tree.components(plan)}["SOC-01"]
    assert (after.tier, after.suggestion["reason_needed"], after.suggestion["answers_flags"]) == ("today", True, ["SF-12"])
    with pytest.raises(actions.ReasonNeeded):
        decide(by, plan, "SOC-01", "declined")
    assert decide(by, plan, "SOC-01", "declined", reason="Has a bed with her sister").tier == "today"


def test_a_component_added_by_hand_after_a_flag_was_raised_answers_it(house: House) -> None:
    plan = draft(house)
    answer(house, **UNSAFE)
    with acting(house.staff["nurse"], "plan.edit"):
        row = actions.add_component(by=house.staff["nurse"], plan=plan, component_id="SOC-01")
    assert (row.tier, row.suggestion["reason_needed"]) == ("today", True)


def test_a_resolved_flag_asks_for_no_reason_any_more(house: House) -> None:
    plan, by = draft(house, "V2"), house.staff["prescriber"]
    answer(house, "V2", **UNSAFE)
    acknowledge(by, house.mine, "SF-12")
    answer(house, "V2", social={"unsafe": False})
    assert decide(by, plan, "SOC-01", "declined").decision == "declined"


# Medicines written in the plan


@pytest.mark.parametrize(("texts", "raised"), [
    (["Loperamide 2 mg after each loose stool", "Hydroxyzine 25 mg at night"], ["IX-19"]),
    (["loperamide and ONDANSETRON, short pack"], ["IX-19"]),
    (["Loperamide 2 mg after each loose stool"], []),
    (["No loperamides, no hydroxyzine"], []),
])  # fmt: skip
def test_medicines_named_in_the_interventions_raise_the_rules_that_look_at_the_plan(
    house: House, texts: list[str], raised: list[str]
) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    assert [rule.rule_id for rule in tree.cautions(plan)] == []
    objective = Objective.objects.get(plan=plan)
    for text in texts:
        add(by, plan, "intervention", objective, text=text, discipline="nurse", frequency="daily", duration="1 week")
    assert [rule.rule_id for rule in tree.cautions(plan)] == raised
    actions.remove_part(by=by, part=objective, version=objective.version)
    assert tree.cautions(plan) == ()


# The patient's signature, and who is responsible

CHANGES: dict[str, Callable[[User, Plan], Any]] = {
    "a goal": lambda by, plan: actions.edit_part(by=by, part=Goal.objects.get(plan=plan), values={"target": 4}, version=1),
    "a part added": lambda by, plan: add(by, plan, "objective", Goal.objects.get(plan=plan), text="Another step"),
    "a part taken out": lambda by, plan: actions.remove_part(by=by, part=Intervention.objects.filter(plan=plan)[0], version=1),
    "a decision": lambda by, plan: decide(by, plan, "CMP-02", "accepted"),
    "a component added": lambda by, plan: actions.add_component(by=by, plan=plan, component_id="DTX-04"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_after_the_patient_signed_asks_them_again_and_says_why(house: House, what: str) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    CHANGES[what](by, plan)
    plan.refresh_from_db()
    assert plan.patient_signature == ""
    assert "The plan was changed after the patient signed it: please ask for the signature again." in [gap.sentence for gap in gaps(plan)]
    with pytest.raises(Stale):
        actions.edit_details(by=by, plan=plan, values={"patient_signature": "signed"}, version=plan.version - 1)
    details(by, plan)
    assert "PV-7" not in rules(plan)


def test_saving_a_goal_as_it_was_asks_nobody_again(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    actions.edit_part(by=by, part=Goal.objects.get(plan=plan), values=GOAL, version=1)
    plan.refresh_from_db()
    assert plan.patient_signature == "signed"


@pytest.mark.parametrize("how", ["deactivated", "left the program"])
def test_a_responsible_person_who_has_left_stops_the_signature(house: House, how: str) -> None:
    plan, by, nurse = whole(house), house.staff["prescriber"], house.staff["nurse"]
    part = Intervention.objects.filter(plan=plan).order_by("pk")[0]
    actions.edit_part(by=by, part=part, values={"responsible": nurse}, version=part.version)
    details(by, plan)
    assert rules(plan) == []
    if how == "deactivated":
        User.objects.filter(pk=nurse.pk).update(is_active=False)
    else:
        Membership.objects.filter(user=nurse).delete()
    (gap,) = gaps(plan)
    assert (gap.rule, gap.stops) == ("PV-3", True) and "Nurse Tester is no longer active here" in gap.sentence


def test_a_target_date_that_has_passed_stops_the_signature(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    yesterday = timezone.localdate() - datetime.timedelta(days=1)
    actions.edit_part(by=by, part=Goal.objects.get(plan=plan), values={"target_date": yesterday}, version=1)
    details(by, plan)
    assert rules(plan) == ["PV-2"]


# Reasons


def test_a_reason_is_corrected_and_taken_back_and_never_written_over(house: House) -> None:
    plan, by = draft(house), house.staff["prescriber"]
    about = {"by": by, "plan": plan, "rule": "PV-6", "subject": ""}
    first = actions.give_reason(**about, reason="She asked for time")
    with pytest.raises(Stale):
        actions.give_reason(**about, reason="Mine")
    second = actions.give_reason(**about, reason="She asked for a week", version=first.version)
    assert "PV-6" not in rules(plan)
    with pytest.raises(Stale):
        actions.withdraw_reason(by=by, deferral=first, version=first.version)
    gone = actions.withdraw_reason(by=by, deferral=second, version=second.version)
    assert "PV-6" in rules(plan) and not plan.deferrals.exists()
    actions.give_reason(**about, reason="Again", version=gone.version)
    assert "PV-6" not in rules(plan) and [row.reason for row in plan.deferrals.all()] == ["Again"]
