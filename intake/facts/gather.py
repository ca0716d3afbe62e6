"""From filled questionnaires to facts: everything known about the person as one flat mapping. None is unknown."""

import datetime
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from intake.facts import kratom
from intake.facts.names import CLASSES, FACTS, INSTRUMENTS, SCORED, medicine_names
from intake.facts.reading import Filled, both, either, hours_since
from intake.formulary import Formulary, classes_of
from intake.parameters import Parameters
from intake.scoring import Score, score, score_definitions

NEVER = "LA6270-8"  # AUDIT-C 1, LOINC answer "Never"
CHILDBEARING = range(12, 56)  # years


@dataclass(frozen=True)
class Person:
    """Age in whole years, sex at birth as F, M or another letter; U and None are unknown."""

    age: int | None
    sex: str | None


@dataclass(frozen=True)
class Gathered:
    """facts: every fact by name. bounds: for partly known facts the highest value still possible. scores: by code.

    because: for a class of medicines the medicines that gave it.
    """

    facts: dict[str, object]
    bounds: dict[str, object]
    scores: dict[str, Score]
    because: dict[str, str]


Forms = Mapping[str, Filled]


def gather(
    person: Person,
    forms: Forms,
    packet: Collection[str],
    parameters: Parameters,
    at: datetime.datetime,
    formulary: Formulary = MappingProxyType({}),
) -> Gathered:
    """Every fact, from the filled questionnaires by code. packet: the questionnaires that are expected of this person."""
    scores = dict(_scores(person, forms, parameters))
    facts: dict[str, object] = dict.fromkeys(FACTS)
    facts |= {"age": person.age, "sex": person.sex if person.sex in ("F", "M") else None if person.sex == "U" else "other"}
    facts |= {f"in_packet_{code}": code in packet for code in INSTRUMENTS}
    facts |= {f"incomplete_{code}": code in packet and not _complete(code, forms, scores) for code in SCORED}
    if "kuh" in forms:
        facts |= kratom.facts(forms["kuh"], parameters, at)
    tagged = _tagged(forms.get("medicines"), formulary)
    facts |= _medicines(forms.get("medicines"), tagged)
    taken = [*_mixed_in(forms.get("kuh"), facts, formulary), *_seizure_opioids(forms.get("substances"), formulary)]
    facts |= {f"medclass_{tag}": True for substance in taken for tag in substance.listed}
    facts |= _substances(forms.get("substances"), facts, at)
    facts |= _alcohol(forms.get("auditc"), scores, parameters, at)
    facts |= _scored(forms, scores)
    facts["phq9_item9_open"] = "phq9" in packet and facts["phq9_item9"] is None
    facts |= _suicide(forms.get("asq"), forms.get("phq9"), parameters, at)
    facts |= _history(forms.get("medhx"), at)
    facts |= _observed(forms.get("observed") or forms.get("medhx"))  # medhx 1.0.0 held the observations as well
    facts |= _pregnancy(person, forms.get("medhx"))
    facts |= _liver_and_heart(forms.get("medhx"), facts)
    facts |= _social(forms.get("social"))
    facts |= _strengths(forms.get("strengths"))
    return Gathered(facts, _bounds(facts, scores, forms), scores, _because([*tagged, *taken]))


def _scores(person: Person, forms: Forms, parameters: Parameters) -> Iterator[tuple[str, Score]]:
    for code, definition in score_definitions().items():
        if code not in forms:
            continue
        filled = forms[code]
        cutoff = None
        if definition.positive_by_sex:
            name = definition.positive_by_sex.get(person.sex or "", definition.positive_by_sex["else"])
            cutoff = parameters.number(name)
        never = code == "auditc" and filled.code("1") == NEVER
        skipped = frozenset({"2", "3"}) if never else frozenset()
        enabled = {key: answer for key, answer in filled.answers.items() if key in filled.enabled}
        yield code, score(definition, filled.questionnaire, enabled, cutoff=cutoff, not_applicable=skipped)


def _complete(code: str, forms: Forms, scores: Mapping[str, Score]) -> bool:
    found = scores.get(code)
    if found is None or found.total is None:
        return False
    return found.unanswered == 0 if code == "sud11" else True


def _scored(forms: Forms, scores: Mapping[str, Score]) -> dict[str, object]:
    facts: dict[str, object] = {}
    for code in ("cows", "phq9", "gad7", "auditc"):
        if code in scores:
            facts |= {f"{code}_low": scores[code].low, f"{code}_total": scores[code].total}
    if "cows" in scores:
        facts["cows_high"] = scores["cows"].high
    if "sud11" in scores:
        sud = scores["sud11"]
        criterion = forms["sud11"].code("11")
        facts |= {"sud_count": sud.floor, "sud_max": sud.high, "sud_band": sud.band}
        facts["sud_criterion_11"] = None if criterion is None else criterion == "Y"
    if "phq9" in scores:
        filled = forms["phq9"]
        value = filled.value("9")
        weight = None if value is None else filled.questionnaire.by_id["9"].weight_of(value)  # type: ignore[arg-type]
        facts |= {"phq9_floor": scores["phq9"].floor, "phq9_item9": None if weight is None else int(weight)}
    return facts


@dataclass(frozen=True)
class Tagged:
    """One medicine with the classes somebody ticked (None: not answered) and those the formulary lists for its name."""

    name: str
    ticked: frozenset[str] | None
    listed: frozenset[str]


def _tagged(filled: Filled | None, formulary: Formulary) -> list[Tagged]:
    if filled is None:
        return []
    names = {row: filled.text("medicines.name", row) or "" for row in filled.rows("medicines")}
    return [Tagged(name, filled.codes("medicines.classes", row), classes_of(name, formulary)) for row, name in names.items()]


def _mixed_in(filled: Filled | None, facts: Mapping[str, object], formulary: Formulary) -> Iterator[Tagged]:
    """What is taken together with kratom that the formulary knows: tianeptine, phenibut, kava (3.0)."""
    if filled is not None and facts["kuh_current"] is not False:
        for code in sorted(filled.codes("co_ingested") or ()):
            yield Tagged(f"{code}, taken with kratom", frozenset(), classes_of(code, formulary))


def _seizure_opioids(filled: Filled | None, formulary: Formulary) -> Iterator[Tagged]:
    """Opioids of the last 30 days that lower the seizure threshold, prescribed or not: IX-16 asks whether tramadol is present."""
    for code in sorted((filled.codes("opioid_30d") if filled else None) or ()):
        yield Tagged(f"{code}, in the last 30 days", frozenset(), classes_of(code, formulary) & {"seizure_threshold"})


def _because(tagged: list[Tagged]) -> dict[str, str]:
    """Which medicine gave a class, and whether somebody ticked it or the formulary says so."""
    because: dict[str, list[str]] = {}
    for medicine in tagged:
        for tag in medicine.listed | (medicine.ticked or frozenset()):
            ticked = medicine.ticked is not None and tag in medicine.ticked
            because.setdefault(f"medclass_{tag}", []).append(medicine.name if ticked else f"{medicine.name} (formulary)")
    return {fact: ", ".join(names) for fact, names in because.items()}


def _medicines(filled: Filled | None, tagged: list[Tagged]) -> dict[str, object]:
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


def _substances(filled: Filled | None, facts: Mapping[str, object], at: datetime.datetime) -> dict[str, object]:
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


def _alcohol(
    filled: Filled | None, scores: Mapping[str, Score], parameters: Parameters, at: datetime.datetime
) -> dict[str, object]:
    """A last drink nobody can date counts as recent."""
    if filled is None:
        return {}
    found = scores["auditc"]
    last = filled.value("last_drink_date")
    days = (at.date() - last).days if isinstance(last, datetime.date) else None

    def within(name: str) -> bool:
        return days is None or days <= parameters.number(name)

    higher = found.low >= parameters.number("alcohol_higher_risk")
    decided = found.total is not None or higher or found.high < parameters.number("alcohol_higher_risk")
    return {
        "auditc_positive": found.positive,
        "last_drink_days": days,
        "alc_active": both(higher if decided else None, within("alcohol_active_days")),
        "alc_recent": both(found.positive, within("alcohol_recent_days")),
    }


RISKS = ("NONE", "NOT_SCREENED", "LOW", "MODERATE", "HIGH")


@dataclass(frozen=True)
class Screen:
    """What one ASQ says. open: positive, with item 5 unanswered."""

    level: str
    open: bool

    @property
    def complete(self) -> bool:
        return self.level != "NOT_SCREENED" and not self.open


def _suicide(filled: Filled | None, phq9: Filled | None, parameters: Parameters, at: datetime.datetime) -> dict[str, object]:
    """The risk level from the ASQ. A screen that is not complete never takes back what an earlier one found."""
    if filled is None:
        return {"cssrs": "NOT_SCREENED", "suicide_open": False, "suicide_screened_today": False}
    newest = _screen(filled, parameters)
    standing = newest.level
    if not newest.complete:
        for before in filled.earlier:
            found = _screen(before, parameters)
            standing = max(standing, found.level, key=RISKS.index)
            if found.complete:
                break
    day = (phq9.at if phq9 else at).astimezone(at.tzinfo).date()
    same_day = filled.at.astimezone(at.tzinfo).date() == day
    return {
        "cssrs": standing,
        "suicide_open": newest.open or (not newest.complete and standing != "NOT_SCREENED"),
        "suicide_screened_today": newest.complete and same_day and filled.by_clinicians,
    }


def _screen(filled: Filled, parameters: Parameters) -> Screen:
    """Acute positive is HIGH, non-acute MODERATE; a refusal counts as positive."""
    first = [filled.yes(link_id) for link_id in "1234"]
    refused = any(filled.answer(link_id).state == "declined" for link_id in "1234")
    now = filled.yes("5")
    if True not in first and not refused:
        return Screen("NOT_SCREENED" if None in first else "NONE", open=False)
    # Only a lifetime attempt, everything else answered no: MODERATE unless the program set it to LOW.
    if first == [False, False, False, True] and now is False:
        return Screen(parameters.choice("asq_lifetime_attempt_level"), open=False)  # type: ignore[arg-type]
    return Screen("HIGH" if now else "MODERATE", open=now is None)


PLAIN = (
    "seizure_hx", "overdose_12m", "oud_hx", "complicated_withdrawal_hx", "stable_chronic", "unstable_condition", "liver_disease",
    "jaundice",
)  # fmt: skip
OBSERVED = ("precipitated_withdrawal_now", "disorientation_observed", "acute_liver_failure", "acute_emergency")


def _history(filled: Filled | None, at: datetime.datetime) -> dict[str, object]:
    if filled is None:
        return {}
    facts: dict[str, object] = {name: filled.yes(name) for name in PLAIN}
    facts["seizure_7d"] = False if filled.yes("seizure_hx") is False else _within_week(filled, at)
    facts["overdose_30d"] = False if filled.yes("overdose_12m") is False else filled.yes("overdose_30d")
    return facts


def _observed(filled: Filled | None) -> dict[str, object]:
    """What a clinician measured and saw."""
    if filled is None:
        return {}
    facts: dict[str, object] = {name: filled.yes(name) for name in OBSERVED}
    facts["bp_systolic"] = filled.number("bp_systolic")
    facts["emergency_vitals"] = either(
        _below(filled, "respiratory_rate", 10), _below(filled, "spo2", 90), _below(filled, "bp_systolic", 80), filled.yes("not_rousable")
    )
    return facts


def _within_week(filled: Filled, at: datetime.datetime) -> bool | None:
    """Whether the last seizure was in the last 7 days: as answered, or by its date where that alone was given."""
    said, last = filled.yes("seizure_7d"), filled.value("seizure_last")
    if said is None and isinstance(last, datetime.date):
        return (at.date() - last).days <= 7
    return said


def _below(filled: Filled, link_id: str, limit: int) -> bool | None:
    value = filled.number(link_id)
    return None if value is None else value < limit


def _pregnancy(person: Person, filled: Filled | None) -> dict[str, object]:
    """Pregnant, not pregnant, or possible: then whatever needs "not pregnant" is held back (2.15)."""
    said = filled.code("pregnant") if filled else None
    if said == "yes":
        complication = filled.yes("ob_complication") if filled else None
        return {"pregnant": True, "pregnancy_possible": False, "ob_complication": complication}
    could_be = person.sex == "F" and (person.age is None or person.age in CHILDBEARING)
    possible = could_be and said not in ("no", "not_applicable")
    return {"pregnant": None if possible else False, "pregnancy_possible": possible, "ob_complication": None if possible else False}


def _liver_and_heart(filled: Filled | None, facts: Mapping[str, object]) -> dict[str, object]:
    if filled is None:
        return {}
    qtc = filled.number("qtc_ms")
    limit = 470 if facts["sex"] == "F" else 450
    return {"alt_x_uln": filled.number("alt_x_uln"), "qtc_ms": qtc, "qtc_prolonged": None if qtc is None else qtc > limit}


NEEDS = ("food", "utilities", "income", "transport", "communication", "childcare", "legal", "unsafe")


def _social(filled: Filled | None) -> dict[str, object]:
    """Unmet needs are counted among the answers known; an unanswered one is no need."""
    if filled is None:
        return {"sdoh_unmet": 0}
    housing = filled.code("housing")
    unmet = sum(filled.yes(name) is True for name in NEEDS) + (housing in ("unstable", "none"))
    unsafe = filled.yes("unsafe")
    nowhere = False if housing in ("stable", "unstable") else filled.yes("nowhere_safe_tonight")
    return {
        "sdoh_unmet": unmet, "housing": housing, "unsafe": unsafe,
        "danger_now": False if unsafe is False else filled.yes("danger_now"), "nowhere_safe_tonight": nowhere,
    }  # fmt: skip


def _strengths(filled: Filled | None) -> dict[str, object]:
    if filled is None:
        return {}
    rulers = [value for name in ("importance", "confidence", "readiness") if (value := filled.number(name)) is not None]
    facts: dict[str, object] = {name: filled.yes(name) for name in ("support_person", "household_use", "family_ok")}
    facts["ruler_min"] = min(rulers) if rulers else None
    return facts


def _bounds(facts: Mapping[str, object], scores: Mapping[str, Score], forms: Forms) -> dict[str, object]:
    """The highest value that partly known facts may still turn out to have; None when nobody can say."""
    bounds: dict[str, object] = {}
    for code in ("cows", "phq9", "gad7", "auditc"):
        if code in scores and scores[code].total is None:
            bounds[f"{code}_low"] = scores[code].high
    if "sud11" in scores:
        bounds["sud_count"] = scores["sud11"].high
    if facts["leaf_g_day"] is None and facts["kuh_current"] is not False:
        bounds["leaf_g_day_known"] = None
    if "social" in forms:
        open_ = sum(forms["social"].yes(name) is None for name in NEEDS) + (facts["housing"] is None)
        bounds["sdoh_unmet"] = Decimal(str(facts["sdoh_unmet"])) + open_ if open_ else facts["sdoh_unmet"]
    return bounds
