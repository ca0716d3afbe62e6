"""The invented people of plans/content/demo.yaml as typed answers: patients of the demo clinic, cases of the acceptance tests."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from intake.answers import Answer, Key, parse_answer, posted_value
from intake.content_files import questionnaire
from intake.questionnaire import Item, Questionnaire
from plans.components import read

DECLINED = "DECLINED"
HOURS_AGO = {"last_use_hours_ago": "last_use_datetime", "opioid_last_use_hours_ago": "opioid_last_use"}


@dataclass(frozen=True)
class Invented:
    """One invented person: who they are, and the answers they give, by questionnaire."""

    code: str
    person: Mapping[str, Any]
    answers: Mapping[str, Any]

    def filled(self, instrument: str, at: datetime.datetime) -> dict[Key, Answer]:
        """The typed answers of one questionnaire, as if given at that time."""
        form = questionnaire(instrument)
        return dict(_answers(form, self.answers[instrument], at))


@cache
def people() -> Mapping[str, Invented]:
    """All of them by code, V1 to V6."""
    return {code: Invented(code, row["person"], row["answers"]) for code, row in read("demo.yaml")["people"].items()}


def _answers(form: Questionnaire, given: Any, at: datetime.datetime) -> Iterator[tuple[Key, Answer]]:
    rows = {str(place): value for place, value in enumerate(given, 1)} if isinstance(given, Sequence) else given
    for name, value in rows.items():
        if name in HOURS_AGO:
            name, value = HOURS_AGO[name], (at - datetime.timedelta(hours=value)).strftime("%Y-%m-%dT%H:%M")
        item = form.by_id[name]
        if item.type != "group":
            yield (name, ""), _answer(item, value)
            continue
        for place, row in enumerate(value, 1):
            for part, inner in row.items():
                child = form.by_id[f"{name}.{part}"]
                yield (child.link_id, str(place)), _answer(child, inner)


def _answer(item: Item, value: Any) -> Answer:
    if value == DECLINED:
        return parse_answer(item, (), declined=True)
    values = value if isinstance(value, list) else [value]
    return parse_answer(item, [_posted(item, part) for part in values])


def _posted(item: Item, value: Any) -> str:
    """What a form would post for this value; a number in a scored question is the weight of the answer."""
    if isinstance(value, bool):
        return "true" if value else "false"
    for option in item.options:
        if option.weight is not None and isinstance(value, int) and option.weight == value:
            return posted_value(option.value)
    return str(value)
