"""Who read what, and who tried: every denial is recorded, on the trail of the person whose record it was."""

import re
import uuid
from urllib.parse import quote

import pytest
from django.db import DatabaseError

from clinic import audit
from clinic.models import AccessEvent
from clinic.transaction import acting
from tests.clinic.test_access import logged_in
from tests.clinic.test_pages import client_of, page_of, words
from tests.people import House, make_house


@pytest.fixture
def house(db: None) -> House:
    return make_house()


@pytest.mark.parametrize("hostile", ["\0", "a\0b", "\x01\x1f", "\x7f", "\ufffd", "%", "'; --", "é" * 500])
def test_nothing_in_an_address_hides_a_denial(house: House, hostile: str) -> None:
    nurse = house.staff["nurse"]
    for episode in (house.mine, house.other, house.foreign):
        address = f"/episodes/{episode.public_id}/plan/reason/{quote(hostile, safe='')}/"
        assert logged_in(nurse).get(address).status_code == 404
        event = AccessEvent.objects.latest("id")
        assert (event.user, event.outcome, event.patients) == (nurse, "denied", [episode.patient_id])
        assert str(episode.public_id) in event.reason and "\0" not in event.reason
    assert AccessEvent.objects.filter(outcome="denied").count() == 3


@pytest.mark.parametrize(
    ("who", "which", "status"), [("counsellor", "other", 404), ("sys_admin", "mine", 403), ("counsellor", "foreign", 404)]
)
def test_a_refused_try_is_on_the_trail_of_the_person(house: House, who: str, which: str, status: int) -> None:
    episode = getattr(house, which)
    assert client_of(house.staff[who]).get(page_of("demographics", episode)).status_code == status
    page = words(client_of(house.staff["privacy_auditor"]).get(page_of("trail", episode)).content.decode())
    assert re.search(rf"{who.title()} Tester [\w ]+ Refused Person and contact edit patient [^()]+\({status}\)", page)


def test_a_record_that_is_nowhere_is_nobodys(house: House) -> None:
    client_of(house.staff["nurse"]).get(f"/episodes/{uuid.UUID(int=9)}/demographics/")
    assert AccessEvent.objects.get(outcome="denied").patients == []


def test_an_access_that_cannot_be_recorded_says_so(house: House) -> None:
    with acting(house.staff["nurse"], "chart.view"), pytest.raises(audit.AuditFailed) as caught:
        audit.record(house.staff["supervisor"], action="chart.view", view="chart")
    assert isinstance(caught.value.__cause__, DatabaseError)
