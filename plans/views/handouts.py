"""Handouts: which there are, which this patient was given, by whom and when; and one of them, to read and to print.

Whoever may look at a plan looks at them: a handout given is a task done, which the minimum of a peer includes. Giving one is part of
a session with the patient, so it is for those who write session notes; a supervisor, who writes none, reads.
"""

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from clinic.cleaning import entry
from clinic.models import Episode
from clinic.permissions import requires
from clinic.views.reach import about, open_episode, within
from plans import actions
from plans.handouts import Handout, header, load_handouts
from plans.models import HandoutGiven


@requires("plan.view")
def handouts(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    given: dict[str, list[HandoutGiven]] = {}
    for row in HandoutGiven.objects.filter(episode=episode).select_related("by").order_by("-at", "-pk"):
        given.setdefault(row.handout, []).append(row)
    rows = [(handout, given.pop(handout.slug, [])) for handout in load_handouts().values()]
    context = _about(request, episode) | {"rows": rows, "former": [row for rows in given.values() for row in rows]}
    return render(request, "plans/handouts.html", context)


@requires("plan.view")
def handout(request: HttpRequest, episode_id: uuid.UUID, slug: str) -> HttpResponse:
    """One handout in large type. On paper it holds nothing about the patient."""
    episode = open_episode(request, episode_id)
    return render(request, "plans/handout.html", _about(request, episode) | {"handout": _known(slug)})


@requires("session_note.write")
def give_handout(request: HttpRequest, episode_id: uuid.UUID, slug: str) -> HttpResponse:
    """Record a handout as given; a look at this address leads to the handout."""
    episode, wanted = open_episode(request, episode_id), _known(slug)
    if request.method != "POST":
        return redirect("handout", episode_id=episode.public_id, slug=slug)
    try:
        key = uuid.UUID(entry(request.POST, "key"))
    except ValueError:
        messages.error(request, "This page had lost its mark against double clicks. It is fresh now: please try again.")
    else:
        actions.give_handout(by=request.user, episode=episode, handout=wanted, key=key)  # type: ignore[arg-type]
        messages.success(request, f"Recorded as given: {wanted.title}.")
    return redirect("handouts", episode_id=episode.public_id)


def _known(slug: str) -> Handout:
    if slug not in load_handouts():
        raise Http404
    return load_handouts()[slug]


def _about(request: HttpRequest, episode: Episode) -> dict[str, Any]:
    may_give = bool(within(request.user, "session_note.write", [episode]))  # type: ignore[arg-type]
    return about(request.user, episode) | {"header": header(), "may_give": may_give, "key": uuid.uuid4()}  # type: ignore[arg-type]
