"""Rules as reviewed data: safety flags and interactions share one form, one loader and one way to fire.

A rule fires only if its condition is true; an unknown one says what to ask. Each rule that fires shows its inputs.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from intake.conditions import Condition, ConditionError, Result, compile_condition
from intake.content_files import ContentError, read
from intake.facts.names import FACTS, ask

SEVERITIES = ("INFO", "MODERATE", "HIGH", "CRITICAL")


@dataclass(frozen=True)
class Input:
    """One fact a result rests on, as it is shown. origin: instrument, items and date, in words; medicines: those that gave a class."""

    name: str
    label: str
    value: str
    origin: str
    medicines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fired:
    """A rule that is true for this person. checker: who has reviewed it, None while nobody has."""

    rule_id: str
    name: str
    severity: str
    message: str
    action: str
    grade: str
    source: str
    inputs: tuple[Input, ...]
    clears: str
    checker: str | None


@dataclass(frozen=True)
class Undecided:
    """A rule of which it cannot be told yet whether it fires, and the sentence that says what to ask."""

    rule_id: str
    name: str
    sentence: str
    asks: frozenset[str]


@dataclass(frozen=True)
class Choice:
    """One row of a conditional text: it counts when `when` is true; None is the default row."""

    when: Condition | None
    value: str


KINDS = {name: fact.kind for name, fact in FACTS.items()}


@dataclass(frozen=True)
class Rule:
    """One rule of flags.yaml or interactions.yaml."""

    id: str
    name: str
    fires_if: Condition
    severity: tuple[Choice, ...]
    message: tuple[Choice, ...]
    action: str
    grade: str
    source: str
    clears: str
    checker: str | None
    draft: bool

    @property
    def fact(self) -> str:
        """The name of the fact that says whether it fired: sf_01."""
        return self.id.lower().replace("-", "_")

    @property
    def can_be_critical(self) -> bool:
        return any(choice.value == "CRITICAL" for choice in self.severity)


@dataclass(frozen=True)
class Outcome:
    """What a list of rules came to. truths: fact name of each rule to its truth."""

    fired: tuple[Fired, ...]
    undecided: tuple[Undecided, ...]
    truths: Mapping[str, bool | None]


@cache
def condition(text: str, where: str) -> Condition:
    """A condition over the facts. Raises ContentError that says where it stands."""
    try:
        return compile_condition(text, KINDS)
    except ConditionError as error:
        raise ContentError(f"{where}: {error}") from error


def choices(rows: str | Sequence[Mapping[str, str]], where: str) -> tuple[Choice, ...]:
    """A text, or an ordered list of {when, is} that ends with a row without `when`."""
    if isinstance(rows, str):
        return (Choice(None, rows),)
    made = tuple(Choice(condition(row["when"], where) if "when" in row else None, row["is"]) for row in rows)
    if [choice.when is None for choice in made] != [False] * (len(made) - 1) + [True]:
        raise ContentError(f"{where}: exactly the last row must be without `when`")
    return made


def choose(rows: tuple[Choice, ...], facts: Mapping[str, object]) -> tuple[str, frozenset[str]]:
    """The value of the first row that is true, with the facts that made it so."""
    for row in rows:
        if row.when is None:
            return row.value, frozenset()
        result = row.when.evaluate(facts)
        if result.truth is True:
            return row.value, result.used
    raise ContentError("a list of choices has no default row")


def load(file: str) -> Mapping[str, Rule]:
    """The rules of one file, by id, in order. Raises ContentError."""
    data = read(file)
    rules = {row["id"]: _rule(row, data["checker"], file) for row in data["rules"]}
    if len(rules) != len(data["rules"]):
        raise ContentError(f"{file}: an id is used twice")
    return rules


def fire(
    rules: Sequence[Rule], facts: Mapping[str, object], inputs: Mapping[str, Sequence[Input]], off: Collection[str] = ()
) -> Outcome:
    """Evaluate rules over facts. `inputs`: how each fact is shown; a rule named in a condition shows its own inputs.

    A rule that is switched off (`off`) is not shown; whatever rests on it is told all the same.
    """
    fired, undecided, truths = [], [], {}
    for rule in rules:
        result = rule.fires_if.evaluate(facts)
        truths[rule.fact] = result.truth
        if rule.id in off:
            continue
        if result.truth is True:
            fired.append(_fired(rule, result, facts, inputs))
        elif result.truth is None:
            undecided.append(Undecided(rule.id, rule.name, ask(result.unknown), result.unknown))
    return Outcome(tuple(fired), tuple(undecided), truths)


@cache
def _place(name: str) -> int:
    """The place of a fact in the list of facts."""
    return list(FACTS).index(name)


def shown(names: frozenset[str], inputs: Mapping[str, Sequence[Input]]) -> tuple[Input, ...]:
    """How these facts are shown, each once, in the order of the list of facts."""
    ordered = sorted(names, key=_place)
    return tuple(dict.fromkeys(item for name in ordered for item in inputs.get(name, ())))


def _fired(rule: Rule, result: Result, facts: Mapping[str, object], inputs: Mapping[str, Sequence[Input]]) -> Fired:
    severity, why = choose(rule.severity, facts)
    message, _ = choose(rule.message, facts)
    return Fired(
        rule.id, rule.name, severity, message, rule.action, rule.grade, rule.source,
        shown(result.used | why, inputs), rule.clears, rule.checker,
    )  # fmt: skip


def _rule(row: Mapping[str, Any], checker: str | None, file: str) -> Rule:
    where = f"{file}, {row['id']}"
    severity = choices(row["severity"], where)
    wrong = [choice.value for choice in severity if choice.value not in SEVERITIES]
    if wrong:
        raise ContentError(f"{where}: there is no severity {wrong[0]!r}")
    texts = {key: row[key] for key in ("id", "name", "action", "grade", "source", "clears")}
    empty = [key for key, value in texts.items() if not (isinstance(value, str) and value)]
    if empty:
        raise ContentError(f"{where}: {', '.join(empty)} must be text")
    return Rule(
        **texts,
        fires_if=condition(row["fires_if"], where),
        severity=severity,
        message=choices(row["message"], where),
        checker=checker,
        draft=row.get("draft", False),
    )
