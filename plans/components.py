"""The component library: what can be suggested for a plan, as reviewed data in plans/content/.

A component whose condition names an unknown fact, whose id is used twice or which answers no rule that exists
is refused when the library is loaded, never ignored when it is used.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from intake import content_files
from intake.conditions import Condition
from intake.content_files import ContentError
from intake.rules import condition

CONTENT = Path(__file__).parent / "content"
FILES = ("components.yaml", "answers.yaml", "plan_rules.yaml", "reasons.yaml")
TEXTS = ("id", "name", "contra", "goal", "objectives", "interventions", "frequency", "discipline", "cite", "grade")
ACTION = "action"  # in an answer: an action recorded on the flag itself, not a component


@dataclass(frozen=True)
class Warns:
    """A part of the contraindications that the facts can tell."""

    condition: Condition
    says: str


@dataclass(frozen=True)
class Component:
    """One component of the library. `review_days` 0 is the same day; None is not a number of days: see `review_text`."""

    id: str
    name: str
    applies_if: Condition
    contra: str
    contra_if: tuple[Warns, ...]
    goal: str
    objectives: str
    interventions: str
    frequency: str
    discipline: str
    review_days: int | None
    review_text: str
    cite: str
    grade: str

    @property
    def group(self) -> str:
        """The letters of the id: SAF, DTX, CBT ..."""
        return self.id.split("-")[0]

    @property
    def objective_list(self) -> tuple[str, ...]:
        """The objectives one by one."""
        return tuple(part.strip() for part in self.objectives.split(";") if part.strip())


@dataclass(frozen=True)
class Answered:
    """What a flag asks for: every group by any one of its members (component ids, or ACTION)."""

    groups: tuple[frozenset[str], ...]
    same_as: str | None = None  # SF-08 to SF-11 are names of an interaction rule

    def missing(self, have: frozenset[str]) -> tuple[frozenset[str], ...]:
        """The groups of which `have` holds no member."""
        return tuple(group for group in self.groups if not group & have)


def read(file: str) -> Mapping[str, Any]:
    """One file of plans/content/. Raises ContentError when its header lacks a key."""
    return content_files.read(file, CONTENT)


def _component(row: Mapping[str, Any]) -> Component:
    where = f"components.yaml, {row['id']}"
    warns = tuple(Warns(condition(w["if"], f"{where}, contra_if"), w["says"]) for w in row.get("contra_if", ()))
    texts = {key: row[key] for key in TEXTS}
    empty = [key for key, value in texts.items() if not (isinstance(value, str) and value)]
    if empty:
        raise ContentError(f"{where}: {', '.join(empty)} must be text")
    return Component(
        **texts,
        applies_if=condition(row["applies_if"], where),
        contra_if=warns,
        review_days=row["review_days"],
        review_text=row["review"],
    )


@cache
def load_components() -> Mapping[str, Component]:
    """Every component by id, in library order. Raises ContentError."""
    rows = read("components.yaml")["components"]
    library = {row["id"]: _component(row) for row in rows}
    if len(library) != len(rows):
        raise ContentError("components.yaml: an id is used twice")
    return library


@cache
def answers() -> Mapping[str, Any]:
    """answers.yaml, every component in it checked against the library. Raises ContentError."""
    data = read("answers.yaml")
    rows = [*data["flags"].values(), data["every_other_interaction"]]
    groups = [group for row in rows for part in (row, *row.get("when", ())) for group in part["all"]]
    named = {name for group in groups for name in group} - {ACTION}
    named |= {*data["tiers"]["core"]["components"], *data["first"], *data["always_ask_reason"]["components"]}
    unknown = named - set(load_components())
    if unknown:
        raise ContentError(f"answers.yaml: no such component: {', '.join(sorted(unknown))}")
    return data


def answered_by(rule_id: str, facts: Mapping[str, object]) -> Answered | None:
    """What answers this flag or interaction for this person (5.4); None when the rule asks for nothing (SF-14).

    A `when` row counts only while it is true: an unknown fact adds nothing.
    """
    data = answers()
    row = data["flags"].get(rule_id)
    if row is None:
        row = data["every_other_interaction"] if rule_id.startswith("IX-") else None
    if row is None:
        return None
    groups = list(row["all"])
    for part in row.get("when", ()):
        if condition(part["if"], f"answers.yaml, {rule_id}").evaluate(facts).truth is True:
            groups = list(part["all"]) if part.get("replaces") else groups + part["all"]
    return Answered(tuple(frozenset(group) for group in groups), row.get("same_as"))


@cache
def content_hash() -> str:
    """SHA-256 over the bytes of all content files of this app, in a fixed order: stored with every plan."""
    digest = hashlib.sha256()
    for file in FILES:
        digest.update(file.encode() + b"\0" + (CONTENT / file).read_bytes() + b"\0")
    return digest.hexdigest()


def unreviewed() -> tuple[str, ...]:
    """Content files that no named clinician has checked yet: pages and paper say so."""
    return tuple(file for file in FILES if read(file)["checker"] is None)
