"""Handouts: given and recorded once, with nothing about the patient on the paper."""

import re
import uuid

import pytest

from clinic.models import AccessEvent, Episode
from clinic.transaction import acting
from plans import actions
from plans.handouts import load_handouts
from plans.models import HandoutGiven
from tests.clinic.test_access import logged_in
from tests.clinic.test_pages import client_of
from tests.clinic.test_walls import refused
from tests.people import House, everything, make_house, recorded
from tests.plans.test_pages import at, read
from tests.plans.test_reading import texts

KEY = uuid.UUID(int=3)


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def give(house: House, role: str, slug: str, key: uuid.UUID) -> HandoutGiven:
    by = house.staff[role]
    with acting(by, "session_note.write"):
        return actions.give_handout(by=by, episode=house.mine, handout=load_handouts()[slug], key=key)


# Given


def test_given_once_however_often_the_form_comes(house: House) -> None:
    first, second = give(house, "peer", "naloxone", KEY), give(house, "peer", "naloxone", KEY)
    assert first == second and HandoutGiven.objects.count() == 1
    assert (first.handout, first.title, first.sha256) == ("naloxone", "Naloxone at home", load_handouts()["naloxone"].sha256)
    give(house, "nurse", "mixes", KEY)
    give(house, "nurse", "naloxone", uuid.UUID(int=4))
    assert HandoutGiven.objects.count() == 3, "another handout, and the same one on another day"


def test_a_giving_is_recorded_and_never_altered(house: House) -> None:
    row = give(house, "counsellor", "mixes", KEY)
    change = recorded(table="plans_handoutgiven")[-1]
    assert (change.operation, change.user_id, change.patient_id) == ("INSERT", house.staff["counsellor"].pk, house.mine.patient_id)
    with pytest.raises(TypeError, match="never changed"):
        row.save()
    for statement in ("UPDATE plans_handoutgiven SET title = 'x'", "DELETE FROM plans_handoutgiven"):
        assert refused(statement)


def test_the_page_offers_gives_and_remembers(house: House) -> None:
    client = client_of(house.staff["peer"])
    page = client.get(at("handouts", house.mine)).content.decode()
    assert page.count(">Give<span") == len(load_handouts()) and "not yet clinically reviewed" in page
    key = re.search(r'name="key" value="([^"]+)"', page)[1]  # type: ignore[index]
    for _ in range(2):
        answer = client.post(at("give_handout", house.mine, slug="breathing"), {"key": key}, follow=True)
    assert "Recorded as given: Calm breathing and a quiet mind." in read(answer)
    assert f"by {house.staff['peer'].signature_name}" in read(answer) and HandoutGiven.objects.count() == 1
    assert f'href="{at("handouts", house.mine)}"' in client.get(at("chart", house.mine)).content.decode()


def test_a_form_without_its_mark_records_nothing(house: House) -> None:
    answer = client_of(house.staff["nurse"]).post(at("give_handout", house.mine, slug="mixes"), {"key": "x"}, follow=True)
    assert "lost its mark" in read(answer) and not HandoutGiven.objects.exists()


def test_a_supervisor_reads_and_does_not_give(house: House) -> None:
    client = logged_in(house.staff["supervisor"])
    page = client.get(at("handouts", house.mine)).content.decode()
    assert ">Give<span" not in page and "who writes session notes" in page
    assert client.post(at("give_handout", house.mine, slug="mixes"), {"key": KEY}).status_code == 403
    with everything():
        assert not HandoutGiven.objects.exists()


def test_an_earlier_text_and_a_handout_that_is_gone_say_so(house: House) -> None:
    row = give(house, "nurse", "mixes", KEY)
    same = {"episode": house.mine, "program_id": row.program_id, "patient_id": row.patient_id, "by": row.by, "at": row.at}
    HandoutGiven.objects.create(**same, handout="mixes", title="Mixes", sha256="0" * 64, key=uuid.UUID(int=8))
    HandoutGiven.objects.create(**same, handout="gone", title="Tea and rest", sha256="0" * 64, key=uuid.UUID(int=9))
    page = read(client_of(house.staff["nurse"]).get(at("handouts", house.mine)))
    assert page.count("an earlier text") == 1 and "Tea and rest no longer given" in page


# On the page and on paper


def sheet(house: House, slug: str, episode: Episode | None = None) -> str:
    """What of the page is printed (print.css shows the article alone)."""
    html = client_of(house.staff["nurse"]).get(at("handout", episode or house.mine, slug=slug)).content.decode()
    return html[html.index("<article") : html.index("</article>")]


def test_the_sheet_says_all_of_it_and_nothing_about_the_patient(house: House) -> None:
    for slug, handout in load_handouts().items():
        printed = sheet(house, slug).replace("&#x27;", "'")
        assert all(text in printed for text in texts(slug)), slug
        assert f"Reading level: grade {handout.grade}" in printed and "Not yet clinically reviewed" in printed
        patient = house.mine.patient
        for secret in (patient.legal_first_name, patient.legal_last_name, patient.record_number, str(house.mine.public_id)):
            assert secret not in printed


def test_reading_one_is_recorded_and_an_unknown_one_is_not_found(house: House) -> None:
    client = client_of(house.staff["nurse"])
    client.get(at("handout", house.mine, slug="mixes"))
    with everything():
        event = AccessEvent.objects.latest("id")
    assert (event.view, event.patients) == ("handout", [house.mine.patient_id])
    assert client.get(at("handout", house.mine, slug="none")).status_code == 404
    assert client.post(at("give_handout", house.mine, slug="none"), {"key": KEY}).status_code == 404
