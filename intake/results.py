"""Which results somebody may enter, from intake/content/results.yaml: groups that are entered together, each with its kinds. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any

from intake.content_files import ContentError, read

FILE = "results.yaml"


@dataclass(frozen=True)
class Kind:
    """One kind of result: a number within limits (places: decimals it may have), or one of the choices (code: word)."""

    code: str
    group: str
    title: str
    short: str
    unit: str = ""
    least: Decimal | None = None
    most: Decimal | None = None
    places: int = 0
    choices: Mapping[str, str] = field(default_factory=dict)
    named: bool = False

    @property
    def needs_source(self) -> bool:
        return groups()[self.group].source_needed

    def said(self, value: Decimal | None, choice: str) -> str:
        """A result of this kind in words: 1.4 x ULN, not detected."""
        if value is None:
            return self.choices[choice]
        return f"{plain(value)} {self.unit}".strip()

    def problem(self, given: Decimal | str) -> str:
        """Why this cannot be a result of this kind, as a sentence; empty when it can. A text is a choice by its code."""
        if self.least is None or self.most is None:
            return "" if given in self.choices else f"{self.short}: please choose {' or '.join(self.choices.values())}."
        if isinstance(given, str) or not given.is_finite():
            return f"{self.short} is a number."
        if not self.least <= given <= self.most:
            unit = f" {self.unit}" if self.unit else ""
            return f"{self.short} of {plain(given)} cannot be. Possible are {plain(self.least)} to {plain(self.most)}{unit}."
        if given != round(given, self.places):
            return f"{self.short} has at most {self.places} decimals." if self.places else f"{self.short} is a whole number."
        return ""


@dataclass(frozen=True)
class Group:
    """Kinds that are entered together. source_label: what is asked as their source, which may be needed."""

    code: str
    title: str
    note: str
    source_label: str
    source_needed: bool = False

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return tuple(kind for kind in kinds().values() if kind.group == self.code)


@cache
def groups() -> Mapping[str, Group]:
    """The groups by code, in their order."""
    return {code: Group(code=code, **row) for code, row in read(FILE)["groups"].items()}


@cache
def kinds() -> Mapping[str, Kind]:
    """The kinds by code, in their order. Raises ContentError, naming the row, for one that says something that cannot be."""
    return {code: _kind(code, row) for code, row in read(FILE)["results"].items()}


def lasting(name: str) -> int:
    """How long, in hours or days as the name says, a result counts."""
    return int(read(FILE)["lasting"][name])


def plain(value: Decimal) -> str:
    """Without decimals that say nothing: 32.00 is 32, 1.40 is 1.4."""
    return f"{value.quantize(Decimal(1)) if value == value.to_integral() else value.normalize():f}"


def _kind(code: str, row: Mapping[str, Any]) -> Kind:
    if ("number" in row) == ("choices" in row) or row["group"] not in groups():
        raise ContentError(f"{FILE}, {code}: it needs limits or choices, and a group that exists")
    texts = {key: row[key] for key in ("group", "title", "short")} | {"unit": row.get("unit", ""), "named": row.get("named", False)}
    if "choices" in row:
        return Kind(code=code, choices=row["choices"], **texts)
    least, most, places = row["number"]
    if least >= most:
        raise ContentError(f"{FILE}, {code}: its limits exclude each other")
    return Kind(code=code, least=Decimal(least), most=Decimal(most), places=places, **texts)
