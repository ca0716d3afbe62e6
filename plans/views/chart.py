"""The chart: where this person stands, what is flagged, and the way on."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from clinic import workflow
from clinic.models import Episode, User
from clinic.permissions import requires
from clinic.views.reach import about, in_full, open_episode, within
from intake.models import Assessment, LevelDecision
from intake.views.flags import safety
from plans.models import Plan, SignedPlan


@requires("chart.view")
def chart(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    user: User = request.user  # type: ignore[assignment]
    full = in_full(user, "chart.view", episode)
    assessment = Assessment.objects.latest_of(episode) if full else None
    sees_plan = bool(within(user, "plan.view", [episode]))
    context = about(user, episode) | safety(user, episode) | {
        "full": full,
        "assessment": assessment,
        "team": list(episode.care_team.filter(ended_at=None).select_related("user")) if full else [],
        "draft": Plan.objects.open_of(episode) if sees_plan else None,
        "in_force": SignedPlan.objects.in_force(episode) if sees_plan else None,
        "ways": _ways(user, episode, full),
        "beside": LevelDecision.objects.beside(assessment) if assessment else None,
    }  # fmt: skip
    return render(request, "plans/chart.html", context)


# url name: (action it needs, what the link says, the stages in which it is the next thing to do)
WAYS: dict[str, tuple[str, str, frozenset[str]]] = {
    "intake": ("intake.edit", "Intake", frozenset({workflow.REGISTERED, workflow.INTAKE})),
    "assessment": ("scores.view", "Assessment", frozenset()),
    "results": ("observation.enter", "Results", frozenset()),
    "plan": ("plan.view", "Plan", frozenset({workflow.ASSESSED, workflow.PLANNING, workflow.AWAITING})),
    "versions": ("plan.view", "Signed plans", frozenset()),
    "handouts": ("plan.view", "Handouts", frozenset()),
    "demographics": ("patient.edit", "Person and contact", frozenset()),
    "care_team": ("care_team.assign", "Care team", frozenset()),
    "restrictions": ("care_team.assign", "Restrictions", frozenset()),
    "break_glass": ("break_glass.invoke", "Open in an emergency", frozenset()),
    "trail": ("audit.view", "Trail", frozenset()),
}


def _ways(user: User, episode: Episode, full: bool) -> list[dict[str, Any]]:
    """The pages this person may open from here; the one that is due now first. Who sees the whole chart needs no emergency."""
    offered = {name: way for name, way in WAYS.items() if not (full and name == "break_glass")}
    reached = {action for action in {way[0] for way in offered.values()} if within(user, action, [episode])}
    ways = [
        {"label": label, "url": reverse(name, kwargs={"episode_id": episode.public_id}), "primary": episode.stage in stages}
        for name, (action, label, stages) in offered.items()
        if action in reached
    ]
    return sorted(ways, key=lambda way: not way["primary"])
