"""The level of care as a clinician decides on it, and the second clinician's co-signature. The suggestion never changes."""

from collections.abc import Collection, Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from clinic.actions import Stale
from clinic.models import Episode, User
from clinic.permissions import is_clinician
from intake.actions.decisions import NotForYou
from intake.actions.known import lock_episode
from intake.flags import EMERGENCY
from intake.level_of_care import LevelChoice, levels, needs_cosignature, override_reasons
from intake.models import Assessment, Flag, LevelCosignature, LevelDecision


class NotTheCosigner(ValueError):
    """This person may not co-sign this decision; the message says why."""


def level_mark(assessment: Assessment, newest: LevelDecision | None) -> str:
    """What was on the screen of whoever decides: the assessment and the decision that stood beside it."""
    return f"{assessment.public_id}.{newest.public_id if newest else ''}"


@transaction.atomic
def decide_level(*, by: User, episode: Episode, choice: LevelChoice, seen: str) -> LevelDecision:
    """Record the decision beside the newest assessment; the same by the same person again is the same decision.

    `seen` is the `level_mark` of the page. Raises Stale with the newest decision, or None, when an assessment or a decision came
    meanwhile, NotForYou for somebody who is no clinician of the program, ValueError for a reason that is missing.
    """
    episode = lock_episode(episode)
    if not is_clinician(by, episode.program_id):
        raise NotForYou
    assessment = Assessment.objects.latest_of(episode)
    newest = LevelDecision.objects.of(episode.pk).first()
    decision = _decision(by, assessment, choice) if assessment else None
    if newest and decision and _same(newest, decision):
        return newest
    if assessment is None or decision is None or seen != level_mark(assessment, newest):
        raise Stale(newest)
    _check(decision)
    decision.save()
    return decision


def _decision(by: User, assessment: Assessment, choice: LevelChoice) -> LevelDecision:
    """The row as it would be written."""
    suggested = assessment.result["level"]
    needs = [
        {
            "id": need["id"], "name": need["name"], "computed": need["rating"], "rating": choice.ratings[need["id"]],
            "reason": choice.reasons.get(need["id"], "") if choice.ratings[need["id"]] != need["rating"] else "",
        }
        for need in assessment.result["needs"]
    ]  # fmt: skip
    return LevelDecision(
        program_id=assessment.program_id, patient_id=assessment.patient_id, episode_id=assessment.episode_id, assessment=assessment,
        suggested=suggested["level"], rule=suggested["rule"], needs=needs, level=choice.level, label=levels()[choice.level],
        reason_code=choice.reason_code, reason=override_reasons()[choice.reason_code] if choice.reason_code else "",
        explanation=choice.explanation, by=by, at=timezone.now(),
        needs_cosignature=needs_cosignature(suggested["level"], choice.level, _gravest(assessment, needs)),
    )  # fmt: skip


def _check(decision: LevelDecision) -> None:
    """What differs from what was computed has its reason, as the form has asked for it. Raises ValueError."""
    if unsaid := [need["id"] for need in decision.changed_needs if not need["reason"]]:
        raise ValueError(f"No reason for another rating of {', '.join(unsaid)}.")
    if not decision.as_suggested and not (decision.reason_code and decision.explanation):
        raise ValueError("No reason for another level than the suggested one.")


def _gravest(assessment: Assessment, needs: Collection[Mapping[str, Any]]) -> dict[str, Any]:
    """The facts with the higher of both ratings of each need, and with SF-01 where it stands by now: rating a need lower, or deciding
    before the assessment is renewed, does not spare the co-signature.
    """
    standing = Flag.objects.filter(episode=assessment.episode_id, rule_id=EMERGENCY).standing().exists()
    rated = {need["id"].lower(): max(need["computed"], need["rating"]) for need in needs}
    return assessment.facts | rated | ({"sf_01": True} if standing else {})


SAYS = ("assessment_id", "by_id", "needs", "level", "reason_code", "explanation")


def _same(one: LevelDecision, other: LevelDecision) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in SAYS)


@transaction.atomic
def cosign_level(*, by: User, decision: LevelDecision) -> LevelCosignature:
    """Stand behind somebody else's decision, which counts from now on. A second click gives the same. Raises NotTheCosigner."""
    lock_episode(decision.episode)
    if earlier := LevelCosignature.objects.filter(decision=decision, by=by).first():
        return earlier
    if refusal := cosigning_refused(by, decision):
        raise NotTheCosigner(refusal)
    return LevelCosignature.objects.create(
        program_id=decision.program_id, patient_id=decision.patient_id, decision=decision, by=by, at=timezone.now()
    )


def cosigning_refused(by: User, decision: LevelDecision) -> str:
    """Why this person may not co-sign this decision, as a sentence; empty when they may."""
    newest = LevelDecision.objects.of(decision.episode_id).first()
    assessment = Assessment.objects.only("pk").latest_of(decision.episode)
    if not decision.needs_cosignature:
        return "This decision needs no co-signature."
    if other := LevelCosignature.objects.filter(decision=decision).select_related("by").first():
        return f"{other.by} has co-signed it already."
    if newest is None or newest.pk != decision.pk:
        return "A later decision has taken the place of this one."
    if assessment is None or assessment.pk != decision.assessment_id:
        return "A newer assessment is there by now: the level is decided anew."
    if decision.by_id == by.pk:
        return "You made this decision; another clinician co-signs it."
    if not is_clinician(by, decision.program_id):
        return "A decision on the level of care is co-signed by a clinician."
    return ""
