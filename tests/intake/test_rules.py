"""Safety flags and interactions: every case of the content files fires, stays quiet or cannot be told, and the boundaries hold."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intake import flags, interactions
from intake.content_files import ContentError, read
from intake.facts.names import FACTS
from intake.rules import SEVERITIES, Input, Outcome, Rule, choices, choose, condition, fire

ROWS: list[dict[str, Any]] = [*read("flags.yaml")["rules"], *read("interactions.yaml")["rules"]]
RULES: Mapping[str, Rule] = {**flags.flags(), **interactions.interactions()}
CASES = [(row["id"], case) for row in ROWS for case in row["cases"]]


def of(rule_id: str, **facts: object) -> Outcome:
    return fire([RULES[rule_id]], facts, {})


def came_to(rule_id: str, facts: Mapping[str, object]) -> str:
    """The severity with which the rule fires, `quiet` or `cannot tell`."""
    outcome = fire([RULES[rule_id]], facts, {})
    if outcome.fired:
        return outcome.fired[0].severity
    return "cannot tell" if outcome.undecided else "quiet"


# The cases that stand beside each rule


@pytest.mark.parametrize(("rule_id", "case"), CASES, ids=[f"{rule_id} {case['says']}" for rule_id, case in CASES])
def test_each_case_comes_to_what_it_says(rule_id: str, case: dict[str, Any]) -> None:
    assert came_to(rule_id, case["given"]) == case["then"]
    if "message_has" in case:
        assert case["message_has"] in of(rule_id, **case["given"]).fired[0].message


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_each_rule_has_a_case_that_fires_one_that_is_quiet_and_one_that_cannot_be_told(row: dict[str, Any]) -> None:
    outcomes = {case["then"] for case in row["cases"]}
    assert outcomes & set(SEVERITIES)
    assert {"quiet", "cannot tell"} <= outcomes
    assert outcomes <= {*SEVERITIES, "quiet", "cannot tell"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_each_severity_a_rule_may_have_is_shown_by_a_case(row: dict[str, Any]) -> None:
    severities = {choice.value for choice in RULES[row["id"]].severity}
    assert severities == {case["then"] for case in row["cases"]} & set(SEVERITIES)


@pytest.mark.parametrize(("rule_id", "case"), CASES, ids=[f"{rule_id} {case['says']}" for rule_id, case in CASES])
def test_a_case_gives_only_facts_that_exist(rule_id: str, case: dict[str, Any]) -> None:
    assert set(case["given"]) <= set(FACTS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_rule_about_which_nothing_is_known_neither_fires_nor_stays_quiet(row: dict[str, Any]) -> None:
    (undecided,) = of(row["id"]).undecided
    assert undecided.sentence.startswith("Cannot tell yet: ask ")
    assert undecided.asks <= RULES[row["id"]].fires_if.names


# The list itself

SPECIFIED = {
    **{f"IX-{number:02}": {"CRITICAL"} for number in (1, 2, 3, 14)},
    **{f"IX-{number:02}": {"HIGH"} for number in (4, 5, 6, 17, 19, 21, 22)},
    **{f"IX-{number:02}": {"MODERATE"} for number in (7, 9, 18)},
    **{f"IX-{number:02}": {"MODERATE", "HIGH"} for number in (8, 10)},
    **{f"IX-{number:02}": {"HIGH", "CRITICAL"} for number in (12, 13, 16)},
    **{f"IX-{number:02}": {"INFO"} for number in (11, 20)},  # IX-20: MODERATE only in a plan with lofexidine
    **{f"SF-{number:02}": {"CRITICAL"} for number in (1, 2, 8, 12, 15)},
    **{f"SF-{number:02}": {"HIGH"} for number in (3, 5, 6, 7, 13, 16)},
    **{f"SF-{number:02}": {"HIGH", "CRITICAL"} for number in (4, 9, 10, 11)},
    "SF-14": {"INFO"},
}  # IX-15 looks at the plan itself


def test_the_rules_and_their_severities_are_those_of_the_specification() -> None:
    assert {rule.id: {choice.value for choice in rule.severity} for rule in RULES.values()} == SPECIFIED


def test_only_what_cannot_wait_is_raised_from_an_unfinished_intake() -> None:
    assert {rule.id for rule in RULES.values() if rule.draft} == {"SF-01", "SF-02", "SF-04", "SF-12", "SF-15"}


def test_every_rule_says_that_nobody_has_checked_it_yet() -> None:
    outcome = fire(list(RULES.values()), {"kuh_current": True, "opioid_30d": True, "cssrs": "HIGH", "unsafe": True}, {})
    assert {fired.checker for fired in outcome.fired} == {None}
    assert {fired.rule_id for fired in outcome.fired} == {"IX-01", "SF-01", "SF-06", "SF-12"}


# What stands in the specification beyond the cases: (sentence, rule, facts, what it comes to)

KRATOM = {"kuh_current": True}
BEYOND: list[tuple[str, str, dict[str, object], str]] = [
    ("A Z-drug with an opioid is no boxed-warning pair: only benzodiazepines and recent sedative use", "IX-03",
     {"opioid_30d": True, "sedative_30d": False, "medclass_benzodiazepine": False, "medclass_z_drug": True}, "quiet"),
    ("A benzodiazepine on the list although 30-day use is not known", "IX-02", KRATOM | {"medclass_benzodiazepine": True}, "CRITICAL"),
    ("Sertraline and, perhaps, an MAOI: it fires, at the lower severity until it is known", "IX-08",
     KRATOM | {"medclass_serotonergic": True}, "MODERATE"),
    ("Oxycodone as CYP3A substrate", "IX-10", KRATOM | {"medclass_cyp3a_substrate": True, "medclass_opioid": True}, "HIGH"),
    ("ALT 3 x ULN with jaundice", "IX-12", KRATOM | {"alt_x_uln": 3, "jaundice": True}, "CRITICAL"),
    ("No kratom: the liver is no interaction", "IX-12", {"kuh_current": False, "jaundice": True}, "quiet"),
    ("A seizure and tramadol without kratom", "IX-16",
     {"seizure_hx": True, "kuh_current": False, "medclass_seizure_threshold": True, "medicine_tramadol": True}, "CRITICAL"),
    ("A seizure, no kratom, medicines not known", "IX-16", {"seizure_hx": True, "kuh_current": False}, "cannot tell"),
    ("Loperamide 16.5 mg a day", "IX-19", {"loperamide_mg_day": 16.5}, "HIGH"),
    ("A child of 12 without kratom", "IX-22", {"age": 12, "kuh_current": False}, "quiet"),
    ("An adult who was not asked about kratom", "IX-22", {"age": 18}, "quiet"),
    ("Pregnancy only possible is not SF-07", "SF-07", {"pregnant": None, "pregnancy_possible": True}, "cannot tell"),
    ("Item 9 at its highest", "SF-04", {"phq9_item9": 3, "suicide_screened_today": False}, "CRITICAL"),
    ("Item 9 positive and nobody knows of a screen: it stays in the list, at the lower severity only after a screen", "SF-04",
     {"phq9_item9": 1, "suicide_screened_today": True}, "HIGH"),
    ("Daily kratom and a Z-drug", "SF-06", {"kuh_daily": True, "sedative_30d": True}, "HIGH"),
    ("Daily kratom and baclofen", "SF-06", {"kuh_daily": True, "medclass_cns_depressant_other": True}, "HIGH"),
    ("Jaundice without kratom raises the liver flag, critical", "SF-10", {"ix_12": False, "jaundice": True}, "CRITICAL"),
    ("QTc above the limit without kratom", "SF-11", {"ix_13": False, "qtc_prolonged": True, "qtc_ms": 499}, "HIGH"),
    ("AUDIT-C high, last drink long ago, no sedative", "SF-16", {"sedative_daily": False, "alc_active": False}, "quiet"),
]  # fmt: skip


@pytest.mark.parametrize(("rule_id", "facts", "then"), [row[1:] for row in BEYOND], ids=[f"{row[1]} {row[0]}" for row in BEYOND])
def test_the_specification_beyond_the_cases(rule_id: str, facts: dict[str, object], then: str) -> None:
    assert came_to(rule_id, facts) == then


NEEDS_KRATOM = [f"IX-{number:02}" for number in (1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 17, 22)]
YES_NO = frozenset(name for name, fact in FACTS.items() if fact.kind == "bool")


def anything(names: Iterable[str]) -> st.SearchStrategy[dict[str, bool | None]]:
    return st.fixed_dictionaries({name: st.sampled_from([True, False, None]) for name in sorted(names)})


@pytest.mark.parametrize("rule_id", NEEDS_KRATOM)
def test_no_kratom_in_30_days_no_interaction_with_kratom(rule_id: str) -> None:
    @given(anything(RULES[rule_id].fires_if.names & YES_NO))
    def holds(facts: dict[str, bool | None]) -> None:
        assert came_to(rule_id, facts | {"kuh_current": False}) == "quiet"

    holds()


@pytest.mark.parametrize("rule", [rule for rule in RULES.values() if rule.fires_if.names & YES_NO], ids=lambda rule: rule.id)
def test_what_is_decided_stays_so_when_more_becomes_known(rule: Rule) -> None:
    """What is not known never carries a rule: filling the gaps with any yes or no changes no fired and no quiet rule."""

    @given(anything(rule.fires_if.names & YES_NO), st.data())
    @settings(max_examples=40)
    def holds(facts: dict[str, bool | None], data: st.DataObject) -> None:
        before = fire([rule], facts, {}).truths[rule.fact]
        filled = {name: data.draw(st.booleans()) if value is None else value for name, value in facts.items()}
        if before is not None:
            assert fire([rule], filled, {}).truths[rule.fact] is before

    holds()


# How a rule that fired is shown


def shown_as(name: str) -> Input:
    return Input(name, FACTS[name].label, "yes", "asked today")


def test_a_rule_shows_the_facts_that_made_it_fire_and_no_others() -> None:
    facts = {"kuh_current": True, "sedative_30d": False, "medclass_benzodiazepine": True, "medclass_z_drug": None}
    (fired,) = fire([RULES["IX-02"]], facts, {name: [shown_as(name)] for name in FACTS}).fired
    assert [given.name for given in fired.inputs] == ["kuh_current", "medclass_benzodiazepine"]


def test_what_raises_the_severity_is_shown_too() -> None:
    facts = {"kuh_current": True, "qtc_prolonged": True, "qtc_ms": 510}
    (fired,) = fire([RULES["IX-13"]], facts, {name: [shown_as(name)] for name in FACTS}).fired
    assert {given.name for given in fired.inputs} == {"kuh_current", "qtc_prolonged", "qtc_ms"}


def test_a_flag_that_names_an_interaction_shows_what_the_interaction_rests_on() -> None:
    kratom, naltrexone = shown_as("kuh_current"), shown_as("medclass_naltrexone")
    (fired,) = fire([RULES["SF-08"]], {"ix_14": True}, {"ix_14": [kratom, naltrexone]}).fired
    assert fired.inputs == (kratom, naltrexone)


def test_an_undecided_rule_asks_only_for_what_keeps_it_open() -> None:
    (undecided,) = of("IX-02", kuh_current=True, sedative_30d=False, medclass_benzodiazepine=False).undecided
    assert undecided.asks == {"medclass_z_drug"}
    assert undecided.sentence == f"Cannot tell yet: ask {FACTS['medclass_z_drug'].ask}."


def test_a_rule_that_is_switched_off_is_not_shown_and_still_true_for_what_rests_on_it() -> None:
    facts = {"kuh_current": True, "medclass_gabapentinoid": True}
    assert "IX-05" in {fired.rule_id for fired in interactions.evaluate(facts, {}).fired}
    off = interactions.evaluate(facts, {}, off={"IX-05"})
    assert "IX-05" not in {fired.rule_id for fired in off.fired} | {undecided.rule_id for undecided in off.undecided}
    assert off.truths["ix_05"] is True
    assert "SF-14" not in {fired.rule_id for fired in flags.evaluate({"incomplete_cows": True}, {}, off={"SF-14"}).fired}
    assert flags.evaluate({"incomplete_cows": True}, {}, off={"SF-14"}).truths["sf_14"] is True


def test_an_unfinished_intake_raises_only_its_own_flags() -> None:
    facts = {"cssrs": "HIGH", "pregnant": True, "unsafe": True}
    assert [fired.rule_id for fired in flags.evaluate(facts, {}, draft=True).fired] == ["SF-01", "SF-12"]
    assert [fired.rule_id for fired in flags.evaluate(facts, {}).fired] == ["SF-01", "SF-07", "SF-12"]


@pytest.mark.parametrize(
    ("truths", "any_ix"),
    [([True, None, False], True), ([False, None], None), ([False, False], False)],
)
def test_any_interaction_is_unknown_while_one_is(truths: list[bool | None], any_ix: bool | None) -> None:
    assert interactions.any_interaction({f"ix_{at:02}": truth for at, truth in enumerate(truths)}) is any_ix


# Rows that choose a text


def test_the_first_true_row_counts_and_an_unknown_one_does_not() -> None:
    rows = choices([{"when": "jaundice", "is": "a"}, {"when": "liver_disease", "is": "b"}, {"is": "c"}], "here")
    assert choose(rows, {"jaundice": None, "liver_disease": True}) == ("b", {"liver_disease"})
    assert choose(rows, {"jaundice": True, "liver_disease": True})[0] == "a"
    assert choose(rows, {}) == ("c", frozenset())


@pytest.mark.parametrize(
    "rows", [[{"when": "jaundice", "is": "a"}], [{"is": "a"}, {"when": "jaundice", "is": "b"}], [{"is": "a"}, {"is": "b"}], []]
)
def test_rows_without_exactly_one_last_default_are_refused(rows: list[dict[str, str]]) -> None:
    with pytest.raises(ContentError, match="last row"):
        choices(rows, "here")


def test_a_condition_that_names_no_fact_is_refused_with_its_place() -> None:
    with pytest.raises(ContentError, match=r"flags.yaml, SF-99: .*kuh_dayly"):
        condition("kuh_dayly", "flags.yaml, SF-99")


def test_four_flags_are_names_of_an_interaction_and_no_others() -> None:
    pairs = {rule_id: flags.other_names(rule_id) for rule_id in [*flags.flags(), *interactions.interactions()]}
    assert {rule_id: set(names) for rule_id, names in pairs.items() if names} == {
        "SF-08": {"IX-14"}, "SF-09": {"IX-16"}, "SF-10": {"IX-12"}, "SF-11": {"IX-13"},
        "IX-14": {"SF-08"}, "IX-16": {"SF-09"}, "IX-12": {"SF-10"}, "IX-13": {"SF-11"},
    }  # fmt: skip


def test_a_condition_that_compares_what_does_not_compare_is_refused_with_its_place() -> None:
    number = next(name for name, fact in FACTS.items() if fact.kind == "number")
    with pytest.raises(ContentError, match=f"flags.yaml, SF-01: {number} is a number and True a bool"):
        condition(f"{number} == True", "flags.yaml, SF-01")
