"""Whether every signed plan is still what was signed: its document, its columns, its signatures and its place among the versions."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from django.db.models import Exists, OuterRef

from clinic import workflow
from plans import document, signing
from plans.models import Plan, Signature, SignedPlan

CHUNK = 50  # documents held at once
PAST_CERTIFYING = (workflow.TREATMENT, workflow.AFTERCARE)
SIGNED = (Plan.Status.SIGNED, Plan.Status.SUPERSEDED)


def signed_plans() -> Iterator[SignedPlan]:
    """Every signed version with what it is compared with, a few queries for each CHUNK of them."""
    newer = SignedPlan.objects.filter(episode=OuterRef("episode"), number__gt=OuterRef("number"))
    return (
        SignedPlan.objects.annotate(replaced=Exists(newer))
        .select_related("plan", "episode", "program", "patient", "supersedes")
        .defer("supersedes__document")
        .prefetch_related("signatures__user", "supersedes__signatures")
        .order_by("pk")
        .iterator(chunk_size=CHUNK)
    )


def problems(signed: SignedPlan) -> list[str]:
    """What does not hold about one of `signed_plans`, as sentences; empty when all of it does."""
    if not document.verify(signed.document.encode(), signed.sha256):
        return ["the document is not what was signed."]
    content = document.load(signed.document.encode())
    signatures = list(signed.signatures.all())
    return [
        *(f"its {column} is not that of its {kept}." for column, kept in _columns(signed, content)),
        *_signatures(signed, content, signatures),
        *_certified(signed, content, signatures),
        *_earlier(signed, content),
    ]


def missing() -> Iterator[str]:
    """What was signed and is not there any more, as sentences."""
    numbers = SignedPlan.objects.order_by("episode_id", "number").values_list("episode__public_id", "number")
    for episode, rows in groupby(numbers.iterator(), key=lambda row: row[0]):
        there = {number for _, number in rows}
        for number in sorted(set(range(1, max(there) + 1)) - there):
            yield f"Episode {episode}, version {number}: the signed plan is missing."
    for plan in Plan.objects.filter(status__in=SIGNED, signed=None).select_related("episode").order_by("pk"):
        yield f"Plan {plan.public_id}, version {plan.number}: it counts as signed, and its signed plan is missing."


def _columns(signed: SignedPlan, content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(column, what it was compared with) of each column that does not agree."""
    plan = signed.plan
    for name in ("program_id", "patient_id", "episode_id", "number"):
        if getattr(signed, name) != getattr(plan, name):
            yield name, "plan"
    if plan.status != (Plan.Status.SUPERSEDED if signed.replaced else Plan.Status.SIGNED):  # type: ignore[attr-defined]
        yield "plan's status", "version"
    if signed.number != content["number"]:
        yield "number", "document"
    for name, public_id in content.get("ids", {}).items():
        if str(getattr(signed, name).public_id) != public_id:
            yield f"{name}_id", "document"


def _signatures(signed: SignedPlan, content: Mapping[str, Any], signatures: list[Signature]) -> Iterator[str]:
    author = next((row for row in signatures if row.meaning == Signature.Meaning.AUTHOR), None)
    if author is None:
        yield "its author's signature is missing."
    elif author.at != signed.signed_at:
        yield "its signed_at is not the time of its author's signature."
    for row in signatures:
        if row.sha256 != signing.bound_hash(signed, row):
            yield f"the signature of {row.name} does not belong to it."
        if (row.program_id, row.patient_id) != (signed.program_id, signed.patient_id):
            yield f"the signature of {row.name} carries another program_id or patient_id."


def _certified(signed: SignedPlan, content: Mapping[str, Any], signatures: list[Signature]) -> Iterator[str]:
    """The newest version of an episode in treatment has the signature its document asks for."""
    asked = content.get("certifier") and not signed.replaced  # type: ignore[attr-defined]
    past = signed.episode.stage in PAST_CERTIFYING
    if asked and past and not any(row.meaning == Signature.Meaning.CERTIFIER for row in signatures):
        yield f"the certifying signature it asks for ({content['certifier']}) is missing."


def _earlier(signed: SignedPlan, content: Mapping[str, Any]) -> Iterator[str]:
    """The version it replaced is the one that was in force then, with the signatures it had then; steady-plan/1 did not say."""
    earlier = signed.supersedes
    if (earlier.number if earlier else 0) != signed.number - 1:
        yield "its supersedes_id is not the version before it."
    elif earlier and (earlier.episode_id != signed.episode_id):
        yield "its supersedes_id is a version of another episode."
    if "supersedes" not in content:
        return
    if (earlier.sha256 if earlier else None) != (content["supersedes"] or {}).get("sha256"):
        yield "its supersedes_id is not that of its document."
    elif earlier and sorted(row.sha256 for row in earlier.signatures.all()) != content["supersedes"]["signatures"]:
        yield f"version {earlier.number} does not have the signatures it had when this one replaced it."
