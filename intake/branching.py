"""What applies: the only evaluator of enableWhen. One pure function, for forms, autosave, submit and import tests."""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from intake.answers import Answer, Answers, Key, State, Value, same, value_problem
from intake.questionnaire import EnableWhen, Item, Questionnaire
from intake.responses import Rows, rows_of, to_response


@dataclass(frozen=True)
class Evaluation:
    """What follows from the answers.

    enabled and disabled: the item instances whose branch applies, and those whose does not. missing_required: required
    questions among the enabled ones without an answer (declined is an answer), and required groups without one inside.
    unanswered: enabled questions nobody has answered yet, in rows that exist. errors: a sentence for each answer that cannot
    be right; answers whose branch does not apply are not looked at. calculated: values by linkId.
    """

    questionnaire: Questionnaire
    answers: Answers
    enabled: frozenset[Key]
    disabled: frozenset[Key]
    missing_required: tuple[Key, ...]
    unanswered: tuple[Key, ...]
    errors: Mapping[Key, str]
    calculated: Mapping[str, Value] = field(default_factory=dict)

    def response(self, zone: datetime.tzinfo | None = None) -> dict[str, Any]:
        """The QuestionnaireResponse to store: only what applies. A time typed without a zone is one of `zone`."""
        return to_response(self.questionnaire, self.answers, self.enabled, zone)


@dataclass(frozen=True)
class _Place:
    """One item at one place. blank: in a row that does not exist yet, as an empty repeating group still asks its questions."""

    key: Key
    item: Item
    blank: bool


def applying(questionnaire: Questionnaire, answers: Answers) -> frozenset[Key]:
    """The item instances whose branch applies, and nothing else: what facts and scores need to know."""
    rows = rows_of(questionnaire, answers)
    keys = [place.key for item in questionnaire.items for place in _places(item, "", rows, False)]
    return frozenset(_enabled(questionnaire, answers, keys))


def evaluate(questionnaire: Questionnaire, answers: Answers) -> Evaluation:
    """Decide every item instance.

    A row of a repeating group exists when something in it is answered. A group that has none is decided at the place of its
    list, and what it would ask in its first row; that much is required of it too.
    """
    rows = rows_of(questionnaire, answers)
    places = [place for item in questionnaire.items for place in _places(item, "", rows, False)]
    enabled = _enabled(questionnaire, answers, [place.key for place in places])
    shown = [place for place in places if place.key in enabled]
    open_ = [place for place in shown if place.item.is_question and _state(answers, place.key) is State.MISSING]
    asked = _groups_above(questionnaire, (place.key for place in shown if place.item.is_question))
    answered = _groups_above(questionnaire, (key for key in answers if key in enabled and _state(answers, key) is not State.MISSING))
    bare = {place.key for place in shown if place.item.required} & (asked - answered)
    missing = {place.key for place in open_ if place.item.required} | bare
    return Evaluation(
        questionnaire,
        answers,
        frozenset(enabled),
        frozenset(place.key for place in places) - enabled,
        tuple(place.key for place in shown if place.key in missing),
        tuple(place.key for place in open_ if not (place.blank or place.item.read_only or place.item.hidden)),
        _errors(questionnaire, answers, rows, places, enabled),
    )


def _state(answers: Answers, key: Key) -> State:
    found = answers.get(key)
    return found.state if found is not None else State.MISSING


def _places(item: Item, outer: str, rows: Rows, blank: bool) -> Iterator[_Place]:
    """The item and what is below it, in order, once for each row."""
    inside = [outer]
    if item.type == "group" and item.repeats:
        inside = rows.filled(item.link_id, outer)
        if not inside:
            yield _Place((item.link_id, outer), item, blank)
            for child in item.children:
                yield from _places(child, rows.following(item.link_id, outer), rows, True)
    for instance in inside:
        yield _Place((item.link_id, instance), item, blank)
        for child in item.children:
            yield from _places(child, instance, rows, blank)


# What applies


def _enabled(questionnaire: Questionnaire, answers: Answers, keys: list[Key]) -> set[Key]:
    """The keys that apply. Each is decided after everything it depends on, so that no chain of conditions is too long."""
    instances: dict[str, list[str]] = {}
    for link_id, instance in keys:
        instances.setdefault(link_id, []).append(instance)
    enabled: set[Key] = set()
    seen = _Seen(questionnaire)
    for link_id in questionnaire.deciding_order:
        item = questionnaire.by_id[link_id]
        for instance in instances.get(link_id, ()):
            if _parent_applies(questionnaire, item, instance, enabled) and _conditions(item, instance, seen):
                enabled.add((link_id, instance))
                if (answer := answers.get((link_id, instance))) is not None:
                    seen.add(item, instance, answer)
    return enabled


def _parent_applies(questionnaire: Questionnaire, item: Item, instance: str, enabled: set[Key]) -> bool:
    """A list is inside the place around it; an item inside a list without rows is inside the list itself."""
    above = questionnaire.parents[item.link_id]
    if above is None:
        return True
    depth = len(questionnaire.repeating_above[item.link_id])
    place = ".".join(instance.split(".")[:depth]) if instance else ""
    return (above, place) in enabled or (_is_list(questionnaire.by_id[above]) and (above, place.rpartition(".")[0]) in enabled)


def _is_list(item: Item) -> bool:
    return item.type == "group" and item.repeats


class _Seen:
    """The answers of what applies, found by question and by the rows a condition shares with it."""

    def __init__(self, questionnaire: Questionnaire) -> None:
        self.questionnaire = questionnaire
        self.answers: dict[tuple[str, str], list[Answer]] = {}

    def add(self, item: Item, instance: str, answer: Answer) -> None:
        numbers = instance.split(".") if instance else []
        for depth in range(len(numbers) + 1):
            self.answers.setdefault((item.link_id, ".".join(numbers[:depth])), []).append(answer)

    def by(self, item: Item, instance: str, question: str) -> list[Answer]:
        """The answers to `question` in the rows it shares with the item: one in its own row, all where they share none."""
        ours, theirs = (self.questionnaire.repeating_above[link_id] for link_id in (item.link_id, question))
        common = sum(a == b for a, b in zip(ours, theirs, strict=False))
        return self.answers.get((question, ".".join(instance.split(".")[:common]) if instance else ""), [])


def _conditions(item: Item, instance: str, seen: _Seen) -> bool:
    if not item.enable_when:
        return True
    truths = (_holds(condition, seen.by(item, instance, condition.question)) for condition in item.enable_when)
    return any(truths) if item.enable_any else all(truths)


def _holds(condition: EnableWhen, answers: list[Answer]) -> bool:
    """At least one answer meets it. `!=` on an unanswered question does not hold; nor does a hidden answer count."""
    if condition.operator == "declined":
        return any(answer.state is State.DECLINED for answer in answers)
    values = [value for answer in answers if answer.state is State.GIVEN for value in answer.values]
    if condition.operator == "exists":
        return bool(values) is condition.answer
    return any(_compared(condition.operator, value, condition.answer) for value in values)


# What is wrong or missing


def _groups_above(questionnaire: Questionnaire, keys: Iterable[Key]) -> set[Key]:
    """The groups around these keys, each in its row; around a row that does not exist yet, the list itself."""
    found: set[Key] = set()
    for link_id, instance in keys:
        above = questionnaire.parents[link_id]
        while above is not None:
            depth = len(questionnaire.repeating_above[above])
            numbers = instance.split(".") if instance else []
            found.add((above, ".".join(numbers[:depth])))
            if _is_list(questionnaire.by_id[above]):
                found.add((above, ".".join(numbers[: depth + 1])))
            above = questionnaire.parents[above]
    return found


def _errors(questionnaire: Questionnaire, answers: Answers, rows: Rows, places: list[_Place], enabled: set[Key]) -> dict[Key, str]:
    """A sentence for each answer that cannot be right, for each row too many, and for answers to what is not asked."""
    errors = {}
    for place in places:
        key, item = place.key, place.item
        if key not in enabled:
            continue
        if _is_list(item) and item.max_occurs is not None:
            if key[1] in rows.filled(item.link_id, key[1].rpartition(".")[0])[item.max_occurs :]:
                errors[key] = f"Please list at most {item.max_occurs}; this is one too many."
        elif item.is_question and key in answers and (problem := value_problem(item, answers[key].values)):
            errors[key] = problem
    known = {place.key for place in places}
    for key, answer in answers.items():
        if answer.state is not State.MISSING and (problem := _misplaced(questionnaire, key, known)):
            errors[key] = problem
    return errors


def _misplaced(questionnaire: Questionnaire, key: Key, known: set[Key]) -> str:
    item = questionnaire.by_id.get(key[0])
    if item is None:
        return "This questionnaire has no such question."
    if not item.is_question:
        return "This is not a question, so it takes no answer."
    return "" if key in known else "This answer stands in a row that the questionnaire does not have."


def _compared(operator: str, value: Value, wanted: Value) -> bool:
    if operator in ("=", "!="):
        return same(value, wanted) is (operator == "=")
    try:
        match operator:
            case ">":
                return value > wanted  # type: ignore[operator]
            case "<":
                return value < wanted  # type: ignore[operator]
            case ">=":
                return value >= wanted  # type: ignore[operator]
            case "<=":
                return value <= wanted  # type: ignore[operator]
    except TypeError:  # a year cannot be compared with a day
        return False
    raise ValueError(f"There is no operator {operator!r}.")
