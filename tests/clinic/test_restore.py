"""Backup and restore as they are used: by command, from one machine to another, broken off in the middle, from an older version."""

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import psycopg
import pyrage
import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from clinic import database
from clinic.backup import BackupProblem, make, restore
from clinic.database import CHECKOUT, Cluster
from tests import databases
from tests.clinic.test_backup import KEY, as_owner, empty_database, quiet, state
from tests.clinic.test_migrations import FIRST_RELEASE, ROWS

pytestmark = pytest.mark.thorough
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith(("STEADY_", "DATABASE_", "DJANGO_", "PYTEST_"))}
SECRET = "the same secret key on both machines, of more than fifty characters"


class Machine:
    """A folder with an embedded server of its own, used through manage.py."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.key = folder, folder.parent / "key"
        self.environment = PLAIN | {
            "STEADY_DATA": str(folder), "STEADY_DEMO": "1", "STEADY_SECRET_KEY": SECRET, "STEADY_BACKUP_KEY": str(self.key),
            "STEADY_AUDIT_KEY": str(folder.parent / "audit-key"), "STEADY_SEAL_COPY": str(folder.parent / "seals"),
        }  # fmt: skip

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(CHECKOUT / "manage.py"), *words]

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), env=self.environment, capture_output=True, text=True, check=False)

    def python(self, code: str) -> str:
        before = f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); from clinic import database; database.ensure()\n"
        environment = self.environment | {"DJANGO_SETTINGS_MODULE": "clinic.settings"}
        done = subprocess.run([sys.executable, "-c", before + code], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def server(self) -> Cluster:
        return Cluster(self.folder / "postgres-demo", tuple((database.QUIET | database.DURABLE).items()))

    def asked(self, monkeypatch: pytest.MonkeyPatch) -> psycopg.Connection:
        """The superuser's connection; the server runs on until the tests end."""
        monkeypatch.setenv("STEADY_DATA", str(self.folder))
        database.start(self.server)
        return psycopg.connect(self.server.conninfo(database=database.DATABASE), autocommit=True)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Path]]:
    """A machine with the demo clinic, and a backup of it."""
    folder = tmp_path_factory.mktemp("machines")
    machine, file = Machine(folder / "first"), folder / "backup"
    for words in (("backup_key", str(machine.key)), ("set_up",), ("seal_audit",), ("backup", str(file)), ("backup_verify", str(file))):
        done = machine.manage(*words)
        assert done.returncode == 0, done.stderr
    assert "The backup is whole" in done.stdout
    yield machine, file
    database.leave(machine.server, os.getpid())


@pytest.fixture
def second(first: tuple[Machine, Path]) -> Iterator[Machine]:
    """A machine with nothing on it, and the key at hand."""
    machine = Machine(first[0].folder.parent / uuid.uuid4().hex)
    yield machine
    database.leave(machine.server, os.getpid())


LOG_IN = """
import django; django.setup()
from django.test import Client
from clinic.models import User
from clinic.transaction import acting
from plans.models import SignedPlan
client = Client()
assert client.post("/accounts/login/", {"login": "supervisor.demo", "password": "steady demo clinic"}).status_code == 302
assert client.post("/accounts/reauthenticate/", {"password": "steady demo clinic"}).status_code == 302
with acting(User.objects.get(username="supervisor.demo"), "plan.view"):
    signed = SignedPlan.objects.select_related("plan__episode").get()
page = f"/episodes/{signed.plan.episode.public_id}/plan/versions/{signed.number}/"
print(client.get("/caseload/").status_code, client.get(page).status_code, client.get(page + "clinic.pdf").content[:5])
"""


def test_a_second_machine_becomes_the_first(first: tuple[Machine, Path], second: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    (one, file), two = first, second
    done = two.manage("restore", str(file))
    assert done.returncode == 0, done.stderr
    assert "0 rows differ" in done.stdout and "1 signed plans checked, 0 problems" in done.stdout
    assert re.search(r"Seal of the record: 1 [0-9a-f]{64}\n", done.stdout)
    assert re.search(r"1 seals and \d+ rows checked, 0 problems", done.stdout)
    with one.asked(monkeypatch) as there:
        before = state(there)
    with two.asked(monkeypatch) as here:
        assert state(here) == before
    assert before["rows of clinic_change"][1] > 1000, "the record came along, and nothing was written about the restore"
    assert two.manage("set_up").returncode == 0
    sealed = [two.manage("seal_audit"), two.manage("verify_audit")]
    assert [done.returncode for done in sealed] == [0, 0], sealed
    assert two.python(LOG_IN) == "200 200 b'%PDF-'\n"
    again = two.manage("restore", str(file))
    assert again.returncode == 1 and again.stderr.count("\n") == 1
    assert again.stderr.startswith("CommandError: This database has tables already")


def test_killed_in_the_middle_it_leaves_nothing(first: tuple[Machine, Path], second: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the moment: no table, or every row and nothing that the web role may read yet."""
    (_, file), two = first, second
    two.python("")  # the server, the roles and the empty database
    seen = set()
    with two.asked(monkeypatch) as here:
        began = time.monotonic()
        assert two.manage("restore", str(file)).returncode == 0
        whole, took = state(here), time.monotonic() - began
        for part in (0.4, 0.55, 0.65, 0.75, 0.9):
            make_empty(here)
            process = subprocess.Popen(two.command("restore", str(file)), env=two.environment, stdout=DEVNULL, stderr=DEVNULL)
            time.sleep(took * part)
            process.send_signal(signal.SIGKILL)
            process.wait()
            seen.add(left(here, whole))
        assert "nothing" in seen, seen
        make_empty(here)
        assert two.manage("restore", str(file)).returncode == 0
        assert state(here) == whole


def make_empty(here: psycopg.Connection) -> None:
    others_gone(here)
    here.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    database.prepare(here)


OTHERS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


def others_gone(here: psycopg.Connection) -> None:
    """The server notices the dead client when it next speaks to it."""
    until = time.monotonic() + 60
    while here.execute(OTHERS).fetchone() != (0,):
        assert time.monotonic() < until
        time.sleep(0.05)


def left(here: psycopg.Connection, whole: dict[str, Any]) -> str:
    others_gone(here)
    found = state(here)
    if not any(name.startswith("rows of") for name in found):
        return "nothing"
    # The rest is an upgrade's: every row is there, and `migrate` goes on from here.
    assert {name: rows for name, rows in found.items() if name in whole and name.startswith("rows of")} == {
        name: rows for name, rows in whole.items() if name.startswith("rows of")
    }
    return "all rows"


def test_a_backup_of_the_first_release_enters_this_one(real_transactions: None, tmp_path: Path) -> None:
    with empty_database() as name, as_owner(name):
        executor = MigrationExecutor(connection)
        executor.migrate(sorted((dict(executor.loader.graph.leaf_nodes()) | FIRST_RELEASE).items()))
        with databases.admin(name) as admin:
            for rows in ROWS[:3]:
                admin.execute(rows)
        manifest = make.make(tmp_path / "old", KEY.to_public(), quiet)
    assert ["plans", "0004_holds_are_told"] not in manifest.migrations and manifest.tables["clinic_patient"].rows == 1
    with empty_database() as name:
        with as_owner(name):
            restore.restore(tmp_path / "old", KEY, quiet)
        with databases.admin(name) as admin, databases.admin(databases.NAME) as current:
            here, there = state(admin), state(current)
            assert admin.execute("SELECT record_number FROM clinic_patient").fetchone() == ("1",)
    for what in ("privileges", "triggers", "constraints", "indexes", "columns that may be changed"):
        assert here[what] == there[what], what


def test_damage_is_refused_before_anything_is_changed(real_transactions: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with as_owner(databases.NAME):
        make.make(tmp_path / "backup", KEY.to_public(), quiet)
    text = (tmp_path / "backup").read_bytes()
    damaged = bytearray(text)
    damaged[-100] ^= 1
    with empty_database() as name, as_owner(name):
        for bad, key in ((bytes(damaged), KEY), (text[:-1], KEY), (text, pyrage.x25519.Identity.generate())):
            (tmp_path / "bad").write_bytes(bad)
            with pytest.raises(BackupProblem, match="Nothing was changed"):
                restore.restore(tmp_path / "bad", key, quiet)
        manifest = restore.check(tmp_path / "backup", KEY, quiet)
        (tmp_path / "bad").write_bytes(damaged)
        monkeypatch.setattr(restore, "check", lambda *args: manifest)  # damaged between the two looks
        with pytest.raises(BackupProblem, match="damaged"):
            restore.restore(tmp_path / "bad", KEY, quiet)
        with databases.admin(name) as admin:
            assert admin.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_the_names_of_a_newer_version_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = restore.contents.Manifest("9.0", "now", "18", [["clinic", "0001_initial"], ["plans", "0999_next_year"]], {}, {}, None)
    monkeypatch.setattr(restore, "check", lambda *args: newer)
    with pytest.raises(BackupProblem, match=re.escape("made by Steady 9.0 with plans.0999_next_year, which this version does not have")):
        restore.restore(tmp_path / "backup", KEY, quiet)
