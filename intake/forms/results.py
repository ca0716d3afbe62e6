"""Parsing and cleaning of results as they are entered, corrected and withdrawn; what cannot be is for the actions to say."""

import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Column, Layout, Row
from django import forms
from django.utils import timezone

from clinic.forms import Careful
from intake.models import Result
from intake.results import Group, Kind, plain

SAID_OF_ALL = ("name", "taken_at", "source", "key", "reason")


class MomentInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M", attrs={"autocomplete": "off"})


class Refusable(Careful, forms.Form):
    """A form whose action refuses by sentences, each for a field or for the whole."""

    def lay_out(self, *beside: str) -> None:
        """The fields in their order; those named `beside` come first, two in a row."""
        self.helper = FormHelper()
        self.helper.form_tag = False
        rest = [name for name in self.fields if name not in beside]
        row = [Row(*[Column(name, css_class="col-sm-6") for name in beside])] if beside else []
        self.helper.layout = Layout(*row, *rest)

    def refuse(self, problems: Mapping[str, str]) -> None:
        for name, sentence in problems.items():
            self.add_error(name if name in self.fields else None, sentence)


class ResultForm(Refusable):
    """Results of these kinds that were taken at one time, each in a field of its code. What is left empty was not measured."""

    name = forms.CharField(label="Name of the score", max_length=80, required=False, help_text="Only for another score.")
    taken_at = forms.DateTimeField(label="Taken at", widget=MomentInput, initial=timezone.now)
    source = forms.CharField(max_length=200)
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def __init__(self, *args: Any, group: Group, kinds: Sequence[Kind], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kinds = kinds
        self.fields |= {kind.code: _field(kind) for kind in kinds}
        self.fields["source"].label, self.fields["source"].required = group.source_label, group.source_needed
        if not any(kind.named for kind in kinds):
            del self.fields["name"]
        codes = [kind.code for kind in kinds]
        self.order_fields([*codes, "name", "taken_at", "source"])
        self.lay_out(*codes)

    def readings(self) -> dict[str, Decimal | str]:
        """What was entered, by code."""
        entered = {kind.code: self.cleaned_data[kind.code] for kind in self.kinds}
        return {code: given for code, given in entered.items() if given not in (None, "")}

    def about(self) -> dict[str, Any]:
        """What holds for all of it."""
        return {name: self.cleaned_data[name] for name in SAID_OF_ALL if name in self.fields}


def _field(kind: Kind) -> forms.Field:
    if kind.choices:
        return forms.ChoiceField(label=kind.title, choices=[("", "Not entered"), *kind.choices.items()], required=False)
    label = f"{kind.title} ({kind.unit})" if kind.unit else kind.title
    typed = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return forms.DecimalField(label=label, required=False, max_digits=8, decimal_places=2, widget=typed)


class WrongEntryForm(Refusable):
    """Why an entry was wrong."""

    reason = forms.CharField(
        label="What was wrong with the entry", min_length=3, max_length=300, widget=forms.Textarea(attrs={"rows": 2}),
        help_text="The entry stays in the list, with this reason.",
    )  # fmt: skip
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lay_out()


class CorrectionForm(WrongEntryForm, ResultForm):
    """The right entry in place of a wrong one, and why."""

    def __init__(self, *args: Any, result: Result, **kwargs: Any) -> None:
        given = result.choice if result.value is None else plain(result.value)
        initial = {result.code: given, "name": result.name, "taken_at": result.taken_at, "source": result.source}
        super().__init__(*args, group=result.group, kinds=[result.kind], initial=initial, **kwargs)
        self.fields[result.code].required = True
        self.order_fields([result.code, "name", "taken_at", "source", "reason"])
        self.lay_out()
