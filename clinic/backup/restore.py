"""Restore a backup into an empty database: all of it or nothing, and compared row by row before it counts.

One transaction makes the tables as they were when the backup was made, fills them, and reads them back. Until `migrate` has raised
the walls after that, the web role may read none of them: what was not restored to its end is not served.
"""

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import Error, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from clinic.backup import BackupProblem, contents, database, envelope
from clinic.backup.contents import Manifest, Progress
from clinic.logs import said

NOT_EMPTY = "This database has tables already, and a backup is restored into an empty one only. Nothing was changed. Make a new database."


def check(file: Path, key: Any, progress: Progress) -> Manifest:
    """Read all of the file, without a database. Raises BackupProblem for whatever does not hold."""
    with envelope.reading(file, key) as stream:
        return contents.check(stream, progress)


def restore(file: Path, key: Any, progress: Progress) -> Manifest:
    """Fill the empty database, bring it up to date and raise its walls. Raises BackupProblem; then nothing is in it."""
    manifest = check(file, key, progress)
    _refuse_unknown(manifest)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('steady_restore'))")
        if database.relations(cursor, "rpvmSf"):
            raise BackupProblem(NOT_EMPTY)
        _make_tables(cursor, manifest)
        _fill(cursor, file, key, manifest, progress)
        _compare(cursor, manifest, progress)
    _bring_up_to_date(manifest)
    return manifest


def _bring_up_to_date(manifest: Manifest) -> None:
    try:
        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {contents.listed(list(manifest.tables))}")
    except (Error, CommandError) as error:
        raise BackupProblem(
            f"Every row is restored, and the tables could not be brought up to date: {said(error)}. "
            "The web role may read nothing yet. Run `manage.py set_up`, which goes on from here."
        ) from error


def _refuse_unknown(manifest: Manifest) -> None:
    known = MigrationLoader(None).disk_migrations
    unknown = [f"{app}.{name}" for app, name in manifest.migrations if (app, name) not in known]
    if unknown:
        raise BackupProblem(
            f"The backup was made by Steady {manifest.steady} with {', '.join(unknown)}, which this version does not have. "
            "Nothing was changed. Install the version that made it, or a newer one."
        )


def _make_tables(cursor: CursorWrapper, manifest: Manifest) -> None:
    """The empty tables as they were when the backup was made."""
    database.settle(cursor)
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # rows a migration writes must not keep the next one from its table
    executor = MigrationExecutor(connection)
    applied = {(app, name) for app, name in manifest.migrations}
    executor.migrate(sorted(key for key in applied if not applied & _later(executor, key)))
    made = database.kept_tables(cursor)
    for name, table in manifest.tables.items():
        if name not in made or set(database.columns(cursor, name)) != set(table.columns):
            raise BackupProblem(f"This version of Steady makes {name} with other columns than the backup has. Nothing was changed.")
    cursor.execute(f"TRUNCATE {contents.listed(made)}")


def _later(executor: MigrationExecutor, key: tuple[str, str]) -> set[tuple[str, str]]:
    """The migrations of the same app that come directly after this one."""
    return {child.key for child in executor.loader.graph.node_map[key].children if child.key[0] == key[0]}


FOREIGN_KEYS = """
SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
 WHERE contype = 'f' AND connamespace = 'public'::regnamespace
"""
TRIGGERS = """
SELECT tgrelid::regclass::text, quote_ident(tgname) FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
 WHERE NOT tgisinternal AND tgenabled = 'O' AND relnamespace = 'public'::regnamespace
"""


def _fill(cursor: CursorWrapper, file: Path, key: Any, manifest: Manifest, progress: Progress) -> None:
    """Foreign keys are made again afterwards, which checks them all at once; no trigger writes about what is restored."""
    cursor.execute(FOREIGN_KEYS)
    foreign_keys = cursor.fetchall()
    cursor.execute(TRIGGERS)
    triggers = cursor.fetchall()
    for table, name, _ in foreign_keys:
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for table, name in triggers:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
    with envelope.reading(file, key) as stream:
        for name, pieces in contents.tables(stream):
            if name:
                _copy(cursor, name, manifest.tables[name].columns, contents.Tally(name, progress).watch(pieces))
    for name, (value, given_out) in manifest.sequences.items():
        cursor.execute("SELECT setval(%s::regclass, %s, %s)", [f'public."{name}"', value, given_out])
    for table, name, definition in foreign_keys:
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    for table, name in triggers:
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {name}")


def _copy(cursor: CursorWrapper, name: str, columns: list[str], pieces: Any) -> None:
    with cursor.copy(f'COPY public."{name}" ({contents.listed(columns)}) FROM STDIN') as copy:
        for piece in pieces:
            copy.write(piece)


def _compare(cursor: CursorWrapper, manifest: Manifest, progress: Progress) -> None:
    """Read every table back: the same rows, to the last byte."""
    for name, table in manifest.tables.items():
        if database.tally(cursor, name, table.columns, progress) != table:
            raise BackupProblem(f"The rows of {name} are not those of the backup once they are in the database. Nothing was changed.")
