"""The front door: my episodes, most acute first, with the reason, the stage and what is due."""

import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

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
    """One line of the caseload: all that it shows, and nothing else. `reason`, `unacknowledged` and `scores` are empty, and `full` False,
    where the user sees only the minimum fields of the chart; `program` is empty for who works in one.

    `step_url` is the page of the next step, or an empty string when it `waits` for somebody else; `urgent` when it should be done now.
    """

    name: str
    pronouns: str
    birth_date: datetime.date
    age: int
    record_number: str
    chart_url: str
    restricted: bool
    emergency_until: datetime.datetime | None
    full: bool
    acuity: str
    reason: str
    unacknowledged: int
    overdue: bool
    stage: str
    several_programs: bool
    program: str
    scored: bool
    scores: tuple[tuple[str, str, str], ...]
    step: str
    step_url: str
    waits: str
    urgent: bool
    due: datetime.date | None
    today: datetime.date

    @property
    def drawn(self) -> SafeString:
        return _drawn(self)


@lru_cache(maxsize=2000)
def _drawn(line: Line) -> SafeString:
    """The line in HTML. Drawing is what a caseload costs most, and most lines are what they were a minute ago. What a line shows is the
    whole key, so that nothing old is ever shown, and nothing that was not read for this request.
    """
    return mark_safe(render_to_string("clinic/caseload_line.html", {"line": line}))  # noqa: S308 a template escapes


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
    several_programs = len({program for program, _ in user.program_roles()}) > 1
    rows = Episode.objects.caseload(user, PAGE + 1)
    if several_programs:  # else nothing of the program is shown
        rows = rows.select_related("program")
    if reviews := may(user, "break_glass.review"):  # what the menu says is asked with the rows: no page is opened more often
        rows = rows.annotate(emergencies_waiting=BreakGlass.objects.waiting(user).how_many())
    episodes = list(rows[: PAGE + 1])
    audit.read(request, *{episode.patient for episode in episodes[:PAGE]})
    reached = [(episode, _how(episode)) for episode in episodes[:PAGE]]
    full = [reaches(user, "chart.view", episode.program_id, **how, full=True) for episode, how in reached]
    context = {
        "lines": [
            _line(user, episode, how, full=one, scored=any(full), several_programs=several_programs)
            for (episode, how), one in zip(reached, full, strict=True)
        ],
        "more": len(episodes) > PAGE,
        "page": PAGE,
        "several_programs": several_programs,
        "any_full": any(full),
    }
    if reviews and episodes:
        context["emergencies_waiting"] = episodes[0].emergencies_waiting  # type: ignore[attr-defined]
    return render(request, "clinic/caseload.html", context)


def _how(episode: Any) -> dict[str, bool]:
    """How the user comes to it, as `reaches` takes it."""
    return {"on_team": episode.on_team, "in_emergency": episode.emergency_until is not None}


def _line(user: User, episode: Any, how: dict[str, bool], *, full: bool, scored: bool, several_programs: bool) -> Line:
    today, due, patient = timezone.localdate(), episode.next_due_at, episode.patient
    overdue, is_due = due is not None and due < today, due is not None and due <= today
    step = STEPS.get(episode.next_due_what, Step("chart", "chart.view", "", ""))
    mine = _does(user, step, episode, how)
    address = {"episode_id": episode.public_id}
    return Line(
        name=patient.display_name, pronouns=patient.pronouns, birth_date=patient.birth_date, age=patient.age_on(today),
        record_number=patient.record_number, chart_url=reverse("chart", kwargs=address),
        restricted=episode.restricted, emergency_until=episode.emergency_until, full=full,
        acuity=episode.acuity_word, reason=episode.acuity_reason if full else "", unacknowledged=episode.unacknowledged if full else 0,
        overdue=overdue, stage=episode.get_stage_display(),
        several_programs=several_programs, program=episode.program.name if several_programs else "",
        scored=scored, scores=_scores(episode) if full else (),
        step=episode.next_due_what, step_url=reverse(step.page, kwargs=address) if mine else "", waits="" if mine else step.waits,
        urgent=overdue or (is_due and episode.acuity >= ACUTE), due=due, today=today,
    )  # fmt: skip


def _does(user: User, step: Step, episode: Episode, how: dict[str, bool]) -> bool:
    """Whether the next step is for this user to do."""
    may_act = reaches(user, step.action, episode.program_id, **how)
    sees = not step.sees or reaches(user, step.sees, episode.program_id, **how, full=True)
    return may_act and sees and (not step.role or step.role in roles_in(user, episode.program_id))


def _scores(episode: Episode) -> tuple[tuple[str, str, str], ...]:
    """Label, value and band of each score."""
    return tuple((score["label"], score["value"] or "not yet", score["band"] or "") for score in episode.score_summary.values())
