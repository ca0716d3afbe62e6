"""Answers to and from a FHIR R4 QuestionnaireResponse, each in its state.

Declined and not applicable are items without an answer that carry the data-absent-reason extension; a missing answer
is simply absent. Item texts and answer displays are stored as they were.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from intake.answers import STATE_WORDS, Answer, Answers, Key, State, from_json, to_json
from intake.questionnaire import Item, Questionnaire

ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
REASONS = {State.DECLINED: "asked-declined", State.NA: "not-applicable"}
STATES = {reason: state for state, reason in REASONS.items()}


def to_response(questionnaire: Questionnaire, answers: Answers, enabled: Iterable[Key]) -> dict[str, Any]:
    """The QuestionnaireResponse of the enabled items: answers of hidden branches and missing ones are left out."""
    keys = frozenset(enabled)
    items = [row for item in questionnaire.items for row in _write(item, "", answers, keys)]
    response: dict[str, Any] = {"resourceType": "QuestionnaireResponse", "questionnaire": questionnaire.key, "status": "in-progress"}
    return response | ({"item": items} if items else {})


def _write(item: Item, outer: str, answers: Answers, enabled: frozenset[Key]) -> list[dict[str, Any]]:
    """The response items of one questionnaire item: none, one, or one for each row of a repeating group."""
    if item.type == "display":
        return []
    if item.type == "group" and item.repeats:
        rows = [_group(item, instance, answers, enabled) for instance in instances(item, outer, answers)]
        return [row for row in rows if "item" in row]
    if item.type == "group":
        row = _group(item, outer, answers, enabled)
        return [row] if "item" in row else []
    if (item.link_id, outer) not in enabled:
        return []
    answer = answers.get((item.link_id, outer))
    if answer is None or answer.state is State.MISSING:
        return []
    row = {"linkId": item.link_id, "text": item.text}
    below = [child for part in item.children for child in _write(part, outer, answers, enabled)]
    if answer.state is State.GIVEN:
        values = to_json(answer)
        row["answer"] = values if not below else [values[0] | {"item": below}, *values[1:]]
    else:
        row["extension"] = [{"url": ABSENT, "valueCode": REASONS[answer.state]}]
    return [row]


def _group(item: Item, instance: str, answers: Answers, enabled: frozenset[Key]) -> dict[str, Any]:
    below = [child for part in item.children for child in _write(part, instance, answers, enabled)]
    return {"linkId": item.link_id} | ({"text": item.text} if item.text else {}) | ({"item": below} if below else {})


def instances(group: Item, outer: str, answers: Answers) -> list[str]:
    """The rows of a repeating group inside one outer row, in order: those in which something is answered or declined."""
    inside = {child.link_id for child in group.walk()}
    depth = len(outer.split(".")) if outer else 0
    prefix = f"{outer}." if outer else ""
    numbers = {
        int(instance.split(".")[depth])
        for (link_id, instance), answer in answers.items()
        if link_id in inside and instance and instance.startswith(prefix) and answer.state is not State.MISSING
    }
    return [f"{prefix}{number}" for number in sorted(numbers)]


def from_response(questionnaire: Questionnaire, response: Mapping[str, Any]) -> dict[Key, Answer]:
    """The answers of a QuestionnaireResponse. Raises ValueError, with the linkId, for an item the questionnaire has not."""
    answers: dict[Key, Answer] = {}
    _read(questionnaire, response.get("item", []), "", answers)
    return answers


def _read(questionnaire: Questionnaire, rows: Iterable[Mapping[str, Any]], outer: str, answers: dict[Key, Answer]) -> None:
    counts: dict[str, int] = {}
    for row in rows:
        link_id = row["linkId"]
        item = questionnaire.by_id.get(link_id)
        if item is None:
            raise ValueError(f"The questionnaire has no item {link_id!r}.")
        if item.type == "group":
            instance = outer
            if item.repeats:
                counts[link_id] = counts.get(link_id, 0) + 1
                instance = f"{outer}.{counts[link_id]}" if outer else str(counts[link_id])
            _read(questionnaire, row.get("item", []), instance, answers)
            continue
        if (answer := _answer(item, row)) is not None:
            answers[link_id, outer] = answer
        below = [child for value in row.get("answer", []) for child in value.get("item", [])] + list(row.get("item", []))
        _read(questionnaire, below, outer, answers)


def _answer(item: Item, row: Mapping[str, Any]) -> Answer | None:
    values = [{key: value for key, value in answer.items() if key.startswith("value")} for answer in row.get("answer", [])]
    if values := [value for value in values if value]:
        return from_json(item, State.GIVEN, values)
    for extension in row.get("extension", []):
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
