"""A chart opened in an emergency: what it gives, for how long, who looks at it afterwards."""

import datetime
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.utils import timezone

from clinic import actions
from clinic.access_table import CLINICIANS, EMERGENCY, ROLES, TABLE
from clinic.models import BreakGlass, Episode, Patient, User
from clinic.models.access import EMERGENCY_LASTS
from clinic.permissions import cell
from clinic.transaction import acting
from tests.people import House, make_house, make_user

REASON = "Unconscious at the door, respiratory rate 6"


def every_role(*quick: str) -> list[Any]:
    """All roles in the thorough run, these few in every run."""
    return [pytest.param(role, marks=() if role in quick else pytest.mark.thorough) for role in ROLES]


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def opened(
    by: User, episode: Episode, *, hours_ago: float = 0, reason: str = REASON, lasts: datetime.timedelta = EMERGENCY_LASTS
) -> BreakGlass:
    """The chart opened in an emergency by this person, so many hours ago; a row as the database lets it be written."""
    at = timezone.now() - datetime.timedelta(hours=hours_ago)
    with acting(by, "break_glass.invoke"):
        return BreakGlass.objects.create(
            program=episode.program, patient=episode.patient, episode=episode, user=by, category="medical", reason=reason,
            at=at, until=at + lasts,
        )  # fmt: skip


def break_glass(by: User, episode: Episode, reason: str = REASON) -> BreakGlass:
    with acting(by, "break_glass.invoke"):
        return actions.break_glass(by=by, episode=episode, category="crisis", reason=reason)


def reached(user: User, action: str, *, full: bool = False) -> set[Episode]:
    return set(Episode.objects.visible_to(user, action, full=full))


# What it gives


@pytest.mark.parametrize("role", every_role("nurse", "case_manager"))
def test_an_emergency_widens_the_team_of_clinicians_to_one_patient_for_what_the_list_names(house: House, role: str) -> None:
    user = house.staff[role]
    before = {action: (reached(user, action), reached(user, action, full=True)) for action in TABLE}
    opened(user, house.other)
    for action in TABLE:
        widened = cell(action, role).scope == "T" and role in CLINICIANS and action in EMERGENCY
        more = {house.other} if widened else set()
        assert (reached(user, action), reached(user, action, full=True)) == tuple(was | more for was in before[action]), action
    assert set(Patient.objects.visible_to(user, "chart.view")) == {episode.patient for episode in reached(user, "chart.view")}


def test_no_emergency_reaches_a_note_an_export_a_signature_or_a_consent() -> None:
    for never in ("counselling_note", "disclosure", "plan.sign", "plan.finalise", "plan.edit", "intake.edit", "consent.c", "care_team"):
        assert not any(action.startswith(never) for action in EMERGENCY), never


def test_an_emergency_crosses_no_program_and_lasts_as_long_as_the_role(house: House) -> None:
    nurse = house.staff["nurse"]
    opened(nurse, house.foreign)
    opened(nurse, house.other)
    assert reached(nurse, "chart.view") == {house.mine, house.other}
    nurse.memberships.all().delete()
    assert reached(User.objects.get(pk=nurse.pk), "chart.view") == set()


def test_a_role_that_is_no_clinicians_is_not_widened_beside_one_that_is(house: House) -> None:
    """Case managers write consents for their team; being a nurse too does not make that an emergency's."""
    both = make_user("both", ("case_manager", house.program), ("nurse", house.elsewhere))
    opened(both, house.other)
    assert reached(both, "chart.view") == set()


def test_it_ends_by_the_clock(house: House) -> None:
    nurse = house.staff["nurse"]
    opened(nurse, house.other, hours_ago=4.001)
    assert reached(nurse, "chart.view") == {house.mine}
    opened(nurse, house.other)
    assert reached(nurse, "chart.view") == {house.mine, house.other}


# The row


def test_it_is_opened_for_four_hours_and_a_second_click_extends_nothing(house: House) -> None:
    first, second = (break_glass(house.staff["nurse"], house.other, f"{REASON}, {time}") for time in ("first", "again"))
    assert first == second and first.until - first.at == datetime.timedelta(hours=4) and first.reason.endswith("first")
    opened(house.staff["counsellor"], house.other, hours_ago=5)
    assert break_glass(house.staff["counsellor"], house.other).until > timezone.now()


@pytest.mark.parametrize("reason", ["", "emergency", "nineteen characters", "x" + " " * 40])
def test_a_short_reason_is_refused_in_a_sentence_and_by_the_database(house: House, reason: str) -> None:
    with pytest.raises(ValueError, match="at least 20 characters"):
        break_glass(house.staff["nurse"], house.other, reason)
    with pytest.raises(IntegrityError, match="break_glass_says_why"):
        opened(house.staff["nurse"], house.other, reason=reason)


@pytest.mark.parametrize("column", ["until", "reason", "category", "user_id", "at", "patient_id"])
def test_nothing_but_its_review_is_ever_written_to_it(house: House, column: str) -> None:
    grant = opened(house.staff["nurse"], house.other)
    with pytest.raises(TypeError, match="never changed"):
        grant.save()
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE clinic_breakglass SET {column} = {column}")


@pytest.mark.parametrize("hours", [3, 5])
def test_the_database_knows_how_long_it_lasts(house: House, hours: int) -> None:
    with pytest.raises(IntegrityError, match="break_glass_lasts_four_hours"):
        opened(house.staff["nurse"], house.other, lasts=datetime.timedelta(hours=hours))


# The review


def review(by: User, grant: BreakGlass, outcome: str = "appropriate", note: str = "Only vital signs were opened.") -> BreakGlass:
    with acting(by, "break_glass.review"):
        return actions.review_break_glass(by=by, opened=grant, outcome=outcome, note=note)


def test_somebody_else_reviews_it_once(house: House) -> None:
    grant = opened(house.staff["nurse"], house.other)
    assert review(house.staff["supervisor"], grant).reviewed_by == house.staff["supervisor"]
    assert review(house.staff["supervisor"], grant).outcome == "appropriate"  # a second click
    with pytest.raises(actions.Stale) as stale:
        review(house.staff["privacy_auditor"], grant, "not appropriate", "Nothing in the record shows an emergency.")
    assert (stale.value.current.outcome, stale.value.current.reviewed_by) == ("appropriate", house.staff["supervisor"])


def test_nobody_reviews_their_own(house: House) -> None:
    both = make_user("both", ("nurse", house.program), ("supervisor", house.program))
    grant = opened(both, house.other)
    with pytest.raises(ValueError, match="somebody else reviews it"):
        review(both, grant)
    with pytest.raises(IntegrityError, match="break_glass_reviewed_by_another"), acting(both, "test"):
        BreakGlass.objects.filter(pk=grant.pk).update(reviewed_at=timezone.now(), reviewed_by=both, outcome="appropriate", review_note="x")
    assert not BreakGlass.objects.waiting(both).exists() and BreakGlass.objects.waiting(house.staff["supervisor"]).exists()


def test_a_review_says_why(house: House) -> None:
    grant = opened(house.staff["nurse"], house.other)
    with pytest.raises(ValueError, match="why you decide so"):
        review(house.staff["supervisor"], grant, note="  ")
    grant.refresh_from_db()
    assert grant.reviewed_at is None
