"""The embedded PostgreSQL: whose it is, what it is told, and what is said when it cannot be had. Starting it is every other test."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from clinic import database
from clinic.database import CHECKOUT, Cluster, DatabaseProblem
from tests import databases


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A cluster that was never made, in a folder of its own."""
    monkeypatch.setenv("STEADY_DATA", str(tmp_path / "data"))
    return database.cluster("demo")


def test_an_address_names_its_port_and_no_terminal_moves_its_socket(server: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    before = server.url("steady_web")
    monkeypatch.setenv("TMPDIR", "/var/tmp/" + "x" * 110)  # noqa: S108
    assert server.url("steady_web") == before and before.endswith(f":{database.PORT}/steady")
    assert f"port={database.PORT} " in server.conninfo()


def test_variables_meant_for_another_server_are_forgotten_with_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSERVICE", "elsewhere")
    monkeypatch.setenv("STEADY_KEPT", "1")
    database._forget_libpq_variables()
    assert "PGSERVICE" not in os.environ and os.environ["STEADY_KEPT"] == "1"


def test_with_an_outside_server_they_are_left_alone(server: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://steady_web@db.example.org/steady")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    database.ensure()
    assert os.environ["PGSSLMODE"] == "verify-full" and not server.data.parent.exists()


@pytest.mark.parametrize(("uid", "maker"), [(424242, "the user with id 424242"), (65534, "root")])
def test_a_data_folder_stays_with_who_made_it(server: Cluster, monkeypatch: pytest.MonkeyPatch, uid: int, maker: str) -> None:
    server.data.mkdir(parents=True)
    made_by = server.data.stat()
    monkeypatch.setattr(database, "_server_ids", lambda: (uid + 1, 0))
    monkeypatch.setattr(Path, "stat", lambda path, **kwargs: os.stat_result((made_by.st_mode, 1, 1, 1, uid, 0, 0, 0, 0, 0)))
    with pytest.raises(DatabaseProblem, match=f"was made by {maker}. Run it as {maker}, or set STEADY_DATA"):
        database._check_owner(server)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/there/x.lock"), "/there/x.lock is not .* to write"),
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full"),
    ],
)
def test_what_the_files_refuse_is_a_sentence(server: Cluster, error: OSError, sentence: str) -> None:
    with pytest.raises(DatabaseProblem, match=sentence), database._alone(server):
        raise error


@pytest.mark.parametrize(
    ("said", "full"),
    [
        ('FATAL: could not write to file "pg_wal/x": No space left on device', True),
        ('ERROR:  could not extend file "base/1/2": wrote only 4096 of 8192 bytes', True),
        ("FATAL: could not create lock file: Permission denied", False),
    ],
)
def test_a_full_disk_is_told_from_what_postgresql_says(said: str, full: bool) -> None:
    assert database.is_disk_full(said) is full


@pytest.mark.parametrize("argument", ["{data}", "postgres {data}"])
def test_a_process_that_merely_names_the_data_folder_is_no_server(server: Cluster, argument: str) -> None:
    server.data.mkdir(parents=True)
    words = argument.format(data=server.data).split()
    stranger = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()", *words], stdin=subprocess.PIPE)
    try:
        (server.data / "postmaster.pid").write_text(f"{stranger.pid}\n{server.data}\n")
        assert not database.running(server)
    finally:
        stranger.communicate()


def test_the_tests_own_server_runs() -> None:
    if os.environ[databases.SERVER] != databases.EMBEDDED:
        pytest.skip("These tests run on an outside server.")
    assert database.running(database.cluster("test"))


def test_a_socket_that_would_be_too_long_is_refused(server: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 110)
    monkeypatch.setattr(database.os, "access", lambda *args: False)
    monkeypatch.setattr(database.tempfile, "gettempdir", lambda: str(long))
    with pytest.raises(DatabaseProblem, match="too long for a socket. Set TMPDIR"):
        database._make_socket_folder(server)


def test_what_is_prepared_is_not_prepared_again() -> None:
    """Nothing is written then, so that it needs no right to write: the web role may do it."""
    with databases.admin(os.environ["STEADY_TEST_TEMPLATE"]) as connection:
        connection.execute("SET default_transaction_read_only = on")
        database.prepare(connection)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("garbage-secret", "DATABASE_URL is no address of a PostgreSQL server"),
        ("postgres://a:secret@127.0.0.1:1/x", "The server that DATABASE_URL names cannot be used: .*refused"),
    ],
)
def test_an_address_that_leads_nowhere_is_said_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str, sentence: str) -> None:
    monkeypatch.delenv("DATABASE_OWNER_URL", raising=False)
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(DatabaseProblem, match=sentence) as raised:
        database.check_addresses()
    assert "secret" not in str(raised.value)


def test_two_processes_take_turns(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    code = "import sys; from pathlib import Path; from clinic.database import locked\nwith locked(Path(sys.argv[1])): print('mine')"
    with database.locked(lock):
        other = subprocess.Popen([sys.executable, "-c", code, str(lock)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(0.7)
    assert other.communicate(timeout=20)[0] == "mine\n"


@pytest.mark.parametrize(
    ("shown", "sentence"),
    [
        (("on", "on", "on"), ""),
        (("on", "on", "remote_apply"), ""),
        (("off", "on", "on"), "The database server can lose what it has saved: fsync is off and must be on."),
        (("on", "off", "local"), "The database server can lose what it has saved: full_page_writes is off and must be on."),
        (("off", "on", "off"), "The database server can lose what it has saved: fsync and synchronous_commit are off and must be on."),
    ],
)
def test_a_server_that_forgets_is_told_by_its_settings(shown: tuple[str, ...], sentence: str) -> None:
    assert database.forgetful(shown) == sentence


def serve(**changes: str) -> tuple[int, str]:
    """What the web process says as it comes up, and how it ends."""
    command = [sys.executable, "-c", "import clinic.wsgi; print('served')"]
    done = subprocess.run(command, cwd=CHECKOUT, env=os.environ | changes, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_nobody_serves_from_a_server_that_forgets(db: None) -> None:
    """The session of the web role is asked: its own settings may be otherwise than the server's."""
    address = databases.address(databases.NAME, database.WEB)
    forgets = f"{address}{'&' if '?' in address else '?'}options=-c%20synchronous_commit%3Doff"
    code, said = serve(STEADY_ENV="development", DATABASE_URL=forgets)
    assert code == 1 and "served" not in said
    assert "The database server can lose what it has saved: " in said.splitlines()[-1] and "synchronous_commit" in said


def test_the_tests_own_server_and_one_that_is_away_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    forgets = databases.address(databases.NAME, database.WEB)
    monkeypatch.setenv("DATABASE_URL", forgets)
    database.check_durable()
    monkeypatch.setenv("STEADY_ENV", "development")
    monkeypatch.setenv("DATABASE_URL", "postgres://a@127.0.0.1:1/x")
    database.check_durable()


def test_a_cluster_that_died_is_started_again_and_one_that_runs_is_left_alone(server: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Cluster] = []
    monkeypatch.setattr(database, "_held", {server: None, database.cluster("test"): None})
    monkeypatch.setattr(database, "running", lambda cluster: cluster != server)
    monkeypatch.setattr(database, "start", started.append)
    assert database.revive() and started == [server]
    monkeypatch.setattr(database, "running", lambda cluster: True)
    assert not database.revive() and started == [server]
