"""Who read what, who tried and who came in: every access and every denial is recorded, or nothing is shown."""

import datetime
import re
import uuid
from typing import Any
from urllib.parse import quote

import pytest
from django.db import DatabaseError
from django.test import Client
from django.urls import URLPattern
from django.utils import timezone

from clinic import audit
from clinic.models import AccessEvent, Change, User
from clinic.permissions import declared_action
from clinic.transaction import acting
from tests.clinic.test_access import CLINICAL, logged_in, url
from tests.clinic.test_accounts import code_of, with_factor
from tests.clinic.test_pages import client_of, page_of, words
from tests.people import PASSWORD, House, everything, make_house


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


# Every page there is, read from the URLconf


def access_of(client: Client, method: str, address: str, user: User, pattern: URLPattern, patient: int | None) -> tuple[int, str]:
    """Ask for a page: (its status, what is wrong with the rows that recorded it; nothing when they are as promised).

    Promised is one row for a patient and a view, with who, role then, patient, what, when and why; for a refusal as well.
    """
    with everything():
        before = AccessEvent.objects.order_by("-id").values_list("id", flat=True).first() or 0
    response = getattr(client, method)(address)
    with everything():
        rows = list(AccessEvent.objects.filter(id__gt=before).select_related("user"))
    status = response.status_code
    refused, shown = status in (403, 404), status < 300 or status in (409, 422)
    about = [patient] if patient else []
    if len(rows) > 1 or (refused and not rows) or (shown and about and not rows):
        return status, f"{method} {address} {status}: {len(rows)} rows"
    for row in rows:
        found = (row.user, row.roles, row.action, row.view, row.outcome)
        wanted = (user, roles_of(user), declared_action(pattern.callback), pattern.name, "denied" if refused else "allowed")
        if found != wanted or ((about or refused) and row.patients != about):
            return status, f"{method} {address} {status}: {found} of {row.patients}, not {wanted} of {about}"
        if abs(timezone.now() - row.at) > datetime.timedelta(minutes=5) or (refused and not row.reason.startswith(str(status))):
            return status, f"{method} {address} {status}: at {row.at}, because {row.reason!r}"
    return status, ""


def roles_of(user: User) -> list[str]:
    return sorted(user.memberships.values_list("role", flat=True))


@pytest.mark.parametrize(
    ("role", "which"), [("nurse", "mine"), ("nurse", "other"), pytest.param("sys_admin", "mine", marks=pytest.mark.thorough)]
)
def test_every_page_and_every_refusal_leaves_its_row(house: House, role: str, which: str) -> None:
    user, episode = house.staff[role], getattr(house, which)
    client = logged_in(user)
    asked = [
        access_of(client, "get", url(path, episode.public_id), user, pattern, episode.patient_id if "episode_id" in path else None)
        for path, pattern in CLINICAL
    ]
    assert [wrong for _, wrong in asked if wrong] == []
    assert len({status for status, _ in asked}) > 1 or role == "sys_admin"


@pytest.mark.thorough
def test_without_a_record_no_page_shows_anybody(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    client = logged_in(house.staff["supervisor"])
    pages = {address: client.get(address).content.decode() for address in (url(path, house.mine.public_id) for path, _ in CLINICAL)}
    shown = [address for address, page in pages.items() if "Minecanary" in page]
    assert len(shown) > 5
    monkeypatch.setattr(AccessEvent, "save", no_room)
    for address in shown:
        answer = client.get(address)
        assert answer.status_code == 503 and answer["Retry-After"], address
        assert "canary" not in answer.content.decode() + str(answer.headers), address


def no_room(*args: object, **kwargs: object) -> None:
    raise DatabaseError("no room for the record")


def test_a_page_that_forgets_to_record_is_not_shown(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a view forgets: an address with an episode in it and no access recorded is a fault, and nobody's data is in it."""
    monkeypatch.setattr(audit, "read", lambda *args, **kwargs: None)
    answer = logged_in(house.staff["nurse"]).get(page_of("demographics", house.mine))
    assert answer.status_code == 503 and "Minecanary" not in answer.content.decode()


# Who came in, and who tried


def log_in(name: str = "nurse", password: str = PASSWORD) -> tuple[Client, int]:
    client = Client(raise_request_exception=False)
    return client, client.post("/accounts/login/", {"login": name, "password": password}).status_code


def accounts() -> list[tuple[str, str, str]]:
    with everything():
        return list(AccessEvent.objects.filter(action__startswith="account.").order_by("id").values_list("action", "outcome", "reason"))


def test_coming_in_and_going_out_is_recorded(house: House) -> None:
    client, status = log_in()
    assert status == 302
    client.post("/accounts/logout/")
    nurse = house.staff["nurse"]
    rows = list(AccessEvent.objects.order_by("id"))
    assert [(row.user, row.roles, row.action, row.view, row.outcome) for row in rows] == [
        (nurse, ["nurse"], "account.log_in", "account_login", "allowed"),
        (nurse, ["nurse"], "account.log_out", "account_logout", "allowed"),
    ]


@pytest.mark.parametrize("typed", ["nurse", "NURSE", "nurse@example.org"])
def test_a_wrong_password_is_recorded_once_with_the_account(house: House, typed: str) -> None:
    log_in(typed, "not this one")
    assert accounts() == [("account.log_in", "denied", f"wrong password, account {house.staff['nurse'].public_id}")]
    with everything():
        assert AccessEvent.objects.get().user is None


def test_what_was_typed_in_place_of_a_name_is_not_kept(house: House) -> None:
    log_in(PASSWORD, PASSWORD)
    log_in("\0", PASSWORD)
    assert {reason for _, _, reason in accounts()} == {"wrong password, no such account"}


def test_nobody_comes_in_unrecorded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AccessEvent, "save", no_room)
    client, status = log_in()
    assert status == 503 and client.get("/caseload/")["Location"].startswith("/accounts/login/")


def test_what_a_person_changes_about_coming_in_is_recorded(house: House, django_capture_on_commit_callbacks: Any) -> None:
    nurse = house.staff["nurse"]
    secret = with_factor(nurse)
    client, _ = log_in()
    client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    client.post("/accounts/reauthenticate/", {"password": "not this one"})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    with django_capture_on_commit_callbacks(execute=True):  # told after the request's transaction
        client.post("/accounts/2fa/recovery-codes/generate/", {})
    client.post("/accounts/2fa/totp/deactivate/", {})
    new = "another quiet river bend"
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    account = f"account {nurse.public_id}"
    assert accounts() == [
        ("account.log_in", "denied", f"wrong code, {account}"),
        ("account.log_in", "allowed", ""),
        ("account.confirm", "denied", f"wrong password, {account}"),
        ("account.confirmed", "allowed", "password"),
        ("account.recovery_codes_made", "allowed", "recovery_codes"),
        ("account.second_factor_removed", "allowed", "totp"),
        ("account.second_factor_removed", "allowed", "recovery_codes"),
        ("account.password_changed", "allowed", ""),
    ]
    with everything():
        assert set(AccessEvent.objects.exclude(action="account.log_in").values_list("user", flat=True)) == {nurse.pk}


def test_a_password_set_by_the_link_of_an_e_mail_is_recorded(house: House, mailoutbox: list) -> None:
    client = Client()
    client.post("/accounts/password/reset/", {"email": "nurse@example.org"})
    link = re.search(r"http://testserver(\S+)", mailoutbox[0].body)
    assert link
    page = client.get(link[1], follow=True).redirect_chain[-1][0]
    client.post(page, {"password1": "another quiet river bend", "password2": "another quiet river bend"})
    assert ("account.password_reset", "allowed", f"account {house.staff['nurse'].public_id}") in accounts()


def test_a_colleagues_role_and_password_are_changes_in_the_administrators_name(house: House) -> None:
    """Changes of the administration are written by the database, like every other; see test_admin.py for the pages."""
    administrator, nurse = house.staff["sys_admin"], house.staff["nurse"]
    form = {"password1": "a new quiet river", "password2": "a new quiet river", "usable_password": "true"}
    assert logged_in(administrator).post(f"/admin/clinic/user/{nurse.pk}/password/", form).status_code == 302
    with everything():
        change = Change.objects.filter(table="clinic_user", row=nurse.pk).latest("id")
    assert (change.user_id, change.action, change.operation) == (administrator.pk, "admin", "UPDATE")


def test_a_search_and_what_it_showed(house: House) -> None:
    nurse = house.staff["nurse"]
    client = logged_in(nurse)
    client.post("/patients/", {"q": "Minecanary"})
    client.post("/patients/", {"q": "Nobodyknown"})
    rows = AccessEvent.objects.filter(view="search").order_by("id")
    assert [(row.patients, row.reason) for row in rows] == [([house.mine.patient_id], "search"), ([], "search")]
    assert not AccessEvent.objects.filter(reason__icontains="nobodyknown").exists()

