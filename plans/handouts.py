"""What a patient takes home to read: handouts.yaml, each with the grade it reads at. Pure; nothing in a handout is about one person.

One that reads above grade HARDEST, is named twice or has nothing to read is refused when the file is loaded.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from intake.content_files import ContentError, sha256
from plans import reading
from plans.components import read

FILE = "handouts.yaml"
HARDEST = 8.0  # the texts aim at the 6th grade; beyond the 8th one is refused


@dataclass(frozen=True)
class Section:
    """One heading with its paragraphs, points and `lines` empty lines to write on."""

    heading: str
    paragraphs: tuple[str, ...]
    points: tuple[str, ...]
    lines: int

    @property
    def to_write_on(self) -> range:
        return range(self.lines)


@dataclass(frozen=True)
class Handout:
    """`sha256` is that of its own texts, so that what was given is known after the file has changed."""

    slug: str
    title: str
    about: str
    rests_on: str
    sections: tuple[Section, ...]
    grade: float
    sha256: str


def header() -> Mapping[str, Any]:
    """Source, licence, author, checker, review date: one for all handouts."""
    return read(FILE)


@cache
def load_handouts() -> Mapping[str, Handout]:
    """Every handout by slug, in the order of the file. Raises ContentError naming the handout."""
    rows = read(FILE)["handouts"]
    handouts = {row["slug"]: _handout(row) for row in rows}
    if len(handouts) != len(rows):
        raise ContentError(f"{FILE}: a slug is used twice")
    return handouts


def _handout(row: Mapping[str, Any]) -> Handout:
    where = f"{FILE}, {row['slug']}"
    sections = tuple(_section(section) for section in row["sections"])
    try:
        grade = reading.grade(" ".join(_sentences(sections)))
    except ValueError as problem:
        raise ContentError(f"{where}: {problem}") from None
    if grade > HARDEST:
        raise ContentError(f"{where}: it reads at grade {grade}; {HARDEST} at most")
    texts = {name: row[name] for name in ("slug", "title", "about", "rests_on")}
    return Handout(**texts, sections=sections, grade=grade, sha256=sha256(row))


def _section(row: Mapping[str, Any]) -> Section:
    return Section(row["heading"], tuple(row.get("paragraphs", ())), tuple(row.get("points", ())), row.get("lines", 0))


def _sentences(sections: tuple[Section, ...]) -> Iterator[str]:
    """What is read as sentences; headings are none, and would make a text look easier than it is."""
    for section in sections:
        yield from section.paragraphs
        yield from section.points
