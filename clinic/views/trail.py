"""Who opened this record, and who changed what in it."""

import uuid
from typing import NamedTuple

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from clinic.models import AccessEvent, Change
from clinic.permissions import action_words, requires, role_labels
from clinic.views.reach import about, open_episode

LATEST = 200
OPERATIONS = {"INSERT": "Added", "UPDATE": "Changed", "DELETE": "Removed"}


class Access(NamedTuple):
    event: AccessEvent
    roles: str
    page: str
    doing: str


class Entry(NamedTuple):
    """A change in words: what was done to what, and which fields an update touched (their values stay in the record)."""

    change: Change
    operation: str
    what: str
    fields: str


@requires("audit.view")
def trail(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    patient = episode.patient
    accesses = AccessEvent.objects.filter(patients__contains=[patient.pk]).select_related("user").order_by("-at", "-id")
    changes = Change.objects.filter(patient_id=patient.pk).select_related("user").order_by("-at", "-id")
    context = about(request.user, episode) | {  # type: ignore[arg-type]
        "accesses": [_access(event) for event in accesses[:LATEST]],
        "changes": [_entry(change) for change in changes[:LATEST]],
        "latest": LATEST,
    }
    return render(request, "clinic/trail.html", context)


def _access(event: AccessEvent) -> Access:
    page = event.view.rpartition(":")[2].replace("_", " ").capitalize()
    return Access(event, ", ".join(role_labels(event.roles)), page, action_words(event.action))


def _entry(change: Change) -> Entry:
    tables = {model._meta.db_table: model for model in apps.get_models()}
    model = tables.get(change.table)
    what = str(model._meta.verbose_name) if model else change.table
    touched = sorted(set(change.after or {}) - {"version"}) if change.operation == "UPDATE" else []
    fields = ", ".join(_label(model, column) for column in touched)
    return Entry(change, OPERATIONS.get(change.operation, change.operation), what, fields)


def _label(model: type[models.Model] | None, column: str) -> str:
    """The field's name as people read it; the column's own name for one that later versions dropped."""
    try:
        field = model._meta.get_field(column.removesuffix("_id")) if model else None
    except FieldDoesNotExist:
        field = None
    return str(getattr(field, "verbose_name", column))
