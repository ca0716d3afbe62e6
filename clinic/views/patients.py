"""Registration, search and demographics."""

import uuid

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from clinic import actions, audit
from clinic.forms import PatientForm, RegistrationForm, SearchForm
from clinic.models import Episode, Patient
from clinic.permissions import Refused, requires
from clinic.views.reach import open_episode

RESULTS = 25
# A possible duplicate collides with a row that is there; nothing is refused, and having read it stays recorded.
CONFLICT = 409


@requires("patient.register")
def register(request: HttpRequest) -> HttpResponse:
    form = RegistrationForm(request.POST or None, user=request.user)  # type: ignore[arg-type]
    duplicates: list[Patient] = []
    if request.method == "POST" and form.is_valid():
        duplicates = form.possible_duplicates()
        if not duplicates:
            episode = actions.register_patient(
                by=request.user, program=form.cleaned_data["program"], patient=form.patient_values(),  # type: ignore[arg-type]
                episode=form.episode_values(), key=form.cleaned_data["key"],
            )  # fmt: skip
            messages.success(request, f"Registered with record number {episode.patient.record_number}.")
            return redirect("chart", episode_id=episode.public_id)
        audit.read(request, *duplicates, reason="possible duplicates shown on registration")
    status = 422 if form.errors else CONFLICT if duplicates else 200
    return render(request, "clinic/register.html", {"form": form, "duplicates": duplicates}, status=status)


@requires("patient.search")
def search(request: HttpRequest) -> HttpResponse:
    form = SearchForm(request.GET)
    found: list[Episode] = []
    if form.is_valid() and form.cleaned_data["q"]:
        found = _find(request, form.cleaned_data["q"])
        audit.read(request, *{episode.patient for episode in found}, reason="search")
    return render(request, "clinic/search.html", {"form": form, "found": found, "asked": bool(request.GET.get("q"))})


def _find(request: HttpRequest, text: str) -> list[Episode]:
    """Episodes whose patient's record number is, or whose names begin with, what was typed."""
    names = Q()
    for word in text.split()[:4]:
        names &= (
            Q(patient__legal_last_name__istartswith=word)
            | Q(patient__legal_first_name__istartswith=word)
            | Q(patient__preferred_name__istartswith=word)
        )
    episodes = Episode.objects.visible_to(request.user, "patient.search")  # type: ignore[arg-type]
    match = episodes.filter(names | Q(patient__record_number__iexact=text)).select_related("patient", "program")
    return list(match.order_by("patient__legal_last_name", "patient__legal_first_name", "-opened_at")[:RESULTS])


@requires("patient.edit")
def demographics(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    patient = episode.patient
    form = PatientForm(request.POST or None, instance=Patient.objects.get(pk=patient.pk))
    conflict = None
    if request.method == "POST" and form.is_valid():
        try:
            actions.update_patient(
                by=request.user, patient=patient, values=form.patient_values(), version=_version(request)  # type: ignore[arg-type]
            )
            messages.success(request, "Saved.")
            return redirect("chart", episode_id=episode.public_id)
        except actions.Stale as stale:
            conflict = _differences(form, stale.current)
            patient = stale.current
    status = CONFLICT if conflict else 422 if form.errors else 200
    context = {"form": form, "episode": episode, "patient": patient, "conflict": conflict}
    return render(request, "clinic/demographics.html", context, status=status)


def _version(request: HttpRequest) -> int:
    text = request.POST.get("version", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Refused("This page has lost its version mark. Go back, reload it and try again.")
    return int(text)


def _differences(form: PatientForm, current: Patient) -> list[tuple[str, object, object]]:
    """(label, saved by somebody else, typed here) for each field in which the two differ."""
    return [
        (form.fields[name].label or name, getattr(current, name), typed)
        for name, typed in form.patient_values().items()
        if getattr(current, name) != typed
    ]
