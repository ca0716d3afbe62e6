"""What two people were told about the things both of them write: kept by what the pages said, never by what the tables hold."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class State:
    """What a thing says, and how often it was saved to say so: a text that was changed and changed back was saved twice."""

    value: Any = None
    saves: int = 0


@dataclass
class Told:
    """`saved`: what was acknowledged last, by thing. `seen`: what each person's open page of a thing shows as saved.

    A thing is an answer (code, item), a part's id, or a component's id.
    """

    saved: dict[Hashable, State] = field(default_factory=dict)
    seen: dict[tuple[str, Hashable], State] = field(default_factory=dict)

    def now(self, thing: Hashable) -> State:
        return self.saved.get(thing, State())

    def reads(self, who: str, thing: Hashable) -> None:
        """Opened the page of it, or was shown both texts."""
        self.seen[who, thing] = self.now(thing)

    def acknowledged(self, who: str, thing: Hashable, value: Any) -> None:
        """Was told that it is saved, and goes on from there. What somebody else has saved alike meanwhile is not saved again."""
        if self.current(who, thing) or self.now(thing).value != value:
            self.saved[thing] = State(value, self.now(thing).saves + 1)
        self.reads(who, thing)

    def forget(self, thing: Hashable) -> None:
        """Nobody can write it any more: submitted, taken out, signed."""
        self.saved[thing] = State(None, self.now(thing).saves + 1)

    def current(self, who: str, thing: Hashable) -> bool:
        """Whether nothing was saved since this person looked."""
        return self.seen.get((who, thing)) == self.now(thing)

    def would_overwrite(self, who: str, thing: Hashable, value: Any) -> bool:
        """Whether saving `value` would take away what somebody was told is saved, and what this person has never seen."""
        return not self.current(who, thing) and self.now(thing).value not in (None, value)

    def values(self, *things: Hashable) -> dict[Hashable, Any]:
        """What is acknowledged of these things, without those that say nothing."""
        return {thing: state.value for thing in things if (state := self.now(thing)).value is not None}
