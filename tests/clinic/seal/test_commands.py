"""The three commands, as whoever looks after a clinic meets them."""

import datetime
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction

from clinic.seal import Head, SealProblem, head, keys, outside, places
from tests import databases
from tests.clinic.seal.conftest import NAME, Record


@pytest.fixture
def at_hand(record: Record, settings: object, monkeypatch: pytest.MonkeyPatch) -> Record:
    """The environment names this record's files, and its database is the owner's connection."""
    settings.AUDIT_KEY, settings.SEAL_COPY = str(record.key_file), str(record.copy)  # type: ignore[attr-defined]
    monkeypatch.setattr(places, "database", lambda: record.database)
    return record


def run(name: str, *arguments: str) -> tuple[int, str, str]:
    """(exit code, what it said, what it complained of)."""
    said, complained = StringIO(), StringIO()
    try:
        call_command(name, *arguments, stdout=said, stderr=complained)
    except SystemExit as ended:
        return int(ended.code or 0), said.getvalue(), complained.getvalue()
    return 0, said.getvalue(), complained.getvalue()


def test_verify_says_what_was_checked_and_what_is_not_sealed(at_hand: Record) -> None:
    at_hand.work(1)
    at_hand.seal()
    code, said, complained = run("verify_audit")
    assert (code, complained) == (0, "")
    assert "1 seals and 7 rows checked, 0 problems. The key is " in said and "Everything is sealed." in said
    at_hand.work(2)
    code, said, complained = run("verify_audit")
    today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    assert (code, complained) == (0, "") and f"7 rows are not sealed yet, the oldest from {today}" in said


def test_verify_warns_of_what_has_waited_for_more_than_a_day(at_hand: Record) -> None:
    at_hand.work(1)
    at_hand.database.execute("UPDATE clinic_accessevent SET at = at - interval '25 hours' WHERE id = 1")
    code, _, complained = run("verify_audit")
    assert code == 0 and complained.startswith("Warning: some of them are older than a day.")


def test_verify_names_the_first_bad_row_says_how_many_more_and_exits_1(at_hand: Record) -> None:
    at_hand.work(1)
    at_hand.seal()
    at_hand.database.execute("DELETE FROM clinic_accessevent WHERE id IN (2, 3, 4)")
    code, said, complained = run("verify_audit")
    assert (code, complained) == (1, "Access 2: removed since seal 1.\n2 more; --all names them.\n")
    assert "3 problems" in said
    code, _, complained = run("verify_audit", "--all")
    assert code == 1 and complained.splitlines() == [f"Access {number}: removed since seal 1." for number in (2, 3, 4)]


def test_without_files_or_keys_the_commands_say_what_is_missing(at_hand: Record, settings: object) -> None:
    outside.public_file(at_hand.copy).unlink()
    with pytest.raises(CommandError, match="nobody can tell who signed the seals"):
        run("verify_audit")
    at_hand.key_file.unlink()
    settings.PRODUCTION = True  # type: ignore[attr-defined]
    with pytest.raises(CommandError, match="There is no key at .* `manage.py make_audit_key` makes one"):
        run("seal_audit")
    code, said, _ = run("make_audit_key")
    assert code == 0 and str(at_hand.key_file) in said
    with pytest.raises(CommandError, match="is there already"):
        run("make_audit_key")
    settings.SEAL_COPY = ""  # type: ignore[attr-defined]
    for command in ("seal_audit", "verify_audit", "make_audit_key"):
        with pytest.raises(CommandError, match="STEADY_SEAL_COPY is not set"):
            run(command)


def test_in_trial_the_first_run_makes_the_key(at_hand: Record) -> None:
    at_hand.key_file.unlink()
    outside.public_file(at_hand.copy).unlink()
    assert run("seal_audit")[1] == "Nothing to seal.\n"
    assert keys.private(at_hand.key_file, outside.public_file(at_hand.copy))


def test_only_the_owner_seals_and_verifies(db: None) -> None:
    with pytest.raises(SealProblem, match="as the owner of the database"):
        places.database()


@pytest.mark.thorough
def test_the_commands_as_they_are_typed(record: Record) -> None:
    """From the shell, with the owner's address; the exit codes are the shell's."""
    files = {"STEADY_AUDIT_KEY": str(record.key_file), "STEADY_SEAL_COPY": str(record.copy)}
    addresses = {"DATABASE_URL": databases.address(NAME, "steady_web"), "DATABASE_OWNER_URL": databases.address(NAME)}
    environment = os.environ | files | addresses | {"STEADY_ENV": "development"}

    def typed(command: str) -> subprocess.CompletedProcess[str]:
        manage = [sys.executable, str(databases.CHECKOUT / "manage.py"), command]
        return subprocess.run(manage, env=environment, capture_output=True, text=True, check=False)

    record.work(1)
    record.seal()  # an open transaction of another test may hold the command's own run back
    assert typed("seal_audit").returncode == 0
    clean = typed("verify_audit")
    assert (clean.returncode, clean.stderr) == (0, "") and "0 problems" in clean.stdout
    record.database.execute("UPDATE clinic_change SET reason = 'x' WHERE id = 2")
    bad = typed("verify_audit")
    assert (bad.returncode, bad.stderr) == (1, "Change 2: changed since seal 1.\n")


# The head, and the web role


def test_the_head_is_the_newest_seal(record: Record, db: None) -> None:
    assert head() is None
    record.work(1)
    record.seal()
    row = record.database.execute("SELECT number, at, clock, hash, document, signature, listed FROM clinic_seal").fetchone()
    with databases.admin(databases.NAME) as owner:
        owner.execute(
            "INSERT INTO clinic_seal (number, at, clock, hash, document, signature, listed) VALUES (%s, %s, %s, %s, %s, %s, %s)", row
        )
        try:
            assert head() == Head(1, row[3])  # type: ignore[index]
        finally:
            owner.execute("DELETE FROM clinic_seal")


REFUSED = [
    "INSERT INTO clinic_seal (number, at, clock, hash, document, signature, listed) VALUES (1, now(), 1, '', '', '', '')",
    "UPDATE clinic_seal SET number = 1", "DELETE FROM clinic_seal", "TRUNCATE clinic_seal", "ALTER TABLE clinic_seal RENAME TO seals",
    "UPDATE clinic_accessevent SET transaction = 0", "UPDATE clinic_change SET transaction = 0",
    "TRUNCATE clinic_accessevent, clinic_change",
    "ALTER TABLE clinic_accessevent DISABLE TRIGGER steady_stamp", "ALTER TABLE clinic_patient DISABLE TRIGGER ALL",
    "DROP TRIGGER steady_stamp ON clinic_accessevent", "SET session_replication_role = replica",
    "CREATE OR REPLACE FUNCTION steady_era() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT 7::bigint'", "DROP FUNCTION steady_era()",
    "CREATE OR REPLACE FUNCTION steady_stamp_access() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "ALTER SEQUENCE clinic_change_id_seq RESTART", "SELECT setval('clinic_change_id_seq', 1)",
    "SELECT setval('clinic_accessevent_id_seq', 1)",
    "CREATE RULE quiet AS ON INSERT TO clinic_accessevent DO INSTEAD NOTHING", "SELECT pg_read_file('/etc/hostname')",
    "COPY clinic_seal TO PROGRAM 'cat'",
]  # fmt: skip


@pytest.mark.parametrize("statement", REFUSED)
def test_the_web_role_seals_nothing_and_alters_nothing(db: None, statement: str) -> None:
    with pytest.raises(ProgrammingError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert any(words in str(caught.value) for words in ("permission denied", "must be owner")), caught.value


def test_the_database_numbers_an_access_itself(db: None) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('steady.user_id', '7', true)")
        cursor.execute(
            "INSERT INTO clinic_accessevent (at, user_id, roles, action, view, patients, outcome, reason, transaction)"
            " VALUES (now(), 7, '{}', '', '', '{}', 'denied', '', -5)"
            " RETURNING transaction = pg_current_xact_id()::text::bigint + steady_era()"
        )
        assert cursor.fetchone() == (True,)


def test_the_key_and_the_copy_are_of_no_use_to_the_web_server() -> None:
    """Nothing that serves reads the two settings."""
    served = [path for app in ("clinic", "intake", "plans") for path in (databases.CHECKOUT / app).rglob("*.py")]
    using = {str(path.relative_to(databases.CHECKOUT)) for path in served if {"AUDIT_KEY", "SEAL_COPY"} & set(_words(path))}
    assert using == {"clinic/settings.py", "clinic/seal/places.py", "clinic/management/commands/set_up.py"}


def _words(path: Path) -> list[str]:
    return path.read_text().replace(".", " ").replace(",", " ").replace("(", " ").replace(")", " ").split()
