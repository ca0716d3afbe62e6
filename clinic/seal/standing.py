"""What the record stands on, beside its rows: the triggers and walls that write and guard it, its counters, and what is written once."""

from collections.abc import Iterator

import psycopg
from django.apps import apps
from django.db.models import Model
from psycopg import sql

from clinic import walls
from clinic.models import AccessEvent, Change, Seal
from clinic.models.record import Immutable
from clinic.seal import rows
from clinic.seal.clock import SEALED_TABLES

RECORDS = (AccessEvent._meta.db_table, Change._meta.db_table, Seal._meta.db_table)
VERBS = ["INSERT", "UPDATE", "DELETE", "TRUNCATE"]
FUNCTIONS = {"steady_record_change": walls.RECORD_CHANGE, "steady_stamp_access": walls.STAMP_ACCESS}


def problems(database: psycopg.Connection) -> Iterator[str]:
    """Each thing that does not stand, as a sentence."""
    with database.transaction():
        rows.use_utc(database)
        yield from _triggers(database)
        yield from _functions(database)
        yield from _privileges(database)
        yield from _tables(database)
        yield from _counters(database)
        for model in _written_once():
            yield from _held_to_its_change(database, model)


def _written_once() -> list[type[Immutable]]:
    return [model for model in apps.get_models() if issubclass(model, Immutable) and model not in (AccessEvent, Seal)]


def _triggers(database: psycopg.Connection) -> Iterator[str]:
    """Each recorded table has its trigger, switched on; the records have no other that could swallow a row."""
    wanted = {(model._meta.db_table, "steady_change", "steady_record_change") for model in walls.recorded_models()}
    wanted.add((RECORDS[0], "steady_stamp", "steady_stamp_access"))
    found = set(
        database.execute(
            "SELECT relname, tgname, proname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid"
            " WHERE NOT tgisinternal AND tgenabled = 'O' AND relnamespace = 'public'::regnamespace"
        )
    )
    for table, name, _ in sorted(wanted - found):
        yield f"{table}: the trigger {name}, which writes or guards the record, is switched off, replaced or gone."
    for table, name, _ in sorted(found - wanted):
        if table in RECORDS:
            yield f"{table}: a trigger {name} that Steady did not make stands on the record."


def _functions(database: psycopg.Connection) -> Iterator[str]:
    for name, source in FUNCTIONS.items():
        body = source.split("$$")[1]
        found = database.execute("SELECT prosrc FROM pg_proc WHERE proname = %s AND pronamespace = 'public'::regnamespace", [name])
        if [row[0] for row in found] != [body]:
            yield f"The function {name}, which writes or guards the record, is not Steady's. After an update: run `manage.py migrate`."
    muted = "SELECT 1 FROM pg_db_role_setting, unnest(setconfig) AS setting WHERE setting LIKE 'session_replication_role=%'"
    if database.execute(muted).fetchone():
        yield "A setting of a role or of the database (session_replication_role) switches the record's triggers off."


def _privileges(database: psycopg.Connection) -> Iterator[str]:
    if database.execute("SELECT FROM pg_roles WHERE rolname = %s", [walls.WEB_ROLE]).fetchone() is None:
        return
    guarded: list[type[Model]] = [AccessEvent, Change, Seal, *_written_once()]
    for model in guarded:
        table, granted = model._meta.db_table, walls.privileges(model).replace("UPDATE (", "(")  # of some columns is not of all
        ask = "SELECT verb FROM unnest(%s::text[]) AS verb WHERE has_table_privilege(%s, to_regclass(%s), verb)"
        for (verb,) in database.execute(ask, [VERBS, walls.WEB_ROLE, f"public.{table}"]):
            if verb not in granted:
                yield f"{table}: the web role may {verb}, which it must not."


def _tables(database: psycopg.Connection) -> Iterator[str]:
    for table in RECORDS:
        ask = "SELECT relkind = 'r' AND NOT relhasrules AND relpersistence = 'p' FROM pg_class WHERE oid = to_regclass(%s)"
        found = database.execute(ask, [f"public.{table}"]).fetchone()
        if found != (True,):
            yield f"{table}: it is no plain table any more (a view, a rule or an unlogged table stands there), or it is gone."


def _counters(database: psycopg.Connection) -> Iterator[str]:
    """The next id of a record must be new."""
    for table in SEALED_TABLES:
        sealed = database.execute(
            "SELECT max((part ->> 'counter')::bigint) FROM (SELECT document::jsonb FROM clinic_seal ORDER BY number DESC LIMIT 1) newest,"
            " jsonb_array_elements(document -> 'parts') AS part WHERE part ->> 'table' = %s",
            [table],
        ).fetchone()
        newest = database.execute(sql.SQL("SELECT max(id) FROM {}").format(sql.Identifier(table))).fetchone()
        least = max((sealed and sealed[0]) or 0, (newest and newest[0]) or 0)
        if rows.counter_of(database, table) < least:
            yield f"{table}: the counter of its ids was set back below {least}, so ids would be given out twice."


HELD = """
SELECT coalesce(kept.id, recorded.row),
    CASE WHEN recorded.row IS NULL THEN 'nothing recorded that it was written'
         WHEN kept.id IS NULL THEN 'removed' ELSE 'not as it was recorded when it was written' END
FROM (SELECT id, to_jsonb(every) - {changing} AS now FROM {table} every) AS kept
FULL JOIN (SELECT "row", after - {changing} AS after FROM clinic_change WHERE "table" = {name} AND operation = 'INSERT') AS recorded
    ON recorded.row = kept.id
WHERE kept.id IS NULL OR recorded.row IS NULL OR (
    now IS DISTINCT FROM after
    AND EXISTS (SELECT FROM jsonb_each(after) WHERE key = ANY ({columns}) AND now -> key IS DISTINCT FROM value)
)
ORDER BY 1
"""


def _held_to_its_change(database: psycopg.Connection, model: type[Immutable]) -> Iterator[str]:
    """Whatever is written once is still what the change recorded when it was inserted; columns that came later are left out."""
    table = model._meta.db_table
    query = sql.SQL(HELD).format(
        table=sql.Identifier(table),
        name=sql.Literal(table),
        changing=sql.SQL("{}::text[]").format(sql.Literal(list(getattr(model, "MUTABLE_COLUMNS", ())))),
        columns=sql.Literal(list(rows.columns_of(database, table))),
    )
    with psycopg.ServerCursor(database, "steady_held") as cursor:
        for number, sentence in cursor.execute(query):
            yield f"{str(model._meta.verbose_name).capitalize()} {number} ({table}): {sentence}."
