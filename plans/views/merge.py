"""Two people on one plan: what is saved now beside what was typed, and a plan that was signed while somebody was writing in it."""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from django.contrib import messages
from django.forms import ChoiceField, ModelChoiceField
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html

from plans.actions import AlreadySigned
from plans.models import Plan
from plans.reasons import plain

CONFLICT, UNREADABLE = 409, 422


class SignedSince(Http404):
    """There is no draft any more, because it was signed."""


class Difference(NamedTuple):
    """One field in which the saved row and the form differ, in words; `anchor` is the id of the field on the page."""

    anchor: str
    label: str
    saved: str
    typed: str


def side_by_side(form: Any, current: Any) -> list[Difference]:
    """Every field in which what is saved differs from what was typed. The form then goes on from what is saved:

    its text stays as it was typed, each differing field says what is saved now, and saving again is over that state.
    """
    names = [name for name in form.cleaned_data if name != "version" and hasattr(current, name)]
    rows = []
    for name in (name for name in names if getattr(current, name) != form.cleaned_data[name]):
        saved, typed = _saved(current, name), _in_words(form.fields[name], form.cleaned_data[name])
        rows.append(Difference(form[name].id_for_label, str(form[name].label), saved, typed))
        form[name].help_text = format_html("Saved now: {}", saved)  # crispy shows help texts as they are
    form.carry_on_from(current.version)
    return rows


def _saved(current: Any, name: str) -> str:
    display = getattr(current, f"get_{name}_display", None)
    return str(display()) if display else _in_words(None, getattr(current, name))


def _in_words(field: Any, value: Any) -> str:
    """The value as a person reads it: the label of a choice, yes or no, an unambiguous date, or that it is empty."""
    chosen = isinstance(field, ChoiceField) and not isinstance(field, ModelChoiceField)
    choices: dict[Any, Any] = dict(field.choices) if chosen else {}
    if choices.get(value):
        return str(choices[value])
    return plain(value) if value not in (None, "") else "(empty)"


def while_draft(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A page of a draft that was signed meanwhile says so, with the way on, in place of an error."""

    @wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except (SignedSince, AlreadySigned):
            message = "This version of the plan has been signed, so nothing was saved. Begin the next version to change the plan."
            back = reverse("plan", kwargs={"episode_id": kwargs["episode_id"]})
            return render(request, "409.html", {"message": message, "back_url": back}, status=CONFLICT)

    return page


def say_if_patient_is_asked_again(request: HttpRequest, before: Plan) -> None:
    """A change after the patient's signature takes the signature back: whoever made the change is told, and why."""
    if before.patient_signature == Plan.PatientSignature.SIGNED and not Plan.objects.get(pk=before.pk).patient_signature:
        messages.warning(
            request,
            "The patient had signed the plan as it was before this change. Their signature is back to “not yet asked”: "
            "please show them the changed plan and ask again.",
        )
