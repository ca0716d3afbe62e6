"""The plan being written: findings, the tree, what stops the signature, and what is suggested."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from clinic.actions import Stale
from clinic.models import Episode, User
from clinic.permissions import requires
from clinic.views.reach import about, in_full, open_episode, within
from intake.actions import NothingToSubmit, assess_provisionally
from intake.evaluation import fired_of
from intake.models import Assessment
from intake.views.flags import safety
from plans import actions, rights, thread, tree
from plans.findings import findings
from plans.forms import AddComponentForm, DecisionForm, DetailsForm, ReasonForm
from plans.models import Component, Plan, Problem

CONFLICT, UNREADABLE = 409, 422


@requires("plan.view")
def plan(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    user: User = request.user  # type: ignore[assignment]
    standing = Plan.objects.open_of(episode)
    context = about(user, episode) | safety(user, episode)
    edits = bool(within(user, "plan.edit", [episode]))
    if standing is None:
        context |= {"assessment": Assessment.objects.latest_of(episode), "may_edit": edits, "key": uuid.uuid4()}
        return render(request, "plans/start.html", context)
    return render(request, "plans/plan.html", context | workbench(user, episode, standing, edits))


def workbench(user: User, episode: Episode, standing: Plan, edits: bool) -> dict[str, Any]:
    """Everything the page of a draft shows."""
    standing.episode = episode
    minimum = not in_full(user, "plan.view", episode)
    roots = tree.read(standing)
    gaps = thread.gaps(tree.plan_view(standing, roots))
    components = [row for row in standing.components.order_by("pk") if rights.sees(user, row, episode)]
    titles = {node.part.title for node in roots}
    found = findings(standing.assessment.facts, standing.assessment.result["scores"], fired_of(standing.assessment.result))
    return {
        "plan": standing,
        "minimum": minimum,
        "may_edit": edits,
        "may_sign": bool(within(user, "plan.sign", [episode])),
        "roots": roots,
        "tiers": [] if minimum else [(Component.Tier(tier).label, rows) for tier, rows in tree.by_tier(components).items() if rows],
        "findings": [finding for finding in found if finding.title not in titles] if edits and not minimum else [],
        "cautions": () if minimum else tree.cautions(standing),
        "gaps": [] if minimum else [_gap(episode, standing, gap, roots) for gap in gaps],
        "stopped": thread.stops(gaps),
        "undecided": [] if minimum else standing.undecided,
        "deferrals": [] if minimum else list(standing.deferrals.all()),
    }


def _gap(episode: Episode, standing: Plan, gap: thread.Gap, roots: list[tree.Node]) -> dict[str, Any]:
    """A gap with the link that mends it, and for a clinical finding the one that gives a reason."""
    kind, part_id = gap.anchor
    at = {"episode_id": episode.public_id}
    if kind in actions.PARTS:
        url = reverse("edit_part", kwargs=at | {"kind": kind, "part_id": part_id})
    elif kind == "plan" and part_id in ("discharge_criteria", "review_on", "patient_signature", "patient_signature_reason"):
        url = reverse("details", kwargs=at) + f"#id_{part_id}"
    else:
        url = "#components"
    reason = "" if gap.stops else reverse("give_reason", kwargs=at | {"finding": gap.mark})
    return {"rule": gap.rule, "stops": gap.stops, "sentence": gap.sentence, "url": url, "reason_url": reason}


@requires("plan.edit")
def plan_start(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    """Begin the plan from the latest assessment, or from a provisional one when treatment cannot wait."""
    episode = open_episode(request, episode_id)
    if request.method != "POST":
        return redirect("plan", episode_id=episode.public_id)
    assessment = Assessment.objects.latest_of(episode)
    if assessment is None or "provisional" in request.POST:
        try:
            assessment = assess_provisionally(by=request.user, episode=episode, key=uuid.UUID(request.POST.get("key", "")))  # type: ignore[arg-type]
        except NothingToSubmit:
            messages.error(request, "Nothing has been answered yet: a plan needs at least one answered questionnaire.")
            return redirect("plan", episode_id=episode.public_id)
        except ValueError:
            messages.error(request, "This page had lost its mark against double clicks. It is fresh now: please try again.")
            return redirect("plan", episode_id=episode.public_id)
    actions.draft_plan(by=request.user, episode=episode, assessment=assessment)  # type: ignore[arg-type]
    return redirect("plan", episode_id=episode.public_id)


def open_plan(request: HttpRequest, episode_id: uuid.UUID) -> tuple[Episode, Plan]:
    """The episode and its draft plan; 404 when there is none."""
    episode = open_episode(request, episode_id)
    standing = Plan.objects.open_of(episode)
    if standing is None:
        raise Http404
    standing.episode = episode
    return episode, standing


@requires("plan.edit")
def decide(request: HttpRequest, episode_id: uuid.UUID, component_id: uuid.UUID) -> HttpResponse:
    """One suggestion in full: why, what stands against it, and what is decided."""
    episode, standing = open_plan(request, episode_id)
    component = get_object_or_404(Component, plan=standing, public_id=component_id)
    rights.check_decides(request.user, component, episode)  # type: ignore[arg-type]
    initial = {"version": component.version, "decision": component.decision, "note": component.note, "reason": component.reason}
    form = DecisionForm(request.POST or None, plan=standing, initial=initial)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            actions.decide(by=request.user, component=component, **form.cleaned_data)  # type: ignore[arg-type]
            return redirect(reverse("plan", kwargs={"episode_id": episode.public_id}) + f"#{component.component_id}")
        except actions.ReasonNeeded as problem:
            form.add_error("reason", str(problem))
        except Stale as stale:
            component, status = stale.current, CONFLICT
    status = UNREADABLE if form.errors else status
    context = about(request.user, episode) | {"plan": standing, "component": component, "form": form, "conflict": status == CONFLICT}  # type: ignore[arg-type]
    return render(request, "plans/decide.html", context, status=status)


@requires("plan.edit")
def add_component(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode, standing = open_plan(request, episode_id)
    form = AddComponentForm(request.POST or None, plan=standing)
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data["component_id"]
        rights.check_adds(request.user, chosen, episode)  # type: ignore[arg-type]
        actions.add_component(by=request.user, plan=standing, component_id=chosen)  # type: ignore[arg-type]
        return redirect(reverse("plan", kwargs={"episode_id": episode.public_id}) + f"#{chosen}")
    context = about(request.user, episode) | {"plan": standing, "form": form, "title": "Add a component", "button": "Add"}  # type: ignore[arg-type]
    return render(request, "plans/form.html", context, status=UNREADABLE if form.errors else 200)


@requires("plan.edit")
def add_finding(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    """A finding of the assessment becomes a problem of the plan, with a first goal to be filled when it can be counted."""
    episode, standing = open_plan(request, episode_id)
    rights.check_shapes(request.user, episode)  # type: ignore[arg-type]
    result = standing.assessment.result
    offered = {finding.title: finding for finding in findings(standing.assessment.facts, result["scores"], fired_of(result))}
    finding = offered.get(request.POST.get("finding", ""))
    if finding is None:
        raise Http404
    values = {"title": finding.title[:200], "source": finding.source[:200]}
    if not Problem.objects.filter(plan=standing, title=values["title"], removed=False).exists():
        actions.add_part(by=request.user, plan=standing, kind="problem", values=values)  # type: ignore[arg-type]
    return redirect("plan", episode_id=episode.public_id)


@requires("plan.edit")
def details(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    """Discharge criteria, review date and the patient's signature."""
    episode, standing = open_plan(request, episode_id)
    rights.check_shapes(request.user, episode)  # type: ignore[arg-type]
    form = DetailsForm(request.POST or None, instance=Plan.objects.get(pk=standing.pk), initial={"version": standing.version})
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            actions.edit_details(by=request.user, plan=standing, values=form.values(), version=form.cleaned_data["version"])  # type: ignore[arg-type]
            messages.success(request, "Saved.")
            return redirect("plan", episode_id=episode.public_id)
        except Stale as stale:
            standing, status = stale.current, CONFLICT
    return _form_page(request, episode, standing, form, "Review, discharge and signatures", status=status)


@requires("plan.edit")
def give_reason(request: HttpRequest, episode_id: uuid.UUID, finding: str) -> HttpResponse:
    """A clinical finding the plan does not answer takes a documented reason."""
    episode, standing = open_plan(request, episode_id)
    rights.check_shapes(request.user, episode)  # type: ignore[arg-type]
    open_gaps = thread.gaps(tree.plan_view(standing, tree.read(standing)))
    gap = next((gap for gap in open_gaps if gap.mark == finding and not gap.stops), None)
    if gap is None:
        raise Http404
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        actions.give_reason(by=request.user, plan=standing, rule=gap.rule, subject=gap.subject, reason=form.cleaned_data["reason"])  # type: ignore[arg-type]
        return redirect("plan", episode_id=episode.public_id)
    return _form_page(request, episode, standing, form, "Why a finding is not answered", text=gap.sentence)


def _form_page(
    request: HttpRequest, episode: Episode, standing: Plan, form: Any, title: str, *, status: int = 200, text: str = ""
) -> HttpResponse:
    context = about(request.user, episode) | {  # type: ignore[arg-type]
        "plan": standing, "form": form, "title": title, "text": text, "button": "Save", "conflict": status == CONFLICT,
        "current": standing if status == CONFLICT else None,
    }  # fmt: skip
    return render(request, "plans/form.html", context, status=UNREADABLE if form.errors else status)
