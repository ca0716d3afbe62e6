"""Who looks after this person."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from clinic import actions
from clinic.forms import CareTeamForm
from clinic.permissions import requires
from clinic.views.reach import open_episode


@requires("care_team.assign")
def care_team(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    if request.method == "POST" and "leave" in request.POST:
        standing = episode.care_team.filter(ended_at=None)
        text = request.POST["leave"]
        member = get_object_or_404(standing, pk=int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0)
        actions.leave_care_team(by=request.user, member=member)  # type: ignore[arg-type]
        messages.success(request, f"{member.user} has left the care team.")
        return redirect("care_team", episode_id=episode.public_id)
    form = CareTeamForm(request.POST or None, episode=episode)
    if request.method == "POST" and form.is_valid():
        member = actions.join_care_team(by=request.user, episode=episode, user=form.cleaned_data["user"])  # type: ignore[arg-type]
        messages.success(request, f"{member.user} is on the care team.")
        return redirect("care_team", episode_id=episode.public_id)
    members = episode.care_team.select_related("user", "joined_by", "ended_by").order_by("ended_at", "joined_at")
    context = {"episode": episode, "patient": episode.patient, "form": form, "members": list(members)}
    return render(request, "clinic/care_team.html", context, status=422 if form.errors else 200)
