"""A chart opened in an emergency, and the review of it afterwards by somebody else."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from clinic import actions, audit
from clinic.forms import BreakGlassForm, BreakGlassReviewForm
from clinic.models import BreakGlass, Episode, User
from clinic.permissions import Refused, may, requires
from clinic.views.reach import about, in_full, open_episode
from clinic.views.trail import page_name

SHOWN = 50  # of each list
CONFLICT = 409


@requires("break_glass.invoke")
def break_glass(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    """Asks why, says what will happen, and opens the chart. Who can open it anyway is led there and nothing is written."""
    episode = open_episode(request, episode_id, audited=False)
    user: User = request.user  # type: ignore[assignment]
    form = BreakGlassForm(request.POST or None)
    reached = in_full(user, "chart.view", episode)
    if request.method == "POST" and reached:
        audit.read(request, episode.patient)
        messages.info(request, "You can open this chart already.")
        return redirect("chart", episode_id=episode.public_id)
    if form.is_valid():
        return _opened(request, episode, form)
    audit.read(request, episode.patient)
    context = about(user, episode) | {"form": form, "reached": reached}
    return render(request, "clinic/break_glass.html", context, status=422 if form.errors else 200)


def _opened(request: HttpRequest, episode: Episode, form: BreakGlassForm) -> HttpResponse:
    grant = actions.break_glass(by=request.user, episode=episode, **form.cleaned_data)  # type: ignore[arg-type]
    audit.read(request, episode.patient, reason=f"{grant.get_category_display()}: {grant.reason}")
    messages.success(request, "The chart is open to you. If you go on caring for this person, ask to be put on the care team.")
    return redirect("chart", episode_id=episode.public_id)


@requires("break_glass.review")
def break_glass_reviews(request: HttpRequest) -> HttpResponse:
    """What waits for a review, the longest waiting first, then what was reviewed last."""
    user: User = request.user  # type: ignore[assignment]
    rows = BreakGlass.objects.visible_to(user, "break_glass.review").select_related("user", "patient", "program", "reviewed_by")
    waiting = list(rows.filter(reviewed_at=None).with_use().order_by("at")[: SHOWN + 1])
    reviewed = list(rows.exclude(reviewed_at=None).order_by("-reviewed_at")[:SHOWN])
    audit.read(request, *{row.patient for row in [*waiting[:SHOWN], *reviewed]})
    context = {"waiting": [_named(row) for row in waiting[:SHOWN]], "more": len(waiting) > SHOWN, "reviewed": reviewed, "shown": SHOWN}
    return render(request, "clinic/break_glass_reviews.html", context)


@requires("break_glass.review")
def break_glass_review(request: HttpRequest, opened_id: uuid.UUID) -> HttpResponse:
    user: User = request.user  # type: ignore[assignment]
    rows = BreakGlass.objects.visible_to(user, "break_glass.review").select_related("user", "patient", "program", "episode", "reviewed_by")
    opened = get_object_or_404(rows.with_use(), public_id=opened_id)
    if request.method == "POST" and opened.user_id == user.pk:
        raise Refused("You opened this chart yourself, so somebody else reviews it.")
    form, conflict = BreakGlassReviewForm(request.POST or None), ""
    if form.is_valid():
        try:
            actions.review_break_glass(by=user, opened=opened, **form.cleaned_data)
        except actions.Stale:
            conflict = "Somebody else reviewed this while you were reading. Their review stands; yours was not saved."
        else:
            messages.success(request, "Your review is written down.")
            return redirect("break_glass_reviews")
    audit.read(request, opened.patient)
    context: dict[str, Any] = {"opened": _named(opened), "form": form, "conflict": conflict, "own": opened.user_id == user.pk}
    context["sees_trail"] = may(user, "audit.view")
    return render(request, "clinic/break_glass_review.html", context, status=CONFLICT if conflict else 422 if form.errors else 200)


def _named(opened: BreakGlass) -> BreakGlass:
    """With the pages that were opened in words."""
    opened.page_words = [{"page": page_name(row["view"]), "times": row["times"]} for row in opened.pages]  # type: ignore[attr-defined]
    return opened
