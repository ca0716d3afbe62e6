"""Fifteen minutes without a touch lock a session, twelve hours end it; nothing typed is lost. The clock is moved, never waited for."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from clinic import actions, lock
from clinic.checks import patterns
from clinic.models import AccessEvent, Episode
from clinic.permissions import PUBLIC_VIEWS
from clinic.settings import _minutes
from clinic.transaction import acting
from tests.clinic.test_access import CANARIES, logged_in, url
from tests.clinic.test_accounts import LOGIN, log_in, page_words
from tests.clinic.test_pages import page_of
from tests.people import PASSWORD, House, make_episode, make_house

UNLOCK, TOUCHED, LOCK = "/accounts/unlock/", "/accounts/touched/", "/accounts/lock/"
MINUTE, HOUR = 60, 3600
# How a browser marks what a script of the page sends by itself.
BY_SCRIPT = [{"HX-Request": "true"}, {"X-Requested-With": "saving"}, {"Sec-Fetch-Mode": "cors"}]


@pytest.fixture
def house(db: None) -> House:
    return make_house()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock on by some seconds; by itself it stands, however slow the machine is."""
    start, moved = lock.now(), [0.0]
    monkeypatch.setattr(lock, "now", lambda: start + moved[0])

    def move(seconds: float) -> None:
        moved[0] += seconds

    return move


def unlock(client: Client, **more: str) -> Any:
    return client.post(UNLOCK, {"password": PASSWORD} | more)


def test_a_session_locks_after_fifteen_minutes_and_opens_where_it_was(house: House, later: Callable[[float], None]) -> None:
    client, page = log_in(house.staff["nurse"]), page_of("demographics", house.mine)
    later(14 * MINUTE)
    assert client.get(page).status_code == 200
    later(14 * MINUTE)
    assert client.get(page).status_code == 200, "a page that is opened keeps it open"
    later(15 * MINUTE)
    answer = client.get(f"{page}?x=1", follow=True)
    assert answer.redirect_chain == [(f"{UNLOCK}?next={page.replace('/', '%2F')}%3Fx%3D1", 302)]
    assert "Locked" in page_words(answer) and not any(word in answer.content.decode() for word in CANARIES)
    wrong = client.post(UNLOCK, {"password": "wrong", "next": page})
    assert wrong.status_code == 403 and "does not fit" in page_words(wrong)
    assert client.get(page).status_code == 302
    assert unlock(client, next=page)["Location"] == page
    assert client.get(page).status_code == 200
    assert unlock(client, next="https://evil.example/")["Location"] == "/"


def test_the_unlocking_and_the_refused_try_are_in_the_record(house: House, later: Callable[[float], None]) -> None:
    client = log_in(house.staff["nurse"])
    later(17 * MINUTE)
    client.post(UNLOCK, {"password": "wrong"})
    unlock(client)
    assert AccessEvent.objects.filter(view="unlock", outcome="denied", user=house.staff["nurse"]).exists()
    opened = AccessEvent.objects.get(view="unlock", outcome="allowed", reason__startswith="unlocked")
    assert (opened.user, opened.reason) == (house.staff["nurse"], "unlocked; locked after 17 idle minutes")


@pytest.mark.parametrize("mark", BY_SCRIPT)
def test_what_scripts_send_does_not_keep_a_session_open(house: House, later: Callable[[float], None], mark: dict[str, str]) -> None:
    client, page = log_in(house.staff["nurse"]), page_of("demographics", house.mine)
    for _ in range(3):
        later(5 * MINUTE - 1)
        assert client.get(page, headers=mark).status_code == 200
        assert client.get(TOUCHED, headers=mark).json()["idle"] > 0, "asking is no touch either"
    later(5)
    refused = client.get(page, headers=mark)
    assert (refused.status_code, refused.content) == (423, b"")
    assert client.post(TOUCHED, headers=mark).status_code == 423, "too late for a touch"
    assert client.get(TOUCHED, headers=mark).status_code == 423


def test_the_word_that_hands_are_on_the_page_keeps_it_open(house: House, later: Callable[[float], None]) -> None:
    client = log_in(house.staff["nurse"])
    for _ in range(4):
        later(14 * MINUTE)
        assert client.post(TOUCHED, headers=BY_SCRIPT[1]).status_code == 204
    assert client.get("/caseload/").status_code == 200


def test_a_locked_session_opens_nothing_else_and_shows_nobody(house: House, later: Callable[[float], None]) -> None:
    client, opened = logged_in(house.staff["nurse"]), []
    client.get("/caseload/")
    later(16 * MINUTE)
    for path, pattern in patterns():
        if pattern.name in PUBLIC_VIEWS | lock.OPEN_WHILE_LOCKED:
            continue
        for method, shut in (("get", 302), ("post", 403)):
            answer = getattr(client, method)(url(path, house.mine.public_id))
            body = answer.content.decode()
            if answer.status_code != shut or "unlock" not in answer.headers.get("Location", body) or any(word in body for word in CANARIES):
                opened.append(f"{method} {path}: {answer.status_code}")
    for name in ("/admin/", "/admin/clinic/user/", "/admin/jsi18n/", "/accounts/login/"):
        opened += [name for answer in [client.get(name, follow=True)] if "Locked" not in page_words(answer)]
    assert not opened, "\n".join(opened)


def hidden(html: str, name: str) -> list[str]:
    return [unescape(value) for value in re.findall(rf'type="hidden" name="{name}" value="([^"]*)"', html)]


def test_a_form_sent_too_late_is_kept_unread_and_goes_on_after_the_password(house: House, later: Callable[[float], None]) -> None:
    client, page = log_in(house.staff["intake"]), page_of("demographics", house.mine)
    typed = "Ana “Canary” <b>Ríos</b>"
    sent = {"legal_first_name": typed, "legal_last_name": "Rivera", "birth_date": "1990-02-03", "sex_at_birth": "F"}
    later(16 * MINUTE)
    locked = client.post(page, sent | {"several": ["1", "2"]}, headers={"Referer": f"http://testserver{page}"})
    assert locked.status_code == 403 and "What you just sent is kept" in page_words(locked)
    assert "Canary" not in locked.content.decode(), "a page that asks for a password shows nothing, nor does its source"
    [held] = hidden(locked.content.decode(), "held")
    wrong = client.post(UNLOCK, {"password": "wrong", "held": held, "next": page})
    assert hidden(wrong.content.decode(), "held") == [held]
    thanks = unlock(client, held=held, next=page).content.decode()
    assert f'action="{page}"' in thanks and hidden(thanks, "several") == ["1", "2"]
    assert f'<a class="btn btn-secondary w-100" href="{page}">Do not send it</a>' in thanks
    assert hidden(thanks, "legal_first_name") == [typed] and len(hidden(thanks, "csrfmiddlewaretoken")) >= 1
    assert not AccessEvent.objects.filter(view="demographics", outcome="allowed").exists(), "it was not looked at so far"


def test_what_was_kept_for_one_person_opens_for_nobody_else(house: House, later: Callable[[float], None]) -> None:
    nurse = log_in(house.staff["nurse"])
    later(16 * MINUTE)
    [held] = hidden(nurse.post("/patients/", {"q": "Minecanary"}).content.decode(), "held")
    other = log_in(house.staff["counsellor"])
    for spoiled in (held, held[:-4], "x", ""):
        answer = unlock(other, held=spoiled)
        assert answer.status_code == 302 and "Minecanary" not in answer.content.decode()


def test_a_person_on_another_ones_page_does_not_open_it(house: House) -> None:
    client = log_in(house.staff["nurse"])
    answer = unlock(client, user=str(house.staff["counsellor"].public_id))
    assert answer.status_code == 409 and b"Somebody else" in answer.content


def test_the_button_locks_at_once(house: House) -> None:
    client = log_in(house.staff["nurse"])
    assert 'action="/accounts/lock/"' in client.get("/caseload/").content.decode()
    assert client.get(LOCK).status_code == 405
    assert client.post(LOCK, headers={"Referer": "http://testserver/caseload/"})["Location"] == f"{UNLOCK}?next=%2Fcaseload%2F"
    assert client.get("/caseload/").status_code == 302
    assert unlock(client, next="/caseload/")["Location"] == "/caseload/"
    assert AccessEvent.objects.filter(view="unlock", reason="unlocked; locked by hand").count() == 1


def test_a_session_ends_twelve_hours_after_the_log_in_whatever_is_done(house: House, later: Callable[[float], None]) -> None:
    client, page = log_in(house.staff["nurse"]), page_of("demographics", house.mine)
    for _ in range(71):
        later(10 * MINUTE)
        assert client.get(TOUCHED).status_code == 200 and client.post(TOUCHED).status_code == 204
    later(10 * MINUTE)
    ended = client.get(page, follow=True)
    assert ended.redirect_chain[0][0] == f"{LOGIN}?next={page.replace('/', '%2F')}&ended=1"
    assert "Twelve hours after a log-in a session ends" in page_words(ended) and "not saved" not in page_words(ended)
    assert client.post(LOGIN, {"login": "nurse", "password": PASSWORD, "next": page})["Location"] == page
    later(12 * HOUR)
    assert "what you just sent was not saved" in page_words(client.post(page, {"phone": "555"}, follow=True))


def draft(episode: Episode) -> str:
    return f"/episodes/{episode.public_id}/intake/strengths/1/"


@pytest.mark.parametrize("number", [pytest.param(1), pytest.param(20, marks=pytest.mark.thorough)])
def test_every_draft_survives_the_lock_and_the_end(house: House, later: Callable[[float], None], number: int) -> None:
    nurse = house.staff["nurse"]
    episodes = [make_episode(house.staff["intake"], house.program, last_name=f"Draft{each}") for each in range(number)]
    house.program.duty_team.add(nurse)
    with acting(house.staff["supervisor"], "care_team.assign"):
        for episode in episodes:
            actions.join_care_team(by=house.staff["supervisor"], episode=episode, user=nurse)
    client = log_in(nurse)
    client.get("/caseload/")

    def say(episode: Episode, question: str, text: str) -> int:
        shown = re.findall(r'name="(version|shown|key)[^"]*" value="([^"]*)"', client.get(draft(episode)).content.decode())
        sent: dict[str, Any] = {"shown": [value for name, value in shown if name == "shown"], f"a-{question}": text}
        sent |= {name: value for name, value in shown if name != "shown"}
        return client.post(draft(episode), sent, headers=BY_SCRIPT[0]).status_code

    assert [say(episode, "goals", f"Goal {each}") for each, episode in enumerate(episodes)] == [200] * number
    later(15 * MINUTE)
    assert client.post(draft(episodes[0]), {"a-goals": "lost?"}, headers=BY_SCRIPT[0]).status_code == 423
    unlock(client)
    whole = [f"Goal {each}" in client.get(draft(episode)).content.decode() for each, episode in enumerate(episodes)]
    later(12 * HOUR)
    assert client.get(draft(episodes[0])).status_code == 302
    client = log_in(nurse)
    again = [f"Goal {each}" in client.get(draft(episode)).content.decode() for each, episode in enumerate(episodes)]
    assert (whole, again) == ([True] * number, [True] * number)


def test_a_signature_that_comes_too_late_is_kept_and_asked_for_again(house: House) -> None:
    client = Client()
    client.force_login(house.staff["prescriber"])
    page = page_of("sign", house.mine)
    late = client.post(page, {"read": "on", "reason": "typed at length"})
    assert late.status_code == 403 and "sign the plan" in page_words(late) and "Locked" not in page_words(late)
    [held] = hidden(late.content.decode(), "held")
    wrong = client.post(UNLOCK, {"password": "wrong", "held": held})
    assert "sign the plan" in page_words(wrong)
    kept = unlock(client, held=held).content.decode()
    assert f'action="{page}"' in kept and hidden(kept, "reason") == ["typed at length"]
    assert client.post(page, {"read": "on"}).status_code != 403, "and now the identity is fresh"


@pytest.mark.parametrize("wrong", ["0", "61", "-5", "1.5", "ten", "", "١٥"])
def test_minutes_are_a_number_from_1_to_60(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("STEADY_LOCK_MINUTES", wrong)
    with pytest.raises(ImproperlyConfigured, match="STEADY_LOCK_MINUTES"):
        _minutes("STEADY_LOCK_MINUTES", default=15, most=60)
    monkeypatch.setenv("STEADY_LOCK_MINUTES", " 5 ")
    assert _minutes("STEADY_LOCK_MINUTES", default=15, most=60) == 5
