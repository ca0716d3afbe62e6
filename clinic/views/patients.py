"""Registration, search and demographics."""

import datetime
import uuid
from typing import NamedTuple

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.formats import date_format

from clinic import actions, audit
from clinic.cleaning import entry
from clinic.forms import PatientForm, RegistrationForm, SearchForm
from clinic.models import Episode, Patient, User
from clinic.permissions import reaches, requires
from clinic.views.reach import about, open_episode, within

RESULTS = 25
# A possible duplicate collides with a row that is there; nothing is refused, and having read it stays recorded.
CONFLICT = 409


@requires("patient.register")
def register(request: HttpRequest) -> HttpResponse:
    form = RegistrationForm(request.POST or None, user=request.user)  # type: ignore[arg-type]
    duplicates: list[Patient] = []
    used = ""
    if request.method == "POST" and form.is_valid():
        duplicates = form.possible_duplicates()
        if duplicates:
            form.ask_again()
            audit.read(request, *duplicates, reason="possible duplicates shown on registration")
        else:
            try:
                return _registered(request, form)
            except actions.KeyUsed as key_used:
                used = _used_for(request, key_used.earlier)
                form.take_fresh_key()
    status = CONFLICT if duplicates or used else 422 if form.errors else 200
    context = {"form": form, "duplicates": _with_chart(request, duplicates), "used": used}
    return render(request, "clinic/register.html", context, status=status)


def _registered(request: HttpRequest, form: RegistrationForm) -> HttpResponse:
    """The new chart. Raises actions.KeyUsed."""
    episode = actions.register_patient(
        by=request.user, program=form.cleaned_data["program"], patient=form.patient_values(),  # type: ignore[arg-type]
        episode=form.episode_values(), key=form.cleaned_data["key"],
    )  # fmt: skip
    messages.success(request, f"Registered with record number {episode.patient.record_number}.")
    return redirect("chart", episode_id=episode.public_id)


def _used_for(request: HttpRequest, earlier: Episode | None) -> str:
    """Whom the form registered before, in words; of somebody out of reach nothing is said but that there was somebody."""
    if earlier is None or not Patient.objects.visible_to(request.user, "patient.register").filter(pk=earlier.patient_id).exists():  # type: ignore[arg-type]
        return "somebody"
    audit.read(request, earlier.patient, reason="the form was sent again for another person")
    return f"{earlier.patient.display_name} ({earlier.patient.record_number})"


def _with_chart(request: HttpRequest, patients: list[Patient]) -> list[tuple[Patient, uuid.UUID | None]]:
    """Each patient with the latest episode whose chart this user may open, so that a found duplicate is a way on."""
    if not patients:
        return []
    episodes = Episode.objects.visible_to(request.user, "chart.view").filter(patient__in=patients)  # type: ignore[arg-type]
    charts = dict(episodes.order_by("opened_at").values_list("patient_id", "public_id"))
    return [(patient, charts.get(patient.pk)) for patient in patients]


@requires("patient.search")
def search(request: HttpRequest) -> HttpResponse:
    # Posted, because a name in an address ends up in histories and logs.
    form = SearchForm(request.POST or None)
    found: list[Episode] = []
    asked = form.is_valid() and bool(form.cleaned_data["q"])
    if asked:
        found = _find(request, form.cleaned_data["q"])
        audit.read(request, *{episode.patient for episode in found[:RESULTS]}, reason="search")
    context = {
        "form": form,
        "found": _with_door(request.user, found[:RESULTS]),  # type: ignore[arg-type]
        "more": len(found) > RESULTS,
        "results": RESULTS,
        "asked": asked,
    }
    return render(request, "clinic/search.html", context, status=422 if form.errors else 200)


def _with_door(user: User, episodes: list[Episode]) -> list[tuple[Episode, str]]:
    """Each episode with the page this user may open: "chart", else "trail", else "break_glass" (in an emergency), else an empty string."""
    charts, trails = within(user, "chart.view", episodes), within(user, "audit.view", episodes)

    def door(found: Episode) -> str:
        emergency = reaches(user, "break_glass.invoke", found.program_id, on_team=False)
        return "chart" if found.pk in charts else "trail" if found.pk in trails else "break_glass" if emergency else ""

    return [(found, door(found)) for found in episodes]


def _find(request: HttpRequest, text: str) -> list[Episode]:
    """At most one more than is shown, so that the page can say that there are more."""
    user: User = request.user  # type: ignore[assignment]
    episodes = Episode.objects.visible_to(user, "patient.search").with_reach(user)
    return list(episodes.looked_for(text).select_related("patient", "program")[: RESULTS + 1])


@requires("patient.edit")
def demographics(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    form = PatientForm(request.POST or None, instance=Patient.objects.get(pk=episode.patient_id))
    # What was typed was typed over this state; only a conflict that has been shown moves it on.
    version = _version(request) if request.POST else episode.patient.version
    conflict: list[Difference] = []
    if request.method == "POST" and form.is_valid():
        try:
            values = form.patient_values()
            actions.update_patient(by=request.user, patient=episode.patient, values=values, version=version)  # type: ignore[arg-type]
        except actions.Stale as stale:
            conflict = _differences(form, stale.current)
            version, episode.patient = stale.current.version, stale.current
        if not conflict:  # also when somebody else saved the very same
            messages.success(request, "Saved.")
            return redirect("chart", episode_id=episode.public_id)
    status = CONFLICT if conflict else 422 if form.errors else 200
    context = about(request.user, episode) | {"form": form, "form_version": version, "conflict": conflict}  # type: ignore[arg-type]
    return render(request, "clinic/demographics.html", context, status=status)


def _version(request: HttpRequest) -> int:
    """The state the form was typed over; 0, which is older than every state and so asks to compare, when the mark is lost."""
    text = entry(request.POST, "version")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


class Difference(NamedTuple):
    """One field in which the saved row and the form differ, in words; `anchor` is the id of the field on the page."""

    anchor: str
    label: str
    saved: str
    typed: str


def _differences(form: PatientForm, current: Patient) -> list[Difference]:
    return [
        Difference(form[name].id_for_label, str(form[name].label), _in_words(current, name), _in_words(form.instance, name))
        for name, typed in form.patient_values().items()
        if getattr(current, name) != typed
    ]


def _in_words(patient: Patient, name: str) -> str:
    """The value as a person reads it: the label of a choice, yes or no, an unambiguous date, or that it is empty."""
    value = getattr(patient, name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime.date):
        return date_format(value)
    display = getattr(patient, f"get_{name}_display", None)
    return (display() if display else value) or "(empty)"
