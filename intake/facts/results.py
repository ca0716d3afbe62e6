"""From the newest results to facts that stand in place of what the questionnaires say: each with the words for where it comes from."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from intake.facts.medical import VITALS, Person, qtc_facts, vitals_facts
from intake.facts.reading import Filled
from intake.results import kinds, lasting


@dataclass(frozen=True)
class Measured:
    """One result that stands: a value, or a choice by its code. by: who entered it, as shown."""

    code: str
    value: Decimal | None
    choice: str
    taken_at: datetime.datetime
    entered_at: datetime.datetime
    by: str

    @property
    def origin(self) -> str:
        return f"{kinds()[self.code].short} result, {self.taken_at.day} {self.taken_at:%b %Y}, {self.by}"


@dataclass(frozen=True)
class Told:
    """facts: known by results; None where a result that is too old has taken the place of an answer. origins: of each, in words."""

    facts: dict[str, object] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def add(self, facts: Mapping[str, object], origin: str) -> None:
        self.facts.update(facts)
        self.origins.update(dict.fromkeys(facts, origin))


def told_by(person: Person, forms: Mapping[str, Filled], results: Iterable[Measured], at: datetime.datetime) -> Told:
    """What the newest result of each kind says beside the filled questionnaires, by code. `at` is now."""
    newest = {result.code: result for result in results}
    told = Told()
    history = forms.get("medhx")
    if (alt := newest.get("alt")) and not _answered_since(history, "alt_x_uln", alt):
        told.add({"alt_x_uln": alt.value}, alt.origin)
    if (qtc := newest.get("qtc")) and not _later_ecg(history, qtc):
        told.add(qtc_facts(qtc.value, person.sex), qtc.origin)
    if test := newest.get("pregnancy_test"):
        told.add(_pregnancy(history, test, at), test.origin)
    _vitals(told, forms.get("observed") or history, newest, at)
    return told


def _answered_since(filled: Filled | None, link_id: str, result: Measured) -> bool:
    """Whether somebody answered this when the result had been entered. An answer of before speaks of what was known then, and the
    answer is not dated otherwise: blood that was taken in the morning and comes back after the interview is news.
    """
    return filled is not None and filled.number(link_id) is not None and filled.given_at(link_id) > result.entered_at


def _later_ecg(history: Filled | None, qtc: Measured) -> bool:
    """Whether the QTc in the history is of a later ECG: by the date of that ECG, or else as any answer."""
    day = history.value("qtc_date") if history and history.number("qtc_ms") is not None else None
    if isinstance(day, datetime.date):
        return day > qtc.taken_at.date()
    return _answered_since(history, "qtc_ms", qtc)


def _pregnancy(history: Filled | None, test: Measured, at: datetime.datetime) -> dict[str, object]:
    """An answered yes is never overruled. A positive test stands against a no of the days around it, a negative one for as long."""
    said = history.code("pregnant") if history else None
    lasts = datetime.timedelta(days=lasting("pregnancy_test_days"))
    if said == "yes":
        return {}
    if test.choice == "positive":
        over = history is not None and said in ("no", "not_applicable") and history.given_at("pregnant") > test.taken_at + lasts
        return {} if over else {"pregnant": True, "pregnancy_possible": False, "ob_complication": None}
    return {"pregnant": False, "pregnancy_possible": False, "ob_complication": False} if at - test.taken_at <= lasts else {}


def _vitals(told: Told, observed: Filled | None, newest: Mapping[str, Measured], at: datetime.datetime) -> None:
    """The newer of result and answer counts for each sign. A reading that is too old says nothing, nor does the answer before it."""
    used = [newest[name] for name in VITALS if name in newest and not _observed_since(observed, name, newest[name])]
    if not used:
        return
    fresh = at - datetime.timedelta(hours=lasting("vitals_hours"))
    readings: dict[str, int | Decimal | None] = {name: observed.number(name) if observed else None for name in VITALS}
    readings |= {result.code: result.value if result.taken_at >= fresh else None for result in used}
    not_rousable = observed.yes("not_rousable") if observed else None
    facts = vitals_facts(readings, not_rousable)
    origins = {result.code: result.origin for result in used}
    answered = not_rousable is not None or any(readings[name] is not None for name in readings.keys() - origins)
    besides = [observed.origin] if observed and answered else []
    told.add({"emergency_vitals": facts["emergency_vitals"]}, "; ".join([*origins.values(), *besides]))
    if "bp_systolic" in origins:
        told.add({"bp_systolic": facts["bp_systolic"]}, origins["bp_systolic"])


def _observed_since(observed: Filled | None, name: str, result: Measured) -> bool:
    return observed is not None and observed.number(name) is not None and observed.given_at(name) > result.taken_at
