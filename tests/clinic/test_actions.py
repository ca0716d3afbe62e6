"""Registration, demographics, care team and the summary columns, as actions."""

import datetime
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from clinic import actions, workflow
from clinic.models import CareTeamMember, Episode, Patient, User
from clinic.transaction import acting
from tests.people import House, everything, make_episode, make_house, make_user

VALUES: dict[str, Any] = {
    "legal_first_name": "Jo", "legal_last_name": "Meyer", "birth_date": datetime.date(1988, 3, 4), "sex_at_birth": "M",
}  # fmt: skip
EPISODE = {"referral_source": "self", "presenting_reason": "Wants to stop."}


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def test_a_double_click_registers_one_person(house: House) -> None:
    key = uuid.uuid4()
    clerk = house.staff["intake"]
    first, second = (
        actions.register_patient(by=clerk, program=house.program, patient=VALUES, episode=EPISODE, key=key) for _ in range(2)
    )
    assert first == second and Patient.objects.filter(registration_key=key).count() == 1


def test_the_same_key_for_other_content_is_refused(house: House) -> None:
    key, clerk = uuid.uuid4(), house.staff["intake"]
    first = actions.register_patient(by=clerk, program=house.program, patient=VALUES, episode=EPISODE, key=key)
    for other in ({"patient": VALUES | {"legal_first_name": "Al"}}, {"episode": EPISODE | {"referral_source": "court"}}):
        with pytest.raises(actions.KeyUsed) as caught:
            actions.register_patient(**{"by": clerk, "program": house.program, "patient": VALUES, "episode": EPISODE, "key": key} | other)  # type: ignore[arg-type]
        assert caught.value.earlier == first


def test_clicks_at_the_same_moment_register_one_person(real_transactions: None) -> None:
    house, key = make_house(), uuid.uuid4()
    clerk = house.staff["intake"]

    def click(_: int) -> str:
        try:
            with acting(clerk, "patient.register"):
                episode = actions.register_patient(by=clerk, program=house.program, patient=VALUES, episode=EPISODE, key=key)
            return episode.patient.record_number
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        numbers = set(pool.map(click, range(24)))
    with everything():
        assert len(numbers) == 1 and Patient.objects.filter(registration_key=key).count() == 1
        assert Episode.objects.filter(patient__registration_key=key).count() == 1


def test_whoever_left_the_program_stops_nobodys_registration(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.program.duty_team.add(house.staff["nurse"], house.staff["peer"], make_user("visitor"))
    house.staff["peer"].memberships.all().delete()
    episode = make_episode(house.staff["intake"], house.program, last_name="New")
    assert [member.user for member in episode.care_team.all()] == [house.staff["nurse"]]
    assert "2 of the duty team have no role there any more" in caplog.text
    assert "Visitor" not in caplog.text and "New" not in caplog.text


def test_record_numbers_are_unique_and_ascend(house: House) -> None:
    numbers = [episode.patient.record_number for episode in (house.mine, house.other, house.foreign)]
    assert len(set(numbers)) == 3 and numbers == sorted(numbers)


def test_the_duty_team_joins_a_new_patient(house: House) -> None:
    house.program.duty_team.add(house.staff["nurse"])
    episode = make_episode(house.staff["intake"], house.program, last_name="New")
    assert [member.user for member in episode.care_team.all()] == [house.staff["nurse"]]


def test_a_clinician_who_registers_joins_the_care_team(house: House) -> None:
    episode = make_episode(house.staff["counsellor"], house.program, last_name="New")
    assert [member.user for member in episode.care_team.all()] == [house.staff["counsellor"]]


def test_a_stale_write_is_refused_with_the_row_as_it_is_now(house: House) -> None:
    patient, clerk = house.mine.patient, house.staff["intake"]
    actions.update_patient(by=clerk, patient=patient, values={"phone": "555-0101"}, version=1)
    with pytest.raises(actions.Stale) as caught:
        actions.update_patient(by=clerk, patient=patient, values={"phone": "555-0202"}, version=1)
    assert caught.value.current.phone == "555-0101" and caught.value.current.version == 2


def test_leaving_and_joining_again_are_two_rows(house: House) -> None:
    supervisor, nurse = house.staff["supervisor"], house.staff["nurse"]
    member = CareTeamMember.objects.get(episode=house.mine, user=nurse)
    actions.leave_care_team(by=supervisor, member=member)
    assert not Episode.objects.visible_to(nurse, "chart.view").filter(pk=house.mine.pk).exists()
    actions.join_care_team(by=supervisor, episode=house.mine, user=nurse)
    assert CareTeamMember.objects.filter(episode=house.mine, user=nurse).count() == 2
    assert Episode.objects.visible_to(nurse, "chart.view").filter(pk=house.mine.pk).exists()


def test_joining_twice_is_one_row(house: House) -> None:
    for _ in range(2):
        actions.join_care_team(by=house.staff["supervisor"], episode=house.other, user=house.staff["nurse"])
    assert house.other.care_team.filter(user=house.staff["nurse"]).count() == 1


def test_a_stranger_to_the_program_cannot_join(house: House) -> None:
    with pytest.raises(ValueError, match="no role in Riverside"):
        actions.join_care_team(by=house.staff["supervisor"], episode=house.mine, user=make_user("visitor"))


@pytest.mark.parametrize(("current", "following"), [("registered", "treatment"), ("assessed", "intake"), ("closed", "registered")])
def test_a_stage_that_cannot_follow_is_refused_in_a_sentence(current: str, following: str) -> None:
    with pytest.raises(workflow.StageRefused, match="cannot go to"):
        workflow.check(current, following)


def test_every_stage_is_labelled_and_can_be_closed() -> None:
    assert set(dict(workflow.STAGES)) == set(workflow.TRANSITIONS)
    assert all("closed" in after for stage, after in workflow.TRANSITIONS.items() if stage != "closed")


def test_summary_columns(house: House) -> None:
    episode = actions.update_summary(
        episode=house.mine, stage="intake", acuity=(4, "SF-01 Suicide risk high", 1), due=(datetime.date(2026, 1, 2), "Continue"),
        scores={"phq9": {"text": "13"}},
    )  # fmt: skip
    episode.refresh_from_db()
    assert (episode.stage, episode.acuity, episode.acuity_word, episode.unacknowledged) == ("intake", 4, "critical", 1)
    assert episode.score_summary == {"phq9": {"text": "13"}} and episode.next_due_what == "Continue"


def test_the_first_visit_happens_once(db: None) -> None:
    values = {"username": "first", "password": "a quiet river bend", "first_name": "F", "last_name": "A", "email": "f@example.org"}
    user = actions.first_visit(program_name="Riverside", **values)
    assert user.program_roles() and not user.is_superuser and user.check_password("a quiet river bend")
    with pytest.raises(ValueError, match="set up already"):
        actions.first_visit(program_name="Again", **(values | {"username": "second"}))
    assert User.objects.count() == 1


DUPLICATES = [
    ("same name and day", "Meyer", datetime.date(1988, 3, 4), True),
    ("sounds alike", "Maier", datetime.date(1988, 3, 4), True),
    ("a year off", "Meyer", datetime.date(1989, 3, 4), True),
    ("day and month swapped", "Meyer", datetime.date(1988, 4, 3), True),
    ("another decade, same day", "Meyer", datetime.date(1978, 3, 4), True),
    ("same name, far birth date", "Meyer", datetime.date(1971, 9, 20), False),
    ("another name, same day", "Okafor", datetime.date(1988, 3, 4), False),
]


@pytest.mark.parametrize(("name", "last_name", "birth_date", "warned"), DUPLICATES, ids=[case[0] for case in DUPLICATES])
def test_possible_duplicates(house: House, name: str, last_name: str, birth_date: datetime.date, warned: bool) -> None:
    make_episode(house.staff["intake"], house.program, last_name="Meyer", birth_date=datetime.date(1988, 3, 4))
    found = Patient.objects.sounding_like(program=house.program, last_name=last_name, birth_date=birth_date)
    assert found.exists() == warned
    assert not Patient.objects.sounding_like(program=house.elsewhere, last_name=last_name, birth_date=birth_date).exists()
