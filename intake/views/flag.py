"""One flag: its history, and what a clinician decides about it: overridden, put off, entered in error."""

import datetime
import uuid
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from clinic.models import Episode, User
from clinic.permissions import Refused, requires
from clinic.views.reach import about, in_full, open_episode, within
from intake import actions
from intake.flag_reasons import reasons, reviewed
from intake.forms import EnterInErrorForm, OverrideForm, SnoozeForm
from intake.models import Flag, FlagEvent
from intake.views.flags import around, as_allowed

CONFLICT = 409
# url name: what it makes of the flag, and what the link says.
DECISIONS = {
    "override": (Flag.Status.OVERRIDDEN, "Override"),
    "snooze": (Flag.Status.SNOOZED, "Put off"),
    "enter_in_error": (Flag.Status.IN_ERROR, "Entered in error"),
}


class Line(NamedTuple):
    """One line of a flag's history. said: in words; inputs: rows of label, value and origin."""

    what: str
    at: datetime.datetime
    by: User
    severity: str
    reason: str = ""
    said: str = ""
    until: datetime.date | None = None
    inputs: tuple[dict[str, str], ...] = ()


@requires("scores.view")
def flag(request: HttpRequest, episode_id: uuid.UUID, flag_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    user: User = request.user  # type: ignore[assignment]
    shown = _flag(episode, flag_id)
    lines = history(user, episode, shown.rule_id)
    ways = _ways(episode, shown) if within(user, "flag.override", [episode]) else []
    as_allowed(user, episode, [shown])
    context = about(user, episode) | around(user, episode, [shown]) | {"flag": shown, "history": lines, "ways": ways}
    return render(request, "intake/flag.html", context)


def _flag(episode: Episode, flag_id: uuid.UUID) -> Flag:
    found: Flag = get_object_or_404(Flag.objects.select_related("acknowledged_by", "decided_by"), episode=episode, public_id=flag_id)
    return found


def _ways(episode: Episode, flag: Flag) -> list[dict[str, str]]:
    """What a clinician can decide: the link, or the sentence why not."""
    ids = {"episode_id": episode.public_id, "flag_id": flag.public_id}
    return [
        {"label": label, "url": reverse(name, kwargs=ids), "refusal": flag.refuses(status)} for name, (status, label) in DECISIONS.items()
    ]


def history(user: User, episode: Episode, rule_id: str) -> list[Line]:
    """All that happened to the episode's flags of one rule, the latest first, as far as this person may read of it.

    Words are for those who see the scores in full, what a flag rested on for those who read the answers too.
    """
    full = in_full(user, "scores.view", episode)
    proven = full and in_full(user, "intake.view", episode)
    flags = Flag.objects.filter(episode=episode, rule_id=rule_id).select_related("raised_by")
    lines = [Line("Raised", flag.raised_at, flag.raised_by, "") for flag in flags]
    events = FlagEvent.objects.filter(flag__in=flags).select_related("by")
    return sorted([*lines, *(_line(event, full, proven) for event in events)], key=attrgetter("at"), reverse=True)


def _line(event: FlagEvent, full: bool, proven: bool) -> Line:
    readable = proven if event.what == FlagEvent.What.REOPENED else full
    return Line(
        event.get_what_display(), event.at, event.by, Flag.Severity(event.severity).name,
        reason=reasons()[event.reason_code].label if event.reason_code in reasons() else "",
        said=event.reason if readable else "", until=event.until, inputs=tuple(event.inputs) if proven else (),
    )  # fmt: skip


@requires("flag.override")
def override(request: HttpRequest, episode_id: uuid.UUID, flag_id: uuid.UUID) -> HttpResponse:
    return _decide(request, episode_id, flag_id, "override", OverrideForm(request.POST or None), actions.override)


@requires("flag.override")
def snooze(request: HttpRequest, episode_id: uuid.UUID, flag_id: uuid.UUID) -> HttpResponse:
    return _decide(request, episode_id, flag_id, "snooze", SnoozeForm(request.POST or None), actions.snooze)


@requires("flag.override")
def enter_in_error(request: HttpRequest, episode_id: uuid.UUID, flag_id: uuid.UUID) -> HttpResponse:
    return _decide(request, episode_id, flag_id, "enter_in_error", EnterInErrorForm(request.POST or None), actions.enter_in_error)


def _decide(
    request: HttpRequest, episode_id: uuid.UUID, flag_id: uuid.UUID, name: str, form: forms.Form, act: Callable[..., Any]
) -> HttpResponse:
    """The page of one decision: its form, or the sentence why the flag does not allow it as it stands."""
    episode = open_episode(request, episode_id)
    user: User = request.user  # type: ignore[assignment]
    shown = _flag(episode, flag_id)
    status, _ = DECISIONS[name]
    refusal = shown.refuses(status)
    if request.method == "POST" and not refusal and form.is_valid():
        try:
            act(by=user, flag=shown, **form.cleaned_data)
        except actions.NotForYou:
            raise Refused("This is decided by a clinician of the program.") from None
        except actions.NotNow as changed:
            refusal = str(changed)
        else:
            messages.success(request, f"{shown.name}: {status.label.lower()}.")
            return redirect("flag", episode_id=episode.public_id, flag_id=shown.public_id)
    as_allowed(user, episode, [shown])
    context = about(user, episode) | around(user, episode, [shown])
    context |= {"flag": shown, "form": form, "refusal": refusal, "unreviewed": not reviewed()}
    refused = refusal and request.method == "POST"
    return render(request, f"intake/{name}.html", context, status=CONFLICT if refused else 422 if form.errors else 200)
