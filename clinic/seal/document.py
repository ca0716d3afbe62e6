"""What is signed: one seal as canonical JSON (sorted keys, no blanks, ASCII), and whether it is whole."""

import datetime
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

FORMAT = "steady-seal/1"
NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
HEX = re.compile(r"[0-9a-f]{64}")
START = (0, 0)

Position = tuple[int, int]  # (transaction, id): the order of the rows of a table


@dataclass(frozen=True)
class Part:
    """The rows of one table under a seal: start <= (transaction, id) < end, `rows` of them, as JSON arrays of `columns`.

    `counter` is the last id that the table's sequence had given out.
    """

    table: str
    columns: tuple[str, ...]
    start: Position
    end: Position
    rows: int
    counter: int


@dataclass(frozen=True)
class Document:
    """One seal. `clock` is the first transaction number that was not given out yet when it was made; hashes are in hex."""

    number: int
    previous: str
    at: datetime.datetime
    clock: int
    key: str
    parts: tuple[Part, ...]
    root: str

    def encode(self) -> bytes:
        values = asdict(self) | {"format": FORMAT, "at": self.at.astimezone(datetime.UTC).isoformat(timespec="microseconds")}
        return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()

    def part(self, table: str) -> Part | None:
        return next((part for part in self.parts if part.table == table), None)

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """Raises ValueError for anything that `encode` would not have written."""
        try:
            values = json.loads(text)
            parts = tuple(_part(part) for part in values.pop("parts"))
            if values.pop("format") != FORMAT:
                raise ValueError("another format")
            document = cls(**values | {"at": datetime.datetime.fromisoformat(values["at"]), "parts": parts})
        except (TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError("not a seal") from error
        if document.encode() != text or not HEX.fullmatch(document.root):
            raise ValueError("not canonical")
        return document


def _part(values: Mapping[str, Any]) -> Part:
    columns, start, end = tuple(values["columns"]), tuple(values["start"]), tuple(values["end"])
    if not all(NAME.fullmatch(name) for name in (values["table"], *columns)):
        raise ValueError("not a name")
    if not all(type(number) is int for number in (*start, *end, values["rows"], values["counter"])) or len(start) != 2 or len(end) != 2:
        raise ValueError("not a number")
    return Part(**{**values, "columns": columns, "start": start, "end": end})


def hash_of(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
