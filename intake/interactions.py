"""Interaction rules IX-01 to IX-22 (interactions.yaml), without those that look at the plan itself."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache

from intake.rules import Input, Outcome, Rule, fire, load

FILE = "interactions.yaml"


@cache
def interactions() -> Mapping[str, Rule]:
    """Every interaction rule by id. Raises ContentError."""
    return load(FILE)


def evaluate(facts: Mapping[str, object], inputs: Mapping[str, Sequence[Input]], *, off: Collection[str] = ()) -> Outcome:
    """The interactions that fire. off: ids that the program switched off, which are not shown."""
    return fire(list(interactions().values()), facts, inputs, off)


def any_interaction(truths: Mapping[str, bool | None]) -> bool | None:
    """Whether at least one rule fired: true, false, or unknown while one cannot be told yet."""
    found = set(truths.values())
    return True if True in found else None if None in found else False
