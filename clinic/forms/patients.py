"""Registration, demographics, and how a patient is found."""

import datetime
import uuid
from typing import Any

from crispy_forms.layout import HTML, Column, Fieldset, Row
from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from clinic.forms.careful import Careful, DateInput, columns, lay_out
from clinic.models import Episode, Patient, Program, User
from clinic.permissions import grant

OLDEST = 120  # years

DEMOGRAPHICS = (
    Fieldset(
        "Person",
        columns("legal_first_name", "legal_last_name", "preferred_name"),
        columns("birth_date", "sex_at_birth"),
        columns("gender", "pronouns"),
        columns("language", "interpreter_needed"),
    ),
    Fieldset(
        "How to reach this person safely",
        HTML('<p class="text-secondary">Tick only what the person has said is safe. Nothing is assumed.</p>'),
        columns("phone", "email"),
        "address",
        columns("preferred_contact", "contact_note"),
        Row(
            *[
                Column(name, css_class="col-sm-6 col-md-4")
                for name in ("safe_to_call", "safe_to_leave_message", "safe_to_text", "safe_to_email", "safe_to_mail")
            ]
        ),
    ),
    Fieldset(
        "Emergency contact",
        columns("emergency_name", "emergency_relation", "emergency_phone"),
        "emergency_knows",
    ),
)


class PatientForm(Careful, forms.ModelForm):
    """Demographics. `version` carries which state of the row was on the screen."""

    class Meta:
        model = Patient
        fields = [
            "legal_first_name", "legal_last_name", "preferred_name", "birth_date", "sex_at_birth", "gender", "pronouns",
            "language", "interpreter_needed", "phone", "email", "address", "preferred_contact", "contact_note",
            "safe_to_call", "safe_to_leave_message", "safe_to_text", "safe_to_email", "safe_to_mail",
            "emergency_name", "emergency_relation", "emergency_phone", "emergency_knows",
        ]  # fmt: skip
        widgets = {"birth_date": DateInput(attrs={"autocomplete": "off"})}
        labels = {
            "email": "E-mail", "safe_to_email": "Safe to e-mail", "safe_to_leave_message": "Safe to leave a message",
            "safe_to_mail": "Safe to send letters", "emergency_name": "Name of the contact", "emergency_relation": "Relation",
            "emergency_phone": "Phone of the contact", "emergency_knows": "Knows about the treatment and may be told",
        }  # fmt: skip
        help_texts = {"emergency_knows": ""}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lay_out(self, *DEMOGRAPHICS)

    def clean_birth_date(self) -> datetime.date:
        day: datetime.date = self.cleaned_data["birth_date"]
        today = timezone.localdate()
        if day > today:
            raise ValidationError("The birth date lies in the future. Please check the year.")
        if today.year - day.year > OLDEST:
            raise ValidationError(f"That is more than {OLDEST} years ago. Please check the year.")
        return day

    def patient_values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in PatientForm.Meta.fields}


class RegistrationForm(PatientForm):
    """A new person with a first episode. `different_person` answers the duplicate warning."""

    program = forms.ModelChoiceField(Program.objects.none(), empty_label=None)
    # No choice is made beforehand: an answer nobody gave must not look like one.
    referral_source = forms.ChoiceField(choices=[("", "Choose"), *Episode.Referral.choices])
    presenting_reason = forms.CharField(
        label="Presenting reason", max_length=2000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Why the person calls or comes, in their own words.",
    )  # fmt: skip
    different_person = forms.BooleanField(required=False, label="I have checked: this is a different person")
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        held = grant(user, "patient.register")
        programs = Program.objects.filter(active=True, pk__in=held.programs | held.team_programs).order_by("name")
        self.fields["program"].queryset = programs  # type: ignore[attr-defined]
        lay_out(
            self,
            "key",
            Fieldset("First contact", columns("program", "referral_source"), "presenting_reason"),
            *DEMOGRAPHICS,
        )

    def episode_values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("referral_source", "presenting_reason")}

    def ask_again(self) -> None:
        """Whoever registers without an answer to the warning reads that one is waited for."""
        self.fields = {"different_person": self.fields.pop("different_person"), **self.fields}  # it stands above the rest
        if "asked" in self.data:
            self.add_error("different_person", "Please compare with the people listed, then tick this, or open the record that is there.")

    def take_fresh_key(self) -> None:
        """Make the form, as it is shown again, one that registers somebody else when it is sent."""
        self.data = {**self.data.dict(), "key": str(uuid.uuid4())}  # type: ignore[attr-defined]

    def possible_duplicates(self) -> list[Patient]:
        """People in the program with a like-sounding last name and a close birth date; empty once the clerk has answered.

        Whoever the clerk could not find by searching is not told of here either.
        """
        values = self.cleaned_data
        if values["different_person"]:
            return []
        found = list(
            Patient.objects.visible_to(self.user, "patient.search").sounding_like(
                program=values["program"], last_name=values["legal_last_name"], birth_date=values["birth_date"]
            )
        )
        # Sent before: the action tells a second click from another person. Asked last, so that whom the first click of a double
        # click has registered meanwhile is never taken for somebody else.
        sent_before = bool(found) and Patient.objects.filter(registration_key=values["key"]).exists()
        return [] if sent_before else found


class SearchForm(Careful, forms.Form):
    """Record number, or the beginning of a name."""

    q = forms.CharField(label="Name or record number", max_length=80, required=False, strip=True)
