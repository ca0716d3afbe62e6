"""Make a backup: every row as it stood at one moment, while people go on working."""

import datetime
import hashlib
import tomllib
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from clinic import seal
from clinic.backup import BackupProblem, contents, database, envelope
from clinic.backup.contents import Manifest, Progress, Tally
from clinic.walls import OUR_APPS


def make(file: Path, key: Any, progress: Progress) -> Manifest:
    """Write a backup that only the secret half of `key` opens. Raises BackupProblem; then there is no file."""
    with connection.cursor() as cursor:
        names = database.kept_tables(cursor)
    if not names:
        raise BackupProblem("There is nothing in this database yet.")
    with envelope.writing(file, key) as out, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # Held before the first look, so that no migration rewrites a table between that look and its turn.
        cursor.execute(f"LOCK TABLE {contents.listed(names)} IN ACCESS SHARE MODE")
        database.settle(cursor)
        out.write(contents.FIRST_LINE)
        tables = {}
        for name in names:
            columns = database.columns(cursor, name)
            out.write(contents.heading(name, columns))
            counting = Tally(name, progress)
            with database.rows(cursor, name, columns) as found:
                for piece in counting.watch(found):
                    out.write(piece)
            out.write(contents.END)
            tables[name] = counting.table(columns)
        manifest = _manifest(cursor, sealed="clinic_seal" in names)
        manifest.tables = tables
        out.write(manifest.line())
    return manifest


def _manifest(cursor: CursorWrapper, *, sealed: bool) -> Manifest:
    """`sealed`: whether this database knows seals; before an upgrade it is backed up by newer code than made it."""
    cursor.execute("SELECT app, name FROM django_migrations ORDER BY id")
    migrations = [list(row) for row in cursor.fetchall()]
    cursor.execute("SHOW server_version")
    return Manifest(
        steady=version(),
        made_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        postgresql=cursor.fetchone()[0],
        migrations=migrations,
        content=content_hashes(),
        sequences=database.sequences(cursor),  # no row has a higher number than these, which are read after all of them
        seal_head=list(newest) if sealed and (newest := seal.head()) else None,
    )


def version() -> str:
    return tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]["version"]


def content_hashes() -> dict[str, str]:
    """One SHA-256 for each app's content files, their names and what is in them."""
    found = {}
    for app in OUR_APPS:
        digest = hashlib.sha256()
        for file in sorted((settings.BASE_DIR / app / "content").rglob("*")):
            if file.is_file():
                digest.update(f"{file.relative_to(settings.BASE_DIR)}\n".encode() + hashlib.sha256(file.read_bytes()).digest())
        found[app] = digest.hexdigest()
    return found
