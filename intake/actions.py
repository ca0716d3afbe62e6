"""Every write of the intake: answers as they are given, the submit that freezes them, and what a person does about a flag."""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from clinic import workflow
from clinic.actions import update_summary
from clinic.models import Episode, User
from clinic.permissions import is_clinician
from intake import answers as typed
from intake.answers import Key, State
from intake.branching import evaluate
from intake.evaluation import Evaluated, Filled, Person, Settings, draft_flags, evaluate_episode
from intake.models import Answer, Assessment, Flag, Instrument, Response, RuleSetting, Score
from intake.packet import packet
from intake.parameters import Parameters
from intake.responses import from_response
from intake.rules import Fired

SEVERITY = {"INFO": 1, "MODERATE": 2, "HIGH": 3, "CRITICAL": 4}


def effective_settings() -> Settings:
    """What the clinic has set by now: numbers, rules switched off, and the questionnaires of its intake. One query."""
    rows = RuleSetting.objects.current()
    values = {rule_id: row.values["value"] for rule_id, row in rows.items() if "value" in row.values}
    off = frozenset(rule_id for rule_id, row in rows.items() if not row.enabled)
    return Settings(Parameters(values=values), off, tuple(packet()))


class AlreadySubmitted(Exception):
    """The questionnaire was submitted, by somebody, since this page was opened."""


class NothingToSubmit(Exception):
    """No answer has been given yet."""


@dataclass(frozen=True)
class Conflict:
    """One answer that somebody else has changed since this page was read: `theirs` stands, `mine` was not written."""

    key: Key
    mine: typed.Answer
    theirs: Answer


@dataclass(frozen=True)
class Saved:
    """What a save came to: the draft, the version of every answer posted, and what collided."""

    response: Response
    versions: Mapping[Key, int]
    conflicts: tuple[Conflict, ...]


def lock_episode(episode: Episode) -> Episode:
    """The episode's row, locked until the transaction ends: whatever changes answers, flags or plans takes turns here."""
    return Episode.objects.select_for_update(of=("self",), no_key=True).select_related("patient").get(pk=episode.pk)


@transaction.atomic
def save_answers(
    *,
    by: User,
    episode: Episode,
    instrument: Instrument,
    answers: Mapping[Key, typed.Answer],
    versions: Mapping[Key, int],
    draft: uuid.UUID | None = None,
) -> Saved:
    """Write the answers that changed, each as a row with its author and next version.

    `versions` are those the page had read (0: no answer yet); `draft` is the draft the page was showing, None for none.
    An answer that somebody else changed meanwhile is kept as it is and reported; the others are written.
    Raises AlreadySubmitted when the page's draft has been submitted since.
    """
    episode = lock_episode(episode)
    response = _draft(by, episode, instrument, draft)
    rows = Answer.objects.of(response)
    conflicts, changed = [], {}
    for key, answer in answers.items():
        row = rows.get(key)
        if _same(row, answer):
            continue
        if (row.version if row else 0) != versions.get(key, 0):
            assert row is not None  # a version above 0 belongs to a row of this draft, or the draft is another one
            conflicts.append(Conflict(key, answer, row))
        else:
            changed[key] = answer
    if changed:
        _write(by, response, rows, changed)
        if episode.stage == workflow.REGISTERED:
            episode = update_summary(episode=episode, stage=workflow.INTAKE, due=(timezone.localdate(), "Finish the intake"))
        _raise_draft_flags(by, episode)
    return Saved(response, {key: rows[key].version if key in rows else 0 for key in answers}, tuple(conflicts))


def _draft(by: User, episode: Episode, instrument: Instrument, expected: uuid.UUID | None) -> Response:
    found = Response.objects.draft_of(episode, instrument.code)
    if expected is not None and (found is None or found.public_id != expected):
        raise AlreadySubmitted
    return found or Response.objects.create(
        program_id=episode.program_id, patient_id=episode.patient_id, episode=episode, instrument=instrument,
        code=instrument.code, started_at=timezone.now(), started_by=by,
    )  # fmt: skip


def _same(row: Answer | None, answer: typed.Answer) -> bool:
    if row is None:
        return answer.state is State.MISSING
    return row.state == answer.state and row.value == typed.to_json(answer)


def _write(by: User, response: Response, rows: dict[Key, Answer], changed: Mapping[Key, typed.Answer]) -> None:
    """One insert and one update, however many answers; `rows` is brought up to date."""
    now = timezone.now()
    new: list[Answer] = []
    old: list[Answer] = []
    for (link_id, instance), answer in changed.items():
        row = rows.get((link_id, instance))
        if row is None:
            row = Answer(
                program_id=response.program_id, patient_id=response.patient_id, response=response,
                link_id=link_id, instance=instance, version=0,
            )  # fmt: skip
        (old if row.pk else new).append(row)
        row.state, row.value, row.by, row.at = answer.state, typed.to_json(answer), by, now
        row.version += 1
        rows[link_id, instance] = row
    Answer.objects.bulk_create(new)
    Answer.objects.bulk_update(old, ["state", "value", "by", "at", "version"])
    response.saved_at, response.saved_by = now, by
    response.save(update_fields=["saved_at", "saved_by"])


def was_submitted(episode: Episode, key: uuid.UUID) -> bool:
    """Whether this very submit has been done already: the second click of a double click."""
    return Assessment.objects.filter(episode=episode, key=key).exists()


@transaction.atomic
def submit(*, by: User, episode: Episode, key: uuid.UUID) -> Assessment:
    """Freeze every draft of the episode and assess what is known. The same `key` again gives the same assessment.

    Raises NothingToSubmit.
    """
    episode = lock_episode(episode)
    if earlier := Assessment.objects.filter(episode=episode, key=key).first():
        return earlier
    drafts = _filled_drafts(episode)
    if not drafts:
        raise NothingToSubmit
    now = timezone.now()
    for response, filled in drafts:
        response.document = _document(response, filled, now)
        response.status, response.completed_at, response.completed_by = Response.Status.COMPLETED, now, by
    Response.objects.bulk_update([response for response, _ in drafts], ["document", "status", "completed_at", "completed_by"])
    known = _submitted(episode)
    assessment = _assess(by, episode, known, key, now, Assessment.Kind.INTAKE)
    stage = workflow.ASSESSED if episode.stage in {workflow.REGISTERED, workflow.INTAKE} else None
    update_summary(episode=episode, stage=stage, due=(timezone.localdate(), "Write the plan"))
    return assessment


@transaction.atomic
def assess_provisionally(*, by: User, episode: Episode, key: uuid.UUID) -> Assessment:
    """Assess what is known so far, drafts included, because treatment cannot wait. The drafts stay open.

    The same `key` again gives the same assessment. Raises NothingToSubmit.
    """
    episode = lock_episode(episode)
    if earlier := Assessment.objects.filter(episode=episode, key=key).first():
        return earlier
    drafts = _filled_drafts(episode)
    known = _submitted(episode) | {response.code: (response, filled) for response, filled in drafts}
    if not known:
        raise NothingToSubmit
    return _assess(by, episode, known, key, timezone.now(), Assessment.Kind.PROVISIONAL)


Known = Mapping[str, tuple[Response, Filled]]


def _filled_drafts(episode: Episode) -> list[tuple[Response, Filled]]:
    """The drafts that hold at least one answer, given or declined."""
    drafts = Response.objects.drafts_of(episode)
    rows: dict[int, dict[Key, typed.Answer]] = {}
    by_id = {draft.pk: draft for draft in drafts}
    for row in Answer.objects.filter(response__in=by_id).exclude(state=State.MISSING):
        item = by_id[row.response_id].instrument.questionnaire.by_id[row.link_id]
        rows.setdefault(row.response_id, {})[row.link_id, row.instance] = typed.from_json(item, State(row.state), row.value)
    return [
        (draft, Filled(draft.instrument.questionnaire, rows[draft.pk], draft.saved_at or draft.started_at))
        for draft in by_id.values()
        if draft.pk in rows
    ]


def _submitted(episode: Episode) -> dict[str, tuple[Response, Filled]]:
    """The latest submitted response of each instrument."""
    known = {}
    for response in Response.objects.latest_of(episode):
        questionnaire = response.instrument.questionnaire
        answers = from_response(questionnaire, response.document)
        known[response.code] = (response, Filled(questionnaire, answers, response.completed_at or response.started_at))
    return known


def _document(response: Response, filled: Filled, at: datetime.datetime) -> dict:
    document = evaluate(filled.questionnaire, filled.answers).response()
    return document | {"status": "completed", "authored": at.isoformat(), "identifier": {"value": str(response.public_id)}}


def _assess(
    by: User, episode: Episode, known: Known, key: uuid.UUID, at: datetime.datetime, kind: Assessment.Kind
) -> Assessment:
    settings = effective_settings()
    evaluated = evaluate_episode(_person(episode), {code: filled for code, (_, filled) in known.items()}, settings, at)
    documents = {code: response.document or _document(response, filled, at) for code, (response, filled) in known.items()}
    assessment = Assessment.objects.create(
        program_id=episode.program_id, patient_id=episode.patient_id, episode=episode, kind=kind, at=at, by=by, key=key,
        responses=documents, facts=evaluated.facts, origins=evaluated.origins, result=evaluated.as_json(),
        content_hash=evaluated.content_hash, settings=settings.as_json(),
        provisional=kind == Assessment.Kind.PROVISIONAL or evaluated.level.provisional,
    )  # fmt: skip
    Score.objects.bulk_create(_score_rows(assessment, evaluated))
    _reconcile(by, episode, [*evaluated.flags, *evaluated.interactions], evaluated.content_hash, assessment)
    summary = {
        score.code: {
            "label": score.name,
            "value": f"at least {score.floor}" if score.total is None else str(score.total),
            "band": score.band or "",
        }
        for score in evaluated.scores.values()
    }
    update_summary(episode=episode, acuity=_acuity(episode), scores=summary)
    return assessment


def _person(episode: Episode) -> Person:
    return Person(age=episode.patient.age, sex=episode.patient.sex_at_birth)


def _score_rows(assessment: Assessment, evaluated: Evaluated) -> list[Score]:
    return [
        Score(
            program_id=assessment.program_id, patient_id=assessment.patient_id, assessment=assessment,
            episode_id=assessment.episode_id, code=score.code, name=score.name, total=score.total, low=score.low,
            high=score.high, floor=score.floor, band=score.band or "", text=score.text, detail=score.as_json(), at=assessment.at,
        )
        for score in evaluated.scores.values()
    ]  # fmt: skip


def _raise_draft_flags(by: User, episode: Episode) -> None:
    """The few flags that cannot wait for the submit, from whatever is answered so far."""
    known = _submitted(episode) | {response.code: (response, filled) for response, filled in _filled_drafts(episode)}
    forms = {code: filled for code, (_, filled) in known.items()}
    fired, looked_at, content_hash = draft_flags(_person(episode), forms, effective_settings(), timezone.now())
    if _reconcile(by, episode, fired, content_hash, None, looked_at):
        update_summary(episode=episode, acuity=_acuity(episode))


def _reconcile(
    by: User,
    episode: Episode,
    fired: Sequence[Fired],
    content_hash: str,
    assessment: Assessment | None,
    looked_at: frozenset[str] | None = None,
) -> bool:
    """Bring the standing flags up to date with what fires now; True when one changed. Nothing that stands disappears by itself.

    `looked_at`: the only rules that were evaluated, from an unfinished intake; None for all of them. A flag that no longer fires
    keeps standing, marked so, until somebody acts; one that somebody has acted on is then resolved. A worse one is opened again.
    An unfinished intake takes back only what an unfinished one raised: what an assessment found waits for the next assessment.
    """
    standing = {flag.rule_id: flag for flag in Flag.objects.filter(episode=episode).standing()}
    changed = False
    for rule in fired:
        flag = standing.pop(rule.rule_id, None)
        changed |= _raise(by, episode, rule, content_hash, assessment, flag)
    for flag in standing.values():
        if looked_at is None or (flag.rule_id in looked_at and flag.assessment_id is None):
            changed |= _no_longer(flag)
    return changed


def _raise(
    by: User, episode: Episode, rule: Fired, content_hash: str, assessment: Assessment | None, flag: Flag | None
) -> bool:
    severity = SEVERITY[rule.severity]
    proof = _proof(rule, content_hash)
    if flag is None:
        flag = Flag(
            program_id=episode.program_id, patient_id=episode.patient_id, episode=episode, rule_id=rule.rule_id,
            severity=severity, raised_at=timezone.now(), raised_by=by,
        )  # fmt: skip
    elif severity > flag.severity and flag.status == Flag.Status.ACKNOWLEDGED:
        flag.status, flag.acknowledged_at, flag.acknowledged_by, flag.action_taken = Flag.Status.OPEN, None, None, ""
    elif flag.proof == proof and flag.severity == severity and flag.still_fires and flag.assessment_id == (assessment or flag).pk:
        return False
    flag.name, flag.severity, flag.message, flag.action = rule.name, severity, rule.message, rule.action
    flag.proof, flag.still_fires = proof, True
    flag.assessment = assessment or flag.assessment
    flag.save()
    return True


def _no_longer(flag: Flag) -> bool:
    if not flag.still_fires:
        return False
    flag.still_fires = False
    if flag.status == Flag.Status.ACKNOWLEDGED:
        flag.status = Flag.Status.RESOLVED
    flag.save(update_fields=["still_fires", "status"])
    return True


def _proof(rule: Fired, content_hash: str) -> dict:
    """What a proof card shows: inputs with their origin, the rule's version, source and grade, and what would clear it."""
    inputs = [{"label": row.label, "value": row.value, "origin": row.origin} for row in rule.inputs]
    return {
        "inputs": inputs, "version": content_hash[:12], "text": rule.message, "source": rule.source, "grade": rule.grade,
        "clears": rule.clears, "checker": rule.checker,
    }  # fmt: skip


def _acuity(episode: Episode) -> tuple[int, str, int]:
    """The worst flag that stands, why in words, and how many nobody has acted on yet."""
    standing = list(Flag.objects.filter(episode=episode).standing())
    if not standing:
        return 0, "", 0
    return standing[0].severity, standing[0].name, sum(flag.status == Flag.Status.OPEN for flag in standing)


class NotForYou(Exception):
    """A critical flag needs a clinician."""


@transaction.atomic
def acknowledge(*, by: User, flag: Flag, action_taken: str) -> Flag:
    """A named person has seen the flag and says what was done. A second acknowledgement changes nothing.

    Raises NotForYou when a critical flag is acknowledged by somebody who is no clinician of the program.
    """
    episode = lock_episode(flag.episode)
    flag = Flag.objects.select_for_update(of=("self",)).get(pk=flag.pk)
    if flag.severity == Flag.Severity.CRITICAL and not is_clinician(by, flag.program_id):
        raise NotForYou
    if flag.status != Flag.Status.OPEN:
        return flag
    flag.status = Flag.Status.ACKNOWLEDGED if flag.still_fires else Flag.Status.RESOLVED
    flag.acknowledged_at, flag.acknowledged_by, flag.action_taken = timezone.now(), by, action_taken
    flag.save(update_fields=["status", "acknowledged_at", "acknowledged_by", "action_taken"])
    update_summary(episode=episode, acuity=_acuity(episode))
    return flag
