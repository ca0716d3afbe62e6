"""The database's side of a backup: which tables and sequences belong to it, and their rows as text that is the same on every server."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db.backends.utils import CursorWrapper

from clinic.backup import BackupProblem
from clinic.backup.contents import Progress, Table, Tally, listed, pieces

# Log-ins that have ended must not come back to life, and counted guesses not count again.
LEFT_OUT = frozenset({"django_session", str(settings.CACHES["default"]["LOCATION"])})

# Whatever belongs to an extension is the extension's.
OF_NO_EXTENSION = "NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')"
RELATIONS = f"""
SELECT c.relname, pg_has_role(c.relowner, 'USAGE') FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = ANY(%s) AND {OF_NO_EXTENSION} ORDER BY 1
"""
COLUMNS = """
SELECT attname FROM pg_attribute
 WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""
# Text sorts the same under "C" on every machine.
KEY = """
SELECT string_agg(format('%%I', attname) || CASE WHEN attcollation = 0 THEN '' ELSE ' COLLATE "C"' END, ', ' ORDER BY attnum)
  FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey) WHERE indrelid = %s::regclass AND indisprimary
"""
# How values are written as text; and a policy that would leave rows out is an error and not a smaller backup.
SESSION = {
    "timezone": "UTC", "datestyle": "ISO, YMD", "intervalstyle": "postgres", "bytea_output": "hex", "extra_float_digits": "1",
    "row_security": "off", "statement_timeout": "0", "client_encoding": "UTF8",
}  # fmt: skip


def settle(cursor: CursorWrapper) -> None:
    """Set, for this transaction, how values are written and that nothing is left out."""
    for name, value in SESSION.items():
        cursor.execute("SELECT set_config(%s, %s, true)", [name, value])


def relations(cursor: CursorWrapper, kinds: str) -> list[str]:
    """The names of our tables (`rp`) or sequences (`S`). Raises BackupProblem when they belong to another role."""
    cursor.execute(RELATIONS, [list(kinds)])
    found = cursor.fetchall()
    if not all(ours for _, ours in found):
        raise BackupProblem("The tables belong to another role. Set DATABASE_OWNER_URL to the address of their owner.")
    return [name for name, _ in found]


def kept_tables(cursor: CursorWrapper) -> list[str]:
    return [name for name in relations(cursor, "rp") if name not in LEFT_OUT]


def columns(cursor: CursorWrapper, table: str) -> list[str]:
    cursor.execute(COLUMNS, [f'public."{table}"'])
    return [name for (name,) in cursor.fetchall()]


@contextmanager
def rows(cursor: CursorWrapper, table: str, names: list[str]) -> Iterator[Iterator[bytes]]:
    """The table's rows as lines of text, by primary key, in pieces. Left in the middle, the connection is free again."""
    cursor.execute(KEY, [f'public."{table}"'])
    order = cursor.fetchone()[0] or listed(names)
    with cursor.copy(f'COPY (SELECT {listed(names)} FROM public."{table}" ORDER BY {order}) TO STDOUT') as copy:
        yield pieces(copy)


def tally(cursor: CursorWrapper, table: str, names: list[str], progress: Progress) -> Table:
    """Count and hash the rows as they lie in the database."""
    counting = Tally(table, progress)
    with rows(cursor, table, names) as found:
        for _ in counting.watch(found):
            pass
    return counting.table(names)


def sequences(cursor: CursorWrapper) -> dict[str, list]:
    found = {}
    for name in relations(cursor, "S"):
        cursor.execute(f'SELECT last_value, is_called FROM public."{name}"')
        found[name] = list(cursor.fetchone())
    return found
