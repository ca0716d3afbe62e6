"""A FHIR R4 Questionnaire as a frozen item tree. What is not honoured is refused by name, never ignored.

Honoured: groups, displays, all simple answer types, choices with contained value sets, enableWhen, item controls, units,
weights, limits, repeating groups (steps A to D of the subset, and repeating groups).
"""

import datetime
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any

from clinic.cleaning import load_json
from intake.answers import Value


class UnsupportedQuestionnaire(ValueError):
    """The form cannot be used as it is; `problems` names each item and element."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Option:
    """One answer to choose. exclusive: it cannot stand together with another."""

    value: Value
    display: str
    weight: Decimal | None = None
    exclusive: bool = False


@dataclass(frozen=True)
class EnableWhen:
    """One condition: the answer of `question` compared with `answer` (a bool for `exists`; `declined` compares nothing)."""

    question: str
    operator: str
    answer: Value


@dataclass(frozen=True, eq=False)
class Item:
    """One item of the tree. Limits are of the item's own type; `pattern` is a compiled linear-time expression."""

    link_id: str
    type: str
    text: str = ""
    prefix: str = ""
    required: bool = False
    repeats: bool = False
    read_only: bool = False
    hidden: bool = False
    max_length: int | None = None
    min_length: int | None = None
    max_decimal_places: int | None = None
    min_value: Any = None
    max_value: Any = None
    max_occurs: int | None = None
    pattern: Any = None
    entry_format: str = ""
    unit: str = ""
    control: str = ""
    help: str = ""
    initial: tuple[Value, ...] = ()
    options: tuple[Option, ...] = ()
    enable_when: tuple[EnableWhen, ...] = ()
    enable_any: bool = False
    children: tuple["Item", ...] = ()

    @property
    def is_question(self) -> bool:
        return self.type not in ("group", "display")

    @property
    def is_help(self) -> bool:
        """A display that another item shows as its help."""
        return self.type == "display" and self.control in ("help", "flyover")

    def walk(self) -> Iterator["Item"]:
        """This item and everything below it, in order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def weight_of(self, value: Value) -> Decimal | None:
        """The weight of a chosen value, from its option."""
        return self._weights.get(value)

    @cached_property
    def _weights(self) -> Mapping[Value, Decimal | None]:
        """The first of two equal options counts."""
        return {option.value: option.weight for option in reversed(self.options)}


@dataclass(frozen=True, eq=False)
class Questionnaire:
    """One version of a form. sha256 is over its canonical JSON."""

    url: str
    version: str
    name: str
    title: str
    copyright: str
    description: str
    items: tuple[Item, ...]
    sha256: str

    @property
    def key(self) -> str:
        """url|version, as responses and score files pin it."""
        return f"{self.url}|{self.version}"

    @property
    def code(self) -> str:
        """The short name in addresses: FHIR's name in lower case."""
        return self.name.lower()

    @cached_property
    def by_id(self) -> Mapping[str, Item]:
        return {item.link_id: item for root in self.items for item in root.walk()}

    @cached_property
    def worded(self) -> bool:
        """Whether every question has its text: of a gated questionnaire only the frame is shipped."""
        return all(item.text for item in self.by_id.values() if item.is_question)

    @cached_property
    def parents(self) -> Mapping[str, str | None]:
        """linkId of the item above, None at the top."""
        return {item.link_id: None for item in self.items} | {
            child.link_id: item.link_id for root in self.items for item in root.walk() for child in item.children
        }

    @cached_property
    def repeating_above(self) -> Mapping[str, tuple[str, ...]]:
        """The repeating groups an item stands in, outermost first, itself left out."""
        found: dict[str, tuple[str, ...]] = {}
        for link_id, above in self.parents.items():
            path: list[str] = []
            while above is not None:
                if self.by_id[above].type == "group" and self.by_id[above].repeats:
                    path.insert(0, above)
                above = self.parents[above]
            found[link_id] = tuple(path)
        return found

    @cached_property
    def deciding_order(self) -> tuple[str, ...]:
        """Every linkId after the one above it and after those its conditions ask for."""
        above = {link_id: set() if parent is None else {parent} for link_id, parent in self.parents.items()}
        return tuple(
            TopologicalSorter(
                {link_id: needs | {c.question for c in self.by_id[link_id].enable_when} for link_id, needs in above.items()}
            ).static_order()
        )

    def sections(self) -> tuple[Item, ...]:
        """One page each: the groups at the top; a form that has not only groups there is one section."""
        if all(item.type == "group" and not item.repeats for item in self.items):
            return self.items
        return (Item("", "group", children=self.items),)


def load(data: Mapping[str, Any] | str | bytes) -> Questionnaire:
    """Compile a Questionnaire. Raises UnsupportedQuestionnaire with every problem, Unclean for text that is not sound JSON."""
    from intake.compiling import compile_items

    resource = load_json(data) if isinstance(data, str | bytes) else data
    problems: list[str] = []
    if not isinstance(resource, Mapping) or resource.get("resourceType") != "Questionnaire":
        raise UnsupportedQuestionnaire(["This is not a FHIR Questionnaire."])
    items = compile_items(resource, problems)
    if problems:
        raise UnsupportedQuestionnaire(problems)
    return Questionnaire(
        url=resource.get("url", ""),
        version=resource.get("version", ""),
        name=resource.get("name", ""),
        title=resource.get("title", resource.get("name", "")),
        copyright=resource.get("copyright", ""),
        description=resource.get("description", ""),
        items=items,
        sha256=hashlib.sha256(canonical(resource).encode()).hexdigest(),
    )


def canonical(resource: Mapping[str, Any]) -> str:
    """Canonical JSON of a resource: sorted keys, no spaces, decimals as text with their own digits."""
    return json.dumps(resource, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_exact)


def _exact(value: object) -> str:
    if isinstance(value, Decimal | datetime.date):
        return str(value)
    raise TypeError(f"{value!r} has no canonical form")
