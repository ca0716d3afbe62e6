"""What is inside a backup: a script of COPY, as psql would read it, and as its last line a manifest that counts and hashes every table.

    -- Steady backup 1
    COPY "public"."clinic_patient" ("id", "program_id", ...) FROM stdin;
    ... one row a line, in PostgreSQL's text format, by primary key ...
    \\.
    -- manifest {"tables": {"clinic_patient": {"columns": [...], "rows": 3, "sha256": "..."}}, ...}
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import IO, Any, Self

from clinic.backup import BackupProblem

FIRST_LINE = b"-- Steady backup 1\n"
MANIFEST = b"-- manifest "
END = b"\\.\n"
HEADING = re.compile(rb'COPY "public"\."([^"]+)" \([^\n]*\) FROM stdin;\n')
# Rows are passed on in pieces of about this many bytes.
PIECE = 256 * 1024

Progress = Callable[[str, int], None]


@dataclass
class Table:
    """The rows of one table: its columns, how many rows there are, and the SHA-256 of their lines."""

    columns: list[str]
    rows: int
    sha256: str


@dataclass
class Manifest:
    """What a backup says about itself. `migrations` are (app, name); `sequences` are name: (last value, whether it was given out)."""

    steady: str
    made_at: str
    postgresql: str
    migrations: list[list[str]]
    content: dict[str, str]
    sequences: dict[str, list[Any]]
    seal_head: Any
    tables: dict[str, Table] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())

    def line(self) -> bytes:
        return MANIFEST + json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Self:
        try:
            values = json.loads(line.removeprefix(MANIFEST))
            tables = {name: Table(**table) for name, table in values.pop("tables").items()}
            return cls(**values, tables=tables)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise BackupProblem("The backup's manifest cannot be read: another version of Steady wrote it. Nothing was changed.") from None


class Tally:
    """Counts and hashes the lines of a table as they go by."""

    def __init__(self, name: str, progress: Progress) -> None:
        self.name, self.rows, self._progress, self._digest = name, 0, progress, hashlib.sha256()

    def watch(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.rows += piece.count(b"\n")  # a line break inside a value is written \n
            self._digest.update(piece)
            self._progress(self.name, self.rows)
            yield piece

    def table(self, columns: list[str]) -> Table:
        return Table(columns, self.rows, self._digest.hexdigest())


def heading(name: str, columns: list[str]) -> bytes:
    return f'COPY "public"."{name}" ({listed(columns)}) FROM stdin;\n'.encode()


def listed(names: list[str]) -> str:
    """Names as SQL: "a", "b"."""
    return ", ".join(f'"{name}"' for name in names)


def pieces(lines: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """The same bytes in fewer pieces."""
    waiting, size = [], 0
    for line in lines:
        waiting.append(bytes(line))
        size += len(line)
        if size >= PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def tables(stream: IO[bytes]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """(name, pieces of its lines) of each table, to be read to its end before the next. The manifest comes last and is not given out."""
    if stream.readline(len(FIRST_LINE)) != FIRST_LINE:
        raise BackupProblem("The file opens with this key, and it is no backup of this version of Steady. Nothing was changed.")
    while found := HEADING.fullmatch(line := stream.readline()):
        yield found[1].decode(), pieces(_lines(stream))
    yield "", iter([line])


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    for line in stream:
        if line == END:
            return
        yield line
    raise BackupProblem("The backup ends in the middle of a table. Nothing was changed.")


def check(stream: IO[bytes], progress: Progress) -> Manifest:
    """Read all of a backup and hold every table to the manifest. Raises BackupProblem, naming the first that differs."""
    found: dict[str, Tally] = {}
    last = b""
    for name, rows in tables(stream):
        if not name:
            last = b"".join(rows)
            break
        found[name] = Tally(name, progress)
        for _ in found[name].watch(rows):
            pass
    manifest = Manifest.read(last)
    if stream.read(1) or list(found) != list(manifest.tables):
        raise BackupProblem("The backup's tables are not those of its manifest. Nothing was changed.")
    for name, table in manifest.tables.items():
        if found[name].table(table.columns) != table:
            raise BackupProblem(f"The rows of {name} are not those that the backup's manifest counted. Nothing was changed.")
    return manifest
