"""What applies: rows see their own row, declined is not unanswered, and every answer that cannot be right gets its sentence."""

from typing import Any

import pytest

from intake.answers import Answer, Coding, State, Value
from intake.branching import Evaluation, evaluate
from intake.compiling import DECLINED
from intake.questionnaire import Questionnaire, load

Answers = dict[str, Value | State | tuple[Value, ...]]


def form(*items: dict[str, Any]) -> Questionnaire:
    return load({"resourceType": "Questionnaire", "name": "T", "item": list(items)})


def group(link_id: str, *items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"linkId": link_id, "type": "group", "text": link_id, "repeats": True, "item": list(items)} | more


def question(link_id: str, kind: str = "boolean", **more: Any) -> dict[str, Any]:
    return {"linkId": link_id, "type": kind, "text": link_id} | more


def when(link_id: str, **more: Any) -> dict[str, Any]:
    return {"enableWhen": [{"question": link_id, "operator": "=", "answerBoolean": True} | more]}


def told(questionnaire: Questionnaire, answers: Answers) -> Evaluation:
    """ {"A.x~1": True} as answers; a state as an answer without a value."""
    typed = {}
    for name, value in answers.items():
        link_id, _, instance = name.partition("~")
        values = value if isinstance(value, tuple) else (value,)
        typed[link_id, instance] = Answer(value) if isinstance(value, State) else Answer(State.GIVEN, values)
    return evaluate(questionnaire, typed)


def enabled(questionnaire: Questionnaire, answers: Answers) -> set[str]:
    return {f"{link_id}~{instance}" if instance else link_id for link_id, instance in told(questionnaire, answers).enabled}


# Rows


def test_a_row_sees_its_own_row_only() -> None:
    rows = form(group("A", question("A.y"), question("A.x", **when("A.y"))))
    found = enabled(rows, {"A.y~1": False, "A.y~2": True})
    assert "A.x~2" in found and "A.x~1" not in found


def test_groups_beside_each_other_are_not_joined_by_the_number_of_their_rows() -> None:
    """Any row of the one opens every row of the other: they share no row."""
    beside = form(group("A", question("A.y")), group("B", question("B.n", "integer"), question("B.x", **when("A.y"))))
    found = enabled(beside, {"A.y~1": False, "A.y~2": True, "B.n~1": 5, "B.n~2": 6})
    assert {"B.x~1", "B.x~2"} <= found
    assert not {"B.x~1", "B.x~2"} & enabled(beside, {"A.y~1": False, "B.n~1": 5, "B.n~2": 6})


def test_an_outer_row_sees_the_inner_rows_of_itself_and_of_no_other() -> None:
    nested = form(group("O", question("O.n", "integer"), group("I", question("I.y")), question("O.x", **when("I.y"))))
    found = enabled(nested, {"O.n~1": 1, "O.n~2": 2, "I.y~1.1": False, "I.y~2.1": True})
    assert "O.x~2" in found and "O.x~1" not in found


def test_more_rows_than_may_be_given_is_said() -> None:
    few = form(group("A", question("A.n", "integer"), extension=[_extension("questionnaire-maxOccurs", valueInteger=1)]))
    assert not told(few, {"A.n~1": 1}).errors
    assert told(few, {"A.n~1": 1, "A.n~2": 2}).errors == {("A", "2"): "Please give 1 at most; there are 2."}


# Declined


def narrowed(**more: Any) -> dict[str, Any]:
    row = {"question": "1", "operator": "exists", "answerBoolean": False, "extension": [{"url": DECLINED, "valueBoolean": True}]} | more
    return {"enableWhen": [row]}


@pytest.mark.parametrize(
    ("answer", "opens"), [({"1": State.DECLINED}, True), ({}, False), ({"1": True}, False), ({"1": False}, False), ({"1": State.NA}, False)]
)
def test_a_question_may_open_because_another_was_declined(answer: Answers, opens: bool) -> None:
    assert ("2" in enabled(form(question("1"), question("2", **narrowed())), answer)) is opens


@pytest.mark.parametrize("change", [{"operator": "="}, {"answerBoolean": True}, {"extension": [{"url": DECLINED, "valueBoolean": False}]}])
def test_declined_narrows_exists_false_and_nothing_else(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="item 2: enable-when-declined narrows exists = false"):
        form(question("1"), question("2", **narrowed(**change)))


def test_another_extension_of_a_condition_is_refused() -> None:
    with pytest.raises(ValueError, match="item 2: something is not supported in enableWhen"):
        form(question("1"), question("2", **narrowed(extension=[{"url": "https://elsewhere.example/something"}])))


# Errors


def _extension(name: str, **value: Any) -> dict[str, Any]:
    return {"url": f"http://hl7.org/fhir/StructureDefinition/{name}"} | value


YES = {"valueCoding": {"system": "s", "code": "y", "display": "Yes"}}


@pytest.mark.parametrize(
    ("item", "value", "says"),
    [
        (question("1"), "yes", "This is no answer to this question."),
        (question("1", "integer"), True, "This is no answer to this question."),
        (question("1", "integer"), "7", "This is no answer to this question."),
        (question("1", "choice", answerOption=[YES]), Coding("s", "z"), "Please choose one of the answers shown."),
        (question("1", "integer"), (1, 2), "Please give one answer only."),
        (question("1", "integer", repeats=True), (1, 2), ""),
        (question("1", "choice", answerOption=[YES]), Coding("s", "y", "Yes"), ""),
    ],
)
def test_an_answer_that_cannot_be_right_has_its_sentence(item: dict[str, Any], value: Any, says: str) -> None:
    assert told(form(item), {"1": value}).errors.get(("1", ""), "") == says


def test_an_answer_to_a_question_that_there_is_not_is_said() -> None:
    assert told(form(question("1")), {"2": True}).errors == {("2", ""): "There is no such question."}
