"""The exceptions to who may open a chart: in an emergency, and kept out."""

from django.db import transaction
from django.utils import timezone

from clinic.actions.care_team import LockedOut, could_lift, leave_care_team, lock_team
from clinic.actions.stale import Stale
from clinic.models import BreakGlass, CareTeamMember, ChartRestriction, Episode, User
from clinic.models.access import EMERGENCY_LASTS, SHORTEST_REASON


@transaction.atomic
def break_glass(*, by: User, episode: Episode, category: str, reason: str) -> BreakGlass:
    """Open a chart in an emergency, for EMERGENCY_LASTS. What is open from before is returned as it is: nothing is extended.

    `category` is one of BreakGlass.Category. Raises ValueError, in a sentence, when the reason is too short to be reviewed.
    """
    if len(reason.strip()) < SHORTEST_REASON:
        raise ValueError(f"Please say in at least {SHORTEST_REASON} characters why this cannot wait.")
    at = timezone.now()
    opened = BreakGlass(
        program_id=episode.program_id, patient_id=episode.patient_id, episode=episode, user=by,
        category=category, reason=reason.strip(), at=at, until=at + EMERGENCY_LASTS,
    )  # fmt: skip
    # Of two clicks at once the second waits here and then does nothing.
    BreakGlass.objects.bulk_create([opened], ignore_conflicts=True)
    return BreakGlass.objects.get(user=by, patient=episode.patient_id, until__gt=at)


@transaction.atomic
def review_break_glass(*, by: User, opened: BreakGlass, outcome: str, note: str) -> BreakGlass:
    """Say whether opening the chart was appropriate; once, and never about oneself.

    `outcome` is one of BreakGlass.Outcome. Raises ValueError, in a sentence, about oneself or without a note; Stale, with the
    review that stands, when somebody reviewed it before.
    """
    if opened.user_id == by.pk:
        raise ValueError("You opened this chart yourself, so somebody else reviews it.")
    if not note.strip():
        raise ValueError("Please write down what you looked at and why you decide so.")
    waiting = BreakGlass.objects.filter(pk=opened.pk, reviewed_at=None)
    written = waiting.update(reviewed_at=timezone.now(), reviewed_by=by, outcome=outcome, review_note=note.strip())
    opened = BreakGlass.objects.get(pk=opened.pk)
    if not written and (opened.reviewed_by, opened.outcome, opened.review_note) != (by, outcome, note.strip()):
        raise Stale(opened)
    return opened


@transaction.atomic
def restrict_chart(*, by: User, episode: Episode, kind: str, reason: str, user: User | None = None) -> ChartRestriction:
    """Keep somebody (`user`) out of everything about this patient, or the chart to its care team; what stands already is no error.

    `kind` is one of ChartRestriction.Kind. Who is kept out leaves the care team. Raises LockedOut when nobody could lift it again.
    """
    lock_team(episode.patient_id)
    if standing := ChartRestriction.objects.standing().filter(patient=episode.patient_id, user=user).first():
        return standing
    if user is not None:
        for member in CareTeamMember.objects.filter(patient=episode.patient_id, user=user, ended_at=None):
            leave_care_team(by=by, member=member)
    elif not could_lift(episode.patient_id, episode.program_id).exists():
        raise LockedOut(
            "Nobody on the care team could lift this again. First add a case manager or a supervisor of the program to the care team."
        )
    return ChartRestriction.objects.create(
        program_id=episode.program_id, patient_id=episode.patient_id, kind=kind, user=user, reason=reason.strip(), by=by
    )


@transaction.atomic
def lift_restriction(*, by: User, restriction: ChartRestriction, reason: str) -> ChartRestriction:
    """End a restriction; ended already is no error."""
    standing = ChartRestriction.objects.standing().filter(pk=restriction.pk)
    standing.update(ended_at=timezone.now(), ended_by=by, ended_reason=reason.strip())
    return ChartRestriction.objects.get(pk=restriction.pk)
