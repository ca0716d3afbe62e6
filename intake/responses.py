"""Answers to and from a FHIR R4 QuestionnaireResponse, each in its state.

Declined and not applicable are items without an answer that carry the data-absent-reason extension; a missing answer
is simply absent. Item texts and answer displays are stored as they were.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from intake.answers import MISSING, STATE_WORDS, Answer, Answers, Key, State, from_json, in_zone, to_json
from intake.questionnaire import Item, Questionnaire

ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
REASONS = {State.DECLINED: "asked-declined", State.NA: "not-applicable"}
STATES = {reason: state for state, reason in REASONS.items()}
MAX_ROW_DIGITS = 6


def to_response(questionnaire: Questionnaire, answers: Answers, enabled: Iterable[Key], zone: tzinfo | None = None) -> dict[str, Any]:
    """The QuestionnaireResponse of the enabled items: answers of hidden branches and missing ones are left out.

    FHIR has no time without a zone: one that was typed without is a time of `zone`.
    """
    writer = _Writer(answers, frozenset(enabled), rows_of(questionnaire, answers), zone)
    items = [row for item in questionnaire.items for row in writer.write(item, "")]
    response: dict[str, Any] = {"resourceType": "QuestionnaireResponse", "questionnaire": questionnaire.key, "status": "in-progress"}
    return response | ({"item": items} if items else {})


@dataclass(frozen=True)
class _Writer:
    answers: Answers
    enabled: frozenset[Key]
    rows: "Rows"
    zone: tzinfo | None

    def write(self, item: Item, outer: str) -> list[dict[str, Any]]:
        """The response items of one questionnaire item: none, one, or one for each row of a repeating group."""
        if item.type == "display":
            return []
        if item.type == "group":
            places = self.rows.filled(item.link_id, outer) if item.repeats else [outer]
            rows = [{"linkId": item.link_id} | _text(item) | self._below(item, place) for place in places]
            return [row for row in rows if "item" in row]
        row = {"linkId": item.link_id} | _text(item) | self._said(item, outer)
        return [row] if row.keys() & {"answer", "extension", "item"} else []

    def _said(self, item: Item, outer: str) -> dict[str, Any]:
        """An answer with what is asked below it; what is asked below no answer stands beside the reason why there is none."""
        below = self._below(item, outer)
        answer = self.answers.get((item.link_id, outer), MISSING)
        if (item.link_id, outer) not in self.enabled or answer.state is State.MISSING:
            return below
        if answer.state is not State.GIVEN:
            return {"extension": [{"url": ABSENT, "valueCode": REASONS[answer.state]}]} | below
        first, *others = to_json(Answer(answer.state, tuple(in_zone(value, self.zone) for value in answer.values)))
        return {"answer": [first | below, *others]}

    def _below(self, item: Item, place: str) -> dict[str, Any]:
        rows = [row for child in item.children for row in self.write(child, place)]
        return {"item": rows} if rows else {}


def _text(item: Item) -> dict[str, Any]:
    return {"text": item.text} if item.text else {}


@dataclass(frozen=True)
class Rows:
    """Which rows each repeating group has inside each outer row. used: those that hold an answer; taken: the last ever written."""

    used: Mapping[Key, frozenset[int]]
    taken: Mapping[Key, int]

    def filled(self, group: str, outer: str) -> list[str]:
        """The rows in which something is answered or declined, in order."""
        return [_inside(outer, number) for number in sorted(self.used.get((group, outer), ()))]

    def following(self, group: str, outer: str) -> str:
        """The row that is written next. The number of a row that was taken back is not given again: its answers have versions."""
        return _inside(outer, self.taken.get((group, outer), 0) + 1)


def rows_of(questionnaire: Questionnaire, answers: Answers) -> Rows:
    """The rows of every repeating group, from one look at each answer."""
    used: dict[Key, set[int]] = {}
    taken: dict[Key, int] = {}
    for (link_id, instance), answer in answers.items():
        groups = questionnaire.repeating_above.get(link_id, ())
        numbers = instance.split(".") if instance else []
        if len(numbers) != len(groups) or not all(map(_is_number, numbers)):
            continue
        for depth, group in enumerate(groups):
            key, number = (group, ".".join(numbers[:depth])), int(numbers[depth])
            taken[key] = max(number, taken.get(key, 0))
            if answer.state is not State.MISSING:
                used.setdefault(key, set()).add(number)
    return Rows({key: frozenset(numbers) for key, numbers in used.items()}, taken)


def _inside(outer: str, number: int) -> str:
    return f"{outer}.{number}" if outer else str(number)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MAX_ROW_DIGITS and not text.startswith("0")


def from_response(questionnaire: Questionnaire, response: Mapping[str, Any]) -> dict[Key, Answer]:
    """The answers of a QuestionnaireResponse.

    Raises ValueError, with the linkId, for an item the questionnaire has not, one that stands twice and what cannot be read.
    """
    answers: dict[Key, Answer] = {}
    _read(questionnaire, _list(response, "item", "the response"), "", answers)
    return answers


def _read(questionnaire: Questionnaire, rows: Iterable[Mapping[str, Any]], outer: str, answers: dict[Key, Answer]) -> None:
    counts: dict[str, int] = {}
    for row in rows:
        link_id = row.get("linkId")
        item = questionnaire.by_id.get(link_id) if isinstance(link_id, str) else None
        if item is None:
            raise ValueError(f"The questionnaire has no item {link_id!r}.")
        where = f"item {link_id}"
        if item.type == "group":
            instance = outer
            if item.repeats:
                counts[item.link_id] = counts.get(item.link_id, 0) + 1
                instance = _inside(outer, counts[item.link_id])
            _read(questionnaire, _list(row, "item", where), instance, answers)
            continue
        given = _list(row, "answer", where)
        if (answer := _answer(item, row, given)) is not None:
            if (item.link_id, outer) in answers:
                raise ValueError(f"{where} stands twice in the response.")
            answers[item.link_id, outer] = answer
        below = [child for value in given for child in _list(value, "item", where)] + _list(row, "item", where)
        if below:
            _read(questionnaire, below, outer, answers)


def _list(row: Mapping[str, Any], element: str, where: str) -> list[Mapping[str, Any]]:
    if element not in row:
        return []
    found = row[element]
    if not isinstance(found, list) or not all([isinstance(each, dict) for each in found]):
        raise ValueError(f"{where}: {element} must be a list of objects.")
    return found


def _answer(item: Item, row: Mapping[str, Any], given: list[Mapping[str, Any]]) -> Answer | None:
    if values := [answer for answer in given if any([key.startswith("value") for key in answer])]:
        return from_json(item, State.GIVEN, values)
    for extension in _list(row, "extension", f"item {item.link_id}"):
        if extension.get("url") == ABSENT and extension.get("valueCode") in STATES:
            return Answer(STATES[extension["valueCode"]])
    return None


def said(row: Mapping[str, Any]) -> tuple[str, str]:
    """The state and the words of one response item, for a reader who has no questionnaire at hand."""
    for extension in row.get("extension", []):
        if extension.get("url") == ABSENT:
            state = STATES[extension["valueCode"]]
            return state.value, STATE_WORDS[state]
    return State.GIVEN.value, ", ".join(_said(answer) for answer in row.get("answer", []))


def _said(answer: Mapping[str, Any]) -> str:
    value = next(value for key, value in answer.items() if key.startswith("value"))
    match value:
        case bool():
            return "Yes" if value else "No"
        case dict():
            return str(value.get("display") or value.get("code", ""))
    return str(value)
