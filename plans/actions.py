"""Every write of a draft plan: begun from an assessment, decided, filled in. Signing is in plans/signing.py."""

import uuid
from collections.abc import Mapping
from copy import copy
from typing import Any, TypeVar

from django.db import transaction
from django.utils import timezone

from clinic import workflow
from clinic.actions import Stale, update_summary
from clinic.models import Episode, User
from intake.actions import effective_settings, lock_episode
from intake.evaluation import fired_of
from intake.models import Assessment
from plans.components import load_components
from plans.models import Component, Deferral, Goal, Intervention, Objective, Plan, PlanRow, Problem
from plans.suggest import Suggestion, answers_flags, contra_now, reason_needed, suggest, tier

Row = TypeVar("Row", bound=PlanRow)
PARTS: dict[str, type[PlanRow]] = {"problem": Problem, "goal": Goal, "objective": Objective, "intervention": Intervention}
PARENTS = {"goal": "problem", "objective": "goal", "intervention": "objective"}


class ReasonNeeded(ValueError):
    """Declining this component asks for a reason."""


class AlreadySigned(ValueError):
    """The plan has been signed; a change begins the next version."""


@transaction.atomic
def draft_plan(*, by: User, episode: Episode, assessment: Assessment) -> Plan:
    """Begin the plan of an episode with every suggestion of the assessment. The draft there is already is returned as it is.

    After a signed version the next one begins with its tree and its decisions; the signed one stays as it is.
    """
    episode = lock_episode(episode)
    if standing := Plan.objects.open_of(episode):
        return standing
    earlier = Plan.objects.filter(episode=episode).order_by("-number").first()
    made = suggest(assessment.facts, fired_of(assessment.result))
    plan = Plan.objects.create(
        program_id=episode.program_id, patient_id=episode.patient_id, episode=episode, assessment=assessment,
        number=earlier.number + 1 if earlier else 1, provisional=assessment.kind == Assessment.Kind.PROVISIONAL,
        suggestions=[_as_json(suggestion) for suggestion in made.suggestions],
        undecided=[{"component_id": u.component.id, "name": u.component.name, "ask": list(u.ask)} for u in made.undecided],
        started_at=timezone.now(), started_by=by,
    )  # fmt: skip
    off = effective_settings().off
    chosen = [suggestion for suggestion in made.suggestions if suggestion.component.id not in off]
    Component.objects.bulk_create([_component(by, plan, suggestion, suggested=True) for suggestion in chosen])
    if earlier:
        _carry_over(by, earlier, plan)
    update_summary(episode=episode, stage=workflow.PLANNING, due=(timezone.localdate(), "Sign the plan"))
    return plan


def _as_json(suggestion: Suggestion) -> dict[str, Any]:
    component = suggestion.component
    return {
        "component_id": component.id, "name": component.name, "tier": suggestion.tier, "because": list(suggestion.because),
        "contraindication": suggestion.contraindication, "contra_now": list(suggestion.contra_now), "cite": suggestion.citation,
        "grade": suggestion.grade, "answers_flags": list(suggestion.answers_flags), "reason_needed": suggestion.reason_needed,
        "hold": suggestion.hold,
    }  # fmt: skip


def _component(by: User, plan: Plan, suggestion: Suggestion, *, suggested: bool) -> Component:
    return Component(
        program_id=plan.program_id, patient_id=plan.patient_id, plan=plan, component_id=suggestion.component.id,
        name=suggestion.component.name, suggested=suggested, tier=suggestion.tier, hold=suggestion.hold,
        suggestion=_as_json(suggestion), by=by, at=timezone.now(),
    )  # fmt: skip


def _carry_over(by: User, earlier: Plan, plan: Plan) -> None:
    """The tree, the decisions and the details of the earlier version, as rows of the new one."""
    now = timezone.now()
    decided = {row.component_id: row for row in earlier.components.exclude(decision=Component.Decision.OPEN)}
    fresh = {row.component_id: row for row in plan.components.all()}
    for component_id, row in decided.items():
        row_now = fresh.get(component_id)
        if row_now is None:
            row.pk, row.public_id, row.plan, row.suggested, row._state.adding = None, uuid.uuid4(), plan, False, True
            row.save()
        else:
            row_now.decision, row_now.note, row_now.reason = row.decision, row.note, row.reason
            row_now.save(update_fields=["decision", "note", "reason"])
    components = {row.component_id: row for row in plan.components.all()}
    copies: dict[PlanRow, PlanRow] = {}
    for kind, model in PARTS.items():
        for original in model._default_manager.filter(plan=earlier, removed=False).order_by("pk"):
            part: Any = copy(original)
            if kind in PARENTS:
                parent = copies.get(getattr(part, PARENTS[kind]))
                if parent is None:
                    continue
                setattr(part, PARENTS[kind], parent)
            if getattr(part, "component", None):
                part.component = components.get(part.component.component_id)
            part.pk, part.public_id, part.plan, part.version = None, uuid.uuid4(), plan, 1
            part.by, part.at, part._state.adding = by, now, True
            part.save()
            copies[original] = part
    plan.discharge_criteria, plan.review_on = earlier.discharge_criteria, None
    plan.save(update_fields=["discharge_criteria", "review_on"])


@transaction.atomic
def decide(
    *, by: User, component: Component, decision: str, note: str, reason: str, version: int, problem: Problem | None = None
) -> Component:
    """Accept, not now or decline. Accepting with a `problem` puts the library's goal and steps under it, to be made one's own.

    Raises ReasonNeeded, Stale, AlreadySigned.
    """
    component = _locked(component, version)
    needed = component.suggestion.get("reason_needed", False)
    if decision == Component.Decision.DECLINED and needed and not reason.strip():
        raise ReasonNeeded(f"{component.name} answers a safety finding: please give a reason for declining it.")
    component.decision, component.note, component.reason = decision, note, reason
    _save(by, component)
    if decision == Component.Decision.ACCEPTED and problem is not None:
        _plant(by, component, problem)
    return component


def _plant(by: User, component: Component, problem: Problem) -> Goal:
    """The library's goal, objectives and intervention under a problem; the goal must still become the person's own."""
    library = load_components()[component.component_id]
    common: dict[str, Any] = {
        "program_id": problem.program_id, "patient_id": problem.patient_id, "plan": problem.plan, "by": by, "at": timezone.now(),
    }  # fmt: skip
    goal = Goal.objects.create(problem=problem, component=component, template_text=library.goal, text=library.goal, **common)
    for text in library.objective_list:
        objective = Objective.objects.create(goal=goal, text=text, **common)
        Intervention.objects.create(
            objective=objective, component=component, text=library.interventions, frequency=library.frequency, **common
        )
    return goal


@transaction.atomic
def add_component(*, by: User, plan: Plan, component_id: str) -> Component:
    """Add a component of the library that was not suggested; it is accepted by being added. Raises KeyError, AlreadySigned."""
    plan = _open(plan)
    library = load_components()[component_id]
    existing = Component.objects.filter(plan=plan, component_id=component_id).first()
    if existing:
        return existing
    facts = plan.assessment.facts
    severe = answers_flags(component_id, fired_of(plan.assessment.result), facts)
    suggestion = Suggestion(
        component=library, tier=tier(library, severe), because=(), answers_flags=severe, contraindication=library.contra,
        contra_now=contra_now(library, facts), citation=library.cite, grade=library.grade, hold=False,
        reason_needed=reason_needed(library, severe),
    )  # fmt: skip
    component = _component(by, plan, suggestion, suggested=False)
    component.decision = Component.Decision.ACCEPTED
    component.save()
    return component


@transaction.atomic
def add_part(*, by: User, plan: Plan, kind: str, values: Mapping[str, Any], parent: PlanRow | None = None) -> PlanRow:
    """Add a problem, goal, objective or intervention; all but a problem hang under their parent. Raises AlreadySigned."""
    plan = _open(plan)
    links = {PARENTS[kind]: parent} if kind in PARENTS else {"position": plan.problems.count()}
    return PARTS[kind]._default_manager.create(
        program_id=plan.program_id, patient_id=plan.patient_id, plan=plan, by=by, at=timezone.now(), **links, **values
    )


@transaction.atomic
def edit_part(*, by: User, part: PlanRow, values: Mapping[str, Any], version: int) -> PlanRow:
    """Change one part. Raises Stale with the part as it is now, AlreadySigned."""
    part = _locked(part, version)
    for name, value in values.items():
        setattr(part, name, value)
    _save(by, part)
    return part


@transaction.atomic
def remove_part(*, by: User, part: PlanRow, version: int) -> PlanRow:
    """Take one part out of the draft, with whatever hangs under it; the rows stay for the record. Raises Stale, AlreadySigned."""
    part = _locked(part, version)
    part.removed = True
    _save(by, part)
    return part


@transaction.atomic
def edit_details(*, by: User, plan: Plan, values: Mapping[str, Any], version: int) -> Plan:
    """Discharge criteria, review date, the patient's signature. Raises Stale with the plan as it is now, AlreadySigned."""
    plan = _open(plan)
    if plan.version != version:
        raise Stale(plan)
    for name, value in values.items():
        setattr(plan, name, value)
    plan.version += 1
    plan.save()
    return plan


@transaction.atomic
def give_reason(*, by: User, plan: Plan, rule: str, subject: str, reason: str) -> Deferral:
    """Document why a clinical finding is not answered by this plan. Raises AlreadySigned."""
    plan = _open(plan)
    values = {"reason": reason, "by": by, "at": timezone.now(), "program_id": plan.program_id, "patient_id": plan.patient_id}
    deferral, _ = Deferral.objects.update_or_create(plan=plan, rule=rule, subject=subject, defaults=values)
    return deferral


def _open(plan: Plan) -> Plan:
    """The plan, locked until the transaction ends and still a draft."""
    lock_episode(plan.episode)
    plan = Plan.objects.select_related("assessment", "episode").get(pk=plan.pk)
    if plan.status != Plan.Status.DRAFT:
        raise AlreadySigned("This version has been signed. Begin the next version to change the plan.")
    return plan


def _locked(part: Row, version: int) -> Row:
    _open(part.plan)
    current: Row = type(part)._default_manager.get(pk=part.pk)  # type: ignore[assignment]
    if current.version != version:
        raise Stale(current)
    return current


def _save(by: User, part: PlanRow) -> None:
    part.by, part.at = by, timezone.now()
    part.version += 1
    part.save()
