"""A section as a form: several answers as lines of one field, and rows with the next one to write."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from django.http import QueryDict

from intake.answers import Answer, Key, State
from intake.branching import evaluate
from intake.forms import SectionForm
from intake.questionnaire import load

FORM = load(
    {
        "resourceType": "Questionnaire",
        "item": [
            {"linkId": "names", "type": "string", "repeats": True, "text": "Names", "maxLength": 5},
            {"linkId": "readings", "type": "decimal", "repeats": True, "text": "Readings"},
            {
                "linkId": "tick",
                "type": "choice",
                "repeats": True,
                "text": "Tick",
                "answerOption": [{"valueString": "a"}, {"valueString": "b"}],
            },
            {
                "linkId": "L",
                "type": "group",
                "repeats": True,
                "text": "List",
                "extension": [{"url": "x/questionnaire-maxOccurs", "valueInteger": 2}],
                "item": [
                    {"linkId": "L.q", "type": "boolean", "text": "Question"},
                    {
                        "linkId": "L.x",
                        "type": "boolean",
                        "text": "More",
                        "enableWhen": [{"question": "L.q", "operator": "=", "answerBoolean": True}],
                    },
                ],
            },
        ],
    }
)


def given(*values: Any) -> Answer:
    return Answer(State.GIVEN, values)


def opened(stored: Mapping[Key, Answer], posted: str = "") -> SectionForm:
    data = QueryDict(posted) if posted else None
    return SectionForm(data, section=FORM.sections()[0], stored=stored, versions={}, evaluation=evaluate(FORM, stored))


def test_several_answers_are_lines_of_one_labelled_field() -> None:
    html = opened({("names", ""): given("Ana", "Bo")}).draw("a-names")
    assert ">Ana\nBo</textarea>" in html
    assert 'label for="q-names-1"' in html
    assert "One answer on each line." in html
    assert "maxlength" not in html  # the limit is of each line, not of the field


def test_a_choice_of_several_is_still_ticked() -> None:
    html = opened({("tick", ""): given("b")}).draw("a-tick")
    assert "<textarea" not in html and html.count('type="checkbox" name="a-tick"') == 2


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("names=Ana%0D%0A%0D%0ABo%0D%0A", given("Ana", "Bo")),
        ("names=", Answer(State.MISSING)),
        ("readings=7.10%0A7.1%0A7.10", given(Decimal("7.10"), Decimal("7.1"), Decimal("7.10"))),
    ],
)
def test_each_line_is_read_as_an_answer(typed: str, answer: Answer) -> None:
    name = typed.partition("=")[0]
    form = opened({}, f"shown=a-{name}&a-{typed}")
    assert form.is_valid()
    assert form.answers[name, ""] == answer


def test_what_was_typed_stays_with_its_sentence_when_one_line_cannot_be_read() -> None:
    form = opened({}, "shown=a-names&a-names=Ana%0AMaximilian")
    assert not form.is_valid()
    html = form.draw("a-names")
    assert "Please shorten this to 5 characters" in html and "Ana\nMaximilian</textarea>" in html


@pytest.mark.parametrize(
    ("sentence", "rows", "names"),
    [
        ("the first row", {}, ["a-L.q~1"]),
        ("the next row", {"1": given(False)}, ["a-L.q~1", "a-L.q~2"]),
        ("never the number of a row that was taken back", {"1": Answer(State.MISSING), "2": Answer(State.MISSING)}, ["a-L.q~3"]),
        ("none past the last that is allowed", {"1": given(False), "4": given(False)}, ["a-L.q~1", "a-L.q~4"]),
        ("with what follows from its answer", {"1": given(True)}, ["a-L.q~1", "a-L.x~1", "a-L.q~2"]),
    ],
)
def test_a_list_offers_the_row_to_write_next(sentence: str, rows: dict[str, Answer], names: list[str]) -> None:
    form = opened({("L.q", row): answer for row, answer in rows.items()})
    assert [name for name in form.questions if name.startswith("a-L")] == names, sentence
