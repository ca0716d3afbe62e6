"""Why a condition is true, said in words: which answer, score or rule, and what counts.

`because` walks the condition and says only what made it true: all parts of an `and`, the true parts of an `or`.
"""

import ast
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from intake.answers import State
from intake.conditions import Condition
from intake.content_files import ContentError
from intake.facts import FACTS
from intake.rules import condition
from plans.components import read

COMPARED = {
    ast.GtE: "{label} is {value}, and {limit} or more counts.",
    ast.LtE: "{label} is {value}, and {limit} or less counts.",
    ast.Gt: "{label} is {value}, and more than {limit} counts.",
    ast.Lt: "{label} is {value}, and less than {limit} counts.",
    ast.Eq: "{label} is {value}.",
    ast.NotEq: "{label} is {value}, not {limit}.",
    ast.In: "{label} is {value}.",
    ast.NotIn: "{label} is {value}, not {limit}.",
}


@cache
def words() -> dict[str, dict[str, str]]:
    """How each fact is said (reasons.yaml)."""
    facts: dict[str, dict[str, str]] = read("reasons.yaml")["facts"]
    for name, row in facts.items():
        if name not in FACTS or not ("label" in row or {"is_so", "is_not"} <= set(row)):
            raise ContentError(f"reasons.yaml, {name}: must be a fact and have `label`, or both `is_so` and `is_not`")
    return facts


def because(rule: Condition, facts: Mapping[str, object], names: Mapping[str, str]) -> tuple[str, ...]:
    """Sentences for a condition that is true; `names` holds the names of the fired rules by id ("SF-06": "Overdose risk").

    What speaks for it comes first, what does not stand in its way after. Empty when the condition is not true.
    """
    if rule.evaluate(facts).truth is not True:
        return ()
    said = list(dict.fromkeys(_true(_tree(rule.text), facts, names)))
    return tuple(text for _, text in sorted(said, key=lambda item: item[0]))


def ask(rule: Condition, facts: Mapping[str, object]) -> tuple[str, ...]:
    """What to ask to decide a condition that is unknown, in words, each once."""
    unknown = sorted(rule.evaluate(facts).unknown)
    return tuple(dict.fromkeys(FACTS[name].ask for name in unknown))


@cache
def _tree(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


@cache
def _part(node: ast.expr) -> Condition:
    """A part of a condition as one of its own: trees live as long as the process."""
    return condition(ast.unparse(node), "a part of a condition")


def _truth(node: ast.expr, facts: Mapping[str, object]) -> bool | None:
    return _part(node).evaluate(facts).truth


def _true(node: ast.expr, facts: Mapping[str, object], names: Mapping[str, str]) -> list[tuple[int, str]]:
    """(0, sentence) for what speaks for it, (1, sentence) for what does not stand in its way."""
    match node:
        case ast.BoolOp(values=values):
            return [said for value in values if _truth(value, facts) is True for said in _true(value, facts, names)]
        case ast.UnaryOp(op=ast.Not(), operand=ast.Name(id=name)):
            return [] if facts.get(name) is State.NA else [(1, _says(name, "is_not", names))]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return [(1, f"It does not hold that {ast.unparse(operand)}.")]
        case ast.Name(id=name):
            return [(0, _says(name, "is_so", names))]
        case ast.Compare(left=ast.Name(id=name), ops=[operator], comparators=[limit]):
            kind = 1 if isinstance(operator, ast.NotIn | ast.Lt | ast.LtE) else 0
            return [(kind, _compared(name, operator, limit, facts[name]))]
    return [(0, f"{ast.unparse(node)}.")]


def _says(name: str, which: str, names: Mapping[str, str]) -> str:
    rule_id = name.upper().replace("_", "-")
    if name[:3] in ("sf_", "ix_"):
        title = f" ({names[rule_id]})" if rule_id in names else ""
        return f"{rule_id}{title} is raised." if which == "is_so" else f"{rule_id} is not raised."
    return words()[name][which]


def _compared(name: str, operator: ast.cmpop, limit: ast.expr, value: object) -> str:
    row = words()[name]
    unit = f" {row['unit']}" if "unit" in row else ""
    bound = ast.literal_eval(limit)
    said = " or ".join(map(str, bound)) if isinstance(bound, tuple | list) else str(bound)
    return COMPARED[type(operator)].format(label=row["label"], value=f"{plain(value)}{unit}", limit=said)


def plain(value: Any) -> str:
    """A value as it is read: 32 for Decimal("32.0"), yes and no for booleans."""
    match value:
        case bool():
            return "yes" if value else "no"
        case Decimal() if value == value.to_integral_value():
            return str(int(value))
        case Decimal():
            return format(value.normalize(), "f")
        case date():
            return f"{value.day} {value:%b %Y}"
    return str(value)
