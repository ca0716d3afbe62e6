"""Signing: a draft becomes a document that nobody can alter, bound to whoever signed it."""

import datetime
import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from clinic import workflow
from clinic.actions import update_summary
from clinic.models import Program, User
from clinic.permissions import roles_in
from intake.actions import lock_episode
from intake.content_files import sha256 as content_sha256
from intake.models import Assessment, Flag, Instrument
from intake.responses import said
from intake.rules import Fired
from plans import document, home, thread, tree
from plans.components import content_hash, unreviewed
from plans.level import decided_level
from plans.models import Component, Deferral, Plan, Signature, SignedPlan


class NotReady(ValueError):
    """Documentation gaps stop the signature; `gaps` names each."""

    def __init__(self, gaps: tuple[thread.Gap, ...]) -> None:
        super().__init__("The plan cannot be signed yet.")
        self.gaps = gaps


class ChangedSince(ValueError):
    """The plan was changed after the signer read it."""


class TooLong(ValueError):
    """The plan holds more text than can be printed in reasonable time."""


class NotTheCertifier(ValueError):
    """This person may not certify this version; the message says why."""


@transaction.atomic
def sign(*, by: User, plan: Plan, key: uuid.UUID, seen: str) -> SignedPlan:
    """Freeze the plan and sign it as its author. The same `key` again gives the same version.

    `seen` is the SHA-256 of the content that was on the signer's screen (`fingerprint`).
    Raises NotReady while documentation is missing, ChangedSince when somebody changed the plan meanwhile, TooLong.
    """
    episode = lock_episode(plan.episode)
    if earlier := SignedPlan.objects.filter(episode=episode, key=key).first():
        return earlier
    plan = Plan.objects.select_related("assessment", "episode__program", "episode__patient").get(pk=plan.pk)
    if plan.status != Plan.Status.DRAFT:
        raise ChangedSince("This version has been signed already.")
    roots = tree.read(plan)
    missing = tuple(gap for gap in thread.gaps(tree.plan_view(plan, roots)) if gap.stops)
    if missing:
        raise NotReady(missing)
    text = written(plan, roots)
    if document.sha256(text) != seen:
        raise ChangedSince("The plan was changed after you opened this page. Read it again, then sign.")
    now = timezone.now()
    previous = SignedPlan.objects.in_force(episode)
    try:
        signed = SignedPlan.objects.create(
            program_id=plan.program_id, patient_id=plan.patient_id, plan=plan, episode=episode, number=plan.number,
            supersedes=previous, document=text.decode(), sha256=document.sha256(text), signed_at=now, key=key,
        )  # fmt: skip
    except IntegrityError as taken:
        raise ChangedSince("This form belongs to the plan of somebody else. Open this plan again, read it, then sign.") from taken
    _add_signature(by, signed, Signature.Meaning.AUTHOR, now)
    Plan.objects.filter(episode=episode, status=Plan.Status.SIGNED).update(status=Plan.Status.SUPERSEDED)
    plan.status = Plan.Status.SIGNED
    plan.save(update_fields=["status"])
    if awaited := certifier_awaited(signed):
        update_summary(episode=episode, stage=workflow.AWAITING, due=(timezone.localdate(), f"{awaited} signs the plan"))
    else:
        update_summary(episode=episode, stage=workflow.TREATMENT, due=(plan.review_on, "Review the plan"))
    return signed


@transaction.atomic
def certify(*, by: User, signed: SignedPlan) -> Signature:
    """Add the certifying signature the program asks for. A second click gives the same signature. Raises NotTheCertifier."""
    episode = lock_episode(signed.episode)
    if earlier := Signature.objects.filter(signed_plan=signed, meaning=Signature.Meaning.CERTIFIER).first():
        return earlier
    if refusal := certifying_refused(by, signed):
        raise NotTheCertifier(refusal)
    signature = _add_signature(by, signed, Signature.Meaning.CERTIFIER, timezone.now())
    if episode.stage == workflow.AWAITING:
        update_summary(episode=episode, stage=workflow.TREATMENT, due=(signed.plan.review_on, "Review the plan"))
    return signature


def certifying_refused(by: User, signed: SignedPlan) -> str:
    """Why this person may not certify this version, as a sentence; empty when they may."""
    if newer := _newer(signed):
        return f"This version was replaced by version {newer.number}."
    role = certifying_role(signed)
    if not role:
        return "This version needs no second signature."
    if role not in roles_in(by, signed.program_id):
        return f"This version asks for the signature of a {Program.CertifyingRole(role).label.lower()[2:]}."
    if Signature.objects.filter(signed_plan=signed, user=by).exists():
        return "You signed this plan as its author; somebody else certifies it."
    return ""


def certifying_role(signed: SignedPlan) -> str:
    """The role that must certify this version, as it was when it was signed; empty for none. steady-plan/1 leaves it to the program."""
    content = document.load(signed.document.encode())
    return str(content.get("certifier", signed.episode.program.certifying_role))


def certifier_awaited(signed: SignedPlan) -> str:
    """Who must still certify this version, e.g. "A prescriber"; empty when nobody must. A replaced version awaits nobody."""
    role = certifying_role(signed)
    if not role or _newer(signed) or signed.signatures.filter(meaning=Signature.Meaning.CERTIFIER).exists():
        return ""
    return Program.CertifyingRole(role).label


def _newer(signed: SignedPlan) -> SignedPlan | None:
    """The version in force, when it is a later one than this."""
    return SignedPlan.objects.filter(episode_id=signed.episode_id, number__gt=signed.number).defer("document").order_by("-number").first()


def _add_signature(by: User, signed: SignedPlan, meaning: Signature.Meaning, at: datetime.datetime) -> Signature:
    signature = Signature(
        program_id=signed.program_id, patient_id=signed.patient_id, signed_plan=signed, user=by, name=str(by),
        credential=by.credential, discipline=by.discipline, meaning=meaning, at=at,
    )  # fmt: skip
    signature.sha256 = bound_hash(signed, signature)
    signature.save()
    return signature


def bound_hash(signed: SignedPlan, signature: Signature) -> str:
    """The hash that this signature of this version must have. Raises ValueError for a document that cannot be read."""
    schema = document.load(signed.document.encode())["schema"]
    return document.signature_hash(
        schema,
        {
            "document": signed.sha256, "version": signed.public_id, "key": signed.key, "user": signature.user.public_id,
            "signer": signature.name, "credential": signature.credential, "discipline": signature.discipline,
            "meaning": signature.meaning, "at": signature.at,
        },
    )  # fmt: skip


def fingerprint(plan: Plan, roots: list[tree.Node] | None = None) -> str:
    """SHA-256 of the document as it would be signed now: what the signer has read is what is signed. Raises TooLong."""
    return document.sha256(written(plan, tree.read(plan) if roots is None else roots))


def written(plan: Plan, roots: list[tree.Node]) -> bytes:
    """The bytes of the document as it would be signed now. Raises TooLong."""
    text = document.build(plan_document(plan, roots))
    if len(text) > document.LIMIT:
        raise TooLong("The plan holds too much text to be signed and printed. Please shorten the longest notes.")
    return text


def plan_document(plan: Plan, roots: list[tree.Node]) -> dict[str, Any]:
    """Everything a signed plan carries (plans/document.py REQUIRED): texts and versions, not only ids."""
    assessment, episode = plan.assessment, plan.episode
    patient = episode.patient
    result = assessment.result
    left_open = {(gap.rule, gap.subject) for gap in thread.left_open(tree.plan_view(plan, roots))}
    return {
        "ids": {
            "plan": plan.public_id, "episode": episode.public_id, "patient": patient.public_id, "program": episode.program.public_id,
        },
        "supersedes": _superseded(SignedPlan.objects.in_force(episode)),
        "certifier": episode.program.certifying_role,
        "number": plan.number,
        "provisional": plan.provisional,
        "language": settings.LANGUAGE_CODE,
        "timezone": settings.TIME_ZONE,
        "program": {"name": episode.program.name},
        "patient": {
            "name": patient.legal_name, "preferred_name": patient.preferred_name, "birth_date": patient.birth_date,
            "record_number": patient.record_number, "pronouns": patient.pronouns,
        },
        "assessment": {"submitted_at": assessment.at, "evaluated_at": assessment.at},
        "questionnaires": _questionnaires(assessment),
        "scores": result["scores"],
        "needs": result["needs"],
        "level": result["level"] | decided_level(assessment),
        "flags": [
            *(_flag(flag) for flag in Flag.objects.filter(episode=episode).standing().select_related("acknowledged_by")),
            *(_caution(rule) for rule in tree.cautions(plan)),
        ],
        "suggestions": [_suggestion(row, assessment.facts) for row in tree.components(plan)],
        "undecided": plan.undecided,
        "problems": [_problem(node) for node in roots],
        "deferrals": [
            {"rule": row.rule, "subject": row.subject, "reason": row.reason}
            for row in Deferral.objects.filter(plan=plan).order_by("rule", "subject")
            if (row.rule, row.subject) in left_open
        ],
        "discharge_criteria": plan.discharge_criteria,
        "review_on": plan.review_on,
        "patient_signature": {"status": plan.patient_signature, "reason": plan.patient_signature_reason},
        "copy_offered": plan.copy_offered,
        "content_hash": content_sha256({"intake": assessment.content_hash, "plans": content_hash()}),
        "settings_hash": content_sha256(assessment.settings),
        "unreviewed": [*result["unreviewed"], *unreviewed()],
    }  # fmt: skip


def _superseded(previous: SignedPlan | None) -> dict[str, Any] | None:
    """The version before, by its hash and those of its signatures: it cannot be taken away unnoticed."""
    if previous is None:
        return None
    return {"sha256": previous.sha256, "signatures": sorted(row.sha256 for row in previous.signatures.all())}


def _questionnaires(assessment: Assessment) -> list[dict[str, Any]]:
    """Each questionnaire the plan rests on, with its version, its hash and the answers in words as they were frozen."""
    used = {code: response["questionnaire"].partition("|")[::2] for code, response in assessment.responses.items()}
    rows = Instrument.objects.filter(url__in={url for url, _ in used.values()}).defer("content")
    versions = {(row.url, row.version): row for row in rows}
    listed = []
    for code, response in assessment.responses.items():
        url, version = used[code]
        instrument = versions[url, version]
        answers = list(_answers(response.get("item", [])))
        listed.append(
            {"code": code, "url": url, "version": version, "title": instrument.title, "sha256": instrument.sha256, "answers": answers}
        )
    return sorted(listed, key=lambda row: row["url"])


def _answers(items: list[dict[str, Any]]) -> Any:
    for item in items:
        if "answer" in item or "extension" in item:
            state, words = said(item)
            yield {"link_id": item["linkId"], "text": item.get("text", ""), "state": state, "answer": words}
        yield from _answers(item.get("item", []))


def _flag(flag: Flag) -> dict[str, Any]:
    return {
        "rule": flag.rule_id, "name": flag.name, "severity": flag.Severity(flag.severity).name, "message": flag.message,
        "action": flag.action, "status": flag.get_status_display(),
        "acknowledged_by": str(flag.acknowledged_by) if flag.acknowledged_by else None, "acknowledged_at": flag.acknowledged_at,
        "action_taken": flag.action_taken,
    }  # fmt: skip


def _caution(rule: Fired) -> dict[str, Any]:
    return {
        "rule": rule.rule_id, "name": rule.name, "severity": rule.severity, "message": rule.message, "action": rule.action,
        "status": "Follows from the plan", "acknowledged_by": None, "acknowledged_at": None, "action_taken": "",
    }  # fmt: skip


def _suggestion(row: Component, facts: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("because", "contraindication", "contra_now", "cite", "grade")
    return {key: row.suggestion.get(key) for key in kept} | {
        "component_id": row.component_id, "name": row.name, "tier": row.tier, "suggested": row.suggested,
        "decision": row.decision, "reason": row.reason, "note": row.note, "hold": row.hold,
        "only_for": home.only_for(row.component_id, row.suggestion["answers_flags"], facts),
    }  # fmt: skip


def _problem(node: tree.Node) -> dict[str, Any]:
    return {"title": node.part.title, "source": node.part.source, "goals": [_goal(child) for child in node.children]}


def _goal(node: tree.Node) -> dict[str, Any]:
    goal = node.part
    names = ("text", "patient_words", "measure", "baseline", "target", "target_date")
    return {name: getattr(goal, name) for name in names} | {
        "component_id": _component_id(goal), "objectives": [_objective(child) for child in node.children],
    }  # fmt: skip


def _objective(node: tree.Node) -> dict[str, Any]:
    return {"text": node.part.text, "interventions": [_intervention(child.part) for child in node.children]}


def _intervention(row: Any) -> dict[str, Any]:
    names = ("text", "frequency", "duration", "start_on", "review_on")
    return {name: getattr(row, name) for name in names} | {
        "component_id": _component_id(row), "discipline": row.get_discipline_display(),
        "responsible": row.responsible.signature_name if row.responsible else "",
    }  # fmt: skip


def _component_id(part: Any) -> str:
    return part.component.component_id if part.component else ""
