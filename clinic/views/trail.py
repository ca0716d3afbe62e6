"""Who opened this record, and who changed what in it."""

import datetime
import uuid
from typing import Any, NamedTuple

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from clinic.cleaning import entry
from clinic.models import AccessEvent, Change, User
from clinic.permissions import action_words, requires, role_labels
from clinic.views.reach import about, open_episode

LATEST = 200
# Pages that are called otherwise than their view.
PAGES = {"demographics": "Person and contact", "break_glass": "Open in an emergency"}
# What a refusal was, by the status it was answered with.
REFUSALS = {"403": "The role did not include it (403)", "404": "Not on the care team, or out of reach (404)"}
OPERATIONS = {"INSERT": "Added", "UPDATE": "Changed", "DELETE": "Removed"}


class Access(NamedTuple):
    """One page opened by one person, once or several times within an hour. `words` is which page and how often."""

    who: str
    roles: str
    words: str
    doing: str
    reason: str
    last: datetime.datetime


class Entry(NamedTuple):
    """A change in words: what was done to what, and which fields an update touched (their values stay in the record)."""

    change: Change
    operation: str
    what: str
    fields: str


@requires("audit.view")
def trail(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    accesses = AccessEvent.objects.about(episode.patient)
    changes = Change.objects.filter(patient_id=episode.patient_id).select_related("user").order_by("-at", "-id")
    people = {user.pk: user for user in User.objects.filter(pk__in=_ids(accesses, changes)).order_by("last_name", "first_name")}
    who = next((user for user in people.values() if str(user.public_id) == entry(request.GET, "who")), None)
    if who:
        accesses, changes = accesses.filter(user=who), changes.filter(user=who)
    opened = [_access(row, people) for row in accesses.filter(outcome=AccessEvent.Outcome.ALLOWED).by_hour()[:LATEST]]
    refused = [_access(row, people) for row in accesses.filter(outcome=AccessEvent.Outcome.DENIED).by_hour()[:LATEST]]
    context = about(request.user, episode) | {  # type: ignore[arg-type]
        "opened": opened, "refused": refused, "changes": [_entry(change) for change in changes[:LATEST]],
        "people": people.values(), "who": who, "latest": LATEST,
    }  # fmt: skip
    return render(request, "clinic/trail.html", context)


def _ids(accesses: models.QuerySet, changes: models.QuerySet) -> models.QuerySet:
    """Whoever stands in the trail at all, to choose from."""
    return accesses.order_by().values("user_id").union(changes.order_by().values("user_id"))


def page_name(view: str) -> str:
    """What people call the page of a view."""
    name = view.rpartition(":")[2]
    return PAGES.get(name, name.replace("_", " ").capitalize()) or "A page"


def _access(row: dict[str, Any], people: dict[int, User]) -> Access:
    denied, page = row["outcome"] == AccessEvent.Outcome.DENIED, page_name(row["view"])
    start = timezone.localtime(row["hour"])
    hour = f"{start:%H:%M} and {start + datetime.timedelta(hours=1):%H:%M}"
    return Access(
        who=str(people.get(row["user_id"], "Not logged in")),
        roles=", ".join(role_labels(row["roles"])),
        words=page if row["times"] == 1 else f"{page}, {row['times']} times between {hour}",
        doing=action_words(row["action"]),
        reason=REFUSALS.get(row["reason"][:3], row["reason"]) if denied else row["reason"],
        last=row["last"],
    )


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
