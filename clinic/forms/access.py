"""Who may open a chart, who is kept out of it, and who opened it."""

from typing import Any

from django import forms
from django.db import models

from clinic.forms.careful import Careful, DateInput, lay_out
from clinic.models import BreakGlass, ChartRestriction, Episode, User
from clinic.models.access import SHORTEST_REASON


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
        lay_out(self, "user")


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

    kind = forms.ChoiceField(label="Kind of restriction", choices=[("", "Choose"), *ChartRestriction.Kind.choices])
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


class TrailForm(Careful, forms.Form):
    """What of a trail is looked at, and from which row on. Who it is about is looked up by the page."""

    class Show(models.TextChoices):
        EVERYTHING = "", "Everything"
        OPENED = "opened", "What was opened"
        REFUSED = "refused", "What was refused"
        CHANGED = "changed", "What was changed"

    show = forms.ChoiceField(choices=Show.choices, required=False, label="What")
    since = forms.DateField(required=False, label="From", widget=DateInput())
    until = forms.DateField(required=False, label="To", widget=DateInput())
    before = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput)

    def wanted(self) -> dict[str, Any]:
        """What was asked for; what could not be read counts as not asked for."""
        self.is_valid()
        return {name: getattr(self, "cleaned_data", {}).get(name) for name in self.fields}
