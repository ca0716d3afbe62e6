"""The copy of the seals outside the database: a file that only grows, one seal a line, {"document": ..., "signature": ...}."""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from clinic import database, safe_files
from clinic.seal import SealProblem


class Sealed(NamedTuple):
    """A seal as it is kept: the bytes that were signed, and the signature in hex."""

    document: bytes
    signature: str

    def line(self) -> bytes:
        return json.dumps({"document": self.document.decode(errors="replace"), "signature": self.signature}).encode() + b"\n"


def public_file(copy: Path) -> Path:
    """Where the public half of the key lies: beside the copy."""
    return copy.with_name(copy.name + ".pub")


def locked(copy: Path) -> contextlib.AbstractContextManager[None]:
    """One process at a time writes here; the second waits."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    safe_files.leave_to_owner(copy.parent)
    return database.locked(copy.with_name(copy.name + ".lock"))


def read(copy: Path) -> Iterator[Sealed | None]:
    """Its seals in their order; None for a line that is none. A last line without its end was broken off and does not count yet."""
    try:
        with open(copy, "rb") as lines:
            yield from (_seal(line) for line in lines if line.endswith(b"\n"))
    except FileNotFoundError:
        return


def _seal(line: bytes) -> Sealed | None:
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        values = json.loads(line)
        seal = Sealed(values["document"].encode(), str(values["signature"]))
        return seal if seal.line() == line else None
    return None


def append(copy: Path, seals: Iterable[Sealed]) -> None:
    """Write seals at the end, to the disk. A line that was broken off before is completed. Raises SealProblem."""
    is_new = not copy.exists()
    with open(copy, "ab+") as handle:
        broken_off = _last_piece(handle)
        for seal in seals:
            line = seal.line()
            if not line.startswith(broken_off):
                raise SealProblem(f"{copy} ends in the middle of a line that is not the next seal's: somebody else has written in it.")
            handle.write(line[len(broken_off) :])
            broken_off = b""
        handle.flush()
        os.fsync(handle.fileno())
    if is_new:
        safe_files.leave_to_owner(copy)
        folder = os.open(copy.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def _last_piece(handle) -> bytes:  # type: ignore[no-untyped-def]
    """What follows the last line break."""
    handle.seek(0)
    piece = b""
    for line in handle:
        piece = line
    return b"" if piece.endswith(b"\n") else piece
