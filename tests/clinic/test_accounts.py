"""The way in: throttled guesses, forgotten passwords, the second factor, and what a password alone opens."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value, validate_totp_code
from django.core import mail
from django.test import Client

from clinic.models import User
from tests.clinic.test_access import CLINICAL as EVERY_PAGE
from tests.clinic.test_access import url
from tests.people import PASSWORD, House, make_house, make_user

LOGIN, SECOND, RESET = "/accounts/login/", "/accounts/2fa/authenticate/", "/accounts/password/reset/"
ACTIVATE, CODES = "/accounts/2fa/totp/activate/", "/accounts/2fa/recovery-codes/"
NEW_PASSWORD = "another quiet river"
# How somebody who guesses asks for the answers that were meant for scripts.
WAYS = {"page": {}, "xhr": {"X-Requested-With": "XMLHttpRequest"}, "json": {"Accept": "application/json"}}


@pytest.fixture
def house(db: None) -> House:
    return make_house()


@pytest.fixture
def nurse(db: None) -> User:
    return make_user("nadia")


def client() -> Client:
    return Client(raise_request_exception=False)


def log_in(user: User, password: str = PASSWORD) -> Client:
    browser = client()
    browser.post(LOGIN, {"login": user.username, "password": password})
    return browser


def is_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


def code_of(secret: str, step: int = 0) -> str:
    """The six digits of now, or of some 30-second steps later."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + step))


def with_factor(user: User) -> str:
    """Give this person an authenticator; returns its secret."""
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


# Guesses are counted, on a connection of their own, whatever the answer undoes


@pytest.fixture
def counted(real_transactions: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[type, str], list[object]]:
    """The counters as they are served; returns what collects the calls of one method."""
    settings.COUNTERS_DATABASE = "counters"

    def watch(owner: type, name: str) -> list[object]:
        calls: list[object] = []
        stock = getattr(owner, name)

        def counting(self: object, *args: object) -> object:
            calls.append(args)
            return stock(self, *args)

        monkeypatch.setattr(owner, name, counting)
        return calls

    return watch


@pytest.mark.parametrize("way", WAYS)
def test_forty_wrong_passwords_are_five_looks_at_the_password(counted: Callable[[type, str], list[object]], way: str) -> None:
    user, looks = make_user("nadia"), counted(User, "check_password")
    for number in range(40):
        answer = client().post(LOGIN, {"login": user.username, "password": f"wrong {number}"}, headers=WAYS[way])
        assert answer.status_code in (200, 429) and not answer.headers["Content-Type"].startswith("application/json")
    assert len(looks) == 5
    assert not is_in(log_in(user)), "the right one is not looked at either, for five minutes"


def test_one_address_that_tries_many_names_is_stopped(counted: Callable[[type, str], list[object]]) -> None:
    make_user("nadia")
    looks = counted(User, "check_password")
    for number in range(9):
        client().post(LOGIN, {"login": f"somebody{number}", "password": "wrong"})
    client().post(LOGIN, {"login": "nadia", "password": "wrong"})
    client().post(LOGIN, {"login": "nadia", "password": PASSWORD})
    assert len(looks) == 1


@pytest.mark.parametrize("way", WAYS)
def test_wrong_codes_are_counted(counted: Callable[[type, str], list[object]], way: str) -> None:
    user, looks = make_user("nadia"), counted(TOTP, "validate_code")
    with_factor(user)
    browser = log_in(user)
    for _ in range(20):
        browser.post(SECOND, {"code": "000000"}, headers=WAYS[way])
    assert len(looks) <= 5 and not is_in(browser)


@pytest.mark.parametrize("way", WAYS)
def test_wrong_passwords_of_a_confirmation_are_counted(counted: Callable[[type, str], list[object]], way: str) -> None:
    user = make_user("nadia")
    browser = log_in(user)
    looks = counted(User, "check_password")
    for number in range(20):
        browser.post("/accounts/reauthenticate/", {"password": f"wrong {number}"}, headers=WAYS[way])
    assert len(set(looks)) == 5


@pytest.mark.parametrize("way", WAYS)
def test_one_mailbox_is_not_flooded(counted: Callable[[type, str], list[object]], way: str) -> None:
    user = make_user("nadia")
    answers = [client().post(RESET, {"email": user.email}, headers=WAYS[way]).status_code for _ in range(12)]
    assert len(mail.outbox) == 5
    assert answers[-1] == 429


def test_a_refused_request_undoes_its_rows_and_keeps_its_counter(real_transactions: None, settings: Any) -> None:
    from django.core.cache import cache
    from django.db import transaction

    settings.COUNTERS_DATABASE = "counters"
    with transaction.atomic():
        make_user("nadia")
        cache.set("tries", 3, 60)
        transaction.set_rollback(True)
    assert cache.get("tries") == 3 and not User.objects.filter(username="nadia").exists()


# Forgotten password


def link_of(message: Any) -> str:
    return re.search(r"https?://testserver(/accounts/password/reset/key/\S+)", str(message.body))[1]  # type: ignore[index]


def test_a_forgotten_password_from_the_request_to_the_log_in(nurse: User) -> None:
    elsewhere = log_in(nurse)
    assert is_in(elsewhere)
    browser = client()
    assert browser.post(RESET, {"email": nurse.email}, follow=True).redirect_chain == [("/accounts/password/reset/done/", 302)]
    [message] = mail.outbox
    assert message.to == [nurse.email] and message.subject == "[Steady] Set a new password"
    assert not re.search("kratom|opioid|addict|treatment|patient|clinic|recovery", f"{message.subject} {message.body}", re.I)
    page = browser.get(link_of(message), follow=True)
    address = page.redirect_chain[-1][0]
    assert page.status_code == 200 and address.endswith("-set-password/"), "the key leaves the address at once"
    mismatch = browser.post(address, {"password1": NEW_PASSWORD, "password2": "x"})
    assert mismatch.status_code == 200
    assert browser.post(address, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})["Location"] == LOGIN
    assert not is_in(browser), "nobody is logged in by a link"
    assert elsewhere.get("/accounts/2fa/").status_code == 302, "a session opened with the old password has ended"
    assert not is_in(log_in(nurse))
    assert is_in(log_in(nurse, NEW_PASSWORD))


def test_a_link_works_once(nurse: User) -> None:
    client().post(RESET, {"email": nurse.email})
    link = link_of(mail.outbox[0])
    browser = client()
    address = browser.get(link)["Location"]
    browser.post(address, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    again = client().get(link)
    assert again.status_code == 200 and "no longer works" in again.content.decode()
    browser.post(address, {"password1": "a third quiet river", "password2": "a third quiet river"})
    assert is_in(log_in(nurse, NEW_PASSWORD))


@pytest.mark.parametrize("link", ["1-x", "zz-abc-def", "1-set-password", "1-cabc12-0123456789abcdef0123456789abcdef"])
def test_a_made_up_link_changes_nothing(nurse: User, link: str) -> None:
    page = client().get(f"/accounts/password/reset/key/{link}/")
    assert page.status_code == 200 and "no longer works" in page.content.decode()


def test_an_unknown_address_gets_the_same_answer_and_no_mail(nurse: User) -> None:
    known, unknown = (client().post(RESET, {"email": email}, follow=True) for email in (nurse.email, "nobody@example.org"))
    assert len(mail.outbox) == 1
    assert known.redirect_chain == unknown.redirect_chain
    strip = re.compile(rb'X-CSRFToken": "[^"]*"')
    assert strip.sub(b"", known.content) == strip.sub(b"", unknown.content)


# The second factor


CLINICAL = ("/caseload/", "/patients/", "/patients/register/", "/admin/", "/admin/clinic/user/", "/admin/clinic/program/")


@pytest.fixture
def strict(settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = True


@pytest.mark.parametrize("role", ["nurse", "sys_admin"])
def test_a_password_alone_opens_no_page_but_the_enrolment(strict: None, house: House, role: str) -> None:
    browser = log_in(house.staff[role])
    for page in (*CLINICAL, *(url(path, house.mine.public_id) for path, _ in EVERY_PAGE)):
        for answer in (browser.get(page), browser.post(page)):
            assert (answer.status_code, answer["Location"]) == (302, ACTIVATE), page


@pytest.mark.parametrize("role", ["nurse", "sys_admin"])
def test_between_password_and_code_nobody_is_logged_in(strict: None, house: House, role: str) -> None:
    with_factor(house.staff[role])
    browser = log_in(house.staff[role])
    for page in CLINICAL:
        way = browser.get(page, follow=True).redirect_chain
        assert way and way[-1][0].startswith((LOGIN, SECOND)), page


def test_enrolment_log_in_with_the_code_and_with_a_recovery_code(strict: None, house: House) -> None:
    nurse = house.staff["nurse"]
    browser = log_in(nurse)
    if (page := browser.get(ACTIVATE)).status_code == 302:
        browser.post(page["Location"], {"password": PASSWORD})
        page = browser.get(ACTIVATE)
    assert page.status_code == 200
    secret = browser.session["mfa.totp.secret"]
    assert browser.post(ACTIVATE, {"code": "000000"}).status_code == 200 and browser.get("/caseload/").status_code == 302
    page = browser.get(ACTIVATE)
    secret = browser.session["mfa.totp.secret"]
    assert browser.post(ACTIVATE, {"code": code_of(secret)}).status_code == 302
    assert browser.get("/caseload/").status_code == 200
    stored = str(list(Authenticator.objects.filter(user=nurse).values_list("data", flat=True)))
    assert secret not in stored, "a copy of the database gives no codes"
    codes = re.findall(r"\b[0-9a-f]{8,}\b|\b\d{8}\b", browser.get(CODES).content.decode().partition("<main")[2])
    assert len(codes) >= 10

    again = log_in(nurse)
    assert again.get("/caseload/").status_code == 302
    assert again.post(SECOND, {"code": "000000"}).status_code == 200 and not is_in(again)
    now = code_of(secret)
    again.post(SECOND, {"code": now})
    assert is_in(again) and again.get("/caseload/").status_code == 200
    replayed = log_in(nurse)
    replayed.post(SECOND, {"code": now})
    assert not is_in(replayed), "a code that was seen over a shoulder works once"

    lost = log_in(nurse)
    lost.post(SECOND, {"code": codes[0]})
    assert lost.get("/caseload/").status_code == 200
    used = log_in(nurse)
    used.post(SECOND, {"code": codes[0]})
    assert not is_in(used)


def test_the_codes_are_those_of_every_authenticator_app() -> None:
    """RFC 6238, appendix B, in six digits: 94287082 at second 59."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert format_hotp_value(hotp_value(secret, 59 // 30)) == "287082"
    assert validate_totp_code(secret, code_of(secret)) and not validate_totp_code(secret, "x")


def test_sign_up_is_closed_and_demo_people_stay_in_the_demo(db: None, settings: Any) -> None:
    assert client().get("/accounts/signup/").status_code == 404
    guest = make_user("maya.demo")
    settings.DEMO = False
    assert not is_in(log_in(guest))
    settings.DEMO = True
    assert is_in(log_in(guest))
