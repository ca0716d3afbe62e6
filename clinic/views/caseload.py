"""The front door: my episodes, most acute first, with the reason, the stage and what is due."""

from typing import NamedTuple

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from clinic import audit
from clinic.models import Episode, User
from clinic.permissions import may, requires
from clinic.views.reach import within

PAGE = 50


class Line(NamedTuple):
    """One line of the caseload. `full` is False where the user sees only the minimum fields of the chart."""

    episode: Episode
    full: bool
    overdue: bool


@login_not_required
@requires("account.own")
def front_door(request: HttpRequest) -> HttpResponse:
    user = request.user
    if not user.is_authenticated:
        return redirect("account_login" if User.objects.exists() else "first_visit")
    if may(user, "chart.view"):
        return redirect("caseload")
    return redirect("search" if may(user, "patient.search") else "admin:index" if user.is_staff else "account_change_password")


@requires("chart.view")
def caseload(request: HttpRequest) -> HttpResponse:
    user: User = request.user  # type: ignore[assignment]
    episodes = list(Episode.objects.caseload(user)[: PAGE + 1])
    audit.read(request, *{episode.patient for episode in episodes[:PAGE]})
    in_full = within(user, "chart.view", episodes[:PAGE], full=True)
    today = timezone.localdate()
    lines = [
        Line(
            episode,
            full=episode.pk in in_full,
            overdue=episode.next_due_at is not None and episode.next_due_at < today,
        )
        for episode in episodes[:PAGE]
    ]
    context = {
        "lines": lines,
        "more": len(episodes) > PAGE,
        "page": PAGE,
        "several_programs": len({program for program, _ in user.program_roles()}) > 1,
        "any_full": any(line.full for line in lines),
    }
    return render(request, "clinic/caseload.html", context)
