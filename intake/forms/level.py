"""The decision on the level of care."""

from collections.abc import Mapping
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Column, Layout, Row
from django import forms
from django.utils.html import format_html

from clinic.forms import Careful
from intake.level_of_care import LevelChoice, is_lower, levels, override_reasons, ratings, shortest_explanation


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
