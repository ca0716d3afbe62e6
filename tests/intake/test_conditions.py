"""The language of rules: three-valued logic as a table and against a second evaluator, what it refuses, and what it shows."""

from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.answers import State
from intake.conditions import MAX_LENGTH, ConditionError, Step, compile_condition, first_match

T, F, U = True, False, None
KINDS = dict.fromkeys("abc", "bool") | dict.fromkeys("nm", "number") | {"word": "text"}


def truth(text: str, **facts: object) -> bool | None:
    return compile_condition(text, KINDS).evaluate(facts).truth


# Kleene's tables (1938): a, b, a and b, a or b

KLEENE = [
    (T, T, T, T),
    (T, U, U, T),
    (T, F, F, T),
    (U, T, U, T),
    (U, U, U, U),
    (U, F, F, U),
    (F, T, F, T),
    (F, U, F, U),
    (F, F, F, F),
]


@pytest.mark.parametrize(("a", "b", "both", "either"), KLEENE)
def test_and_and_or_follow_kleene(a: bool | None, b: bool | None, both: bool | None, either: bool | None) -> None:
    assert truth("a and b", a=a, b=b) is both
    assert truth("a or b", a=a, b=b) is either


@pytest.mark.parametrize(("a", "opposite"), [(T, F), (U, U), (F, T)])
def test_the_opposite_of_unknown_is_unknown(a: bool | None, opposite: bool | None) -> None:
    assert truth("not a", a=a) is opposite
    assert truth("not not a", a=a) is a


def test_a_fact_that_is_not_there_is_as_unknown_as_none() -> None:
    assert truth("a") is truth("a", a=None) is None


# Comparisons: (sentence, condition, facts, truth)

COMPARED: list[tuple[str, str, dict[str, object], bool | None]] = [
    ("at the limit", "n >= 13", {"n": 13}, T),
    ("below the limit", "n >= 13", {"n": 12}, F),
    ("above is not at", "n > 13", {"n": 13}, F),
    ("at most", "n <= 13", {"n": 13}, T),
    ("below", "n < 13", {"n": 13}, F),
    ("equal", "n == 13", {"n": 13}, T),
    ("unequal", "n != 13", {"n": 13}, F),
    ("an unknown number is not at least 0", "n >= 0", {}, U),
    ("nor is it below everything", "n < 1000", {}, U),
    ("nor unequal", "n != 3", {}, U),
    ("a fraction is exact", "n >= 4.9", {"n": Decimal("4.9")}, T),
    ("a fraction below", "n >= 4.9", {"n": Decimal("4.8999999999999999")}, F),
    ("0.1 is a tenth and not a float", "n == 0.1", {"n": Decimal(1) / 10}, T),
    ("a negative number", "n > -1", {"n": 0}, T),
    ("two facts", "n > m", {"n": 2, "m": 1}, T),
    ("two facts, one unknown", "n > m", {"n": 2}, U),
    ("a chain holds at both ends", "1 <= n < 3", {"n": 1}, T),
    ("a chain breaks at one end", "1 <= n < 3", {"n": 3}, F),
    ("a chain of an unknown", "1 <= n < 3", {}, U),
    ("a broken link decides a chain of which another is unknown", "1 <= n < m", {"n": 0}, F),
    ("a word", 'word == "HIGH"', {"word": "HIGH"}, T),
    ("another word", 'word == "HIGH"', {"word": "high"}, F),
    ("an unknown word", 'word == "HIGH"', {}, U),
    ("one of several", 'word in ("LOW", "HIGH")', {"word": "HIGH"}, T),
    ("none of several", 'word in ("LOW", "HIGH")', {"word": "NONE"}, F),
    ("unknown among several", 'word in ("LOW", "HIGH")', {}, U),
    ("not one of several", 'word not in ("LOW", "HIGH")', {"word": "NONE"}, T),
    ("not one of several, unknown", 'word not in ("LOW", "HIGH")', {}, U),
    ("numbers in a list", "n in [2, 3]", {"n": 3}, T),
    ("the lowest of two", "min(n, m) < 3", {"n": 5, "m": 2}, T),
    ("the highest of two", "max(n, m) < 3", {"n": 5, "m": 2}, F),
    ("the lowest with one unknown is unknown", "min(n, m) < 3", {"n": 2}, U),
    ("the lowest of something that does not apply is no number", "min(n, m) < 3", {"n": State.NA, "m": 2}, F),
    ("a yes compared", "a == True", {"a": True}, T),
    ("what does not apply is false", "a", {"a": State.NA}, F),
    ("so is every comparison with it", "n >= 0", {"n": State.NA}, F),
    ("and with its opposite", "n < 0", {"n": State.NA}, F),
    ("it is not even unequal", "n != 3", {"n": State.NA}, F),
    ("nor outside a list", 'word not in ("LOW",)', {"word": State.NA}, F),
    ("though not false is true", "not a", {"a": State.NA}, T),
    ("true alone", "True", {}, T),
    ("false alone", "False", {}, F),
]


@pytest.mark.parametrize(("text", "facts", "expected"), [row[1:] for row in COMPARED], ids=[row[0] for row in COMPARED])
def test_comparisons_know_what_is_not_known(text: str, facts: dict[str, object], expected: bool | None) -> None:
    assert truth(text, **facts) is expected


# A second evaluator: a sentence is true (false) when it is so under every completion of what its parts leave open.
# It works on its own tree, by the numbers 0, 1/2 and 1, and shares nothing with the first.

LEAVES = st.one_of(
    st.sampled_from(["a", "b", "c"]),
    st.tuples(st.sampled_from(["n", "m"]), st.sampled_from(["<", "<=", "==", "!=", ">=", ">"]), st.integers(0, 3)),
    st.tuples(st.just("word"), st.sampled_from(["in", "not in"]), st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, max_size=2)),
)
TREES = st.recursive(
    LEAVES,
    lambda below: st.one_of(
        st.tuples(st.just("not"), below),
        st.tuples(st.sampled_from(["and", "or"]), st.lists(below, min_size=2, max_size=3)),
    ),
    max_leaves=12,
)
FACTS = st.fixed_dictionaries(
    {name: st.sampled_from([True, False, None]) for name in "abc"}
    | {name: st.sampled_from([0, 1, 2, 3, None]) for name in "nm"}
    | {"word": st.sampled_from(["x", "y", "z", None])}
)
SIGNS: dict[str, tuple[int, ...]] = {"<": (-1,), "<=": (-1, 0), "==": (0,), "!=": (-1, 1), ">=": (0, 1), ">": (1,)}


def written(tree: Any) -> str:
    match tree:
        case str(name):
            return name
        case ("not", below):
            return f"not ({written(below)})"
        case ("and" | "or" as word, list(parts)):
            return f" {word} ".join(f"({written(part)})" for part in parts)
        case (name, comparison, list(values)):
            listed = ", ".join(f'"{value}"' for value in values)
            return f"{name} {comparison} ({listed},)"
        case (name, comparison, number):
            return f"{name} {comparison} {number}"
    raise AssertionError(tree)


def degree(tree: Any, facts: dict[str, Any]) -> int:
    """0 false, 1 unknown, 2 true: `and` is the least, `or` the greatest, `not` the mirror."""
    match tree:
        case str(name):
            return {True: 2, None: 1, False: 0}[facts[name]]
        case ("not", below):
            return 2 - degree(below, facts)
        case ("and", list(parts)):
            return min(degree(part, facts) for part in parts)
        case ("or", list(parts)):
            return max(degree(part, facts) for part in parts)
        case (name, _, _) if facts[name] is None:
            return 1
        case (name, comparison, list(values)):
            return 2 if (facts[name] in values) == (comparison == "in") else 0
        case (name, comparison, number):
            sign = (facts[name] > number) - (facts[name] < number)
            return 2 if sign in SIGNS[comparison] else 0
    raise AssertionError(tree)


@given(TREES, FACTS)
def test_any_condition_agrees_with_the_second_evaluator(tree: Any, facts: dict[str, Any]) -> None:
    result = compile_condition(written(tree), KINDS).evaluate(facts)
    assert result.truth is {0: False, 1: None, 2: True}[degree(tree, facts)]


@given(TREES, FACTS)
def test_what_was_used_is_known_and_enough_and_what_is_open_is_not(tree: Any, facts: dict[str, Any]) -> None:
    """The facts shown as used decide alone; a condition is open exactly when it names facts that keep it so."""
    condition = compile_condition(written(tree), KINDS)
    result = condition.evaluate(facts)
    assert all(facts[name] is not None for name in result.used)
    assert all(facts[name] is None for name in result.unknown)
    assert bool(result.unknown) is (result.truth is None)
    if result.truth is not None:
        assert condition.evaluate({name: facts[name] for name in result.used}).truth is result.truth


@given(TREES, FACTS, FACTS)
def test_learning_more_changes_no_decided_condition(tree: Any, facts: dict[str, Any], more: dict[str, Any]) -> None:
    condition = compile_condition(written(tree), KINDS)
    before = condition.evaluate(facts).truth
    after = condition.evaluate({name: more[name] if value is None else value for name, value in facts.items()}).truth
    assert before is None or after is before


@given(TREES, FACTS)
def test_the_whole_condition_is_the_last_step(tree: Any, facts: dict[str, Any]) -> None:
    result = compile_condition(written(tree), KINDS).evaluate(facts)
    assert result.trace[-1].truth is result.truth
    assert compile_condition(result.trace[-1].text, KINDS).evaluate(facts).truth is result.truth


# What is shown


def test_the_trace_names_each_part_with_its_value_inner_before_outer() -> None:
    result = compile_condition("n >= 13 and not a", KINDS).evaluate({"n": 15, "a": False})
    assert result.trace == (
        Step("n", None, 15),
        Step("n >= 13", True),
        Step("a", False, False),
        Step("not a", True),
        Step("n >= 13 and (not a)", True),
    )


@pytest.mark.parametrize(
    ("text", "facts", "used", "unknown"),
    [
        ("a and b", {"a": True, "b": True}, {"a", "b"}, set()),
        ("a and b", {"a": False, "b": True}, {"a"}, set()),
        ("a and b", {"a": False}, {"a"}, set()),
        ("a or b", {"a": True, "b": False}, {"a"}, set()),
        ("a or b", {"a": True}, {"a"}, set()),
        ("a and b", {"a": True}, {"a"}, {"b"}),
        ("a and (b or n > 3)", {"a": True, "b": False}, {"a", "b"}, {"n"}),
        ("n > m", {"n": 1}, {"n"}, {"m"}),
        ("True", {}, set(), set()),
    ],
)
def test_what_decided_it_and_what_keeps_it_open_are_named(text: str, facts: dict[str, object], used: set[str], unknown: set[str]) -> None:
    result = compile_condition(text, KINDS).evaluate(facts)
    assert (result.used, result.unknown) == (used, unknown)


def test_a_condition_knows_the_facts_it_looks_at() -> None:
    assert compile_condition("a and min(n, m) > 2 or word in ('x',)", KINDS).names == {"a", "n", "m", "word"}


# What is refused

REFUSED = [
    ("a name that is no fact", "a and nonsense", "no fact 'nonsense' at character 7"),
    ("an attribute", "a.real", "Attribute"),
    ("a call", "print(a)", "Call"),
    ("a call of nothing", "min() > 2", "Call"),
    ("a call with names", "min(n, key=m) > 2", "Call"),
    ("min inside max", "max(min(n, m), 2) > 1", "not nested"),
    ("arithmetic", "n + 1 > 2", "BinOp"),
    ("a subscript", "a[0]", "Subscript"),
    ("a lambda", "lambda: a", "Lambda"),
    ("a comprehension", "[a for a in b]", "ListComp"),
    ("an assignment", "a = b", "Cannot read"),
    ("a walrus", "(n := 3) > 2", "NamedExpr"),
    ("identity", "a is b", "Is is not part"),
    ("a bare number", "3", "Constant"),
    ("a bare text", "'a'", "Constant"),
    ("a list of names", "n in (m,)", "Name"),
    ("an empty list", "n in ()", "list of values"),
    ("membership in a text", "word in 'HIGH'", "list of values"),
    ("a complex number", "n > 3j", "Constant"),
    ("bytes", "word == b'x'", "Constant"),
    ("a template", "word == f'{n}'", "JoinedStr"),
    ("a conditional", "a if b else c", "IfExp"),
    ("a choice of minus", "n > -m", "UnaryOp"),
    ("two statements", "a; b", "Cannot read"),
    ("a list that is compared", "n in (1, 2) < 3", "Tuple is not part"),
    ("a number beyond all numbers", "n < 1e400", "too large at character 5"),
    ("one below them all", "n > -1e400", "too large"),
    ("a number as truth", "n", "n is neither yes nor no and must be compared at character 1"),
    ("a text as truth", "a and not word", "word is neither yes nor no"),
    ("the least as truth", "min(n, m)", "Call"),
    ("a number and a text", "n > 'many'", "n is a number and 'many' a text: they do not compare at character 5"),
    ("a text and a number", "word == 3", "word is a text and 3 a number"),
    ("a number and a truth", "n == True", "n is a number and True a bool"),
    ("a truth and a number", "a == 1", "a is a bool and 1 a number"),
    ("two facts of two kinds", "n == word", "they do not compare"),
    ("a list of two kinds", "n in (1, 'a')", "n is a number and 'a' a text"),
    ("a list of another kind", "word not in (1, 2)", "they do not compare"),
    ("the second link of a chain", "1 < n < word", "they do not compare"),
    ("the least of a truth", "min(b, n) > 1", "min is of numbers, and b is none"),
    ("the most of a text", "max(n, 'x') > 1", "max is of numbers"),
    ("more than yes", "a > False", "Only numbers are more or less, and a is a bool"),
    ("more than a word", "word >= 'HIGH'", "Only numbers are more or less, and word is a text"),
    ("nothing", "", "Cannot read"),
    ("half a condition", "a and", "Cannot read"),
    ("NUL", "a and \0b", "Cannot read"),
    ("a novel", "a or " * MAX_LENGTH + "a", "longer than"),
    ("an onion", "not " * 100 + "a", "too deeply"),
    ("an onion of brackets", "(" * 900 + "a" + ")" * 900, "Cannot read"),
]


@pytest.mark.parametrize(("text", "says"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_no_condition_is_refused_with_a_sentence(text: str, says: str) -> None:
    with pytest.raises(ConditionError, match=says):
        compile_condition(text, KINDS)


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("n > 3", {"n": "many"}),
        ("word == 3", {"word": "HIGH"}),
        ("word == 'HIGH'", {"word": 3}),
        ("a > 3", {"a": True}),
        ("n == True", {"n": 1}),
        ("min(n, word) < 3", {"n": 1, "word": "x"}),
        ("n", {"n": 3}),
        ("word", {"word": "yes"}),
    ],
)
def test_a_fact_of_the_wrong_kind_is_an_error_and_not_false(text: str, facts: dict[str, object]) -> None:
    with pytest.raises(ConditionError):
        truth(text, **facts)


# Tables: the first true row counts

ROWS = [(str(at), compile_condition(name, KINDS)) for at, name in ((3, "a"), (2, "b"), (1, "c"))]


@pytest.mark.parametrize("facts", list(product([T, F, U], repeat=3)))
def test_the_first_true_row_counts_and_an_open_one_above_it_is_remembered(facts: tuple[bool | None, ...]) -> None:
    match = first_match(ROWS, dict(zip("abc", facts, strict=True)))
    first = facts.index(True) if True in facts else 3
    open_above = [at for at in range(first) if facts[at] is None]
    assert match.id == (str(3 - first) if first < 3 else None)
    assert match.upto == (str(3 - open_above[0]) if open_above else None)
