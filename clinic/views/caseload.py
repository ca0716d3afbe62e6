"""The front door: my episodes, most acute first, with the reason, the stage and what is due."""

from typing import NamedTuple

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from clinic import audit
from clinic.models import BreakGlass, Episode, User
from clinic.permissions import may, reaches, requires, roles_in

PAGE = 50
ACUTE = Episode.Acuity.HIGH


class Step(NamedTuple):
    """Where a next step is done: the url name of its page, who may do it, and whom it waits for otherwise.

    Whoever does it may act (`action`) and see all of what they act on (`sees`); a `role` does it alone.
    """

    page: str
    action: str
    sees: str
    waits: str
    role: str = ""


# What later stages write into Episode.next_due_what. The pages are names only: this floor knows nothing of those above.
STEPS = {
    "Begin the intake": Step("intake", "intake.edit", "", "intake staff or a clinician of the care team"),
    "Finish the intake": Step("intake", "intake.edit", "", "intake staff or a clinician of the care team"),
    "Write the plan": Step("plan", "plan.edit", "plan.view", "a clinician of the care team"),
    "Sign the plan": Step("sign", "plan.sign", "plan.view", "a clinician of the care team"),
    "Review the plan": Step("plan", "plan.edit", "plan.view", "a clinician of the care team"),
    "A prescriber signs the plan": Step("versions", "plan.finalise", "plan.view", "a prescriber", "prescriber"),
    "A supervisor signs the plan": Step("versions", "plan.finalise", "plan.view", "a supervisor", "supervisor"),
}


class Line(NamedTuple):
    """One line of the caseload. `full` is False where the user sees only the minimum fields of the chart.

    `url` is the page of the next step, or an empty string when it `waits` for somebody else; `urgent` when it should be done now.
    """

    episode: Episode
    full: bool
    overdue: bool
    url: str
    waits: str
    urgent: bool


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
    rows = Episode.objects.caseload(user, PAGE + 1)
    if reviews := may(user, "break_glass.review"):  # what the menu says is asked with the rows: no page is opened more often
        rows = rows.annotate(emergencies_waiting=BreakGlass.objects.waiting(user).how_many())
    episodes = list(rows[: PAGE + 1])
    audit.read(request, *{episode.patient for episode in episodes[:PAGE]})
    lines = [_line(user, episode) for episode in episodes[:PAGE]]
    context = {
        "lines": lines,
        "more": len(episodes) > PAGE,
        "page": PAGE,
        "several_programs": len({program for program, _ in user.program_roles()}) > 1,
        "any_full": any(line.full for line in lines),
    }
    if reviews and episodes:
        context["emergencies_waiting"] = episodes[0].emergencies_waiting  # type: ignore[attr-defined]
    return render(request, "clinic/caseload.html", context)


def _line(user: User, episode: Episode) -> Line:
    today, due, on_team = timezone.localdate(), episode.next_due_at, episode.on_team  # type: ignore[attr-defined]
    overdue, is_due = due is not None and due < today, due is not None and due <= today
    step = STEPS.get(episode.next_due_what, Step("chart", "chart.view", "", ""))
    how = {"on_team": on_team, "in_emergency": episode.emergency_until is not None}  # type: ignore[attr-defined]
    mine = reaches(user, step.action, episode.program_id, **how) and (
        not step.sees or reaches(user, step.sees, episode.program_id, **how, full=True)
    )
    mine = mine and (not step.role or step.role in roles_in(user, episode.program_id))
    return Line(
        episode,
        full=reaches(user, "chart.view", episode.program_id, **how, full=True),
        overdue=overdue,
        url=reverse(step.page, kwargs={"episode_id": episode.public_id}) if mine else "",
        waits="" if mine else step.waits,
        urgent=overdue or (is_due and episode.acuity >= ACUTE),
    )
