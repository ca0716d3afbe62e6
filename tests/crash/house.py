"""A clinic of its own for breaking: an embedded PostgreSQL in a folder that is thrown away, gunicorn as bin/run starts it, and staff.

Never the trial's data folder: `STEADY_DATA` is set to the new one before anything else is read.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from clinic import database, trial
from clinic.database import CHECKOUT, Cluster

# A server of which everything unflushed is lost when it is killed: the log of what is to be written stays in its own memory for
# as long as its settings let it, and so a commit that did not wait for the disk is gone. With synchronous_commit=on each waits.
FORGETS = {"wal_writer_delay": "10s", "wal_writer_flush_after": "2147483647", "wal_buffers": "64MB", "autovacuum": "off"}
ROOM = {"max_connections": "60"}


@dataclass
class House:
    """The server under test. `names` are log-ins of prescribers, who may do everything from registering to signing."""

    folder: Path
    cluster: Cluster
    port: int
    environment: dict[str, str]
    names: list[str] = field(default_factory=list)
    web: subprocess.Popen | None = None

    def serve(self) -> None:
        command = [sys.executable, "-m", "gunicorn", "clinic.wsgi", "--bind", f"{trial.HOST}:{self.port}", *trial.SERVER]
        log = open(self.folder / "web.log", "ab")  # noqa: SIM115 the child keeps it
        self.web = subprocess.Popen(command, cwd=CHECKOUT, env=self.environment, stdout=log, stderr=log)
        until = time.monotonic() + 120
        while time.monotonic() < until and self.web.poll() is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{trial.HOST}:{self.port}/readyz", timeout=5):
                return
            time.sleep(0.2)
        raise SystemExit(f"The web server did not become ready:\n{(self.folder / 'web.log').read_text()[-3000:]}")

    def workers(self) -> list[int]:
        assert self.web is not None
        return children(self.web.pid)

    def postmaster(self) -> int:
        return int((self.cluster.data / "postmaster.pid").read_text().split()[0])

    def backends(self) -> list[int]:
        """The server's processes that serve the web role."""
        return [pid for pid in children(self.postmaster()) if database.WEB in command_of(pid)]

    def kill_server(self) -> None:
        """kill -9 of the postmaster and of every process of its; what was only in their memory is gone."""
        everybody = [self.postmaster(), *children(self.postmaster())]
        for pid in everybody:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while any(alive(pid) for pid in everybody):
            time.sleep(0.01)

    def revive(self) -> None:
        database.start(self.cluster)

    def query(self, sql: str, *values: object) -> list[tuple]:
        """As the superuser, who sees every row."""
        import psycopg

        with psycopg.connect(self.cluster.conninfo(database=database.DATABASE), autocommit=True) as connection:
            return connection.execute(sql.encode(), values or None).fetchall()

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(CHECKOUT / "manage.py"), *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)


def command_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    return ""


def children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split() if alive(int(child))]
    return []


def alive(pid: int) -> bool:
    """Running, and not a zombie that nobody has buried yet."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@contextmanager
def opened(people: int = 8, **settings: str) -> Iterator[House]:
    """A house with its server running and `people` who can log in; everything is taken away afterwards."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # whoever stops it has the processes stopped too
    folder = Path(tempfile.mkdtemp(prefix="steady-crash-"))
    os.chmod(folder, 0o755)  # noqa: S103 the database's own user goes through it
    for name in [name for name in os.environ if name.startswith(("STEADY_", "DATABASE_"))]:
        del os.environ[name]
    os.environ |= {"STEADY_DATA": str(folder), "STEADY_SECRET_KEY": secrets.token_urlsafe(64), "STEADY_REQUIRE_SECOND_FACTOR": "0"}
    os.environ["DJANGO_SETTINGS_MODULE"] = "clinic.settings"
    options = database.DURABLE | database.QUIET | ROOM | settings
    cluster = Cluster(folder / "postgres-crash", tuple(options.items()))
    house = None
    try:
        database.bring_up(cluster)
        house = House(folder, cluster, _free_port(), dict(os.environ))
        if (done := house.manage("set_up")).returncode:
            raise SystemExit(f"manage.py set_up failed:\n{done.stdout}{done.stderr}")
        house.names = _staff(people)
        house.serve()
        yield house
    finally:
        if house and house.web:
            house.web.terminate()
            house.web.wait()
        database.leave(cluster, os.getpid())
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((trial.HOST, 0))
        return int(probe.getsockname()[1])


def _staff(people: int) -> list[str]:
    import django

    django.setup()
    from django.db import connections

    from clinic.models import Program
    from tests.people import make_user

    program = Program.objects.create(name="Riverside outpatient")
    names = [make_user(f"crash{number}", ("prescriber", program)).username for number in range(people)]
    connections.close_all()
    return names
