"""Who opened this record, and who changed what in it."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from clinic.models import AccessEvent, Change
from clinic.permissions import requires
from clinic.views.reach import open_episode

LATEST = 200


@requires("audit.view")
def trail(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    patient = episode.patient
    accesses = AccessEvent.objects.filter(patients__contains=[patient.pk]).select_related("user").order_by("-at")[:LATEST]
    changes = Change.objects.filter(patient_id=patient.pk).select_related("user").order_by("-at", "-id")[:LATEST]
    context = {"episode": episode, "patient": patient, "accesses": accesses, "changes": changes, "latest": LATEST}
    return render(request, "clinic/trail.html", context)
