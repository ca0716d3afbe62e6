"""Who joins a care team and who leaves it."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from clinic.models import CareTeamMember, ChartRestriction, Episode, Membership, Patient, User
from clinic.permissions import holders_of


class LockedOut(ValueError):
    """After this nobody could open the chart to anybody again; the message is a sentence for the person."""


@transaction.atomic
def join_care_team(*, by: User, episode: Episode, user: User) -> CareTeamMember:
    """Put somebody on the care team; on it already is no error. Raises ValueError for a stranger to the program, or who is kept out."""
    if not Membership.objects.filter(user=user, program_id=episode.program_id).exists():
        raise ValueError(f"{user} has no role in {episode.program}.")
    lock_team(episode.patient_id)
    if ChartRestriction.objects.standing().filter(patient=episode.patient_id, user=user).exists():
        raise ValueError(f"{user} is kept out of this chart by a restriction.")
    member, _ = CareTeamMember.objects.get_or_create(
        episode=episode,
        user=user,
        ended_at=None,
        defaults={"program_id": episode.program_id, "patient_id": episode.patient_id, "joined_by": by},
    )
    return member


@transaction.atomic
def leave_care_team(*, by: User, member: CareTeamMember) -> CareTeamMember:
    """Take somebody off the care team; what they could reach through it ends with their next request. Raises LockedOut."""
    lock_team(member.patient_id)
    restricted = ChartRestriction.objects.standing().filter(patient=member.patient_id, user=None)
    if restricted.exists() and not could_lift(member.patient_id, member.program_id).exclude(pk=member.pk).exists():
        raise LockedOut(
            f"Only the care team opens this chart, and without {member.user} nobody on it could change that. "
            "First add another case manager or supervisor to the team, or lift the restriction."
        )
    member = CareTeamMember.objects.get(pk=member.pk)
    if member.ended_at is not None:
        return member
    member.ended_at, member.ended_by = timezone.now(), by
    member.save(update_fields=["ended_at", "ended_by"])
    return member


def lock_team(patient_id: int) -> None:
    """Until the transaction ends nobody else changes who may open this patient's chart."""
    Patient.objects.select_for_update(of=("self",)).only("pk").get(pk=patient_id)


def could_lift(patient_id: int, program_id: int) -> QuerySet[CareTeamMember]:
    """Who of the patient's care team may change it and lift a restriction: a case manager or supervisor whose account is open."""
    return CareTeamMember.objects.filter(
        patient=patient_id, ended_at=None, user__is_active=True, user__in=holders_of("care_team.assign", program_id)
    )
