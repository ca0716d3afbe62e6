"""One section of a questionnaire as a form: parsing, layout and what is shown beside a question."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Layout, LayoutObject
from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.template.loader import render_to_string

from clinic.forms import Careful
from intake.answers import Answer, AnswerProblem, Key, State, in_lines, parse_answer, posted_value
from intake.branching import Evaluation
from intake.questionnaire import Item
from intake.responses import rows_of

MAX_VERSION_DIGITS = 9


def name_of(key: Key) -> str:
    """The name of a question's field: a-phq9-1, a-products.form~2."""
    link_id, instance = key
    return f"a-{link_id}~{instance}" if instance else f"a-{link_id}"


def id_of(key: Key) -> str:
    """The id of a question on the page, as the review page links to it."""
    return "q-" + name_of(key)[2:].replace("~", "_").replace(".", "_")


def row_id(group: Item, instance: str) -> str:
    """The id of one row of a repeating group on the page."""
    return f"row-{group.link_id}-{instance}".replace(".", "_")


@dataclass(frozen=True)
class Posted:
    """What one question sent: the raw values and whether “prefer not to answer” is ticked."""

    raw: tuple[str, ...] = ()
    declined: bool = False


class AnswerWidget(forms.Widget):
    def value_from_datadict(self, data: Any, files: Any, name: str) -> Posted:
        values = data.getlist(name) if isinstance(data, QueryDict) else []
        return Posted(tuple(values), data.get(f"{name}__declined") == "1")


class QuestionField(forms.Field):
    """One item at one place. Its cleaned value is an Answer; a bad entry is a sentence."""

    widget = AnswerWidget

    def __init__(self, item: Item, key: Key) -> None:
        super().__init__(required=False, label=item.text)
        self.item, self.key = item, key

    def clean(self, value: Posted) -> Answer:
        try:
            return parse_answer(self.item, value.raw, value.declined)
        except AnswerProblem as problem:
            raise ValidationError(str(problem)) from problem


class Question(LayoutObject):
    """Draws one question with the template of its kind."""

    def __init__(self, name: str) -> None:
        self.name = name

    def render(self, form: "SectionForm", context: Any, template_pack: Any = None, **kwargs: Any) -> str:
        return form.draw(self.name)


class Text(LayoutObject):
    """An instruction between questions."""

    def __init__(self, item: Item) -> None:
        self.item = item

    def render(self, form: Any, context: Any, template_pack: Any = None, **kwargs: Any) -> str:
        return render_to_string("intake/instruction.html", {"item": self.item})


class Rows(LayoutObject):
    """A repeating group: one card for each row, and an empty one for the next; only its place while it does not apply."""

    def __init__(self, group: Item, rows: list[tuple[str, list[LayoutObject]]]) -> None:
        self.group, self.rows = group, rows

    def render(
        self, form: "SectionForm", context: Any = None, template_pack: Any = None, *, oob: bool = False, **kwargs: Any
    ) -> str:
        cards = [form.draw_row(self.group, instance, place, parts, context) for place, (instance, parts) in enumerate(self.rows, 1)]
        return render_to_string("intake/rows.html", {"group": self.group, "cards": cards, "oob": oob})


class SectionForm(Careful, forms.Form):
    """The questions of one section that apply now, in order, with what is stored.

    `stored` are the answers of the draft, `versions` the state of each row the page shows, `notes` a sentence under some
    questions. After is_valid() or not,
    `answers` holds every answer that could be read, and `posted_versions` what the page had read.
    """

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        section: Item,
        stored: Mapping[Key, Answer],
        versions: Mapping[Key, int],
        evaluation: Evaluation,
        notes: Mapping[Key, str] | None = None,
    ) -> None:
        super().__init__(data)
        self.stored, self.versions, self.evaluation, self.notes = stored, versions, evaluation, notes or {}
        # What the page adds: two answers to one question, by name; what a clinician rates, by linkId; the row about to be removed.
        self.conflicts: Mapping[str, Any] = {}
        self.observed = False
        self.removing = ""
        self.shown = frozenset(data.getlist("shown")) if data is not None else frozenset()
        self.parts = list(self._lay_out(section.children, ""))
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.disable_csrf = True
        self.helper.layout = Layout(*self.parts)

    def _lay_out(self, items: tuple[Item, ...], instance: str, *, blank: bool = False) -> Iterator[LayoutObject]:
        for item in items:
            key = (item.link_id, instance)
            if item.hidden or item.is_help:
                continue
            if item.type == "display":
                if key in self.evaluation.enabled or blank:
                    yield Text(item)
            elif item.type == "group" and item.repeats:
                applies = any(link_id == item.link_id for link_id, _ in self.evaluation.enabled)
                yield Rows(item, list(self._rows(item, instance)) if applies else [])
            elif item.type == "group":
                yield from self._lay_out(item.children, instance, blank=blank)
            else:
                yield from self._question(item, key, blank)
                yield from self._lay_out(item.children, instance, blank=blank)

    def _question(self, item: Item, key: Key, blank: bool) -> Iterator[LayoutObject]:
        """The field of an item that applies, or that the page still showed; else only its place."""
        name = name_of(key)
        applies = key in self.evaluation.enabled or (blank and not item.enable_when)
        if applies or name in self.shown:
            self.fields[name] = QuestionField(item, key)
        yield Question(name)

    def _rows(self, group: Item, outer: str) -> Iterator[tuple[str, list[LayoutObject]]]:
        """Each row in which something is answered, then one empty row while another one is allowed."""
        rows = rows_of(self.evaluation.questionnaire, self.stored)
        known = rows.filled(group.link_id, outer)
        following = [rows.following(group.link_id, outer)] if group.max_occurs is None or len(known) < group.max_occurs else []
        for instance in known + following:
            yield instance, list(self._lay_out(group.children, instance, blank=instance not in known))

    @property
    def groups(self) -> dict[str, Rows]:
        """The repeating groups of the section, whether they apply or not."""
        return {part.group.link_id: part for part in self.parts if isinstance(part, Rows)}

    @property
    def questions(self) -> dict[str, QuestionField]:
        return {name: field for name, field in self.fields.items() if isinstance(field, QuestionField)}

    @property
    def answers(self) -> dict[Key, Answer]:
        """Every answer that could be read, of the questions the page showed."""
        return {
            field.key: self.cleaned_data[name]
            for name, field in self.questions.items()
            if name in self.shown and isinstance(self.cleaned_data.get(name), Answer)
        }

    @property
    def posted_versions(self) -> dict[Key, int]:
        """The version of each row that the page had read; what is not a number counts as none read."""
        return {field.key: _number(self.data.get(f"v-{name}", "")) for name, field in self.questions.items()}

    def problem(self, name: str) -> str:
        """What is wrong with what was typed, as a sentence; empty when nothing is."""
        return " ".join(map(str, self.errors.get(name, []))) if self.is_bound else ""

    def draw(self, name: str, *, oob: bool = False) -> str:
        """One question in its frame; only the frame when the question does not apply."""
        field = self.questions.get(name)
        context: dict[str, Any] = {"name": name, "frame": f"w-{name}", "oob": oob, "conflict": self.conflicts.get(name)}
        if field is not None:
            context |= self._question_context(name, field)
        return render_to_string("intake/question.html", context)

    def draw_row(self, group: Item, instance: str, place: int, parts: list[LayoutObject], context: Any) -> str:
        known = any(key[1] == instance and answer.state is not State.MISSING for key, answer in self.stored.items())
        inside = "".join(part.render(self, context) for part in parts)
        mark = f"{group.link_id}~{instance}"
        row = {
            "group": group, "mark": mark, "id": row_id(group, instance), "place": place, "known": known, "inside": inside,
            "removing": mark == self.removing,
        }  # fmt: skip
        return render_to_string("intake/row.html", row)

    def _question_context(self, name: str, field: QuestionField) -> dict[str, Any]:
        item, key = field.item, field.key
        posted = self._shown_value(name, field)
        kind = _kind(item)
        return {
            "kind": f"intake/widgets/{kind}.html",
            "id": id_of(key),
            "version": self.versions.get(key, 0),
            "number": item.prefix or "",
            "text": item.text,
            "help": " ".join(filter(None, (item.help, "One answer on each line." if in_lines(item) else "", self.notes.get(key)))),
            "options": _options(item),
            "selected": list(posted.raw) if kind == "multi" else posted.raw[0] if posted.raw else "",
            "value": "\n".join(posted.raw if in_lines(item) else posted.raw[:1]),
            "declined": posted.declined,
            "observed": self.observed,
            "error": self.problem(name),
            "required": True,
            "type": _input_type(item),
            "unit": item.unit or "",
            "max_length": None if in_lines(item) else item.max_length,
            "row": len(item.options) == 2 or item.type == "boolean",
        }

    def _shown_value(self, name: str, field: QuestionField) -> Posted:
        """What was typed, while the page is being sent; else what is stored."""
        if name in self.shown:
            value: Posted = AnswerWidget().value_from_datadict(self.data, {}, name)
            return value
        answer = self.stored.get(field.key)
        if answer is None:
            return Posted()
        return Posted(tuple(posted_value(value) for value in answer.values), answer.state is State.DECLINED)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_VERSION_DIGITS else 0


def _kind(item: Item) -> str:
    """choice, multi, list or entry: the template of the question."""
    if item.type == "boolean":
        return "choice"
    if item.options:
        return "multi" if item.repeats else "list" if item.control in ("drop-down", "autocomplete") else "choice"
    return "entry"

INPUT_TYPES = {
    "text": "textarea", "date": "date", "dateTime": "datetime-local", "time": "time", "integer": "number", "decimal": "number",
}  # fmt: skip


def _input_type(item: Item) -> str:
    return "textarea" if in_lines(item) else INPUT_TYPES.get(item.type, "text")


def _options(item: Item) -> list[dict[str, Any]]:
    if item.type == "boolean":
        return [{"value": "true", "label": "Yes", "key": None}, {"value": "false", "label": "No", "key": None}]
    return [
        {
            "value": posted_value(option.value),
            "label": option.display,
            "key": None if option.weight is None else str(option.weight),
            "exclusive": option.exclusive,
        }
        for option in item.options
    ]
