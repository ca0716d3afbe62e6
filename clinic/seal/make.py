"""Seal whatever is final and not sealed yet. Each seal is one transaction; a run that breaks off is gone on with by the next."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clinic.seal import SealProblem, keys, merkle, outside, rows
from clinic.seal.clock import SEALED_TABLES
from clinic.seal.document import START, Document, Part, Position, hash_of
from clinic.seal.outside import Sealed

BATCH = 10_000  # rows of a table under one seal
ID_BYTES = 8
# One process at a time, whichever machine it runs on.
LOCK = "SELECT pg_advisory_xact_lock(hashtext('steady_seal'))"
NEWEST = "SELECT number, document, signature FROM clinic_seal ORDER BY number DESC LIMIT 1"

Progress = Callable[[Document], Any]


def seal(
    database: psycopg.Connection, *, key_file: Path, copy: Path, progress: Progress = lambda _: None, renew_copy: bool = False,
    batch: int = BATCH, horizon: int | None = None,
) -> list[Document]:  # fmt: skip
    """Seal every row whose transaction can have no companions any more, in as many seals as it takes; the seals that were made.

    `database` is the owner's. `horizon` (for tests) stands for the oldest running transaction. Raises SealProblem.
    """
    with outside.locked(copy):
        key = keys.private(key_file, outside.public_file(copy))
        _catch_up(database, copy, renew=renew_copy)
        made = []
        while document := _seal_once(database, key, copy, batch, horizon):
            made.append(document)
            progress(document)
        return made


def _seal_once(
    database: psycopg.Connection, key: Ed25519PrivateKey, copy: Path, batch: int, horizon: int | None
) -> Document | None:
    """One seal, first in the database, then in the copy; None when there is nothing to seal."""
    with database.transaction():
        database.execute(LOCK)
        rows.use_utc(database)
        newest = _newest(database)
        now, oldest, clock = database.execute(rows.NOW).fetchone()  # type: ignore[misc]
        if newest and clock < newest.clock:
            raise SealProblem("Transactions here are numbered from anew, as in a database that was moved. Run `manage.py migrate` first.")
        parts, hashes = zip(*[_take(database, table, newest, horizon or oldest, batch, now) for table in SEALED_TABLES], strict=True)
        if not any(part.rows for part in parts):
            return None
        document = _document(newest, now, clock, key, parts, [each[ID_BYTES:] for listed in hashes for each in listed])
        sealed = Sealed(document.encode(), key.sign(document.encode()).hex())
        _store(database, document, sealed, b"".join(each for listed in hashes for each in listed))
    outside.append(copy, [sealed])
    return document


def _take(
    database: psycopg.Connection, table: str, newest: Document | None, horizon: int, batch: int, now: datetime.datetime
) -> tuple[Part, list[bytes]]:
    """The next rows of a table, and of each its id and hash."""
    before = newest.part(table) if newest else None
    start: Position = before.end if before else START
    end = rows.end_of_batch(database, table, start, horizon, batch)
    counter, columns = rows.counter_of(database, table), rows.columns_of(database, table)
    part = Part(table, columns, start, end, 0, counter)
    listed = [row.id.to_bytes(ID_BYTES, signed=True) + row.hash for row in rows.read(database, part, rows.Times(0, now, now))]
    return Part(table, columns, start, end, len(listed), counter), listed


def _document(
    newest: Document | None, now: datetime.datetime, clock: int, key: Ed25519PrivateKey, parts: tuple[Part, ...], leaves: list[bytes]
) -> Document:
    return Document(
        number=newest.number + 1 if newest else 1,
        previous=hash_of(newest.encode()) if newest else "",
        at=now,
        clock=clock,
        key=keys.fingerprint(key.public_key()),
        parts=parts,
        root=merkle.root(leaves).hex(),
    )


def _store(database: psycopg.Connection, document: Document, sealed: Sealed, listed: bytes) -> None:
    database.execute(
        "INSERT INTO clinic_seal (number, at, clock, hash, document, signature, listed) VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [document.number, document.at, document.clock, hash_of(sealed.document), sealed.document.decode(), sealed.signature, listed],
    )


def _newest(database: psycopg.Connection) -> Document | None:
    found = database.execute(NEWEST).fetchone()
    return _read(*found) if found else None


def _read(number: int, text: str, signature: str) -> Document:
    try:
        return Document.decode(text.encode())
    except ValueError:
        raise SealProblem(f"Seal {number} in the database is broken. Run `manage.py verify_audit`; nothing was sealed.") from None


def _catch_up(database: psycopg.Connection, copy: Path, *, renew: bool) -> None:
    """Bring the copy to where the database is: a run that broke off leaves it one seal behind, and never more.

    `renew`: begin the copy from what is in the database. Raises SealProblem when the two disagree.
    """
    last, count = None, 0
    for count, last in enumerate(outside.read(copy), 1):  # noqa: B007 the last one is wanted
        pass
    stored = database.execute("SELECT count(*), max(number) FROM clinic_seal").fetchone()
    there: int = (stored and stored[1]) or 0
    if renew and count == 0:
        outside.append(copy, _from(database, 1))
        return
    if count > there:
        raise SealProblem(f"{copy} has {count} seals and the database {there}: some were removed, or an older backup restored. {AGREE}")
    if there - count > 1:
        raise SealProblem(f"The database has {there} seals and {copy} has {count}: lines of it were removed. {AGREE}")
    if count and last != next(_from(database, count), None):
        raise SealProblem(f"Seal {count} in {copy} is not seal {count} in the database. {AGREE}")
    if there > count:
        outside.append(copy, _from(database, count + 1))


AGREE = (
    "Run `manage.py verify_audit`. If it is explained, keep the old copy elsewhere, move it away from here and begin a new one: "
    "`manage.py seal_audit --new-copy`."
)


def _from(database: psycopg.Connection, number: int):  # type: ignore[no-untyped-def]
    found = database.execute("SELECT document, signature FROM clinic_seal WHERE number >= %s ORDER BY number", [number])
    return (Sealed(text.encode(), signature) for text, signature in found)
