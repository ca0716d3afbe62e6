"""Flags as they are raised, stand and fire no longer; what people do about them is in decisions.py."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from django.utils import timezone

from clinic.models import Episode, User
from clinic.writes import Write, inserts, updates
from intake.actions.known import Reading, effective_settings, filled_drafts, known, person, told
from intake.evaluation import draft_flags
from intake.flags import what_changed
from intake.models import Assessment, Flag, FlagEvent
from intake.rules import Fired

# What may change of a flag when answers change; and what is taken back when it is opened again.
CHANGING = ("name", "severity", "message", "action", "proof", "still_fires", "assessment", "status", "opened_at")
DONE = {
    "acknowledged_at": None, "acknowledged_by": None, "action_taken": "",
    "decided_at": None, "decided_by": None, "reason_code": "", "reason": "", "snoozed_until": None,
}  # fmt: skip
SEVERITY = {"INFO": 1, "MODERATE": 2, "HIGH": 3, "CRITICAL": 4}


def draft_flag_writes(by: User, reading: Reading) -> tuple[list[Write], tuple[int, str, int]]:
    """The few flags that cannot wait for the submit, from whatever is answered so far: what to write, and the acuity that follows."""
    fired, looked_at, content_hash = flags_of_drafts(reading)
    standing, writes = reconcile(by, reading.episode, fired, content_hash, None, looked_at)
    return writes, acuity(standing)


def flags_of_drafts(reading: Reading) -> tuple[tuple[Fired, ...], frozenset[str], str]:
    """As draft_flags, of everything answered and measured so far."""
    episode, now = reading.episode, timezone.localtime()
    forms = {code: filled for code, (_, filled) in known(reading, filled_drafts(reading)).items()}
    results = told(episode, forms, now)
    return draft_flags(person(episode), forms, effective_settings(episode.program), now, results.facts, results.origins)


def reconcile(
    by: User,
    episode: Episode,
    fired: Sequence[Fired],
    content_hash: str,
    assessment: Assessment | None,
    looked_at: frozenset[str] | None = None,
    kept: frozenset[str] = frozenset(),
) -> tuple[list[Flag], list[Write]]:
    """The standing flags brought up to date with what fires now, and the writes of it. Nothing that stands disappears by itself.

    `looked_at`: the only rules that were evaluated, from an unfinished intake; None for all of them. A flag that no longer fires
    keeps standing, marked so, until somebody acts; one that somebody has acted on is then resolved. One that rests on other inputs than
    those somebody acted on, or is worse, is opened again and says why.
    An unfinished intake takes back only what an unfinished one raised: what an assessment found waits for the next assessment.
    `kept`: rules whose flags stay as they are.
    """
    rows = {flag.rule_id: flag for flag in Flag.objects.filter(episode=episode).compared()}
    happened = [_reopen(by, rows[rule.rule_id], because, _inputs(rule)) for rule, because in _opened_again(fired, rows)]
    changed = [flag for rule in fired if (flag := _raised(by, episode, rule, content_hash, assessment, rows.get(rule.rule_id)))]
    for rule_id in rows.keys() - {rule.rule_id for rule in fired} - kept:
        flag = rows[rule_id]
        if flag.still_fires and (looked_at is None or (rule_id in looked_at and flag.assessment_id is None)):
            happened += _no_longer(by, flag)
            changed.append(flag)
    new, old = [flag for flag in changed if flag.pk is None], [flag for flag in changed if flag.pk]
    standing = sorted((flag for flag in (*rows.values(), *new) if flag.stands), key=Flag.rank)
    columns = [*CHANGING, *DONE, "opened_because"] if happened else CHANGING
    return standing, [*inserts(new), *updates(old, columns), *inserts(happened)]


def _opened_again(fired: Sequence[Fired], rows: Mapping[str, Flag]) -> Iterator[tuple[Fired, str]]:
    """The rules whose flag somebody has acted on, but on other inputs than fire now, or when it was less grave; and what is different."""
    for rule in fired:
        flag = rows.get(rule.rule_id)
        if flag is None or flag.status == Flag.Status.OPEN:
            continue
        changes = what_changed(flag.inputs, _inputs(rule))
        if SEVERITY[rule.severity] > flag.severity:
            changes.append(f"It was {flag.severity_word}, is {rule.severity.lower()}")
        if not flag.still_fires:
            changes.append("It fires again")
        if changes:
            yield rule, "; ".join(changes)


def _reopen(by: User, flag: Flag, because: str, inputs: list[dict[str, str]]) -> FlagEvent:
    """What was done about it holds no longer; the events keep it."""
    for column, nothing in DONE.items():
        setattr(flag, column, nothing)
    flag.status, flag.opened_at, flag.opened_because = Flag.Status.OPEN, timezone.now(), because
    return flag.event(FlagEvent.What.REOPENED, by=by, reason=because, inputs=inputs)


def _raised(by: User, episode: Episode, rule: Fired, content_hash: str, assessment: Assessment | None, flag: Flag | None) -> Flag | None:
    """The flag of a rule that fires, new or changed; None when the one that stands says all of it already."""
    severity = SEVERITY[rule.severity]
    proof = _proof(rule, content_hash)
    if flag is None:
        flag = Flag(
            program_id=episode.program_id, patient_id=episode.patient_id, episode=episode, rule_id=rule.rule_id,
            severity=severity, raised_at=timezone.now(), raised_by=by,
        )  # fmt: skip
    elif (
        flag.proof == proof
        and flag.severity == severity
        and flag.still_fires
        and (assessment is None or flag.assessment_id == assessment.pk)
    ):
        return None
    if flag.pk and flag.severity < severity == Flag.Severity.CRITICAL:
        flag.opened_at = timezone.now()  # from now on somebody must act within the program's minutes
    flag.name, flag.severity, flag.message, flag.action = rule.name, severity, rule.message, rule.action
    flag.proof, flag.still_fires = proof, True
    flag.assessment = assessment or flag.assessment
    return flag


def _no_longer(by: User, flag: Flag) -> list[FlagEvent]:
    """Mark a flag that fires no longer: what somebody acted on is resolved, what was put off asks again."""
    flag.still_fires = False
    if flag.status == Flag.Status.SNOOZED:
        return [_reopen(by, flag, "It no longer fires", flag.inputs)]
    if flag.status in (Flag.Status.ACKNOWLEDGED, Flag.Status.OVERRIDDEN):
        flag.status = Flag.Status.RESOLVED
        return [flag.event(FlagEvent.What.RESOLVED, by=by)]
    return []


def _proof(rule: Fired, content_hash: str) -> dict:
    """What a proof card shows: inputs with their origin, the rule's version, source and grade, what would clear it; and its medicines."""
    medicines = list(dict.fromkeys(name for row in rule.inputs for name in row.medicines))
    return {
        "inputs": _inputs(rule), "medicines": medicines, "version": content_hash[:12], "text": rule.message, "source": rule.source,
        "grade": rule.grade, "clears": rule.clears, "checker": rule.checker,
    }  # fmt: skip


def _inputs(rule: Fired) -> list[dict[str, str]]:
    return [{"label": row.label, "value": row.value, "origin": row.origin} for row in rule.inputs]


def acuity(flags: Iterable[Flag]) -> tuple[int, str, int]:
    """Of the flags that stand, worst first: the worst one's severity, why in words, and how many nobody has acted on yet."""
    standing = list(flags)
    if not standing:
        return 0, "", 0
    asked = [flag for flag in standing if flag.status in Flag.ASKING and flag.severity > Flag.Severity.INFO]
    return standing[0].severity, standing[0].name, len(asked)
