"""From facts to suggestions: which components apply to this person, and why, in words.

Order as in the clinical content specification, 3.1: components first, then the rules that look at the plan (IX-15,
the planned half of IX-19 and IX-20), and MED-04 last, because it sees every interaction.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from intake.facts import FACTS
from intake.rules import Fired, Input, condition
from plans.components import Answered, Component, answered_by, answers, load_components, read
from plans.reasons import ask, because, plain

LAST = "MED-04"
BUPRENORPHINE = "DTX-04"
LOPERAMIDE, LOFEXIDINE = "loperamide", "lofexidine"
SEVERE = ("CRITICAL", "HIGH")


@dataclass(frozen=True)
class Suggestion:
    """One component that applies.

    tier "today", "core" or "consider"; because: sentences; answers_flags: the CRITICAL and HIGH rules it answers;
    contra_now: the contraindications that hold now; reason_needed: declining it asks for a reason.
    """

    component: Component
    tier: str
    because: tuple[str, ...]
    answers_flags: tuple[str, ...]
    contraindication: str
    contra_now: tuple[str, ...]
    citation: str
    grade: str
    reason_needed: bool


@dataclass(frozen=True)
class Undecided:
    """A component of which it cannot be told yet whether it applies. `ask`: what would tell."""

    component: Component
    ask: tuple[str, ...]

    @property
    def sentence(self) -> str:
        return f"Cannot tell yet: ask {'; '.join(self.ask)}."


@dataclass(frozen=True)
class Gate:
    """The start gate of buprenorphine (5.2). `met` None: cannot be told yet."""

    cows_threshold: int
    min_hours: int
    met: bool | None
    sentence: str


@dataclass(frozen=True)
class Suggested:
    """What `suggest` gives back. `plan_rules`: IX-15, IX-19, IX-20 as the plan makes them; `facts`: with those rules in."""

    suggestions: tuple[Suggestion, ...]
    undecided: tuple[Undecided, ...]
    plan_rules: tuple[Fired, ...]
    facts: Mapping[str, object]


def suggest(
    facts: Mapping[str, object],
    fired: Iterable[Fired],
    *,
    planned: Collection[str] = (),
) -> Suggested:
    """Every component that applies, SAF-02 first, then in library order; tiers as in 5.4.

    facts: snake_case facts of intake/facts.py; None is unknown, and an unknown condition suggests nothing.
    fired: the open safety flags and interactions. planned: ids of components already in the plan and names of
    planned medicines.
    """
    library = load_components()
    fired = tuple(fired)
    applies = {c.id: c.applies_if.evaluate(facts).truth for c in library.values() if c.id != LAST}
    suggested = {id for id, truth in applies.items() if truth is True}
    rules = plan_rules(facts, fired, {*suggested, *planned})
    facts = {**facts, **{_fact(rule.rule_id): True for rule in rules}, "any_ix": _any_ix(facts, rules)}
    applies[LAST] = library[LAST].applies_if.evaluate(facts).truth
    flags = {rule.rule_id: rule for rule in (*fired, *rules)}
    answered = {rule_id: answered_by(rule_id, facts) for rule_id in severe_of(flags.values())}
    names = {rule_id: rule.name for rule_id, rule in flags.items()}
    chosen = (c for c in library.values() if applies[c.id] is True)
    first = answers()["first"]
    made = sorted((_suggestion(c, facts, names, answered) for c in chosen), key=lambda s: s.component.id not in first)
    open_ = tuple(Undecided(c, ask(c.applies_if, facts)) for c in library.values() if applies[c.id] is None)
    return Suggested(tuple(made), open_, rules, facts)


def plan_rules(facts: Mapping[str, object], fired: Iterable[Fired], in_plan: Collection[str]) -> tuple[Fired, ...]:
    """IX-15, and the halves of IX-19 and IX-20 that look at the plan. in_plan: component ids and medicine names.

    A rule that fired already is given again only when the plan makes it more severe (IX-20).
    """
    before = {rule.rule_id: rule for rule in fired}
    chosen = {name.casefold() for name in in_plan}
    other_qt = sorted(chosen & set(_plan_content()["qt_prolonging"]))
    rules = []
    if BUPRENORPHINE in in_plan:
        gate = ("planned", "Start gate", start_gate(facts).sentence, "this assessment")
        rules.append(_fired("IX-15", ("planned", "DTX-04", "suggested or in the plan", "plan"), gate))
    if LOPERAMIDE in chosen and (other_qt or facts.get("medclass_qt_prolonging") is True) and "IX-19" not in before:
        other = ", ".join(other_qt) or "a current QT-prolonging medicine"
        rules.append(_fired("IX-19", ("planned", "Planned medicines", f"loperamide with {other}", "plan")))
    if LOFEXIDINE in chosen and _holds("kuh_daily and medclass_cyp2d6_inhibitor_strong", facts):
        rules.append(_planned_lofexidine(before.get("IX-20")))
    return tuple(rules)


def start_gate(facts: Mapping[str, object]) -> Gate:
    """Whether the first dose of buprenorphine may be given: COWS total and hours since the last kratom and the last opioid (5.2).

    With an unknown kind of product or opioid the stricter row counts. It is as of the assessment; no dose is computed.
    """
    rows = _plan_content()["buprenorphine_start"]
    row = next(r for r in rows if condition(r["if"], "plan_rules.yaml").evaluate(facts).truth is not False)
    cows, hours = row["cows_threshold"], row["min_hours"]
    opioids = facts.get("opioid_30d") is not False
    kratom = facts.get("kuh_current") is not False
    asked = (("kratom or 7-OH", "hours_since_last_use", kratom), ("other opioid", "hours_since_last_opioid", opioids))
    times = {of: fact for of, fact, counts in asked if counts}
    needs = [f"cows_total >= {cows}", *(f"{fact} >= {hours}" for fact in times.values())]
    met = condition(" and ".join(needs), "start gate").evaluate(facts).truth
    needed = f"the first dose needs a COWS of {cows} or more and {hours} hours or more since the last {' and the last '.join(times)}"
    now = [f"COWS was {_value(facts, 'cows_total')}", *(f"hours since the last {of} {_value(facts, fact)}" for of, fact in times.items())]
    verdict = {True: "Start gate met", False: "Start gate not met: wait and re-score", None: "Start gate cannot be told yet"}[met]
    extra = f" {_plan_content()['extended_release']}" if opioids else ""
    return Gate(cows, hours, met, f"{verdict}; {needed} (at the assessment: {', '.join(now)}).{extra}")


def reason_needed(component: Component, severe_flags: Collection[str]) -> bool:
    """Whether declining asks for a reason: SAF, DTX-05, or it answers an open CRITICAL or HIGH flag."""
    always = answers()["always_ask_reason"]
    return component.group in always["groups"] or component.id in always["components"] or bool(severe_flags)


def severe_of(rules: Iterable[Fired]) -> list[str]:
    """The ids of the CRITICAL and HIGH ones."""
    return [rule.rule_id for rule in rules if rule.severity in SEVERE]


def answers_flags(component_id: str, severe: Iterable[str], facts: Mapping[str, object]) -> tuple[str, ...]:
    """The rules of `severe` that this component answers (alone or with others)."""
    return _answers(component_id, {rule_id: answered_by(rule_id, facts) for rule_id in severe})


def _answers(component_id: str, answered: Mapping[str, Answered | None]) -> tuple[str, ...]:
    return tuple(rule_id for rule_id, answer in answered.items() if answer and any(component_id in group for group in answer.groups))


def may_be_held(component: Component) -> bool:
    """Whether a high suicide risk holds it until the emergency evaluation is recorded: whatever is no safety component (3.2)."""
    return component.group not in answers()["not_held_by_sf_01"]["groups"]


def tier(component: Component, severe_flags: Collection[str]) -> str:
    """ "today", "core" or "consider": the first that fits (5.4)."""
    tiers = answers()["tiers"]
    if severe_flags or component.group in tiers["today"]["groups"]:
        return "today"
    return "core" if component.id in tiers["core"]["components"] else "consider"


def _suggestion(
    component: Component, facts: Mapping[str, object], names: Mapping[str, str], answered: Mapping[str, Answered | None]
) -> Suggestion:
    """names: of the fired rules by id. answered: what answers each severe one."""
    severe = _answers(component.id, answered)
    return Suggestion(
        component=component,
        tier=tier(component, severe),
        because=because(component.applies_if, facts, names),
        answers_flags=severe,
        contraindication=component.contra,
        contra_now=contra_now(component, facts),
        citation=component.cite,
        grade=component.grade,
        reason_needed=reason_needed(component, severe),
    )


def not_suggested(component_id: str, facts: Mapping[str, object], severe: Iterable[str]) -> Suggestion:
    """A component that stands in a plan though the facts do not suggest it: chosen by hand, or no longer suggested.

    Raises KeyError when there is no such component.
    """
    component = load_components()[component_id]
    answered = answers_flags(component_id, severe, facts)
    return Suggestion(
        component=component, tier=tier(component, answered), because=(), answers_flags=answered, contraindication=component.contra,
        contra_now=contra_now(component, facts), citation=component.cite, grade=component.grade,
        reason_needed=reason_needed(component, answered),
    )  # fmt: skip


def contraindicated(component: Component, facts: Mapping[str, object]) -> tuple[str, ...]:
    """The contraindications of the library that the facts say hold now."""
    return tuple(warns.says for warns in component.contra_if if warns.condition.evaluate(facts).truth is True)


def contra_now(component: Component, facts: Mapping[str, object]) -> tuple[str, ...]:
    """The contraindications that the facts say hold now; for DTX-04 also a start gate that is not met."""
    now = [*contraindicated(component, facts)]
    if component.id == BUPRENORPHINE and not (gate := start_gate(facts)).met:
        now.append(gate.sentence)
    return tuple(now)


def planned_medicines(texts: Iterable[str]) -> set[str]:
    """The medicines of the plan rules that stand as words in these texts, whatever their capitals."""
    names = {LOPERAMIDE, LOFEXIDINE, *_plan_content()["qt_prolonging"]}
    return names & {word for text in texts for word in re.findall(r"\w+", text.casefold())}


@cache
def _plan_content() -> Mapping[str, Any]:
    return read("plan_rules.yaml")


def _holds(text: str, facts: Mapping[str, object]) -> bool:
    return condition(text, "plan_rules.yaml").evaluate(facts).truth is True


def _fired(rule_id: str, *inputs: tuple[str, str, str, str]) -> Fired:
    row = _plan_content()["rules"][rule_id]
    checker = _plan_content()["checker"]
    return Fired(rule_id=rule_id, inputs=tuple(Input(*values) for values in inputs), checker=checker, **row)


def _planned_lofexidine(fired: Fired | None) -> Fired:
    chosen = _fired("IX-20", ("planned", "Planned medicines", "lofexidine", "plan"))
    return replace(fired, severity=chosen.severity, inputs=(*fired.inputs, *chosen.inputs)) if fired else chosen


def _any_ix(facts: Mapping[str, object], rules: tuple[Fired, ...]) -> object:
    return True if rules else facts.get("any_ix")


def _fact(rule_id: str) -> str:
    return rule_id.lower().replace("-", "_")


def _value(facts: Mapping[str, object], name: str) -> str:
    value = facts.get(name)
    return f"not known yet (ask {FACTS[name].ask})" if value is None else plain(value)
