"""Signing, certifying, and the versions that were signed."""

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect, render

from clinic import actions as clinic_actions
from clinic.models import Disclosure, Episode, User
from clinic.permissions import Refused, requires
from clinic.views.reach import about, in_full, open_episode, within
from intake.views.flags import safety
from intake.views.level import level_of_care
from plans import document, pdf, rights, signing, thread, tree
from plans.forms import SignForm
from plans.models import Plan, SignedPlan
from plans.views.plan import CONFLICT, UNREADABLE, open_plan

COPIES = {
    "clinic": ("The clinic's chart", Disclosure.Basis.CHART_COPY),
    "patient": ("The patient", Disclosure.Basis.PATIENT_COPY),
}


@requires("plan.sign")
def sign(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    """Read the whole plan, then sign it. Identity was re-confirmed at most five minutes ago (clinic/permissions.py)."""
    if earlier := _signed_already(request, episode_id):
        return earlier
    episode, plan = open_plan(request, episode_id)
    rights.check_signs(request.user, episode)  # type: ignore[arg-type]
    if request.method != "POST":
        return _to_read(request, episode, plan)
    form = SignForm(request.POST)
    if not form.is_valid():
        return _to_read(request, episode, plan, form, status=UNREADABLE)
    try:
        signed = signing.sign(by=request.user, plan=plan, key=form.cleaned_data["key"], seen=form.cleaned_data["seen"])  # type: ignore[arg-type]
    except signing.NotReady:
        return _to_read(request, episode, plan, problem="Something is missing in the plan as it is by now.", status=CONFLICT)
    except (signing.ChangedSince, signing.TooLong) as changed:
        return _to_read(request, episode, plan, problem=str(changed), status=CONFLICT)
    return _after_signing(request, episode, signed)


def _to_read(
    request: HttpRequest, episode: Episode, plan: Plan, form: SignForm | None = None, *, problem: str = "", status: int = 200
) -> HttpResponse:
    """The plan as it is by now, to be read and signed, or what keeps it from being signed."""
    user: User = request.user  # type: ignore[assignment]
    plan = Plan.objects.select_related("assessment", "episode__program", "episode__patient").get(pk=plan.pk)
    roots = tree.read(plan)
    found = thread.gaps(tree.plan_view(plan, roots))
    gaps = [gap for gap in found if gap.stops]
    try:
        form = form or SignForm.fresh("" if gaps else signing.fingerprint(plan, roots))
    except signing.TooLong as refusal:
        problem = str(refusal)
    context = about(user, episode) | safety(user, episode) | level_of_care(user, episode, plan.assessment) | {
        "plan": plan, "roots": roots, "gaps": gaps, "unanswered": [gap for gap in found if not gap.stops], "form": form, "problem": problem,
        "accepted": [row for row in tree.components(plan) if row.decision == "accepted"],
        "deferrals": plan.deferrals.all(), "cautions": tree.cautions(plan),
    }  # fmt: skip
    return render(request, "plans/sign.html", context, status=status)


def _signed_already(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse | None:
    """The second click of a double click finds no draft any more, but its own signature."""
    if request.method != "POST":
        return None
    episode = open_episode(request, episode_id, audited=False)
    form = SignForm(request.POST)
    form.is_valid()
    key = form.cleaned_data.get("key")
    signed = SignedPlan.objects.filter(episode=episode, key=key).first() if key else None
    return _after_signing(request, episode, signed) if signed else None


def _after_signing(request: HttpRequest, episode: Episode, signed: SignedPlan) -> HttpResponse:
    messages.success(request, f"Version {signed.number} is signed.")
    return redirect("signed_plan", episode_id=episode.public_id, number=signed.number)


@requires("plan.finalise")
def certify(request: HttpRequest, episode_id: uuid.UUID, number: int) -> HttpResponse:
    """The certifying signature a program asks for, by somebody other than the author."""
    episode = open_episode(request, episode_id)
    signed = get_object_or_404(SignedPlan, episode=episode, number=number)
    if request.method == "POST":
        try:
            signing.certify(by=request.user, signed=signed)  # type: ignore[arg-type]
        except signing.NotTheCertifier as refusal:
            raise Refused(str(refusal)) from None
        messages.success(request, f"Version {number} is certified.")
    return redirect("signed_plan", episode_id=episode.public_id, number=number)


@requires("plan.view")
def versions(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    signed = SignedPlan.objects.history(episode).prefetch_related("signatures")
    context = about(request.user, episode) | {"versions": signed}  # type: ignore[arg-type]
    return render(request, "plans/versions.html", context)


@requires("plan.view")
def signed_plan(request: HttpRequest, episode_id: uuid.UUID, number: int) -> HttpResponse:
    """One signed version, read from the document that was signed, with its hash checked again."""
    episode = open_episode(request, episode_id)
    user: User = request.user  # type: ignore[assignment]
    signed = get_object_or_404(SignedPlan, episode=episode, number=number)
    awaited = signing.certifier_awaited(signed)
    may_certify = awaited and within(user, "plan.finalise", [episode]) and not signing.certifying_refused(user, signed)
    context = about(user, episode) | {
        "signed": signed,
        "status": _status(signed),
        "document": document.load(signed.document.encode()),
        "whole": document.verify(signed.document.encode(), signed.sha256),
        "signatures": signed.signatures.order_by("at"),
        "minimum": not in_full(user, "plan.view", episode),
        "awaited": awaited[:1].lower() + awaited[1:],
        "may_certify": bool(may_certify),
        "may_print": bool(within(user, "disclosure.export", [episode])),
        "may_edit": bool(within(user, "plan.edit", [episode])),
    }  # fmt: skip
    return render(request, "plans/signed_plan.html", context)


def _status(signed: SignedPlan) -> str:
    newest = SignedPlan.objects.in_force(signed.episode)
    if newest is not None and newest.number != signed.number:
        return f"Superseded by version {newest.number}"
    awaited = signing.certifier_awaited(signed)
    return f"Signed, awaits {awaited[0].lower()}{awaited[1:]}" if awaited else "In force"


@requires("disclosure.export")
def plan_pdf(request: HttpRequest, episode_id: uuid.UUID, number: int, copy: str) -> HttpResponse:
    """The printed plan. Whatever leaves the screen is written into the log of disclosures."""
    episode = open_episode(request, episode_id)
    signed = get_object_or_404(SignedPlan, episode=episode, number=number)
    if copy not in COPIES:
        raise Http404
    if request.method != "GET":  # what only asks about the print has printed nothing
        return HttpResponseNotAllowed(["GET"])
    signatures = [
        {"name": row.name, "credential": row.credential, "discipline": row.discipline, "meaning": row.meaning, "at": row.at}
        for row in signed.signatures.order_by("at")
    ]
    printed = pdf.render(document.load(signed.document.encode()), signatures, _status(signed), copy)
    recipient, basis = COPIES[copy]
    clinic_actions.record_disclosure(
        by=request.user, episode=episode, what=f"Treatment plan, version {number}", sha256=signed.sha256,  # type: ignore[arg-type]
        recipient=recipient, basis=basis,
    )  # fmt: skip
    response = HttpResponse(printed, content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="plan-{signed.public_id}-v{number}.pdf"'
    return response
