"""A safety flag is acknowledged by a named person who says what was done."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from clinic.permissions import Refused, requires
from clinic.views.reach import about, open_episode
from intake import actions
from intake.forms import AcknowledgeForm
from intake.models import Flag


@requires("flag.acknowledge")
def acknowledge(request: HttpRequest, episode_id: uuid.UUID, flag_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    flag = get_object_or_404(Flag, episode=episode, public_id=flag_id)
    form = AcknowledgeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.acknowledge(by=request.user, flag=flag, action_taken=form.cleaned_data["action_taken"])  # type: ignore[arg-type]
        except actions.NotForYou:
            raise Refused("A critical flag is acknowledged by a clinician.") from None
        messages.success(request, f"{flag.name}: acknowledged.")
        return redirect("chart", episode_id=episode.public_id)
    context = about(request.user, episode) | {"flag": flag, "form": form}  # type: ignore[arg-type]
    return render(request, "intake/acknowledge.html", context, status=422 if form.errors else 200)
