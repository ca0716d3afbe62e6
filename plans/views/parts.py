"""Problems, goals, objectives and interventions: added, changed and taken out, each on its own page."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from clinic.actions import Stale
from clinic.models import Episode
from clinic.permissions import requires
from clinic.views.reach import about
from plans import actions, rights, tree
from plans.forms import FORMS
from plans.models import Plan, PlanRow
from plans.views.merge import CONFLICT, UNREADABLE, say_if_patient_is_asked_again, side_by_side, while_draft
from plans.views.plan import on_the_plan, open_plan


@requires("plan.edit")
@while_draft
def add_part(request: HttpRequest, episode_id: uuid.UUID, kind: str, parent_id: uuid.UUID | None = None) -> HttpResponse:
    episode, plan = open_plan(request, episode_id)
    if kind not in actions.PARTS or (kind in actions.PARENTS) != (parent_id is not None):
        raise Http404
    parent = _part(plan, actions.PARENTS[kind], parent_id) if parent_id else None
    rights.check_part(request.user, kind, None, episode)  # type: ignore[arg-type]
    if parent is not None:
        _check_medicines(request, plan, parent, episode)
    form = _form(request, kind, episode, initial={"version": 0, "key": uuid.uuid4()})
    if request.method == "POST" and form.is_valid():
        rights.check_part(request.user, kind, form.cleaned_data.get("discipline"), episode)  # type: ignore[arg-type]
        part = actions.add_part(
            by=request.user, plan=plan, kind=kind, values=form.values(), parent=parent, key=form.cleaned_data["key"]  # type: ignore[arg-type]
        )
        messages.success(request, f"{kind.capitalize()} added.")
        say_if_patient_is_asked_again(request, plan)
        return redirect(on_the_plan(episode, f"part-{part.public_id}"))  # type: ignore[attr-defined]
    return _page(request, episode, plan, form, kind, f"Add {_article(kind)}")


@requires("plan.edit")
@while_draft
def edit_part(request: HttpRequest, episode_id: uuid.UUID, kind: str, part_id: uuid.UUID) -> HttpResponse:
    """Change or take out one part. A part somebody else changed meanwhile is shown beside what was typed."""
    episode, plan = open_plan(request, episode_id)
    part: Any = _part(plan, kind, part_id)
    rights.check_part(request.user, kind, getattr(part, "discipline", None), episode)  # type: ignore[arg-type]
    _check_medicines(request, plan, part, episode, below="remove" in request.POST)
    form = _form(request, kind, episode, instance=part, initial={"version": part.version})
    stale = None
    if request.method == "POST" and form.is_valid():
        rights.check_part(request.user, kind, form.cleaned_data.get("discipline"), episode)  # type: ignore[arg-type]
        try:
            _write(request, part, form)
        except Stale as met:
            stale = met.current
        else:
            messages.success(request, f"{kind.capitalize()} {'taken out' if 'remove' in request.POST else 'saved'}.")
            say_if_patient_is_asked_again(request, plan)
            return redirect(on_the_plan(episode, "tree-title" if "remove" in request.POST else f"part-{part.public_id}"))
    return _page(request, episode, plan, form, kind, kind.capitalize(), part=part, stale=stale)


def _check_medicines(request: HttpRequest, plan: Plan, part: PlanRow, episode: Episode, *, below: bool = False) -> None:
    ids = tree.component_ids(tree.read(plan), part, below=below)
    rights.check_medicines(request.user, ids, episode)  # type: ignore[arg-type]


def _write(request: HttpRequest, part: PlanRow, form: Any) -> None:
    by, version = request.user, form.cleaned_data["version"]
    if "remove" in request.POST:
        actions.remove_part(by=by, part=part, version=version)  # type: ignore[arg-type]
    else:
        actions.edit_part(by=by, part=part, values=form.values(), version=version)  # type: ignore[arg-type]


def _part(plan: Plan, kind: str, part_id: uuid.UUID | None) -> PlanRow:
    if kind not in actions.PARTS:
        raise Http404
    part = get_object_or_404(actions.PARTS[kind], plan=plan, public_id=part_id, removed=False)
    part.plan = plan
    return part


def _form(request: HttpRequest, kind: str, episode: Episode, **kwargs: Any) -> Any:
    more: dict[str, Any] = {"episode": episode} if kind == "intervention" else {}
    return FORMS[kind](request.POST or None, **more, **kwargs)


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _page(
    request: HttpRequest, episode: Episode, plan: Plan, form: Any, kind: str, title: str, *, part: Any = None, stale: Any = None
) -> HttpResponse:
    """The form; where somebody else was faster (`stale` is the part as it stands), with what is saved beside what was typed."""
    context = about(request.user, episode) | {  # type: ignore[arg-type]
        "plan": plan, "form": form, "title": title, "button": "Save", "part": part, "remove": "Take it out of the plan" if part else "",
        "conflict": stale is not None, "current": stale, "differences": side_by_side(form, stale) if stale else [],
    }  # fmt: skip
    return render(request, "plans/form.html", context, status=CONFLICT if stale else UNREADABLE if form.errors else 200)
