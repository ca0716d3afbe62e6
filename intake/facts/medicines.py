"""Facts of the medicines and the other substances: classes, named medicines, opioids, sedatives and stimulants."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from intake.facts.names import CLASSES, medicine_names
from intake.facts.reading import Filled, hours_since
from intake.formulary import Formulary, classes_of


@dataclass(frozen=True)
class Tagged:
    """One medicine with the classes somebody ticked (None: not answered) and those the formulary lists for its name."""

    name: str
    ticked: frozenset[str] | None
    listed: frozenset[str]


def tagged_medicines(filled: Filled | None, formulary: Formulary) -> list[Tagged]:
    if filled is None:
        return []
    names = {row: filled.text("medicines.name", row) or "" for row in filled.rows("medicines")}
    return [Tagged(name, filled.codes("medicines.classes", row), classes_of(name, formulary)) for row, name in names.items()]


def mixed_in(filled: Filled | None, facts: Mapping[str, object], formulary: Formulary) -> Iterator[Tagged]:
    """What is taken together with kratom that the formulary knows: tianeptine, phenibut, kava (3.0)."""
    if filled is not None and facts["kuh_current"] is not False:
        for code in sorted(filled.codes("co_ingested") or ()):
            yield Tagged(f"{code}, taken with kratom", frozenset(), classes_of(code, formulary))


def seizure_opioids(filled: Filled | None, formulary: Formulary) -> Iterator[Tagged]:
    """Opioids of the last 30 days that lower the seizure threshold, prescribed or not: IX-16 asks whether tramadol is present."""
    for code in sorted((filled.codes("opioid_30d") if filled else None) or ()):
        yield Tagged(f"{code}, in the last 30 days", frozenset(), classes_of(code, formulary) & {"seizure_threshold"})


def because_of(tagged: list[Tagged]) -> dict[str, str]:
    """Which medicine gave a class, and whether somebody ticked it or the formulary says so."""
    because: dict[str, list[str]] = {}
    for medicine in tagged:
        for tag in medicine.listed | (medicine.ticked or frozenset()):
            ticked = medicine.ticked is not None and tag in medicine.ticked
            because.setdefault(f"medclass_{tag}", []).append(medicine.name if ticked else f"{medicine.name} (formulary)")
    return {fact: ", ".join(names) for fact, names in because.items()}


def by_class(tagged: list[Tagged]) -> dict[str, tuple[str, ...]]:
    """The names of the medicines that gave a class, by its fact."""
    found: dict[str, list[str]] = {}
    for medicine in tagged:
        for tag in medicine.listed | (medicine.ticked or frozenset()):
            found.setdefault(f"medclass_{tag}", []).append(medicine.name)
    return {fact: tuple(names) for fact, names in found.items()}


def medicine_facts(filled: Filled | None, tagged: list[Tagged]) -> dict[str, object]:
    """Classes and named medicines. With no list at all everything about medicines is unknown.

    A class is there when it is ticked or the formulary lists it; it is absent only where somebody has answered for every medicine.
    """
    if filled is None:
        return {}
    any_ = True if tagged else filled.yes("any_medicines")
    facts: dict[str, object] = {"any_meds": any_, "loperamide_mg_day": filled.number("loperamide_mg_day")}
    names = [medicine.name.casefold() for medicine in tagged]
    known = any_ is not None and (not any_ or bool(tagged))
    for tag in CLASSES:
        found = any(tag in medicine.listed or (medicine.ticked is not None and tag in medicine.ticked) for medicine in tagged)
        open_ = not known or any(medicine.ticked is None for medicine in tagged)
        facts[f"medclass_{tag}"] = True if found else None if open_ else False
    for medicine in ("bupropion", "tramadol", "quetiapine"):
        found = any(name in text for name in medicine_names()[medicine] for text in names)
        facts[f"medicine_{medicine}"] = True if found else False if known else None
    facts["_methadone"] = any(name in text for name in medicine_names()["methadone"] for text in names)
    return facts


def substance_facts(filled: Filled | None, facts: Mapping[str, object], at: datetime.datetime) -> dict[str, object]:
    """Daily use, or a current medicine of the class, is use in the last 30 days as well."""
    opioids = filled.codes("opioid_30d") if filled else None
    any_opioid = None if opioids is None else opioids != frozenset({"none"})
    daily = False if any_opioid is False else filled.yes("opioid_daily") if filled else None
    sedative = filled.yes("sedative_30d") if filled else None
    sedative_daily = False if sedative is False else filled.yes("sedative_daily") if filled else None
    tagged = [_truth(facts.get(f"medclass_{tag}")) for tag in ("benzodiazepine", "z_drug")]
    in_medicines = True in tagged
    methadone = facts.get("_methadone") is True
    tramadol = True if opioids and "tramadol" in opioids else facts.get("medicine_tramadol")
    return {
        "medicine_tramadol": tramadol,
        "opioid_30d": True if daily or _truth(facts.get("medclass_opioid")) else any_opioid,
        "opioid_daily": daily,
        "hours_since_last_opioid": hours_since(filled.value("opioid_last_use"), at) if filled else None,
        "opioid_methadone": True if methadone else None if opioids is None else "methadone" in opioids,
        "sedative_30d": True if sedative_daily or in_medicines else sedative,
        "sedative_daily": sedative_daily,
        "stimulant_30d": filled.yes("stimulant_30d") if filled else None,
        "_methadone": None,
    }


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
