"""Databases for tests: one migrated template, a clone for each worker, orphans of dead runs swept.

Imported by conftest.py before Django's settings are read; leaves this process's DATABASE_URL in the environment.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

from clinic import database

CHECKOUT = Path(__file__).resolve().parent.parent
PREFIX = f"steady_test_{hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:6]}"
RUN = os.environ.setdefault("STEADY_TEST_RUN", str(os.getpid()))
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
NAME = f"{PREFIX}_{RUN}_{WORKER}"
ADMIN = "STEADY_TEST_ADMIN_URL"


def prepare() -> None:
    """Start the server and make the template (the controller alone), then point this process at its own clone's name."""
    if WORKER == "main":
        _admin_address()
        sweep_orphans()
        _make_template()
    os.environ["DATABASE_URL"] = _address(os.environ[ADMIN], NAME, role=database.WEB)


def _admin_address() -> None:
    """The address that may create databases: the embedded test server's superuser, or DATABASE_URL's own role."""
    outside = os.environ.get("DATABASE_OWNER_URL") or os.environ.get("DATABASE_URL")
    if outside:
        os.environ[ADMIN] = outside
    else:
        server = database.cluster("test")
        database.start(server)
        os.environ[ADMIN] = server.url(database.SUPERUSER, "postgres")
    with admin() as connection:
        try:
            database.make_roles(connection)
        except psycopg.errors.InsufficientPrivilege as error:
            raise SystemExit(f"The tests make databases and roles of their own, and this server's role may not: {error}") from error


def admin(name: str = "") -> psycopg.Connection:
    """A connection that may create and drop databases."""
    address = os.environ[ADMIN]
    return psycopg.connect(_address(address, name) if name else address, autocommit=True)


def _address(address: str, name: str, role: str = "") -> str:
    parts = urlsplit(address)
    login = parts.netloc.rpartition("@")
    netloc = f"{role}@{login[2]}" if role and parts.hostname and parts.netloc.find("%2F") >= 0 else parts.netloc
    return parts._replace(netloc=netloc, path=f"/{quote(name)}").geturl()


def _template_name() -> str:
    """Keyed by everything that shapes the schema, its walls and the content loaded into it."""
    digest = hashlib.sha256()
    sources = [CHECKOUT / "clinic/walls.py", CHECKOUT / "clinic/database.py", CHECKOUT / "requirements.txt"]
    for app in ("clinic", "intake", "plans"):
        sources += sorted((CHECKOUT / app).glob("migrations/*.py")) + sorted((CHECKOUT / app).glob("models*"))
        sources += sorted((CHECKOUT / app).glob("models/*.py")) + sorted((CHECKOUT / app).glob("content/**/*"))
    for source in sources:
        if source.is_file():
            digest.update(source.name.encode() + source.read_bytes())
    return f"{PREFIX}_template_{digest.hexdigest()[:12]}"


def _make_template() -> None:
    """The owner migrates one database; it is renamed when it is whole, so that a broken-off run leaves nothing half done."""
    name = os.environ["STEADY_TEST_TEMPLATE"] = _template_name()
    with admin() as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return
        for (old,) in connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [f"{PREFIX}_template_"]).fetchall():
            _drop(connection, old)
        building = f"{PREFIX}_{RUN}_building"
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(building), sql.Identifier(database.OWNER)))
        with admin(building) as inside:
            database.prepare(inside)
        owner = _address(os.environ[ADMIN], building, role=database.OWNER)
        environment = os.environ | {"DATABASE_URL": _address(os.environ[ADMIN], building, role=database.WEB), "DATABASE_OWNER_URL": owner}
        for command in ("migrate", "load_content"):
            done = subprocess.run(
                [sys.executable, str(CHECKOUT / "manage.py"), command, "-v", "0"], env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise SystemExit(f"manage.py {command} failed on the template database:\n{done.stdout}\n{done.stderr}")
        connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(building), sql.Identifier(name)))


def clone() -> None:
    """This worker's database, fresh from the template."""
    with admin() as connection:
        _drop(connection, NAME)
        template = sql.Identifier(os.environ["STEADY_TEST_TEMPLATE"])
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(sql.Identifier(NAME), template, sql.Identifier(database.OWNER)))


def drop() -> None:
    with admin() as connection:
        _drop(connection, NAME)


def _drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def sweep_orphans() -> None:
    """Drop the databases of runs whose process is gone."""
    with admin() as connection:
        for (name,) in connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [f"{PREFIX}_"]).fetchall():
            run = name.removeprefix(f"{PREFIX}_").split("_")[0]
            if run.isdigit() and not Path(f"/proc/{run}").exists():
                _drop(connection, name)
