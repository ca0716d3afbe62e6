"""Several writes, of many rows each, sent to the database as one statement.

Django's bulk_create and bulk_update make one statement for each table, and compose an update anew for every row of it. Here each column
travels as one array, and the writes stand beside each other as the parts of a WITH: all of them are done, or none.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from django.db import DatabaseError, connection
from django.db.models import Field, Model
from django.db.models.expressions import DatabaseDefault


class Write(NamedTuple):
    """One insert or update. sql: without the end that returns something; rows: how many it must come to."""

    sql: str
    params: list[Any]
    rows: int


def inserts(rows: Sequence[Model]) -> list[Write]:
    """The insert of new rows of one model; none for no rows. The rows do not learn their ids, and their arrays cannot be columns.

    A column with a default of the database's that no row says is left to it.
    """
    if not rows:
        return []
    meta = rows[0]._meta
    fields = [field for field in meta.local_concrete_fields if not field.primary_key and not _left_out(rows, field)]
    names = ", ".join(f'"{field.column}"' for field in fields)
    sql = f'INSERT INTO "{meta.db_table}" ({names}) SELECT * FROM {_unnest(fields)}'
    return [Write(sql, _arrays(rows, fields, add=True), len(rows))]


def updates(rows: Sequence[Model], names: Collection[str]) -> list[Write]:
    """The update of these fields of rows of one model; none for no rows. No row stands twice in what is written together."""
    if not rows:
        return []
    meta = rows[0]._meta
    fields = [field for field in meta.local_concrete_fields if field.name in names]
    setting = ", ".join(f'"{field.column}" = new."{field.column}"' for field in fields)
    columns = ", ".join(f'"{field.column}"' for field in (meta.pk, *fields))
    sql = (
        f'UPDATE "{meta.db_table}" AS old SET {setting} FROM {_unnest([meta.pk, *fields])} AS new ({columns})'
        f' WHERE old."{meta.pk.column}" = new."{meta.pk.column}"'
    )
    return [Write(sql, _arrays(rows, [meta.pk, *fields], add=False), len(rows))]


def write(writes: Sequence[Write]) -> None:
    """All of these in one statement. Raises DatabaseError when a row was not there, or is out of reach, and then nothing is kept."""
    if not writes:
        return
    parts = ", ".join(f"w{number} AS ({one.sql} RETURNING 1)" for number, one in enumerate(writes))
    counts = ", ".join(f"(SELECT count(*) FROM w{number})" for number in range(len(writes)))
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {parts} SELECT {counts}", [value for one in writes for value in one.params])
        written = cursor.fetchone()
    if written != tuple(one.rows for one in writes):
        connection.set_rollback(True)
        raise DatabaseError("Not every row could be written, so none was.")


def _unnest(fields: Sequence[Field]) -> str:
    """The arrays side by side as rows. Types without their lengths: a cast would cut what is too long, the column refuses it."""
    types = (str(field.db_type(connection)).partition("(")[0] for field in fields)
    return f"UNNEST({', '.join(f'%s::{name}[]' for name in types)})"


def _left_out(rows: Sequence[Model], field: Field) -> bool:
    return all(isinstance(getattr(row, field.attname), DatabaseDefault) for row in rows)


def _arrays(rows: Sequence[Model], fields: Sequence[Field], *, add: bool) -> list[Any]:
    """Column by column, as the database takes it."""
    return [[field.get_db_prep_save(field.pre_save(row, add), connection) for row in rows] for field in fields]
