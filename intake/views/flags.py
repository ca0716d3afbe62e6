"""A safety flag is acknowledged by a named person who says what was done."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from clinic.models import Episode, User
from clinic.permissions import Refused, is_clinician, requires
from clinic.views.reach import about, in_full, open_episode, within
from intake import actions
from intake.forms import AcknowledgeForm, EvaluationForm
from intake.models import Flag


def safety(user: User, episode: Episode, *, brief: bool = False) -> dict[str, Any]:
    """What the safety banner of a page takes: the flags that stand, the crisis text while a critical one is open.

    Whole are the open ones, `folded` those that somebody has acknowledged. `brief`, above a form: only the critical ones are whole.
    """
    standing = list(Flag.objects.filter(episode=episode).standing().select_related("acknowledged_by"))
    if not in_full(user, "scores.view", episode):
        for flag in standing:
            flag.proof = {}  # the minimum is the flag and its action, not the answers it rests on
    opened = [flag for flag in standing if flag.status == Flag.Status.OPEN]
    critical = [flag for flag in opened if flag.severity == Flag.Severity.CRITICAL]
    whole = critical if brief else opened
    folded = {
        "to acknowledge": [flag for flag in opened if flag not in whole],
        "acknowledged": [flag for flag in standing if flag.status == Flag.Status.ACKNOWLEDGED],
    }
    return {
        "flags": whole,
        "folded": [(words, flags) for words, flags in folded.items() if flags],
        "crisis": episode.program.crisis_text if critical else "",
        "may_acknowledge": bool(within(user, "flag.acknowledge", [episode])),
        "holding": next((flag for flag in standing if flag.holds), None),
    }


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
    context = about(request.user, episode) | {"flag": flag, "form": form, "others": Flag.objects.acknowledged_with(flag)}  # type: ignore[arg-type]
    return render(request, "intake/acknowledge.html", context, status=422 if form.errors else 200)


@requires("flag.acknowledge")
def record_evaluation(request: HttpRequest, episode_id: uuid.UUID, flag_id: uuid.UUID) -> HttpResponse:
    """What the emergency evaluation found; until it is recorded, every component but the safety ones is on hold."""
    episode = open_episode(request, episode_id)
    flag = get_object_or_404(Flag.objects.holding(), episode=episode, public_id=flag_id)
    form = EvaluationForm(request.POST or None)
    if not is_clinician(request.user, episode.program_id):  # type: ignore[arg-type]
        raise Refused("The emergency evaluation is recorded by a clinician.")
    if request.method == "POST" and form.is_valid():
        actions.record_evaluation(by=request.user, flag=flag, evaluation=form.cleaned_data["evaluation"])  # type: ignore[arg-type]
        messages.success(request, "The emergency evaluation is recorded. What was on hold is not any more.")
        return redirect("chart", episode_id=episode.public_id)
    context = about(request.user, episode) | {"flag": flag, "form": form}  # type: ignore[arg-type]
    return render(request, "intake/record_evaluation.html", context, status=422 if form.errors else 200)
