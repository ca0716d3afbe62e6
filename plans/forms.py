"""Parsing and cleaning of what a clinician sends while writing a plan."""

import uuid
from typing import Any

from django import forms
from django.db.models import Q

from clinic.forms import Careful, DateInput
from clinic.models import Episode, User
from plans.components import load_components
from plans.models import Component, Goal, Intervention, Objective, Plan, Problem, staff_of

LONG = {"rows": 3}
TOO_LONG = "The text is %(show_value)d characters long; %(limit_value)d are possible."


class _Clean(Careful):
    """What is missing or too long is said without blame. `version` is the state of the row the page had read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.error_messages["required"] = "Not filled in yet."
            field.error_messages["max_length"] = TOO_LONG

    def carry_on_from(self, version: int) -> None:
        """What was typed stays; saving again is then over the state that stands now, which the page shows beside it."""
        typed = self.data.copy()  # type: ignore[attr-defined]
        typed["version"] = str(version)
        self.data = typed


def _version() -> forms.IntegerField:
    return forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**31 - 1)


class _Cleaned(_Clean, forms.ModelForm):
    """`key` is the mark of a form that adds against double clicks."""

    version = _version()
    key = forms.UUIDField(widget=forms.HiddenInput, required=False)

    def values(self) -> dict[str, Any]:
        """The cleaned values of the model's own fields."""
        return {name: self.cleaned_data[name] for name in self._meta.fields or ()}


class ProblemForm(_Cleaned):
    class Meta:
        model = Problem
        fields = ["title", "source"]
        labels = {"title": "Problem", "source": "Where it shows"}


class GoalForm(_Cleaned):
    class Meta:
        model = Goal
        fields = ["text", "patient_words", "measure", "baseline", "target", "target_date"]
        labels = {
            "text": "Goal", "patient_words": "In the patient's own words", "measure": "Measured by", "baseline": "Now",
            "target": "Target", "target_date": "By",
        }  # fmt: skip
        widgets = {"text": forms.Textarea(attrs=LONG), "patient_words": forms.Textarea(attrs=LONG), "target_date": DateInput()}


class ObjectiveForm(_Cleaned):
    class Meta:
        model = Objective
        fields = ["text"]
        labels = {"text": "Objective"}
        widgets = {"text": forms.Textarea(attrs={"rows": 2})}


class InterventionForm(_Cleaned):
    class Meta:
        model = Intervention
        fields = ["text", "discipline", "responsible", "frequency", "duration", "start_on", "review_on"]
        labels = {"text": "Intervention", "start_on": "Start", "review_on": "Review", "responsible": "Responsible person"}
        widgets = {"text": forms.Textarea(attrs={"rows": 2}), "start_on": DateInput(), "review_on": DateInput()}

    def __init__(self, *args: Any, episode: Episode, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        staff, field = staff_of(episode), self.fields["responsible"]
        active = set(staff.values_list("pk", flat=True))
        # Who is responsible now stays a choice, so that changing a text does not empty the field without a word.
        users = User.objects.filter(Q(pk__in=active) | Q(pk=self.instance.responsible_id))
        field.queryset = users.order_by("last_name", "first_name")  # type: ignore[attr-defined]
        field.label_from_instance = lambda user: str(user) if user.pk in active else f"{user} (no longer active)"  # type: ignore[attr-defined]


class DetailsForm(_Cleaned):
    class Meta:
        model = Plan
        fields = ["discharge_criteria", "review_on", "patient_signature", "patient_signature_reason", "copy_offered"]
        labels = {
            "discharge_criteria": "Ready for discharge or transfer when", "review_on": "Review by",
            "patient_signature": "The patient's signature", "patient_signature_reason": "Why the patient has not signed",
            "copy_offered": "A copy was offered to the patient",
        }  # fmt: skip
        widgets = {"discharge_criteria": forms.Textarea(attrs=LONG), "review_on": DateInput()}


class DecisionForm(_Clean, forms.Form):
    """What was decided about one component."""

    decision = forms.ChoiceField(choices=[choice for choice in Component.Decision.choices if choice[0] != "open"])
    note = forms.CharField(
        label="How it is adapted to this person", required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )
    reason = forms.CharField(label="Reason", required=False, max_length=500)
    problem = forms.ModelChoiceField(
        Problem.objects.none(), required=False, to_field_name="public_id", label="Put its goal and steps under",
        empty_label="Nothing yet", help_text="The library's wording is a start: the goal becomes the person's own before signing.",
    )  # fmt: skip
    version = _version()

    def __init__(self, *args: Any, plan: Plan, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        problems = Problem.objects.filter(plan=plan, removed=False).order_by("position", "pk")
        self.fields["problem"].queryset = problems  # type: ignore[attr-defined]
        self.fields["problem"].label_from_instance = lambda problem: problem.title  # type: ignore[attr-defined]


class AddComponentForm(_Clean, forms.Form):
    """A component of the library that was not suggested."""

    component_id = forms.ChoiceField(label="Component")

    def __init__(self, *args: Any, plan: Plan, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        there = set(plan.components.values_list("component_id", flat=True))
        rest = [(c.id, f"{c.id} {c.name}") for c in load_components().values() if c.id not in there]
        self.fields["component_id"].choices = [("", "Choose a component"), *rest]  # type: ignore[attr-defined]


class ReasonForm(_Clean, forms.Form):
    """Why the plan does not answer a clinical finding."""

    reason = forms.CharField(
        label="Reason", min_length=5, max_length=500, widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"min_length": "A few words more, please: at least %(limit_value)d characters."},
    )  # fmt: skip
    version = _version()


class SignForm(Careful, forms.Form):
    """What was on the signer's screen, and the mark against double clicks."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    seen = forms.RegexField(r"^[0-9a-f]{64}$", widget=forms.HiddenInput)
    read = forms.BooleanField(label="I have read this plan and sign it in my name.")

    @staticmethod
    def fresh(seen: str) -> "SignForm":
        return SignForm(initial={"key": uuid.uuid4(), "seen": seen})


FORMS: dict[str, type[_Cleaned]] = {"problem": ProblemForm, "goal": GoalForm, "objective": ObjectiveForm, "intervention": InterventionForm}
