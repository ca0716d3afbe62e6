"""Reading one filled questionnaire: a value, or None for whatever is not known."""

import datetime
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from functools import cached_property

from intake.answers import Answer, Answers, Coding, Key, State
from intake.branching import applying
from intake.questionnaire import Questionnaire

UNANSWERED = Answer(State.MISSING)


@dataclass(frozen=True)
class Filled:
    """A questionnaire with its answers and the time they were last given; `by` is whoever did, as shown.

    by_clinicians: clinicians of the program recorded every answer. earlier: the same questionnaire as it was submitted before,
    newest first, where that still matters (a suicide screen). times: when each single answer was given, as far as that is known.
    """

    questionnaire: Questionnaire
    answers: Answers
    at: datetime.datetime
    by: str = ""
    by_clinicians: bool = False
    earlier: tuple["Filled", ...] = ()
    times: Mapping[Key, datetime.datetime] = field(default_factory=dict)

    @cached_property
    def enabled(self) -> frozenset[Key]:
        """The items whose branch applies; the others count for nothing."""
        return applying(self.questionnaire, self.answers)

    @property
    def origin(self) -> str:
        """Where its answers come from, in words."""
        said = f"{self.questionnaire.title}, {self.at.day} {self.at:%b %Y}"
        return f"{said}, {self.by}" if self.by else said

    def answer(self, link_id: str, instance: str = "") -> Answer:
        """The answer of an item whose branch applies, else a missing one."""
        key = (link_id, instance)
        return self.answers.get(key, UNANSWERED) if key in self.enabled else UNANSWERED

    def value(self, link_id: str, instance: str = "") -> object:
        """The single value given, None when there is none."""
        found = self.answer(link_id, instance)
        return found.values[0] if found.state is State.GIVEN and found.values else None

    def recorded(self, link_id: str) -> object:
        """The single value recorded, even where its question should have been skipped; None when there is none."""
        found = self.answers.get((link_id, ""), UNANSWERED)
        return found.values[0] if found.values else None

    def given_at(self, link_id: str) -> datetime.datetime:
        """When this answer was given; where only the whole is dated, when that was."""
        return self.times.get((link_id, ""), self.at)

    def yes(self, link_id: str, instance: str = "") -> bool | None:
        value = self.value(link_id, instance)
        return value if isinstance(value, bool) else None

    def number(self, link_id: str, instance: str = "") -> int | Decimal | None:
        value = self.value(link_id, instance)
        return value if isinstance(value, int | Decimal) and not isinstance(value, bool) else None

    def code(self, link_id: str, instance: str = "") -> str | None:
        value = self.value(link_id, instance)
        return value.code if isinstance(value, Coding) else None

    def text(self, link_id: str, instance: str = "") -> str | None:
        value = self.value(link_id, instance)
        if isinstance(value, Coding):
            return value.display or value.code
        return value if isinstance(value, str) else None

    def points(self, link_id: str) -> int | None:
        """The weight of the answer that was chosen."""
        value = self.value(link_id)
        weight = self.questionnaire.by_id[link_id].weight_of(value) if isinstance(value, Coding) else None
        return None if weight is None else int(weight)

    def codes(self, link_id: str, instance: str = "") -> frozenset[str] | None:
        """The codes of a multiple choice, None when it is not answered."""
        found = self.answer(link_id, instance)
        if found.state is not State.GIVEN:
            return None
        return frozenset(value.code for value in found.values if isinstance(value, Coding))

    def unanswered(self, link_ids: Collection[str]) -> bool:
        """Whether one of these items is open or declined although its branch applies."""
        open_ = [id for id in link_ids if (id, "") in self.enabled and self.answer(id).state in (State.MISSING, State.DECLINED)]
        return bool(open_)

    def rows(self, group: str) -> Iterator[str]:
        """The instances of a repeating group that applies in which something is answered, in order."""
        prefix = f"{group}."
        instances = {
            key[1].split(".")[0]
            for key, answer in self.answers.items()
            if key[0].startswith(prefix) and key[1] and key in self.enabled and answer.state is not State.MISSING
        }
        return iter(sorted(instances, key=int))


def hours_since(moment: object, at: datetime.datetime) -> Decimal | None:
    """Hours from a moment to now; a time typed without a zone is the clinic's. None for a time that is still to come."""
    if not isinstance(moment, datetime.datetime):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=at.tzinfo)
    hours = Decimal((at - moment).total_seconds()) / 3600
    # Down, not half up: what must have passed has passed only when it has.
    return hours.quantize(Decimal("0.1"), ROUND_DOWN) if hours >= 0 else None


def either(*truths: bool | None) -> bool | None:
    """Kleene or: true when one is, unknown when one is not known, else false."""
    return True if True in truths else None if None in truths else False


def both(*truths: bool | None) -> bool | None:
    """Kleene and: false when one is, unknown when one is not known, else true."""
    return False if False in truths else None if None in truths else True
