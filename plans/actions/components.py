"""What is decided about the components that were suggested, and those that are added by hand."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from clinic.models import User
from plans import tree
from plans.actions.draft import component_row
from plans.actions.locks import ask_patient_again, locked, open_draft, save
from plans.components import load_components
from plans.models import Component, Goal, Intervention, Objective, Plan, Problem
from plans.suggest import not_suggested


class ReasonNeeded(ValueError):
    """Declining this component asks for a reason."""


@transaction.atomic
def decide(
    *, by: User, component: Component, decision: str, note: str, reason: str, version: int, problem: Problem | None = None
) -> Component:
    """Accept, not now or decline. Accepting with a `problem` puts the library's goal and steps under it, to be made one's own.

    Whether declining asks for a reason follows from the flags that stand now. Raises ReasonNeeded, Stale, AlreadySigned.
    """
    component, done = locked(component, version, {"decision": decision, "note": note, "reason": reason})
    if done:
        return component
    plan = component.plan
    tree.weigh(component, tree.standing(plan), plan.assessment.facts)
    if decision == Component.Decision.DECLINED and component.suggestion["reason_needed"] and not reason.strip():
        raise ReasonNeeded(f"{component.name} answers a safety finding: please give a reason for declining it.")
    if (component.decision, component.note, component.reason) != (decision, note, reason):
        ask_patient_again(plan)
    component.decision, component.note, component.reason, component.reopened = decision, note, reason, ""
    save(by, component)
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
    plan = open_draft(plan)
    suggestion = not_suggested(component_id, plan.assessment.facts, tree.standing(plan).severe)
    if existing := Component.objects.filter(plan=plan, component_id=component_id).first():
        return existing
    ask_patient_again(plan)
    component = component_row(by, plan, suggestion, suggested=False)
    component.decision = Component.Decision.ACCEPTED
    component.save()
    return component
