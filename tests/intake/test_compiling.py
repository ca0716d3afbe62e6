"""Forms from elsewhere: hostile or broken ones are refused at once, by the name of the item, and none is half understood."""

import contextlib
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.branching import evaluate
from intake.compiling import MAX_CHAIN, MAX_DEPTH
from intake.questionnaire import UnsupportedQuestionnaire, load


def form(*items: Any, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Questionnaire", "name": "T", "item": list(items)} | more


def question(**more: Any) -> dict[str, Any]:
    return {"linkId": "1", "type": "integer", "text": "One"} | more


def limit(name: str, **value: Any) -> dict[str, Any]:
    return {"extension": [{"url": f"http://hl7.org/fhir/StructureDefinition/{name}"} | value]}


CODED = {"valueCoding": {"system": "a", "code": "x"}}
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("items that are a text", {"resourceType": "Questionnaire", "item": "all"}, "the form's item has not the shape"),
    ("an item that is a text", form("one"), "it is no object"),
    ("an item that is nothing", form(None), "it is no object"),
    ("a text that is a list", form(question(text=["One"])), "item 1: text has not the shape it must have"),
    ("a maximum length in words", form(question(maxLength="ten")), "item 1: maxLength has not the shape it must have"),
    ("required in words", form(question(required="yes")), "item 1: required has not the shape it must have"),
    ("extensions that are a text", form(question(extension="x")), "item 1: extension has not the shape it must have"),
    ("an extension that is a text", form(question(extension=["x"])), "item 1: extension must hold objects"),
    ("options that are an object", form(question(type="choice", answerOption={})), "item 1: answerOption has not the shape"),
    ("an address that is a number", form(question(extension=[{"url": 7}])), "item 1: an extension without a url is not supported"),
    ("an unimaginable length", form(question(**limit("minLength", valueDecimal=1e30))), "item 1: minLength must be a whole number"),
    ("half a decimal place", form(question(**limit("maxDecimalPlaces", valueDecimal=1.5))), "maxDecimalPlaces must be a whole number"),
    ("a look-alike extension", form(question(extension=[{"url": "http://x/bandwidth-calculatedExpression"}])), "is not supported"),
    ("something that changes the meaning", form(question(), modifierExtension=[{"url": "http://x/width"}]), "modifierExtension"),
    ("rules that must be known", form(question(), implicitRules="http://x"), "implicitRules"),
    (
        "one code of two systems",
        form(question(type="choice", answerOption=[CODED, {"valueCoding": {"system": "b", "code": "x"}}])),
        "item 1: an answer to choose stands twice",
    ),
    (
        "questions below several answers",
        form(question(type="choice", repeats=True, answerOption=[CODED], item=[{"linkId": "2", "type": "string", "text": "Which"}])),
        "item 1: questions below a question that takes several answers",
    ),
    ("a condition on itself", form(question(enableWhen=[{"question": "1", "operator": "exists", "answerBoolean": True}])), "in a circle"),
]


@pytest.mark.parametrize(("what", "data", "says"), REFUSED, ids=[what for what, _, _ in REFUSED])
def test_it_is_refused_by_name(what: str, data: dict[str, Any], says: str) -> None:
    with pytest.raises(UnsupportedQuestionnaire) as refusal:
        load(data)
    assert any(says in problem for problem in refusal.value.problems), refusal.value.problems


def nested(depth: int) -> dict[str, Any]:
    item = question()
    for level in range(depth):
        item = {"linkId": f"g{level}", "type": "group", "text": "", "item": [item]}
    return form(item)


def chain(length: int) -> dict[str, Any]:
    """Each question asks whether the next one is answered: the last decides the first."""
    rows = [
        question(linkId=str(n), enableWhen=[{"question": str(n + 1), "operator": "exists", "answerBoolean": True}]) for n in range(length)
    ]
    return form(*rows, question(linkId=str(length)))


def test_deep_forms_and_long_chains_end_in_a_sentence_and_what_is_taken_is_evaluated() -> None:
    for make, most, says in ((nested, MAX_DEPTH, "levels deep"), (chain, MAX_CHAIN - 1, "depend on each other in a row")):
        taken = load(make(most))
        assert evaluate(taken, {}).enabled
        with pytest.raises(UnsupportedQuestionnaire, match=says):
            load(make(most + 2))


def test_a_huge_number_does_not_hold_up_the_program() -> None:
    begun = time.monotonic()
    with pytest.raises(UnsupportedQuestionnaire):
        load(b'{"resourceType": "Questionnaire", "item": [{"linkId": "1", "type": "string", "text": "", "extension": '
             b'[{"url": "http://hl7.org/fhir/StructureDefinition/minLength", "valueDecimal": 1e99999}]}]}')  # fmt: skip
    assert time.monotonic() - begun < 60  # it once took for ever


NAMES = st.sampled_from(["linkId", "type", "item", "url", "valueInteger", "question", "code"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
ELEMENTS = ["linkId", "type", "text", "item", "extension", "answerOption", "enableWhen", "initial", "maxLength", "code", "answerValueSet"]
ITEMS = st.dictionaries(st.sampled_from(ELEMENTS), JSON, max_size=5)
ROOTS = st.dictionaries(st.sampled_from(["contained", "extension", "item"]), JSON, max_size=2)


@given(ITEMS, ROOTS)
def test_whatever_a_form_holds_it_is_taken_or_refused_with_sentences(item: dict[str, Any], more: dict[str, Any]) -> None:
    problems: list[str] = ["taken"]
    with contextlib.suppress(UnsupportedQuestionnaire):
        try:
            load(form({"linkId": "1", "type": "string", "text": ""} | item) | more)
        except UnsupportedQuestionnaire as refusal:
            problems = refusal.problems
            raise
    assert problems and all(problems)
