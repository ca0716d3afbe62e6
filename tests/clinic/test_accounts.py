"""The way in: throttled guesses, forgotten passwords, the second factor, and what a password alone opens."""

import html
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import polib
import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value, validate_totp_code
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils import translation

from clinic.models import User
from clinic.words import CATALOGUE
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
def test_twelve_wrong_passwords_are_five_looks_at_the_password(counted: Callable[[type, str], list[object]], way: str) -> None:
    user, looks = make_user("nadia"), counted(User, "check_password")
    for number in range(12):
        answer = client().post(LOGIN, {"login": user.username, "password": f"wrong {number}"}, headers=WAYS[way])
        assert answer.status_code in (200, 429) and not answer.headers["Content-Type"].startswith("application/json")
    assert len(looks) == 5
    assert not is_in(log_in(user)), "the right one is not looked at either, for five minutes"


@pytest.mark.thorough
def test_one_address_that_tries_many_names_is_stopped(counted: Callable[[type, str], list[object]]) -> None:
    make_user("nadia")
    looks = counted(User, "check_password")
    for number in range(9):
        client().post(LOGIN, {"login": f"somebody{number}", "password": "wrong"})
    client().post(LOGIN, {"login": "nadia", "password": "wrong"})
    client().post(LOGIN, {"login": "nadia", "password": PASSWORD})
    assert len(looks) == 1


@pytest.mark.thorough
@pytest.mark.parametrize("way", WAYS)
def test_wrong_codes_are_counted(counted: Callable[[type, str], list[object]], way: str) -> None:
    user, looks = make_user("nadia"), counted(TOTP, "validate_code")
    with_factor(user)
    browser = log_in(user)
    for _ in range(8):
        browser.post(SECOND, {"code": "000000"}, headers=WAYS[way])
    assert len(looks) <= 5 and not is_in(browser)


@pytest.mark.thorough
@pytest.mark.parametrize("way", WAYS)
def test_wrong_passwords_of_a_confirmation_are_counted(counted: Callable[[type, str], list[object]], way: str) -> None:
    user = make_user("nadia")
    browser = log_in(user)
    looks = counted(User, "check_password")
    for number in range(8):
        browser.post("/accounts/reauthenticate/", {"password": f"wrong {number}"}, headers=WAYS[way])
    assert len(set(looks)) == 5


@pytest.mark.thorough
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
    codes = re.findall(r"\b\d{4} \d{4}\b", browser.get(CODES).content.decode().partition("<main")[2])
    assert len(codes) >= 10

    cache.clear()  # half a minute later: the code that set it up has been used
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


# What is said, and the way back


def page_words(answer: Any) -> str:
    main = answer.content.decode().partition("<main")[2].partition("</main>")[0]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main)))


STOCK = re.compile(
    r"This field is required|Enter a valid|you specified are not correct|Incorrect|Current Password|New Password|placeholder|"
    r"Your password can|Authenticator app activated|Authenticator code|Login\b|Email\b|class=\"alert"
)


def test_log_in_pages_speak_with_our_own_words(nurse: User) -> None:
    said = {
        "": "User name or e-mail : Not filled in yet.",
        "nadia": "User name and password do not fit together. Please check both; capital letters count.",
        "nadia@example.org": "E-mail address and password do not fit together.",
    }
    for name, sentence in said.items():
        answer = client().post(LOGIN, {"login": name, "password": "wrong"})
        assert "Not logged in yet" in page_words(answer) and sentence in page_words(answer)
        assert not STOCK.search(answer.content.decode().partition("<main")[2])


def test_account_pages_speak_with_our_own_words(nurse: User) -> None:
    browser = log_in(nurse)
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    sent = {
        RESET: ({"email": "nadia"}, "This is not a whole e-mail address yet."),
        "/accounts/reauthenticate/": ({"password": "wrong"}, "This password does not fit your account."),
        "/accounts/password/change/": ({"oldpassword": "wrong", "password1": "nadia@example", "password2": "x"}, "too close to your"),
        ACTIVATE: ({"code": "000000"}, "This code does not fit."),
    }
    for address, (form, sentence) in sent.items():
        for answer in (browser.get(address), client().get(address) if address == RESET else browser.post(address, form)):
            assert not STOCK.search(answer.content.decode().partition("<main")[2]), address
        assert sentence in page_words(browser.post(address, form)), address


def test_everything_in_our_catalogue_is_what_people_read() -> None:
    entries = [entry for entry in polib.pofile(str(CATALOGUE)) if entry.msgid]
    assert len(entries) > 50
    for entry in entries:
        if entry.msgid_plural:
            said = [translation.ngettext(entry.msgid, entry.msgid_plural, number) for number in (1, 2)]
            assert said == [entry.msgstr_plural[0], entry.msgstr_plural[1]]
        elif entry.msgctxt:
            assert translation.pgettext(entry.msgctxt, entry.msgid) == entry.msgstr
        else:
            assert translation.gettext(entry.msgid) == entry.msgstr


def test_confirming_says_who_and_what_for_and_can_be_cancelled(house: House) -> None:
    browser, plan = log_in(house.staff["prescriber"]), url("episodes/<uuid:episode_id>/plan/", house.mine.public_id)
    ways = {
        f"{plan}sign/": ("sign the plan", plan),
        "/accounts/2fa/totp/activate/": ("set up the authenticator app", "/accounts/2fa/"),
        "/admin/clinic/user/add/": ("add somebody to the staff", "/admin/clinic/user/"),
        "/nowhere/": ("", "/"),
        "https://evil.example/episodes/": ("", "/"),
        "": ("", "/"),
    }
    for following, (what, back) in ways.items():
        answer = browser.get("/accounts/reauthenticate/", {"next": following})
        assert "You are logged in as Prescriber Tester" in page_words(answer)
        assert (what or "Confirm it is you") in page_words(answer)
        assert ("next step" in page_words(answer)) is bool(what)
        assert re.search(rf'<a href="{re.escape(back)}" class="btn btn-secondary w-100"[^>]*>Cancel', answer.content.decode()), following


def test_secret_and_codes_can_be_read_aloud_and_kept(house: House, settings: Any) -> None:
    browser = log_in(house.staff["nurse"])
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = browser.get(ACTIVATE)
    secret = browser.session["mfa.totp.secret"]
    assert " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)) in page_words(page)
    assert ">Cancel<" in page.content.decode() and "set it up later" not in page.content.decode()
    settings.REQUIRE_SECOND_FACTOR = True
    assert "Log out and set it up later" in page_words(browser.get(ACTIVATE))
    secret = browser.session["mfa.totp.secret"]
    done = browser.post(ACTIVATE, {"code": code_of(secret)}, follow=True)
    codes = re.findall(r"\b\d{4} \d{4}\b", page_words(done))
    assert len(codes) == 10 and "data-print" in done.content.decode() and "keep the sheet" in page_words(done)
    assert codes[0] in browser.get("/accounts/2fa/recovery-codes/download/").content.decode()
    lost = log_in(house.staff["nurse"])
    lost.post(SECOND, {"code": codes[0]})
    assert is_in(lost), "as it is printed, with the blank"


UNSAVED = "You were logged out; what you just sent was not saved"


def test_who_was_logged_out_in_mid_form_is_told_and_led_back(house: House) -> None:
    page = url("episodes/<uuid:episode_id>/demographics/", house.mine.public_id)
    answer = client().post(page, {"phone": "555"}, headers={"Referer": f"http://testserver{page}?x=1"}, follow=True)
    assert UNSAVED in page_words(answer)
    assert f'name="next" value="{page}?x=1"' in answer.content.decode()
    posted_only = url("episodes/<uuid:episode_id>/plan/refresh/", house.mine.public_id)
    plan = url("episodes/<uuid:episode_id>/plan/", house.mine.public_id)
    answer = client().post(posted_only, headers={"Referer": f"http://testserver{plan}"})
    assert answer["Location"] == f"{LOGIN}?{urlencode({'next': plan, 'unsaved': 1})}"
    elsewhere = client().post(page, headers={"Referer": "https://evil.example/page"})
    assert elsewhere["Location"] == f"{LOGIN}?{urlencode({'next': page, 'unsaved': 1})}"
    for leaving in ("/accounts/logout/", "/admin/logout/"):
        assert UNSAVED not in page_words(client().post(leaving, follow=True))
    assert UNSAVED not in page_words(client().get(page, follow=True))
    browser = client()
    assert browser.post(LOGIN, {"login": "nurse", "password": PASSWORD, "next": page})["Location"] == page


def test_a_form_from_before_the_log_in_has_its_own_page(house: House) -> None:
    strict = Client(enforce_csrf_checks=True)
    page = url("episodes/<uuid:episode_id>/demographics/", house.mine.public_id)
    answer = strict.post(page, {"phone": "555"}, headers={"Referer": f"http://testserver{page}"})
    assert answer.status_code == 403 and UNSAVED in page_words(answer)
    assert f'href="{LOGIN}?{urlencode({"next": page, "unsaved": 1}).replace("&", "&amp;")}"' in answer.content.decode()
    strict.force_login(house.staff["nurse"])
    answer = strict.post(page, {"phone": "555"}, headers={"Referer": f"http://testserver{page}"})
    assert answer.status_code == 403 and "what you just sent was not saved" in page_words(answer)
    assert f'href="{page}"' in answer.content.decode()
    assert f'href="{LOGIN}"' in Client(enforce_csrf_checks=True).post(LOGIN, {"login": "nurse"}).content.decode()


def test_what_is_out_of_reach_is_not_unkind(house: House) -> None:
    answer = log_in(house.staff["nurse"]).get(url("episodes/<uuid:episode_id>/chart/", house.other.public_id))
    assert answer.status_code == 404
    assert "Nothing was found here It may not exist, or it is not on your caseload." in page_words(answer)


def test_nobody_is_sent_to_a_page_they_do_not_have(house: House) -> None:
    stranger = Client().get("/nowhere/")
    assert stranger.status_code == 404
    for page in (page_words(stranger), page_words(log_in(house.staff["sys_admin"]).get("/nowhere/"))):
        assert "Nothing was found here" in page and "caseload" not in page and "care team" not in page
