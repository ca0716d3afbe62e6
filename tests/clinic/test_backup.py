"""A backup opens with its key alone, whole or not at all, and restores into an empty database to the last byte. See test_restore.py too."""

import errno
import io
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pyrage
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinic import database
from clinic.backup import BackupProblem, contents, envelope, make, restore
from clinic.backup.database import LEFT_OUT
from clinic.settings import _database
from tests import databases
from tests.people import House, make_house

KEY = pyrage.x25519.Identity.generate()
ROWS = b"1\tMinecanary\n2\tOther\\ncanary\n"


def quiet(table: str, rows: int) -> None:
    pass


def small(rows: bytes = ROWS, claimed: bytes = ROWS, more: bytes = b"") -> bytes:
    """The plain text of a backup of one table."""
    tally = contents.Tally("person", quiet)
    list(tally.watch([claimed]))
    manifest = contents.Manifest("1", "now", "18", [], {}, {}, None, {"person": tally.table(["id", "name"])})
    return contents.FIRST_LINE + contents.heading("person", ["id", "name"]) + rows + contents.END + manifest.line() + more


def sealed(folder: Path, text: bytes) -> Path:
    file = folder / f"backup-{uuid.uuid4().hex}"
    with envelope.writing(file, KEY.to_public()) as out:
        out.write(text)
    return file


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sealed(tmp_path_factory.mktemp("backup"), small())


# The file


def test_a_whole_file_is_read_back(whole: Path) -> None:
    manifest = restore.check(whole, KEY, quiet)
    assert manifest.tables["person"].rows == 2 and manifest.rows == 2
    assert whole.stat().st_mode & 0o777 == 0o600 and b"Minecanary" not in whole.read_bytes()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_anywhere_is_refused(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    text = bytearray(whole.read_bytes())
    text[data.draw(st.integers(0, len(text) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    damaged = tmp_path / "damaged"
    damaged.write_bytes(text)
    with pytest.raises(BackupProblem, match=r"damaged or cut short|no backup of Steady|This key does not open"):
        restore.check(damaged, KEY, quiet)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_cut_short_or_added_to_is_refused(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    text = whole.read_bytes()
    changed = text[: data.draw(st.integers(0, len(text) - 1))] if data.draw(st.booleans()) else text + data.draw(st.binary(min_size=1))
    (tmp_path / "changed").write_bytes(changed)
    with pytest.raises(BackupProblem):
        restore.check(tmp_path / "changed", KEY, quiet)


def test_pieces_in_another_order_or_left_out_are_refused(tmp_path: Path) -> None:
    """An encrypted piece holds 64 KiB; these rows do not compress."""
    rows = b"".join(b"%d\t%s\n" % (number, os.urandom(500).hex().encode()) for number in range(400))
    file = sealed(tmp_path, small(rows, rows))
    assert restore.check(file, KEY, quiet).rows == 400
    text = file.read_bytes()
    piece = 64 * 1024 + 16
    head = text.index(b"\n", text.index(b"\n--- ") + 5) + 1 + 16
    first, second, rest = text[head : head + piece], text[head + piece : head + 2 * piece], text[head + 2 * piece :]
    assert len(second) == piece
    for changed in (second + first + rest, second + rest, first + rest, first + first + rest, first + second):
        file.write_bytes(text[:head] + changed)
        with pytest.raises(BackupProblem, match="damaged or cut short"):
            restore.check(file, KEY, quiet)


def test_another_key_and_another_file_are_refused(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupProblem, match="This key does not open .*: it was written for another one"):
        restore.check(whole, pyrage.x25519.Identity.generate(), quiet)
    (tmp_path / "dump.sql").write_text("-- PostgreSQL database dump")
    with pytest.raises(BackupProblem, match=r"dump.sql is no backup of Steady"):
        restore.check(tmp_path / "dump.sql", KEY, quiet)
    with pytest.raises(BackupProblem, match=r"cannot be read: No such file"):
        restore.check(tmp_path / "none", KEY, quiet)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"hello\n", "no backup of this version"),
        (small(claimed=ROWS + b"3\tThird\n"), "rows of person are not those"),
        (small(rows=ROWS.replace(b"1", b"7")), "rows of person are not those"),
        (small(more=b"more\n"), "tables are not those"),
        (contents.FIRST_LINE + contents.Manifest.line(contents.Manifest("1", "", "", [], {}, {}, None)) + b"x", "tables are not those"),
        (contents.FIRST_LINE + contents.heading("person", ["id"]) + ROWS, "ends in the middle of a table"),
        (contents.FIRST_LINE, "manifest cannot be read"),
        (contents.FIRST_LINE + b'-- manifest {"tables": 1}\n', "manifest cannot be read"),
    ],
)
def test_what_opens_and_does_not_hold_is_refused(tmp_path: Path, text: bytes, sentence: str) -> None:
    with pytest.raises(BackupProblem, match=sentence):
        restore.check(sealed(tmp_path, text), KEY, quiet)


@pytest.mark.parametrize("step", ["encrypt", "fsync", "rows"])
def test_a_backup_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if step == "encrypt":
        monkeypatch.setattr(pyrage, "encrypt_io", full)
    if step == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    sentence = "No space left on device. No backup was made"
    with pytest.raises(BackupProblem, match=sentence), envelope.writing(tmp_path / "b", KEY.to_public()) as out:  # noqa: PT012
        out.write(os.urandom(1024 * 1024))
        if step == "rows":
            full()
    assert list(tmp_path.iterdir()) == []


def test_a_backup_never_writes_over_another(whole: Path) -> None:
    before = whole.read_bytes()
    with pytest.raises(BackupProblem, match="is there already"), envelope.writing(whole, KEY.to_public()):
        pytest.fail("it was opened")
    assert whole.read_bytes() == before


# The key


def named(monkeypatch: pytest.MonkeyPatch, file: Path, text: str = "", mode: int = 0o600) -> None:
    if text:
        file.write_text(text)
        file.chmod(mode)
    monkeypatch.setenv(envelope.KEY_VARIABLE, str(file))


def test_a_key_of_two_halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    public = envelope.make_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(BackupProblem, match="is there already"):
        envelope.make_key(file)
    named(monkeypatch, file)
    assert str(envelope.recipient()) == str(envelope.identity().to_public()) == public
    named(monkeypatch, tmp_path / "key.pub")
    assert str(envelope.recipient()) == public
    with pytest.raises(BackupProblem, match="a public key, which can only write backups"):
        envelope.identity()


def test_a_key_that_others_may_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for mode in (0o640, 0o604, 0o610):
        named(monkeypatch, tmp_path / "key", str(KEY), mode)
        for half in (envelope.identity, envelope.recipient):
            with pytest.raises(BackupProblem, match="chmod 600"):
                half()


@pytest.mark.parametrize("half", [envelope.identity, envelope.recipient])
def test_what_is_no_key_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half: Any) -> None:
    monkeypatch.delenv(envelope.KEY_VARIABLE, raising=False)
    with pytest.raises(BackupProblem, match=f"{envelope.KEY_VARIABLE} is not set"):
        half()
    named(monkeypatch, tmp_path / "none")
    with pytest.raises(BackupProblem, match="cannot be read: No such file"):
        half()
    named(monkeypatch, tmp_path / "key", "nonsense")
    with pytest.raises(BackupProblem, match="holds no backup key"):
        half()


@pytest.mark.thorough  # a passphrase is meant to take its time
def test_a_passphrase_before_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public = envelope.make_key(tmp_path / "key", "a quiet river bend")
    named(monkeypatch, tmp_path / "key")
    assert str(envelope.identity(lambda prompt: "a quiet river bend").to_public()) == public
    with pytest.raises(BackupProblem, match="This is not the passphrase"):
        envelope.identity(lambda prompt: "another river")


# The database

ADDRESS = ("NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")

@contextmanager
def as_owner(name: str) -> Iterator[None]:
    """This process as the owner of one database."""
    before = {alias: dict(connections[alias].settings_dict) for alias in connections}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEADY_DATABASE_ROLE", "owner")
        patch.setenv("DATABASE_OWNER_URL", databases.address(name, database.OWNER))
        for alias in connections:
            connections[alias].close()
            connections[alias].settings_dict.update({key: _database()[key] for key in ADDRESS})
    try:
        yield
    finally:
        for alias in connections:
            connections[alias].close()
            connections[alias].settings_dict.update(before[alias])


@contextmanager
def empty_database() -> Iterator[str]:
    name = f"{databases.NAME}_restored"
    with databases.admin() as admin:
        databases._drop(admin, name)
        databases._create(admin, name, "template0")
    with databases.admin(name) as inside:
        database.prepare(inside)
    try:
        yield name
    finally:
        with databases.admin() as admin:
            databases._drop(admin, name)


@pytest.fixture
def house(real_transactions: None) -> House:
    return make_house()


SUM = 'md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE "C"))'


def state(admin: psycopg.Connection) -> dict[str, Any]:
    """Everything in a database that a backup must bring back, asked otherwise than a backup does: rows, numbers, privileges, triggers."""
    tables = [table for (table,) in admin.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")]
    found: dict[str, Any] = {what: admin.execute(query).fetchall() for what, query in STATE.items()}
    for table in tables:
        if table not in LEFT_OUT:
            found[f"rows of {table}"] = admin.execute(f'SELECT {SUM}, count(*) FROM "{table}" t').fetchone()
    return found


STATE = {
    "sequences": "SELECT sequencename, last_value, start_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1",
    "privileges": "SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = 'steady_web' ORDER BY 1, 2",
    "columns that may be changed": "SELECT table_name, column_name FROM information_schema.column_privileges "
    "WHERE grantee = 'steady_web' AND privilege_type = 'UPDATE' AND table_schema = 'public' ORDER BY 1, 2",
    "triggers": "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
    "columns": "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns "
    "WHERE table_schema = 'public' ORDER BY 1, 2",
    "policies": "SELECT * FROM pg_policies ORDER BY 2, 3",
}  # fmt: skip


@pytest.mark.thorough
def test_there_and_back(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one test, because the way is long: a backup, a restore, and no second one over it."""
    named(monkeypatch, tmp_path / "key", str(KEY))
    file, out = tmp_path / "backup", io.StringIO()
    with as_owner(databases.NAME):
        call_command("backup", str(file), stdout=out)
    assert "rows in " in out.getvalue() and str(file) in out.getvalue() and file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "key"]
    with empty_database() as name:
        with as_owner(name):
            call_command("restore", str(file), stdout=out)
            assert "0 rows differ" in out.getvalue() and "0 problems" in out.getvalue()
            with pytest.raises(CommandError, match="has tables already"):
                call_command("restore", str(file), stdout=out)
        with databases.admin(name) as here, databases.admin(databases.NAME) as there:
            assert state(here) == state(there)
            assert state(here)["rows of clinic_patient"][1] == 3


LATE = """
INSERT INTO clinic_program
SELECT (jsonb_populate_record(p, jsonb_build_object('id', 999, 'name', 'Late', 'public_id', gen_random_uuid()))).*
  FROM clinic_program p LIMIT 1
"""


def test_a_backup_is_of_one_moment(house: House, tmp_path: Path) -> None:
    """A program that is added while its tables are being read is in none of them."""
    added: list[int] = []

    def meanwhile(table: str, rows: int) -> None:
        if not added:
            with databases.admin(databases.NAME) as other:
                added.append(other.execute(LATE).rowcount)

    with as_owner(databases.NAME):
        manifest = make.make(tmp_path / "backup", KEY.to_public(), meanwhile)
    assert added == [1] and manifest.tables["clinic_program"].rows == 2
    assert restore.check(tmp_path / "backup", KEY, quiet) == manifest

    def broken_off(table: str, rows: int) -> None:
        if rows:
            raise OSError(errno.ENOSPC, "No space left on device")

    with as_owner(databases.NAME):
        with pytest.raises(BackupProblem, match="No space left on device"):
            make.make(tmp_path / "another", KEY.to_public(), broken_off)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")  # it hung here once, in the middle of a table
    assert [path.name for path in tmp_path.iterdir()] == ["backup"]


def test_a_backup_that_would_leave_rows_out_is_refused(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, tmp_path / "key", str(KEY))
    with databases.admin(databases.NAME) as admin:
        admin.execute("ALTER TABLE clinic_patient ENABLE ROW LEVEL SECURITY; ALTER TABLE clinic_patient FORCE ROW LEVEL SECURITY")
    with as_owner(databases.NAME), pytest.raises(CommandError, match=r"The database ended this: .* \(SQLSTATE 42501\)"):
        call_command("backup", str(tmp_path / "backup"))
    with pytest.raises(CommandError, match="The tables belong to another role. Set DATABASE_OWNER_URL"):
        call_command("backup", str(tmp_path / "backup"))
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
