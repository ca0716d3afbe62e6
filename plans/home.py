"""What goes home with the patient: the signed document without what the person who makes home unsafe must not read.

Whatever rests on a rule of NOT_SENT_HOME is left out, with everything under it; so is whatever staff wrote for staff.
A text rests on such a rule when it names it, by its id or by its name.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from plans.components import load_components

NOT_SENT_HOME = {"SF-12": "Safety at home"}  # rule: its name
NAMED = re.compile("|".join(rf"\b{rule.replace('-', '[ -]?')}\b|{name}" for rule, name in NOT_SENT_HOME.items()), re.IGNORECASE)
CHILDREN = {"problems": "goals", "goals": "objectives", "objectives": "interventions"}
SAID = {
    "problems": ("title", "source"),
    "goals": ("text", "patient_words", "measure"),
    "objectives": ("text",),
    "interventions": ("text", "frequency", "duration"),
}
FOR_STAFF: dict[str, Any] = {
    "scores": [], "needs": [], "level": None, "deferrals": [], "undecided": [], "questionnaires": [],
}  # fmt: skip


def only_for(component_id: str, answered: Collection[str], facts: Mapping[str, Any]) -> list[str]:
    """The rules of NOT_SENT_HOME without which this component would not be in the plan.

    answered: the rules it answers. facts: the snake_case facts the plan rests on.
    """
    applies = load_components()[component_id].applies_if
    if set(answered) - set(NOT_SENT_HOME) or applies.evaluate(_safe(facts)).truth is True:
        return []
    raised = facts.get("unsafe") is True and applies.evaluate(facts).truth is True
    return [rule for rule in NOT_SENT_HOME if rule in answered or raised]


def _safe(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts as they would be in a safe home: an unsafe one is also one of the unmet social needs (intake/facts/gather.py)."""
    needs = facts.get("sdoh_unmet")
    if needs and facts.get("unsafe") is True:
        needs -= 1
    return {**facts, "unsafe": False, "danger_now": False, "sf_12": False, "sdoh_unmet": needs}


def sent_home(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what is not sent home, in the same shape. It is for printing: its hash is another one."""
    suggestions = [row for row in document["suggestions"] if not _withheld(row)]
    withheld = {row["component_id"] for row in document["suggestions"]} - {row["component_id"] for row in suggestions}
    flags = [_without(flag, "action", "status", "acknowledged_by", "acknowledged_at", "action_taken") for flag in document["flags"]]
    return {
        **document,
        **FOR_STAFF,
        "flags": [flag for flag in flags if flag["rule"] not in NOT_SENT_HOME],
        "suggestions": [_without(row, "because", "contraindication", "contra_now", "cite", "reason", "note") for row in suggestions],
        "problems": _tree("problems", document["problems"], withheld),
        "discharge_criteria": "" if NAMED.search(document["discharge_criteria"]) else document["discharge_criteria"],
        "patient_signature": _without(document["patient_signature"], "reason"),
    }


def _withheld(row: Mapping[str, Any]) -> bool:
    """steady-plan/1 does not say what a component is only for: its reasons do."""
    reasons = row.get("because") or ()
    return bool(row.get("only_for")) or (bool(reasons) and all(NAMED.search(reason) for reason in reasons))


def _tree(kind: str, rows: Sequence[Mapping[str, Any]], withheld: Collection[str]) -> list[dict[str, Any]]:
    """The rows that go home, each with the children that do; a row whose children all stay here stays with them."""
    kept = []
    for row in rows:
        if row.get("component_id") in withheld or any(NAMED.search(row.get(name) or "") for name in SAID[kind]):
            continue
        if under := CHILDREN.get(kind):
            children = _tree(under, row[under], withheld)
            if row[under] and not children:
                continue
            row = {**row, under: children}
        kept.append(_without(row, "source"))
    return kept


def _without(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The row with these texts empty."""
    return {**row, **{name: None for name in names if name in row}}
