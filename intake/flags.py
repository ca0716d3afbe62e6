"""Safety flags SF-01 to SF-16 (flags.yaml). They see the interactions, of which SF-08 to SF-11 are names."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache

from intake.rules import Input, Outcome, Rule, fire, load

FILE = "flags.yaml"
EMERGENCY = "SF-01"  # holds every component that is not a safety one until the emergency evaluation is recorded (3.2)


@cache
def flags() -> Mapping[str, Rule]:
    """Every safety flag by id. Raises ContentError."""
    return load(FILE)


def other_names(rule_id: str) -> frozenset[str]:
    """The rules that tell the same finding: SF-10 is a name of IX-12, which its condition looks at, and the other way round."""
    by_fact = {f"ix_{number:02}": f"IX-{number:02}" for number in range(1, 100)}
    pairs = [(flag.id, by_fact[name]) for flag in flags().values() for name in flag.fires_if.names if name in by_fact]
    return frozenset(two for pair in pairs if rule_id in pair for two in pair if two != rule_id)


def evaluate(
    facts: Mapping[str, object], inputs: Mapping[str, Sequence[Input]], *, off: Collection[str] = (), draft: bool = False
) -> Outcome:
    """The flags that fire. draft: only those that an unfinished intake may raise. off: ids that are not shown."""
    return fire([rule for rule in flags().values() if rule.draft or not draft], facts, inputs, off)
