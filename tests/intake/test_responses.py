"""Answers to a QuestionnaireResponse and back: every answer in its element, its row and under its question, and nothing lost."""

import datetime
import json
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.cleaning import clean_text, load_json
from clinic.exact_json import ExactEncoder
from intake.answers import Answer, Coding, Key, PartialDate, PartialMoment, State, Uri
from intake.branching import evaluate
from intake.questionnaire import Questionnaire, load
from intake.responses import ABSENT, from_response, rows_of, said

Row = dict[str, Any]
CHICAGO = ZoneInfo("America/Chicago")
YES = Coding("urn:t", "y", "Yes", Decimal("1.50"))
OPTIONS = [
    {
        "valueCoding": {
            "system": "urn:t",
            "code": "y",
            "display": "Yes",
            "extension": [{"url": "x/itemWeight", "valueDecimal": Decimal("1.50")}],
        }
    },
    {"valueCoding": {"system": "urn:t", "code": "n"}},
]
KINDS = ["boolean", "integer", "decimal", "string", "text", "url", "date", "dateTime", "time"]
FORM: Questionnaire = load(
    {
        "resourceType": "Questionnaire",
        "url": "urn:form",
        "version": "1",
        "item": [
            *({"linkId": kind, "type": kind, "text": f"A {kind}", "repeats": kind != "boolean"} for kind in KINDS),
            {"linkId": "choice", "type": "choice", "answerOption": OPTIONS, "item": [{"linkId": "why", "type": "string"}]},
            {
                "linkId": "L", "type": "group", "repeats": True, "text": "List",
                "item": [
                    {"linkId": "L.q", "type": "string"},
                    {"linkId": "I", "type": "group", "repeats": True, "item": [{"linkId": "I.q", "type": "integer"}]},
                ],
            },
        ],
    }
)  # fmt: skip


def given_(*values: Any) -> Answer:
    return Answer(State.GIVEN, values)


def written(answers: dict[Key, Answer], zone: datetime.tzinfo | None = None) -> Row:
    return evaluate(FORM, answers).response(zone)


def there_and_back(answers: dict[Key, Answer]) -> dict[Key, Answer]:
    return from_response(FORM, load_json(json.dumps(written(answers), cls=ExactEncoder)))


def response(*items: Row) -> Row:
    return {"resourceType": "QuestionnaireResponse", "item": list(items)}


# Each value in its element

ELEMENTS: list[tuple[str, Any, Row]] = [
    ("boolean", False, {"valueBoolean": False}),
    ("integer", 0, {"valueInteger": 0}),
    ("decimal", Decimal("7.10"), {"valueDecimal": Decimal("7.10")}),
    ("string", "urn:x", {"valueString": "urn:x"}),
    ("url", Uri("urn:x"), {"valueUri": "urn:x"}),
    ("date", datetime.date(2026, 1, 2), {"valueDate": "2026-01-02"}),
    ("date", PartialDate("2019-05"), {"valueDate": "2019-05"}),
    ("dateTime", PartialMoment("2019"), {"valueDateTime": "2019"}),
    ("dateTime", PartialMoment("2019-05"), {"valueDateTime": "2019-05"}),
    ("dateTime", PartialMoment("2019-05-02"), {"valueDateTime": "2019-05-02"}),
    ("dateTime", datetime.datetime(2019, 5, 2, 8, tzinfo=datetime.UTC), {"valueDateTime": "2019-05-02T08:00:00+00:00"}),
    ("time", datetime.time(8, 5), {"valueTime": "08:05:00"}),
]


@pytest.mark.parametrize(("kind", "value", "element"), ELEMENTS, ids=[f"{kind} {value}" for kind, value, _ in ELEMENTS])
def test_each_value_is_written_in_its_element_and_read_back(kind: str, value: Any, element: Row) -> None:
    answers = {(kind, ""): given_(value)}
    assert not evaluate(FORM, answers).errors
    (row,) = written(answers)["item"]
    assert row == {"linkId": kind, "text": f"A {kind}", "answer": [element]}
    assert there_and_back(answers) == answers


def test_a_time_that_was_typed_without_a_zone_is_one_of_the_clinic() -> None:
    answers = {("dateTime", ""): given_(datetime.datetime(2026, 7, 1, 14, 30), datetime.datetime(2026, 1, 1, 14, 30))}
    (row,) = written(answers, CHICAGO)["item"]
    assert [value["valueDateTime"] for value in row["answer"]] == ["2026-07-01T14:30:00-05:00", "2026-01-01T14:30:00-06:00"]


def test_a_coding_comes_back_with_its_weight() -> None:
    answers = {("choice", ""): given_(YES)}
    assert there_and_back(answers) == answers


def test_answers_of_one_question_keep_their_order_and_their_number() -> None:
    answers = {("integer", ""): given_(120, 130, 120)}
    (row,) = written(answers)["item"]
    assert row["answer"] == [{"valueInteger": 120}, {"valueInteger": 130}, {"valueInteger": 120}]
    assert there_and_back(answers) == answers


# What stands below a question


@pytest.mark.parametrize(
    "above", [given_(YES), Answer(State.DECLINED), Answer(State.NA), None], ids=["given", "declined", "n/a", "missing"]
)
def test_a_question_below_another_is_kept_whatever_the_other_says(above: Answer | None) -> None:
    answers = {("why", ""): given_("because")} | ({("choice", ""): above} if above else {})
    assert there_and_back(answers) == answers


def test_below_an_answer_it_is_written_below_the_answer() -> None:
    (row,) = written({("choice", ""): given_(YES), ("why", ""): given_("because")})["item"]
    assert row["answer"][0]["item"] == [{"linkId": "why", "answer": [{"valueString": "because"}]}]


# Rows


def test_rows_are_written_in_order_and_numbered_anew() -> None:
    answers = {("L.q", "10"): given_("ten"), ("L.q", "9"): given_("nine"), ("I.q", "10.4"): given_(4), ("L.q", "3"): Answer(State.MISSING)}
    assert there_and_back(answers) == {("L.q", "1"): given_("nine"), ("L.q", "2"): given_("ten"), ("I.q", "2.1"): given_(4)}


def test_the_next_row_is_never_one_that_was_there() -> None:
    rows = rows_of(FORM, {("L.q", "2"): given_("two"), ("I.q", "2.7"): given_(7), ("L.q", "5"): Answer(State.MISSING)})
    assert rows.filled("L", "") == ["2"]
    assert (rows.following("L", ""), rows.following("I", "2"), rows.following("I", "5")) == ("6", "2.8", "5.1")


# Refused

BAD: list[tuple[str, Row, str]] = [
    ("an item that is not there", {"linkId": "gone"}, "no item 'gone'"),
    ("an item without a linkId", {}, "no item None"),
    ("a linkId as a list", {"linkId": ["string"]}, "no item"),
    ("items as a text", {"linkId": "L", "item": "x"}, "item L: item must be a list"),
    ("an answer as nothing", {"linkId": "string", "answer": [None]}, "item string: answer must be a list of objects"),
    ("an item twice", {"linkId": "L", "item": [{"linkId": "L.q", "answer": [{"valueString": "a"}]}] * 2}, "item L.q stands twice"),
    ("two values in one", {"linkId": "string", "answer": [{"valueString": "a", "valueInteger": 1}]}, "string"),
    ("a number as a text", {"linkId": "string", "answer": [{"valueString": 1}]}, "string: valueString cannot be read"),
    ("a text as a number", {"linkId": "integer", "answer": [{"valueInteger": "1"}]}, "integer: valueInteger cannot be read"),
    ("half a whole number", {"linkId": "integer", "answer": [{"valueInteger": Decimal("1.5")}]}, "integer: valueInteger"),
    ("yes as a number", {"linkId": "integer", "answer": [{"valueInteger": True}]}, "integer: valueInteger"),
    ("a day that is none", {"linkId": "date", "answer": [{"valueDate": "2019-02-30"}]}, "date: valueDate cannot be read"),
    ("a moment that is none", {"linkId": "dateTime", "answer": [{"valueDateTime": "2019-13"}]}, "dateTime: valueDateTime"),
    ("a coding as a text", {"linkId": "choice", "answer": [{"valueCoding": "y"}]}, "choice: valueCoding cannot be read"),
    ("a code as a list", {"linkId": "choice", "answer": [{"valueCoding": {"code": ["y"]}}]}, "choice: valueCoding cannot be read"),
    ("an attachment", {"linkId": "string", "answer": [{"valueAttachment": {}}]}, "string: valueAttachment cannot be read"),
]


@pytest.mark.parametrize(("row", "says"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_response_that_cannot_be_read_is_refused_by_item(row: Row, says: str) -> None:
    with pytest.raises(ValueError, match=r".+") as refused:
        from_response(FORM, response(row))
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "answer", "sentence"),
    [
        ("integer", {"valueString": "seven"}, "Please write a whole number."),
        ("boolean", {"valueString": "true"}, "Please choose yes or no."),
        ("dateTime", {"valueDate": "2019-05-02"}, "Please write a date and a time."),
        ("date", {"valueDateTime": "2019-05-02T08:00:00Z"}, "Please write a date."),
        ("choice", {"valueString": "y"}, "Please choose one of the answers shown."),
    ],
)
def test_a_value_of_another_type_is_read_and_then_complained_about(kind: str, answer: Row, sentence: str) -> None:
    answers = from_response(FORM, response({"linkId": kind, "answer": [answer]}))
    assert evaluate(FORM, answers).errors == {(kind, ""): sentence}


def test_what_is_said_is_read_without_the_questionnaire() -> None:
    assert said({"answer": [{"valueBoolean": True}]}) == ("given", "Yes")
    assert said({"answer": [{"valueUri": "urn:x"}, {"valueCoding": {"code": "y"}}]}) == ("given", "urn:x, y")
    assert said({"extension": [{"url": ABSENT, "valueCode": "asked-declined"}]}) == ("declined", "Prefers not to answer")


# Properties

# An answer is a text that was cleaned on its way in (NFC).
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5).map(clean_text)
DAYS = st.dates(datetime.date(1000, 1, 1))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "integer": st.integers(-(2**31), 2**31),
    "decimal": st.decimals(-(10**9), 10**9, places=3),
    "string": TEXTS,
    "text": TEXTS,
    "url": TEXTS.map(Uri),
    "date": DAYS | DAYS.map(lambda day: PartialDate(day.isoformat()[:7])),
    "dateTime": st.datetimes(datetime.datetime(1000, 1, 1), timezones=st.just(datetime.UTC))
    | DAYS.map(lambda day: PartialMoment(day.isoformat())),
    "time": st.times(),
}


def answers_of(kind: str, rows: str) -> st.SearchStrategy[Answer]:
    several = 1 if kind == "boolean" or rows else 3
    states = st.sampled_from([Answer(State.DECLINED), Answer(State.NA)])
    return st.lists(VALUES[kind], min_size=1, max_size=several).map(lambda values: given_(*values)) | states


WHOLE = st.fixed_dictionaries(
    {}, optional={(kind, ""): answers_of(kind, "") for kind in KINDS} | {("L.q", row): answers_of("string", row) for row in ("1", "2", "3")}
)


@given(WHOLE)
def test_all_answers_come_back_but_rows_close_up(answers: dict[Key, Answer]) -> None:
    rows = [answer for key, answer in sorted(answers.items()) if key[0] == "L.q"]
    expected = {key: answer for key, answer in answers.items() if key[0] != "L.q"} | {
        ("L.q", str(place)): answer for place, answer in enumerate(rows, 1)
    }
    assert there_and_back(answers) == expected


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inside: (
        st.lists(inside, max_size=2)
        | st.dictionaries(st.sampled_from(["linkId", "answer", "item", "valueString", "valueCoding"]), inside, max_size=2)
    ),
    max_leaves=5,
)


@given(st.sampled_from([*KINDS, "choice", "L", "L.q"]), JUNK)
def test_junk_in_a_response_is_refused_and_never_crashes(link_id: str, junk: Any) -> None:
    for row in ({"linkId": link_id, "answer": junk}, {"linkId": link_id, "answer": [junk]}, {"linkId": link_id, "item": junk}):
        try:
            evaluate(FORM, from_response(FORM, response(row))).response()
        except ValueError as refused:
            assert str(refused)  # noqa: PT017
