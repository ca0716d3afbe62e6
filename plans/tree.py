"""The rows of a plan read as one tree, and as the pure golden-thread check and the signed document see it."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef
from django.utils import timezone

from intake.evaluation import fired_of
from intake.models import Assessment, Flag
from intake.rules import Fired
from plans import suggest, thread
from plans.components import load_components
from plans.models import Component, Deferral, Goal, Intervention, Objective, Plan, PlanRow, Problem, staff_of


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
    works_here = Exists(staff_of(plan).filter(pk=OuterRef("responsible_id")))
    interventions = Intervention.objects.filter(plan=plan).annotate(works_here=works_here).select_related("responsible", "component")
    for kind, rows, parent in (
        ("problem", Problem.objects.filter(plan=plan).order_by("position", "pk"), None),
        ("goal", Goal.objects.filter(plan=plan).select_related("component").order_by("pk"), "problem"),
        ("objective", Objective.objects.filter(plan=plan).order_by("pk"), "goal"),
        ("intervention", interventions.order_by("pk"), "objective"),
    ):
        for part in rows.filter(removed=False):
            node = Node(kind, part)
            above = nodes.get((parent, getattr(part, f"{parent}_id"))) if parent else None
            if parent and above is None:
                continue  # what it hung under was removed
            (above.children if above else roots).append(node)
            nodes[kind, part.pk] = node
    return roots


def component_ids(roots: list[Node], part: PlanRow, *, below: bool) -> set[str]:
    """The components that a part of the tree comes from: its own and those above it; `below`: of what hangs under it too."""
    path = _path(roots, part)
    return {id for node in path for id in _component_id(node)} | (_below(path[-1]) if below and path else set())


def _path(nodes: list[Node], part: PlanRow) -> list[Node]:
    """From the problem down to the part; empty when it is not in the tree."""
    for node in nodes:
        if node.part == part:
            return [node]
        if found := _path(node.children, part):
            return [node, *found]
    return []


def _component_id(node: Node) -> set[str]:
    component = getattr(node.part, "component", None)
    return {component.component_id} if component else set()


def _below(node: Node) -> set[str]:
    return {id for child in node.children for id in _component_id(child) | _below(child)}


def without(roots: list[Node], hidden: Callable[[str], bool]) -> list[Node]:
    """The tree without the goals and interventions that come from hidden components, and without what was found."""
    kept = []
    for node in roots:
        if any(map(hidden, _component_id(node))):
            continue
        if node.kind == "problem":
            node.part.source = ""
        kept.append(Node(node.kind, node.part, without(node.children, hidden)))
    return kept


def plan_view(plan: Plan, roots: list[Node]) -> thread.PlanView:
    """The plan as the golden-thread check sees it today."""
    newer = newer_assessment(plan)
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
        changed_since_patient_signed=plan.changed_since_patient_signed,
        newer_assessment=timezone.localdate(newer.at) if newer else None,
        settings=thread.Settings(plan.episode.program.review_days, plan.episode.program.patient_signature_required),
    )


def newer_assessment(plan: Plan) -> Assessment | None:
    """An assessment that came after the one the plan rests on; its day only, not what it found."""
    newest = Assessment.objects.only("at").latest_of(plan.episode)
    return newest if newest and newest.pk != plan.assessment_id else None


def in_plan(plan: Plan) -> set[str]:
    """The ids of the components not declined, and the medicines named in the interventions."""
    chosen = plan.components.exclude(decision=Component.Decision.DECLINED).values_list("component_id", flat=True)
    return {*chosen, *medicines(plan)}


def medicines(plan: Plan) -> set[str]:
    """The medicines that the interventions of the plan name."""
    above = ("", "objective__", "objective__goal__", "objective__goal__problem__")
    texts = Intervention.objects.filter(plan=plan, **{f"{part}removed": False for part in above}).values_list("text", flat=True)
    return suggest.planned_medicines(texts)


def cautions(plan: Plan) -> tuple[Fired, ...]:
    """The rules that look at the plan itself: IX-15, and IX-19 and IX-20 from the medicines its interventions name."""
    return suggest.plan_rules(plan.assessment.facts, fired_of(plan.assessment.result), in_plan(plan))


@dataclass(frozen=True)
class Standing:
    """What stands now: the ids of the CRITICAL and HIGH rules; holding: an emergency evaluation has not been recorded yet."""

    severe: tuple[str, ...]
    holding: bool


def standing(plan: Plan, rules: Iterable[Fired] | None = None) -> Standing:
    """The flags of the episode, and the rules of the plan itself (`rules`, where they are known already)."""
    flags = list(Flag.objects.filter(episode_id=plan.episode_id).standing())
    severe = [flag.rule_id for flag in flags if flag.severity >= Flag.Severity.HIGH]
    return Standing((*severe, *suggest.severe_of(cautions(plan) if rules is None else rules)), any(flag.holds for flag in flags))


def components(plan: Plan) -> list[Component]:
    """The components of a plan in their order, weighed by what stands now and not by what stood when it was drafted."""
    now = standing(plan)
    return [weigh(row, now, plan.assessment.facts) for row in plan.components.order_by("pk")]


def weigh(row: Component, now: Standing, facts: dict[str, Any]) -> Component:
    """The row with its tier, its hold, the flags it answers and whether declining it asks for a reason; nothing is written."""
    library = load_components()[row.component_id]
    answered = suggest.answers_flags(row.component_id, now.severe, facts)
    row.tier, row.hold = suggest.tier(library, answered), now.holding and suggest.may_be_held(library)
    row.suggestion = row.suggestion | {"answers_flags": list(answered), "reason_needed": suggest.reason_needed(library, answered)}
    return row


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
    return thread.Objective(_id(node.part), node.part.text, tuple(_intervention(child.part) for child in node.children))


def _intervention(row: Any) -> thread.Intervention:
    left = str(row.responsible) if row.responsible and not row.works_here else ""
    return thread.Intervention(_id(row), row.text, row.discipline, row.frequency, row.duration, left)


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
