"""Parsing and cleaning of what a person sends to the ground floor."""

from clinic.forms.access import BreakGlassForm, BreakGlassReviewForm, CareTeamForm, LiftForm, RestrictionForm, TrailForm
from clinic.forms.careful import Careful, DateInput
from clinic.forms.first_visit import FirstVisitForm
from clinic.forms.patients import PatientForm, RegistrationForm, SearchForm

__all__ = [
    "BreakGlassForm", "BreakGlassReviewForm", "CareTeamForm", "Careful", "DateInput", "FirstVisitForm", "LiftForm", "PatientForm",
    "RegistrationForm", "RestrictionForm", "SearchForm", "TrailForm",
]  # fmt: skip
