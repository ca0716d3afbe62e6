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


def what_changed(before: Sequence[Mapping[str, str]], now: Sequence[Mapping[str, str]]) -> list[str]:
    """Which inputs of a proof (rows of label and value) differ, each as a sentence: "COWS was 9, is 14".

    Where and when they were said is no difference.
    """
    was, are = ({row["label"]: row["value"] for row in rows} for rows in (before, now))
    changed = [f"{label} was {value}, is {are[label]}" for label, value in was.items() if are.get(label, value) != value]
    gone = [f"{label} ({value}) counts no longer" for label, value in was.items() if label not in are]
    new = [f"{label} is new: {value}" for label, value in are.items() if label not in was]
    return changed + gone + new
