"""A chart closed to somebody, or to all but its care team: what denies comes before all that allows."""

from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext

from clinic import actions
from clinic.access_table import TABLE
from clinic.models import CareTeamMember, ChartRestriction, Episode, Patient, User
from clinic.permissions import cell
from clinic.transaction import acting
from tests.clinic.test_break_glass import every_role, opened
from tests.clinic.test_pages import REGISTRATION, client_of, page_of, words
from tests.people import House, everything, make_house


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


def lift(house: House, restriction: ChartRestriction, by: str = "supervisor") -> None:
    with acting(house.staff[by], "care_team.assign"):
        actions.lift_restriction(by=house.staff[by], restriction=restriction, reason="No longer needed")


def reached(user: User, action: str) -> set[Episode]:
    """By the wall in Python alone; the database's is in test_row_security.py."""
    with everything():
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
        with everything():
            assert house.mine.patient not in Patient.objects.visible_to(user, action), action
    assert reached(house.staff["case_manager"], "care_team.assign") >= ({house.mine} if role != "case_manager" else set())
    lift(house, restriction, by="case_manager" if role == "supervisor" else "supervisor")
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


@pytest.mark.parametrize("gone", ["disabled", "elsewhere", pytest.param("without a role", marks=pytest.mark.thorough)])
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


# The page


def test_a_chart_is_restricted_marked_and_opened_again(house: House) -> None:
    supervisor, nurse, clerk = (client_of(house.staff[role]) for role in ("supervisor", "nurse", "intake"))
    address, search = page_of("restrictions", house.mine), {"q": "Minecanary"}
    assert address in supervisor.get(page_of("chart", house.mine)).content.decode()
    assert supervisor.post(address, {"kind": "team only", "reason": "Known <in> town"}).url == address
    for client in (supervisor, nurse):
        for page in (client.get(page_of("chart", house.mine)), client.get("/caseload/"), client.post("/patients/", search)):
            assert "Only the care team" in words(page.content.decode())
    assert "Nobody found" in clerk.post("/patients/", search).content.decode()
    with everything():
        row = ChartRestriction.objects.get()
    asked = words(supervisor.post(address, {"lift": row.pk}).content.decode())
    assert "Open this chart to more than its care team again?" in asked and "Known &lt;in&gt; town" in asked
    assert supervisor.post(address, {"lift": row.pk, "sure": "1", "ended_reason": " "}).status_code == 422
    assert "Nobody found" in clerk.post("/patients/", search).content.decode()
    for _ in range(2):  # a second click changes nothing
        assert supervisor.post(address, {"lift": row.pk, "sure": "1", "ended_reason": "The talk is over"}).url == address
    assert "The talk is over" in words(supervisor.get(address).content.decode())
    assert "Minecanary" in clerk.post("/patients/", search).content.decode()


def test_whoever_is_kept_out_is_not_told_of_this_person_when_they_register_them_again(house: House) -> None:
    clerk, mine = client_of(house.staff["intake"]), house.mine.patient
    again = REGISTRATION | {"legal_last_name": "Minecanary", "birth_date": str(mine.birth_date), "program": str(house.program.pk)}
    key = "11111111-1111-4111-8111-111111111111"
    told = clerk.post("/patients/register/", again | {"key": key})
    assert told.status_code == 409 and mine.record_number in told.content.decode()
    restrict(house, house.mine, house.staff["intake"])
    assert clerk.post("/patients/register/", again | {"key": key}).status_code == 302


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"kind": "team only", "reason": "Known in town"}, "Nobody on the care team could lift this again"),
        ({"kind": "team only", "reason": "Known in town", "user": "nurse"}, "so no colleague is named"),
        ({"kind": "own chart", "reason": "Hers"}, "Please choose who is kept out"),
        ({"kind": "", "reason": "Hers"}, "Kind of restriction : Not filled in yet"),
        ({"kind": "own chart", "reason": "", "user": "nurse"}, "Why : Not filled in yet"),
        ({"kind": "own chart", "reason": "Hers", "user": "nobody"}, "cannot be chosen any more"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(house: House, given: dict[str, str], sentence: str) -> None:
    if "user" in given:
        given = given | {"user": str(house.staff["nurse"].pk) if given["user"] == "nurse" else "0"}
    answer = client_of(house.staff["supervisor"]).post(page_of("restrictions", house.other), given)
    assert answer.status_code == 422 and sentence in words(answer.content.decode())
    with everything():
        assert not ChartRestriction.objects.exists()


def test_the_last_who_could_lift_it_is_told_why_they_stay(house: House) -> None:
    supervisor = client_of(house.staff["supervisor"])
    restrict(house, house.mine)
    for role in ("case_manager", "supervisor"):
        member = house.mine.care_team.get(user=house.staff[role], ended_at=None)
        page = supervisor.post(page_of("care_team", house.mine), {"leave": member.pk, "sure": "1"}, follow=True).content.decode()
    assert "First add another case manager or supervisor to the team" in words(page)
    assert house.mine.care_team.filter(user=house.staff["supervisor"], ended_at=None).exists()


def test_whoever_closes_a_chart_to_themselves_is_led_away_from_it(house: House) -> None:
    carla = house.staff["case_manager"]
    client, address = client_of(carla), page_of("restrictions", house.mine)
    answer = client.post(address, {"kind": "family chart", "user": carla.pk, "reason": "My brother"}, follow=True)
    assert answer.redirect_chain[-1] == ("/caseload/", 302) and "It keeps you out too" in words(answer.content.decode())
    assert client.get(address).status_code == 404 and client.get(page_of("care_team", house.mine)).status_code == 404


def test_who_is_kept_out_cannot_be_chosen_for_the_team(house: House) -> None:
    nurse = house.staff["nurse"]
    restrict(house, house.mine, nurse)
    answer = client_of(house.staff["supervisor"]).post(page_of("care_team", house.mine), {"user": nurse.pk})
    assert answer.status_code == 422 and "is kept out of this chart" in words(answer.content.decode())


# Revocation: the next request


def leaves_the_team(house: House) -> None:
    with acting(house.staff["supervisor"], "care_team.assign"):
        actions.leave_care_team(by=house.staff["supervisor"], member=house.mine.care_team.get(user=house.staff["nurse"]))


def loses_the_role(house: House) -> None:
    with acting(house.staff["sys_admin"], "user.edit"):
        house.staff["nurse"].memberships.all().delete()


def is_disabled(house: House) -> None:
    with acting(house.staff["sys_admin"], "user.edit"):
        User.objects.filter(pk=house.staff["nurse"].pk).update(is_active=False)


def is_kept_out(house: House) -> None:
    restrict(house, house.mine, house.staff["nurse"])


def leaves_a_restricted_chart(house: House) -> None:
    restrict(house, house.mine)
    leaves_the_team(house)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("happens", "status"),
    [(leaves_the_team, 404), (loses_the_role, 403), (is_disabled, 302), (is_kept_out, 404), (leaves_a_restricted_chart, 404)],
)
def test_what_is_taken_away_is_gone_with_the_next_request_for_reading_and_for_writing(house: House, happens: Any, status: int) -> None:
    nurse, mine = client_of(house.staff["nurse"]), house.mine
    address = page_of("demographics", mine)
    written = REGISTRATION | {"legal_last_name": "Minecanary", "preferred_name": "Annie"}
    assert nurse.get(page_of("chart", mine)).status_code == nurse.get(address).status_code == 200
    assert nurse.post(address, written | {"version": mine.patient.version}).status_code == 302
    happens(house)
    with everything():
        mine.patient.refresh_from_db()
    late = nurse.post(address, written | {"preferred_name": "Too late", "version": mine.patient.version})
    read = [nurse.get(page_of(name, mine)) for name in ("chart", "demographics", "intake", "plan")]
    assert {answer.status_code for answer in [late, *read]} == {status}
    assert status != 302 or all("/accounts/login/" in answer["Location"] for answer in [late, *read])
    assert not any("Minecanary" in answer.content.decode() for answer in [late, *read])
    with everything():
        mine.patient.refresh_from_db()
    assert mine.patient.preferred_name == "Annie"


@pytest.mark.parametrize("role", ["nurse", "supervisor"])
def test_the_caseload_takes_the_same_statements_whatever_is_restricted_or_opened(house: House, role: str) -> None:
    """Session, user with roles, who acts, the rows and the record of having read them; a supervisor's menu counts what is escalated."""
    client, asked = client_of(house.staff[role]), []
    for exceptions in (False, True):
        if exceptions:
            restrict(house, house.mine)
            restrict(house, house.mine, house.staff["counsellor"])
            opened(house.staff["nurse"], house.other)
        with CaptureQueriesContext(connection) as queries:
            page = client.get("/caseload/").content.decode()
        asked.append([query["sql"].partition(" ")[0] for query in queries])
    assert "Othercanary" in page and "Only the care team" in page and ("1<span" in page) == (role == "supervisor")
    counted = ["SELECT"] if role == "supervisor" else []
    assert asked[0] == asked[1] == ["SAVEPOINT", *["SELECT"] * 4, "INSERT", *counted, "RELEASE"]
