"""A plan begun from an assessment, from the version before it, and brought up to date with a newer assessment."""

import uuid
from copy import copy
from typing import Any

from django.db import transaction
from django.utils import timezone

from clinic import workflow
from clinic.actions import update_summary
from clinic.models import Episode, User
from intake.actions import lock_episode, rules_off
from intake.evaluation import fired_of
from intake.models import Assessment
from plans import tree
from plans.actions.locks import ask_patient_again, open_draft
from plans.actions.parts import PARENTS, PARTS
from plans.components import load_components
from plans.findings import findings
from plans.models import Component, Plan, PlanRow, Problem
from plans.suggest import Suggested, Suggestion, contraindicated, not_suggested, suggest

DECIDED = ("suggested", "remark", "reopened", "tier", "suggestion", "decision", "by", "at", "version")


@transaction.atomic
def draft_plan(*, by: User, episode: Episode, assessment: Assessment) -> Plan:
    """Begin the plan of an episode with every suggestion of the assessment. The draft there is already is returned as it is.

    After a signed version the next one begins with its tree, and with those of its decisions that still hold under the
    assessment; the signed one stays as it is.
    """
    episode = lock_episode(episode)
    if standing := Plan.objects.open_of(episode):
        return standing
    earlier = Plan.objects.filter(episode=episode).select_related("assessment").order_by("-number").first()
    made = _suggest(assessment, _accepted(earlier) if earlier else set())
    plan = Plan.objects.create(
        program_id=episode.program_id, patient_id=episode.patient_id, episode=episode, number=earlier.number + 1 if earlier else 1,
        discharge_criteria=earlier.discharge_criteria if earlier else "", started_at=timezone.now(), started_by=by,
        **_drawn(assessment, made),
    )  # fmt: skip
    now = tree.standing(plan, made.plan_rules)
    fresh = (component_row(by, plan, suggestion, suggested=True) for suggestion in _switched_on(made))
    rows = {row.component_id: tree.weigh(row, now, assessment.facts) for row in fresh}
    if earlier:
        _carry_decisions(by, earlier, plan, rows, now)
    Component.objects.bulk_create(rows.values())
    if earlier:
        _carry_tree(by, earlier, plan, rows)
        _renew_sources(by, plan, earlier.assessment)
    update_summary(episode=episode, stage=workflow.PLANNING, due=(timezone.localdate(), "Sign the plan"))
    return plan


@transaction.atomic
def refresh(*, by: User, plan: Plan) -> Plan:
    """Bring a draft up to date with the newest assessment: new suggestions are added, those that no longer apply are marked,
    decisions stay where they still hold. A draft that is up to date is returned as it is. Raises AlreadySigned.
    """
    plan = open_draft(plan)
    newest, before = tree.newer_assessment(plan), plan.assessment
    if newest is None:
        return plan
    newest = Assessment.objects.get(pk=newest.pk)
    made = _suggest(newest, tree.in_plan(plan))
    for name, value in _drawn(newest, made).items():
        setattr(plan, name, value)
    plan.save(update_fields=["assessment", "provisional", "suggestions", "undecided"])
    reopened = _renew_components(by, plan, made)
    renamed = _renew_sources(by, plan, before)
    if reopened or renamed:
        ask_patient_again(plan)
    update_summary(episode=plan.episode, due=(timezone.localdate(), "Sign the plan"))
    return plan


def _suggest(assessment: Assessment, planned: set[str]) -> Suggested:
    return suggest(assessment.facts, fired_of(assessment.result), planned=planned)


def _accepted(plan: Plan) -> set[str]:
    accepted = plan.components.filter(decision=Component.Decision.ACCEPTED).values_list("component_id", flat=True)
    return {*accepted, *tree.medicines(plan)}


def _drawn(assessment: Assessment, made: Suggested) -> dict[str, Any]:
    """What a plan takes from its assessment."""
    return {
        "assessment": assessment,
        "provisional": assessment.kind == Assessment.Kind.PROVISIONAL,
        "suggestions": [_as_json(suggestion) for suggestion in made.suggestions],
        "undecided": [{"component_id": u.component.id, "name": u.component.name, "ask": list(u.ask)} for u in made.undecided],
    }


def _switched_on(made: Suggested) -> list[Suggestion]:
    off = rules_off()
    return [suggestion for suggestion in made.suggestions if suggestion.component.id not in off]


def _as_json(suggestion: Suggestion) -> dict[str, Any]:
    component = suggestion.component
    return {
        "component_id": component.id, "name": component.name, "tier": suggestion.tier, "because": list(suggestion.because),
        "contraindication": suggestion.contraindication, "contra_now": list(suggestion.contra_now), "cite": suggestion.citation,
        "grade": suggestion.grade, "answers_flags": list(suggestion.answers_flags), "reason_needed": suggestion.reason_needed,
    }  # fmt: skip


def component_row(by: User, plan: Plan, suggestion: Suggestion, *, suggested: bool, remark: str = "") -> Component:
    """A row of the plan for a component, not written yet."""
    return Component(
        program_id=plan.program_id, patient_id=plan.patient_id, plan=plan, component_id=suggestion.component.id,
        name=suggestion.component.name, suggested=suggested, remark=remark, tier=suggestion.tier,
        suggestion=_as_json(suggestion), by=by, at=timezone.now(),
    )  # fmt: skip


# What becomes of a decision


def _asked_anew(row: Component, decision: str, reason: str, facts: dict[str, Any], *, lost: bool) -> str:
    """Why a decision does not hold under these facts, as a sentence; empty while it does. `lost`: it was suggested before."""
    if decision == Component.Decision.DECLINED and row.suggestion["reason_needed"] and not reason.strip():
        return "It answers a safety finding, so declining it asks for a reason."
    if decision != Component.Decision.ACCEPTED:
        return ""
    if against := contraindicated(load_components()[row.component_id], facts):
        return f"Stands against it now: {'; '.join(against)}"
    return "The newest assessment does not suggest it any more." if lost else ""


def _reopen(row: Component, decision: str, where: str, why: str) -> None:
    row.decision = Component.Decision.OPEN
    row.reopened = f"{where}: {Component.Decision(decision).label.lower()}. {why} Please decide again."


def _renew_components(by: User, plan: Plan, made: Suggested) -> bool:
    """The rows of a draft as the newest assessment has them; True when a decision is open again."""
    rows = {row.component_id: row for row in plan.components.order_by("pk")}
    suggestions = {suggestion.component.id: suggestion for suggestion in _switched_on(made)}
    now = tree.standing(plan, made.plan_rules)
    facts, changed = plan.assessment.facts, []
    for component_id, row in rows.items():
        was = copy(row)
        _renew(row, suggestions.get(component_id) or not_suggested(component_id, facts, now.severe), component_id in suggestions)
        tree.weigh(row, now, facts)
        if why := _asked_anew(row, row.decision, row.reason, facts, lost=was.suggested and not row.suggested):
            _reopen(row, row.decision, "Before the newest assessment", why)
            row.by, row.at = by, timezone.now()
        if any(getattr(was, name) != getattr(row, name) for name in DECIDED):
            row.version += 1
            changed.append((was, row))
    Component.objects.bulk_update([row for _, row in changed], DECIDED)
    added = (component_row(by, plan, suggestion, suggested=True) for id, suggestion in suggestions.items() if id not in rows)
    Component.objects.bulk_create(tree.weigh(row, now, facts) for row in added)
    return any(was.decision != row.decision for was, row in changed)


def _renew(row: Component, suggestion: Suggestion, suggested: bool) -> None:
    if suggested:
        row.remark = ""
    elif row.suggested:
        row.remark = "no longer suggested by the newest assessment"
    row.suggested, row.suggestion = suggested, _as_json(suggestion)


# What the next version takes over


def _carry_decisions(by: User, earlier: Plan, plan: Plan, rows: dict[str, Component], now: tree.Standing) -> None:
    """The decisions of the earlier version put on the rows of the new one, which are added where nothing suggests them."""
    facts = plan.assessment.facts
    remark = f"carried over from version {earlier.number}; not suggested by the newest assessment"
    for old in earlier.components.exclude(decision=Component.Decision.OPEN).order_by("pk"):
        if old.component_id not in rows:
            suggestion = not_suggested(old.component_id, facts, now.severe)
            rows[old.component_id] = component_row(by, plan, suggestion, suggested=False, remark=remark)
        row = rows[old.component_id]
        row.note, row.reason = old.note, old.reason
        if why := _asked_anew(row, old.decision, old.reason, facts, lost=old.suggested and not row.suggested):
            _reopen(row, old.decision, f"In version {earlier.number}", why)
        else:
            row.decision, row.by_id, row.at = old.decision, old.by_id, old.at


def _carry_tree(by: User, earlier: Plan, plan: Plan, rows: dict[str, Component]) -> None:
    """The problems of the earlier version and everything under them, as rows of the new one: one insert for each kind."""
    now = timezone.now()
    names = dict(earlier.components.values_list("pk", "component_id"))
    above: dict[int, PlanRow] = {}
    for kind, model in PARTS.items():
        copies: dict[int, Any] = {}
        for original in model._default_manager.filter(plan=earlier, removed=False).order_by("pk"):
            part: Any = copy(original)
            if kind in PARENTS:
                parent = above.get(getattr(original, f"{PARENTS[kind]}_id"))
                if parent is None:
                    continue  # what it hung under was removed
                setattr(part, PARENTS[kind], parent)
            if getattr(part, "component_id", None):
                part.component = rows.get(names[part.component_id])
            part.pk, part.public_id, part.plan, part.version = None, uuid.uuid4(), plan, 1
            part.by, part.at, part._state.adding = by, now, True
            copies[original.pk] = part
        model._default_manager.bulk_create(copies.values())
        above = copies


def _renew_sources(by: User, plan: Plan, before: Assessment) -> bool:
    """A problem that still says what the earlier assessment found says what this one found; True when one did."""
    old, new = ({finding.title: finding.source for finding in _findings(assessment)} for assessment in (before, plan.assessment))
    changed = []
    for problem in Problem.objects.filter(plan=plan, removed=False):
        source = new.get(problem.title, problem.source)
        if problem.source == old.get(problem.title) and source != problem.source:
            problem.source, problem.by, problem.at = source[:200], by, timezone.now()
            problem.version += 1
            changed.append(problem)
    Problem.objects.bulk_update(changed, ["source", "by", "at", "version"])
    return bool(changed)


def _findings(assessment: Assessment) -> Any:
    return findings(assessment.facts, assessment.result["scores"], fired_of(assessment.result))
