"""The proof card of each firing: its inputs alone reproduce it, and without them it does not fire. Made for every rule from its cases."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intake import flags, interactions
from intake.content_files import read
from intake.facts.names import FACTS
from intake.rules import SEVERITIES, Fired, Input, Rule, fire

RULES: Mapping[str, Rule] = {**flags.flags(), **interactions.interactions()}
ROWS: list[dict[str, Any]] = [*read("flags.yaml")["rules"], *read("interactions.yaml")["rules"]]
FIRING = [(row["id"], case) for row in ROWS for case in row["cases"] if case["then"] in SEVERITIES]


def firing(rule_id: str, facts: Mapping[str, object]) -> Fired | None:
    """The rule over these facts, each shown under its own name."""
    inputs = {name: (Input(name, name, str(value), "told"),) for name, value in facts.items() if value is not None}
    return next(iter(fire([RULES[rule_id]], facts, inputs).fired), None)


def holds(rule_id: str, facts: Mapping[str, object]) -> None:
    fired = firing(rule_id, facts)
    assert fired is not None
    listed = {row.name for row in fired.inputs}
    alone = firing(rule_id, {name: facts[name] for name in listed})
    assert alone is not None, "the card's inputs alone do not make it fire"
    assert (alone.severity, alone.message) == (fired.severity, fired.message)
    assert firing(rule_id, {name: value for name, value in facts.items() if name not in listed}) is None, "it fires without its inputs"


@pytest.mark.parametrize(("rule_id", "case"), FIRING, ids=[f"{rule_id} {case['says']}" for rule_id, case in FIRING])
def test_the_inputs_of_the_card_alone_make_it_fire_and_without_them_it_does_not(rule_id: str, case: dict[str, Any]) -> None:
    holds(rule_id, case["given"])


def facts_of(rule: Rule) -> st.SearchStrategy[dict[str, object]]:
    """Any facts that the rule looks at, each known or not."""
    values: dict[str, st.SearchStrategy[object]] = {
        "bool": st.sampled_from([True, False, None]),
        "number": st.sampled_from([None, 0, 1, 3, 4, 5, 8, 16, 17, 25, 450, 471, 500]),
        "text": st.sampled_from([None, "NONE", "NOT_SCREENED", "LOW", "MODERATE", "HIGH", "F", "M", "other"]),
    }
    names = {*rule.fires_if.names, *(name for row in (*rule.severity, *rule.message) if row.when for name in row.when.names)}
    return st.fixed_dictionaries({name: values[FACTS[name].kind] for name in sorted(names)})


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_whatever_is_known_besides_the_card_is_enough_and_needed(rule: Rule) -> None:
    @settings(max_examples=12)
    @given(facts_of(rule))
    def whenever_it_fires(facts: dict[str, object]) -> None:
        if firing(rule.id, facts) is not None:
            holds(rule.id, facts)

    whenever_it_fires()


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_each_card_says_what_would_clear_it_and_where_it_comes_from(rule: Rule) -> None:
    assert rule.clears.endswith(".") and rule.source and rule.grade and rule.action
