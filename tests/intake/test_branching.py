"""What applies: conditions, rows, lists without rows, long chains, and a sentence for each answer that cannot be right."""

import datetime
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.answers import Answer, Answers, Coding, Key, State, Value
from intake.branching import Evaluation, evaluate
from intake.compiling import DECLINED
from intake.questionnaire import Questionnaire, load

Row = dict[str, Any]
OPTIONS = [{"valueCoding": {"system": "urn:t", "code": code}} for code in ("y", "n")]
YES, NO = Coding("urn:t", "y"), Coding("urn:t", "n")


def form(*items: Row) -> Questionnaire:
    return load({"resourceType": "Questionnaire", "item": list(items)})


def ask(link_id: str, kind: str = "boolean", *below: Row, **more: Any) -> Row:
    return {"linkId": link_id, "type": kind} | ({"item": list(below)} if below else {}) | more


def listed(link_id: str, *below: Row, **more: Any) -> Row:
    return ask(link_id, "group", *below, repeats=True, **more)


def when(question: str, operator: str = "=", **answer: Any) -> list[Row]:
    return [{"question": question, "operator": operator} | (answer or {"answerBoolean": True})]


def most(count: int) -> list[Row]:
    return [{"url": "http://hl7.org/fhir/StructureDefinition/questionnaire-maxOccurs", "valueInteger": count}]


def said(answers: dict[str, Any]) -> dict[Key, Answer]:
    """{"a": True, "g.x~2": (1, 2), "b": State.DECLINED} as answers."""
    found: dict[Key, Answer] = {}
    for name, value in answers.items():
        link_id, _, instance = name.partition("~")
        values = value if isinstance(value, tuple) else (value,)
        found[link_id, instance] = Answer(value) if isinstance(value, State) else Answer(State.GIVEN, values)
    return found


def names(keys: Any) -> list[str]:
    return [f"{link_id}~{instance}" if instance else link_id for link_id, instance in keys]


def outcome(questionnaire: Questionnaire, **answers: Any) -> Evaluation:
    return evaluate(questionnaire, said(answers))


# One condition: (sentence, condition on q, type of q, answer of q or nothing, whether it applies)

CONDITIONS: list[tuple[str, Row, str, Any, bool]] = [
    ("equal", {"operator": "=", "answerInteger": 3}, "integer", 3, True),
    ("not equal", {"operator": "=", "answerInteger": 3}, "integer", 4, False),
    ("different", {"operator": "!=", "answerInteger": 3}, "integer", 4, True),
    ("not different", {"operator": "!=", "answerInteger": 3}, "integer", 3, False),
    ("nothing is not different", {"operator": "!=", "answerInteger": 3}, "integer", None, False),
    ("declined is not different", {"operator": "!=", "answerInteger": 3}, "integer", State.DECLINED, False),
    ("more", {"operator": ">", "answerDecimal": Decimal("2.5")}, "decimal", Decimal("2.51"), True),
    ("not more", {"operator": ">", "answerDecimal": Decimal("2.5")}, "decimal", Decimal("2.50"), False),
    ("at least", {"operator": ">=", "answerInteger": 3}, "integer", 3, True),
    ("at most", {"operator": "<=", "answerInteger": 3}, "integer", 4, False),
    ("before a day", {"operator": "<", "answerDate": "2026-01-02"}, "date", datetime.date(2026, 1, 1), True),
    ("a code of the same system", {"operator": "=", "answerCoding": {"system": "urn:t", "code": "y"}}, "choice", YES, True),
    ("a code of any system", {"operator": "=", "answerCoding": {"code": "y"}}, "choice", YES, True),
    ("another code", {"operator": "=", "answerCoding": {"system": "urn:t", "code": "y"}}, "choice", NO, False),
    ("yes is yes", {"operator": "=", "answerBoolean": True}, "boolean", True, True),
    ("no is not yes", {"operator": "=", "answerBoolean": True}, "boolean", False, False),
    ("there is one", {"operator": "exists", "answerBoolean": True}, "string", "x", True),
    ("there is none", {"operator": "exists", "answerBoolean": True}, "string", None, False),
    ("none is asked for", {"operator": "exists", "answerBoolean": False}, "string", None, True),
    ("declined is no answer", {"operator": "exists", "answerBoolean": False}, "string", State.DECLINED, True),
]


@pytest.mark.parametrize(("condition", "kind", "answer", "applies"), [row[1:] for row in CONDITIONS], ids=[row[0] for row in CONDITIONS])
def test_a_condition_looks_at_the_answer(condition: Row, kind: str, answer: Any, applies: bool) -> None:
    options = {"answerOption": OPTIONS} if kind == "choice" else {}
    questionnaire = form(ask("q", kind, **options), ask("x", enableWhen=[{"question": "q"} | condition]))
    answers = {} if answer is None else {"q": answer}
    assert ("x", "") in getattr(outcome(questionnaire, **answers), "enabled" if applies else "disabled")


NARROWED = when("q", "exists", answerBoolean=False)
NARROWED[0]["extension"] = [{"url": DECLINED, "valueBoolean": True}]


@pytest.mark.parametrize(
    ("sentence", "answer", "applies"),
    [("it is declined", State.DECLINED, True), ("it is not answered", None, False), ("it does not apply", State.NA, False),
     ("it is taken back", State.MISSING, False), ("it is answered with no", False, False), ("it is answered with yes", True, False)],
)  # fmt: skip
def test_enable_when_declined_applies_only_when_the_question_was_declined(sentence: str, answer: Any, applies: bool) -> None:
    questionnaire = form(ask("q"), ask("why", "string", enableWhen=NARROWED))
    answers = {} if answer is None else {"q": answer}
    assert (("why", "") in outcome(questionnaire, **answers).enabled) is applies, sentence


def test_all_or_any_of_several() -> None:
    both = [*when("a"), *when("b")]
    questionnaire = form(
        ask("a"), ask("b"), ask("all", enableWhen=both, enableBehavior="all"), ask("any", enableWhen=both, enableBehavior="any")
    )
    assert names(outcome(questionnaire, a=True, b=False).disabled) == ["all"]
    assert not outcome(questionnaire, a=True, b=True).disabled


def test_an_answer_that_is_hidden_counts_for_nothing_and_what_hangs_on_it_goes_too() -> None:
    questionnaire = form(ask("a"), ask("b", enableWhen=when("a")), ask("c", "group", ask("d"), enableWhen=when("b")))
    assert set(names(outcome(questionnaire, a=False, b=True, d=True).disabled)) == {"b", "c", "d"}
    assert not outcome(questionnaire, a=True, b=True, d=True).disabled


# A question that repeats

REPEATED: list[tuple[str, str, Row, tuple[Value, ...]]] = [
    ("string", "=", {"answerString": "b"}, ("a", "b")),
    ("text", "=", {"answerString": "b"}, ("a", "b")),
    ("url", "=", {"answerUri": "urn:b"}, ("urn:a", "urn:b")),
    ("integer", ">", {"answerInteger": 5}, (1, 9)),
    ("decimal", "<", {"answerDecimal": Decimal("0.5")}, (Decimal("0.7"), Decimal("0.4"))),
    ("date", "=", {"answerDate": "2026-01-02"}, (datetime.date(2026, 1, 1), datetime.date(2026, 1, 2))),
    ("time", ">", {"answerTime": "12:00:00"}, (datetime.time(8), datetime.time(20))),
]


@pytest.mark.parametrize(("kind", "operator", "answer", "values"), REPEATED, ids=[row[0] for row in REPEATED])
def test_a_condition_sees_any_of_several_answers(kind: str, operator: str, answer: Row, values: tuple[Value, ...]) -> None:
    questionnaire = form(ask("q", kind, repeats=True), ask("x", enableWhen=when("q", operator, **answer)))
    found = outcome(questionnaire, q=values)
    assert not found.errors
    assert ("x", "") in found.enabled
    assert ("x", "") in outcome(questionnaire, q=values[:1]).disabled


# Rows

SIBLINGS = form(listed("A", ask("A.y"), ask("A.z", enableWhen=when("A.y"))), listed("B", ask("B.x", enableWhen=when("A.y")), ask("B.n")))
NESTED = form(
    listed("O", ask("O.x", enableWhen=when("I.y")), ask("O.n"), listed("I", ask("I.y"), ask("I.z", enableWhen=when("I.y")))),
    ask("after", enableWhen=when("I.y")),
)
ROWS: list[tuple[str, Questionnaire, dict[str, Any], str, list[str]]] = [
    ("its own row only", SIBLINGS, {"A.y~1": False, "A.y~2": True}, "A.z", ["A.z~2"]),
    ("any row of another list", SIBLINGS, {"A.y~1": False, "A.y~2": True, "B.n~1": True, "B.n~2": True}, "B.x", ["B.x~1", "B.x~2"]),
    ("no row of another list", SIBLINGS, {"A.y~1": False, "A.y~2": False, "B.n~1": True}, "B.x", []),
    ("a row inside its own row", NESTED, {"O.n~1": True, "O.n~2": True, "I.y~2.1": True}, "O.x", ["O.x~2"]),
    ("one of several rows inside", NESTED, {"O.n~1": True, "I.y~1.1": False, "I.y~1.2": True}, "O.x", ["O.x~1"]),
    ("the same inner row", NESTED, {"I.y~1.1": False, "I.y~1.2": True, "I.y~2.1": True}, "I.z", ["I.z~1.2", "I.z~2.1"]),
    ("any row at all from outside", NESTED, {"I.y~1.1": False, "I.y~2.3": True}, "after", ["after"]),
]


@pytest.mark.parametrize(("questionnaire", "answers", "link_id", "applies"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_condition_shares_the_rows_of_the_lists_both_stand_in(
    questionnaire: Questionnaire, answers: Row, link_id: str, applies: list[str]
) -> None:
    assert sorted(names(key for key in outcome(questionnaire, **answers).enabled if key[0] == link_id)) == applies


# A list without rows asks its questions once, as the reference engines say

EMPTY = form(ask("a"), listed("L", ask("L.q", required=True), ask("L.x", enableWhen=when("L.q")), enableWhen=when("a")))


def test_what_an_empty_list_would_ask_is_decided_and_required() -> None:
    found = outcome(EMPTY, a=True)
    assert {key[0] for key in found.enabled} == {"a", "L", "L.q"}
    assert {key[0] for key in found.disabled} == {"L.x"}
    assert names(found.missing_required) == ["L.q~1"]
    assert not found.unanswered  # an empty list is one open question, which the list itself stands for
    assert "item" not in {row["linkId"]: row for row in found.response()["item"]}["a"]


def test_an_empty_list_that_does_not_apply_requires_nothing() -> None:
    found = outcome(EMPTY, a=False)
    assert {key[0] for key in found.disabled} == {"L", "L.q", "L.x"}
    assert not found.missing_required


def test_a_list_emptied_again_asks_in_a_row_that_has_no_versions_yet() -> None:
    found = outcome(EMPTY, **{"a": True, "L.q~1": State.MISSING, "L.q~2": State.MISSING})
    assert names(found.missing_required) == ["L.q~3"]
    assert not found.errors


@pytest.mark.parametrize(
    ("sentence", "answers", "missing"),
    [
        ("nothing inside", {}, ["G"]),
        ("something inside", {"G.a": True}, []),
        ("declined inside", {"G.a": State.DECLINED}, []),
        ("taken back inside", {"G.a": State.MISSING}, ["G"]),
        ("only a hidden answer inside", {"G.b": True}, ["G"]),
    ],
)
@pytest.mark.parametrize("repeats", [False, True])
def test_a_required_group_needs_an_answer_inside(sentence: str, answers: dict[str, Any], missing: list[str], repeats: bool) -> None:
    questionnaire = form(ask("G", "group", ask("G.a"), ask("G.b", enableWhen=when("G.a")), required=True, repeats=repeats))
    rows = {f"{name}~1" if repeats else name: value for name, value in answers.items()}
    assert [name.partition("~")[0] for name in names(outcome(questionnaire, **rows).missing_required)] == missing, sentence


def test_a_required_group_in_which_nothing_is_asked_is_not_missing() -> None:
    questionnaire = form(ask("a"), ask("G", "group", ask("words", "display"), ask("G.b", enableWhen=when("a")), required=True))
    assert not outcome(questionnaire).missing_required


# However long the chain

CHAIN = 1500


@pytest.mark.parametrize("backwards", [False, True])
def test_a_long_chain_of_conditions_is_decided_in_whatever_order_it_is_written(backwards: bool) -> None:
    items = [ask("0"), *(ask(str(n), enableWhen=when(str(n - 1))) for n in range(1, CHAIN))]
    questionnaire = form(*(reversed(items) if backwards else items))
    everything = {str(n): True for n in range(CHAIN)}
    assert len(outcome(questionnaire, **everything).enabled) == CHAIN
    assert len(outcome(questionnaire, **everything | {"700": False}).disabled) == CHAIN - 701


def test_many_rows_are_work_by_their_number_and_not_by_its_square() -> None:
    """Counted in calls of functions, so that a slow machine is no failure."""
    questionnaire = form(listed("L", ask("L.q"), ask("L.x", enableWhen=when("L.q"))))

    def calls(rows: int) -> int:
        answers = said({f"L.q~{n}": n % 2 == 0 for n in range(1, rows + 1)})
        counted = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal counted
            counted += event in ("call", "c_call")

        sys.setprofile(count)
        try:
            found = evaluate(questionnaire, answers)
        finally:
            sys.setprofile(None)
        assert len(found.disabled) == rows - rows // 2
        return counted

    assert calls(1000) < 11 * calls(100)  # ten times the rows; their square would be a hundred times


# A sentence for each answer that cannot be right

CHOOSE = "Please choose one of the answers shown."
WRONG: list[tuple[str, Row, Any, str]] = [
    ("a text for a whole number", ask("q", "integer"), "seven", "Please write a whole number."),
    ("a fraction for a whole number", ask("q", "integer"), Decimal("2.5"), "Please write a whole number."),
    ("yes for a whole number", ask("q", "integer"), True, "Please write a whole number."),
    ("a text for yes or no", ask("q"), "true", "Please choose yes or no."),
    ("a number for yes or no", ask("q"), 1, "Please choose yes or no."),
    ("a number for a text", ask("q", "string"), 1, "Please write a text."),
    ("a day for a moment", ask("q", "dateTime"), datetime.date(2026, 1, 1), "Please write a date and a time."),
    ("a moment for a day", ask("q", "date"), datetime.datetime(2026, 1, 1, 8, tzinfo=datetime.UTC), "Please write a date."),
    ("a text in a closed choice", ask("q", "choice", answerOption=OPTIONS), "y", CHOOSE),
    ("a code of another system", ask("q", "choice", answerOption=OPTIONS), Coding("urn:u", "y"), CHOOSE),
    ("a code nobody offers", ask("q", "open-choice", answerOption=OPTIONS), Coding("urn:t", "z"), CHOOSE),
    ("two answers to one question", ask("q", "integer"), (1, 2), "Please choose one answer only."),
    ("too many answers", ask("q", "integer", repeats=True, extension=most(2)), (1, 2, 3), "Please give at most 2 answers; there are 3."),
    ("one of several is no number", ask("q", "integer", repeats=True), (1, "x"), "Please write a whole number."),
    ("an answer to a group", ask("q", "group", ask("p")), "x", "This is not a question, so it takes no answer."),
    ("an answer to a text on the page", ask("q", "display"), "x", "This is not a question, so it takes no answer."),
]


@pytest.mark.parametrize(("item", "value", "sentence"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_an_answer_that_cannot_be_right_gets_a_sentence(item: Row, value: Any, sentence: str) -> None:
    assert outcome(form(item), q=value).errors == {("q", ""): sentence}


@pytest.mark.parametrize(
    ("item", "value"),
    [(ask("q", "open-choice", answerOption=OPTIONS), "my own words"), (ask("q", "choice", answerOption=OPTIONS), Coding(None, "y", "Ja")),
     (ask("q", "decimal"), 3), (ask("q", "integer", repeats=True), (3, 3))],
)  # fmt: skip
def test_an_answer_that_may_be_right_gets_none(item: Row, value: Any) -> None:
    assert not outcome(form(item), q=value).errors


def test_an_answer_to_a_question_that_is_not_there_gets_a_sentence() -> None:
    assert outcome(form(ask("q")), gone=1).errors == {("gone", ""): "This questionnaire has no such question."}
    assert not outcome(form(ask("q")), gone=State.MISSING).errors


@pytest.mark.parametrize("row", ["L.q", "L.q~1.1", "L.q~x", "L.q~0", "L.q~01", "L.q~²", "L.q~" + "9" * 5000, "a~1"])
def test_an_answer_in_a_row_that_cannot_be_gets_a_sentence(row: str) -> None:
    found = outcome(form(ask("a"), listed("L", ask("L.q"))), **{row: True})
    assert list(found.errors.values()) == ["This answer stands in a row that the questionnaire does not have."]


def test_a_row_too_many_gets_a_sentence() -> None:
    questionnaire = form(listed("L", ask("L.q"), extension=most(2)))
    answers = {"L.q~1": True, "L.q~3": State.MISSING, "L.q~4": True, "L.q~7": False}
    assert outcome(questionnaire, **answers).errors == {("L", "7"): "Please list at most 2; this is one too many."}


def test_answers_that_do_not_apply_are_not_complained_about() -> None:
    assert not outcome(form(ask("a"), ask("q", "integer", enableWhen=when("a"))), q="x").errors


# Properties

VALUES: st.SearchStrategy[Any] = st.one_of(
    st.booleans(), st.integers(-3, 3), st.text(max_size=3), st.sampled_from([YES, NO, State.DECLINED, State.MISSING])
)
PLACES = st.sampled_from(["O.x", "O.n", "I.y", "I.z", "after", "nothing"])
INSTANCES = st.sampled_from(["", "1", "2", "7", "1.1", "1.2", "2.1", "2.1.1", "x"])
KEYS = st.tuples(PLACES, INSTANCES).map("~".join)
ANY: st.SearchStrategy[Answers] = st.dictionaries(KEYS, VALUES, max_size=12).map(said)


@given(ANY)
def test_whatever_the_answers_everything_is_decided_once_and_nothing_fails(answers: Answers) -> None:
    found = evaluate(NESTED, answers)
    assert not found.enabled & found.disabled
    assert {key[0] for key in found.enabled | found.disabled} == set(NESTED.by_id)
    assert set(found.missing_required) | set(found.unanswered) <= found.enabled
    assert all(sentence.endswith(".") for sentence in found.errors.values())
    found.response()


@given(ANY)
def test_an_item_applies_only_where_what_it_stands_in_applies(answers: Answers) -> None:
    found = evaluate(NESTED, answers)
    enabled = {key[0] for key in found.enabled}
    assert all(NESTED.parents[link_id] is None or NESTED.parents[link_id] in enabled for link_id in enabled)
