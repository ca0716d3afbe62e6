"""Results as they are entered, corrected and withdrawn; whatever rests on them is told anew at once."""

import datetime
import uuid
from collections.abc import Mapping
from decimal import Decimal

from django.utils import timezone

from clinic.actions import summary_of
from clinic.models import Episode, User
from clinic.transaction import joins_transaction
from clinic.writes import write
from intake.actions.assess import assess_again
from intake.actions.flags import draft_flag_writes
from intake.actions.known import lock_episode, read_answers
from intake.models import Assessment, Result
from intake.results import kinds

Given = Decimal | str
ANOTHER_FORM = "This form belongs to another page. Open the results again and enter it from there."
SAVED_BEFORE = "This form was saved before, with other values. What was saved then stands; open a new form for the rest."


class NotPossible(Exception):
    """What was entered cannot be. problems: sentences by what they are about, a kind's code, name, taken_at, source, reason or all ("")."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


class AlreadyCorrected(Exception):
    """Somebody has corrected or withdrawn this entry since the page was opened."""


@joins_transaction
def record_results(
    *, by: User, episode: Episode, readings: Mapping[str, Given], taken_at: datetime.datetime, key: uuid.UUID, source: str = "",
    name: str = "",
) -> list[Result]:  # fmt: skip
    """Write what was measured at one time and from one source, by code: a number, or a choice by its own code.

    name: of a score whose kind has none. The same `key` again in this episode gives the same entries; it is mixed with the episode's
    own id, so that it points at nothing else. Raises NotPossible, and KeyError for a kind that does not exist.
    """
    episode, key = lock_episode(episode), _own(key, episode)
    if earlier := _earlier(episode, key, readings):
        return earlier
    _refuse(episode, readings, taken_at, source, name)
    common = {"taken_at": taken_at, "source": source}
    rows = [
        _entry(by, episode, code, given, key=key, name=name if kinds()[code].named else "", **common)
        for code, given in readings.items()
    ]
    return _keep(by, episode, rows, key)


@joins_transaction
def correct_result(
    *, by: User, result: Result, given: Given, taken_at: datetime.datetime, reason: str, key: uuid.UUID, source: str = "", name: str = ""
) -> Result:
    """Put another entry of the same kind in the place of a wrong one, which stays to be read. `key` as in record_results.

    Raises NotPossible, AlreadyCorrected.
    """
    episode, key = lock_episode(result.episode), _own(key, result.episode)
    if earlier := _earlier(episode, key, {result.code: given}):
        return earlier[0]
    _refuse_correction(result, reason)
    _refuse(episode, {result.code: given}, taken_at, source, name)
    named = name if kinds()[result.code].named else ""
    row = _entry(by, episode, result.code, given, key=key, name=named, taken_at=taken_at, source=source, corrects=result, reason=reason)
    return _keep(by, episode, [row], key)[0]


@joins_transaction
def withdraw_result(*, by: User, result: Result, reason: str, key: uuid.UUID) -> Result:
    """Take a wrong entry back, with nothing in its place; it stays to be read. `key` as in record_results.

    Raises NotPossible, AlreadyCorrected.
    """
    episode, key = lock_episode(result.episode), _own(key, result.episode)
    if earlier := _earlier(episode, key, {result.code: None}):
        return earlier[0]
    _refuse_correction(result, reason)
    row = _entry(
        by, episode, result.code, None, key=key, name=result.name, taken_at=result.taken_at, corrects=result, withdrawn=True, reason=reason
    )
    return _keep(by, episode, [row], key)[0]


def _own(key: uuid.UUID, episode: Episode) -> uuid.UUID:
    return uuid.uuid5(key, str(episode.public_id))


# What is refused


def _earlier(episode: Episode, key: uuid.UUID, readings: Mapping[str, Given | None]) -> list[Result]:
    """What this key made already. Raises NotPossible when it was sent with something else in it."""
    made = list(Result.objects.filter(episode=episode, key=key).order_by("pk"))
    if made and {row.code: row.given for row in made} != readings:
        raise NotPossible({"": SAVED_BEFORE})
    return made


def _refuse(episode: Episode, readings: Mapping[str, Given], taken_at: datetime.datetime, source: str, name: str) -> None:
    """Raises NotPossible with everything that is wrong."""
    asked = [kinds()[code] for code in readings]
    problems = {kind.code: problem for kind in asked if (problem := kind.problem(readings[kind.code]))}
    if not readings:
        problems[""] = "Nothing was entered."
    if any(kind.named for kind in asked) and not name:
        problems["name"] = "Please say what this score is called."
    if any(kind.needs_source for kind in asked) and not source:
        problems["source"] = "Please say where it comes from: without that it says nothing."
    if taken_at > timezone.now():
        problems["taken_at"] = "This time is still to come."
    elif timezone.localtime(taken_at).date() < episode.patient.birth_date:
        problems["taken_at"] = "This is before the person was born."
    if problems:
        raise NotPossible(problems)


def _refuse_correction(result: Result, reason: str) -> None:
    """Raises AlreadyCorrected for an entry in whose place there is another, or that takes one back; NotPossible without a reason."""
    if result.withdrawn or Result.objects.filter(corrects=result).exists():
        raise AlreadyCorrected
    if not reason:
        raise NotPossible({"reason": "Please say what was wrong with the entry."})


# What is written


def _entry(by: User, episode: Episode, code: str, given: Given | None, **values: object) -> Result:
    return Result(
        program_id=episode.program_id, patient_id=episode.patient_id, episode=episode, code=code, by=by, entered_at=timezone.now(),
        value=given if isinstance(given, Decimal) else None, choice=given if isinstance(given, str) else "", **values,
    )  # fmt: skip


def _keep(by: User, episode: Episode, rows: list[Result], key: uuid.UUID) -> list[Result]:
    """Write the entries, and what follows: a new assessment where there is one, else the flags that cannot wait for one."""
    Result.objects.bulk_create(rows)
    if latest := Assessment.objects.latest_of(episode):
        assess_again(by, episode, latest, key)
    else:
        flags, worst = draft_flag_writes(by, read_answers(episode))
        write([*flags, *summary_of(episode=episode, acuity=worst)])
    return rows
