"""Every address of the URLconf, the admin's included: hostile arguments, questions, methods, bodies, headers and cookies. No 5xx."""

import re

import pytest
from django.test import Client

from clinic.models import Program
from tests.clinic.test_access import logged_in
from tests.hostile.corpus import BOUNDARY, MULTIPART, URLENCODED, everything
from tests.hostile.house import Everything
from tests.hostile.pages import every_pattern
from tests.hostile.test_every_field import SEED, done
from tests.hostile.visitor import Visitor, filled, pages, percent
from tests.people import make_user

SHORT = [value for value in everything() if len(value) <= 1000]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"]
PART = f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
BODIES = {  # what is wrong with it: content type, body. Other charsets never come this far: tests/clinic/test_door.py.
    "a list where a form is expected": ("application/json", b"[1]"),
    "JSON nested deeper than a parser recurses": ("application/json", b"[" * 100_000),
    "no body": ("", b""),
    "no multipart in a multipart": (MULTIPART, b"garbage"),
    "multipart without a boundary": ("multipart/form-data", b"x"),
    "a boundary that is too long": (f"multipart/form-data; boundary={'b' * 300}", b"x"),
    "a file where a text is expected": (MULTIPART, f'{PART}name="key"; filename="../a\0b"\r\n\r\nabc\r\n--{BOUNDARY}--\r\n'.encode()),
    "base64 that is none": (MULTIPART, f'{PART}name="key"\r\nContent-Transfer-Encoding: base64\r\n\r\n!\r\n--{BOUNDARY}--\r\n'.encode()),
    "more fields than are read": (URLENCODED, b"&".join(b"a%d=1" % number for number in range(2100))),
    "a document of two megabytes and a half": (URLENCODED, b"q=" + b"x" * 2_500_000),
    "bytes that are no UTF-8, and half of an escape": (URLENCODED, b"key=%00&%00=1&version=%FF%FE&=&&;=%"),
    "XML with a document type": ("text/xml", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'),
}
ASKED = [  # names that some view or Django's admin reads
    "q", "p", "o", "e", "all", "next", "who", "remove", "_popup", "_to_field", "_changelist_filters", "discipline__exact",
    "is_active__exact",
    "memberships__program__id__exact", "licence_status__exact", "active__exact", "id__in", "last_login__gte",
    "password__startswith",
    "name__contains", "user__password", "rule_id", "program", "duty_team", "app_label", "model_name", "field_name", "term",
]  # fmt: skip
HEADERS = [
    "HTTP_USER_AGENT", "HTTP_REFERER", "HTTP_ORIGIN", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_HOST",
    "HTTP_ACCEPT_LANGUAGE", "HTTP_COOKIE", "HTTP_HX_CURRENT_URL", "HTTP_HX_TARGET", "HTTP_HX_REQUEST", "HTTP_X_CSRFTOKEN", "HTTP_RANGE",
    "HTTP_IF_MODIFIED_SINCE",
]  # fmt: skip


@pytest.fixture
def house(db: None) -> Everything:
    return Everything()


def some(values: list[str], place: int, step: int) -> list[str]:
    """Every step-th value, begun somewhere else for each place."""
    return values[(place + SEED) % step :: step]


def arguments(house: Everything, visitor: Visitor, step: int) -> None:
    stand = house.arguments(house.signed)
    for place, (path, _) in enumerate(every_pattern()):
        for name in re.findall(r"<(?:\w+:)?(\w+)>", path):
            for value in some(SHORT, place, step):
                visitor.ask("GET", filled(path, stand | {name: percent(value)}))


def questions(house: Everything, visitor: Visitor, step: int) -> None:
    for place, url in enumerate(pages(house)):
        names = ASKED if url.startswith("/admin/") else ASKED[:8]
        for name in names[place % step :: step]:
            for value in some(SHORT, place, 40):
                visitor.ask("GET", f"{url}?{name}={percent(value)}")


def methods(house: Everything, visitor: Visitor, step: int) -> None:
    for place, url in enumerate(pages(house)):
        for method in METHODS[place % step :: step]:
            visitor.ask(method, url)
        for place_of_body, (content_type, body) in enumerate(BODIES.values()):
            if (place + place_of_body) % step == 0:
                visitor.ask("POST", url, body, content_type)
                visitor.ask("POST", url, body, content_type, HTTP_HX_REQUEST="true")


def headers(house: Everything, visitor: Visitor, step: int) -> None:
    for place, url in enumerate(pages(house)):
        for header in HEADERS[place % step :: step]:
            for value in some([value for value in SHORT if len(value) < 300], place, 40):
                visitor.ask("POST" if place % 2 else "GET", url, **{header: value.encode("utf-8", "surrogatepass").decode("latin-1")})


SWEEPS = {"arguments": arguments, "questions": questions, "methods": methods, "headers": headers}


@pytest.mark.thorough
@pytest.mark.parametrize("sweep", SWEEPS)
def test_every_address(house: Everything, sweep: str) -> None:
    visitor = Visitor(house.client())
    SWEEPS[sweep](house, visitor, 4)
    assert visitor.asked > 500
    done(visitor)


# What was found: each once, in bin/test


@pytest.mark.parametrize("cookie", ['steady_session="aaaaaaaaaaaa\\000"', "csrftoken=\x01", "messages=\x7f", 'a="\\000"; steady_session=x'])
def test_a_cookie_with_a_control_character_is_no_cookie(db: None, cookie: str) -> None:
    assert Client(raise_request_exception=False).get("/caseload/", HTTP_COOKIE=cookie).status_code == 302


@pytest.mark.parametrize("referer", ["http://[::1", "http://testserver\x00/", "//["])
def test_a_page_that_was_not_sent_by_us_and_says_nonsense_of_where_from(db: None, referer: str) -> None:
    refused = Client(enforce_csrf_checks=True, raise_request_exception=False).post("/accounts/login/", {"login": "x"}, HTTP_REFERER=referer)
    assert refused.status_code == 403 and "was not saved" in refused.content.decode()


@pytest.mark.parametrize("question", ["q=%00", "discipline__exact=%00", "x%01=1", f"q={'x' * 5000}", "q=%E2%80%AE"])
def test_an_address_that_asks_what_cannot_be_stored_is_told_so(db: None, question: str) -> None:
    client = logged_in(make_user("admin", ("sys_admin", Program.objects.create(name="Riverside"))))
    for page in ("/admin/clinic/user/", "/", "/accounts/password/change/"):
        answer = client.get(f"{page}?{question}")
        assert answer.status_code == 400
        assert "cannot be stored" in answer.content.decode() or "4000 are possible" in answer.content.decode()
