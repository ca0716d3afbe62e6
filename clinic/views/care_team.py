"""Who looks after this person."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from clinic import actions
from clinic.cleaning import entry
from clinic.forms import CareTeamForm
from clinic.models import CareTeamMember, Episode
from clinic.permissions import requires
from clinic.views.reach import about, open_episode


@requires("care_team.assign")
def care_team(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    """The team, and who joins it. Who is removed (`leave`) is asked about first: the second press (`sure`) does it."""
    episode = open_episode(request, episode_id)
    leaving = _leaving(request, episode) if request.method == "POST" and "leave" in request.POST else None
    if leaving and (leaving.ended_at or "sure" in request.POST):
        return _removed(request, episode, leaving)
    form = CareTeamForm(None if leaving else request.POST or None, episode=episode)
    if form.is_valid():
        member = actions.join_care_team(by=request.user, episode=episode, user=form.cleaned_data["user"])  # type: ignore[arg-type]
        messages.success(request, f"{member.user} is on the care team.")
        return redirect("care_team", episode_id=episode.public_id)
    context = about(request.user, episode) | _members(episode) | {"form": form, "leaving": leaving}  # type: ignore[arg-type]
    if leaving:
        context["alone"] = len(context["members"]) == 1
        context["oneself"] = leaving.user_id == request.user.pk
    return render(request, "clinic/care_team.html", context, status=422 if form.errors else 200)


def _members(episode: Episode) -> dict[str, Any]:
    everybody = list(episode.care_team.select_related("user", "joined_by", "ended_by").order_by("joined_at"))
    return {
        "members": [member for member in everybody if member.ended_at is None],
        "former": [member for member in everybody if member.ended_at is not None],
    }


def _leaving(request: HttpRequest, episode: Episode) -> CareTeamMember:
    text = entry(request.POST, "leave")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    return get_object_or_404(episode.care_team.select_related("user"), pk=number)


def _removed(request: HttpRequest, episode: Episode, member: CareTeamMember) -> HttpResponse:
    """Back to the page; a second click of the same button changes nothing."""
    if member.ended_at is None:
        try:
            actions.leave_care_team(by=request.user, member=member)  # type: ignore[arg-type]
        except actions.LockedOut as problem:
            messages.error(request, str(problem))
            return redirect("care_team", episode_id=episode.public_id)
    whom = "yourself" if member.user_id == request.user.pk else member.user
    messages.success(request, f"You removed {whom} from the care team. To undo it, add the same person again.")
    return redirect("care_team", episode_id=episode.public_id)
