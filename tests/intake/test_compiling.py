"""A form is taken as it is or refused with every reason named: nothing is ignored, nothing crashes, nothing hangs."""

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.cleaning import Unclean
from intake.compiling import DECLINED
from intake.questionnaire import Item, UnsupportedQuestionnaire, load
from intake.shape import MAX_LEVELS

Row = dict[str, Any]
FHIR = "http://hl7.org/fhir/StructureDefinition/"
YES_NO = [{"valueCoding": {"system": "urn:t", "code": "y"}}, {"valueCoding": {"system": "urn:t", "code": "n"}}]


def form(*items: Row, **more: Any) -> Row:
    return {"resourceType": "Questionnaire", "item": list(items)} | more


def ask(kind: str = "boolean", link_id: str = "q", **more: Any) -> Row:
    return {"linkId": link_id, "type": kind} | more


def extension(name: str, **value: Any) -> Row:
    return {"extension": [{"url": name if ":" in name else FHIR + name} | value]}


def limited(kind: str, name: str, **value: Any) -> Row:
    return ask(kind, **extension(name, **value))


def only(item: Row) -> Item:
    (found,) = load(form(item)).items
    return found


def problems(resource: Any) -> list[str]:
    with pytest.raises(UnsupportedQuestionnaire) as refused:
        load(resource)
    return refused.value.problems


# Refused: (sentence, the form, what is said)

Q = ask("boolean", "a")


def hangs_on(kind: str, operator: str = "=", **answer: Any) -> Row:
    options = {"answerOption": YES_NO} if kind == "choice" else {}
    below = {"item": [ask("string", "p")]} if kind == "group" else {}
    return form(ask(kind, "a", **options, **below), ask(enableWhen=[{"question": "a", "operator": operator} | answer]))


def contained(**value_set: Any) -> Row:
    return form(ask("choice", answerValueSet="#v"), contained=[{"resourceType": "ValueSet", "id": "v"} | value_set])


REFUSED: list[tuple[str, Row, str]] = [
    ("no items", form(), "the form has no items"),
    ("an item without a linkId", form({"type": "boolean"}), "item ?: it has no linkId"),
    ("a type that is not honoured", form(ask("quantity")), "item q: the type 'quantity' is not supported"),
    ("an element that is not honoured", form(ask(modifierExtension=[])), "item q: modifierExtension is not supported"),
    ("a linkId twice", form(ask(), ask()), "item q: this linkId stands twice"),
    ("a condition on nothing", form(ask(enableWhen=[{"question": "z", "operator": "exists", "answerBoolean": True}])), "z, which does not"),
    ("a choice of nothing", form(ask("choice")), "item q: a choice without answers"),
    ("answers to choose in a group", form(ask("group", item=[Q], answerOption=YES_NO)), "answers to choose in a group"),
    ("yes or no several times", form(ask(repeats=True)), "item q: several answers to a question of type boolean"),
    ("more than one condition", form(Q, ask(enableWhen=[{"question": "a", "operator": "=", "answerBoolean": True}] * 2)), "enableBehavior"),
    # What several answers make ambiguous
    (
        "questions below several answers",
        form(ask("choice", repeats=True, answerOption=YES_NO, item=[Q])),
        "item q: questions below a question with several answers",
    ),
    ("a group below several answers", form(ask("string", repeats=True, item=[ask("group", "g", item=[Q])])), "questions below a question"),
    (
        "one code of two systems",
        form(ask("choice", answerOption=[*YES_NO, {"valueCoding": {"system": "urn:u", "code": "y"}}])),
        "item q: two answers to choose are both 'y'",
    ),
    ("a code and a text alike", form(ask("open-choice", answerOption=[*YES_NO, {"valueString": "y"}])), "both 'y'"),
    (
        "an answer without a code",
        form(ask("choice", answerOption=[{"valueCoding": {"display": "Yes"}}])),
        "an answer to choose has no code",
    ),
    # What would be accepted and then ignored
    ("at least one answer", form(limited("string", "questionnaire-minOccurs", valueInteger=1)), "item q: at least 1 answers"),
    (
        "at least two answers",
        form(ask("string", required=True, repeats=True, **extension("questionnaire-minOccurs", valueInteger=2))),
        "at least 2",
    ),
    (
        "an expression beside the text",
        form(ask(_text=extension("cqf-expression", valueString="x"))),
        "item q: cqf-expression is not supported",
    ),
    ("a modifier", form(Q, modifierExtension=[{"url": FHIR + "designNote"}]), "the form uses modifierExtension"),
    ("other rules", form(Q, implicitRules="urn:rules"), "the form uses implicitRules"),
    ("an extension of the form", form(Q, **extension("variable", valueString="x")), "the form uses variable"),
    (
        "a harmless word inside",
        form(limited("boolean", "urn:x/bandwidth-calculatedExpression", valueString="1")),
        "bandwidth-calculatedExpression is",
    ),
    (
        "a harmless word in the path",
        form(limited("boolean", "urn:rendering-/width/calculated", valueString="1")),
        "calculated is not supported",
    ),
    ("a harmless word with more", form(limited("boolean", "designNote2", valueString="1")), "designNote2 is not supported"),
    ("an extension without a url", form(ask(extension=[{"valueString": "x"}])), "an extension without a url is not supported"),
    (
        "a limit twice",
        form(ask("integer", extension=[{"url": FHIR + "minValue", "valueInteger": n} for n in (1, 2)])),
        "minValue stands twice",
    ),
    ("half a whole number", form(limited("integer", "minValue", valueDecimal=Decimal("2.5"))), "item q: minValue must be a value"),
    ("a moment as limit of a day", form(limited("date", "minValue", valueDateTime="2026-01-01T10:00:00Z")), "minValue must be a value"),
    ("a year as limit of a day", form(limited("date", "maxValue", valueDate="2026")), "maxValue must be a value"),
    ("a text as limit", form(limited("integer", "maxValue", valueString="5")), "maxValue must be a value"),
    ("yes as limit", form(limited("integer", "maxValue", valueBoolean=True)), "maxValue must be a value"),
    ("a limit of moments", form(limited("dateTime", "minValue", valueDateTime="2026-01-01T10:00:00Z")), "minValue on a question of type"),
    ("a length of numbers", form(ask("integer", maxLength=3)), "item q: maxLength on a question of type integer"),
    ("a pattern of numbers", form(limited("integer", "regex", valueString="[0-9]")), "item q: regex on a question"),
    ("a length below 0", form(limited("string", "minLength", valueInteger=-1)), "minLength must be a whole number"),
    ("half a length", form(limited("string", "minLength", valueDecimal=Decimal("2.5"))), "minLength must be a whole number"),
    ("an initial text for a number", form(ask("integer", initial=[{"valueString": "5"}])), "item q: the initial value cannot"),
    (
        "an initial number past its limit",
        form(ask("integer", initial=[{"valueInteger": 5}], **extension("maxValue", valueInteger=4))),
        "initial",
    ),
    (
        "an initial answer nobody offers",
        form(ask("choice", answerOption=YES_NO, initial=[{"valueCoding": {"code": "z"}}])),
        "initial value",
    ),
    ("two initial answers to one question", form(ask("integer", initial=[{"valueInteger": 1}, {"valueInteger": 2}])), "initial value"),
    ("an initial value of a group", form(ask("group", item=[Q], initial=[{"valueInteger": 1}])), "initial value"),
    (
        "codes left out",
        contained(compose={"include": [{"concept": [{"code": "y"}]}], "exclude": [{"concept": [{"code": "n"}]}]}),
        "excludes codes",
    ),
    ("codes by filter", contained(compose={"include": [{"filter": [{}]}]}), "does not list its codes"),
    # Conditions
    ("a number compared with yes", hangs_on("integer", answerBoolean=True), "item q: enableWhen compares a with an answer of another type"),
    ("a number compared with a text", hangs_on("integer", answerString="3"), "another type than integer"),
    ("yes compared with a number", hangs_on("boolean", answerInteger=1), "another type than boolean"),
    ("a day compared with a moment", hangs_on("date", answerDateTime="2026-01-01T10:00:00Z"), "another type than date"),
    ("a choice compared with yes", hangs_on("choice", answerBoolean=True), "another type than choice"),
    ("a group that is asked", hangs_on("group", "exists", answerBoolean=True), "enableWhen asks for a, which is no question"),
    ("an unknown operator", hangs_on("integer", "~", answerInteger=1), "operator '~' is not supported"),
    ("exists of a number", hangs_on("integer", "exists", answerInteger=1), "enableWhen exists needs answerBoolean"),
    ("no answer to compare with", hangs_on("integer"), "enableWhen must hold exactly one value"),
    ("two answers to compare with", hangs_on("integer", answerInteger=1, answerString="1"), "exactly one value"),
]


@pytest.mark.parametrize(("resource", "says"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_not_honoured_is_refused_by_name(resource: Row, says: str) -> None:
    assert any(says in problem for problem in problems(resource)), problems(resource)


def test_a_circle_is_refused_with_its_items() -> None:
    circle = [ask("boolean", a, enableWhen=[{"question": b, "operator": "exists", "answerBoolean": True}]) for a, b in ("xy", "yz", "zx")]
    assert problems(form(Q, *circle)) == ["items x, y, z: they depend on each other in a circle"]


def test_a_group_may_not_depend_on_what_stands_in_it() -> None:
    group = ask("group", "g", item=[Q], enableWhen=[{"question": "a", "operator": "=", "answerBoolean": True}])
    assert problems(form(group)) == ["items a, g: they depend on each other in a circle"]


# Taken: what is nearly one of these


@pytest.mark.parametrize("kind", ["string", "text", "integer", "decimal", "date", "dateTime", "time", "url", "open-choice"])
def test_a_question_may_take_several_answers(kind: str) -> None:
    assert only(ask(kind, repeats=True, **extension("questionnaire-maxOccurs", valueInteger=3))).max_occurs == 3


def test_texts_may_stand_below_a_question_with_several_answers() -> None:
    help_ = ask(
        "display", "h", text="Tick all.", **extension("questionnaire-itemControl", valueCodeableConcept={"coding": [{"code": "help"}]})
    )
    assert only(ask("choice", repeats=True, answerOption=YES_NO, item=[help_])).help == "Tick all."


@pytest.mark.parametrize(
    ("item", "element", "value"),
    [
        (ask("string", required=True, **extension("questionnaire-minOccurs", valueInteger=1)), "required", True),
        (limited("string", "questionnaire-minOccurs", valueInteger=0), "required", False),
        (limited("integer", "minValue", valueDecimal=Decimal("2.0")), "min_value", 2),
        (limited("decimal", "maxValue", valueDecimal=Decimal("2.5")), "max_value", Decimal("2.5")),
        (ask("string", maxLength=10), "max_length", 10),
        (ask("choice", answerOption=YES_NO, **extension("minLength", valueInteger=7)), "min_length", 7),
        (limited("string", "urn:elsewhere/designNote", valueString="x"), "type", "string"),
    ],
)
def test_what_is_meant_is_honoured(item: Row, element: str, value: object) -> None:
    assert getattr(only(item), element) == value


def test_the_codes_below_a_code_can_be_chosen_and_an_abstract_one_cannot() -> None:
    tree = [{"code": "all", "abstract": True, "contains": [{"code": "a", "contains": [{"code": "b"}]}]}, {"code": "c"}]
    (item,) = load(contained(expansion={"contains": tree})).items
    assert [option.display for option in item.options] == ["a", "b", "c"]


# Our own extension of enableWhen


def condition(*extensions: Row, operator: str = "exists", **answer: Any) -> Row:
    return form(
        Q, ask(enableWhen=[{"question": "a", "operator": operator, "extension": list(extensions)} | (answer or {"answerBoolean": False})])
    )


def test_enable_when_declined_narrows_a_question_that_has_no_answer() -> None:
    (found,) = load(condition({"url": DECLINED, "valueBoolean": True})).by_id["q"].enable_when
    assert (found.question, found.operator) == ("a", "declined")


NARROWS_ELSE = [
    ("an answer that exists", condition({"url": DECLINED, "valueBoolean": True}, answerBoolean=True), "narrows exists = false and nothing"),
    ("an equal answer", condition({"url": DECLINED, "valueBoolean": True}, operator="="), "narrows exists = false and nothing else"),
    ("nothing", condition({"url": DECLINED, "valueBoolean": False}), "narrows exists = false and nothing else"),
    ("nothing at all", condition({"url": DECLINED}), "narrows exists = false and nothing else"),
    ("an unknown way", condition({"url": "urn:x/only-on-mondays", "valueBoolean": True}), "only-on-mondays is not supported in enableWhen"),
    ("a harmless way", condition({"url": FHIR + "designNote", "valueString": "x"}), "designNote is not supported in enableWhen"),
]


@pytest.mark.parametrize(("resource", "says"), [row[1:] for row in NARROWS_ELSE], ids=[row[0] for row in NARROWS_ELSE])
def test_it_narrows_nothing_else_and_nothing_else_narrows(resource: Row, says: str) -> None:
    assert any(says in problem for problem in problems(resource))


# Malformed: (sentence, the form, what is said)

MALFORMED: list[tuple[str, Any, str]] = [
    ("items as a text", form() | {"item": "x"}, "the form: item must be a list"),
    ("items as nothing", form() | {"item": None}, "the form: item must be a list"),
    ("an item as a text", form("x"), "the form: item must be an object"),  # type: ignore[arg-type]
    ("items below as an object", form(ask("group", item={})), "item q: item must be a list"),
    ("a linkId as a number", form(ask(link_id=1)), "item ?: linkId must be a text"),  # type: ignore[arg-type]
    ("a type as a list", form(ask(["boolean"])), "item q: type must be a text"),  # type: ignore[arg-type]
    ("a text as an object", form(ask(text={})), "item q: text must be a text"),
    ("required as a text", form(ask(required="false")), "item q: required must be true or false"),
    ("repeats as a number", form(ask(repeats=1)), "item q: repeats must be true or false"),
    ("a length as a text", form(ask("string", maxLength="ten")), "item q: maxLength must be a whole number"),
    ("a length of nothing", form(ask("string", maxLength=0)), "item q: maxLength must be a whole number above 0"),
    ("a length below nothing", form(ask("string", maxLength=-1)), "item q: maxLength must be a whole number above 0"),
    ("a length as a truth", form(ask("string", maxLength=True)), "item q: maxLength must be a whole number"),
    ("extensions as a text", form(ask(extension="x")), "item q: extension must be a list"),
    ("an extension as nothing", form(ask(extension=[None])), "item q: extension must be an object"),
    ("a url as a number", form(ask(extension=[{"url": 5}])), "item q: url must be a text"),
    ("extensions of the form as an object", form(Q, extension={}), "the form: extension must be a list"),
    ("a url of the form as a number", form(Q, extension=[{"url": 5}]), "the form: url must be a text"),
    ("extensions of a text as a text", form(ask(_text={"extension": "x"})), "item q: extension must be a list"),
    ("a text's other half as a list", form(ask(_text=[])), "item q: _text must be an object"),
    (
        "a control as a list of texts",
        form(limited("boolean", "questionnaire-itemControl", valueCodeableConcept={"coding": ["x"]})),
        "coding must be",
    ),
    ("answers as a text", form(ask("choice", answerOption="x")), "item q: answerOption must be a list"),
    ("an answer as nothing", form(ask("choice", answerOption=[None])), "item q: answerOption must be an object"),
    ("a coding as a text", form(ask("choice", answerOption=[{"valueCoding": "y"}])), "item q: valueCoding must be an object"),
    ("a code as a list", form(ask("choice", answerOption=[{"valueCoding": {"code": ["y"]}}])), "item q: code must be a text"),
    (
        "a system as a number",
        form(ask("choice", answerOption=[{"valueCoding": {"system": 1, "code": "y"}}])),
        "item q: system must be a text",
    ),
    ("a text answer as a list", form(ask("choice", answerOption=[{"valueString": ["y"]}])), "item q: valueString must be a text"),
    (
        "a weight as a text",
        form(ask("choice", answerOption=[extension("ordinalValue", valueDecimal="heavy") | YES_NO[0]])),
        "valueDecimal must be",
    ),
    ("a value set as a list", form(ask("choice", answerValueSet=["#v"])), "item q: answerValueSet must be a text"),
    ("contained as a text", form(Q, contained="x"), "the form: contained must be a list"),
    ("a contained thing as nothing", form(Q, contained=[None]), "the form: contained must be an object"),
    ("compose as a list", contained(compose=[]), "the form: compose must be an object"),
    ("include as an object", contained(compose={"include": {}}), "the form: include must be a list"),
    ("a concept as a text", contained(compose={"include": [{"concept": ["y"]}]}), "the form: concept must be an object"),
    ("an expansion as a text", contained(expansion="x"), "the form: expansion must be an object"),
    ("conditions as a text", form(Q, ask(enableWhen="a")), "item q: enableWhen must be a list"),
    ("a condition as nothing", form(Q, ask(enableWhen=[None])), "item q: enableWhen must be an object"),
    (
        "a question as a list",
        form(Q, ask(enableWhen=[{"question": ["a"], "operator": "=", "answerBoolean": True}])),
        "question must be a text",
    ),
    (
        "an answer of yes as a text",
        form(Q, ask(enableWhen=[{"question": "a", "operator": "=", "answerBoolean": "true"}])),
        "answerBoolean must be",
    ),
    ("initial as an object", form(ask("string", initial={})), "item q: initial must be a list"),
    ("initial as nothing", form(ask("string", initial=[None])), "item q: initial must be an object"),
    ("a huge number as length", form(limited("string", "minLength", valueDecimal=Decimal("1e99999999"))), "a number of a sane size"),
    ("a huge number as limit", form(limited("integer", "maxValue", valueDecimal=Decimal("1e99999999"))), "a number of a sane size"),
    ("no number as limit", form(limited("decimal", "maxValue", valueDecimal=Decimal("NaN"))), "a number of a sane size"),
    ("a name as a list", form(Q, name=["x"]), "the form: name must be a text"),
]


@pytest.mark.parametrize(("resource", "says"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_what_has_not_its_shape_is_refused_by_item_and_element(resource: Any, says: str) -> None:
    assert any(says in problem for problem in problems(resource)), problems(resource)


@pytest.mark.parametrize("data", [[], "[]", "3", None, {}, {"resourceType": ["Questionnaire"]}])
def test_what_is_no_questionnaire_is_refused(data: Any) -> None:
    assert problems(data) == ["This is not a FHIR Questionnaire."]


def nested(levels: int) -> Row:
    inside = Q
    for level in range(levels - 1):
        inside = ask("group", f"g{level}", item=[inside])
    return form(inside)


def test_groups_are_nested_to_a_limit() -> None:
    assert len(load(nested(MAX_LEVELS)).by_id) == MAX_LEVELS
    assert problems(nested(MAX_LEVELS + 1)) == [f"item a: it is nested more than {MAX_LEVELS} levels deep"]
    assert problems(nested(5000)) == ["the form: it is nested more than 64 levels deep"]


def test_whatever_else_is_nested_to_a_limit() -> None:
    inside: Row = {"url": "urn:x/designNote"}
    code: Row = {"code": "a"}
    for _ in range(5000):
        inside = {"url": "urn:x/designNote", "extension": [inside]}
        code = {"code": "a", "contains": [code]}
    for deep in (form(ask(extension=[inside])), contained(expansion={"contains": [code]}), form(Q, x=inside)):
        assert problems(deep) == ["the form: it is nested more than 64 levels deep"]


def test_a_number_written_in_a_few_characters_is_refused_before_anybody_writes_it_out() -> None:
    """It once held the program for more than ten minutes."""
    with pytest.raises(Unclean, match="too large or too exact"):
        load('{"resourceType": "Questionnaire", "item": [{"linkId": "q", "type": "integer", "maxLength": 1e99999999}]}')


# Properties

WHOLE: Row = form(
    Q,
    ask("choice", "c", answerOption=YES_NO, initial=[YES_NO[0]], required=True),
    ask("choice", "v", answerValueSet="#v", enableWhen=[{"question": "c", "operator": "=", "answerCoding": {"code": "y"}}]),
    ask("group", "g", repeats=True, item=[ask("integer", "n", **extension("maxValue", valueInteger=9)), ask("string", "s", maxLength=5)]),
    contained=[{"resourceType": "ValueSet", "id": "v", "compose": {"include": [{"system": "urn:t", "concept": [{"code": "k"}]}]}}],
    url="urn:form", version="1", name="Whole",
)  # fmt: skip
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.decimals(),
    lambda inside: (
        st.lists(inside, max_size=2) | st.dictionaries(st.sampled_from(["linkId", "url", "code", "item", "x"]), inside, max_size=2)
    ),
    max_leaves=4,
)


def places(node: Any) -> list[tuple[Any, Any]]:
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
    return [place for key in keys for place in ((node, key), *places(node[key]))]


@given(st.data(), JUNK)
def test_a_form_with_junk_anywhere_is_taken_or_refused_in_sentences(data: st.DataObject, junk: Any) -> None:
    broken = copy.deepcopy(WHOLE)
    node, key = data.draw(st.sampled_from(places(broken)))
    node[key] = junk
    refused: list[str] = []
    try:
        load(broken)
    except UnsupportedQuestionnaire as refusal:
        refused = refusal.problems
    assert all(problem.startswith(("item", "the form", "This is")) for problem in refused)
