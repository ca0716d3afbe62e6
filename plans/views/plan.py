"""The plan being written: findings, the tree, what stops the signature, and what is suggested."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from clinic.actions import Stale
from clinic.cleaning import entry
from clinic.models import Episode, User
from clinic.permissions import is_clinician, requires
from clinic.views.reach import about, in_full, open_episode, within
from intake.actions import NothingToSubmit, assess_provisionally
from intake.evaluation import fired_of
from intake.models import Assessment
from intake.views.flags import safety
from intake.views.level import level_of_care
from plans import actions, rights, thread, tree
from plans.findings import findings
from plans.forms import AddComponentForm, DecisionForm, DetailsForm, ReasonForm
from plans.models import Component, Deferral, Plan, Problem, SignedPlan
from plans.views.merge import CONFLICT, UNREADABLE, SignedSince, say_if_patient_is_asked_again, side_by_side, while_draft


@requires("plan.view")
def plan(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    user: User = request.user  # type: ignore[assignment]
    standing = Plan.objects.open_of(episode)
    context = about(user, episode) | safety(user, episode)
    edits = bool(within(user, "plan.edit", [episode]))
    if standing is None:
        context |= {"assessment": Assessment.objects.latest_of(episode), "may_edit": edits, "key": uuid.uuid4()}
        context["in_force"] = SignedPlan.objects.in_force(episode)
        return render(request, "plans/start.html", context)
    return render(request, "plans/plan.html", context | workbench(user, episode, standing, edits))


def on_the_plan(episode: Episode, anchor: str) -> str:
    """The address of a place on the plan's page, to come back to where one was."""
    return reverse("plan", kwargs={"episode_id": episode.public_id}) + f"#{anchor}"


def workbench(user: User, episode: Episode, standing: Plan, edits: bool) -> dict[str, Any]:
    """Everything the page of a draft shows."""
    standing.episode = episode
    minimum = not in_full(user, "plan.view", episode)
    roots = tree.read(standing)
    seen = tree.plan_view(standing, roots)
    gaps, open_ = thread.gaps(seen), {(gap.rule, gap.subject) for gap in thread.left_open(seen)}
    medicines = rights.sees_medicines(user, episode)
    components = [row for row in tree.components(standing) if medicines or not rights.is_medication(row.component_id)]
    if minimum:
        roots = tree.without(roots, rights.is_medication if not medicines else lambda _: False)
    titles = {node.part.title for node in roots}
    found = findings(standing.assessment.facts, standing.assessment.result["scores"], fired_of(standing.assessment.result))
    return {
        "plan": standing,
        "minimum": minimum,
        "may_edit": edits,
        "may_shape": edits and is_clinician(user, episode.program_id),
        "may_sign": bool(within(user, "plan.sign", [episode])),
        "roots": roots,
        "tiers": [] if minimum else [(Component.Tier(tier).label, rows) for tier, rows in tree.by_tier(components).items() if rows],
        "findings": [finding for finding in found if finding.title not in titles] if edits and not minimum else [],
        "cautions": () if minimum else tree.cautions(standing),
        "gaps": [] if minimum else [_gap(episode, gap, {row.component_id for row in components}) for gap in gaps],
        "stopped": thread.stops(gaps),
        "undecided": [] if minimum else standing.undecided,
        "newer": tree.newer_assessment(standing),
        "deferrals": [] if minimum else [_reason(episode, row) for row in standing.deferrals.all() if (row.rule, row.subject) in open_],
    } | ({} if minimum else level_of_care(user, episode, standing.assessment))


def _gap(episode: Episode, gap: thread.Gap, shown: set[str]) -> dict[str, Any]:
    """A gap with the link that mends it, and for a clinical finding the one that gives a reason."""
    kind, part_id = gap.anchor
    at = {"episode_id": episode.public_id}
    adds, _, new = kind.partition("add ")
    if new and not adds:
        url = reverse("add_part", kwargs=at | {"kind": new, "parent_id": part_id})
    elif kind in actions.PARTS:
        url = reverse("edit_part", kwargs=at | {"kind": kind, "part_id": part_id})
    elif kind == "plan" and part_id in ("discharge_criteria", "review_on", "patient_signature", "patient_signature_reason"):
        url = reverse("details", kwargs=at) + f"#id_{part_id}"
    elif part_id == thread.ASSESSMENT:
        url = "#newer"
    elif kind == "component" and part_id in shown:
        url = f"#{part_id}"
    else:
        url = "#components"
    reason = "" if gap.stops else reverse("give_reason", kwargs=at | {"finding": gap.mark})
    return {"rule": gap.rule, "stops": gap.stops, "sentence": gap.sentence, "url": url, "reason_url": reason}


def _reason(episode: Episode, row: Deferral) -> dict[str, Any]:
    """A reason that was given, with the link that corrects it or takes it back."""
    mark = thread.Gap(row.rule, False, "", ("", ""), row.subject).mark
    url = reverse("give_reason", kwargs={"episode_id": episode.public_id, "finding": mark})
    return {"rule": row.rule, "subject": row.subject, "reason": row.reason, "url": url}


@requires("plan.edit")
def plan_start(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    """Begin the plan from the latest assessment, or from a provisional one when treatment cannot wait."""
    episode = open_episode(request, episode_id)
    if request.method != "POST":
        return redirect("plan", episode_id=episode.public_id)
    assessment = Assessment.objects.latest_of(episode)
    if assessment is None:
        key = _key(request)
        if key is None:
            messages.error(request, "This page had lost its mark against double clicks. It is fresh now: please try again.")
            return redirect("plan", episode_id=episode.public_id)
        try:
            assessment = assess_provisionally(by=request.user, episode=episode, key=key)  # type: ignore[arg-type]
        except NothingToSubmit:
            messages.error(request, "Nothing has been answered yet: a plan needs at least one answered questionnaire.")
            return redirect("plan", episode_id=episode.public_id)
    actions.draft_plan(by=request.user, episode=episode, assessment=assessment)  # type: ignore[arg-type]
    return redirect("plan", episode_id=episode.public_id)


def _key(request: HttpRequest) -> uuid.UUID | None:
    """The mark against double clicks; None when it was lost on the way."""
    try:
        return uuid.UUID(entry(request.POST, "key"))
    except ValueError:
        return None


def open_plan(request: HttpRequest, episode_id: uuid.UUID) -> tuple[Episode, Plan]:
    """The episode and its draft plan; 404 when there is none, SignedSince when there was one."""
    episode = open_episode(request, episode_id)
    standing = Plan.objects.open_of(episode)
    if standing is None:
        raise SignedSince if SignedPlan.objects.filter(episode=episode).exists() else Http404
    standing.episode = episode
    return episode, standing


@requires("plan.edit")
@while_draft
def refresh(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    """Bring the draft up to date with a newer assessment; the plan then shows what is new and what is to be decided again."""
    episode, standing = open_plan(request, episode_id)
    rights.check_shapes(request.user, episode)  # type: ignore[arg-type]
    if request.method == "POST":
        actions.refresh(by=request.user, plan=standing)  # type: ignore[arg-type]
        say_if_patient_is_asked_again(request, standing)
        again = standing.components.exclude(reopened="").count()
        messages.success(request, f"The draft is up to date with the newest assessment. Decisions to take again: {again or 'none'}.")
    return redirect("plan", episode_id=episode.public_id)


@requires("plan.edit")
@while_draft
def decide(request: HttpRequest, episode_id: uuid.UUID, component_id: uuid.UUID) -> HttpResponse:
    """One suggestion in full: why, what stands against it, and what is decided."""
    episode, standing = open_plan(request, episode_id)
    component = get_object_or_404(Component, plan=standing, public_id=component_id)
    rights.check_decides(request.user, component.component_id, episode)  # type: ignore[arg-type]
    initial = {"version": component.version, "decision": component.decision, "note": component.note, "reason": component.reason}
    form = DecisionForm(request.POST or None, plan=standing, initial=initial)
    differences = None
    if request.method == "POST" and form.is_valid():
        try:
            component = actions.decide(by=request.user, component=component, **form.cleaned_data)  # type: ignore[arg-type]
            messages.success(request, f"{component.name}: {component.get_decision_display().lower()}.")
            say_if_patient_is_asked_again(request, standing)
            return redirect(on_the_plan(episode, component.component_id))
        except actions.ReasonNeeded as problem:
            form.add_error("reason", str(problem))
        except Stale as stale:
            component, differences = stale.current, side_by_side(form, stale.current)
    tree.weigh(component, tree.standing(standing), standing.assessment.facts)
    status = UNREADABLE if form.errors else 200 if differences is None else CONFLICT
    context = {
        "plan": standing, "component": component, "minimum": not in_full(request.user, "plan.view", episode), "form": form,  # type: ignore[arg-type]
        "conflict": status == CONFLICT, "differences": differences,
        "standing": f"It stands as “{component.get_decision_display()}” now{': ' + component.reason if component.reason else ''}.",
    }  # fmt: skip
    return render(request, "plans/decide.html", about(request.user, episode) | context, status=status)  # type: ignore[arg-type]


@requires("plan.edit")
@while_draft
def add_component(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode, standing = open_plan(request, episode_id)
    form = AddComponentForm(request.POST or None, plan=standing)
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data["component_id"]
        rights.check_decides(request.user, chosen, episode)  # type: ignore[arg-type]
        actions.add_component(by=request.user, plan=standing, component_id=chosen)  # type: ignore[arg-type]
        say_if_patient_is_asked_again(request, standing)
        return redirect(on_the_plan(episode, chosen))
    return _form_page(request, episode, standing, form, "Add a component", button="Add")


@requires("plan.edit")
@while_draft
def add_finding(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    """A finding of the assessment becomes a problem of the plan, with a first goal to be filled when it can be counted."""
    episode, standing = open_plan(request, episode_id)
    rights.check_shapes(request.user, episode)  # type: ignore[arg-type]
    result = standing.assessment.result
    offered = {finding.title: finding for finding in findings(standing.assessment.facts, result["scores"], fired_of(result))}
    finding = offered.get(entry(request.POST, "finding"))
    if finding is None:
        raise Http404
    values = {"title": finding.title[:200], "source": finding.source[:200]}
    if not Problem.objects.filter(plan=standing, title=values["title"], removed=False).exists():
        actions.add_part(by=request.user, plan=standing, kind="problem", values=values)  # type: ignore[arg-type]
        messages.success(request, f"{values['title']}: added as a problem.")
        say_if_patient_is_asked_again(request, standing)
    return redirect(on_the_plan(episode, "tree-title"))


@requires("plan.edit")
@while_draft
def details(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    """Discharge criteria, review date and the patient's signature."""
    episode, standing = open_plan(request, episode_id)
    rights.check_shapes(request.user, episode)  # type: ignore[arg-type]
    form = DetailsForm(request.POST or None, instance=Plan.objects.get(pk=standing.pk), initial={"version": standing.version})
    stale = None
    if request.method == "POST" and form.is_valid():
        try:
            actions.edit_details(by=request.user, plan=standing, values=form.values(), version=form.cleaned_data["version"])  # type: ignore[arg-type]
            messages.success(request, "Saved.")
            return redirect("plan", episode_id=episode.public_id)
        except Stale as met:
            stale = met.current
    return _form_page(request, episode, standing, form, "Review, discharge and signatures", stale=stale)


@requires("plan.edit")
@while_draft
def give_reason(request: HttpRequest, episode_id: uuid.UUID, finding: str) -> HttpResponse:
    """A clinical finding the plan does not answer takes a documented reason, which can be corrected and taken back."""
    episode, standing = open_plan(request, episode_id)
    rights.check_shapes(request.user, episode)  # type: ignore[arg-type]
    seen = tree.plan_view(standing, tree.read(standing))
    gap = next((gap for gap in thread.left_open(seen) if gap.mark == finding), None)
    if gap is None:
        return _answered_since(request, episode, standing, known=finding in thread.findings_of(seen))
    given = Deferral.with_withdrawn.filter(plan=standing, rule=gap.rule, subject=gap.subject).first()
    kept = given if given and not given.removed else None
    initial = {"version": given.version if given else 0, "reason": kept.reason if kept else ""}
    form = ReasonForm(request.POST or None, initial=initial)
    stale = None
    if request.method == "POST" and form.is_valid():
        try:
            _write_reason(request, standing, gap, given, form.cleaned_data)
            messages.success(request, "Saved.")
            return redirect(on_the_plan(episode, "before-signing"))
        except Stale as met:
            stale = met.current
            stale.reason = "" if stale.removed else stale.reason
    return _form_page(
        request, episode, standing, form, "Why a finding is not answered", text=gap.sentence, stale=stale,
        remove="Take the reason back" if kept else "",
    )  # fmt: skip


def _write_reason(request: HttpRequest, standing: Plan, gap: thread.Gap, given: Deferral | None, typed: dict[str, Any]) -> None:
    by: User = request.user  # type: ignore[assignment]
    if "remove" in request.POST and given:
        actions.withdraw_reason(by=by, deferral=given, version=typed["version"])
    else:
        actions.give_reason(by=by, plan=standing, rule=gap.rule, subject=gap.subject, **typed)


def _answered_since(request: HttpRequest, episode: Episode, standing: Plan, *, known: bool) -> HttpResponse:
    """The finding is answered by now; what somebody was writing about it is shown and not lost. 404 for what is no finding."""
    if not known:
        raise Http404
    if request.method != "POST":
        messages.info(request, "That finding is answered by the plan now, so it needs no reason.")
        return redirect("plan", episode_id=episode.public_id)
    text = "This finding has been answered by the plan meanwhile, so it needs no reason and nothing was saved. What you wrote is below."
    return _form_page(request, episode, standing, ReasonForm(request.POST), "Why a finding is not answered", text=text, button="")


def _form_page(
    request: HttpRequest, episode: Episode, standing: Plan, form: Any, title: str, *,
    text: str = "", button: str = "Save", remove: str = "", stale: Any = None,
) -> HttpResponse:  # fmt: skip
    """One form; where somebody else was faster (`stale` is the row as it stands), with what is saved beside what was typed."""
    context = about(request.user, episode) | {  # type: ignore[arg-type]
        "plan": standing, "form": form, "title": title, "text": text, "button": button, "remove": remove,
        "conflict": stale is not None, "current": stale, "differences": side_by_side(form, stale) if stale else [],
    }  # fmt: skip
    status = CONFLICT if stale or not button else UNREADABLE if form.errors else 200
    return render(request, "plans/form.html", context, status=status)
