"""The level of care: what was suggested, what a clinician decides beside it, and the second clinician's co-signature."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from clinic.actions import Stale
from clinic.models import Episode, User
from clinic.permissions import Refused, is_clinician, requires
from clinic.views.reach import about, open_episode, within
from intake import actions
from intake.forms import LevelForm
from intake.models import Assessment, DecidedLevel, LevelDecision
from intake.views.flags import safety

CONFLICT, UNREADABLE = 409, 422


def level_of_care(user: User, episode: Episode, assessment: Assessment | None) -> dict[str, Any]:
    """What intake/level_of_care.html takes: both levels, and what this person may do about them."""
    return {
        "suggested": assessment.result["level"] if assessment else None,
        "beside": LevelDecision.objects.beside(assessment) if assessment else DecidedLevel(),
        "may_decide": assessment is not None and bool(within(user, "review.decide", [episode])),
        "may_cosign": bool(within(user, "review.cosign", [episode])),
    }


@requires("review.decide")
def level(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    """The five ratings, the final level and its reason, beside the suggestion, which never changes."""
    episode = open_episode(request, episode_id)
    user: User = request.user  # type: ignore[assignment]
    if not is_clinician(user, episode.program_id):
        raise Refused("The level of care is decided by a clinician.")
    assessment = Assessment.objects.latest_of(episode)
    if assessment is None:
        return render(request, "intake/level.html", about(user, episode))
    mark = actions.level_mark(assessment, LevelDecision.objects.of(episode.pk).first())
    form = LevelForm(request.POST or None, result=assessment.result, initial={"seen": mark})
    stale = False
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.decide_level(by=user, episode=episode, choice=form.choice(), seen=form.cleaned_data["seen"])
            messages.success(request, f"Level {made.level} is recorded{' and waits for a co-signature' if made.waits else ''}.")
            return redirect("assessment", episode_id=episode.public_id)
        except Stale:
            stale = True
            form.carry_on_from(mark)
    history = LevelDecision.objects.of(episode.pk)
    context = about(user, episode) | safety(user, episode, brief=True) | level_of_care(user, episode, assessment) | {
        "assessment": assessment, "form": form, "stale": stale, "history": history,
    }  # fmt: skip
    return render(request, "intake/level.html", context, status=CONFLICT if stale else UNREADABLE if form.errors else 200)


@requires("review.cosign")
def cosign_level(request: HttpRequest, episode_id: uuid.UUID, decision_id: uuid.UUID) -> HttpResponse:
    """Read somebody else's decision, then co-sign it. Identity was re-confirmed at most five minutes ago (clinic/permissions.py)."""
    episode = open_episode(request, episode_id)
    user: User = request.user  # type: ignore[assignment]
    decision = get_object_or_404(LevelDecision.objects.of(episode.pk), public_id=decision_id)
    if request.method == "POST":
        try:
            actions.cosign_level(by=user, decision=decision)
        except actions.NotTheCosigner as refusal:
            raise Refused(str(refusal)) from None
        messages.success(request, f"Level {decision.level} is co-signed.")
        return redirect("assessment", episode_id=episode.public_id)
    context = about(user, episode) | safety(user, episode) | {"decision": decision, "refused": actions.cosigning_refused(user, decision)}
    return render(request, "intake/cosign_level.html", context)
