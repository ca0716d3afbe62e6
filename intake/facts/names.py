"""The one list of facts: what a condition may name, and how each fact is said and asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from intake.content_files import ContentError, read

FILE = "facts.yaml"
NOT_ASKED = ("person", "suicide", "rule")  # where facts come from that are no questionnaires
KINDS = ("bool", "number", "text")
RULES = (*(f"sf_{n:02}" for n in range(1, 17)), *(f"ix_{n:02}" for n in range(1, 23)))


@dataclass(frozen=True)
class Fact:
    """kind: bool, number or text. instrument: code of where it is asked. ask: what would make it known."""

    name: str
    kind: str
    label: str
    instrument: str
    unit: str = ""
    ask: str = ""


def _facts() -> dict[str, Fact]:
    data = read(FILE)
    facts = {name: _fact(name, row) for name, row in data["facts"].items()}
    for tag, label in data["classes"].items():
        facts[f"medclass_{tag}"] = _fact(f"medclass_{tag}", {"kind": "bool", "from": "medicines", "label": label})
    for code, row in data["instruments"].items():
        label = f"{row['name']} is part of the packet"
        facts[f"in_packet_{code}"] = _fact(f"in_packet_{code}", {"kind": "bool", "from": code, "label": label})
    for code in SCORED:
        label = f"{data['instruments'][code]['name']} incomplete"
        facts[f"incomplete_{code}"] = _fact(f"incomplete_{code}", {"kind": "bool", "from": code, "label": label})
    for rule in RULES:
        facts[rule] = _fact(rule, {"kind": "bool", "from": "rule", "label": rule.upper().replace("_", "-")})
    return facts


def _fact(name: str, row: Mapping[str, str]) -> Fact:
    if row["kind"] not in KINDS or row["from"] not in read(FILE)["instruments"]:
        raise ContentError(f"{FILE}, {name}: its kind or instrument does not exist")
    instrument = read(FILE)["instruments"][row["from"]]["name"]
    return Fact(name, row["kind"], row["label"], row["from"], row.get("unit", ""), row.get("ask", f"{row['label']} ({instrument})"))


CLASSES: tuple[str, ...] = tuple(read(FILE)["classes"])
INSTRUMENTS: tuple[str, ...] = tuple(code for code in read(FILE)["instruments"] if code not in NOT_ASKED)
SCORED: tuple[str, ...] = tuple(code for code, row in read(FILE)["instruments"].items() if row.get("complete_when_scored"))
FACTS: Mapping[str, Fact] = _facts()


@cache
def medicine_names() -> Mapping[str, frozenset[str]]:
    """The written names, brands included, of each medicine that a rule names."""
    return {medicine: frozenset(names) for medicine, names in read(FILE)["medicine_names"].items()}


def ask(unknown: frozenset[str]) -> str:
    """ "Cannot tell yet: ask ..." for a set of unknown facts."""
    return f"Cannot tell yet: ask {'; '.join(sorted({FACTS[name].ask for name in unknown}))}."
