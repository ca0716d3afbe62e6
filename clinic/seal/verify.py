"""Whether the record is what was sealed: the chain of seals, its copy outside, and every row. Streams; holds one seal's rows at once."""

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from clinic.seal import keys, merkle, outside, rows
from clinic.seal.clock import SEALED_TABLES
from clinic.seal.document import START, Document, Part, hash_of
from clinic.seal.make import ID_BYTES
from clinic.seal.outside import Sealed

ENTRY = ID_BYTES + merkle.SIZE
CALLED = {"clinic_accessevent": "Access", "clinic_change": "Change"}
STORED = "SELECT number, at, clock, hash, document, signature, listed FROM clinic_seal WHERE number = %s"
LOST = psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedTable, psycopg.errors.WrongObjectType


class Stored(NamedTuple):
    """A seal as its row in the database has it."""

    number: int
    at: datetime.datetime
    clock: int
    hash: str
    document: str
    signature: str
    listed: bytes

    @property
    def sealed(self) -> Sealed:
        return Sealed(self.document.encode(), self.signature)


@dataclass
class Counts:
    """What was looked at; `oldest` is the time of the oldest row that is not sealed."""

    seals: int = 0
    rows: int = 0
    unsealed: int = 0
    oldest: datetime.datetime | None = None


@dataclass
class Verification:
    """One walk over the record as `database` (the owner's) sees it. `counts` are whole when `problems` has ended."""

    database: psycopg.Connection
    copy: Path
    progress: Callable[[Document], Any] = lambda _: None
    counts: Counts = field(default_factory=Counts)

    def problems(self) -> Iterator[str]:
        """Each thing that does not hold, as a sentence that names it. Raises SealProblem without a public key."""
        key = keys.public(outside.public_file(self.copy))
        with self.database.transaction():
            rows.use_utc(self.database)
            before: Document | None = None
            lines = outside.read(self.copy)
            for number in range(1, self._newest_number() + 1):
                before = yield from self._seal(number, next(lines, None), key, before)
            yield from self._numbers()
            yield from self._not_sealed(before)

    def _newest_number(self) -> int:
        newest = self.database.execute("SELECT max(number) FROM clinic_seal").fetchone()
        return max((newest and newest[0]) or 0, sum(1 for _ in outside.read(self.copy)))

    def _seal(self, number: int, line: Sealed | None, key: Ed25519PublicKey, before: Document | None):  # type: ignore[no-untyped-def]
        """The problems of one seal and of the rows under it; gives back its document, None when none can be trusted."""
        found = self.database.execute(STORED, [number]).fetchone()
        stored = Stored(*found) if found else None
        document, sentences = _trusted(number, stored, line, key, before)
        yield from sentences
        if document is None:
            return None
        self.counts.seals += 1
        if stored:
            yield from _columns(stored, document)
        yield from _succeeds(document, before)
        yield from self._rows(document, stored.listed if stored else b"", before)
        self.progress(document)
        return document

    def _rows(self, document: Document, listed: bytes, before: Document | None) -> Iterator[str]:
        """The rows under one seal, each held to the list of hashes, and the list to the root that was signed."""
        entries = [listed[at : at + ENTRY] for at in range(0, len(listed), ENTRY)]
        times = rows.Times(before.clock if before else 0, before.at if before else "-infinity", document.at)
        if len(entries) != sum(part.rows for part in document.parts) or _root(entries) != document.root:
            yield from self._unlisted(document, times)
            return
        at = 0
        for part in document.parts:
            yield from self._part(document, part, entries[at : at + part.rows], times)
            at += part.rows

    def _part(self, document: Document, part: Part, entries: list[bytes], times: rows.Times) -> Iterator[str]:
        expected = {int.from_bytes(entry[:ID_BYTES], signed=True): (at, entry[ID_BYTES:]) for at, entry in enumerate(entries)}
        called, missing = CALLED.get(part.table, part.table), bytearray(b"\x01" * len(entries))
        for row in self._read(part, times):
            if isinstance(row, str):
                yield row
                return
            self.counts.rows += 1
            at, content = expected.get(row.id, (-1, b""))
            if at < 0 or not missing[at]:
                yield f"{called} {row.id}: inserted among what seal {document.number} had sealed."
                continue
            missing[at] = 0
            if content != row.hash:
                yield f"{called} {row.id}: changed since seal {document.number}."
            elif row.misdated:
                yield f"{called} {row.id}: its time is not the time it was written at; seal {document.number} found it so."
        for at, entry in enumerate(entries):
            if missing[at]:
                yield f"{called} {int.from_bytes(entry[:ID_BYTES], signed=True)}: removed since seal {document.number}."

    def _unlisted(self, document: Document, times: rows.Times) -> Iterator[str]:
        """Without the list of hashes only the root tells whether the rows are what was sealed, all or none."""
        yield f"Seal {document.number}: the list of its rows in the database is not the one that was sealed."
        leaves: list[bytes] = []
        for part in document.parts:
            first = len(leaves)
            for row in self._read(part, times):
                if isinstance(row, str):
                    yield row
                    return
                if len(leaves) - first > part.rows:  # more than were sealed; no need to hold them all
                    break
                leaves.append(row.hash)
        self.counts.rows += len(leaves)
        if merkle.root(leaves).hex() != document.root:
            named = ", ".join(f"{part.rows} of {part.table}" for part in document.parts)
            yield f"Seal {document.number}: one or more of the rows it sealed ({named}) were changed, inserted or removed."

    def _read(self, part: Part, times: rows.Times) -> Iterator[rows.Row | str]:
        """The rows of a part, or one sentence when the table does not have the columns that were sealed."""
        try:
            with self.database.transaction():
                yield from rows.read(self.database, part, times)
        except LOST as error:
            yield f"{part.table}: {error.diag.message_primary}, and it was sealed."

    def _numbers(self) -> Iterator[str]:
        odd = self.database.execute("SELECT count(*) FROM clinic_seal WHERE number < 1").fetchone()
        if odd and odd[0]:
            yield f"{odd[0]} seals in the database have a number below 1."
        for (number,) in self.database.execute("SELECT number FROM clinic_seal GROUP BY number HAVING count(*) > 1 ORDER BY number"):
            yield f"Seal {number}: there are several of this number in the database."

    def _not_sealed(self, last: Document | None) -> Iterator[str]:
        """What came after the last seal: counted, and its times held to that seal and to now."""
        now, _, clock = self.database.execute(rows.NOW).fetchone()  # type: ignore[misc]
        if last and clock < last.clock:
            yield f"Transactions are numbered from {clock}, and seal {last.number} was made at {last.clock}: run `manage.py migrate`."
        times = rows.Times(last.clock if last else 0, last.at if last else "-infinity", now)
        for table in SEALED_TABLES:
            part = last.part(table) if last else None
            start = part.end if part else START
            try:
                with self.database.transaction():
                    yield from self._tail(Part(table, ("id",), start, (clock, 0), 0, 0), times)
                    yield from self._out_of_order(table, clock)
            except LOST as error:
                yield f"{table}: {error.diag.message_primary}, and it is part of the record."

    def _tail(self, part: Part, times: rows.Times) -> Iterator[str]:
        number, oldest = self.database.execute(rows.count_query(part)).fetchone()  # type: ignore[misc]
        self.counts.unsealed += number
        self.counts.oldest = min(filter(None, (self.counts.oldest, oldest)), default=None)
        for row in rows.read(self.database, part, times) if number else ():
            if row.misdated:
                yield f"{CALLED[part.table]} {row.id}: its time is not the time it was written at; it is not sealed yet."

    def _out_of_order(self, table: str, clock: int) -> Iterator[str]:
        query = f"SELECT id FROM {table} WHERE transaction >= %s OR transaction < 0 OR transaction IS NULL ORDER BY id"
        for (number,) in self.database.execute(query, [clock]):
            yield f"{CALLED[table]} {number}: its transaction is none that this database has given out."


def _trusted(
    number: int, stored: Stored | None, line: Sealed | None, key: Ed25519PublicKey, before: Document | None
) -> tuple[Document | None, list[str]]:
    """The document of a seal that was signed with the key, from the copy or the database, and what is wrong with either."""
    sentences = []
    outer, why = _signed(number, line, key)
    if why:
        sentences.append(f"Seal {number} in the copy: {why}" if line else f"Seal {number} is not in the copy: {why}")
    inner, why = _signed(number, stored.sealed if stored else None, key)
    if why:
        sentences.append(f"Seal {number} in the database: {why}" if stored else f"Seal {number} is not in the database: {why}")
    if outer and inner and outer != inner:
        sentences.append(f"Seal {number}: the copy and the database have two different ones, and both are signed.")
    document = outer or inner
    if document and before is None and number > 1:
        sentences.append(f"Seal {number}: what it follows cannot be told.")
    return document, sentences


def _signed(number: int, sealed: Sealed | None, key: Ed25519PublicKey) -> tuple[Document | None, str]:
    """The document, or why it is not to be trusted."""
    if sealed is None:
        return None, "it was removed, or never got there."
    if not keys.signed_by(key, sealed.signature, sealed.document):
        return None, "it was not signed with the key whose public half lies beside the copy."
    try:
        document = Document.decode(sealed.document)
    except ValueError as error:
        return None, f"it cannot be read ({error})."
    return (document, "") if document.number == number else (None, f"seal {document.number} stands in its place.")


def _columns(stored: Stored, document: Document) -> Iterator[str]:
    """The row's own columns, which others read."""
    wanted = {"at": document.at, "clock": document.clock, "hash": hash_of(document.encode())}
    for name, value in wanted.items():
        if getattr(stored, name) != value:
            yield f"Seal {document.number} in the database: its {name} is not that of its document."


def _succeeds(document: Document, before: Document | None) -> Iterator[str]:
    if before is None:
        if document.number == 1 and document.previous:
            yield "Seal 1: it follows another seal, so it is not the first."
        return
    if document.previous != hash_of(before.encode()):
        yield f"Seal {document.number}: it does not follow seal {before.number}."
    for part in document.parts:
        earlier = before.part(part.table)
        if part.start != (earlier.end if earlier else START):
            yield f"Seal {document.number}: its rows of {part.table} do not begin where those of seal {before.number} end."


def _root(entries: list[bytes]) -> str:
    return merkle.root([entry[ID_BYTES:] for entry in entries]).hex()
