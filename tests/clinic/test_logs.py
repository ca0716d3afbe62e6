"""No line of a log holds what was to be stored: neither ours nor the database server's."""

import io
import json
import logging
import os
import time
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import DataError, IntegrityError, OperationalError, ProgrammingError, connection, transaction
from django.http import HttpResponse
from django.test import Client

from clinic import database
from clinic.checks import the_servers_log_holds_no_patient
from clinic.logs import JsonLines, WithoutValues, said
from clinic.models import Patient
from clinic.transaction import acting
from tests import databases
from tests.canaries import watched
from tests.clinic.test_access import logged_in
from tests.clinic.test_pages import page_of
from tests.people import House, make_house

OWN_SERVER = pytest.mark.skipif(
    os.environ.get(databases.SERVER) != databases.EMBEDDED,
    reason="the log of another server is not ours to read",
)


@pytest.fixture
def house(db: None) -> House:
    return make_house()


@pytest.fixture
def lines() -> Any:
    """A logger with the handler of the settings; returns it and where its lines go."""
    handler = logging.StreamHandler(out := io.StringIO())
    handler.setFormatter(logging.Formatter(settings.LOGGING["formatters"]["plain"]["format"]))
    handler.addFilter(WithoutValues())
    log = logging.getLogger("tests.lines")
    log.addHandler(handler)
    log.propagate = False
    yield log, out
    log.removeHandler(handler)


def fail(canary: str, house: House) -> None:
    """Statements that a person's data makes fail: a check, a unique key, a type, a length, a row without a name."""
    patient = house.mine.patient
    with acting(house.staff["nurse"], "patient.edit"):
        match canary[0]:
            case "a":
                Patient.objects.filter(pk=patient.pk).update(legal_last_name=canary, version=-1)
            case "b":
                Patient.objects.create(**row_of(patient, canary))
            case "c":
                Patient.objects.filter(pk=patient.pk).update(legal_last_name=canary * 9)
            case "d":
                with connection.cursor() as cursor:
                    cursor.execute("SELECT %s::text, %s::text::uuid", [canary, canary])
            case "e":
                with connection.cursor() as cursor:
                    cursor.execute("SELECT nothing FROM clinic_patient WHERE legal_last_name = %s", [canary])


def row_of(patient: Patient, canary: str) -> dict[str, Any]:
    names = ("program_id", "record_number", "birth_date", "sex_at_birth", "registered_by_id", "registration_key")
    return {name: getattr(patient, name) for name in names} | {"legal_last_name": canary, "legal_first_name": canary}


FAULTS = {"a": IntegrityError, "b": IntegrityError, "c": DataError, "d": DataError, "e": ProgrammingError}


@pytest.mark.parametrize("kind", FAULTS)
def test_our_lines_hold_class_and_state_and_no_value(house: House, lines: Any, kind: str) -> None:
    log, out = lines
    canary = f"{kind}canary{uuid.uuid4().hex}"
    with pytest.raises(FAULTS[kind]) as caught, transaction.atomic():
        fail(canary, house)
    log.error("Internal Server Error: %s", "/patients/register/", exc_info=caught.value)
    log.error("it was %s", caught.value)
    log.error(caught.value)
    text = out.getvalue()
    assert canary not in text and "DETAIL" not in text
    assert f"django.db.utils.{FAULTS[kind].__name__} (SQLSTATE {caught.value.__cause__.sqlstate})" in text  # type: ignore[union-attr]
    assert "which led to:" in text and "test_logs.py" in text, "where and through what it happened is kept"


def test_what_a_database_error_led_to_is_cleaned_too(lines: Any) -> None:
    log, out = lines
    name = "Minecanary"  # not in the lines below, which a traceback quotes
    try:
        try:
            raise psycopg.errors.CheckViolation(f"DETAIL: Failing row contains ({name})")
        except psycopg.Error as error:
            raise RuntimeError("while saving") from IntegrityError(name, error)
    except RuntimeError:
        log.exception("a page failed")
    assert "Minecanary" not in out.getvalue()
    assert "RuntimeError: while saving" in out.getvalue() and "a page failed" in out.getvalue()


def test_a_circle_of_causes_ends(lines: Any) -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    lines[0].error("x", exc_info=one)
    assert "ValueError: one" in lines[1].getvalue()
    assert said(KeyError("name")) == "KeyError: 'name'"


def test_why_no_connection_came_about_is_said() -> None:
    assert said(psycopg.OperationalError("connection refused")) == "psycopg.OperationalError: connection refused"
    assert said(psycopg.errors.DiskFull("Minecanary")) == "psycopg.errors.DiskFull (SQLSTATE 53100)"
    assert said(psycopg.DataError("Minecanary")) == "psycopg.DataError (SQLSTATE none)"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Whatever reaches the handler of production; returns a function that gives its lines as they are."""
    handler = logging.StreamHandler(out := io.StringIO())
    handler.setFormatter(JsonLines())
    handler.addFilter(WithoutValues(words=False))
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    requests = logging.getLogger("steady.request")
    before = requests.level
    requests.setLevel(logging.INFO)
    yield out.getvalue
    requests.setLevel(before)


def test_a_request_has_one_line_in_production(house: House, written: Any) -> None:
    nurse = house.staff["nurse"]
    answer = logged_in(nurse).get(page_of("chart", house.mine), {"q": "Minecanary"})
    (line,) = [json.loads(text) for text in written().splitlines()]
    assert line.pop("milliseconds") >= 0 and line.pop("time").endswith("+00:00")
    assert line == {
        "level": "INFO", "logger": "steady.request", "message": "answered", "request": answer["X-Request-ID"], "view": "chart",
        "user": str(nurse.public_id), "status": 200,
    }  # fmt: skip
    assert str(house.mine.public_id) not in written() and "Minecanary" not in written()


def test_probes_and_what_nobody_asked_for(house: House, written: Any) -> None:
    client = Client()
    assert client.get("/healthz")["X-Request-ID"] and written() == ""
    client.get(f"/nowhere/{house.mine.public_id}/?q=Minecanary")
    (line,) = [json.loads(text) for text in written().splitlines()]
    assert (line["status"], line["view"], line["user"]) == (404, "", "")


def test_a_fault_is_found_by_the_number_on_its_page(house: House, written: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        int("Minecanary")

    client = logged_in(house.staff["nurse"])
    client.raise_request_exception = False
    monkeypatch.setattr("clinic.audit.record", fail)
    answer = client.get(page_of("chart", house.mine))
    number = answer["X-Request-ID"]
    assert answer.status_code == 500 and f"<code>{number}</code>" in answer.content.decode()
    trace, line = [json.loads(text) for text in written().splitlines()]
    assert trace["request"] == line["request"] == number and (line["status"], line["level"]) == (500, "ERROR")
    assert trace["message"] == "Internal Server Error: chart" and "in fail" in trace["trace"] and trace["trace"].endswith("\nValueError")
    assert str(house.mine.public_id) not in written() and '"Minecanary"' not in trace["trace"].replace('int("Minecanary")', "")


def test_an_outage_names_its_number_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise OperationalError("gone")

    client = logged_in(house.staff["nurse"])
    monkeypatch.setattr("clinic.audit.record", fail)
    answer = client.get("/caseload/")
    assert answer.status_code == 503 and f"<code>{answer['X-Request-ID']}</code>" in answer.content.decode()


def test_exceptions_keep_their_words_to_themselves_in_production(written: Any) -> None:
    log = logging.getLogger("tests.production")
    log.error("it was %s", ValueError("Minecanary"))
    log.error(KeyError("Minecanary"))
    log.error(psycopg.OperationalError("connection refused"))
    assert [json.loads(text)["message"] for text in written().splitlines()] == [
        "it was ValueError", "KeyError", "psycopg.OperationalError: connection refused",
    ]  # fmt: skip


def test_where_a_form_came_from_is_its_host(house: House, written: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(house.staff["nurse"])
    page = f"https://elsewhere.example.org{page_of('chart', house.mine)}?q=Minecanary"
    assert client.post(page_of("demographics", house.mine), {}, secure=True, headers={"referer": page}).status_code == 403
    refused = json.loads(written().splitlines()[0])
    assert refused["message"].endswith("https://elsewhere.example.org does not match any trusted origins.): demographics")
    assert str(house.mine.public_id) not in written() and "Minecanary" not in written()


def test_a_line_is_a_line(written: Any) -> None:
    logging.getLogger("tests.production").error("one\n%s", "two\r\u2028three")
    assert written().count("\n") == 1 and json.loads(written())["message"] == "one\ntwo\r\u2028three"


@pytest.mark.parametrize("where", ["log", "title", "address"])
def test_the_watch_over_all_tests_sees_a_name(house: House, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def page(*args: object, **kwargs: object) -> HttpResponse:
        if where == "log":
            logging.getLogger("tests.watch").error("about %s", "Minecanary")
        headers = {"Location": "/?q=Minecanary"} if where == "address" else {}
        return HttpResponse("<title>Minecanary</title>" if where == "title" else "Minecanary", headers=headers)

    client = logged_in(house.staff["nurse"])
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # not seen by the watch itself
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "request", lambda self, **environ: page())
        with watched(patch) as found:
            client.get("/caseload/")
    assert len(found) == 1 and "Minecanary" in found[0]


def test_the_filter_is_on_every_handler_that_writes() -> None:
    assert all("without_values" in handler["filters"] for handler in settings.LOGGING["handlers"].values())


@OWN_SERVER
@pytest.mark.parametrize("kind", FAULTS)
def test_the_servers_log_holds_no_value(house: House, kind: str) -> None:
    canary = f"{kind}canary{uuid.uuid4().hex}"
    log = database.cluster("test").log
    before = log.stat().st_size
    with pytest.raises(FAULTS[kind]), transaction.atomic():
        fail(canary, house)
    deadline = time.monotonic() + 5
    while log.stat().st_size == before and time.monotonic() < deadline:
        time.sleep(0.02)
    with log.open("rb") as file:
        file.seek(before)
        text = file.read().decode(errors="replace")
    assert "ERROR" in text
    # A value that is no uuid is in the message itself, which no setting leaves out: forms refuse it long before.
    assert kind == "d" or canary not in text
    assert "DETAIL" not in text and "STATEMENT" not in text


def test_values_travel_apart_from_statements(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid() AND %s::text <> ''", ["Minecanary"])
        assert "Minecanary" not in cursor.fetchone()[0]


def test_a_server_that_writes_statements_down_is_named(real_transactions: None) -> None:
    assert the_servers_log_holds_no_patient(None, databases=None) == []
    found = {warning.msg.split(": ")[1].split(" ")[0] for warning in the_servers_log_holds_no_patient(None, databases=["default"])}
    if os.environ.get(databases.SERVER) == databases.EMBEDDED:
        assert found == set()
    with databases.admin(databases.NAME) as admin:
        admin.execute(f"ALTER DATABASE {databases.NAME} SET log_error_verbosity = verbose")
        connection.close()
        found = {warning.msg.split(": ")[1].split(" ")[0] for warning in the_servers_log_holds_no_patient(None, databases=["default"])}
        admin.execute(f"ALTER DATABASE {databases.NAME} RESET log_error_verbosity")
    assert "log_error_verbosity" in found
