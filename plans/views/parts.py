"""Problems, goals, objectives and interventions: added, changed and taken out, each on its own page."""

import uuid
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from clinic.actions import Stale
from clinic.models import Episode
from clinic.permissions import requires
from clinic.views.reach import about
from plans import actions, rights
from plans.forms import FORMS
from plans.models import Plan, PlanRow
from plans.views.plan import CONFLICT, UNREADABLE, open_plan


@requires("plan.edit")
def add_part(request: HttpRequest, episode_id: uuid.UUID, kind: str, parent_id: uuid.UUID | None = None) -> HttpResponse:
    episode, plan = open_plan(request, episode_id)
    if kind not in actions.PARTS or (kind in actions.PARENTS) != (parent_id is not None):
        raise Http404
    parent = _part(plan, actions.PARENTS[kind], parent_id) if parent_id else None
    form = _form(request, kind, episode, initial={"version": 0})
    _check(request, kind, episode, form)
    if request.method == "POST" and form.is_valid():
        actions.add_part(by=request.user, plan=plan, kind=kind, values=form.values(), parent=parent)  # type: ignore[arg-type]
        return redirect("plan", episode_id=episode.public_id)
    return _page(request, episode, plan, form, kind, f"Add {_article(kind)}", parent=parent)


@requires("plan.edit")
def edit_part(request: HttpRequest, episode_id: uuid.UUID, kind: str, part_id: uuid.UUID) -> HttpResponse:
    """Change or take out one part. A part somebody else changed meanwhile is shown beside what was typed."""
    episode, plan = open_plan(request, episode_id)
    part = _part(plan, kind, part_id)
    form = _form(request, kind, episode, instance=_part(plan, kind, part_id), initial={"version": part.version})  # type: ignore[attr-defined]
    _check(request, kind, episode, form, part)
    current = None
    if request.method == "POST" and form.is_valid():
        version = form.cleaned_data["version"]
        try:
            if "remove" in request.POST:
                actions.remove_part(by=request.user, part=part, version=version)  # type: ignore[arg-type]
            else:
                actions.edit_part(by=request.user, part=part, values=form.values(), version=version)  # type: ignore[arg-type]
            return redirect("plan", episode_id=episode.public_id)
        except Stale as stale:
            current = stale.current
    return _page(request, episode, plan, form, kind, kind.capitalize(), part=part, current=current)


def _part(plan: Plan, kind: str, part_id: uuid.UUID | None) -> PlanRow:
    if kind not in actions.PARTS:
        raise Http404
    return get_object_or_404(actions.PARTS[kind], plan=plan, public_id=part_id, removed=False)


def _form(request: HttpRequest, kind: str, episode: Episode, **kwargs: Any) -> Any:
    more: dict[str, Any] = {"episode": episode} if kind == "intervention" else {}
    return FORMS[kind](request.POST or None, **more, **kwargs)


def _check(request: HttpRequest, kind: str, episode: Episode, form: Any, part: Any = None) -> None:
    """Own discipline's part: interventions for everybody, everything else for clinicians."""
    if kind != "intervention":
        rights.check_shapes(request.user, episode)  # type: ignore[arg-type]
        return
    if part is not None:
        rights.check_intervention(request.user, part.discipline, episode)  # type: ignore[arg-type]
    if request.method == "POST" and form.is_valid():
        rights.check_intervention(request.user, form.cleaned_data["discipline"], episode)  # type: ignore[arg-type]


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _page(
    request: HttpRequest, episode: Episode, plan: Plan, form: Any, kind: str, title: str, *,
    part: Any = None, parent: Any = None, current: Any = None,
) -> HttpResponse:  # fmt: skip
    differences = [(form[name].label, getattr(current, name), form[name].value()) for name in form.Meta.fields] if current else []
    context = about(request.user, episode) | {  # type: ignore[arg-type]
        "plan": plan, "form": form, "kind": kind, "title": title, "button": "Save", "part": part, "parent": parent,
        "conflict": current is not None, "current": current,
        "differences": [row for row in differences if str(row[1] or "") != str(row[2] or "")],
    }  # fmt: skip
    return render(request, "plans/form.html", context, status=CONFLICT if current else UNREADABLE if form.errors else 200)
