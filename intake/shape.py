"""The shape of a FHIR Questionnaire's JSON: the type each element must have, looked at once before anything is read from it."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from clinic.cleaning import MAX_DEPTH

MAX_LEVELS = 16  # of items inside items: no form needs more, and a reader of the page even fewer
MAX_DIGITS = 30  # of a number: past that it is no measurement but a burden

Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _truth(value: Any) -> bool:
    return isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31


def _number(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and abs(value.adjusted()) <= MAX_DIGITS and len(value.as_tuple().digits) <= MAX_DIGITS
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**MAX_DIGITS)


TEXT, TRUTH, WHOLE, NUMBER = "a text", "true or false", "a whole number", "a number of a sane size"
SIMPLE: dict[str, Check] = {TEXT: _text, TRUTH: _truth, WHOLE: _whole, NUMBER: _number}

# Of each object, its elements: the name of a simple type or of an object, in a list where it may stand several times.
Kind = str | list[str]
CODES: dict[str, Kind] = {"system": TEXT, "version": TEXT, "code": TEXT, "display": TEXT, "extension": ["extension"]}
VALUES: dict[str, Kind] = {
    "Boolean": TRUTH, "Integer": WHOLE, "PositiveInt": WHOLE, "UnsignedInt": WHOLE, "Decimal": NUMBER, "Coding": "coding",
    "CodeableConcept": "concept", **dict.fromkeys(["String", "Uri", "Url", "Canonical", "Code", "Markdown", "Id", "Oid", "Uuid"], TEXT),
    **dict.fromkeys(["Date", "DateTime", "Time", "Instant", "Base64Binary"], TEXT),
}  # fmt: skip
OBJECTS: dict[str, dict[str, Kind]] = {
    "form": {
        **dict.fromkeys(["url", "version", "name", "title", "copyright", "description", "implicitRules"], TEXT),
        "item": ["item"], "contained": ["resource"], "extension": ["extension"], "modifierExtension": ["extension"],
    },
    "item": {
        **dict.fromkeys(["linkId", "type", "text", "prefix", "definition", "enableBehavior", "answerValueSet"], TEXT),
        **dict.fromkeys(["required", "repeats", "readOnly"], TRUTH), "maxLength": WHOLE, "item": ["item"],
        "enableWhen": ["condition"], "answerOption": ["option"], "initial": ["value"], "code": ["coding"],
        "extension": ["extension"], "_text": "primitive", "_prefix": "primitive",
    },
    "condition": {"question": TEXT, "operator": TEXT, "extension": ["extension"]},
    "option": {"initialSelected": TRUTH, "extension": ["extension"]},
    "value": {"extension": ["extension"]},
    "primitive": {"extension": ["extension"]},
    "extension": {"url": TEXT, "extension": ["extension"]},
    "coding": CODES,
    "concept": {"coding": ["coding"], "text": TEXT},
    "resource": {"resourceType": TEXT, "id": TEXT, "expansion": "expansion", "compose": "compose"},
    "expansion": {"contains": ["contained code"]},
    "contained code": CODES | {"contains": ["contained code"], "abstract": TRUTH, "inactive": TRUTH},
    "compose": {"include": ["include"], "exclude": ["include"]},
    "include": {"system": TEXT, "concept": ["coding"], "filter": ["value"], "valueSet": [TEXT]},
}  # fmt: skip
WITH_VALUES = {"condition": "answer", "option": "value", "value": "value", "extension": "value"}


def shape_problems(form: Any) -> list[str]:
    """What in the JSON has not the type that its element must have, each with its item and element. Of a sound form nothing."""
    if not isinstance(form, Mapping):
        return ["the form: it must be an object"]
    if _is_deep(form):
        return [f"the form: it is nested more than {MAX_DEPTH} levels deep"]
    return list(_object(form, "form", "the form", 0))


def _is_deep(form: Any) -> bool:
    """Whether lists and objects are nested too deeply to be read one inside the other."""
    level = [form]
    for _ in range(MAX_DEPTH):
        level = [
            part for node in level for part in (node.values() if isinstance(node, Mapping) else node) if isinstance(part, Mapping | list)
        ]
    return bool(level)


def _object(data: Mapping[str, Any], kind: str, where: str, level: int) -> Iterator[str]:
    """The problems of one object and of everything in it. `level` counts items inside items."""
    if kind == "item":
        where, level = f"item {data['linkId']}" if isinstance(data.get("linkId"), str) and data["linkId"] else "item ?", level + 1
        if level > MAX_LEVELS:
            yield f"{where}: it is nested more than {MAX_LEVELS} levels deep"
            return
    for element, value in data.items():
        expected = _expected(kind, element)
        if expected is not None:
            yield from _element(value, expected, f"{where}: {element}", where, level)


def _expected(kind: str, element: str) -> Kind | None:
    prefix = WITH_VALUES.get(kind)
    if prefix and element.startswith(prefix):
        return VALUES.get(element[len(prefix) :])
    return OBJECTS[kind].get(element)


def _element(value: Any, expected: Kind, name: str, where: str, level: int) -> Iterator[str]:
    if isinstance(expected, list):
        if not isinstance(value, list):
            yield f"{name} must be a list"
            return
        for part in value:
            yield from _element(part, expected[0], name, where, level)
    elif expected in SIMPLE:
        if not SIMPLE[expected](value):
            yield f"{name} must be {expected}"
    elif not isinstance(value, Mapping):
        yield f"{name} must be an object"
    else:
        yield from _object(value, expected, where, level)
