"""The rows of the record as bytes: which are final, in which order, and what of each is hashed.

A row is hashed as the name of its table, a line break, and the JSON array of its columns as PostgreSQL writes it with times in UTC.
"""

from collections.abc import Iterator
from typing import NamedTuple

import psycopg
from psycopg import sql

from clinic.seal import merkle
from clinic.seal.clock import NEXT, OLDEST
from clinic.seal.document import Part, Position

# A clock that is put right may go back a little; nobody gains anything by less than this.
SLACK = "1 minute"
NOW = f"SELECT clock_timestamp(), {OLDEST}, {NEXT}"


class Row(NamedTuple):
    """One row: its id, its hash, and whether its own time contradicts when it was written."""

    id: int
    hash: bytes
    misdated: bool


class Times(NamedTuple):
    """What the time of a row is held to: transactions from `clock` on began after `after`; all of them were over by `before`."""

    clock: int
    after: object
    before: object


def use_utc(database: psycopg.Connection) -> None:
    """Until the transaction ends; times are part of what is hashed."""
    database.execute("SET LOCAL TimeZone = 'UTC'")


def columns_of(database: psycopg.Connection, table: str) -> tuple[str, ...]:
    found = database.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        [f"public.{table}"],
    )
    return tuple(name for (name,) in found)


def counter_of(database: psycopg.Connection, table: str) -> int:
    """The last id that the table's sequence has given out; 0 before the first."""
    found = database.execute("SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, 'id')::regclass)", [f"public.{table}"]).fetchone()
    return int(found[0] or 0) if found else 0


def end_of_batch(database: psycopg.Connection, table: str, start: Position, horizon: int, limit: int) -> Position:
    """Where a seal that begins at `start` ends: before the first row beyond the limit, or at the horizon."""
    query = sql.SQL(
        "SELECT transaction, id FROM {} WHERE (transaction, id) >= (%s, %s) AND transaction < %s ORDER BY transaction, id OFFSET %s LIMIT 1"
    ).format(sql.Identifier(table))
    beyond = database.execute(query, [*start, horizon, limit]).fetchone()
    return (beyond[0], beyond[1]) if beyond else max(start, (horizon, 0))


def read(database: psycopg.Connection, part: Part, times: Times) -> Iterator[Row]:
    """The rows between the part's start and end, in their order, streamed. Raises psycopg.Error when a column is not there any more."""
    prefix = part.table.encode() + b"\n"
    with psycopg.Cursor(database).copy(_query(part, times)) as copy:
        for line in copy:
            number, misdated, text = bytes(line).split(b"\t", 2)
            # COPY doubles backslashes; JSON has no other character that it would escape.
            content = text[:-1].replace(b"\\\\", b"\\")
            yield Row(int(number), merkle.leaf(prefix + content), misdated == b"t")


def _query(part: Part, times: Times) -> sql.Composed:
    return sql.SQL(
        "COPY (SELECT id, (transaction >= {clock} AND at < {after}::timestamptz - {slack}::interval)"
        " OR at > {before}::timestamptz + {slack}::interval, json_build_array({columns})"
        " FROM {table} WHERE (transaction, id) >= ({start}) AND (transaction, id) < ({end}) ORDER BY transaction, id) TO STDOUT"
    ).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, part.columns)),
        table=sql.Identifier(part.table),
        start=sql.SQL(", ").join(map(sql.Literal, part.start)),
        end=sql.SQL(", ").join(map(sql.Literal, part.end)),
        slack=sql.Literal(SLACK),
        **{name: sql.Literal(value) for name, value in times._asdict().items()},
    )


def count_query(part: Part) -> sql.Composed:
    """How many rows there are from the part's start on, and the time of the oldest."""
    return sql.SQL("SELECT count(*), min(at) FROM {table} WHERE (transaction, id) >= ({start})").format(
        table=sql.Identifier(part.table), start=sql.SQL(", ").join(map(sql.Literal, part.start))
    )
