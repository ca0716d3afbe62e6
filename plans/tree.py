"""The rows of a plan read as one tree, and as the pure golden-thread check and the signed document see it."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from intake.evaluation import fired_of
from intake.models import Flag
from intake.rules import Fired
from plans import thread
from plans.models import Component, Deferral, Goal, Intervention, Objective, Plan, PlanRow, Problem
from plans.suggest import plan_rules


@dataclass
class Node:
    """One part of the plan with what hangs under it."""

    kind: str
    part: Any
    children: list["Node"] = field(default_factory=list)


def read(plan: Plan) -> list[Node]:
    """The problems of a plan with everything under them, without what was removed: four queries, however large."""
    nodes: dict[tuple[str, int], Node] = {}
    roots: list[Node] = []
    for kind, rows, parent in (
        ("problem", Problem.objects.filter(plan=plan).order_by("position", "pk"), None),
        ("goal", Goal.objects.filter(plan=plan).select_related("component").order_by("pk"), "problem"),
        ("objective", Objective.objects.filter(plan=plan).order_by("pk"), "goal"),
        ("intervention", Intervention.objects.filter(plan=plan).select_related("responsible").order_by("pk"), "objective"),
    ):
        for part in rows.filter(removed=False):
            node = Node(kind, part)
            above = nodes.get((parent, getattr(part, f"{parent}_id"))) if parent else None
            if parent and above is None:
                continue  # what it hung under was removed
            (above.children if above else roots).append(node)
            nodes[kind, part.pk] = node
    return roots


def plan_view(plan: Plan, roots: list[Node]) -> thread.PlanView:
    """The plan as the golden-thread check sees it today."""
    return thread.PlanView(
        today=timezone.localdate(),
        problems=tuple(_problem(node) for node in roots),
        flags=(
            *(_flag(flag) for flag in Flag.objects.filter(episode_id=plan.episode_id).standing()),
            *(thread.Flag(rule.rule_id, rule.name, rule.severity) for rule in cautions(plan)),
        ),
        decisions=tuple(
            thread.Decision(row.component_id, row.decision == Component.Decision.ACCEPTED) for row in plan.components.all()
        ),
        deferrals=tuple(thread.Deferral(row.rule, row.reason, row.subject) for row in Deferral.objects.filter(plan=plan)),
        facts=plan.assessment.facts,
        discharge_criteria=plan.discharge_criteria,
        review_on=plan.review_on,
        patient_signature=plan.patient_signature,
        patient_signature_reason=plan.patient_signature_reason,
        settings=thread.Settings(plan.episode.program.review_days, plan.episode.program.patient_signature_required),
    )


def cautions(plan: Plan) -> tuple[Fired, ...]:
    """The rules that look at the plan itself: IX-15 while DTX-04 is suggested or in the plan and not declined."""
    in_plan = {row.component_id for row in plan.components.exclude(decision=Component.Decision.DECLINED)}
    return plan_rules(plan.assessment.facts, fired_of(plan.assessment.result), in_plan)


def _id(part: PlanRow) -> str:
    return str(part.public_id)  # type: ignore[attr-defined]


def _problem(node: Node) -> thread.Problem:
    return thread.Problem(_id(node.part), node.part.title, node.part.source, tuple(_goal(child) for child in node.children))


def _goal(node: Node) -> thread.Goal:
    goal: Goal = node.part
    return thread.Goal(
        _id(goal), goal.text, goal.patient_words, goal.template_text, goal.baseline, goal.target, goal.target_date,
        tuple(_objective(child) for child in node.children),
    )  # fmt: skip


def _objective(node: Node) -> thread.Objective:
    interventions = tuple(
        thread.Intervention(_id(child.part), child.part.text, child.part.discipline, child.part.frequency, child.part.duration)
        for child in node.children
    )
    return thread.Objective(_id(node.part), node.part.text, interventions)


def _flag(flag: Flag) -> thread.Flag:
    return thread.Flag(
        flag.rule_id, flag.name, flag.Severity(flag.severity).name, open=True, action=bool(flag.action_taken.strip())
    )


def by_tier(components: list[Component]) -> dict[str, list[Component]]:
    """Today, core, consider: what was suggested or added, in library order within each."""
    groups: dict[str, list[Component]] = defaultdict(list)
    for component in components:
        groups[component.tier].append(component)
    return {tier.value: groups[tier.value] for tier in Component.Tier}
