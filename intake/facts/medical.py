"""Facts of the medical history, pregnancy, and what a clinician measured and saw (2.15, 2.19)."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from intake.facts.reading import Filled, either

CHILDBEARING = range(12, 56)  # years


@dataclass(frozen=True)
class Person:
    """Age in whole years, sex at birth as F, M or another letter; U and None are unknown."""

    age: int | None
    sex: str | None


PLAIN = (
    "seizure_hx", "overdose_12m", "oud_hx", "complicated_withdrawal_hx", "stable_chronic", "unstable_condition", "liver_disease",
    "jaundice",
)  # fmt: skip
OBSERVED = ("precipitated_withdrawal_now", "disorientation_observed", "acute_liver_failure", "acute_emergency")


def history_facts(filled: Filled | None, at: datetime.datetime) -> dict[str, object]:
    if filled is None:
        return {}
    facts: dict[str, object] = {name: filled.yes(name) for name in PLAIN}
    facts["seizure_7d"] = False if filled.yes("seizure_hx") is False else _within_week(filled, at)
    facts["overdose_30d"] = False if filled.yes("overdose_12m") is False else filled.yes("overdose_30d")
    return facts


def observed_facts(filled: Filled | None) -> dict[str, object]:
    """What a clinician measured and saw."""
    if filled is None:
        return {}
    facts: dict[str, object] = {name: filled.yes(name) for name in OBSERVED}
    return facts | vitals_facts({name: filled.number(name) for name in VITALS}, filled.yes("not_rousable"))


# Vital signs below these are an emergency.
VITALS = {"respiratory_rate": 10, "spo2": 90, "bp_systolic": 80}


def vitals_facts(readings: Mapping[str, int | Decimal | None], not_rousable: bool | None) -> dict[str, object]:
    """From the reading of each of VITALS, None where there is none, and whether the person cannot be roused."""
    low = [None if (value := readings[name]) is None else value < limit for name, limit in VITALS.items()]
    return {"bp_systolic": readings["bp_systolic"], "emergency_vitals": either(*low, not_rousable)}


def _within_week(filled: Filled, at: datetime.datetime) -> bool | None:
    """Whether the last seizure was in the last 7 days: as answered, or by its date where that alone was given."""
    said, last = filled.yes("seizure_7d"), filled.value("seizure_last")
    if said is None and isinstance(last, datetime.date):
        return (at.date() - last).days <= 7
    return said


def pregnancy_facts(person: Person, filled: Filled | None) -> dict[str, object]:
    """Pregnant, not pregnant, or possible: then whatever needs "not pregnant" is held back (2.15)."""
    said = filled.code("pregnant") if filled else None
    if said == "yes":
        complication = filled.yes("ob_complication") if filled else None
        return {"pregnant": True, "pregnancy_possible": False, "ob_complication": complication}
    could_be = person.sex == "F" and (person.age is None or person.age in CHILDBEARING)
    possible = could_be and said not in ("no", "not_applicable")
    return {"pregnant": None if possible else False, "pregnancy_possible": possible, "ob_complication": None if possible else False}


def liver_and_heart_facts(filled: Filled | None, facts: Mapping[str, object]) -> dict[str, object]:
    if filled is None:
        return {}
    return {"alt_x_uln": filled.number("alt_x_uln")} | qtc_facts(filled.number("qtc_ms"), facts["sex"])


def qtc_facts(qtc: int | Decimal | None, sex: object) -> dict[str, object]:
    """A QTc in ms, and whether it is above the limit: 470 for women, 450 for everyone else."""
    return {"qtc_ms": qtc, "qtc_prolonged": None if qtc is None else qtc > (470 if sex == "F" else 450)}
