"""A chart closed to somebody, or to all but its care team: what denies comes before all that allows."""

from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from clinic import actions
from clinic.access_table import TABLE
from clinic.models import CareTeamMember, ChartRestriction, Episode, Patient, User
from clinic.permissions import cell
from clinic.transaction import acting
from tests.clinic.test_break_glass import every_role, opened
from tests.people import House, make_house


@pytest.fixture
def house(db: None) -> House:
    """As everywhere, with the supervisor on the team of `mine`: somebody there can lift what is restricted."""
    house = make_house()
    join(house, house.staff["supervisor"])
    return house


def join(house: House, user: User, episode: Episode | None = None) -> CareTeamMember:
    with acting(house.staff["supervisor"], "care_team.assign"):
        return actions.join_care_team(by=house.staff["supervisor"], episode=episode or house.mine, user=user)


def restrict(house: House, episode: Episode, user: User | None = None, kind: str = "") -> ChartRestriction:
    by = house.staff["supervisor"]
    with acting(by, "care_team.assign"):
        return actions.restrict_chart(
            by=by, episode=episode, user=user, kind=kind or ("own chart" if user else "team only"), reason="Works at the front desk"
        )


def lift(house: House, restriction: ChartRestriction) -> None:
    with acting(house.staff["supervisor"], "care_team.assign"):
        actions.lift_restriction(by=house.staff["supervisor"], restriction=restriction, reason="No longer needed")


def reached(user: User, action: str) -> set[Episode]:
    return set(Episode.objects.visible_to(user, action))


# What is denied


@pytest.mark.parametrize("role", every_role("nurse", "privacy_auditor"))
def test_whoever_is_kept_out_reaches_nothing_of_this_patient_by_no_action(house: House, role: str) -> None:
    user = house.staff[role]
    if role == "privacy_auditor":  # the whole organisation, and a clinician elsewhere: neither opens one's own chart
        actions_everywhere = [action for action in TABLE if cell(action, role).scope == "A"]
        assert all(house.mine in reached(user, action) for action in actions_everywhere)
    restriction = restrict(house, house.mine, user) if role != "supervisor" else _by_case_manager(house, user)
    opened(user, house.mine)
    for action in TABLE:
        assert house.mine not in reached(user, action), action
        assert house.mine.patient not in Patient.objects.visible_to(user, action), action
    assert reached(house.staff["case_manager"], "care_team.assign") >= ({house.mine} if role != "case_manager" else set())
    lift(house, restriction)
    assert house.mine in reached(user, "patient.search") or cell("patient.search", role).scope in "-T"


def _by_case_manager(house: House, user: User) -> ChartRestriction:
    by = house.staff["case_manager"]
    with acting(by, "care_team.assign"):
        return actions.restrict_chart(by=by, episode=house.mine, user=user, kind="family chart", reason="A cousin")


@pytest.mark.parametrize("role", every_role("intake", "privacy_auditor", "supervisor"))
def test_a_restricted_chart_is_its_care_teams_and_the_auditors(house: House, role: str) -> None:
    """`mine` has everybody but the front desk, the auditor, the editor and the administrator on its team; `other` the supervisor alone."""
    user = house.staff[role]
    on_team = {house.mine} if role not in ("intake", "privacy_auditor", "content_editor", "sys_admin") else set()
    join(house, house.staff["supervisor"], house.other)
    on_team |= {house.other} if role == "supervisor" else set()
    before = {action: reached(user, action) for action in TABLE}
    for episode in (house.mine, house.other):
        restrict(house, episode)
        opened(user, episode)
    for action in TABLE:
        expected = before[action] if cell(action, role).scope == "A" else before[action] & (on_team | {house.foreign})
        assert reached(user, action) == expected, action


def test_a_restriction_that_was_lifted_denies_nothing(house: House) -> None:
    clerk = house.staff["intake"]
    before = reached(clerk, "chart.view")
    restriction = restrict(house, house.mine)
    assert reached(clerk, "chart.view") == {house.other}
    lift(house, restriction)
    assert reached(clerk, "chart.view") == before == {house.mine, house.other}


def test_whoever_leaves_the_team_leaves_a_restricted_chart(house: House) -> None:
    nurse = house.staff["nurse"]
    restrict(house, house.mine)
    assert reached(nurse, "chart.view") == reached(nurse, "patient.search") & {house.mine} == {house.mine}
    with acting(house.staff["supervisor"], "care_team.assign"):
        actions.leave_care_team(by=house.staff["supervisor"], member=house.mine.care_team.get(user=nurse, ended_at=None))
    assert reached(nurse, "chart.view") == set() and reached(nurse, "patient.search") == {house.other}


# Nobody is locked out


def test_a_chart_is_not_restricted_when_nobody_on_its_team_could_lift_it(house: House) -> None:
    for user in (house.staff["nurse"], house.staff["intake"]):
        join(house, user, house.other)
    with pytest.raises(actions.LockedOut, match="Nobody on the care team could lift this"):
        restrict(house, house.other)
    join(house, house.staff["case_manager"], house.other)
    assert restrict(house, house.other).ended_at is None


@pytest.mark.parametrize("gone", ["disabled", "without a role", "elsewhere"])
def test_who_could_lift_it_must_still_be_able_to(house: House, gone: str) -> None:
    carla = house.staff["case_manager"]
    join(house, carla, house.other)
    with acting(house.staff["sys_admin"], "user.edit"):
        if gone == "disabled":
            User.objects.filter(pk=carla.pk).update(is_active=False)
        else:
            carla.memberships.all().delete()
        if gone == "elsewhere":
            carla.memberships.create(program=house.elsewhere, role="supervisor")
    with pytest.raises(actions.LockedOut):
        restrict(house, house.other)


def test_the_last_who_could_lift_it_does_not_leave_and_is_not_kept_out(house: House) -> None:
    supervisor, carla = house.staff["supervisor"], house.staff["case_manager"]
    restrict(house, house.mine)
    team = {member.user: member for member in house.mine.care_team.filter(ended_at=None).select_related("user")}
    with acting(supervisor, "care_team.assign"):
        actions.leave_care_team(by=supervisor, member=team[carla])
        with pytest.raises(actions.LockedOut, match="without Supervisor Tester nobody on it could change that"):
            actions.leave_care_team(by=supervisor, member=team[supervisor])
        with pytest.raises(actions.LockedOut), transaction.atomic():
            actions.restrict_chart(by=supervisor, episode=house.mine, user=supervisor, kind="own chart", reason="Hers")
    assert house.mine in reached(supervisor, "care_team.assign")


# The row


def test_who_is_kept_out_leaves_the_team_and_does_not_join_it(house: House) -> None:
    nurse = house.staff["nurse"]
    restrict(house, house.mine, nurse)
    assert not house.mine.care_team.filter(user=nurse, ended_at=None).exists()
    with pytest.raises(ValueError, match="kept out of this chart"):
        join(house, nurse)


def test_whoever_is_kept_out_does_not_come_back_with_the_duty_team(house: House) -> None:
    nurse, clerk = house.staff["nurse"], house.staff["intake"]
    house.program.duty_team.add(nurse)
    restrict(house, house.other, nurse)
    with acting(clerk, "patient.register"):
        again = actions.open_episode(by=clerk, patient=house.other.patient, referral_source="self", presenting_reason="Again")
    assert not again.care_team.exists()


def test_restricting_and_lifting_twice_is_once(house: House) -> None:
    first, second = (restrict(house, house.mine) for _ in range(2))
    assert first == second
    lift(house, first)
    ended = first.ended_at
    lift(house, first)
    assert first.ended_at == ended and restrict(house, house.mine) != first


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"kind": "team only"}, "of_one_or_of_all"),
        ({"user": None}, "of_one_or_of_all"),
        ({"reason": ""}, "says_why"),
        ({"ended_reason": "No longer needed"}, "ended_whole"),
        ({}, "once"),
    ],
)
def test_the_database_keeps_a_restriction_whole(house: House, values: dict[str, Any], constraint: str) -> None:
    nurse, by = house.staff["nurse"], house.staff["supervisor"]
    restrict(house, house.mine, nurse)
    row = {"program": house.program, "patient": house.mine.patient, "user": nurse, "kind": "own chart", "reason": "Hers", "by": by}
    with pytest.raises(IntegrityError, match=f"chart_restriction_{constraint}"), acting(by, "test"):
        ChartRestriction.objects.create(**row | values)


def test_a_restriction_is_written_once_and_ended(house: House) -> None:
    restriction = restrict(house, house.mine)
    with pytest.raises(TypeError, match="never changed"):
        restriction.save()
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE clinic_chartrestriction SET user_id = NULL")
