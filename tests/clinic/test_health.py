"""Alive, ready, and a database that is away: 503 with a sentence, nobody's data, and back by itself at the next request."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import DatabaseError, DataError, IntegrityError, OperationalError, ProgrammingError, connection, connections
from django.db.backends.postgresql import base as stock
from django.http import HttpResponse
from django.test import Client, RequestFactory

from clinic import audit, database, health
from clinic.models import AccessEvent, Patient
from clinic.postgres import base
from clinic.views import errors
from tests import databases
from tests.clinic.test_access import logged_in
from tests.clinic.test_pages import REGISTRATION, page_of
from tests.people import PASSWORD, House, make_house

CANARIES = ("Minecanary", "Othercanary", "Foreigncanary", "Rivera")


@pytest.fixture
def house(real_transactions: None) -> House:
    return make_house()


@contextmanager
def statements(*there_and_back: tuple[str, str]) -> Iterator[None]:
    """What the superuser does to this worker's database, and undoes."""
    with databases.admin(databases.NAME) as admin:
        for there, _ in there_and_back:
            admin.execute(there)
        yield
        for _, back in there_and_back:
            admin.execute(back)


@contextmanager
def stopped(tmp_path: Path) -> Iterator[None]:
    """As if the server were gone: nobody listens where it was."""
    for name in connections:
        connections[name].close()
    before = connection.settings_dict["HOST"]
    connection.settings_dict["HOST"] = str(tmp_path)
    yield
    connection.settings_dict["HOST"] = before


@contextmanager
def full(tmp_path: Path) -> Iterator[None]:
    """No connection is left for the web role."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = session_user")
        superuser = cursor.fetchone()[0]
    connection.close()
    limit = f'ALTER DATABASE "{databases.NAME}" CONNECTION LIMIT'
    with as_the_web_role_itself() if superuser else nullcontext(), statements((f"{limit} 0", f"{limit} -1")):
        yield


@contextmanager
def as_the_web_role_itself() -> Iterator[None]:
    """A superuser, whom no limit of connections holds back, logs in for most tests; here the web role does, as it serves."""
    if os.environ[databases.SERVER] != databases.EMBEDDED:
        pytest.skip("A superuser of an outside server logs in for the tests, and the web role's password there is not ours.")
    before = connection.settings_dict["USER"], connection.settings_dict["OPTIONS"]["options"]
    connection.settings_dict["USER"] = database.WEB
    connection.settings_dict["OPTIONS"]["options"] = before[1].replace(f"-c role={database.WEB}", "")
    yield
    connection.close()
    connection.settings_dict["USER"], connection.settings_dict["OPTIONS"]["options"] = before


OUTAGES = [stopped, full]


def visit(house: House, client: Client) -> dict[str, HttpResponse]:
    """A look and a post of every kind: pages, log-in, a page that is not there."""
    registration = {**REGISTRATION, "program": str(house.program.pk), "key": "b5ae2b79-4f0f-4f6e-8d2c-04f1b51e5a55"}
    return {
        "caseload": client.get("/caseload/"),
        "chart": client.get(page_of("chart", house.mine)),
        "log-in": Client(raise_request_exception=False).get("/accounts/login/"),
        "logging in": Client(raise_request_exception=False).post("/accounts/login/", {"login": "nurse", "password": PASSWORD}),
        "register": client.post("/patients/register/", registration),
        "search": client.post("/patients/", {"q": "Minecanary"}),
        "admin": client.get("/admin/"),
        "nowhere": client.get(f"/episodes/{house.mine.public_id}/nowhere/"),
    }


def check_unavailable(name: str, answer: HttpResponse) -> None:
    body = answer.content.decode()
    assert answer.status_code == 503, name
    assert answer["Retry-After"] == "5" and "The records do not answer right now" in body, name
    assert answer["Cache-Control"] == "no-store, private"
    assert not any(canary in body for canary in CANARIES)


@pytest.mark.thorough
@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.__name__)
def test_away_and_back(house: House, outage: Callable[[Path], AbstractContextManager], tmp_path: Path) -> None:
    client = logged_in(house.staff["supervisor"])
    assert client.get("/caseload/").status_code == 200
    with outage(tmp_path):
        for name, answer in visit(house, client).items():
            check_unavailable(name, answer)
        ready = client.get("/readyz")
        assert ready.status_code == 503 and ready.json()["problems"]["database"] == "The database does not answer."
        assert client.get("/healthz").content == b"alive\n"
    after = visit(house, client)
    assert [after[name].status_code for name in ("caseload", "chart", "log-in", "logging in", "register", "search")] == [
        200, 200, 200, 302, 302, 200,
    ]  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_a_connection_that_ends_in_mid_request(house: House, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """Before the page reads its first row, between reading and recording, and between recording and COMMIT."""
    client = logged_in(house.staff["nurse"])

    def end_all() -> None:
        with databases.admin() as admin:
            admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [databases.NAME])

    stock = audit.record

    def record(*args: Any, **kwargs: Any) -> AccessEvent:
        if when == "during":
            end_all()
        event = stock(*args, **kwargs)
        if when == "after":
            end_all()
        return event

    monkeypatch.setattr(audit, "record", record)
    if when == "before":
        end_all()
        answer = client.get("/caseload/")
        assert answer.status_code in (200, 503), "a broken connection may be found before it is used"
    else:
        check_unavailable(when, client.get("/caseload/"))
    monkeypatch.setattr(audit, "record", stock)
    assert client.get("/caseload/").status_code == 200


@pytest.mark.thorough
def test_a_lock_that_is_held_ends_in_a_sentence(house: House) -> None:
    """The web role's own limit, shortened here: the server gives up, and the connection serves on."""
    client = logged_in(house.staff["nurse"])
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
    with databases.admin(databases.NAME) as admin, admin.transaction():
        admin.execute("LOCK TABLE clinic_episode")
        check_unavailable("locked", client.get("/caseload/"))
    assert client.get("/caseload/").status_code == 200


def test_a_server_that_says_nothing_ends_in_a_sentence(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's limit but the driver's holds then. The connection is given up, and the next request makes another."""
    client = logged_in(house.staff["nurse"])
    with databases.admin(databases.NAME) as admin, admin.transaction():
        admin.execute("LOCK TABLE clinic_episode")
        monkeypatch.setattr(base, "ANSWER_SECONDS", 0.3)
        monkeypatch.setattr(base, "SILENT_SECONDS", 0)
        check_unavailable("silent", client.get("/caseload/"))
        monkeypatch.undo()
    assert client.get("/caseload/").status_code == 200


@pytest.mark.thorough
def test_who_says_nothing_is_not_asked_again_over_a_new_connection(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look whether a kept connection still works is what waits then; a new one would make the same request wait twice."""
    client = logged_in(house.staff["nurse"])
    assert client.get("/caseload/").status_code == 200
    asked: list[object] = []
    connection.close_if_unusable_or_obsolete()  # as between two requests of a kept connection
    monkeypatch.setattr(stock.DatabaseWrapper, "get_new_connection", lambda wrapper, params: asked.append(params))
    monkeypatch.setattr(base, "ANSWER_SECONDS", 0)
    monkeypatch.setattr(base, "SILENT_SECONDS", 600)
    check_unavailable("silent", client.get("/caseload/"))
    assert not asked
    monkeypatch.undo()
    connection.silent_until = 0  # type: ignore[attr-defined]
    assert client.get("/caseload/").status_code == 200


@pytest.mark.thorough
def test_ready_does_not_wait_for_a_server_that_says_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "READY_SECONDS", 0.1)
    with databases.admin(databases.NAME) as admin, admin.transaction():
        admin.execute("LOCK TABLE django_migrations")
        answer = Client().get("/readyz")
    assert answer.status_code == 503 and answer.json()["problems"] == health.NO_ANSWER


def test_a_counter_that_cannot_be_kept_is_no_attempt_too_many(house: House) -> None:
    """A right password on a full disk got 429: whoever wrote the counter was told that it was taken."""
    full = (
        "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'full' USING ERRCODE = 'disk_full'; END $$;"
        "CREATE TRIGGER no_space BEFORE INSERT OR UPDATE ON clinic_cache EXECUTE FUNCTION no_space()",
        "DROP FUNCTION no_space() CASCADE",
    )
    client = Client(raise_request_exception=False)
    with statements(full):
        check_unavailable("logging in", client.post("/accounts/login/", {"login": "nurse", "password": PASSWORD}))
    assert client.post("/accounts/login/", {"login": "nurse", "password": PASSWORD}).status_code == 302


NO_ACCESS = "ALTER TABLE clinic_accessevent"
NO_CHANGE = "ALTER TABLE clinic_change"
UNRECORDED = {
    "a check on accesses": (f"{NO_ACCESS} ADD CONSTRAINT no CHECK (false) NOT VALID", f"{NO_ACCESS} DROP CONSTRAINT no"),
    "no privilege on accesses": (
        "REVOKE INSERT ON clinic_accessevent FROM steady_web", "GRANT INSERT ON clinic_accessevent TO steady_web",
    ),
    "no table of accesses": (f"{NO_ACCESS} RENAME TO gone", "ALTER TABLE gone RENAME TO clinic_accessevent"),
}  # fmt: skip
UNCHANGEABLE = {
    "a check on changes": (f"{NO_CHANGE} ADD CONSTRAINT no CHECK (false) NOT VALID", f"{NO_CHANGE} DROP CONSTRAINT no"),
    "no privilege on changes": ("REVOKE INSERT ON clinic_change FROM steady_owner", "GRANT INSERT ON clinic_change TO steady_owner"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", UNRECORDED)
def test_no_page_without_a_record_of_who_read_it(house: House, name: str) -> None:
    client = logged_in(house.staff["supervisor"])
    with statements(UNRECORDED[name]):
        for page in ("/caseload/", page_of("chart", house.mine), page_of("demographics", house.mine)):
            check_unavailable(page, client.get(page))
        check_unavailable("search", client.post("/patients/", {"q": "Minecanary"}))
    assert client.get("/caseload/").status_code == 200


@pytest.mark.thorough
@pytest.mark.parametrize("name", UNCHANGEABLE)
def test_no_change_without_a_record_of_it(house: House, name: str) -> None:
    client = logged_in(house.staff["supervisor"])
    form = {**REGISTRATION, "program": str(house.program.pk), "key": "b5ae2b79-4f0f-4f6e-8d2c-04f1b51e5a55"}
    with statements(UNCHANGEABLE[name]):
        check_unavailable("register", client.post("/patients/register/", form))
    assert not Patient.objects.filter(legal_last_name="Rivera").exists()
    assert client.post("/patients/register/", form).status_code == 302


def caused(kind: type[Exception], cause: Exception | None = None) -> Exception:
    error = kind("x")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (OperationalError(), True), (ProgrammingError(), True), (DatabaseError(), True), (audit.AuditFailed(), True),
        (caused(DataError), False), (caused(IntegrityError), False), (caused(IntegrityError, psycopg.errors.CheckViolation("x")), False),
        (ValueError(), False), (None, False),
    ],
)  # fmt: skip
def test_what_is_an_outage_and_what_a_mistake_of_ours(error: Exception | None, outage: bool) -> None:
    assert health.is_outage(error) is outage


def test_a_mistake_of_ours_is_a_500_with_a_sentence(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise ValueError("Minecanary")

    client = logged_in(house.staff["nurse"])
    monkeypatch.setattr(audit, "record", fail)
    answer = client.get("/caseload/")
    assert answer.status_code == 500 and "Something went wrong on our side" in answer.content.decode()
    assert "Minecanary" not in answer.content.decode()


def test_a_session_that_cannot_be_saved_is_an_outage_and_one_that_was_deleted_is_not(rf: RequestFactory) -> None:
    """Django calls both a bad request. What the request saved before is not called unsaved."""
    request = rf.post("/")
    request.committing = True  # type: ignore[attr-defined]
    deleted, away = SessionInterrupted(), SessionInterrupted()
    deleted.__context__, away.__context__ = caused(UpdateError), caused(UpdateError)
    away.__context__.__context__ = OperationalError()
    assert errors.bad_request(request, deleted).status_code == 400
    answer = errors.bad_request(request, away)
    assert answer.status_code == 503 and answer["Retry-After"] and "may or may not have been saved" in answer.content.decode()


# Alive and ready


def test_ready_names_a_server_that_forgets(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.conf.settings.STEADY_ENV", "production")
    monkeypatch.setattr(health, "SHOW_DURABLE", "SELECT 'on', 'off', 'on'")
    assert Client().get("/readyz").json()["problems"] == {
        "durability": "The database server can lose what it has saved: full_page_writes is off and must be on."
    }


def test_alive_and_ready(house: House) -> None:
    assert Client().get("/healthz").content == b"alive\n"
    answer = Client().get("/readyz")
    assert answer.status_code == 200 and answer.json() == {"ready": True, "problems": {}}


@pytest.mark.parametrize(
    ("there", "back", "problem", "sentence"),
    [
        (*UNRECORDED["no privilege on accesses"], "audit", "The web role cannot write access events, so no record may be shown."),
        (*UNRECORDED["no table of accesses"], "audit", "The web role cannot write access events, so no record may be shown."),
        (
            "DELETE FROM django_migrations WHERE app = 'plans'", "", "migrations", "Some migrations have not been applied.",
        ),
        (
            f"GRANT TEMPORARY ON DATABASE {databases.NAME} TO PUBLIC", f"REVOKE TEMPORARY ON DATABASE {databases.NAME} FROM PUBLIC",
            "walls", "The web role may make temporary tables, which could catch the record of accesses.",
        ),
    ],
    ids=["privilege", "table", "migrations", "temporary"],
)  # fmt: skip
def test_ready_names_what_stands_in_the_way(real_transactions: None, there: str, back: str, problem: str, sentence: str) -> None:
    with statements((there, back or "SELECT 1")):
        answer = Client().get("/readyz")
        assert answer.status_code == 503 and answer.json() == {"ready": False, "problems": {problem: sentence}}
