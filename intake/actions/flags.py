"""Flags as they are raised, stand, and are acknowledged by a named person."""

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.utils import timezone

from clinic.actions import update_summary
from clinic.models import Episode, User
from clinic.permissions import is_clinician
from clinic.writes import Write, inserts, updates
from intake.actions.known import Reading, effective_settings, filled_drafts, known, lock_episode, person
from intake.evaluation import draft_flags
from intake.models import Assessment, Flag
from intake.rules import Fired

# What may change of a flag that stands.
CHANGING = (
    "name", "severity", "message", "action", "proof", "still_fires", "assessment", "status", "acknowledged_at", "acknowledged_by",
    "action_taken",
)  # fmt: skip
SEVERITY = {"INFO": 1, "MODERATE": 2, "HIGH": 3, "CRITICAL": 4}


def draft_flag_writes(by: User, reading: Reading) -> tuple[list[Write], tuple[int, str, int]]:
    """The few flags that cannot wait for the submit, from whatever is answered so far: what to write, and the acuity that follows."""
    episode = reading.episode
    forms = {code: filled for code, (_, filled) in known(reading, filled_drafts(reading)).items()}
    fired, looked_at, content_hash = draft_flags(person(episode), forms, effective_settings(episode.program), timezone.now())
    standing, writes = reconcile(by, episode, fired, content_hash, None, looked_at)
    return writes, acuity(standing)


def reconcile(
    by: User,
    episode: Episode,
    fired: Sequence[Fired],
    content_hash: str,
    assessment: Assessment | None,
    looked_at: frozenset[str] | None = None,
) -> tuple[list[Flag], list[Write]]:
    """The standing flags brought up to date with what fires now, and the writes of it. Nothing that stands disappears by itself.

    `looked_at`: the only rules that were evaluated, from an unfinished intake; None for all of them. A flag that no longer fires
    keeps standing, marked so, until somebody acts; one that somebody has acted on is then resolved. A worse one is opened again.
    An unfinished intake takes back only what an unfinished one raised: what an assessment found waits for the next assessment.
    """
    rows = {flag.rule_id: flag for flag in Flag.objects.filter(episode=episode).standing()}
    changed = [flag for rule in fired if (flag := _raised(by, episode, rule, content_hash, assessment, rows.get(rule.rule_id)))]
    for rule_id in rows.keys() - {rule.rule_id for rule in fired}:
        flag = rows[rule_id]
        if (looked_at is None or (rule_id in looked_at and flag.assessment_id is None)) and _no_longer(flag):
            changed.append(flag)
    new, old = [flag for flag in changed if flag.pk is None], [flag for flag in changed if flag.pk]
    standing = sorted((flag for flag in (*rows.values(), *new) if flag.status != Flag.Status.RESOLVED), key=Flag.rank)
    return standing, [*inserts(new), *updates(old, CHANGING)]


def _raised(by: User, episode: Episode, rule: Fired, content_hash: str, assessment: Assessment | None, flag: Flag | None) -> Flag | None:
    """The flag of a rule that fires, new or changed; None when the one that stands says all of it already."""
    severity = SEVERITY[rule.severity]
    proof = _proof(rule, content_hash)
    if flag is None:
        flag = Flag(
            program_id=episode.program_id, patient_id=episode.patient_id, episode=episode, rule_id=rule.rule_id,
            severity=severity, raised_at=timezone.now(), raised_by=by,
        )  # fmt: skip
    elif severity > flag.severity and flag.status == Flag.Status.ACKNOWLEDGED:
        flag.status, flag.acknowledged_at, flag.acknowledged_by, flag.action_taken = Flag.Status.OPEN, None, None, ""
    elif (
        flag.proof == proof
        and flag.severity == severity
        and flag.still_fires
        and (assessment is None or flag.assessment_id == assessment.pk)
    ):
        return None
    flag.name, flag.severity, flag.message, flag.action = rule.name, severity, rule.message, rule.action
    flag.proof, flag.still_fires = proof, True
    flag.assessment = assessment or flag.assessment
    return flag


def _no_longer(flag: Flag) -> bool:
    """Mark a flag that fires no longer; False when it was marked before."""
    if not flag.still_fires:
        return False
    flag.still_fires = False
    if flag.status == Flag.Status.ACKNOWLEDGED:
        flag.status = Flag.Status.RESOLVED
    return True


def _proof(rule: Fired, content_hash: str) -> dict:
    """What a proof card shows: inputs with their origin, the rule's version, source and grade, and what would clear it."""
    inputs = [{"label": row.label, "value": row.value, "origin": row.origin} for row in rule.inputs]
    return {
        "inputs": inputs, "version": content_hash[:12], "text": rule.message, "source": rule.source, "grade": rule.grade,
        "clears": rule.clears, "checker": rule.checker,
    }  # fmt: skip


def acuity(flags: Iterable[Flag]) -> tuple[int, str, int]:
    """Of the flags that stand, worst first: the worst one's severity, why in words, and how many nobody has acted on yet."""
    standing = list(flags)
    if not standing:
        return 0, "", 0
    asked = [flag for flag in standing if flag.status == Flag.Status.OPEN and flag.severity > Flag.Severity.INFO]
    return standing[0].severity, standing[0].name, len(asked)


class NotForYou(Exception):
    """A critical flag needs a clinician."""


@transaction.atomic
def acknowledge(*, by: User, flag: Flag, action_taken: str) -> Flag:
    """A named person has seen the flag and says what was done. A second acknowledgement changes nothing.

    The same finding under its other name (SF-10 and IX-12) is acknowledged with it, unless that one is graver.
    Raises NotForYou when a critical flag is acknowledged by somebody who is no clinician of the program.
    """
    episode = lock_episode(flag.episode)
    flag = Flag.objects.select_for_update(of=("self",)).get(pk=flag.pk)
    if flag.severity == Flag.Severity.CRITICAL and not is_clinician(by, flag.program_id):
        raise NotForYou
    if flag.status != Flag.Status.OPEN:
        return flag
    for one in (flag, *Flag.objects.acknowledged_with(flag)):
        one.status = Flag.Status.ACKNOWLEDGED if one.still_fires else Flag.Status.RESOLVED
        one.acknowledged_at, one.acknowledged_by, one.action_taken = timezone.now(), by, action_taken
        one.save(update_fields=["status", "acknowledged_at", "acknowledged_by", "action_taken"])
    update_summary(episode=episode, acuity=acuity(Flag.objects.filter(episode=episode).standing()))
    return flag


@transaction.atomic
def record_evaluation(*, by: User, flag: Flag, evaluation: str) -> Flag:
    """The emergency evaluation has taken place, and this is what it found: what the flag held is held no longer.

    A second recording changes nothing. Raises NotForYou for somebody who is no clinician of the program, ValueError for a
    flag that asks for no evaluation.
    """
    lock_episode(flag.episode)
    flag = Flag.objects.select_for_update(of=("self",)).get(pk=flag.pk)
    if not flag.asks_for_evaluation:
        raise ValueError(f"{flag.rule_id} asks for no emergency evaluation.")
    if not is_clinician(by, flag.program_id):
        raise NotForYou
    if flag.evaluated_at is None:
        flag.evaluated_at, flag.evaluated_by, flag.evaluation = timezone.now(), by, evaluation
        flag.save(update_fields=["evaluated_at", "evaluated_by", "evaluation"])
    return flag
