"""What an assessment's facts say about kratom, in kratom's own terms: doses first, leaf in grams, 7-OH in its own milligrams. Pure.

No grams of leaf are ever computed from an extract or from 7-OH: no equivalence has been validated (specification, sections 0 and 2.2).
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from intake.results import plain

UNKNOWN = "not known yet"
TOXICOLOGY = "A routine urine test does not find kratom. Ask the laboratory for mitragynine and 7-OH by name."


def kratom_lines(facts: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """(label, words) for each thing there is to say; nothing where kratom was not asked about."""
    days = facts.get("days_30")
    if facts.get("kuh_current") is None and days is None:
        return
    yield "Use", _use(facts)
    if facts.get("kuh_current") is False:
        return
    yield "Doses", f"{_plain(facts['doses_per_day'])} a day" if facts.get("doses_per_day") is not None else UNKNOWN
    yield "Leaf", _leaf(facts)
    yield "7-OH, MP or MGM", _oh7(facts)
    if facts.get("kuh_concentrate") and not facts.get("kuh_oh7"):
        yield "Extract, shot or tonic", "yes; it has no equivalent in leaf"
    if (hours := facts.get("hours_since_last_use")) is not None:
        yield "Last dose", f"{_plain(hours)} h before the assessment"


def _use(facts: Mapping[str, object]) -> str:
    days = facts.get("days_30")
    if days == 0:
        return "none in the last 30 days"
    said = f"on {_plain(days)} of the last 30 days" if days is not None else UNKNOWN
    return f"daily, {said}" if facts.get("kuh_daily") else said


def _leaf(facts: Mapping[str, object]) -> str:
    grams, known, band = facts.get("leaf_g_day"), facts.get("leaf_g_day_known"), facts.get("leaf_band")
    if grams is None:
        return f"at least {_plain(known)} g a day, the rest {UNKNOWN}" if known else UNKNOWN
    return f"{_plain(grams)} g a day (band {band} g)" if band else "none"


def _oh7(facts: Mapping[str, object]) -> str:
    if facts.get("kuh_oh7") is None:
        return UNKNOWN
    if not facts["kuh_oh7"]:
        return "none"
    milligrams = facts.get("oh7_mg_day")
    return f"{_plain(milligrams)} mg a day" if milligrams else "yes, the amount is not known"


def _plain(number: object) -> str:
    """Without a decimal that says nothing: 32.0 is 32."""
    return plain(Decimal(str(number)))
