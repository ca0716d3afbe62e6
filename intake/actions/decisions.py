"""What people do about a flag: acknowledge it, override it, put it off, enter it in error, record the emergency evaluation."""

import datetime
from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from clinic.actions import update_summary
from clinic.models import Episode, User
from clinic.permissions import is_clinician
from intake.actions.flags import acuity
from intake.actions.known import lock_episode
from intake.flag_reasons import LONGEST_SNOOZE, SHORTEST, check_reason
from intake.flags import other_names
from intake.models import Flag, FlagEvent

DECISION = ("status", "decided_at", "decided_by", "reason_code", "reason", "snoozed_until")


class NotForYou(Exception):
    """Only a clinician of the program may do this."""


class NotNow(Exception):
    """The flag, as it stands, does not allow this; the message is a sentence."""


def _locked(flag: Flag) -> tuple[Episode, Flag]:
    """The episode and the flag as they stand now, both locked."""
    return lock_episode(flag.episode), Flag.objects.select_for_update(of=("self",)).get(pk=flag.pk)


def _sum_up(episode: Episode) -> None:
    update_summary(episode=episode, acuity=acuity(Flag.objects.filter(episode=episode).standing()))


@transaction.atomic
def acknowledge(*, by: User, flag: Flag, action_taken: str, together: Iterable[Flag] = ()) -> Flag:
    """A named person has seen the flag and says what was done. A second acknowledgement changes nothing.

    `together`: other flags of the episode that are acknowledged with the same words. The same finding under its other name (SF-10 and
    IX-12) is acknowledged with it, unless that one is graver.
    Raises NotForYou when one of them is critical and it is acknowledged by somebody who is no clinician of the program, ValueError for a
    flag of another episode.
    """
    episode, flag = _locked(flag)
    others = list(Flag.objects.select_for_update(of=("self",)).filter(pk__in=[other.pk for other in together]).order_by("pk"))
    if any(other.episode_id != episode.pk for other in others):
        raise ValueError("Flags of two episodes are not acknowledged together.")
    if any(one.severity == Flag.Severity.CRITICAL for one in (flag, *others)) and not is_clinician(by, flag.program_id):
        raise NotForYou
    asking = {one.pk: one for one in (flag, *others) if one.unanswered}
    asking |= {twin.pk: twin for one in list(asking.values()) for twin in Flag.objects.acknowledged_with(one) if twin.pk not in asking}
    if asking:
        _acknowledge(by, asking.values(), action_taken)
        _sum_up(episode)
    return flag


def _acknowledge(by: User, flags: Iterable[Flag], action_taken: str) -> None:
    happened = []
    for one in flags:
        one.status = Flag.Status.ACKNOWLEDGED
        one.acknowledged_at, one.acknowledged_by, one.action_taken = timezone.now(), by, action_taken
        one.decided_at, one.decided_by, one.reason_code, one.reason, one.snoozed_until = None, None, "", "", None
        happened.append(one.event(FlagEvent.What.ACKNOWLEDGED, by=by, reason=action_taken))
        if not one.still_fires:
            one.status = Flag.Status.RESOLVED
            happened.append(one.event(FlagEvent.What.RESOLVED, by=by))
        one.save(update_fields=[*DECISION, "acknowledged_at", "acknowledged_by", "action_taken"])
    FlagEvent.objects.bulk_create(happened)


@transaction.atomic
def override(*, by: User, flag: Flag, reason_code: str, reason: str) -> Flag:
    """A clinician decides, for a coded reason, that nothing more is done about a flag that fires. It stands, and holds what it held.

    A second time changes nothing. Raises NotForYou, NotNow, and ValueError for a reason that does not fit.
    """
    check_reason("override", reason_code, reason)
    return _decide(by, flag, Flag.Status.OVERRIDDEN, reason_code, reason)


@transaction.atomic
def snooze(*, by: User, flag: Flag, reason_code: str, reason: str, until: datetime.date) -> Flag:
    """A clinician puts a flag off until a day, seven days on at most; a changed input ends it earlier.

    A second time changes nothing. Raises NotForYou, NotNow, and ValueError for a reason or a day that does not fit.
    """
    check_reason("snooze", reason_code, reason)
    if not datetime.timedelta(0) < until - timezone.localdate() <= datetime.timedelta(LONGEST_SNOOZE):
        raise ValueError(f"A flag is put off by 1 to {LONGEST_SNOOZE} days.")
    return _decide(by, flag, Flag.Status.SNOOZED, reason_code, reason, until)


@transaction.atomic
def enter_in_error(*, by: User, flag: Flag, reason: str) -> Flag:
    """A clinician finds that a flag should never have been raised. It stands no longer, and its history stays.

    A second time changes nothing. Raises NotForYou, NotNow, and ValueError for a reason of fewer than ten characters.
    """
    if len(reason.strip()) < SHORTEST:
        raise ValueError(f"Please say the reason in at least {SHORTEST} characters.")
    return _decide(by, flag, Flag.Status.IN_ERROR, "", reason)


def _decide(by: User, flag: Flag, status: Flag.Status, code: str, reason: str, until: datetime.date | None = None) -> Flag:
    """The same finding under its other name is decided with it, unless that one is graver or does not allow it."""
    episode, flag = _locked(flag)
    if not is_clinician(by, flag.program_id):
        raise NotForYou
    if flag.status == status:
        return flag
    if refusal := flag.refuses(status):
        raise NotNow(refusal)
    twins = Flag.objects.filter(episode=episode, rule_id__in=other_names(flag.rule_id), severity__lte=flag.severity).standing()
    decided = [flag, *(twin for twin in twins if not twin.refuses(status))]
    for one in decided:
        one.status, one.decided_at, one.decided_by = status, timezone.now(), by
        one.reason_code, one.reason, one.snoozed_until = code, reason, until
        one.save(update_fields=DECISION)
    what = FlagEvent.What(status)
    FlagEvent.objects.bulk_create([one.event(what, by=by, reason_code=code, reason=reason, until=until) for one in decided])
    _sum_up(episode)
    return flag


@transaction.atomic
def record_evaluation(*, by: User, flag: Flag, evaluation: str) -> Flag:
    """The emergency evaluation has taken place, and this is what it found: what the flag held is held no longer.

    A second recording changes nothing. Raises NotForYou for somebody who is no clinician of the program, ValueError for a
    flag that asks for no evaluation.
    """
    _, flag = _locked(flag)
    if not flag.asks_for_evaluation:
        raise ValueError(f"{flag.rule_id} asks for no emergency evaluation.")
    if not is_clinician(by, flag.program_id):
        raise NotForYou
    if flag.evaluated_at is None:
        flag.evaluated_at, flag.evaluated_by, flag.evaluation = timezone.now(), by, evaluation
        flag.save(update_fields=["evaluated_at", "evaluated_by", "evaluation"])
        flag.event(FlagEvent.What.EVALUATED, by=by, reason=evaluation).save()
    return flag
