"""Results and scores from elsewhere: what there is, one more, and a wrong one corrected or withdrawn."""

import uuid
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from clinic.models import Episode
from clinic.permissions import requires
from clinic.views.reach import about, open_episode
from intake import actions
from intake.content_files import read
from intake.forms import CorrectionForm, Refusable, ResultForm, WrongEntryForm
from intake.models import Result
from intake.results import FILE, groups, kinds
from intake.views.flags import safety

CORRECTED = "This entry was corrected or withdrawn already, so nothing was changed. The list shows what stands now."


@requires("observation.enter")
def results(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    entries = list(Result.objects.of(episode))
    context = about(request.user, episode) | safety(request.user, episode) | {  # type: ignore[arg-type]
        "groups": [{"group": group, "rows": _rows(entries, code)} for code, group in groups().items()],
        "entries": entries,
        "unreviewed": read(FILE)["checker"] is None,
    }  # fmt: skip
    return render(request, "intake/results.html", context)


def _rows(entries: Iterable[Result], group: str) -> list[dict[str, Any]]:
    """Of each kind (or name) of this group that was ever entered: the newest that stands, and those before it."""
    standing: dict[tuple[str, str], list[Result]] = {}
    for entry in entries:
        if entry.stands and entry.kind.group == group:
            standing.setdefault((entry.code, entry.name), []).append(entry)
    order = list(kinds())
    ordered = sorted(standing.items(), key=lambda row: (order.index(row[0][0]), row[0][1]))
    return [{"newest": newest, "before": before} for _, (newest, *before) in ordered]


def newest_of(episode: Episode) -> list[Result]:
    """The newest of each kind that stands, in the order of the kinds: one query."""
    order = list(kinds())
    return sorted(Result.objects.standing_of(episode), key=lambda row: order.index(row.code))


@requires("observation.enter")
def record_results(request: HttpRequest, episode_id: uuid.UUID, group: str) -> HttpResponse:
    """Enter what was measured together."""
    episode = open_episode(request, episode_id)
    if group not in groups():
        raise Http404
    chosen = groups()[group]
    form = ResultForm(request.POST or None, group=chosen, kinds=chosen.kinds)
    if request.method == "POST" and form.is_valid():
        given = {"readings": form.readings(), **form.about()}
        if _done(form, lambda: actions.record_results(by=request.user, episode=episode, **given)):  # type: ignore[arg-type]
            return _back(request, episode, "Entered.")
    return _page(request, episode, form, title=f"Enter: {chosen.title.lower()}", note=chosen.note, submit="Enter in my name")


@requires("observation.enter")
def correct_result(request: HttpRequest, episode_id: uuid.UUID, result_id: uuid.UUID) -> HttpResponse:
    """Put the right entry in the place of a wrong one."""
    episode = open_episode(request, episode_id)
    result = get_object_or_404(Result.objects.of(episode), public_id=result_id)
    form = CorrectionForm(request.POST or None, result=result)
    if request.method == "POST" and form.is_valid():
        given = form.readings()[result.code]
        if _done(form, lambda: actions.correct_result(by=request.user, result=result, given=given, **form.about())):  # type: ignore[arg-type]
            return _back(request, episode, "Corrected.")
    elif not result.stands and request.method != "POST":
        return _back(request, episode, CORRECTED)
    return _page(request, episode, form, title="Correct an entry", note=_entered(result), submit="Correct in my name")


@requires("observation.enter")
def withdraw_result(request: HttpRequest, episode_id: uuid.UUID, result_id: uuid.UUID) -> HttpResponse:
    """Take a wrong entry back, with nothing in its place: it was somebody else's, or never measured."""
    episode = open_episode(request, episode_id)
    result = get_object_or_404(Result.objects.of(episode), public_id=result_id)
    form = WrongEntryForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if _done(form, lambda: actions.withdraw_result(by=request.user, result=result, **form.cleaned_data)):  # type: ignore[arg-type]
            return _back(request, episode, "Withdrawn.")
    elif not result.stands and request.method != "POST":
        return _back(request, episode, CORRECTED)
    return _page(request, episode, form, title="Withdraw an entry", note=_entered(result), submit="Withdraw in my name")


def _done(form: Refusable, action: Callable[[], object]) -> bool:
    """Whether the action did it; what it refused stands in the form."""
    try:
        action()
    except actions.NotPossible as refused:
        form.refuse(refused.problems)
    except actions.AlreadyCorrected:
        form.refuse({"": CORRECTED})
    return not form.errors


def _entered(result: Result) -> str:
    return f"{result}, entered by {result.by}."


def _back(request: HttpRequest, episode: Episode, said: str) -> HttpResponse:
    messages.info(request, said) if said == CORRECTED else messages.success(request, said)
    return redirect("results", episode_id=episode.public_id)


def _page(request: HttpRequest, episode: Episode, form: Refusable, **texts: str) -> HttpResponse:
    context = about(request.user, episode) | safety(request.user, episode, brief=True) | {"form": form} | texts  # type: ignore[arg-type]
    return render(request, "intake/result_form.html", context, status=422 if form.errors else 200)
