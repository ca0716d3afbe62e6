"""Who looks after this person."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from clinic import actions
from clinic.forms import CareTeamForm
from clinic.permissions import requires
from clinic.views.reach import about, open_episode


@requires("care_team.assign")
def care_team(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    if request.method == "POST" and "leave" in request.POST:
        text = request.POST["leave"]
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
        member = get_object_or_404(episode.care_team.select_related("user"), pk=number)
        if member.ended_at is None:  # otherwise the second click of the same button
            actions.leave_care_team(by=request.user, member=member)  # type: ignore[arg-type]
        messages.success(request, f"{member.user} has left the care team.")
        return redirect("care_team", episode_id=episode.public_id)
    form = CareTeamForm(request.POST or None, episode=episode)
    if request.method == "POST" and form.is_valid():
        member = actions.join_care_team(by=request.user, episode=episode, user=form.cleaned_data["user"])  # type: ignore[arg-type]
        messages.success(request, f"{member.user} is on the care team.")
        return redirect("care_team", episode_id=episode.public_id)
    everybody = list(episode.care_team.select_related("user", "joined_by", "ended_by").order_by("joined_at"))
    context = about(request.user, episode) | {  # type: ignore[arg-type]
        "form": form,
        "members": [member for member in everybody if member.ended_at is None],
        "former": [member for member in everybody if member.ended_at is not None],
    }
    return render(request, "clinic/care_team.html", context, status=422 if form.errors else 200)
