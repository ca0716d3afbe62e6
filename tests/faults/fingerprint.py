"""The whole database in one short answer: a hash for each table, taken by the server itself, as the superuser who sees every row."""

from functools import cache

from tests import databases

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
# What differs between two runs of the same thing: ids, random ids, hashes, record numbers and times.
CHANGING = "|".join(
    [
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        r"[0-9a-f]{64}",
        r"R\d{7}",
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+\d\d:\d\d|Z)?",
        r'"(id|\w+_id|row|transaction)": \d+',
        r'"password": "[^"]*"',
        r'"patients": \[[^]]*\]',
    ]
)
Rows = dict[str, tuple[int, str]]


def exactly() -> Rows:
    """Of each table how many rows it has and the hash of every byte of them."""
    return _ask("t::text")


def alike() -> Rows:
    """The same, blind for what two equal runs do not have in common."""
    return _ask(f"regexp_replace(to_jsonb(t)::text, '{CHANGING}', '', 'g')")


def _ask(row: str) -> Rows:
    each = " UNION ALL ".join(
        f"SELECT '{table}', count(*), coalesce(md5(string_agg(md5(row), '' ORDER BY md5(row))), '') "
        f'FROM (SELECT {row} AS row FROM public."{table}" AS t) AS rows'
        for table in _tables(databases.NAME)
    )
    with databases.admin(databases.NAME) as admin:
        return {table: (count, digest) for table, count, digest in admin.execute(each.encode())}


@cache
def _tables(name: str) -> tuple[str, ...]:
    with databases.admin(name) as admin:
        return tuple(table for (table,) in admin.execute(TABLES))


def changed(before: Rows, after: Rows) -> set[str]:
    """The tables in which two answers differ."""
    return {table for table in before if before[table] != after[table]}
