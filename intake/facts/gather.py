"""From filled questionnaires to facts: everything known about the person as one flat mapping. None is unknown."""

import datetime
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from intake.facts import kratom
from intake.facts.medical import Person, history_facts, liver_and_heart_facts, observed_facts, pregnancy_facts
from intake.facts.medicines import because_of, by_class, medicine_facts, mixed_in, seizure_opioids, substance_facts, tagged_medicines
from intake.facts.names import FACTS, INSTRUMENTS, SCORED
from intake.facts.reading import Filled, both
from intake.facts.social import NEEDS, social_facts, strength_facts
from intake.facts.suicide import suicide_facts
from intake.facts.symptoms import mania_and_psychosis_facts, mind_facts, sleep_facts
from intake.formulary import Formulary
from intake.parameters import Parameters
from intake.scoring import Score, score, score_definitions

__all__ = ["Forms", "Gathered", "Person", "gather"]


@dataclass(frozen=True)
class Gathered:
    """facts: every fact by name. bounds: for partly known facts the highest value still possible. scores: by code.

    because: for a class of medicines the medicines that gave it, in words; medicines: their names.
    """

    facts: dict[str, object]
    bounds: dict[str, object]
    scores: dict[str, Score]
    because: dict[str, str]
    medicines: dict[str, tuple[str, ...]]


Forms = Mapping[str, Filled]


def gather(
    person: Person,
    forms: Forms,
    packet: Collection[str],
    parameters: Parameters,
    at: datetime.datetime,
    formulary: Formulary = MappingProxyType({}),
    told: Mapping[str, object] = MappingProxyType({}),
) -> Gathered:
    """Every fact, from the filled questionnaires by code. packet: the questionnaires that are expected of this person.

    told: facts that are known by another way than the questionnaires; they stand in place of what those say.
    """
    scores = dict(_scores(person, forms, parameters))
    facts: dict[str, object] = dict.fromkeys(FACTS)
    facts |= {"age": person.age, "sex": person.sex if person.sex in ("F", "M") else None if person.sex == "U" else "other"}
    facts |= {f"in_packet_{code}": code in packet for code in INSTRUMENTS}
    if "kuh" in forms:
        facts |= kratom.facts(forms["kuh"], parameters, at)
    tagged = tagged_medicines(forms.get("medicines"), formulary)
    facts |= medicine_facts(forms.get("medicines"), tagged)
    taken = [*mixed_in(forms.get("kuh"), facts, formulary), *seizure_opioids(forms.get("substances"), formulary)]
    facts |= {f"medclass_{tag}": True for substance in taken for tag in substance.listed}
    facts |= substance_facts(forms.get("substances"), facts, at)
    facts |= _alcohol(forms.get("auditc"), scores, parameters, at)
    facts |= _scored(forms, scores)
    facts["phq9_item9_open"] = "phq9" in packet and facts["phq9_item9"] is None
    facts |= suicide_facts(forms, parameters, at)
    facts |= sleep_facts(forms.get("slp")) | mind_facts(forms.get("cmd")) | mania_and_psychosis_facts(forms.get("bps"))
    facts |= history_facts(forms.get("medhx"), at)
    facts |= observed_facts(forms.get("observed") or forms.get("medhx"))  # medhx 1.0.0 held the observations as well
    facts |= pregnancy_facts(person, forms.get("medhx"))
    facts |= liver_and_heart_facts(forms.get("medhx"), facts)
    facts |= social_facts(forms.get("social")) | strength_facts(forms.get("strengths"))
    facts |= told
    facts |= {f"incomplete_{code}": code in packet and not _complete(code, facts, scores) for code in SCORED}
    return Gathered(facts, _bounds(facts, scores, forms), scores, because_of([*tagged, *taken]), by_class([*tagged, *taken]))


def _scores(person: Person, forms: Forms, parameters: Parameters) -> Iterator[tuple[str, Score]]:
    for code, definition in score_definitions().items():
        if code not in forms:
            continue
        filled = forms[code]
        cutoff = None
        if definition.positive_by_sex:
            name = definition.positive_by_sex.get(person.sex or "", definition.positive_by_sex["else"])
            cutoff = parameters.number(name)
        # Whatever was answered counts: what another answer makes 0 or unknown is said by the score itself (zero_when, gate).
        yield code, score(definition, filled.questionnaire, filled.answers, cutoff=cutoff)


def _complete(code: str, facts: Mapping[str, object], scores: Mapping[str, Score]) -> bool:
    """Whether nothing is missing that its result needs (SF-14)."""
    if code == "slp":
        return facts["slp_insomnia"] is not None
    if code not in scores:
        return False
    found = scores[code]
    if code == "bam":
        return all(found.subscores[name] is not None for name in ("use", "risk", "protective"))
    return found.total is not None and (code != "sud11" or found.unanswered == 0)


WITH_LOW = ("cows", "phq9", "gad7", "auditc", "dast10", "dwc")


def _scored(forms: Forms, scores: Mapping[str, Score]) -> dict[str, object]:
    facts: dict[str, object] = {}
    for code in WITH_LOW:
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
        facts |= {"phq9_floor": scores["phq9"].floor, "phq9_item9": forms["phq9"].points("9")}
    if "peg" in scores:
        facts["peg"] = scores["peg"].total
    if "pcptsd5" in scores:
        facts |= {"pcptsd5_pos": scores["pcptsd5"].positive, "pcptsd5_yes": scores["pcptsd5"].low}
    if "bam" in scores:
        facts |= {f"bam_{name}": value for name, value in scores["bam"].subscores.items()} | {"bam_8": forms["bam"].points("8")}
    return facts


def _alcohol(
    filled: Filled | None, scores: Mapping[str, Score], parameters: Parameters, at: datetime.datetime
) -> dict[str, object]:
    """A last drink nobody can date counts as recent."""
    if filled is None:
        return {}
    found = scores["auditc"]
    last = filled.recorded("last_drink_date")
    days = (at.date() - last).days if isinstance(last, datetime.date) else None

    def within(name: str) -> bool:
        return days is None or days <= parameters.number(name)

    limit = parameters.number("alcohol_higher_risk")
    low, high = found.low, found.high
    higher = True if low is not None and low >= limit else False if high is not None and high < limit else None
    return {
        "auditc_positive": found.positive,
        "last_drink_days": days,
        "alc_active": both(higher, within("alcohol_active_days")),
        "alc_recent": both(found.positive, within("alcohol_recent_days")),
    }


def _bounds(facts: Mapping[str, object], scores: Mapping[str, Score], forms: Forms) -> dict[str, object]:
    """The highest value that partly known facts may still turn out to have; None when nobody can say."""
    bounds: dict[str, object] = {}
    for code in WITH_LOW:
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
