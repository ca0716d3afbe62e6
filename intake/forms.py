"""One section of a questionnaire as a form: each question a field that knows its template and parses its own answer."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Column, Layout, LayoutObject, Row
from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html

from clinic.forms import Careful, DateInput
from intake.answers import Answer, AnswerProblem, Key, State, in_lines, parse_answer, posted_value
from intake.branching import Evaluation
from intake.flag_reasons import LONGEST_SNOOZE, SHORTEST, check_reason, choices
from intake.level_of_care import LevelChoice, is_lower, levels, override_reasons, ratings, shortest_explanation
from intake.models import Flag
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


class LevelForm(Careful, forms.Form):
    """A clinician's own rating of the five needs and the level decided on, beside what one assessment computed (its `result`).

    `seen` is the mark of what the page showed (actions.level_mark).
    """

    level = forms.ChoiceField(label="Level of care", choices=[("", "Choose"), *((id, f"{id} {name}") for id, name in levels().items())])
    reason_code = forms.ChoiceField(label="Why another level", required=False, choices=[("", "Choose"), *override_reasons().items()])
    explanation = forms.CharField(
        label="In your own words", required=False, min_length=shortest_explanation(), max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=f"Where the level is not the suggested one, at least {shortest_explanation()} characters.",
        error_messages={"min_length": "Please say more: at least %(limit_value)d characters; so far there are %(show_value)d."},
    )  # fmt: skip
    seen = forms.CharField(max_length=80, widget=forms.HiddenInput)

    def __init__(self, *args: Any, result: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.suggested = result["level"]["level"]
        self.computed = {need["id"]: need["rating"] for need in result["needs"]}
        for need in result["needs"]:
            self.fields[need["id"]] = _rating(need)
            self.fields[_reason(need["id"])] = forms.CharField(label=f"Why {need['id']} is another", required=False, max_length=500)
        self.helper = FormHelper()
        self.helper.form_tag = False
        rows = [Row(Column(id, css_class="col-md-5"), Column(_reason(id), css_class="col-md-7")) for id in self.computed]
        self.helper.layout = Layout("seen", *rows, "level", "reason_code", "explanation")
        self.order_fields([pointer.name for pointer in self.helper.layout.get_field_names()])

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for id, computed in self.computed.items():
            if id in values and _reason(id) in values:
                self._look_at_need(_reason(id), changed=values[id] != computed, reason=values[_reason(id)])
        if "level" in values:
            self._look_at_level(values["level"], values.get("reason_code", ""), values.get("explanation"))
        return values

    def _look_at_need(self, field: str, *, changed: bool, reason: str) -> None:
        if changed and not reason:
            self.add_error(field, "Please say why you rate this otherwise than it was computed.")
        if reason and not changed:
            self.add_error(field, "The rating is the computed one, which needs no reason: change the rating, or leave this empty.")

    def _look_at_level(self, level: str, code: str, explanation: str | None) -> None:
        """What another level needs; an explanation that is None has been found too short already."""
        if level == self.suggested:
            if code:
                self.add_error("reason_code", "The suggested level needs no reason: choose another level, or leave this open.")
            return
        if not code:
            self.add_error("reason_code", "Please say why it is not the suggested level.")
        if explanation == "":
            self.add_error("explanation", f"Please say why in at least {shortest_explanation()} characters.")
        way, other = ("lower", "higher") if is_lower(level, self.suggested) else ("higher", "lower")
        if code == f"clinical_judgement_{other}":
            self.add_error("reason_code", f"The level is {way} than the suggested one; this reason says otherwise.")

    def choice(self) -> LevelChoice:
        values = self.cleaned_data
        return LevelChoice(
            {id: values[id] for id in self.computed}, {id: values[_reason(id)] for id in self.computed}, values["level"],
            values["reason_code"], values["explanation"],
        )  # fmt: skip

    def carry_on_from(self, mark: str) -> None:
        """What was typed stays; sending it again is then beside what stands now, which the page shows."""
        typed = self.data.copy()  # type: ignore[attr-defined]
        typed["seen"] = mark
        self.data = typed


def _reason(need_id: str) -> str:
    return f"{need_id}_reason"


def _rating(need: Mapping[str, Any]) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        label=f"{need['id']} {need['name']}", choices=[(rating, f"{rating} {word}") for rating, word in ratings().items()], coerce=int,
        initial=need["rating"], help_text=format_html("Computed: {} {}. {}.", need["rating"], ratings()[need["rating"]], need["text"]),
    )  # fmt: skip


class EvaluationForm(Careful, forms.Form):
    """What the emergency evaluation after a high suicide risk found."""

    evaluation = forms.CharField(
        label="Who evaluated, when, and what came of it", min_length=10, max_length=2000, widget=forms.Textarea(attrs={"rows": 4}),
        help_text="For example: seen by the on-call psychiatrist at 14:20, admitted. Or: safe to go home with her sister, plan copied.",
    )  # fmt: skip


class AcknowledgeForm(Careful, forms.Form):
    """What was done about a flag, and about others that rest on the same medicine."""

    action_taken = forms.CharField(
        label="What was done", min_length=3, max_length=1000, widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}),
        help_text="What you did, who has taken over, and when it is looked at again.",
    )  # fmt: skip
    together = forms.MultipleChoiceField(
        label="Acknowledge with the same words", required=False, widget=forms.CheckboxSelectMultiple,
        help_text="They rest on the same medicine.",
    )  # fmt: skip

    def __init__(self, *args: Any, others: Sequence[Flag] = (), **kwargs: Any) -> None:
        """`others`: the flags that may be acknowledged together with this one."""
        super().__init__(*args, **kwargs)
        self.others = {str(flag.public_id): flag for flag in others}
        choices = [(key, f"{flag.get_severity_display()}: {flag.name}") for key, flag in self.others.items()]
        self.fields["together"].choices = choices  # type: ignore[attr-defined]
        if not others:
            del self.fields["together"]

    @property
    def chosen(self) -> list[Flag]:
        return [self.others[key] for key in self.cleaned_data.get("together", ())]


class ReasonForm(Careful, forms.Form):
    """Why a flag is overridden or put off: a coded reason, and words that one of them asks for."""

    kind = ""

    reason_code = forms.ChoiceField(label="Reason", widget=forms.RadioSelect)
    reason = forms.CharField(
        label="In words", required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What is done instead, or what is awaited. Needed for another reason.",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason_code"].choices = choices(self.kind)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if "reason_code" in given and "reason" in given:
            try:
                check_reason(self.kind, given["reason_code"], given["reason"])
            except ValueError as problem:
                self.add_error("reason", str(problem))
        return given


class OverrideForm(ReasonForm):
    kind = "override"


class SnoozeForm(ReasonForm):
    """The day is one of the next seven."""

    kind = "snooze"

    until = forms.DateField(label="Until", widget=DateInput())
    field_order = ("until", "reason_code", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        today = timezone.localdate()
        self.first, self.last = today + datetime.timedelta(1), today + datetime.timedelta(LONGEST_SNOOZE)
        self.fields["until"].initial = self.first
        self.fields["until"].help_text = f"{self.last:%-d %b %Y} at the latest."
        self.fields["until"].widget.attrs |= {"min": self.first.isoformat(), "max": self.last.isoformat()}

    def clean_until(self) -> datetime.date:
        until: datetime.date = self.cleaned_data["until"]
        if not self.first <= until <= self.last:
            raise ValidationError(f"A flag is put off until {self.last:%-d %b %Y} at the latest, and until tomorrow at the earliest.")
        return until


class EnterInErrorForm(Careful, forms.Form):
    """Why a flag should never have been raised."""

    reason = forms.CharField(
        label="Why it should never have been raised", min_length=SHORTEST, max_length=1000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="For example: the form of another person was typed into this chart.",
    )  # fmt: skip
