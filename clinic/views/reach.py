"""Opening a row of the URL: in reach and audited, or the same 404 as a row that does not exist."""

import uuid
from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse

from clinic import audit
from clinic.models import Episode, User
from clinic.permissions import grant, may, reaches


def open_episode(request: HttpRequest, episode_id: uuid.UUID, *, audited: bool = True) -> Episode:
    """The episode of the URL with its patient and program, read for this view's declared action; the read is audited."""
    user: User = request.user  # type: ignore[assignment]
    episodes = Episode.objects.visible_to(user, request.action).with_reach(user)  # type: ignore[attr-defined]
    episode = get_object_or_404(episodes.select_related("patient", "program"), public_id=episode_id)
    if audited:
        audit.read(request, episode.patient, reason="in an emergency" if episode.emergency_until else "")  # type: ignore[attr-defined]
    return episode


def within(user: User, action: str, episodes: Iterable[Episode], *, full: bool = False) -> set[int]:
    """The ids of those episodes that are in this user's reach for another action: no query for what was read with its reach
    (EpisodeQuerySet.with_reach), as `open_episode` does, else one, however many they are.

    `full`: only those of which the user may see every field of the action, not just the minimum.
    """
    asked = list(episodes)
    if not asked or not may(user, action):
        return set()
    if all(hasattr(episode, "on_team") for episode in asked):
        return {episode.pk for episode in asked if _reaches(user, action, episode, full=full)}
    visible = Episode.objects.visible_to(user, action, full=full)
    return set(visible.filter(pk__in=[episode.pk for episode in asked]).values_list("pk", flat=True))


def _reaches(user: User, action: str, episode: Any, *, full: bool) -> bool:
    """`scope` in Python. Who opened a restricted chart by overseeing the whole organisation has no other way into it."""
    if episode.restricted and not episode.on_team and not grant(user, action, full=full).everywhere:
        return False
    in_emergency = episode.emergency_until is not None
    return reaches(user, action, episode.program_id, on_team=episode.on_team, in_emergency=in_emergency, full=full)


def in_full(user: User, action: str, episode: Episode) -> bool:
    """Whether this user sees every field of the action for this episode. False: the minimum at most."""
    return bool(within(user, action, [episode], full=True))


def about(user: User, episode: Episode) -> dict[str, Any]:
    """What the patient header of a page takes. Without the chart in reach it says who, and nothing of what is in it."""
    context: dict[str, Any] = {"episode": episode, "patient": episode.patient}
    context |= {name: getattr(episode, name, None) for name in ("restricted", "emergency_until")}
    if not within(user, "chart.view", [episode]):
        return context
    full = in_full(user, "chart.view", episode)
    waiting = f"{episode.unacknowledged} to acknowledge" if full and episode.unacknowledged else ""
    return context | {
        "chart_url": reverse("chart", kwargs={"episode_id": episode.public_id}),
        "stage": episode.get_stage_display(),
        "alerts": [{"level": episode.acuity_word, "text": waiting}] if episode.acuity else [],
    }
