"""What a person types becomes a typed answer or a kind sentence, and an answer survives the form and the database unchanged."""

import datetime
import json
from decimal import Decimal

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from clinic.exact_json import ExactDecoder, ExactEncoder
from intake.answers import (
    MISSING,
    Answer,
    AnswerProblem,
    Coding,
    PartialDate,
    State,
    Uri,
    Value,
    from_json,
    parse_answer,
    posted_value,
    to_json,
    to_words,
    value_problem,
)
from intake.questionnaire import Item, Option

YES = Coding("urn:test", "y", "Yes, often", Decimal(3))
NO = Coding("urn:test", "n", "No", Decimal(0))
NONE = Coding("urn:test", "none", "None of these")
OPTIONS = (Option(YES, "Yes, often", Decimal(3)), Option(NO, "No", Decimal(0)), Option(NONE, "None of these", exclusive=True))
DAY, NIGHT = datetime.date(2026, 11, 23), datetime.datetime(2026, 11, 23, 2, 30)

ITEMS = {
    "boolean": Item("q", "boolean"),
    "integer": Item("q", "integer"),
    "days": Item("q", "integer", min_value=0, max_value=30),
    "age": Item("q", "integer", min_value=12),
    "score": Item("q", "integer", max_value=10),
    "decimal": Item("q", "decimal"),
    "grams": Item("q", "decimal", min_value=Decimal("0.1"), max_value=100, max_decimal_places=2),
    "string": Item("q", "string"),
    "short": Item("q", "string", max_length=5),
    "long": Item("q", "text", min_length=3),
    "zip": Item("q", "string", pattern=re2.compile("[0-9]{5}"), entry_format="five digits"),
    "patterned": Item("q", "string", pattern=re2.compile("[a-z]+")),
    "date": Item("q", "date"),
    "past": Item("q", "date", min_value=datetime.date(2020, 1, 1), max_value=DAY),
    "dateTime": Item("q", "dateTime"),
    "time": Item("q", "time"),
    "choice": Item("q", "choice", options=OPTIONS),
    "many": Item("q", "choice", options=OPTIONS, repeats=True),
    "open": Item("q", "open-choice", options=OPTIONS),
    "numbers": Item("q", "choice", options=(Option(1, "1"), Option(2, "2"))),
    "words": Item("q", "choice", options=(Option("red", "red"), Option("blue", "blue"))),
}

GOOD: list[tuple[str, str, Value]] = [
    ("boolean", "true", True),
    ("boolean", "false", False),
    ("integer", "0", 0),
    ("integer", "-12", -12),
    ("integer", "+7", 7),
    ("integer", " 25 ", 25),
    ("integer", "007", 7),
    ("integer", "999999999999999", 999_999_999_999_999),
    ("days", "0", 0),
    ("days", "30", 30),
    ("decimal", "7.10", Decimal("7.10")),
    ("decimal", "0.1", Decimal("0.1")),
    ("decimal", ".5", Decimal("0.5")),
    ("decimal", "2,5", Decimal("2.5")),
    ("decimal", "0,125", Decimal("0.125")),
    ("decimal", "12345678901.123", Decimal("12345678901.123")),
    ("grams", "0.1", Decimal("0.1")),
    ("grams", "100", Decimal(100)),
    ("grams", "2.25", Decimal("2.25")),
    ("string", "  Ana María  ", "Ana María"),
    ("string", "Cafe\u0301", "Caf\u00e9"),
    ("string", "<script>", "<script>"),
    ("string", "one\r\ntwo\rthree", "one\ntwo\nthree"),
    ("short", "12345", "12345"),
    ("short", "\U0001f642" * 5, "\U0001f642" * 5),
    ("zip", "55401", "55401"),
    ("date", "2026-11-23", DAY),
    ("date", "2024-02-29", datetime.date(2024, 2, 29)),
    ("date", "2019", PartialDate("2019")),
    ("date", "2019-05", PartialDate("2019-05")),
    ("past", "2020-01-01", datetime.date(2020, 1, 1)),
    ("past", "2026-11-23", DAY),
    ("dateTime", "2026-11-23T02:30", NIGHT),
    ("dateTime", "2026-11-23 02:30", NIGHT),
    ("time", "14:30", datetime.time(14, 30)),
    ("choice", "y", YES),
    ("open", "n", NO),
    ("open", "Something else", "Something else"),
    ("numbers", "2", 2),
    ("words", "blue", "blue"),
]


@pytest.mark.parametrize(("item", "text", "value"), GOOD, ids=[f"{item} {text!r}" for item, text, _ in GOOD])
def test_what_is_typed_is_taken_as_meant(item: str, text: str, value: Value) -> None:
    answer = parse_answer(ITEMS[item], [text])
    assert answer == Answer(State.GIVEN, (value,))
    assert type(answer.values[0]) is type(value)


@pytest.mark.parametrize("text", ["7.10", "7.1", "0.0", "10", "0.30000000001"])
def test_a_decimal_keeps_the_digits_that_were_typed(text: str) -> None:
    assert str(parse_answer(ITEMS["decimal"], [text]).values[0]) == text


WHOLE, NUMBER = "Please write a whole number", "Please write a number"
DATE = "Please write a date as year-month-day, e.g. 2026-11-23."
CHOOSE = "Please choose one of the answers shown."
BAD: list[tuple[str, str, str]] = [
    ("boolean", "yes", "Please choose yes or no."),
    ("boolean", "True", "Please choose yes or no."),
    ("boolean", "1", "Please choose yes or no."),
    ("integer", "seven", f"{WHOLE}."),
    ("integer", "7.0", f"{WHOLE}."),
    ("integer", "7e3", f"{WHOLE}."),
    ("integer", "1 000", f"{WHOLE}."),
    ("integer", "1_000", f"{WHOLE}."),
    ("integer", "1,000", f"{WHOLE}."),
    ("integer", "٧", f"{WHOLE}."),
    ("integer", "１２", f"{WHOLE}."),
    ("integer", "1" * 16, f"{WHOLE}."),
    ("integer", "9" * 100_000, f"{WHOLE}."),
    ("integer", "--1", f"{WHOLE}."),
    ("days", "31", f"{WHOLE} between 0 and 30."),
    ("days", "-1", f"{WHOLE} between 0 and 30."),
    ("days", "thirty", f"{WHOLE} between 0 and 30."),
    ("age", "11", f"{WHOLE} of at least 12."),
    ("score", "11", f"{WHOLE} of at most 10."),
    ("decimal", "NaN", f"{NUMBER}."),
    ("decimal", "Infinity", f"{NUMBER}."),
    ("decimal", "1e5", f"{NUMBER}."),
    ("decimal", "1,2,3", f"{NUMBER}."),
    ("decimal", "1.2.3", f"{NUMBER}."),
    ("decimal", "5.", f"{NUMBER}."),
    ("decimal", "5 g", f"{NUMBER}."),
    ("decimal", "٫5", f"{NUMBER}."),
    ("decimal", "1" * 16, f"{NUMBER}."),
    ("decimal", "1,000", "Please write the number without a comma: 1000, or 1.000 for a fraction."),
    ("decimal", "-12,500", "Please write the number without a comma: -12500, or -12.500 for a fraction."),
    ("decimal", "1,000.5", f"{NUMBER}."),
    ("grams", "0.09", f"{NUMBER} between 0.1 and 100."),
    ("grams", "100.01", f"{NUMBER} between 0.1 and 100."),
    ("grams", "2.255", "Please write at most 2 decimal places."),
    ("short", "123456", "Please shorten this to 5 characters; it has 6."),
    ("short", "x" * 1_000_000, "Please shorten this to 5 characters; it has 1000000."),
    ("long", "ab", "Please write at least 3 characters."),
    ("zip", "5540", "Please write this as five digits."),
    ("zip", "554011", "Please write this as five digits."),
    ("patterned", "A", "This does not have the form that is asked for."),
    ("string", "a\0b", "The text holds a character that cannot be stored. Please remove it and try again."),
    ("string", "a\x1bb", "The text holds a character that cannot be stored. Please remove it and try again."),
    ("string", "a\ud83d", "The text holds half of a character. Please type it again."),
    ("integer", "1\0", "The text holds a character that cannot be stored. Please remove it and try again."),
    ("date", "23.11.2026", DATE),
    ("date", "11/23/2026", DATE),
    ("date", "2026-02-30", DATE),
    ("date", "2025-02-29", DATE),
    ("date", "2026-13", DATE),
    ("date", "2026-00", DATE),
    ("date", "0000", DATE),
    ("date", "0000-05", DATE),
    ("date", "yesterday", DATE),
    ("date", "19", DATE),
    ("past", "2019-12-31", "Please write a date between 2020-01-01 and 2026-11-23."),
    ("past", "2026-11-24", "Please write a date between 2020-01-01 and 2026-11-23."),
    ("dateTime", "2026-11-23", "Please write a date and a time, e.g. 2026-11-23T14:30."),
    ("dateTime", "2026-11-23T25:00", "Please write a date and a time, e.g. 2026-11-23T14:30."),
    ("dateTime", "now", "Please write a date and a time, e.g. 2026-11-23T14:30."),
    ("time", "24:30", "Please write a time, e.g. 14:30."),
    ("time", "noon", "Please write a time, e.g. 14:30."),
    ("choice", "maybe", CHOOSE),
    ("choice", "Yes, often", CHOOSE),
    ("choice", "Y", CHOOSE),
    ("numbers", "3", CHOOSE),
    ("words", "green", CHOOSE),
]


@pytest.mark.parametrize(("item", "text", "says"), BAD, ids=[f"{item} {text[:20]!a}" for item, text, _ in BAD])
def test_what_cannot_be_taken_gets_a_kind_sentence(item: str, text: str, says: str) -> None:
    with pytest.raises(AnswerProblem) as problem:
        parse_answer(ITEMS[item], [text])
    assert str(problem.value) == says


@pytest.mark.parametrize("raw", [[], [""], ["   "], ["\n", ""], ["\u3000"]])
@pytest.mark.parametrize("item", ITEMS)
def test_nothing_typed_is_missing_and_neither_0_nor_no(item: str, raw: list[str]) -> None:
    assert parse_answer(ITEMS[item], raw) == MISSING


@pytest.mark.parametrize("item", ITEMS)
def test_declined_wins_over_whatever_was_typed(item: str) -> None:
    assert parse_answer(ITEMS[item], ["\0 nonsense"], declined=True) == Answer(State.DECLINED)


# Several answers


def test_a_multiple_choice_takes_several_once_each() -> None:
    assert parse_answer(ITEMS["many"], ["n", "y", "n", ""]) == Answer(State.GIVEN, (NO, YES))


@pytest.mark.parametrize(
    ("item", "raw", "says"),
    [
        ("choice", ["y", "n"], "Please choose one answer only."),
        ("integer", ["1", "2"], "Please choose one answer only."),
        ("many", ["y", "none"], "“None of these” cannot stand together with another answer."),
        ("many", ["y", "maybe"], CHOOSE),
    ],
)
def test_answers_that_exclude_each_other_are_not_taken(item: str, raw: list[str], says: str) -> None:
    with pytest.raises(AnswerProblem) as problem:
        parse_answer(ITEMS[item], raw)
    assert str(problem.value) == says


@pytest.mark.parametrize(
    ("kind", "raw", "values"),
    [
        ("string", ["one\r\n two \n\nthree\n"], ("one", "two", "three")),
        ("integer", ["120\n130\n120"], (120, 130, 120)),
        ("integer", ["120", "130"], (120, 130)),
        ("date", ["2019\n2026-11-23"], (PartialDate("2019"), DAY)),
        ("url", ["urn:a\nurn:b"], (Uri("urn:a"), Uri("urn:b"))),
    ],
)
def test_each_line_is_an_answer_of_a_question_that_repeats(kind: str, raw: list[str], values: tuple[Value, ...]) -> None:
    item = Item("q", kind, repeats=True)
    assert parse_answer(item, raw) == Answer(State.GIVEN, values)
    assert parse_answer(item, ["\n".join(map(posted_value, values))]) == Answer(State.GIVEN, values)


@pytest.mark.parametrize(
    ("raw", "says"),
    [(["1\n2\nthree"], "Please write a whole number."), (["1\n2\n3\n4"], "Please give at most 3 answers; there are 4.")],
)
def test_each_line_is_held_to_the_limits_of_the_question(raw: list[str], says: str) -> None:
    with pytest.raises(AnswerProblem) as problem:
        parse_answer(Item("q", "integer", repeats=True, max_occurs=3), raw)
    assert str(problem.value) == says


def test_the_same_answer_twice_is_one_answer() -> None:
    assert parse_answer(ITEMS["choice"], ["y", "y"]) == Answer(State.GIVEN, (YES,))


def test_the_exclusive_answer_may_stand_alone() -> None:
    assert parse_answer(ITEMS["many"], ["none"]) == Answer(State.GIVEN, (NONE,))


@pytest.mark.parametrize(
    ("item", "value", "says"),
    [
        ("days", 31, f"{WHOLE} between 0 and 30."),
        ("choice", Coding("urn:test", "maybe"), CHOOSE),
        ("choice", Coding("urn:other", "y", "Yes, often", Decimal(3)), CHOOSE),
        ("past", datetime.date(2030, 1, 1), "Please write a date between 2020-01-01 and 2026-11-23."),
        ("short", "123456", "Please shorten this to 5 characters; it has 6."),
        ("boolean", True, ""),
        ("days", 0, ""),
        ("choice", YES, ""),
    ],
)
def test_a_stored_value_is_held_to_the_same_limits(item: str, value: Value, says: str) -> None:
    assert value_problem(ITEMS[item], [value]) == says


# The four states, and words


def test_the_four_states_are_four() -> None:
    answers = {Answer(State.GIVEN, (False,)), Answer(State.MISSING), Answer(State.DECLINED), Answer(State.NA)}
    assert len(answers) == 4
    assert {to_words(answer) for answer in answers} == {"No", "Not answered yet", "Prefers not to answer", "Does not apply"}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "Yes"),
        (False, "No"),
        (0, "0"),
        (Decimal("7.10"), "7.10"),
        (YES, "Yes, often"),
        (Coding(None, "x"), "x"),
        (DAY, "23 Nov 2026"),
        (NIGHT, "23 Nov 2026, 02:30"),
        (datetime.time(8, 5), "08:05"),
        (PartialDate("2019-05"), "2019-05"),
        ("In my own words", "In my own words"),
    ],
)
def test_a_value_in_words(value: Value, words: str) -> None:
    assert to_words(Answer(State.GIVEN, (value,))) == words


def test_several_values_in_words() -> None:
    assert to_words(Answer(State.GIVEN, (NO, YES))) == "No, Yes, often"


# There and back

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
VALUES: dict[str, st.SearchStrategy[Value]] = {
    "boolean": st.booleans(),
    "integer": st.integers(-(10**14), 10**14),
    "decimal": st.decimals(-(10**9), 10**9, places=3),
    "date": st.dates() | st.builds(lambda day: PartialDate(day.isoformat()[:7]), st.dates()),
    "dateTime": st.datetimes() | st.datetimes(timezones=st.just(datetime.UTC)),
    "time": st.times(),
    "choice": st.sampled_from([YES, NO, NONE]),
    "numbers": st.sampled_from([1, 2]),
    "string": TEXTS,
}


@pytest.mark.parametrize("item", [name for name in VALUES if name != "string"])
def test_a_form_posts_back_the_value_it_showed(item: str) -> None:
    @given(VALUES[item])
    def holds(value: Value) -> None:
        assert parse_answer(ITEMS[item], [posted_value(value)]) == Answer(State.GIVEN, (value,))

    holds()


def test_the_minutes_of_a_date_and_time_are_posted_as_the_browser_field_takes_them() -> None:
    assert posted_value(NIGHT) == "2026-11-23T02:30"


@given(TEXTS)
def test_a_text_that_was_taken_is_taken_again_unchanged(text: str) -> None:
    """Cleaning is done once: what it gave, it gives again."""
    once = parse_answer(ITEMS["string"], [text])
    assert once == MISSING or parse_answer(ITEMS["string"], [posted_value(once.values[0])]) == once


@pytest.mark.parametrize("item", VALUES)
def test_a_database_row_gives_back_the_same_answer(item: str) -> None:
    @given(st.lists(VALUES[item], min_size=1, max_size=3).map(tuple))
    def holds(values: tuple[Value, ...]) -> None:
        written = json.dumps(to_json(Answer(State.GIVEN, values)), cls=ExactEncoder)
        read = from_json(ITEMS[item], State.GIVEN, json.loads(written, cls=ExactDecoder))
        assert read == Answer(State.GIVEN, values)
        assert [type(value) for value in read.values] == [type(value) for value in values]

    holds()


@pytest.mark.parametrize("state", [State.MISSING, State.DECLINED, State.NA])
def test_an_answer_without_a_value_stays_in_its_state(state: State) -> None:
    assert to_json(Answer(state)) == []
    assert from_json(ITEMS["integer"], state, []) == Answer(state)


@pytest.mark.parametrize(
    ("value", "element"),
    [
        (True, {"valueBoolean": True}),
        (1, {"valueInteger": 1}),
        (Decimal("7.10"), {"valueDecimal": Decimal("7.10")}),
        ("a", {"valueString": "a"}),
        (DAY, {"valueDate": "2026-11-23"}),
        (PartialDate("2019"), {"valueDate": "2019"}),
        (NIGHT, {"valueDateTime": "2026-11-23T02:30:00"}),
        (datetime.time(8, 5), {"valueTime": "08:05:00"}),
        (Coding("urn:test", "x"), {"valueCoding": {"system": "urn:test", "code": "x"}}),
        (Coding(None, "x", "X"), {"valueCoding": {"code": "x", "display": "X"}}),
    ],
)
def test_a_value_is_written_as_its_own_fhir_element(value: Value, element: dict[str, object]) -> None:
    (written,) = to_json(Answer(State.GIVEN, (value,)))
    assert written == element
    assert type(next(iter(written.values()))) is type(next(iter(element.values())))


def test_the_weight_travels_with_the_coding() -> None:
    (written,) = to_json(Answer(State.GIVEN, (YES,)))
    (extension,) = written["valueCoding"]["extension"]
    assert extension == {"url": "http://hl7.org/fhir/StructureDefinition/ordinalValue", "valueDecimal": Decimal(3)}


@pytest.mark.parametrize(
    "coding", [{"code": "y"}, {"code": "y", "system": "urn:test"}, {"code": "y", "system": "urn:test", "display": "JA"}]
)
def test_a_coding_from_elsewhere_gets_the_weight_and_words_of_its_option(coding: dict[str, str]) -> None:
    assert from_json(ITEMS["choice"], State.GIVEN, [{"valueCoding": coding}]).values == (YES,)


def test_a_coding_of_another_system_is_not_taken_for_ours() -> None:
    assert from_json(ITEMS["choice"], State.GIVEN, [{"valueCoding": {"code": "y", "system": "urn:other"}}]).values[0] != YES


def test_a_whole_number_for_a_decimal_question_is_a_decimal() -> None:
    (value,) = from_json(ITEMS["decimal"], State.GIVEN, [{"valueInteger": 7}]).values
    assert type(value) is Decimal


@pytest.mark.parametrize(
    "element", [{"valueQuantity": {"value": 1}}, {}, {"valueInteger": 1, "valueString": "a"}, {"valueDate": "1.1.2026"}]
)
def test_an_element_this_program_never_writes_is_refused(element: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_json(ITEMS["integer"], State.GIVEN, [element])
