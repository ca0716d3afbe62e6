"""Reading the reviewed data files of intake/content/: each file once, with its header checked."""

import datetime
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinic.cleaning import Unclean, load_yaml

if TYPE_CHECKING:
    from intake.questionnaire import Questionnaire

CONTENT = Path(__file__).parent / "content"
HEADER = ("source", "licence", "author", "checker", "last_reviewed", "review_date", "version")


class ContentError(ValueError):
    """A content file says something that cannot be true. The message names the file, the row and the reason."""


@cache
def read(file: str, folder: Path = CONTENT) -> Mapping[str, Any]:
    """One YAML file of a content folder, read once a process. Raises ContentError when it is not clean or its header lacks a key."""
    try:
        data = load_yaml((folder / file).read_bytes())
    except Unclean as problem:
        raise ContentError(f"{file}: {problem}") from None
    missing = [key for key in HEADER if key not in data]
    if missing:
        raise ContentError(f"{file}: the header lacks {', '.join(missing)}")
    return data  # type: ignore[no-any-return]


def canonical(data: object) -> str:
    """Canonical JSON: the same content gives the same text whatever its order and layout."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_text)


def sha256(data: object) -> str:
    """SHA-256, in hex, of the canonical form."""
    return hashlib.sha256(canonical(data).encode()).hexdigest()


def _text(value: object) -> str:
    if isinstance(value, datetime.date):
        return value.isoformat()
    raise TypeError(f"{value!r} has no canonical form")


@cache
def questionnaire(code: str) -> "Questionnaire":
    """The questionnaire of intake/content/ with this code. Raises ContentError when the code inside is another one."""
    from intake.questionnaire import load

    compiled = load((CONTENT / "questionnaires" / f"{code}.json").read_bytes())
    if compiled.code != code:
        raise ContentError(f"questionnaires/{code}.json: its name is {compiled.name}")
    return compiled
