"""Answers as they are given: each a row with its author and version."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from clinic import workflow
from clinic.actions import summary_of
from clinic.models import Episode, User
from clinic.permissions import is_clinician
from clinic.transaction import joins_transaction
from clinic.writes import Write, inserts, updates, write
from intake import answers as typed
from intake.actions.flags import draft_flag_writes
from intake.actions.known import Reading, lock_episode, read_answers
from intake.answers import Key, State
from intake.models import Answer, Instrument, Response


class AlreadySubmitted(Exception):
    """The questionnaire was submitted, by somebody, since this page was opened."""


@dataclass(frozen=True)
class Conflict:
    """One answer that somebody else has changed since this page was read: `theirs` stands, `mine` was not written."""

    key: Key
    mine: typed.Answer
    theirs: Answer


@dataclass(frozen=True)
class Saved:
    """What a save came to: the draft with its rows as they stand now, the version of every answer posted, and what collided."""

    response: Response
    rows: dict[Key, Answer]
    versions: Mapping[Key, int]
    conflicts: tuple[Conflict, ...]


@joins_transaction
def save_answers(
    *,
    by: User,
    episode: Episode,
    instrument: Instrument,
    answers: Mapping[Key, typed.Answer],
    versions: Mapping[Key, int],
    basis: str = "",
    asked_again: bool = False,
) -> Saved:
    """Write the answers that changed, each as a row with its author and next version.

    `versions` are those the page had read (0: no answer yet); `basis` is what the page began from (`basis_of`).
    An answer that somebody else changed meanwhile is kept as it is and reported; the others are written.
    `asked_again`: `by` has asked every question anew, so an answer that came out the same is `by`'s from now on.
    Raises AlreadySubmitted when the page's draft has been submitted since, ValueError for a gated questionnaire without its permission.
    """
    if not instrument.may_show_items:
        raise ValueError(f"{instrument} asks nothing before its permission is recorded.")
    episode = lock_episode(episode)
    reading = read_answers(episode)
    response = _draft(by, reading, instrument, basis)
    rows = reading.rows[response.pk]
    conflicts, changed = [], {}
    for key, answer in answers.items():
        row = rows.get(key)
        if _same(row, answer) and not (asked_again and row is not None and row.by_id != by.pk):
            continue
        if row is not None and row.version != versions.get(key, 0):
            conflicts.append(Conflict(key, answer, row))
        else:
            changed[key] = answer
    if changed:
        given = _writes(by, response, rows, changed)
        flags, worst = draft_flag_writes(by, reading)
        write([*given, *flags, *summary_of(episode=episode, **_summary(episode, worst))])
    return Saved(response, rows, {key: rows[key].version if key in rows else 0 for key in answers}, tuple(conflicts))


def basis_of(episode: Episode, code: str, draft: Response | None) -> str:
    """What a page of this questionnaire begins from: its draft, else what was submitted last, else nothing."""
    if draft is not None:
        return str(draft.public_id)
    before = Response.objects.completed_of(episode, code).values_list("public_id", flat=True).first()
    return _after(before)


def _after(before: uuid.UUID | None) -> str:
    return f"after {before}" if before else ""


def _draft(by: User, reading: Reading, instrument: Instrument, basis: str) -> Response:
    """The draft that is there, else a new one, which is then part of what was read. Raises AlreadySubmitted."""
    episode, code = reading.episode, instrument.code
    found, before = reading.drafts.get(code), reading.submitted.get(code)
    fresh = _after(before.public_id if before else None)
    if basis not in {fresh, str(found.public_id) if found else fresh}:
        raise AlreadySubmitted
    if found is None:
        found = reading.drafts[code] = Response.objects.create(
            program_id=episode.program_id, patient_id=episode.patient_id, episode=episode, instrument=instrument,
            code=code, started_at=timezone.now(), started_by=by,
        )  # fmt: skip
        reading.rows[found.pk] = {}
    return found


def _same(row: Answer | None, answer: typed.Answer) -> bool:
    if row is None:
        return answer.state is State.MISSING
    return row.state == answer.state and row.value == typed.to_json(answer)


def _summary(episode: Episode, worst: tuple[int, str, int]) -> dict[str, Any]:
    """What a save has to say in the caseload; mostly nothing."""
    due = (timezone.localdate(), "Finish the intake")
    begun = {"stage": workflow.INTAKE, "due": due}
    news = worst != (episode.acuity, episode.acuity_reason, episode.unacknowledged)
    return (begun if episode.stage == workflow.REGISTERED else {}) | ({"acuity": worst} if news else {})


def _writes(by: User, response: Response, rows: dict[Key, Answer], changed: Mapping[Key, typed.Answer]) -> list[Write]:
    """The writes of what changed; `rows` is brought up to date."""
    now, clinician = timezone.now(), is_clinician(by, response.program_id)
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
        row.by_clinician = clinician
        row.version += 1
        rows[link_id, instance] = row
    response.saved_at, response.saved_by = now, by
    return [
        *inserts(new),
        *updates(old, ["state", "value", "by", "at", "version"]),
        *updates([response], ["saved_at", "saved_by"]),
    ]
