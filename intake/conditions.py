"""Readable conditions over facts, with three-valued logic: unknown is not false.

The language is a restricted Python expression: names, numbers, texts, True and False, comparisons (also chained and
`in (...)`), `and`, `or`, `not`, and `min(...)` / `max(...)` of numbers. Nothing else is understood: no attributes, no
other calls, no arithmetic. Logic after Kleene (1938): `not unknown` is unknown, `unknown and false` is false,
`unknown or true` is true. A fact that is None or not in the mapping is unknown. A fact that does not apply
(State.NA) is known: it is false, and so is every comparison with it.
"""

import ast
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from intake.answers import State

Truth = bool | None

MAX_LENGTH = 2000  # characters: longer than any rule, short enough that parsing stays cheap
MAX_DEPTH = 20

COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
EXTREMES = {"min": min, "max": max}
NOTHING: frozenset[str] = frozenset()


class ConditionError(ValueError):
    """A condition that cannot be read or evaluated. The message says what and where."""


class Step(NamedTuple):
    """One sub-expression: its text, its truth (None for unknown, and for operands), its value when it has one."""

    text: str
    truth: Truth
    value: object = None


@dataclass(frozen=True)
class Result:
    """What a condition came to.

    trace: every sub-expression, inner before outer, the whole condition last. unknown: the facts that keep it
    undecided, empty when it is decided. used: the known facts that decided it.
    """

    truth: Truth
    trace: tuple[Step, ...]
    unknown: frozenset[str]
    used: frozenset[str]


@dataclass(frozen=True)
class Match:
    """The first true row. `upto`: the first row above it that is still unknown, or None."""

    id: str | None
    upto: str | None
    results: Mapping[str, Result]


@dataclass(frozen=True)
class Condition:
    """A condition that was read and found lawful. `names`: the facts it looks at."""

    text: str
    names: frozenset[str]
    _tree: ast.expr

    def evaluate(self, facts: Mapping[str, object]) -> Result:
        """Kleene's truth of this condition over the facts. Raises ConditionError on facts of the wrong kind."""
        steps: list[Step] = []
        part = _evaluate(self._tree, facts, steps)
        return Result(part.truth, tuple(steps), part.unknown, part.used)


class _Part(NamedTuple):
    truth: Truth
    unknown: frozenset[str]
    used: frozenset[str]


def compile_condition(text: str, kinds: Mapping[str, str]) -> Condition:
    """Read a condition over the facts of `kinds`: bool, number or text by name.

    Raises ConditionError naming the position of whatever is not part of the language or compares what does not compare.
    """
    text = " ".join(text.split())
    if len(text) > MAX_LENGTH:
        raise ConditionError(f"The condition is longer than {MAX_LENGTH} characters.")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = getattr(error, "offset", None) or 1
        raise ConditionError(f"Cannot read the condition at character {where}: {text!r}.") from error
    _check_truth(tree, kinds, 0)
    names = frozenset(n.id for n in ast.walk(tree) if isinstance(n, ast.Name)) - set(EXTREMES)
    return Condition(text, names, tree)


def first_match(rows: Sequence[tuple[str, Condition]], facts: Mapping[str, object]) -> Match:
    """The first row that is true, and the first one above it that might still turn out to be."""
    results: dict[str, Result] = {}
    upto = None
    for id, condition in rows:
        results[id] = condition.evaluate(facts)
        if results[id].truth is True:
            return Match(id, upto, results)
        if results[id].truth is None and upto is None:
            upto = id
    return Match(None, upto, results)


# Kleene's connectives


def kleene_not(truth: Truth) -> Truth:
    return None if truth is None else not truth


def kleene_and(truths: Iterable[Truth]) -> Truth:
    truths = tuple(truths)
    return False if False in truths else None if None in truths else True


def kleene_or(truths: Iterable[Truth]) -> Truth:
    truths = tuple(truths)
    return True if True in truths else None if None in truths else False


# Reading: what the language allows


def _refuse(node: ast.AST, why: str) -> ConditionError:
    return ConditionError(f"{why} at character {getattr(node, 'col_offset', 0) + 1}.")


def _check_truth(node: ast.expr, kinds: Mapping[str, str], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _refuse(node, "The condition is nested too deeply")
    match node:
        case ast.BoolOp(values=values):
            for value in values:
                _check_truth(value, kinds, depth + 1)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _check_truth(operand, kinds, depth + 1)
        case ast.Compare(left=left, ops=operators, comparators=others):
            for op, one, other in zip(operators, [left, *others], others, strict=False):
                _check_comparison(op, one, other, kinds)
        case ast.Name() | ast.Constant(value=bool()):
            if _kind(node, kinds) != "bool":
                raise _refuse(node, f"{ast.unparse(node)} is neither yes nor no and must be compared")
        case _:
            raise _refuse(node, f"{type(node).__name__} is not part of the language")


def _check_comparison(op: ast.cmpop, one: ast.expr, other: ast.expr, kinds: Mapping[str, str]) -> None:
    kind = _kind(one, kinds)
    if isinstance(op, ast.In | ast.NotIn):
        if not isinstance(other, ast.Tuple | ast.List) or not other.elts:
            raise _refuse(other, "`in` needs a list of values in brackets")
        for element in other.elts:
            _constant(element)
            _check_alike(one, kind, element, _kind(element, kinds))
    elif type(op) in COMPARISONS:
        _check_alike(one, kind, other, _kind(other, kinds))
        if type(op) not in (ast.Eq, ast.NotEq) and kind != "number":
            raise _refuse(one, f"Only numbers are more or less, and {ast.unparse(one)} is a {kind}")
    else:
        raise _refuse(other, f"{type(op).__name__} is not part of the language")


def _check_alike(one: ast.expr, kind: str, other: ast.expr, its_kind: str) -> None:
    if kind != its_kind:
        raise _refuse(other, f"{ast.unparse(one)} is a {kind} and {ast.unparse(other)} a {its_kind}: they do not compare")


def _kind(node: ast.expr, kinds: Mapping[str, str]) -> str:
    """bool, number or text: what an operand is. Raises ConditionError for what is none."""
    match node:
        case ast.Name(id=name):
            if name not in kinds:
                raise _refuse(node, f"There is no fact {name!r}")
            return kinds[name]
        case ast.Call(func=ast.Name(id="min" | "max" as extreme), args=args, keywords=[]) if args:
            for arg in args:
                if isinstance(arg, ast.Call):
                    raise _refuse(arg, "min and max are not nested")
                if _kind(arg, kinds) != "number":
                    raise _refuse(arg, f"{extreme} is of numbers, and {ast.unparse(arg)} is none")
            return "number"
    value = _constant(node)
    return "bool" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


@cache
def _constant(node: ast.expr) -> object:
    """A constant's value; fractions are decimals, exact as written."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)) if not isinstance(number, bool):
            return -_exact(node, number)
        case ast.Constant(value=bool() | str() as value):
            return value
        case ast.Constant(value=int() | float() as number):
            return _exact(node, number)
    raise _refuse(node, f"{type(node).__name__} is not part of the language")


def _exact(node: ast.expr, number: int | float) -> int | Decimal:
    if isinstance(number, float) and not math.isfinite(number):
        raise _refuse(node, "The number is too large")
    return number if isinstance(number, int) else Decimal(repr(number))


# Evaluating


def _evaluate(node: ast.expr, facts: Mapping[str, object], steps: list[Step]) -> _Part:
    match node:
        case ast.Name(id=name):
            part = _bare(name, facts)
        case ast.BoolOp(op=op, values=values):
            part = _connect(isinstance(op, ast.And), [_evaluate(value, facts, steps) for value in values])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _evaluate(operand, facts, steps)
            part = _Part(kleene_not(inner.truth), inner.unknown, inner.used)
        case ast.Compare(left=left, ops=operators, comparators=others):
            part = _compare(left, operators, others, facts, steps)
        case _:
            part = _Part(_constant(node) is True, NOTHING, NOTHING)
    value = facts.get(node.id) if isinstance(node, ast.Name) else None
    steps.append(Step(_said(node), part.truth, value))
    return part


@cache
def _said(node: ast.expr) -> str:
    """A part of a condition as text, written out once: conditions live as long as the process."""
    return ast.unparse(node)


def _connect(is_and: bool, parts: list[_Part]) -> _Part:
    """What decided it: for a false `and` its false parts, for a true `or` its true ones, else all of them."""
    truth = (kleene_and if is_and else kleene_or)(part.truth for part in parts)
    if truth is None:
        return _Part(None, _union(p.unknown for p in parts if p.truth is None), _union(p.used for p in parts))
    return _Part(truth, NOTHING, _union(p.used for p in parts if p.truth is truth))


def _bare(name: str, facts: Mapping[str, object]) -> _Part:
    value = facts.get(name)
    if value is State.NA:
        value = False
    if value is None:
        return _Part(None, frozenset({name}), NOTHING)
    if not isinstance(value, bool):
        raise ConditionError(f"The fact {name!r} is {value!r}: neither yes nor no, it must be compared.")
    return _Part(value, NOTHING, frozenset({name}))


def _compare(left: ast.expr, operators: list[ast.cmpop], others: list[ast.expr], facts: Mapping[str, object], steps: list[Step]) -> _Part:
    """A chain `a <= b < c` is true when each link is, as in Python."""
    operands = [left, *(other for op, other in zip(operators, others, strict=True) if not isinstance(op, ast.In | ast.NotIn))]
    for operand in operands:
        if not isinstance(operand, ast.Constant):
            steps.append(Step(_said(operand), None, _value(operand, facts)))
    links, here = [], left
    for op, other in zip(operators, others, strict=True):
        names = _names(here) | _names(other)
        truth = _link(op, here, other, facts)
        missing = frozenset(name for name in names if facts.get(name) is None)
        links.append(_Part(truth, missing if truth is None else NOTHING, names - missing))
        here = other
    return _connect(True, links)


def _link(op: ast.cmpop, left: ast.expr, right: ast.expr, facts: Mapping[str, object]) -> Truth:
    a = _value(left, facts)
    if isinstance(op, ast.In | ast.NotIn) and isinstance(right, ast.Tuple | ast.List):
        choices = [_constant(element) for element in right.elts]
        truths = [_compared(ast.Eq(), a, choice) for choice in choices]
        found = kleene_or(truths)
        if a is State.NA:
            return False
        return kleene_not(found) if isinstance(op, ast.NotIn) else found
    return _compared(op, a, _value(right, facts))


def _compared(op: ast.cmpop, a: object, b: object) -> Truth:
    if a is State.NA or b is State.NA:
        return False
    if a is None or b is None:
        return None
    if isinstance(a, str) != isinstance(b, str) or isinstance(a, bool) != isinstance(b, bool):
        raise ConditionError(f"{a!r} cannot be compared with {b!r}.")
    return COMPARISONS[type(op)](a, b)


def _value(node: ast.expr, facts: Mapping[str, object]) -> object:
    match node:
        case ast.Name(id=name):
            return facts.get(name)
        case ast.Call(func=ast.Name(id=extreme), args=args):
            values = [_value(arg, facts) for arg in args]
            return _extreme(extreme, values)
    return _constant(node)


def _extreme(name: str, values: list[Any]) -> object:
    if None in values:
        return None
    if State.NA in values:
        return State.NA
    try:
        return EXTREMES[name](values)
    except TypeError:
        raise ConditionError(f"There is no {name} of {', '.join(map(repr, values))}.") from None


@cache
def _names(node: ast.expr) -> frozenset[str]:
    return frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name)) - set(EXTREMES)


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return NOTHING.union(*sets)
