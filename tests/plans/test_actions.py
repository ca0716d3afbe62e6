"""Writing a plan: begun once, decided with reasons where safety asks for one, never over somebody else's work, never after signing."""

import copy
import datetime
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from clinic import workflow
from clinic.actions import Stale
from clinic.models import Change, User
from clinic.transaction import acting
from intake.actions import record_evaluation
from intake.models import Flag, RuleSetting
from plans import actions, signing, thread, tree
from plans.models import Component, Deferral, Goal, Intervention, Objective, Plan, Problem, SignedPlan
from tests.intake.test_actions import acknowledge, answered, standing, submit, together
from tests.people import House, everything, make_house, recorded
from tests.plans.test_people import EXPECTED

WORDS = "I want my mornings back, without counting capsules."
GOAL: dict[str, Any] = {
    "text": "From 32 g a day to none by spring, one step a week", "patient_words": WORDS, "measure": "Leaf, g a day", "baseline": 32,
    "target": 0, "target_date": datetime.date(2027, 3, 1),
}  # fmt: skip


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def draft(house: House, person: str = "V5") -> Plan:
    """The plan of one of the six, just begun."""
    assessment = submitted(house, person)
    return begin(house.staff["prescriber"], house, assessment)


def submitted(house: House, person: str) -> Any:
    answered(house.staff["nurse"], house.mine, person)
    return submit(house.staff["nurse"], house.mine)


def begin(by: User, house: House, assessment: Any) -> Plan:
    with acting(by, "plan.edit"):
        return actions.draft_plan(by=by, episode=house.mine, assessment=assessment)


def component(plan: Plan, component_id: str) -> Component:
    return Component.objects.select_related("plan").get(plan=plan, component_id=component_id)


def decide(by: User, plan: Plan, component_id: str, decision: str = "accepted", **more: Any) -> Component:
    with acting(by, "plan.edit"):
        row = component(plan, component_id)
        given = {"note": "", "reason": "", "version": row.version} | more
        return actions.decide(by=by, component=row, decision=decision, **given)


def add(by: User, plan: Plan, kind: str, parent: Any = None, key: uuid.UUID | None = None, **values: Any) -> Any:
    with acting(by, "plan.edit"):
        return actions.add_part(by=by, plan=plan, kind=kind, values=values, parent=parent, key=key)


def whole(house: House, person: str = "V5", plan: Plan | None = None) -> Plan:
    """A plan with nothing missing: one thread from problem to two interventions, what answers the flags, details."""
    by, plan = house.staff["prescriber"], plan or draft(house, person)
    problem = add(by, plan, "problem", title="Kratom use disorder, moderate", source="SUD-11: 5, moderate")
    objective = add(by, plan, "objective", add(by, plan, "goal", problem, **GOAL), text="Weigh every dose")
    for discipline, text in (("nurse", "Taper card"), ("therapist", "CBT for cravings")):
        add(by, plan, "intervention", objective, text=text, discipline=discipline, frequency="weekly", duration="12 weeks")
    for row in plan.components.filter(suggestion__answers_flags__0__isnull=False):
        decide(by, plan, row.component_id)
    return details(by, plan)


def details(by: User, plan: Plan, **changes: Any) -> Plan:
    values = {
        "discharge_criteria": "Four weeks without kratom", "review_on": timezone.localdate() + datetime.timedelta(days=28),
        "patient_signature": "signed", "patient_signature_reason": "", "copy_offered": True,
    } | changes  # fmt: skip
    with acting(by, "plan.edit"):
        plan = Plan.objects.get(pk=plan.pk)
        return actions.edit_details(by=by, plan=plan, values=values, version=plan.version)


def ask_patient_again(by: User, plan: Plan) -> None:
    """Where a change has taken the patient's signature back, the patient signs the changed plan."""
    with acting(by, "plan.edit"):
        now = Plan.objects.get(pk=plan.pk)
        if now.changed_since_patient_signed:
            actions.edit_details(by=by, plan=now, values={"patient_signature": "signed"}, version=now.version)


def sign(by: User, plan: Plan, key: uuid.UUID | None = None, seen: str = "") -> SignedPlan:
    """Sign as the author; the patient has signed the plan as it is."""
    ask_patient_again(by, plan)
    with acting(by, "plan.sign"):
        return signing.sign(by=by, plan=plan, key=key or uuid.uuid4(), seen=seen or signing.fingerprint(Plan.objects.get(pk=plan.pk)))


def gaps(plan: Plan) -> list[thread.Gap]:
    plan = Plan.objects.get(pk=plan.pk)
    return list(thread.gaps(tree.plan_view(plan, tree.read(plan))))


def outline(plan: Plan) -> list[str]:
    """The tree in words, indented."""

    def lines(node: tree.Node, depth: int) -> list[str]:
        said = node.part.title if node.kind == "problem" else node.part.text
        return ["  " * depth + said, *(line for child in node.children for line in lines(child, depth + 1))]

    return [line for root in tree.read(plan) for line in lines(root, 0)]


WHOLE = ["Kratom use disorder, moderate", f"  {GOAL['text']}", "    Weigh every dose", "      Taper card", "      CBT for cravings"]


# Sent twice


def test_a_part_added_twice_by_one_form_is_one_part_and_another_text_is_another_part(house: House) -> None:
    plan, by, key = draft(house), house.staff["nurse"], uuid.uuid4()
    first, second = (add(by, plan, "problem", title="Sleep", source="Own words", key=key) for _ in range(2))
    assert first == second and Problem.objects.filter(plan=plan).count() == 1
    other = add(by, plan, "problem", title="Pain", source="Own words", key=key)
    assert other != first and Problem.objects.filter(plan=plan).count() == 2


def test_what_is_saved_already_is_no_conflict_and_writes_nothing_again(house: House) -> None:
    plan, by = whole(house), house.staff["nurse"]
    goal, row = Goal.objects.get(plan=plan), component(plan, "CBT-01")
    given = {"rule": "PV-6", "subject": "", "reason": "She asked for time."}
    with acting(by, "plan.edit"):
        now = actions.edit_part(by=by, part=goal, values={"text": "Half by spring"}, version=1).plan
        written: dict[str, Callable[[], Any]] = {
            "edit": lambda: actions.edit_part(by=by, part=goal, values={"text": "Half by spring"}, version=1),
            "decide": lambda: actions.decide(by=by, component=row, decision="not now", note="", reason="", version=row.version),
            "details": lambda: actions.edit_details(by=by, plan=now, values={"discharge_criteria": "Other"}, version=now.version),
            "reason": lambda: actions.give_reason(by=by, plan=plan, version=0, **given),
            "remove": lambda: actions.remove_part(by=by, part=goal, version=2),
        }
        for name, write in written.items():
            first = write()
            before = Change.objects.count()
            assert (write(), Change.objects.count()) == (first, before), name


# Begun


def test_a_plan_begins_with_every_suggestion_and_nothing_decided(house: House) -> None:
    plan = draft(house)
    rows = list(plan.components.order_by("pk"))
    assert [row.component_id for row in rows] == EXPECTED["V5"]["components"].split()
    assert {row.decision for row in rows} == {"open"}
    house.mine.refresh_from_db()
    assert (plan.number, plan.provisional, house.mine.stage) == (1, False, workflow.PLANNING)


def test_beginning_twice_is_one_plan(house: House) -> None:
    plan = draft(house)
    before = len(recorded())
    assert begin(house.staff["nurse"], house, plan.assessment) == plan
    assert len(recorded()) == before


def test_beginning_at_the_same_time_is_one_plan(real_transactions: None) -> None:
    house = make_house()
    with transaction.atomic():  # whoever acted last goes on acting until it ends
        assessment = submitted(house, "V1")
    staff = [house.staff["prescriber"], house.staff["nurse"], house.staff["counsellor"]]
    plans = together(*[lambda user=user: begin(user, house, assessment).pk for user in staff])
    with everything():
        assert set(plans) == {Plan.objects.get().pk}
        assert Component.objects.count() == len(EXPECTED["V1"]["components"].split())


def test_a_component_the_clinic_switched_off_is_not_put_in_the_plan(house: House) -> None:
    RuleSetting.objects.create(rule_id="CMP-02", enabled=False, reason="No class", by=house.staff["supervisor"], at=timezone.now())
    plan = draft(house)
    assert not plan.components.filter(component_id="CMP-02").exists()
    assert plan.components.filter(component_id="CMP-01").exists()


def test_with_sf_01_everything_but_safety_is_on_hold_until_the_evaluation_is_recorded(house: House) -> None:
    plan = draft(house, "V4")
    by, nurse = house.staff["prescriber"], house.staff["nurse"]

    def free() -> set[str]:
        return {row.component_id for row in tree.components(plan) if not row.hold}

    assert free() == {"SAF-01", "SAF-02", "SAF-03"}
    assert decide(by, plan, "DTX-05").decision == "accepted"
    with acting(by, "plan.edit"):
        actions.add_component(by=by, plan=plan, component_id="CBT-06")
    acknowledge(nurse, house.mine, "SF-01")
    assert free() == {"SAF-01", "SAF-02", "SAF-03"}  # what is added is held too, and to acknowledge is not to evaluate
    with acting(nurse, "flag.acknowledge"):
        record_evaluation(by=nurse, flag=standing(house.mine)["SF-01"], evaluation="Seen by the on-call psychiatrist, admitted.")
    assert {"DTX-04", "DTX-05", "CBT-06"} <= free() and not any(row.hold for row in tree.components(plan))


# Decided

DECLINING = {  # person: what asks for a reason when it is declined, and what does not
    "V4": ("SAF-01 SAF-02 SAF-03 DTX-05 MED-04", "CBT-01 DTX-04 MED-01"),
    "V5": ("DTX-05 MED-05 MED-04", "DTX-01 CMP-02 MED-01"),
    "V6": ("SAF-01 SAF-03 DTX-04 DTX-05 DTX-06 MED-07 MED-04", "PEER-01 DTX-03"),
}


@pytest.mark.parametrize("person", DECLINING)
def test_declining_what_answers_a_safety_finding_takes_a_reason(house: House, person: str) -> None:
    plan, by = draft(house, person), house.staff["prescriber"]
    asking, free = (ids.split() for ids in DECLINING[person])
    for component_id in asking:
        for empty in ("", "  "):
            with pytest.raises(actions.ReasonNeeded, match="please give a reason"):
                decide(by, plan, component_id, "declined", reason=empty)
        assert component(plan, component_id).decision == "open"
        row = decide(by, plan, component_id, "declined", reason="Has it at home already")
        assert (row.decision, row.reason, row.by, row.version) == ("declined", "Has it at home already", by, 2)
    for component_id in free:
        assert decide(by, plan, component_id, "declined").decision == "declined"


@pytest.mark.parametrize("decision", ["accepted", "not now"])
def test_accepting_or_not_now_takes_no_reason(house: House, decision: str) -> None:
    assert decide(house.staff["prescriber"], draft(house), "DTX-05", decision).decision == decision


def test_accepting_under_a_problem_plants_the_librarys_goal_which_must_still_become_the_persons_own(house: House) -> None:
    plan, by = draft(house), house.staff["prescriber"]
    problem = add(by, plan, "problem", title="Kratom use disorder", source="SUD-11: 5, moderate")
    decide(by, plan, "CBT-01", problem=problem)
    goal = Goal.objects.get(plan=plan)
    assert (goal.problem, goal.text, goal.component) == (problem, goal.template_text, component(plan, "CBT-01"))
    assert Intervention.objects.filter(objective__goal=goal).exists()
    assert any(gap.rule == "PV-2" and "it is still the library's text" in gap.sentence for gap in gaps(plan))


def test_a_component_added_by_hand_is_accepted_once(house: House) -> None:
    plan, by = draft(house), house.staff["prescriber"]
    with acting(by, "plan.edit"):
        first, second = (actions.add_component(by=by, plan=plan, component_id="DTX-04") for _ in range(2))
    assert (first, first.decision, first.suggested) == (second, "accepted", False)
    with pytest.raises(KeyError):
        actions.add_component(by=by, plan=plan, component_id="XYZ-99")


# Two people on one plan


def test_a_stale_decision_is_refused_with_what_stands_now(house: House) -> None:
    plan = draft(house)
    decide(house.staff["nurse"], plan, "CBT-01", "not now")
    with pytest.raises(Stale) as caught:
        decide(house.staff["counsellor"], plan, "CBT-01", "accepted", version=1)
    assert (caught.value.current.decision, caught.value.current.by) == ("not now", house.staff["nurse"])
    assert component(plan, "CBT-01").decision == "not now"


def test_a_stale_change_or_removal_of_a_part_is_refused(house: House) -> None:
    plan, by = draft(house), house.staff["prescriber"]
    problem = add(by, plan, "problem", title="Use", source="SUD-11")
    actions.edit_part(by=by, part=problem, values={"title": "Kratom use"}, version=1)
    for late in (
        lambda: actions.edit_part(by=by, part=problem, values={"title": "Other"}, version=1),
        lambda: actions.remove_part(by=by, part=problem, version=1),
    ):
        with pytest.raises(Stale) as caught:
            late()
        assert caught.value.current.title == "Kratom use"
    assert outline(plan) == ["Kratom use"]


def test_a_stale_change_of_the_details_is_refused(house: House) -> None:
    plan, by = draft(house), house.staff["prescriber"]
    details(by, plan, discharge_criteria="Four weeks without kratom")
    with pytest.raises(Stale) as caught:
        actions.edit_details(by=by, plan=plan, values={"discharge_criteria": "Other"}, version=1)
    assert caught.value.current.discharge_criteria == "Four weeks without kratom"


def test_two_decisions_at_the_same_time_one_stands_and_one_is_told(real_transactions: None) -> None:
    house = make_house()
    with transaction.atomic():  # whoever acted last goes on acting until it ends
        plan = draft(house, "V1")
    two = [(house.staff["nurse"], "accepted"), (house.staff["counsellor"], "declined")]
    results = together(*[lambda by=by, word=word: decide(by, plan, "EDU-01", word, version=1) for by, word in two])
    won = [row for row in results if isinstance(row, Component)]
    assert len(won) == 1 and sum(isinstance(row, Stale) for row in results) == 1
    with everything():
        row = component(plan, "EDU-01")
    assert (row.decision, row.by, row.version) == (won[0].decision, won[0].by, 2)


# Taken out, kept for the record


def test_what_is_taken_out_goes_with_everything_under_it_and_the_rows_stay(house: House) -> None:
    plan = whole(house)
    goal = Goal.objects.get(plan=plan)
    assert outline(plan) == WHOLE
    actions.remove_part(by=house.staff["prescriber"], part=goal, version=goal.version)
    assert outline(plan) == WHOLE[:1]
    counts = [model._default_manager.filter(plan=plan).count() for model in (Problem, Goal, Objective, Intervention)]
    assert counts == [1, 1, 1, 2]


# After signing

LATE: dict[str, Callable[[User, Plan], Any]] = {
    "decide": lambda by, plan: decide(by, plan, "CBT-01"),
    "add a component": lambda by, plan: actions.add_component(by=by, plan=plan, component_id="DTX-04"),
    "add a problem": lambda by, plan: add(by, plan, "problem", title="New", source="X"),
    "add a goal": lambda by, plan: add(by, plan, "goal", Problem.objects.get(plan=plan), text="New"),
    "change a goal": lambda by, plan: actions.edit_part(by=by, part=Goal.objects.get(plan=plan), values={"text": "X"}, version=1),
    "take out a goal": lambda by, plan: actions.remove_part(by=by, part=Goal.objects.get(plan=plan), version=1),
    "change the details": lambda by, plan: actions.edit_details(by=by, plan=plan, values={"copy_offered": False}, version=plan.version),
    "give a reason": lambda by, plan: actions.give_reason(by=by, plan=plan, rule="PV-6", subject="", reason="Later"),
}


def test_a_signed_plan_is_not_changed_any_more(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    sign(by, plan)
    before = len(recorded())
    for change, write in LATE.items():
        with pytest.raises(actions.AlreadySigned, match="Begin the next version"):
            write(by, Plan.objects.get(pk=plan.pk))
        assert len(recorded()) == before, change


def test_the_next_version_carries_the_plan_over_and_leaves_the_signed_one_alone(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    removed = add(by, plan, "problem", title="Taken out again", source="X")
    actions.remove_part(by=by, part=removed, version=1)
    decide(by, plan, "CMP-02", "declined", note="Prefers walking")
    with acting(by, "plan.edit"):
        actions.add_component(by=by, plan=plan, component_id="DTX-04")
        actions.give_reason(by=by, plan=plan, rule="PV-6", subject="", reason="Later")
    signed = sign(by, plan)
    frozen = copy.copy(signed.document)
    following = begin(house.staff["nurse"], house, plan.assessment)
    assert (following.number, following.status) == (2, Plan.Status.DRAFT)
    assert outline(following) == WHOLE
    decided = {row.component_id: (row.decision, row.note) for row in plan.components.exclude(decision="open")}
    assert decided["CMP-02"] == ("declined", "Prefers walking") and decided["DTX-04"][0] == "accepted"
    assert {row.component_id: (row.decision, row.note) for row in following.components.exclude(decision="open")} == decided
    assert not component(following, "DTX-04").suggested
    assert (following.discharge_criteria, following.review_on, following.patient_signature) == ("Four weeks without kratom", None, "")
    assert not Deferral.objects.filter(plan=following).exists()
    goal = Goal.objects.get(plan=following)
    actions.edit_part(by=by, part=goal, values={"text": "Half of it by spring"}, version=goal.version)
    plan.refresh_from_db()
    assert (plan.status, outline(plan)) == (Plan.Status.SIGNED, WHOLE)
    assert SignedPlan.objects.get(pk=signed.pk).document == frozen
    details(by, following)
    assert sign(by, following).supersedes == signed
    plan.refresh_from_db()
    assert plan.status == Plan.Status.SUPERSEDED


# The record


def test_every_write_of_a_plan_is_recorded_with_who_and_why(house: House) -> None:
    assessment = submitted(house, "V5")
    before = recorded()[-1].pk
    plan = whole(house, plan=begin(house.staff["prescriber"], house, assessment))
    with acting(house.staff["prescriber"], "plan.edit"):
        actions.give_reason(by=house.staff["prescriber"], plan=plan, rule="PV-4", subject="", reason="One at a time")
    rows = recorded(id__gt=before)
    assert {row.table for row in rows} == {
        "plans_plan", "plans_component", "plans_problem", "plans_goal", "plans_objective", "plans_intervention", "plans_deferral",
        "clinic_episode",
    }  # fmt: skip
    assert {(row.user, row.action, row.patient_id) for row in rows} == {(house.staff["prescriber"], "plan.edit", house.mine.patient_id)}


def test_flags_are_not_touched_by_writing_a_plan(house: House) -> None:
    plan = whole(house)
    assert set(Flag.objects.filter(episode=plan.episode).values_list("status", flat=True)) == {"open"}
