"""The clinic that is measured: a durable PostgreSQL of its own, databases made for the purpose, and gunicorn as bin/run starts it.

Imported first: it leaves the addresses in the environment, and only then makes Django ready. Never touches the demo's data.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import psycopg
from psycopg import sql

from clinic import database
from clinic.trial import SERVER

HOST, START_SECONDS, STOP_SECONDS = "127.0.0.1", 30, 20
TICK = os.sysconf("SC_CLK_TCK")
CLUSTER = database.cluster("bench")


def say(sentence: str) -> None:
    """Progress, apart from the JSON on the standard output."""
    print(sentence, file=sys.stderr, flush=True)


def _prepare() -> None:
    """The cluster with one template database: tables, walls, content. Then Django, as the web role."""
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "STEADY_DATABASE_ROLE"):
        os.environ.pop(name, None)
    os.environ |= {"DJANGO_SETTINGS_MODULE": "clinic.settings", "STEADY_ENV": "development", "STEADY_DEMO": "0"}
    # Fixed, so that sessions made here are read by the servers. Nobody's secret: this clinic has no people in it.
    os.environ |= {"STEADY_SECRET_KEY": "benchmark " * 7, "STEADY_REQUIRE_SECOND_FACTOR": "1"}
    say("Starting the database ...")
    database.ensure("bench")
    manage("set_up", database.DATABASE)
    import django

    django.setup()


def manage(command: str, name: str) -> None:
    """One management command on one of the databases, with the owner's address at hand."""
    addresses = {"DATABASE_URL": CLUSTER.url(database.WEB, name), "DATABASE_OWNER_URL": CLUSTER.url(database.OWNER, name)}
    arguments = [sys.executable, str(database.CHECKOUT / "manage.py"), command]
    done = subprocess.run(arguments, env=os.environ | addresses, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"manage.py {command} failed on the database {name}:\n{done.stdout}\n{done.stderr}")


def admin(name: str = "postgres") -> psycopg.Connection:
    """The superuser's connection, for making databases and for reading plans; each statement its own transaction."""
    return psycopg.connect(CLUSTER.conninfo(database=name), autocommit=True)


def exists(name: str) -> bool:
    with admin() as connection:
        return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None


def create(name: str) -> None:
    """An empty clinic with the content loaded, in place of any earlier one of that name."""
    drop(name)
    parts = [sql.Identifier(part) for part in (name, database.DATABASE, database.OWNER)]
    with admin() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(*parts))
        connection.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))


def drop(name: str) -> None:
    with admin() as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def rename(name: str, new: str) -> None:
    with admin() as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(new)))


def use(name: str) -> None:
    """Point this process's own Django at one of the databases, as the web role."""
    from django.db import connections

    for alias in connections:
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = name


@dataclass
class Server:
    """Gunicorn on a port of its own over one of the databases."""

    port: int
    process: subprocess.Popen

    def cpu(self) -> float:
        """Seconds of processor time so far: the web server's processes and the database's, background work included."""
        return used(self.process.pid) + database_cpu()

    def resident(self) -> int:
        """Bytes of memory that the workers hold for themselves."""
        return sum(_private(pid) for pid in family(self.process.pid))


@contextmanager
def serving(name: str) -> Iterator[Server]:
    """The application on a free port over this database, until the block ends."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"DATABASE_URL": CLUSTER.url(database.WEB, name)}
    environment.pop("DATABASE_OWNER_URL", None)
    command = [sys.executable, "-m", "gunicorn", "clinic.wsgi", "--bind", f"{HOST}:{port}", *SERVER]
    process = subprocess.Popen(command, env=environment, cwd=database.CHECKOUT)
    try:
        _wait_until_ready(process, port)
        yield Server(port, process)
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()
        process.wait()


def _wait_until_ready(process: subprocess.Popen, port: int) -> None:
    until = monotonic() + START_SECONDS
    while monotonic() < until and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=5):
            return
        sleep(0.1)
    sys.exit("The web server did not become ready; its own words are above.")


# Processor time and memory, as Linux counts them


def _stat(pid: int) -> list[str]:
    """The numbers of /proc/PID/stat from the state on: 1 is the parent, 11 to 14 are ticks, own and of children that ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["", "0", *["0"] * 20]


def family(pid: int) -> list[int]:
    """The process and its living descendants."""
    parents = {int(path.name): int(_stat(int(path.name))[1]) for path in Path("/proc").iterdir() if path.name.isdigit()}
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def used(pid: int) -> float:
    """Seconds of processor time of a process and its descendants, those that have ended included."""
    return sum(int(tick) for one in family(pid) for tick in _stat(one)[11:15]) / TICK


def database_cpu() -> float:
    return used(int((CLUSTER.data / "postmaster.pid").read_text().split()[0]))


def _private(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))


_prepare()
