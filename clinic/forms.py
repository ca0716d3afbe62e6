"""Parsing and cleaning of what a person sends to the ground floor."""

import datetime
import uuid
from functools import partial
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import HTML, Column, Fieldset, Layout, Row
from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.fields import BLANK_CHOICE_DASH
from django.utils import timezone

from clinic.cleaning import Unclean, clean_text
from clinic.models import BreakGlass, ChartRestriction, Episode, Patient, Program, User
from clinic.models.access import SHORTEST_REASON
from clinic.permissions import grant

OLDEST = 120  # years
LONGEST = 2000  # characters of a text that sets no limit of its own


def _lay_out(form: Any, *fields: Any) -> None:
    """A form without its own <form> tag: the page writes the tag, so that keys and buttons stay visible there.

    What needs a look is listed in the order of the page, whatever the order in which the fields were written down.
    """
    form.helper = FormHelper()
    form.helper.form_tag = False
    form.helper.layout = Layout(*fields)
    form.order_fields([pointer.name for pointer in form.helper.layout.get_field_names()])


def clean_as_text(field: forms.Field) -> None:
    """Let a text field clean what it is given before it measures it: normal form can be longer. Passwords are taken as they are typed.

    A field without a limit of its own takes LONGEST characters.
    """
    if not isinstance(field, forms.CharField) or isinstance(field.widget, forms.PasswordInput) or hasattr(field, "stock_to_python"):
        return
    field.stock_to_python = field.to_python  # type: ignore[attr-defined]
    field.to_python = partial(_cleaned, field)  # type: ignore[method-assign]


def _cleaned(field: forms.CharField, value: Any) -> Any:
    limit = LONGEST if field.max_length is None else None  # a limit of its own is the field's to say
    try:
        return field.stock_to_python(clean_text(value, max_length=limit) if isinstance(value, str) else value)  # type: ignore[attr-defined]
    except Unclean as problem:
        raise ValidationError(str(problem)) from None


def name_open_choice(field: forms.Field) -> None:
    """A menu in which nothing is chosen yet says so; an empty choice with a name of its own keeps it."""
    if isinstance(field, forms.ModelChoiceField):
        field.empty_label = "Choose" if field.empty_label else field.empty_label
    elif isinstance(field, forms.ChoiceField):
        dashes = BLANK_CHOICE_DASH[0]
        field.choices = [("", "Choose") if choice == dashes else choice for choice in list(field.choices)]  # type: ignore[arg-type]


class Careful(forms.BaseForm):
    """Every text cleaned the one way (clinic/cleaning.py); an open choice says so. Other words: clinic/words.po.

    A form that is not one fails `manage.py check` by name.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            name_open_choice(field)

    def full_clean(self) -> None:
        for field in self.fields.values():  # now, because some forms add fields while they are made
            clean_as_text(field)
        super().full_clean()


def _columns(*names: str) -> Row:
    return Row(*[Column(name, css_class="col-md") for name in names])


DEMOGRAPHICS = (
    Fieldset(
        "Person",
        _columns("legal_first_name", "legal_last_name", "preferred_name"),
        _columns("birth_date", "sex_at_birth"),
        _columns("gender", "pronouns"),
        _columns("language", "interpreter_needed"),
    ),
    Fieldset(
        "How to reach this person safely",
        HTML('<p class="text-secondary">Tick only what the person has said is safe. Nothing is assumed.</p>'),
        _columns("phone", "email"),
        "address",
        _columns("preferred_contact", "contact_note"),
        Row(
            *[
                Column(name, css_class="col-sm-6 col-md-4")
                for name in ("safe_to_call", "safe_to_leave_message", "safe_to_text", "safe_to_email", "safe_to_mail")
            ]
        ),
    ),
    Fieldset(
        "Emergency contact",
        _columns("emergency_name", "emergency_relation", "emergency_phone"),
        "emergency_knows",
    ),
)


class DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="%Y-%m-%d", **kwargs)


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
        _lay_out(self, *DEMOGRAPHICS)

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
        _lay_out(
            self,
            "key",
            Fieldset("First contact", _columns("program", "referral_source"), "presenting_reason"),
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


class CareTeamForm(Careful, forms.Form):
    """Somebody of the program who joins the care team."""

    user = forms.ModelChoiceField(User.objects.none(), label="Colleague", empty_label="Choose")

    def __init__(self, *args: Any, episode: Episode, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        colleagues = User.objects.filter(is_active=True, memberships__program=episode.program_id).distinct()
        on_team = episode.care_team.filter(ended_at=None).values("user_id")
        kept_out = ChartRestriction.objects.standing().filter(patient=episode.patient_id, user__isnull=False).values("user_id")
        free = colleagues.exclude(pk__in=on_team).exclude(pk__in=kept_out)
        self.fields["user"].queryset = free.order_by("last_name", "first_name")  # type: ignore[attr-defined]
        self.fields["user"].label_from_instance = lambda user: f"{user} ({user.get_discipline_display()})"  # type: ignore[attr-defined]
        self.fields["user"].error_messages["invalid_choice"] = (
            "This colleague is on the care team already, is kept out of this chart, or has no role here any more."
        )
        _lay_out(self, "user")


class BreakGlassForm(Careful, forms.Form):
    """Why a chart is opened in an emergency."""

    category = forms.ChoiceField(label="What kind of emergency", choices=[("", "Choose"), *BreakGlass.Category.choices])
    reason = forms.CharField(
        label="Why it cannot wait", min_length=SHORTEST_REASON, max_length=230, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=f"At least {SHORTEST_REASON} characters. It stands in this person's trail, and whoever reviews it reads it.",
        error_messages={"min_length": f"Please say why in at least {SHORTEST_REASON} characters; so far there are %(show_value)d."},
    )  # fmt: skip


class BreakGlassReviewForm(Careful, forms.Form):
    """What somebody else thinks of it."""

    outcome = forms.ChoiceField(label="Was it right to open this chart?", choices=BreakGlass.Outcome.choices, widget=forms.RadioSelect)
    note = forms.CharField(
        label="What you looked at, and why you decide so", max_length=500, widget=forms.Textarea(attrs={"rows": 3})
    )


class RestrictionForm(Careful, forms.Form):
    """Who is kept out of a chart."""

    kind = forms.ChoiceField(label="Restriction", choices=[("", "Choose"), *ChartRestriction.Kind.choices])
    user = forms.ModelChoiceField(User.objects.none(), label="Colleague who is kept out", required=False)
    reason = forms.CharField(
        label="Why", max_length=500, widget=forms.Textarea(attrs={"rows": 2}), help_text="Whoever may change the care team reads it here."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        staff = User.objects.filter(is_active=True, memberships__isnull=False).distinct().order_by("last_name", "first_name")
        self.fields["user"].queryset = staff  # type: ignore[attr-defined]
        self.fields["user"].empty_label = "Everybody but the care team"  # type: ignore[attr-defined]
        self.fields["user"].label_from_instance = lambda user: f"{user} ({user.get_discipline_display()})"  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        alone, user = values.get("kind") == ChartRestriction.Kind.TEAM_ONLY, values.get("user")
        if alone and user:
            self.add_error("user", "This restriction keeps out everybody who is not on the care team, so no colleague is named.")
        elif values.get("kind") and not alone and "user" in values and not user:
            self.add_error("user", "Please choose who is kept out.")
        return values


class LiftForm(Careful, forms.Form):
    """Why a restriction ends."""

    ended_reason = forms.CharField(label="Why it is lifted", max_length=500, widget=forms.Textarea(attrs={"rows": 2}))


class SearchForm(Careful, forms.Form):
    """Record number, or the beginning of a name."""

    q = forms.CharField(label="Name or record number", max_length=80, required=False, strip=True)


class TrailForm(Careful, forms.Form):
    """What of a trail is looked at, and from which row on. Who it is about is looked up by the page."""

    class Show(models.TextChoices):
        EVERYTHING = "", "Everything"
        OPENED = "opened", "What was opened"
        REFUSED = "refused", "What was refused"
        CHANGED = "changed", "What was changed"

    show = forms.ChoiceField(choices=Show.choices, required=False, label="What")
    since = forms.DateField(required=False, label="From", widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    until = forms.DateField(required=False, label="To", widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    before = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput)

    def wanted(self) -> dict[str, Any]:
        """What was asked for; what could not be read counts as not asked for."""
        self.is_valid()
        return {name: getattr(self, "cleaned_data", {}).get(name) for name in self.fields}


class FirstVisitForm(Careful, forms.Form):
    """The first administrator and program of a new clinic."""

    program_name = forms.CharField(label="Name of the program", max_length=120)
    first_name = forms.CharField(max_length=150, widget=forms.TextInput(attrs={"autocomplete": "given-name"}))
    last_name = forms.CharField(max_length=150, widget=forms.TextInput(attrs={"autocomplete": "family-name"}))
    email = forms.EmailField(label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    username = forms.CharField(
        label="User name", max_length=150, validators=[User.username_validator],
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )  # fmt: skip
    password = forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), help_text="At least 12 characters.")
    password_again = forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _lay_out(
            self,
            Fieldset("Program", "program_name"),
            Fieldset("Administrator", _columns("first_name", "last_name"), "email", "username", _columns("password", "password_again")),
        )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if "password" in values and "password_again" in values and values["password"] != values["password_again"]:
            self.add_error("password_again", "The two passwords differ.")
        elif values.get("password"):
            try:
                validate_password(values["password"])
            except ValidationError as error:
                self.add_error("password", error)
        return values

    def values(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name != "password_again"}
