"""Two hundred guesses at once: how many of them cost a look at a password, however they are spread."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connections
from django.test import Client

from clinic.models import User
from tests.clinic.test_accounts import LOGIN, SECOND, code_of, is_in, log_in, page_words, with_factor
from tests.people import PASSWORD, make_user

CONFIRM = "/accounts/reauthenticate/"
MANY = [16, 200]
# A quick one of them stands in test_accounts.py.
pytestmark = pytest.mark.thorough


@pytest.fixture
def nurse(real_transactions: None, settings: Any) -> User:
    settings.COUNTERS_DATABASE = "counters"
    settings.ALLOWED_HOSTS = ["*"]
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    return make_user("nadia.kiss")


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The salt of every password that was hashed, whoever asked for it: one for each account, a new one for a name that is nobody's."""
    seen: list[str] = []
    stock = MD5PasswordHasher.encode

    def counting(self: MD5PasswordHasher, password: str, salt: str) -> str:
        seen.append(salt)
        return stock(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counting)
    return seen


def address(number: int) -> str:
    return f"198.51.100.{number}"


def at_once(ask: Callable[[int], Any], number: int) -> list[Any]:
    """Eight threads, each with its own connections, as served."""

    def one(number: int) -> Any:
        try:
            return ask(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(one, range(number)))


def guess(name: str, number: int, *, ip: str, host: str = "testserver", password: str = "") -> Any:
    sent = {"login": name, "password": password or f"wrong {number}"}
    return Client(headers={"X-Forwarded-For": ip, "Host": host}, raise_request_exception=False).post(LOGIN, sent)


@pytest.mark.parametrize("number", MANY)
def test_one_address_on_one_account(nurse: User, hashes: list[str], number: int) -> None:
    at_once(lambda each: guess(nurse.username, each, ip=address(1)), number)
    assert 0 < len(hashes) <= 5


@pytest.mark.parametrize("number", MANY)
def test_one_address_on_many_names(nurse: User, hashes: list[str], number: int) -> None:
    at_once(lambda each: guess(f"somebody{each}", each, ip=address(1)), number)
    assert 0 < len(hashes) <= 10


def spellings(user: User) -> Iterator[str]:
    """Names that are this account's to the database, each of which would be another key to a counter of names."""
    yield from (user.username, user.email, user.username.upper(), user.email.title(), f" {user.username}\t")
    yield from (user.username.replace("i", "ı"), user.username.replace("s", "ſ"), user.email.replace("s", "ſ"))


@pytest.mark.parametrize("number", MANY)
def test_many_addresses_on_one_account_however_it_is_called(nurse: User, hashes: list[str], number: int) -> None:
    names = list(spellings(nurse))
    at_once(lambda each: guess(names[each % len(names)], each, ip=address(each), host=f"testserver:{each + 1}"), number)
    assert 0 < hashes.count(nurse.password.split("$")[1]) <= 5


def test_the_right_password_in_a_throttle_is_not_looked_at_and_told_so(nurse: User, hashes: list[str]) -> None:
    for number in range(6):
        guess(nurse.username, number, ip=address(number))
    hashes.clear()
    answer = guess(nurse.username, 7, ip=address(99), password=PASSWORD)
    assert answer.status_code == 200 and "Please wait five minutes" in page_words(answer)
    assert not hashes and not is_in(answer.client)


def test_an_account_that_exists_costs_as_many_hashes_as_one_that_does_not(nurse: User, hashes: list[str]) -> None:
    for number, name in enumerate([nurse.username, nurse.email, "nobody", "nobody@example.org"]):
        hashes.clear()
        guess(name, number, ip=address(number))
        assert len(hashes) == 1, name


@pytest.mark.parametrize("page", [CONFIRM, "/accounts/unlock/"])
@pytest.mark.parametrize("number", MANY)
def test_a_confirmation_is_throttled_with_the_log_in(nurse: User, hashes: list[str], number: int, page: str) -> None:
    inside = Client(headers={"X-Forwarded-For": address(1)})
    inside.post(LOGIN, {"login": nurse.username, "password": PASSWORD})
    cookies = inside.cookies
    hashes.clear()

    def confirm(each: int) -> None:
        browser = Client(headers={"X-Forwarded-For": address(each)}, raise_request_exception=False)
        browser.cookies = cookies
        browser.post(page, {"password": f"wrong {each}"})

    at_once(confirm, number)
    assert 0 < len(hashes) <= 5


def test_the_old_password_is_not_guessed_on_the_page_that_changes_it(nurse: User, hashes: list[str]) -> None:
    browser = log_in(nurse)
    browser.post(CONFIRM, {"password": PASSWORD})
    hashes.clear()
    page, sent = "/accounts/password/change/", {"oldpassword": "wrong", "password1": "x", "password2": "y"}
    answers = [browser.post(page, sent) for _ in range(12)]
    assert 0 < len(hashes) <= 5
    assert answers[-1].status_code == 429 and "Please wait" in page_words(answers[-1])


@pytest.mark.parametrize("number", MANY)
def test_codes_are_guessed_five_times_whatever_kind(
    nurse: User, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    looks: list[str] = []
    for kind in (TOTP, RecoveryCodes):
        stock = kind.validate_code
        monkeypatch.setattr(kind, "validate_code", lambda self, code, stock=stock: looks.append(code) or stock(self, code))
    with_factor(nurse)
    RecoveryCodes.activate(nurse)
    cookies = log_in(nurse).cookies

    def code(each: int) -> None:
        browser = Client(headers={"X-Forwarded-For": address(each)}, raise_request_exception=False)
        browser.cookies = cookies
        browser.post(SECOND, {"code": f"{each:08}"})

    at_once(code, number)
    assert 0 < len(set(looks)) <= 5


def test_one_code_opens_one_session_of_two_that_send_it_at_once(nurse: User) -> None:
    secret = with_factor(nurse)
    browsers = [log_in(nurse) for _ in range(4)]
    now = code_of(secret)
    at_once(lambda each: browsers[each].post(SECOND, {"code": now}), 4)
    assert [is_in(browser) for browser in browsers].count(True) == 1


def test_one_recovery_code_opens_one_session_of_two_that_send_it_at_once(nurse: User) -> None:
    with_factor(nurse)
    [code, *_] = RecoveryCodes.activate(nurse).get_unused_codes()
    browsers = [log_in(nurse) for _ in range(4)]
    at_once(lambda each: browsers[each].post(SECOND, {"code": code}), 4)
    assert [is_in(browser) for browser in browsers].count(True) == 1
