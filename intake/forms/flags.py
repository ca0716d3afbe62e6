"""What somebody did about a flag, and why."""

import datetime
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from clinic.forms import Careful, DateInput
from intake.flag_reasons import LONGEST_SNOOZE, SHORTEST, check_reason, choices
from intake.models import Flag


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
