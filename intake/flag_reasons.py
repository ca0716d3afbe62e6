"""Why a flag is overridden or put off: the coded reasons of flag_reasons.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from intake.content_files import CONTENT, ContentError, read

FILE = "flag_reasons.yaml"
KINDS = frozenset({"override", "snooze"})
SHORTEST = 10  # characters of a reason in words
LONGEST_SNOOZE = 7  # days


@dataclass(frozen=True)
class Reason:
    """One coded reason. kinds: what it may be given for; words: whether it must be said in free text as well."""

    code: str
    label: str
    kinds: frozenset[str]
    words: bool


@cache
def reasons(folder: Path = CONTENT) -> Mapping[str, Reason]:
    """Every reason by its code, in order. Raises ContentError."""
    rows = read(FILE, folder)["reasons"]
    found = {row["code"]: Reason(row["code"], row["label"], frozenset(row["for"]), row.get("words", False)) for row in rows}
    if len(found) != len(rows):
        raise ContentError(f"{FILE}: a code is used twice")
    for reason in found.values():
        if not reason.kinds or reason.kinds - KINDS:
            raise ContentError(f"{FILE}, {reason.code}: `for` must name override, snooze or both")
    return found


def choices(kind: str) -> list[tuple[str, str]]:
    """The reasons for one kind, as a form offers them."""
    return [(reason.code, reason.label) for reason in reasons().values() if kind in reason.kinds]


def reviewed() -> bool:
    """Whether a named clinician has checked the list."""
    return read(FILE)["checker"] is not None


def check_reason(kind: str, code: str, words: str) -> None:
    """Raises ValueError, as a sentence, for a reason that is not one of this kind or lacks the words it needs."""
    reason = reasons().get(code)
    if reason is None or kind not in reason.kinds:
        raise ValueError(f"There is no reason {code!r} for this.")
    if reason.words and len(words.strip()) < SHORTEST:
        raise ValueError(f"Please say the reason in at least {SHORTEST} characters.")
