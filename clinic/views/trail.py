"""Who opened this record, and who changed what in it: by person and date, newest first, page by page."""

import datetime
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from clinic.cleaning import entry
from clinic.forms import TrailForm
from clinic.models import AccessEvent, BreakGlass, Change, Episode, Seal, User
from clinic.permissions import action_words, requires, role_labels
from clinic.views.reach import about, open_episode

PAGE = 200  # rows of the record; what is alike within an hour is one line
UNREADABLE = 422
# Pages that are called otherwise than their view.
PAGES = {"demographics": "Person and contact", "break_glass": "Open in an emergency"}
# What a refusal was, by the status it was answered with.
REFUSALS = {"403": "The role did not include it (403)", "404": "Not on the care team, or out of reach (404)"}
OPERATIONS = {"INSERT": "Added", "UPDATE": "Changed", "DELETE": "Removed"}
Show = TrailForm.Show


class Access(NamedTuple):
    """One page opened by one person, once or several times within an hour. `words` is which page and how often."""

    who: str
    person: User | None
    roles: str
    words: str
    doing: str
    reason: str
    last: datetime.datetime


class Entry(NamedTuple):
    """A change in words: what was done to what, and which fields an update touched (their values stay in the record)."""

    who: str
    person: User | None
    at: datetime.datetime
    operation: str
    what: str
    fields: str
    reason: str


class Part(NamedTuple):
    """One table of the page: the newest of its rows before some row, as lines, and the address of the earlier ones."""

    show: str
    title: str
    lines: list[Any]
    earlier: str


@requires("audit.view")
def trail(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    form = TrailForm(request.GET)
    wanted, who = form.wanted(), _person(entry(request.GET, "who"))
    shown = {show: _rows(show, episode, who, wanted) for show in (Show.REFUSED, Show.OPENED, Show.CHANGED)}
    shown = {show: rows for show, rows in shown.items() if wanted["show"] in ("", None, show)}
    people = _people(episode, [row for rows, _ in shown.values() for row in rows])
    parts = [_part(show, rows, earlier, people) for show, (rows, earlier) in shown.items()]
    context = about(request.user, episode) | {  # type: ignore[arg-type]
        "form": form, "who": who, "people": people.values(), "page": PAGE, "now": timezone.now(),
        "parts": [part for part in parts if part.lines or part.show != Show.REFUSED or wanted["show"]],
        "earlier_than": wanted["before"], "emergencies": _emergencies(episode, who, wanted),
        "sealed": Seal.objects.order_by("-number").values("number", "at").first(),
    }  # fmt: skip
    return render(request, "clinic/trail.html", context, status=UNREADABLE if form.errors else 200)


def _person(public_id: str) -> User | None:
    """Whose doings are looked at; everybody's where the address names nobody."""
    try:
        return User.objects.filter(public_id=public_id).first() if public_id else None
    except ValidationError:
        return None


def _people(episode: Episode, rows: list[dict[str, Any]]) -> dict[int, User]:
    """Whoever stands on this page, and whoever works in the program, to choose from."""
    known = Q(pk__in={row["user_id"] for row in rows}) | Q(pk__in=episode.program.memberships.values("user_id"))
    return {user.pk: user for user in User.objects.filter(known).order_by("last_name", "first_name")}


def _rows(show: str, episode: Episode, who: User | None, wanted: dict[str, Any]) -> tuple[list[Any], str]:
    """The rows of one table, newest first, and the address of those before them, by key: what lies before costs nothing."""
    before = wanted["before"] if wanted["show"] == show else None
    if show == Show.CHANGED:
        ids = _changes(episode, who, wanted, before)
        touched = models.Case(models.When(operation="UPDATE", then=models.F("after")))  # a whole signed plan is not read for its name
        changes: Any = Change.objects.filter(pk__in=ids[:PAGE]).order_by("-pk")
        rows: list[Any] = list(changes.values("user_id", "at", "table", "operation", "reason", touched=touched))
    else:
        outcome = AccessEvent.Outcome.DENIED if show == Show.REFUSED else AccessEvent.Outcome.ALLOWED
        since, until = _moments(wanted)
        ids = AccessEvent.objects.about(episode.patient, outcome, user=who, since=since, until=until, before=before, most=PAGE + 1)
        rows = list(AccessEvent.objects.filter(pk__in=ids[:PAGE]).by_hour())
    return rows, _earlier(show, who, wanted, ids)


def _changes(episode: Episode, who: User | None, wanted: dict[str, Any], before: int | None) -> list[int]:
    changes = _within(Change.objects.filter(patient_id=episode.patient_id), who, wanted)
    if before:
        changes = changes.filter(pk__lt=before)
    return list(changes.order_by("-pk").values_list("pk", flat=True)[: PAGE + 1])


def _earlier(show: str, who: User | None, wanted: dict[str, Any], ids: list[int]) -> str:
    """Where what did not fit on this page is found; nothing when all did."""
    if len(ids) <= PAGE:
        return ""
    query = {"show": show, "who": who and who.public_id, **{name: wanted[name] for name in ("since", "until")}, "before": ids[PAGE - 1]}
    return "?" + urlencode({name: value for name, value in query.items() if value})


def _within(rows: models.QuerySet, who: User | None, wanted: dict[str, Any]) -> models.QuerySet:
    """By one person, and from the first to the last of the days asked for."""
    since, until = _moments(wanted)
    asked = {"user": who, "at__gte": since, "at__lt": until}
    return rows.filter(**{name: value for name, value in asked.items() if value is not None})


def _moments(wanted: dict[str, Any]) -> tuple[datetime.datetime | None, datetime.datetime | None]:
    """When the first of the days asked for begins and the last one is over, as the clinic's own days."""
    since, until = wanted["since"], wanted["until"]
    return since and _midnight(since), until and _midnight(until, days=1)


def _midnight(day: datetime.date, days: int = 0) -> datetime.datetime:
    """When the day begins, or the one some days later; the end of the calendar has no tomorrow."""
    later = min(day, datetime.date.max - datetime.timedelta(days=2)) + datetime.timedelta(days=days)
    return timezone.make_aware(datetime.datetime.combine(later, datetime.time()))


def _emergencies(episode: Episode, who: User | None, wanted: dict[str, Any]) -> list[BreakGlass]:
    opened = _within(BreakGlass.objects.filter(patient_id=episode.patient_id), who, wanted)
    return list(opened.select_related("user", "reviewed_by").order_by("-at")[:PAGE])


def _part(show: str, rows: list[dict[str, Any]], earlier: str, people: dict[int, User]) -> Part:
    line: Callable[[dict[str, Any], dict[int, User]], Any] = _entry if show == Show.CHANGED else _access
    return Part(show, {"opened": "Opened", "refused": "Refused", "changed": "Changed"}[show], [line(row, people) for row in rows], earlier)


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
        person=people.get(row["user_id"]),
        roles=", ".join(role_labels(row["roles"])),
        words=page if row["times"] == 1 else f"{page}, {row['times']} times between {hour}",
        doing=action_words(row["action"]),
        reason=REFUSALS.get(row["reason"][:3], row["reason"]) if denied else row["reason"],
        last=row["last"],
    )


def _entry(row: dict[str, Any], people: dict[int, User]) -> Entry:
    tables = {model._meta.db_table: model for model in apps.get_models()}
    model = tables.get(row["table"])
    what = str(model._meta.verbose_name) if model else row["table"]
    touched = sorted(set(row["touched"] or {}) - {"version"})
    fields = ", ".join(_label(model, column) for column in touched)
    person, operation = people.get(row["user_id"]), OPERATIONS.get(row["operation"], row["operation"])
    return Entry(str(person or "The system"), person, row["at"], operation, what, fields, row["reason"])


def _label(model: type[models.Model] | None, column: str) -> str:
    """The field's name as people read it; the column's own name for one that later versions dropped."""
    try:
        field = model._meta.get_field(column.removesuffix("_id")) if model else None
    except FieldDoesNotExist:
        field = None
    return str(getattr(field, "verbose_name", column))
