"""Registration, demographics, the summary columns, what left the record, and the first visit of a new clinic."""

import datetime
import logging
import uuid
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from clinic import workflow
from clinic.actions.care_team import join_care_team
from clinic.actions.stale import Stale
from clinic.models import ChartRestriction, Disclosure, Episode, Membership, Patient, Program, User
from clinic.permissions import cell, roles_in
from clinic.transaction import joins_transaction
from clinic.writes import Write, updates, write

log = logging.getLogger("steady.actions")


class KeyUsed(Exception):
    """The form of a registration was sent before, for other content. `earlier` is the episode it opened then; None when out of reach."""

    def __init__(self, earlier: Episode | None) -> None:
        super().__init__("This form was already used to register somebody.")
        self.earlier = earlier


@transaction.atomic
def register_patient(*, by: User, program: Program, patient: dict[str, Any], episode: dict[str, Any], key: uuid.UUID) -> Episode:
    """Register a person and open their first episode; the duty team, and a clinician who registers, join the care team.

    `patient` and `episode` are cleaned field values. The same `key` with the same content returns the same episode;
    with other content it raises KeyUsed: somebody went back and wrote the next person over the first.
    """
    if not Patient.objects.filter(registration_key=key).exists():
        number = _next_record_number()
        person = Patient(**patient, program=program, record_number=number, registered_by=by, registration_key=key)
        # Of two clicks at once the second waits here and then does nothing: no error, and no row of data in a log.
        Patient.objects.bulk_create([person], ignore_conflicts=True)
        written = Patient.objects.filter(registration_key=key).first()
        if written is None:
            raise KeyUsed(None)
        if written.record_number == number:
            return open_episode(by=by, patient=written, **episode)
    earlier = Episode.objects.select_related("patient", "program").filter(patient__registration_key=key).order_by("id")[0]
    sent = {**patient, **episode, "program": program}
    if any(_registered_value(earlier, name) != value for name, value in sent.items()):
        raise KeyUsed(earlier)
    return earlier


def _registered_value(episode: Episode, name: str) -> Any:
    """What the record holds now for a field of the registration form."""
    return getattr(episode if name in {"program", "referral_source", "presenting_reason"} else episode.patient, name)


@transaction.atomic
def open_episode(*, by: User, patient: Patient, referral_source: str, presenting_reason: str) -> Episode:
    """Open an episode of care and put the duty team on it, so that a new patient always has clinicians."""
    episode = Episode.objects.create(
        program=patient.program,
        patient=patient,
        referral_source=referral_source,
        presenting_reason=presenting_reason,
        opened_by=by,
        next_due_at=timezone.localdate(),
        next_due_what="Begin the intake",
    )
    for member in _duty_team(patient):
        join_care_team(by=by, episode=episode, user=member)
    if any(cell("patient.register", role).scope == "T" for role in roles_in(by, patient.program_id)):
        join_care_team(by=by, episode=episode, user=by)
    return episode


def _duty_team(patient: Patient) -> list[User]:
    """Who is on duty, still works there and is not kept out: whoever has left since stops nobody's registration."""
    program, kept_out = patient.program, ChartRestriction.objects.standing().filter(patient=patient, user__isnull=False)
    chosen = program.duty_team.filter(is_active=True).exclude(pk__in=kept_out.values("user_id"))
    members = list(chosen.filter(memberships__program=program).distinct())
    if missing := chosen.count() - len(members):
        log.warning("program %s: %s of the duty team have no role there any more and were left out", program.pk, missing)
    return members


def _next_record_number() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('clinic_record_number')")
        return f"R{cursor.fetchone()[0]:07d}"


@transaction.atomic
def update_patient(*, by: User, patient: Patient, values: dict[str, Any], version: int) -> Patient:
    """Write changed demographics. Raises Stale, with the row as it is now, when somebody saved in between."""
    current = Patient.objects.select_for_update(of=("self",)).get(pk=patient.pk)
    if current.version != version:
        raise Stale(current)
    for name, value in values.items():
        setattr(current, name, value)
    current.version += 1
    current.save()
    return current


@joins_transaction
def update_summary(*, episode: Episode, **summary: Any) -> Episode:
    """Write the summary columns the caseload reads; later stages call this inside their own transaction. Takes what `summary_of` takes."""
    write(summary_of(episode=episode, **summary))
    return episode


def summary_of(
    *,
    episode: Episode,
    stage: str | None = None,
    acuity: tuple[int, str, int] | None = None,
    due: tuple[datetime.date | None, str] | None = None,
    scores: dict[str, Any] | None = None,
) -> list[Write]:
    """The write of the summary columns, for who writes more at the same time; none when there is nothing to say.

    `episode` is the row as it stands under its lock; it is brought up to date too. `acuity` is (worst standing severity 0 to 4,
    why in words, unacknowledged flags), `due` is (day, what).
    Raises workflow.StageRefused for a stage that cannot follow.
    """
    values: dict[str, Any] = {}
    if stage is not None:
        workflow.check(episode.stage, stage)
        values["stage"] = stage
    if acuity is not None:
        values |= {"acuity": acuity[0], "acuity_reason": acuity[1][:200], "unacknowledged": acuity[2]}
    if due is not None:
        values |= {"next_due_at": due[0], "next_due_what": due[1]}
    if scores is not None:
        values["score_summary"] = episode.score_summary | scores
    for name, value in values.items():
        setattr(episode, name, value)
    return updates([episode], values) if values else []


@transaction.atomic
def record_disclosure(*, by: User, episode: Episode, what: str, sha256: str, recipient: str, basis: Disclosure.Basis) -> Disclosure:
    """Log that a document left the screen: what, to whom, on which basis."""
    return Disclosure.objects.create(
        program_id=episode.program_id, patient_id=episode.patient_id, at=timezone.now(), by=by,
        what=what, sha256=sha256, recipient=recipient, basis=basis,
    )  # fmt: skip


@transaction.atomic
def first_visit(*, program_name: str, username: str, password: str, first_name: str, last_name: str, email: str) -> User:
    """Make the first program and its administrator. Raises ValueError when there is a user already."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('steady.first_visit'))")
    if User.objects.exists():
        raise ValueError("Steady has been set up already. Please log in.")
    user = User.objects.create_user(
        username, email, password, first_name=first_name, last_name=last_name,
        discipline="administration", is_staff=True,
    )  # fmt: skip
    program = Program.objects.create(name=program_name)
    Membership.objects.create(user=user, program=program, role="sys_admin")
    return user
