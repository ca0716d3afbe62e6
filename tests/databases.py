"""Databases for tests: one migrated template, a clone for each worker, orphans of dead runs swept.

Imported by conftest.py before Django's settings are read; leaves this process's DATABASE_URL in the environment.
"""

import atexit
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import psycopg
from psycopg import sql

from clinic import database

CHECKOUT = Path(__file__).resolve().parent.parent
PREFIX = f"steady_test_{hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:6]}"
RUN = os.environ.setdefault("STEADY_TEST_RUN", str(os.getpid()))
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
NAME = f"{PREFIX}_{RUN}_{WORKER}"
SERVER = "STEADY_TEST_SERVER"
EMBEDDED = database.cluster("test").url(database.SUPERUSER, "postgres")
RIGHTS = (
    "The tests make databases and roles of their own. The role of DATABASE_OWNER_URL (or DATABASE_URL) must be a superuser, or have "
    f"CREATEDB and CREATEROLE and be a member of {database.OWNER} and {database.WEB} where these exist already."
)


def prepare() -> None:
    """Start the server and make the template (the controller alone), then point this process at its own clone's name."""
    if WORKER == "main":
        try:
            _find_server()
            sweep_orphans()
            _make_template()
        except database.DatabaseProblem as problem:
            raise SystemExit(str(problem)) from None
        except psycopg.errors.InsufficientPrivilege as error:
            raise SystemExit(f"{RIGHTS} It said: {str(error).splitlines()[0]}") from None
    os.environ["DATABASE_URL"] = address(NAME, database.WEB)


def _find_server() -> None:
    """The server's address for making databases: DATABASE_OWNER_URL or DATABASE_URL, else this checkout's own test server."""
    outside = os.environ.get("DATABASE_OWNER_URL") or os.environ.get("DATABASE_URL")
    if outside:
        database.check_addresses()
    else:
        database.start(database.cluster("test"))
    os.environ[SERVER] = outside or EMBEDDED
    with admin() as connection:
        # Two runs that begin together, of one checkout or of two on one server, would make the same roles.
        connection.execute("SELECT pg_advisory_lock(hashtext('steady_test_roles'))")
        database.make_roles(connection)


def admin(name: str = "") -> psycopg.Connection:
    """A connection that may create and drop databases."""
    return psycopg.connect(address(name) if name else os.environ[SERVER], autocommit=True)


def address(name: str, role: str = "") -> str:
    """The address of one database, as `role` when one is given: the log-in that made it takes the role on.

    So a test may put it aside for a moment to look at every row (tests/people.py: everything); a role that logged in itself may not.
    """
    server = os.environ[SERVER]
    query = urlencode({"options": f"-c role={role}"}, quote_via=quote) if role else ""
    return urlsplit(server)._replace(path=f"/{quote(name)}", query=query).geturl()


def _template_name() -> str:
    """Keyed by everything that shapes the schema, its walls and the content loaded into it."""
    digest = hashlib.sha256()
    names = ("walls", "row_security", "access_table", "permissions", "database", "seal/clock")
    sources = [*[CHECKOUT / f"clinic/{name}.py" for name in names], CHECKOUT / "requirements.txt"]
    for app in ("clinic", "intake", "plans"):
        sources += sorted((CHECKOUT / app).glob("migrations/*.py")) + sorted((CHECKOUT / app).glob("models*"))
        sources += sorted((CHECKOUT / app).glob("models/*.py")) + sorted((CHECKOUT / app).glob("content/**/*"))
    for source in sources:
        if source.is_file():
            digest.update(source.name.encode() + source.read_bytes())
    # On a server that is not ours nothing is kept: each run makes its own and drops it.
    kept = "" if os.environ[SERVER] == EMBEDDED else f"{RUN}_"
    return f"{PREFIX}_{kept}template_{digest.hexdigest()[:12]}"


def _make_template() -> None:
    """The owner migrates one database; it is renamed when it is whole, so that a broken-off run leaves nothing half done."""
    name = os.environ["STEADY_TEST_TEMPLATE"] = _template_name()
    if os.environ[SERVER] != EMBEDDED:
        atexit.register(_drop_template, name)
    with admin() as connection:
        # Two runs of one checkout that begin together: the second waits and finds the template made.
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return
        for old in _names(connection, f"{PREFIX}_template_"):
            _drop(connection, old)
        building = f"{PREFIX}_{RUN}_building"
        _create(connection, building, "template0")
        with admin(building) as inside:
            database.prepare(inside)
        addresses = {"DATABASE_URL": address(building, database.WEB), "DATABASE_OWNER_URL": address(building, database.OWNER)}
        environment = os.environ | addresses
        manage = [sys.executable, str(CHECKOUT / "manage.py"), "set_up"]
        done = subprocess.run(manage, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"manage.py set_up failed on the template database:\n{done.stdout}\n{done.stderr}")
        connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(building), sql.Identifier(name)))


def _drop_template(name: str) -> None:
    with admin() as connection:
        _drop(connection, name)


def clone() -> None:
    """This worker's database, fresh from the template."""
    with admin() as connection:
        _drop(connection, NAME)
        _create(connection, NAME, os.environ["STEADY_TEST_TEMPLATE"])


def drop() -> None:
    with admin() as connection:
        _drop(connection, NAME)


def _create(connection: psycopg.Connection, name: str, template: str) -> None:
    names = [sql.Identifier(part) for part in (name, template, database.OWNER)]
    connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(*names))
    # What may be done with a database as a whole is not copied from its template.
    connection.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))


def _drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _names(connection: psycopg.Connection, prefix: str) -> list[str]:
    return [name for (name,) in connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix])]


def sweep_orphans() -> None:
    """Drop the databases of runs whose process is gone."""
    with admin() as connection:
        for name in _names(connection, f"{PREFIX}_"):
            run = name.removeprefix(f"{PREFIX}_").split("_")[0]
            if run.isdigit() and not Path(f"/proc/{run}").exists():
                _drop(connection, name)


@contextmanager
def another(name: str) -> Iterator[psycopg.Connection]:
    """A second database beside this worker's, fresh from the template, and its superuser's connection; dropped at the end."""
    with admin() as connection:
        _drop(connection, name)
        _create(connection, name, os.environ["STEADY_TEST_TEMPLATE"])
        try:
            with admin(name) as inside:
                yield inside
        finally:
            _drop(connection, name)
