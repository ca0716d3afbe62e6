"""Typed answers, to and from what a form posts and a database row (intake/responses.py: and a QuestionnaireResponse).

An answer is given, missing, declined or not applicable; the four never merge.
"""

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from clinic.cleaning import Unclean, clean_text

if TYPE_CHECKING:
    from intake.questionnaire import Item

MAX_DIGITS = 15
PARTIAL_DATE = re.compile(r"(?!0000)[0-9]{4}(-(0[1-9]|1[0-2]))?", re.ASCII)


class State(StrEnum):
    """How an answer stands. Unknown is not false: only GIVEN carries a value, only NA is known to be none."""

    GIVEN = "given"
    MISSING = "missing"
    DECLINED = "declined"
    NA = "na"


@dataclass(frozen=True)
class PartialDate:
    """A year (2019) or a year and month (2019-05), as FHIR's date allows."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class PartialMoment(PartialDate):
    """A date and time of which only the year, month or day is known, as FHIR's dateTime allows."""


class Uri(str):
    """The address that answers a url question: a text in everything but the element it is written to."""


@dataclass(frozen=True)
class Coding:
    """A coded answer; the weight travels with it (ordinalValue, itemWeight)."""

    system: str | None
    code: str
    display: str = ""
    weight: Decimal | None = None


Value = bool | int | Decimal | str | datetime.date | datetime.datetime | datetime.time | PartialDate | Coding
Key = tuple[str, str]  # (linkId, instance): "" outside repeating groups, inside e.g. "1" or "2.1"


@dataclass(frozen=True)
class Answer:
    """`values` only when given; several for a question that repeats."""

    state: State
    values: tuple[Value, ...] = ()


Answers = Mapping[Key, Answer]
MISSING = Answer(State.MISSING)


class AnswerProblem(ValueError):
    """What was typed cannot be taken as an answer; the message is a kind sentence."""


# What a form posts


def parse_answer(item: "Item", raw: Sequence[str], declined: bool = False) -> Answer:
    """The answer of one question from its posted strings. Nothing posted is missing; declined wins.

    Of a question that repeats and is no choice each line is an answer: readings may well be equal, so none is dropped.
    Raises AnswerProblem.
    """
    if declined:
        return Answer(State.DECLINED)
    try:
        texts = [clean_text(text).strip() for text in raw]
    except Unclean as unclean:
        raise AnswerProblem(str(unclean)) from None
    lines = [line.strip() for text in texts for line in text.split("\n")]
    texts = [text for text in (lines if in_lines(item) else dict.fromkeys(texts)) if text]
    if not texts:
        return MISSING
    if len(texts) > 1 and not item.repeats:
        raise AnswerProblem("Please choose one answer only.")
    values = tuple(_parse(item, text) for text in texts)
    if problem := value_problem(item, values):
        raise AnswerProblem(problem)
    return Answer(State.GIVEN, values)


def in_lines(item: "Item") -> bool:
    """Whether a form asks for several answers in one field, each on a line of its own."""
    return item.repeats and not item.options


def posted_value(value: Value) -> str:
    """The string by which a form posts this value again: parse_answer gives the same value back."""
    match value:
        case bool():
            return "true" if value else "false"
        case Coding():
            return value.code
        case datetime.datetime():
            return value.isoformat(timespec="auto" if value.second or value.microsecond else "minutes")
        case datetime.date() | datetime.time():
            return value.isoformat()
    return str(value)


def _parse(item: "Item", text: str) -> Value:
    if item.options:
        return _option(item, text)
    match item.type:
        case "boolean":
            if text not in ("true", "false"):
                raise AnswerProblem("Please choose yes or no.")
            return text == "true"
        case "integer":
            return _integer(item, text)
        case "decimal":
            return _decimal(item, text)
        case "date":
            return _date(text)
        case "dateTime":
            return _moment(text)
        case "time":
            return _time(text)
        case "choice":
            return _option(item, text)
        case "url":
            return Uri(text)
    return text


def _range(item: "Item") -> str:
    if item.min_value is not None and item.max_value is not None:
        return f" between {item.min_value} and {item.max_value}"
    if item.min_value is not None:
        return f" of at least {item.min_value}"
    return f" of at most {item.max_value}" if item.max_value is not None else ""


def _integer(item: "Item", text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,15}", text, re.ASCII):
        raise AnswerProblem(f"Please write a whole number{_range(item)}.")
    return int(text)


def _decimal(item: "Item", text: str) -> Decimal:
    if re.fullmatch(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}", text, re.ASCII):  # a thousand to one reader, one to another
        whole, fraction = text.replace(",", ""), text.replace(",", ".")
        raise AnswerProblem(f"Please write the number without a comma: {whole}, or {fraction} for a fraction.")
    plain = text.replace(",", ".") if text.count(",") == 1 and "." not in text else text
    try:
        if not re.fullmatch(r"[+-]?[0-9]*\.?[0-9]+", plain, re.ASCII) or len(plain) > MAX_DIGITS:
            raise InvalidOperation
        return Decimal(plain)
    except InvalidOperation:
        raise AnswerProblem(f"Please write a number{_range(item)}.") from None


def _date(text: str) -> Value:
    if PARTIAL_DATE.fullmatch(text):
        return PartialDate(text)
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise AnswerProblem("Please write a date as year-month-day, e.g. 2026-11-23.") from None


def _moment(text: str) -> datetime.datetime:
    try:
        if ":" not in text:  # a day alone is not midnight
            raise ValueError
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        raise AnswerProblem("Please write a date and a time, e.g. 2026-11-23T14:30.") from None


def _time(text: str) -> datetime.time:
    try:
        return datetime.time.fromisoformat(text)
    except ValueError:
        raise AnswerProblem("Please write a time, e.g. 14:30.") from None


def _option(item: "Item", text: str) -> Value:
    for option in item.options:
        if posted_value(option.value) == text:
            return option.value
    if item.type == "open-choice":
        return text
    raise AnswerProblem("Please choose one of the answers shown.")


def value_problem(item: "Item", values: Sequence[Value]) -> str:
    """What is wrong with typed values of this item, as a sentence; empty when nothing is."""
    if len(values) > 1 and not item.repeats:
        return "Please choose one answer only."
    if item.max_occurs is not None and len(values) > item.max_occurs:
        return f"Please give at most {item.max_occurs} answers; there are {len(values)}."
    chosen = [option for option in item.options if option.exclusive and option.value in values]
    if chosen and len(values) > 1:
        return f"“{chosen[0].display}” cannot stand together with another answer."
    return next((problem for value in values if (problem := _one_problem(item, value))), "")


def _one_problem(item: "Item", value: Value) -> str:
    if not of_type(item.type, value):
        return f"Please {ASKED_FOR[item.type]}{_range(item)}."
    own_words = item.type == "open-choice" and isinstance(value, str)
    if item.options and not own_words and not any(same(option.value, value) for option in item.options):
        return "Please choose one of the answers shown."
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return _number_problem(item, value)
    if isinstance(value, str):
        return _text_problem(item, value)
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        low, high = item.min_value, item.max_value
        if (isinstance(low, datetime.date) and value < low) or (isinstance(high, datetime.date) and value > high):
            return f"Please write a date{_range(item)}."
    return ""


ASKED_FOR = {
    "boolean": "choose yes or no", "integer": "write a whole number", "decimal": "write a number", "string": "write a text",
    "text": "write a text", "url": "write an address", "date": "write a date", "dateTime": "write a date and a time",
    "time": "write a time", "choice": "choose one of the answers shown", "open-choice": "choose one of the answers shown",
}  # fmt: skip


def of_type(kind: str, value: Value) -> bool:
    """Whether a question of this type can have this value. A day alone stands for a moment only as PartialMoment."""
    match kind:
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "decimal":
            return isinstance(value, int | Decimal) and not isinstance(value, bool)
        case "string" | "text" | "url":
            return isinstance(value, str)
        case "date":
            return type(value) in (datetime.date, PartialDate)
        case "dateTime":
            return isinstance(value, datetime.datetime | PartialMoment)
        case "time":
            return isinstance(value, datetime.time)
        case "choice" | "open-choice":
            return not isinstance(value, bool | Decimal)
    return False


def same(value: Value, other: Value) -> bool:
    """Codings by system and code, where one without a system meets any; numbers by size; yes is not 1."""
    if isinstance(value, Coding) and isinstance(other, Coding):
        return value.code == other.code and (not value.system or not other.system or value.system == other.system)
    if isinstance(value, bool) != isinstance(other, bool):
        return False
    return value == other


def _number_problem(item: "Item", value: int | Decimal) -> str:
    low, high = item.min_value, item.max_value
    noun = "whole number" if item.type == "integer" else "number"
    if (isinstance(low, int | Decimal) and value < low) or (isinstance(high, int | Decimal) and value > high):
        return f"Please write a {noun}{_range(item)}."
    exponent = Decimal(value).as_tuple().exponent
    if item.max_decimal_places is not None and isinstance(exponent, int) and -exponent > item.max_decimal_places:
        return f"Please write at most {item.max_decimal_places} decimal places."
    return ""


def _text_problem(item: "Item", value: str) -> str:
    if item.max_length is not None and len(value) > item.max_length:
        return f"Please shorten this to {item.max_length} characters; it has {len(value)}."
    if item.min_length is not None and len(value) < item.min_length:
        return f"Please write at least {item.min_length} characters."
    if item.pattern is not None and not item.pattern.fullmatch(value):
        return f"Please write this as {item.entry_format}." if item.entry_format else "This does not have the form that is asked for."
    return ""


# In words


def value_words(value: Value) -> str:
    match value:
        case bool():
            return "Yes" if value else "No"
        case Coding():
            return value.display or value.code
        case datetime.datetime():
            return f"{value.day} {value:%b %Y, %H:%M}"
        case datetime.date():
            return f"{value.day} {value:%b %Y}"
        case datetime.time():
            return f"{value:%H:%M}"
    return str(value)


STATE_WORDS = {State.MISSING: "Not answered yet", State.DECLINED: "Prefers not to answer", State.NA: "Does not apply"}


def to_words(answer: Answer) -> str:
    """An answer as it is read: its values, or why there is none."""
    return ", ".join(map(value_words, answer.values)) if answer.state is State.GIVEN else STATE_WORDS[answer.state]


# A database row


def to_json(answer: Answer) -> list[dict[str, Any]]:
    """The values as FHIR answer[x] objects; decimals are Decimal, so the encoder must keep them."""
    return [_to_fhir(value) for value in answer.values]


def from_json(item: "Item", state: State, values: Iterable[Mapping[str, Any]]) -> Answer:
    """The answer of a row. Raises ValueError for an element this program never writes."""
    return Answer(State(state), tuple(_from_fhir(item, value) for value in values))


def _to_fhir(value: Value) -> dict[str, Any]:
    match value:
        case bool():
            return {"valueBoolean": value}
        case int():
            return {"valueInteger": value}
        case Decimal():
            return {"valueDecimal": value}
        case datetime.datetime():
            return {"valueDateTime": value.isoformat()}
        case datetime.date():
            return {"valueDate": value.isoformat()}
        case datetime.time():
            return {"valueTime": value.isoformat()}
        case PartialMoment():
            return {"valueDateTime": value.text}
        case PartialDate():
            return {"valueDate": value.text}
        case Coding():
            return {"valueCoding": _coding(value)}
        case Uri():
            return {"valueUri": str(value)}
    return {"valueString": value}


def in_zone(value: Value, zone: datetime.tzinfo | None) -> Value:
    """A moment without a zone as a time of `zone`; everything else as it is."""
    naive = isinstance(value, datetime.datetime) and value.tzinfo is None
    return value.replace(tzinfo=zone) if naive else value  # type: ignore[union-attr, call-arg, arg-type]


def _coding(value: Coding) -> dict[str, Any]:
    coding: dict[str, Any] = {"code": value.code}
    if value.system:
        coding["system"] = value.system
    if value.display:
        coding["display"] = value.display
    if value.weight is not None:
        coding["extension"] = [{"url": "http://hl7.org/fhir/StructureDefinition/ordinalValue", "valueDecimal": value.weight}]
    return coding


def _from_fhir(item: "Item", data: Mapping[str, Any]) -> Value:
    elements = [key for key in data if key.startswith("value")]
    if len(elements) != 1:
        raise ValueError(f"{item.link_id}: an answer holds one value, and here are {len(elements)}")
    (element,) = elements
    try:
        return _read(item, element, data[element])
    except (AttributeError, TypeError, ValueError, InvalidOperation) as error:
        raise ValueError(f"{item.link_id}: {element} cannot be read ({error})") from error


def _read(item: "Item", element: str, value: Any) -> Value:
    match element, value:
        case "valueCoding", dict():  # what most answers are
            return _known_coding(item, value)
        case "valueBoolean", bool():
            return value
        case "valueString" | "valueUri", str():
            return Uri(value) if item.type == "url" else value
        case "valueInteger", int() if not isinstance(value, bool):
            return Decimal(value) if item.type == "decimal" else value
        case "valueDecimal", int() | Decimal() if not isinstance(value, bool):
            return Decimal(value)
        case "valueDecimal", float():  # of JSON that was not read exactly
            return Decimal(str(value))
        case "valueDate", str():
            return PartialDate(value) if PARTIAL_DATE.fullmatch(value) else datetime.date.fromisoformat(value)
        case "valueDateTime", str():
            return moment(value)
        case "valueTime", str():
            return datetime.time.fromisoformat(value)
    raise ValueError(f"{value!r:.60} is not an answer")


def moment(text: str) -> datetime.datetime | PartialMoment:
    """A FHIR dateTime: a moment, or as much of it as is known. Raises ValueError."""
    if PARTIAL_DATE.fullmatch(text):
        return PartialMoment(text)
    if ":" not in text:
        return PartialMoment(datetime.date.fromisoformat(text).isoformat())
    return datetime.datetime.fromisoformat(text)


def _known_coding(item: "Item", data: Mapping[str, Any]) -> Coding:
    """The coding with the weight and words of its option, so that a response from elsewhere scores as one of ours."""
    system, code, display = data.get("system"), data.get("code", ""), data.get("display", "")
    if not (isinstance(system or "", str) and isinstance(code, str) and isinstance(display, str)):
        raise TypeError("the parts of a coding are texts")
    for option in item.options:
        coding = option.value
        if isinstance(coding, Coding) and coding.code == code and system in (None, coding.system):
            return coding
    return Coding(system, code, display)
