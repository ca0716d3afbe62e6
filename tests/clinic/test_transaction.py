"""One request, one transaction: a refusal undoes its writes, an audit that cannot be written withholds the page."""

import pytest
from django.db import DatabaseError, DataError
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from clinic import audit
from clinic.models import AccessEvent, Program
from clinic.transaction import TransactionMiddleware
from tests.clinic.test_access import logged_in
from tests.people import House, make_house


@pytest.fixture
def house(db: None) -> House:
    return make_house()


@pytest.mark.parametrize(
    ("status", "kept"), [(200, True), (302, True), (409, True), (400, False), (403, False), (422, True), (500, False)]
)
def test_what_a_request_wrote_stays_or_goes_with_its_answer(db: None, status: int, kept: bool) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        Program.objects.create(name="written by the request")
        return HttpResponse(status=status)

    request = RequestFactory().post("/")
    request.user = type("Anybody", (), {"is_authenticated": False})()  # type: ignore[assignment]
    request.resolver_match = None
    assert TransactionMiddleware(view)(request).status_code == status
    assert Program.objects.filter(name="written by the request").exists() == kept


def test_no_audit_no_page(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise DatabaseError("the audit table is gone")

    client = logged_in(house.staff["nurse"])
    monkeypatch.setattr(audit, "record", fail)
    for page in ("/caseload/", f"/episodes/{house.mine.public_id}/demographics/"):
        response = client.get(page)
        assert response.status_code == 503 and response["Retry-After"]
        assert "Minecanary" not in response.content.decode()


def test_a_read_is_recorded_with_role_patient_and_page(house: House) -> None:
    nurse = house.staff["nurse"]
    assert logged_in(nurse).get(f"/episodes/{house.mine.public_id}/demographics/").status_code == 200
    event = AccessEvent.objects.get(user=nurse, outcome="allowed")
    assert (event.roles, event.action, event.view, event.patients) == (["nurse"], "patient.edit", "demographics", [house.mine.patient_id])


def test_the_caseload_is_one_event_with_every_patient_on_it(house: House) -> None:
    clerk = house.staff["intake"]
    assert logged_in(clerk).get("/caseload/").status_code == 200
    event = AccessEvent.objects.get(user=clerk)
    assert set(event.patients) == {house.mine.patient_id, house.other.patient_id}



def test_a_value_that_does_not_fit_is_a_fault_of_ours_and_no_outage(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise DataError("value too long")

    client = logged_in(house.staff["nurse"])
    client.raise_request_exception = False
    monkeypatch.setattr(audit, "record", fail)
    response = client.get(f"/episodes/{house.mine.public_id}/demographics/")
    assert response.status_code == 500
    assert "Minecanary" not in response.content.decode()
