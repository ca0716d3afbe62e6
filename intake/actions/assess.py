"""The submit that freezes the answers, and the assessment of what they say."""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from django.core.exceptions import BadRequest
from django.db import IntegrityError
from django.utils import timezone

from clinic import workflow
from clinic.actions import summary_of
from clinic.models import Episode, User
from clinic.transaction import joins_transaction
from clinic.writes import Write, inserts, updates, write
from intake.actions.flags import SEVERITY, acuity, flags_of_drafts, reconcile
from intake.actions.known import (
    Known,
    Reading,
    document,
    effective_settings,
    filled_drafts,
    known,
    lock_episode,
    person,
    read_answers,
    told,
)  # fmt: skip
from intake.evaluation import Evaluated, evaluate_episode
from intake.models import Assessment, Response, Score

ANOTHER_FORM = "This form belongs to another page. Open the review again and submit from there."


class NothingToSubmit(Exception):
    """No answer has been given yet."""


def was_submitted(episode: Episode, key: uuid.UUID) -> bool:
    """Whether this very submit has been done already: the second click of a double click."""
    return Assessment.objects.filter(episode=episode, key=key).exists()


def _earlier(episode: Episode, key: uuid.UUID) -> Assessment | None:
    """What this key made already. Raises BadRequest for the key of another patient's form."""
    made = Assessment.objects.filter(key=key).first()
    if made is not None and made.episode_id != episode.pk:
        raise BadRequest(ANOTHER_FORM)
    return made


@joins_transaction
def submit(*, by: User, episode: Episode, key: uuid.UUID) -> Assessment:
    """Freeze every draft of the episode and assess what is known. The same `key` again gives the same assessment.

    Raises NothingToSubmit, and BadRequest for a key that another patient's form has used.
    """
    episode = lock_episode(episode)
    if earlier := _earlier(episode, key):
        return earlier
    reading = read_answers(episode)
    drafts = filled_drafts(reading)
    if not drafts:
        raise NothingToSubmit
    now = timezone.now()
    for response, filled in drafts:
        response.document = document(response, filled)
        response.status, response.completed_at, response.completed_by = Response.Status.COMPLETED, now, by
    frozen = updates([response for response, _ in drafts], ["document", "status", "completed_at", "completed_by"])
    reading.submitted |= {response.code: response for response, _ in drafts}
    stage = workflow.ASSESSED if episode.stage in {workflow.REGISTERED, workflow.INTAKE} else None
    due = (timezone.localdate(), "Write the plan")
    return _assess(by, episode, known(reading), key, now, Assessment.Kind.INTAKE, frozen, stage=stage, due=due)


@joins_transaction
def assess_provisionally(*, by: User, episode: Episode, key: uuid.UUID) -> Assessment:
    """Assess what is known so far, drafts included, because treatment cannot wait. The drafts stay open.

    The same `key` again gives the same assessment. Raises NothingToSubmit.
    """
    episode = lock_episode(episode)
    if earlier := _earlier(episode, key):
        return earlier
    reading = read_answers(episode)
    found = known(reading, filled_drafts(reading))
    if not found:
        raise NothingToSubmit
    return _assess(by, episode, found, key, timezone.now(), Assessment.Kind.PROVISIONAL)


def assess_again(by: User, episode: Episode, latest: Assessment, key: uuid.UUID) -> Assessment:
    """A new assessment, inside an action that wrote a result: from what was submitted, or from drafts as well where `latest` was.

    What only an unfinished questionnaire has raised is kept as it stands: this does not look at it.
    """
    reading = read_answers(episode)
    drafts = filled_drafts(reading)
    if latest.kind == Assessment.Kind.PROVISIONAL:
        return _assess(by, episode, known(reading, drafts), key, timezone.now(), Assessment.Kind.PROVISIONAL)
    raised = _raised_by_drafts(reading) if drafts else {}
    return _assess(by, episode, known(reading), key, timezone.now(), Assessment.Kind.RESULT, raised=raised)


def _raised_by_drafts(reading: Reading) -> dict[str, int]:
    """The rules that the drafts raise, with their severity."""
    fired, _, _ = flags_of_drafts(reading)
    return {rule.rule_id: SEVERITY[rule.severity] for rule in fired}


def _assess(
    by: User, episode: Episode, found: Known, key: uuid.UUID, at: datetime.datetime, kind: Assessment.Kind, frozen: Sequence[Write] = (),
    raised: Mapping[str, int] = MappingProxyType({}), **summary: Any,
) -> Assessment:  # fmt: skip
    """The assessment with its scores and flags, the answers it froze, and the episode's summary with what else there is to say in it.

    raised: rules that drafts raise, which the assessment did not look at, with their severity; unless it finds worse, they stand.
    """
    settings, here = effective_settings(episode.program), timezone.localtime(at)  # a day is the clinic's day
    forms = {code: filled for code, (_, filled) in found.items()}
    results = told(episode, forms, here)
    evaluated = evaluate_episode(person(episode), forms, settings, here, results.facts, results.origins)
    documents = {code: response.document or document(response, filled) for code, (response, filled) in found.items()}
    try:
        assessment = Assessment.objects.create(
            program_id=episode.program_id, patient_id=episode.patient_id, episode=episode, kind=kind, at=at, by=by, key=key,
            responses=documents, facts=evaluated.facts, origins=evaluated.origins, result=evaluated.as_json(),
            content_hash=evaluated.content_hash, settings=settings.as_json(),
            provisional=kind == Assessment.Kind.PROVISIONAL or evaluated.level.provisional,
        )  # fmt: skip
    except IntegrityError as taken:  # the key was used for a patient out of reach, whom `_earlier` could not see
        raise BadRequest(ANOTHER_FORM) from taken
    fired = [rule for rule in (*evaluated.flags, *evaluated.interactions) if SEVERITY[rule.severity] >= raised.get(rule.rule_id, 0)]
    kept = raised.keys() - {rule.rule_id for rule in fired}
    standing, flags = reconcile(by, episode, fired, evaluated.content_hash, assessment, kept=frozenset(kept))
    scores = {
        score.code: {
            "label": score.name,
            "value": f"at least {score.floor}" if score.total is None else str(score.total),
            "band": score.band or "",
        }
        for score in evaluated.scores.values()
    }
    summarised = summary_of(episode=episode, acuity=acuity(standing), scores=scores, **summary)
    write([*frozen, *inserts(_score_rows(assessment, evaluated)), *flags, *summarised])
    return assessment


def _score_rows(assessment: Assessment, evaluated: Evaluated) -> list[Score]:
    return [
        Score(
            program_id=assessment.program_id, patient_id=assessment.patient_id, assessment=assessment,
            episode_id=assessment.episode_id, code=score.code, name=score.name, total=score.total, low=score.low,
            high=score.high, floor=score.floor, band=score.band or "", text=score.text, detail=score.as_json(), at=assessment.at,
        )
        for score in evaluated.scores.values()
    ]  # fmt: skip
