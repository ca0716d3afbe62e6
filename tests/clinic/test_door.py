"""Every request is UTF-8 or refused with a sentence; no answer to a person is kept by a browser."""

import pytest
from django.test import Client, RequestFactory

from clinic.checks import patterns
from tests.clinic.test_access import logged_in, url
from tests.clinic.test_accounts import ACTIVATE, CODES, with_factor
from tests.clinic.test_pages import client_of, page_of
from tests.people import House, make_house


@pytest.fixture
def house(db: None) -> House:
    return make_house()


CHARSETS = ["rot13", "base64", "utf-7", "unicode_escape", "utf-16", "latin-1", "hex", "zlib", "idna", "undefined", "no-such", "utf8", "ÿ"]
FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
REFUSED = [f"{kind}; charset={charset}" for kind in (FORM, PARTS, "a/b") for charset in CHARSETS]
REFUSED += [f"{FORM}; charset=utf-8; charset=rot13", f"{FORM}; charset*=rot13''%41", f"{FORM}; charset*=utf-8''rot13"]
READ = [FORM, "a/b", "", ";", f"{FORM}; charset=UTF-8", f'{FORM}; charset="utf-8"', f"{PARTS}; charset=utf-8"]


def ask(content_type: str) -> tuple[str, bytes]:
    """Status and body of a post to a page that needs no log-in, as the web server hands it over."""
    from clinic.wsgi import application

    said: list[str] = []
    environ = RequestFactory().post("/accounts/login/?q=%FF").environ
    environ |= {"CONTENT_TYPE": content_type, "HTTP_COOKIE": ""}
    body = b"".join(application(environ, lambda status, headers: said.append(status)))
    return said[0], body


@pytest.mark.parametrize("content_type", REFUSED)
def test_any_other_charset_than_utf_8_is_refused_with_a_sentence(db: None, content_type: str) -> None:
    status, body = ask(content_type)
    assert status == "400 Bad Request" and b"UTF-8 only" in body


@pytest.mark.parametrize("content_type", READ)
def test_utf_8_and_what_names_nothing_is_read(db: None, content_type: str) -> None:
    status, body = ask(content_type)
    assert not status.startswith("5") and b"UTF-8 only" not in body


@pytest.mark.parametrize("sent", [b"q=%ED%A0%80", b"q=%FF%FE", b"q=\xed\xa0\x80", b"q=" + "\ud83d\ude00".encode("utf-16", "surrogatepass")])
def test_bytes_that_are_no_text_are_no_fault(house: House, sent: bytes) -> None:
    client = client_of(house.staff["intake"])
    answer = client.generic("POST", "/patients/", sent, content_type="application/x-www-form-urlencoded; charset=utf-8")
    assert answer.status_code in (200, 422)


@pytest.mark.parametrize("name", ["chart", "demographics", "care_team", "plan_pdf"])
def test_no_page_about_a_person_is_stored(house: House, name: str) -> None:
    address = f"/episodes/{house.mine.public_id}/plan.pdf" if name == "plan_pdf" else page_of(name, house.mine)
    assert "no-store" in client_of(house.staff["supervisor"]).get(address)["Cache-Control"]


def test_no_answer_at_all_is_stored(house: House) -> None:
    nurse = house.staff["nurse"]
    client = client_of(nurse)
    for address in ("/caseload/", "/patients/", ACTIVATE, "/nowhere/", "/admin/", "/accounts/login/", "/accounts/logout/"):
        assert client.get(address)["Cache-Control"] == "no-store, private", address
    with_factor(nurse)
    assert client.get(CODES)["Cache-Control"] == "no-store, private"


def test_static_files_are_kept(db: None) -> None:
    answer = Client().get("/static/clinic/steady.css")
    assert answer.status_code == 200 and "no-store" not in answer.headers.get("Cache-Control", "")
    answer.close()


def test_what_was_done_is_not_said_in_a_cookie(house: House) -> None:
    client = client_of(house.staff["supervisor"])
    answer = client.post(page_of("care_team", house.mine), {"user": house.staff["intake"].pk})
    assert answer.status_code == 302
    assert set(client.cookies) <= {"steady_session", "csrftoken"}
    assert "Intake Tester is on the care team." in client.get(answer["Location"]).content.decode()


EVERY_ANSWER = {
    "Cache-Control": "no-store, private",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


def in_order(policy: str) -> list[str]:
    return sorted(part.strip() for part in policy.split(";"))


@pytest.mark.parametrize("role", ["", *(pytest.param(role, marks=pytest.mark.thorough) for role in ("supervisor", "sys_admin"))])
def test_every_answer_carries_the_same_headers_and_only_two_cookies(house: House, role: str) -> None:
    client, wrong = logged_in(house.staff[role]) if role else Client(raise_request_exception=False), []
    addresses = [url(path, house.mine.public_id) for path, pattern in patterns() if pattern.name not in ("healthz", "readyz")]
    for address in (*addresses, "/nowhere/", "/admin/", "/admin/clinic/user/", "/admin/jsi18n/", "/admin/clinic/program/add/"):
        answer = client.get(address)
        for name, value in EVERY_ANSWER.items():
            said = answer.headers.get(name, "")
            if said != value and in_order(said) != in_order(value):
                wrong.append(f"{address} {answer.status_code}: {name}: {said}")
    for name, cookie in client.cookies.items():
        if name not in ("steady_session", "csrftoken") or not cookie["httponly"] or cookie["samesite"] != "Lax" or cookie["domain"]:
            wrong.append(str(cookie))
    assert not wrong, "\n".join(wrong)
