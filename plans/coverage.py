"""What the clinic set out to cover and what covers it, row by row, from plans/content/coverage.yaml. Pure.

A row without anything that covers it, or with a name that does not exist, is refused when the file is loaded.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from intake.content_files import ContentError, questionnaire
from intake.facts import FACTS
from intake.flags import flags
from intake.interactions import interactions
from intake.level_of_care import levels, need_tables
from intake.packet import instruments
from intake.scoring import score_definitions
from plans.components import load_components, read
from plans.thread import STOPS

FILE = "coverage.yaml"
ITEM = re.compile(r"(\w+)/([\w.]+)(?:=(\w+))?")


@dataclass(frozen=True)
class Covers:
    """One part of the content: its name in the file, and how it is read."""

    name: str
    words: str


@dataclass(frozen=True)
class Row:
    """One row of the specification's section 1."""

    number: int
    group: str
    names: str
    by: tuple[Covers, ...]


@cache
def coverage() -> tuple[Row, ...]:
    """Every row, in order. Raises ContentError naming the row and what is wrong with it."""
    rows = tuple(_rows())
    if [row.number for row in rows] != list(range(1, len(rows) + 1)):
        raise ContentError(f"{FILE}: the rows are not numbered 1, 2, 3 ...")
    return rows


def _rows() -> Iterator[Row]:
    for group in read(FILE)["groups"]:
        for row in group["rows"]:
            where = f"{FILE}, row {row['number']}"
            if not row["by"]:
                raise ContentError(f"{where}: nothing covers it")
            yield Row(row["number"], group["name"], row["names"], tuple(_covers(str(name), where) for name in row["by"]))


def _covers(name: str, where: str) -> Covers:
    kind, _, rest = name.partition(" ")
    words = _named().get(name) or (_item(name) if not rest else _by_kind().get(kind, {}).get(rest))
    if not words:
        raise ContentError(f"{where}: there is no {name}")
    return Covers(name, words)


@cache
def _named() -> Mapping[str, str]:
    """Components and rules by id."""
    names = {id: component.name for id, component in load_components().items()}
    names |= {id: rule.name for id, rule in {**flags(), **interactions()}.items()}
    return {id: f"{id} {name}" for id, name in names.items()}


@cache
def _by_kind() -> Mapping[str, Mapping[str, str]]:
    return {
        "score": {code: f"{definition.name} score" for code, definition in score_definitions().items()},
        "fact": {name: fact.label for name, fact in FACTS.items()},
        "need": {table.code: f"Need {table.code}, {table.name.lower()}" for table in need_tables()},
        "level": {level: f"Level {level}, {label.lower()}" for level, label in levels().items()},
        "check": {rule: f"Plan check {rule}" for rule in STOPS},
    }


def _item(name: str) -> str | None:
    """A question of a questionnaire, or one of its answers. A gated question has no words of ours."""
    found = ITEM.fullmatch(name)
    if found is None or found[1] not in instruments():
        return None
    form = questionnaire(found[1])
    item = form.by_id.get(found[2])
    if item is None:
        return None
    asked = f"{form.title}: {item.text or f'question {item.prefix or item.link_id}'}"
    if not found[3]:
        return asked
    answer = next((option.display for option in item.options if getattr(option.value, "code", None) == found[3]), None)
    return f"{asked} {answer}" if answer else None
