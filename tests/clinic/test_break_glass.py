"""A chart opened in an emergency: what it gives, for how long, who looks at it afterwards."""

import datetime
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from clinic import actions
from clinic.access_table import CLINICIANS, EMERGENCY, ROLES, TABLE
from clinic.models import BreakGlass, Episode, Patient, User
from clinic.models.access import EMERGENCY_LASTS
from clinic.permissions import cell
from clinic.transaction import acting
from intake.models import Flag
from tests.clinic.test_access import logged_in
from tests.clinic.test_pages import client_of, page_of, words
from tests.people import House, everything, make_house, make_user

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
    with everything(), acting(by, "break_glass.invoke"):
        return BreakGlass.objects.create(
            program=episode.program, patient=episode.patient, episode=episode, user=by, category="medical", reason=reason,
            at=at, until=at + lasts,
        )  # fmt: skip


def break_glass(by: User, episode: Episode, reason: str = REASON) -> BreakGlass:
    with acting(by, "break_glass.invoke"):
        return actions.break_glass(by=by, episode=episode, category="crisis", reason=reason)


def reached(user: User, action: str, *, full: bool = False) -> set[Episode]:
    """By the wall in Python alone; the database's is in test_row_security.py."""
    with everything():
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


@pytest.mark.parametrize("reason", ["nineteen characters", "x" + " " * 40])
def test_a_short_reason_is_refused_in_a_sentence_and_by_the_database(house: House, reason: str) -> None:
    with pytest.raises(ValueError, match="at least 20 characters"):
        break_glass(house.staff["nurse"], house.other, reason)
    with pytest.raises(IntegrityError, match="break_glass_says_why"):
        opened(house.staff["nurse"], house.other, reason=reason)


def test_nothing_but_its_review_is_ever_written_to_it(house: House) -> None:
    grant = opened(house.staff["nurse"], house.other)
    with pytest.raises(TypeError, match="never changed"):
        grant.save()
    for column in ("until", "reason", "category", "user_id", "at", "patient_id"):
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
    with pytest.raises(IntegrityError, match="break_glass_reviewed_whole"), acting(house.staff["supervisor"], "test"):
        BreakGlass.objects.filter(pk=grant.pk).update(reviewed_at=timezone.now(), reviewed_by=house.staff["supervisor"])


@pytest.mark.thorough
def test_clicks_at_the_same_moment_open_a_chart_once(real_transactions: None) -> None:
    house = make_house()

    def click(_: int) -> BreakGlass:
        try:
            return break_glass(house.staff["nurse"], house.other)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        grants = set(pool.map(click, range(24)))
    with everything():
        assert len(grants) == BreakGlass.objects.count() == 1


# The pages


def flag_of(episode: Episode) -> Flag:
    with acting(episode.opened_by, "intake.edit"):
        return Flag.objects.create(
            program=episode.program, patient=episode.patient, episode=episode, rule_id="SF-03", name="Recent overdose", severity=4,
            message="An overdose last week.", action="Offer naloxone.", proof={}, raised_at=timezone.now(), raised_by=episode.opened_by,
        )  # fmt: skip


def test_from_the_search_to_a_chart_that_was_not_theirs_to_open(house: House) -> None:
    nurse = client_of(house.staff["nurse"])
    found = nurse.post("/patients/", {"q": "Othercanary"}).content.decode()
    asking, chart = page_of("break_glass", house.other), page_of("chart", house.other)
    assert f'href="{asking}"' in found and "If it cannot wait:" in words(found) and nurse.get(chart).status_code == 404
    page = words(nurse.get(asking).content.decode())
    assert "for 4 hours" in page and "Somebody else reviews it" in page
    assert nurse.post(asking, {"category": "medical", "reason": REASON}).url == chart
    until = timezone.localtime(BreakGlass.objects.get().until)
    for name in ("chart", "assessment", "plan"):
        page = words(nurse.get(page_of(name, house.other)).content.decode())
        assert f"You opened this chart in an emergency. It stays open to you until {until:%H:%M}" in page, name
    line = words(nurse.get("/caseload/").content.decode())
    assert f"Othercanary 3 Feb 1990 (36 y) {house.other.patient.record_number} Opened in an emergency, until {until:%H:%M}" in line
    assert "Not shown" not in line  # the whole line, as the care team sees it
    assert "You opened this chart" not in nurse.get(page_of("chart", house.mine)).content.decode()


def test_the_persons_trail_names_it_with_the_reason(house: House) -> None:
    nurse = client_of(house.staff["nurse"])
    nurse.post(page_of("break_glass", house.other), {"category": "medical", "reason": REASON})
    nurse.get(page_of("chart", house.other))
    trail = words(client_of(house.staff["supervisor"]).get(page_of("trail", house.other)).content.decode())
    assert f"Open in an emergency invoke break glass Overdose, withdrawal or another medical emergency: {REASON}" in trail
    assert "Chart view chart in an emergency" in trail and "Added: emergency opening" in trail


def test_in_an_emergency_one_reads_and_writes_what_was_done_and_nothing_else(house: House) -> None:
    nurse, flag = logged_in(house.staff["nurse"]), flag_of(house.other)
    opened(house.staff["nurse"], house.other)
    acknowledge = reverse("acknowledge", kwargs={"episode_id": house.other.public_id, "flag_id": flag.public_id})
    assert nurse.post(acknowledge, {"action_taken": "Naloxone given at the door"}).status_code == 302
    flag.refresh_from_db()
    assert flag.acknowledged_by == house.staff["nurse"]
    for name in ("intake", "review", "demographics", "sign", "plan_start", "add_component"):
        assert (nurse.get(page_of(name, house.other)).status_code, nurse.post(page_of(name, house.other)).status_code) == (404, 404), name
    export = reverse("plan_pdf", kwargs={"episode_id": house.other.public_id, "number": 1, "copy": "patient"})
    assert nurse.get(export).status_code == 404


def test_when_the_hours_are_over_the_next_request_is_refused(house: House) -> None:
    nurse, flag = client_of(house.staff["nurse"]), flag_of(house.other)
    opened(house.staff["nurse"], house.other, hours_ago=4.001)
    acknowledge = reverse("acknowledge", kwargs={"episode_id": house.other.public_id, "flag_id": flag.public_id})
    assert nurse.get(page_of("chart", house.other)).status_code == 404
    assert nurse.post(acknowledge, {"action_taken": "Naloxone given at the door"}).status_code == 404
    with everything():
        flag.refresh_from_db()
    assert flag.acknowledged_by is None
    assert page_of("break_glass", house.other) in nurse.post("/patients/", {"q": "Othercanary"}).content.decode()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"category": "medical", "reason": "Very <urgent>"}, "at least 20 characters; so far there are 13"),
        ({"category": "", "reason": REASON}, "What kind of emergency : Not filled in yet"),
        ({"category": "curious", "reason": REASON}, "cannot be chosen here"),
    ],
)
def test_what_is_missing_is_said_and_what_was_typed_is_kept(house: House, given: dict[str, str], sentence: str) -> None:
    answer = client_of(house.staff["nurse"]).post(page_of("break_glass", house.other), given)
    page = answer.content.decode()
    assert answer.status_code == 422 and sentence in words(page) and given["reason"].replace("<", "&lt;").replace(">", "&gt;") in page
    with everything():
        assert not BreakGlass.objects.exists()


def test_what_is_open_already_is_no_emergency(house: House) -> None:
    for role, episode in (("nurse", house.mine), ("supervisor", house.other)):
        client, address = client_of(house.staff[role]), page_of("break_glass", episode)
        page = client.get(address).content.decode()
        assert "You can open this chart already" in words(page) and "<textarea" not in page
        assert client.post(address, {"category": "crisis", "reason": REASON}).url == page_of("chart", episode)
    with everything():
        assert not BreakGlass.objects.exists()


def test_who_sees_the_minimum_of_a_chart_opens_the_whole_of_it_from_there(house: House) -> None:
    """Front desk and nurse in a small clinic: the chart is theirs to look up, and the whole of it in an emergency only."""
    both = make_user("both", ("intake", house.program), ("nurse", house.program))
    client, asking, chart = client_of(both), page_of("break_glass", house.other), page_of("chart", house.other)
    page = client.get(chart).content.decode()
    assert f'href="{asking}"' in page and "Care team" not in words(page)
    client.post(asking, {"category": "medical", "reason": REASON})
    page = client.get(chart).content.decode()
    assert f'href="{asking}"' not in page and "Care team" in words(page)


def test_nobody_gets_in_elsewhere_or_where_they_are_kept_out(house: House) -> None:
    nurse, carla = house.staff["nurse"], house.staff["case_manager"]
    with acting(carla, "care_team.assign"):
        actions.restrict_chart(by=carla, episode=house.other, kind="own chart", user=nurse, reason="Hers")
    for episode in (house.other, house.foreign):
        assert client_of(nurse).post(page_of("break_glass", episode), {"category": "crisis", "reason": REASON}).status_code == 404
    assert "Nobody found" in client_of(nurse).post("/patients/", {"q": "Othercanary"}).content.decode()
    with everything():
        assert not BreakGlass.objects.exists()


# The review, as pages


def test_the_queue_shows_the_longest_waiting_first_with_what_was_opened(house: House) -> None:
    nurse, supervisor = house.staff["nurse"], client_of(house.staff["supervisor"])
    opened(nurse, house.other, hours_ago=50)  # what she opens today is not of that day
    client_of(nurse).post(page_of("break_glass", house.other), {"category": "medical", "reason": REASON})
    for _ in range(2):
        client_of(nurse).get(page_of("chart", house.other))
    client_of(nurse).get(page_of("chart", house.mine))
    page = words(supervisor.get("/emergencies/").content.decode())
    first, second, _ = page.split("Review what Nurse Tester opened")
    assert re.search("[23] days ago", first) and "Nothing" in first and "Chart" not in first.partition(REASON)[2]
    assert "Chart 2 times" in second and REASON in second and "Othercanary" in second and "Minecanary" not in page
    assert re.search(r"Emergencies\s*<span[^>]*>2<", supervisor.get("/caseload/").content.decode())
    assert "Emergencies" not in client_of(nurse).get("/caseload/").content.decode()


def test_a_review_is_written_once_by_somebody_else(house: House) -> None:
    supervisor, auditor = client_of(house.staff["supervisor"]), client_of(house.staff["privacy_auditor"])
    grant = opened(house.staff["nurse"], house.other)
    address = reverse("break_glass_review", kwargs={"opened_id": grant.public_id})
    assert page_of("trail", house.other) in supervisor.get(address).content.decode()
    incomplete = supervisor.post(address, {"outcome": "not appropriate", "note": " "})
    assert incomplete.status_code == 422 and "Not filled in yet" in words(incomplete.content.decode())
    assert supervisor.post(address, {"outcome": "appropriate", "note": "An overdose; only what was needed."}).url == "/emergencies/"
    late = auditor.post(address, {"outcome": "not appropriate", "note": "No emergency in the record."})
    assert late.status_code == 409 and "Their review stands" in words(late.content.decode())
    grant.refresh_from_db()
    assert (grant.reviewed_by, grant.outcome) == (house.staff["supervisor"], "appropriate")
    page = words(auditor.get("/emergencies/").content.decode())
    assert "Nothing to review" in page and "An overdose; only what was needed." in page


def test_ones_own_is_shown_and_refused_in_a_sentence(house: House) -> None:
    both = make_user("both", ("nurse", house.program), ("supervisor", house.program))
    address = reverse("break_glass_review", kwargs={"opened_id": opened(both, house.other).public_id})
    client = client_of(both)
    assert "Yours: somebody else reviews it" in words(client.get("/emergencies/").content.decode())
    assert "<textarea" not in client.get(address).content.decode()
    answer = client.post(address, {"outcome": "appropriate", "note": "I was right."})
    assert answer.status_code == 403 and "somebody else reviews it" in words(answer.content.decode())


def test_a_supervisor_reviews_their_program_and_the_auditor_all(house: House) -> None:
    stranger = User.objects.get(username="stranger")
    opened(house.staff["nurse"], house.other)
    address = reverse("break_glass_review", kwargs={"opened_id": opened(stranger, house.foreign).public_id})
    for role, status in (("supervisor", 404), ("privacy_auditor", 200)):
        client = client_of(house.staff[role])
        assert client.get(address).status_code == status
        assert ("Foreigncanary" in client.get("/emergencies/").content.decode()) == (status == 200)


def test_the_queue_takes_as_many_queries_for_many_as_for_one(house: House) -> None:
    supervisor, counts = client_of(house.staff["supervisor"]), []
    for roles in (["nurse"], ["counsellor", "prescriber", "peer"]):
        for role in roles:
            opened(house.staff[role], house.other)
            opened(house.staff[role], house.mine, hours_ago=9)
        with CaptureQueriesContext(connection) as queries:
            page = supervisor.get("/emergencies/").content.decode()
        counts.append(len(queries))
    assert page.count("btn-sm") == 8 and counts[0] == counts[1]
