"""What applies: the only evaluator of enableWhen. One pure function, for forms, autosave, submit and import tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from intake.answers import Answer, Answers, Coding, Key, State, Value, value_problem
from intake.questionnaire import EnableWhen, Item, Questionnaire
from intake.responses import instances, to_response


@dataclass(frozen=True)
class Evaluation:
    """What follows from the answers.

    enabled and disabled: the item instances whose branch applies, and those whose does not. missing_required: required
    questions among the enabled ones without an answer (declined is an answer). unanswered: enabled questions nobody has
    answered yet. errors: a sentence for each answer that cannot be right. calculated: values by linkId.
    """

    questionnaire: Questionnaire
    answers: Answers
    enabled: frozenset[Key]
    disabled: frozenset[Key]
    missing_required: tuple[Key, ...]
    unanswered: tuple[Key, ...]
    errors: Mapping[Key, str]
    calculated: Mapping[str, Value] = field(default_factory=dict)

    def response(self) -> dict[str, Any]:
        """The QuestionnaireResponse to store: only what applies."""
        return to_response(self.questionnaire, self.answers, self.enabled)


def evaluate(questionnaire: Questionnaire, answers: Answers) -> Evaluation:
    """Decide every item instance. Rows of a repeating group exist when something in them is answered."""
    walk = _Walk(questionnaire, answers)
    for item in questionnaire.items:
        walk.visit(item, "", True)
    questions = [(key, questionnaire.by_id[key[0]]) for key in walk.order if key in walk.enabled]
    open_ = [(key, item) for key, item in questions if item.is_question and _state(answers, key) is State.MISSING]
    errors = {
        key: problem
        for key, item in questions
        if key in answers and (problem := value_problem(item, answers[key].values))
    } | {key: "There is no such question." for key in answers if key[0] not in questionnaire.by_id} | walk.too_many
    return Evaluation(
        questionnaire,
        answers,
        frozenset(walk.enabled),
        frozenset(set(walk.order) - walk.enabled),
        tuple(key for key, item in open_ if item.required),
        tuple(key for key, item in open_ if not item.read_only and not item.hidden),
        errors,
    )


def _state(answers: Answers, key: Key) -> State:
    found = answers.get(key)
    return found.state if found is not None else State.MISSING


class _Walk:
    """One pass over the tree; enablement of an item a condition looks at is decided when it is asked for."""

    def __init__(self, questionnaire: Questionnaire, answers: Answers) -> None:
        self.questionnaire, self.answers = questionnaire, answers
        self.order: list[Key] = []
        self.enabled: set[Key] = set()
        self.decided: dict[Key, bool] = {}
        self.too_many: dict[Key, str] = {}

    def visit(self, item: Item, outer: str, above: bool) -> None:
        if item.type == "group" and item.repeats:
            own = above and self._conditions(item, outer)
            rows = instances(item, outer, self.answers)
            if not rows:
                self._note((item.link_id, outer), own)  # the group applies, or does not, before it has a row
            if item.max_occurs is not None and len(rows) > item.max_occurs:
                self.too_many[item.link_id, rows[-1]] = f"Please give {item.max_occurs} at most; there are {len(rows)}."
            for instance in rows:
                self._note((item.link_id, instance), own)
                for child in item.children:
                    self.visit(child, instance, own)
            return
        own = self.is_enabled(item, outer) and above
        self._note((item.link_id, outer), own)
        for child in item.children:
            self.visit(child, outer, own)

    def _note(self, key: Key, enabled: bool) -> None:
        self.order.append(key)
        self.decided[key] = enabled
        if enabled:
            self.enabled.add(key)

    def is_enabled(self, item: Item, instance: str) -> bool:
        """Whether the item applies in this row, its parents included."""
        key = (item.link_id, instance)
        if key not in self.decided:
            above = self.questionnaire.parents[item.link_id]
            parent = self.questionnaire.by_id[above] if above is not None else None
            self.decided[key] = self._conditions(item, instance) and (parent is None or self._parent_enabled(parent, instance))
        return self.decided[key]

    def _parent_enabled(self, parent: Item, instance: str) -> bool:
        if parent.type == "group" and parent.repeats:
            # The row itself: its group's conditions hold in the row around it.
            outer = instance.rpartition(".")[0]
            above = self.questionnaire.parents[parent.link_id]
            higher = self.questionnaire.by_id[above] if above is not None else None
            return self._conditions(parent, outer) and (higher is None or self._parent_enabled(higher, outer))
        return self.is_enabled(parent, instance)

    def _conditions(self, item: Item, instance: str) -> bool:
        if not item.enable_when:
            return True
        truths = (self._holds(condition, item, instance) for condition in item.enable_when)
        return any(truths) if item.enable_any else all(truths)

    def _holds(self, condition: EnableWhen, asking: Item, instance: str) -> bool:
        """At least one answer meets it. `!=` on an unanswered question does not hold; nor does a hidden answer count."""
        answers = self._answers(self.questionnaire.by_id[condition.question], asking, instance)
        if condition.operator == "declined":
            return any(answer.state is State.DECLINED for answer in answers)
        values = [value for answer in answers if answer.state is State.GIVEN for value in answer.values]
        if condition.operator == "exists":
            return bool(values) is condition.answer
        return any(_compared(condition.operator, value, condition.answer) for value in values)

    def _answers(self, item: Item, asking: Item, instance: str) -> list[Answer]:
        """The answers a condition sees: of the row both stand in; of every row inside it where the question repeats further."""
        above = self.questionnaire.repeating_above
        shared = 0
        for one, other in zip(above[item.link_id], above[asking.link_id], strict=False):
            if one != other:
                break
            shared += 1
        prefix = instance.split(".")[:shared] if instance else []
        keys = sorted(key for key in self.answers if key[0] == item.link_id and key[1].split(".")[: len(prefix)] == prefix)
        return [self.answers[key] for key in keys if self.is_enabled(item, key[1])]


def _compared(operator: str, value: Value, wanted: Value) -> bool:
    if operator in ("=", "!="):
        return _equal(value, wanted) is (operator == "=")
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


def _equal(value: Value, wanted: Value) -> bool:
    """Codings by system and code; a coding without a system meets any system."""
    if isinstance(value, Coding) and isinstance(wanted, Coding):
        return value.code == wanted.code and (not value.system or not wanted.system or value.system == wanted.system)
    if isinstance(value, bool) != isinstance(wanted, bool):
        return False
    if isinstance(value, int | Decimal) and isinstance(wanted, int | Decimal):
        return Decimal(value) == Decimal(wanted)
    return value == wanted
