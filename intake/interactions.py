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


def by_medicine(rests_on: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """Interactions that rest on the same medicine: its name, and two ids or more in the given order. `rests_on`: medicines by rule id.

    A rule that rests on several stands under the one that most rules share, the first by name of equals.
    """
    left = {rule_id: medicines for rule_id, medicines in rests_on.items() if rule_id.startswith("IX")}
    groups: dict[str, list[str]] = {}
    while True:
        shared = {name: [rule_id for rule_id in left if name in left[rule_id]] for names in left.values() for name in names}
        name = min(shared, key=lambda each: (-len(shared[each]), each), default="")
        if not name or len(shared[name]) == 1:
            return groups
        groups[name] = shared[name]
        left = {rule_id: medicines for rule_id, medicines in left.items() if rule_id not in shared[name]}


def any_interaction(truths: Mapping[str, bool | None]) -> bool | None:
    """Whether at least one rule fired: true, false, or unknown while one cannot be told yet."""
    found = set(truths.values())
    return True if True in found else None if None in found else False
