"""Need ratings N1-N5 and the suggested level of care (level_of_care.yaml). A suggestion: the clinician decides.

First match in each table. What is not known yet is never read as absent: it gives "may be up to".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from intake.conditions import Condition, Match, first_match
from intake.content_files import ContentError, read
from intake.facts.names import ask
from intake.rules import Choice, Input, choices, choose, condition, shown

FILE = "level_of_care.yaml"


@dataclass(frozen=True)
class Need:
    """One need area. rating 0-4; up_to: the highest rating still possible, None when the rating is settled.

    row_text: the row that counted, in words; note: "May be up to ..." with what to ask, or empty.
    """

    code: str
    name: str
    rating: int
    row_text: str
    inputs: tuple[Input, ...]
    up_to: int | None
    note: str


@dataclass(frozen=True)
class LevelSuggestion:
    """The suggested level ("0.5" to "4"), the rule that gave it and what it rests on. up_to: highest level still possible."""

    level: str
    rule: str
    label: str
    up_to: str | None
    addons: tuple[str, ...]
    provisional: bool
    inputs: tuple[Input, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LevelChoice:
    """What a clinician chose. ratings: N1 to N5 by id, 0-4; reasons: why a rating is not the computed one, by id."""

    ratings: Mapping[str, int]
    reasons: Mapping[str, str]
    level: str
    reason_code: str = ""
    explanation: str = ""


@dataclass(frozen=True)
class NeedTable:
    code: str
    name: str
    rows: tuple[tuple[str, Condition], ...]  # id = rating
    texts: Mapping[str, str]


@cache
def need_tables() -> tuple[NeedTable, ...]:
    """The five tables, rows from 4 down to 1. Raises ContentError."""
    tables = []
    for code, data in read(FILE)["needs"].items():
        if [row["rating"] for row in data["rows"]] != [4, 3, 2, 1]:
            raise ContentError(f"{FILE}, {code}: the rows must be rated 4, 3, 2, 1")
        rows = tuple((str(row["rating"]), condition(row["if"], f"{FILE}, {code} {row['rating']}")) for row in data["rows"])
        tables.append(NeedTable(code, data["name"], rows, {str(row["rating"]): row["says"] for row in data["rows"]}))
    return tuple(tables)


@cache
def level_rules() -> Mapping[str, tuple[Condition, tuple[Choice, ...]]]:
    """L1 to L15 in order: when each applies and the level it gives. Raises ContentError."""
    rules = {}
    for row in read(FILE)["levels"]:
        where = f"{FILE}, {row['rule']}"
        rules[row["rule"]] = (condition(row["if"], where), choices(row["then"], where))
    unlabelled = {choice.value for _, rows in rules.values() for choice in rows} - set(levels())
    if unlabelled:
        raise ContentError(f"{FILE}: no label for level {', '.join(sorted(unlabelled))}")
    return rules


def levels() -> Mapping[str, str]:
    """Every level in ascending order with its plain label."""
    return read(FILE)["labels"]  # type: ignore[no-any-return]


def is_lower(level: str, than: str) -> bool:
    """Whether a level is below another."""
    order = list(levels())
    return order.index(level) < order.index(than)


def override_reasons() -> Mapping[str, str]:
    """The reason codes for a final level other than the suggested one, with their words."""
    return read(FILE)["override"]["reasons"]  # type: ignore[no-any-return]


def shortest_explanation() -> int:
    """How many characters the explanation of another level than the suggested one has at least."""
    return read(FILE)["override"]["min_characters"]  # type: ignore[no-any-return]


def ratings() -> Mapping[int, str]:
    """0 to 4, each in a word."""
    return read(FILE)["ratings"]  # type: ignore[no-any-return]


def needs_cosignature(suggested: str, final: str, facts: Mapping[str, object]) -> bool:
    """A level lower than suggested, with SF-01 or any need at 4, needs a second clinician's co-signature."""
    return is_lower(final, suggested) and condition(read(FILE)["override"]["cosign_if"], FILE).evaluate(facts).truth is True


def rate_needs(facts: Mapping[str, object], bounds: Mapping[str, object], inputs: Mapping[str, Sequence[Input]]) -> dict[str, Need]:
    """N1 to N5. bounds: for partly known facts the highest value still possible (None: not known)."""
    return {table.code: _rate(table, facts, {**facts, **bounds}, inputs) for table in need_tables()}


def suggest_level(
    facts: Mapping[str, object], needs: Mapping[str, Need], bounds: Mapping[str, object], inputs: Mapping[str, Sequence[Input]]
) -> LevelSuggestion:
    """The level by L1 to L15. facts must hold n1 to n5; monotone, so the highest needs still possible give `up_to`."""
    rule, level, names = _level(facts)
    worst = {code.lower(): need.rating if need.up_to is None else need.up_to for code, need in needs.items()}
    highest = _highest({**facts, **bounds, **worst})
    with_level = {**facts, "loc": level}
    return LevelSuggestion(
        level=level,
        rule=rule,
        label=levels()[level],
        up_to=highest if is_lower(level, highest) else None,
        addons=tuple(row["code"] for row in _true_rows("addons", with_level)),
        provisional=facts.get("sf_14") is True,
        inputs=shown(names, inputs),
        notes=tuple(row["says"] for row in _true_rows("notes", with_level)),
    )


def _rate(table: NeedTable, facts: Mapping[str, object], upper: Mapping[str, object], inputs: Mapping[str, Sequence[Input]]) -> Need:
    match = first_match(table.rows, facts)
    rating = int(match.id or 0)
    possible = first_match(table.rows, upper)
    highest = int(possible.upto or possible.id or 0)
    names = match.results[match.id].used if match.id else frozenset()
    up_to = highest if highest > rating else None
    note = f"May be up to {up_to}. {_ask(possible, facts, rating)}" if up_to else ""
    return Need(table.code, table.name, rating, table.texts.get(match.id or "", read(FILE)["else"]), shown(names, inputs), up_to, note)


def _ask(possible: Match, facts: Mapping[str, object], rating: int) -> str:
    """What keeps the rows above the rating open: unknown facts, and facts that are only partly known."""
    open_rows = [result for id, result in possible.results.items() if int(id) > rating and result.truth is not False]
    names = frozenset().union(*(result.unknown or result.used for result in open_rows))
    return ask(names)


def _level(facts: Mapping[str, object]) -> tuple[str, str, frozenset[str]]:
    rules = level_rules()
    match = first_match([(id, when) for id, (when, _) in rules.items()], facts)
    if match.id is None:
        raise ContentError(f"{FILE}: no level rule applies")
    level, why = choose(rules[match.id][1], facts)
    return match.id, level, match.results[match.id].used | why


def _highest(facts: Mapping[str, object]) -> str:
    """The highest level among the rules that are, or may still turn out to be, the first true one."""
    rules = level_rules()
    match = first_match([(id, when) for id, (when, _) in rules.items()], facts)
    open_rules = [id for id, result in match.results.items() if result.truth is not False]
    return max((level for id in open_rules for level in _possible(rules[id][1], facts)), key=list(levels()).index)


def _possible(rows: Sequence[Choice], facts: Mapping[str, object]) -> Iterator[str]:
    """The values of the rows that are, or may still turn out to be, the first true one."""
    for row in rows:
        truth = row.when is None or row.when.evaluate(facts).truth
        if truth is not False:
            yield row.value
        if truth is True:
            return


def _true_rows(table: str, facts: Mapping[str, object]) -> list[Mapping[str, Any]]:
    return [row for row in read(FILE)[table] if condition(row["if"], f"{FILE}, {table}").evaluate(facts).truth is True]
