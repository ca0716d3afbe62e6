"""Who is kept out of a chart: a colleague, or everybody but its care team."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from clinic import actions
from clinic.cleaning import entry
from clinic.forms import LiftForm, RestrictionForm
from clinic.models import ChartRestriction, Episode, User
from clinic.permissions import requires
from clinic.views.reach import about, open_episode


@requires("care_team.assign")
def restrictions(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    """What stands and stood, and what is added. Before one is lifted (`lift`) the page asks why; the second press (`sure`) does it."""
    episode = open_episode(request, episode_id)
    lifting = _lifting(request, episode) if request.method == "POST" and "lift" in request.POST else None
    lift = LiftForm(request.POST if "sure" in request.POST else None)
    if lifting and (lifting.ended_at or lift.is_valid()):
        return _lifted(request, episode, lifting, lift)
    form = RestrictionForm(None if lifting else request.POST or None)
    if form.is_valid():
        try:
            actions.restrict_chart(by=request.user, episode=episode, **form.cleaned_data)  # type: ignore[arg-type]
        except actions.LockedOut as problem:
            form.add_error(None, str(problem))
        else:
            return _restricted(request, episode)
    context = about(request.user, episode) | _rows(episode)  # type: ignore[arg-type]
    context |= {"form": form, "lifting": lifting, "lift_form": lift}
    return render(request, "clinic/restrictions.html", context, status=422 if form.errors or lift.errors else 200)


def _rows(episode: Episode) -> dict[str, Any]:
    rows = ChartRestriction.objects.filter(patient=episode.patient_id).select_related("user", "by", "ended_by").order_by("at")
    return {"standing": [row for row in rows if row.ended_at is None], "ended": [row for row in rows if row.ended_at is not None]}


def _lifting(request: HttpRequest, episode: Episode) -> ChartRestriction:
    text = entry(request.POST, "lift")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    return get_object_or_404(ChartRestriction.objects.select_related("user").filter(patient=episode.patient_id), pk=number)


def _lifted(request: HttpRequest, episode: Episode, lifting: ChartRestriction, form: LiftForm) -> HttpResponse:
    """Back to the page; a second click of the same button changes nothing."""
    if lifting.ended_at is None:
        actions.lift_restriction(by=request.user, restriction=lifting, reason=form.cleaned_data["ended_reason"])  # type: ignore[arg-type]
    messages.success(request, "The restriction is lifted.")
    return redirect("restrictions", episode_id=episode.public_id)


def _restricted(request: HttpRequest, episode: Episode) -> HttpResponse:
    """Back to the page, or away from a chart that is now closed to whoever closed it."""
    user: User = request.user  # type: ignore[assignment]
    if Episode.objects.visible_to(user, "care_team.assign").filter(pk=episode.pk).exists():
        messages.success(request, "Restricted. It holds for everybody from their next click on.")
        return redirect("restrictions", episode_id=episode.public_id)
    messages.success(request, "Restricted. It keeps you out too, so the chart is closed to you from now on.")
    return redirect("front_door")
