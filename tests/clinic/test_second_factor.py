"""What becomes of a second factor: it is asked for, replaced, not removed, used once, and survives a new key."""

import io
from typing import Any

import pytest
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY as RECORDS
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from cryptography.fernet import InvalidToken
from django.core.management import call_command
from django.urls import reverse

from clinic.access_table import OWN_ACCOUNT
from clinic.checks import patterns
from clinic.models import User
from clinic.permissions import PUBLIC_VIEWS, declared_action
from tests.clinic.test_access import logged_in, url
from tests.clinic.test_accounts import ACTIVATE, SECOND, code_of, is_in, log_in, page_words, with_factor
from tests.people import House, make_house

REMOVE = "/accounts/2fa/totp/deactivate/"


@pytest.fixture
def house(db: None) -> House:
    return make_house()


@pytest.fixture
def strict(settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = True


@pytest.mark.parametrize("role", ["nurse", "sys_admin"])
def test_every_url_but_the_own_account_leads_to_the_enrolment(strict: None, house: House, role: str) -> None:
    client, opened = logged_in(house.staff[role]), []
    for path, pattern in patterns():
        if pattern.name in PUBLIC_VIEWS or declared_action(pattern.callback) == OWN_ACCOUNT:
            continue
        for method in (client.get, client.post):
            answer = method(url(path, house.mine.public_id))
            if (answer.status_code, answer.headers.get("Location")) != (302, ACTIVATE):
                opened.append(f"{path}: {answer.status_code}")
    assert not opened, "\n".join(opened)


def test_every_page_of_the_administration_leads_to_the_enrolment(strict: None, house: House) -> None:
    from django.contrib import admin

    client = logged_in(house.staff["sys_admin"])
    names = {"index", "password_change", "jsi18n", "autocomplete"}
    names |= {f"{m._meta.app_label}_{m._meta.model_name}_{page}" for m in admin.site._registry for page in ("changelist", "add")}
    assert len(names) > 8
    for name in names:
        answer = client.get(reverse(f"admin:{name}"))
        assert (answer.status_code, answer["Location"]) == (302, ACTIVATE), name


def test_the_last_factor_is_not_removed_where_one_is_asked_for(strict: None, house: House) -> None:
    nurse = house.staff["nurse"]
    with_factor(nurse)
    client = logged_in(nurse)
    for answer in (client.get(REMOVE), client.post(REMOVE)):
        assert answer.status_code == 200 and "the last one cannot be removed" in page_words(answer)
        assert ">Remove</button>" not in answer.content.decode()
    assert Authenticator.objects.filter(user=nurse).exists()
    assert "Remove" not in page_words(client.get("/accounts/2fa/"))


def test_whoever_has_just_logged_in_sets_up_a_first_factor_without_the_password_again(strict: None, house: House) -> None:
    client = log_in(house.staff["nurse"])
    assert client.get(ACTIVATE).status_code == 200
    codes = client.post(ACTIVATE, {"code": code_of(client.session["mfa.totp.secret"])}, follow=True)
    assert codes.redirect_chain == [("/accounts/2fa/recovery-codes/", 302)] and "10 of 10 are left" in page_words(codes)


def test_the_password_is_asked_for_again_a_while_after_the_log_in_and_before_another_factor(strict: None, house: House) -> None:
    long_in = log_in(house.staff["nurse"])
    session = long_in.session
    session[RECORDS] = [record | {"at": record["at"] - 301} for record in session[RECORDS]]
    session.save()
    secret = with_factor(house.staff["counsellor"])
    another = log_in(house.staff["counsellor"])
    another.post(SECOND, {"code": code_of(secret)})
    for client in (long_in, another):
        assert client.get(ACTIVATE)["Location"].startswith("/accounts/reauthenticate/")


def test_another_phone_takes_the_place_of_the_first_once_it_has_shown_a_code(strict: None, house: House) -> None:
    nurse = house.staff["nurse"]
    old = with_factor(nurse)
    codes = RecoveryCodes.activate(nurse).get_unused_codes()
    client = logged_in(nurse)
    assert "keeps working until the new one" in page_words(client.get(ACTIVATE))
    new = client.session["mfa.totp.secret"]
    client.post(ACTIVATE, {"code": "000000"})
    assert TOTP_of(nurse) == old
    client.get(ACTIVATE)
    new = client.session["mfa.totp.secret"]
    assert client.post(ACTIVATE, {"code": code_of(new)}).status_code == 302
    assert TOTP_of(nurse) == new and RecoveryCodes.activate(nurse).get_unused_codes() == codes
    again = log_in(nurse)
    again.post(SECOND, {"code": code_of(new)})
    assert not is_in(again), "the code that set it up is used up"
    again.post(SECOND, {"code": code_of(old)})
    assert not is_in(again)


def TOTP_of(user: User) -> str:
    from allauth.mfa.utils import decrypt

    return decrypt(Authenticator.objects.get(user=user, type="totp").data["secret"])


def test_a_new_key_opens_what_the_old_one_encrypted_and_encrypts_it_anew(house: House, settings: Any) -> None:
    nurse, before = house.staff["nurse"], settings.SECRET_KEY
    secret = with_factor(nurse)
    [recovery, *_] = RecoveryCodes.activate(nurse).get_unused_codes()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the key after it " * 4, [before]
    assert TOTP_of(nurse) == secret
    said = io.StringIO()
    call_command("rotate_secret_key", stdout=said)
    assert said.getvalue() == "2 secrets of second factors are encrypted with STEADY_SECRET_KEY.\n"
    settings.SECRET_KEY_FALLBACKS = []
    browser = log_in(nurse)
    browser.post(SECOND, {"code": recovery})
    assert is_in(browser) and TOTP_of(nurse) == secret
    settings.SECRET_KEY = before
    with pytest.raises(InvalidToken):
        TOTP_of(nurse)
