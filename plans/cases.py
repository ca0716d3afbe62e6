"""One case in the notation of the specification's six people (section 7): read from JSON, assessed, and the result as JSON.

Pure. A key that is absent is not part of this person's packet; null was not reached; "DECLINED" was refused.
What a questionnaire cannot say (vital signs as one yes or no, a list known to be empty) is told to the evaluation as a fact.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from intake.answers import Answer, AnswerProblem, Key, State, parse_answer, posted_value
from intake.content_files import questionnaire
from intake.evaluation import Evaluated, Person, Settings, evaluate_episode
from intake.facts.reading import Filled
from intake.formulary import Formulary, classes_of
from intake.questionnaire import Item
from intake.scoring import Score
from plans.suggest import Suggested, suggest

DECLINED = "DECLINED"
TRUTH = {"Y": True, "N": False}
PREGNANT = {"Y": "yes", "N": "no", "unknown": "unknown", "NA": "not_applicable"}
CSSRS = {"q1": "1", "q2": "2", "q3": "3", "q4": "4", "q5": "5", "q6": "6", "q6_3mo": "6a"}
LOINC_YES, LOINC_NO = "LA33-6", "LA32-8"
BAM = [*map(str, range(1, 7)), "7A", *map(str, range(8, 18))]  # the seventh place is 7A to 7G, which is not scored
ROUTES = {"smoked/vaped": "smoked_vaped"}
DURATIONS = {"<1mo": "lt_1mo", "1-3mo": "1_3mo", ">=3mo": "ge_3mo"}
LISTS = {  # key: the questionnaire whose items it lists in order
    "SUD": "sud11", "COWS": "cows", "DWC": "dwc", "PHQ9": "phq9", "GAD7": "gad7", "AUDITC": "auditc", "DAST10": "dast10",
    "BAM": "bam", "PEG": "peg", "CMD": "cmd", "BPS": "bps",
}  # fmt: skip
LENGTHS = {
    "SUD": 11, "COWS": 11, "DWC": 16, "PHQ9": 9, "GAD7": 7, "AUDITC": 3, "DAST10": 10, "BAM": 17, "PEG": 3, "CMD": 10, "BPS": 3,
}  # fmt: skip


class CaseProblem(ValueError):
    """The case says something that cannot be; the message names the key and what is wrong with it."""


@dataclass
class Case:
    """A person, what was filled in for them, and what is known besides. packet: the questionnaires that are part of it."""

    person: Person
    at: datetime.datetime
    answers: dict[str, dict[Key, Answer]] = field(default_factory=dict)
    packet: set[str] = field(default_factory=set)
    told: dict[str, object] = field(default_factory=dict)

    @property
    def forms(self) -> dict[str, Filled]:
        return {code: Filled(questionnaire(code), answers, self.at, by_clinicians=True) for code, answers in self.answers.items()}

    def put(self, code: str, link_id: str, value: object, where: str, row: str = "") -> None:
        """One answer; null is none. Raises CaseProblem."""
        answers = self.answers.setdefault(code, {})
        if value is not None:
            answers[link_id, row] = _answer(questionnaire(code).by_id[link_id], value, where)


def read_case(data: object, at: datetime.datetime, formulary: Formulary) -> Case:
    """The case of one JSON object. formulary: the classes of medicines that come without theirs. Raises CaseProblem."""
    if not isinstance(data, Mapping):
        raise CaseProblem("A case is one JSON object.")
    # A label (a number or a name of the case) is for whoever reads it; anything longer must be something we know.
    if strange := [key for key, value in data.items() if key not in READERS and isinstance(value, Mapping | list)]:
        raise CaseProblem(f"A case has no part {', '.join(sorted(strange))}. It may have: {', '.join(READERS)}.")
    case = Case(Person(_age(data.get("age")), _sex(data.get("sex"))), at)
    for key, reader in READERS.items():
        if key in data:
            reader(case, key, data[key], data) if key != "MEDS" else _medicines(case, key, data[key], formulary)
    return case


def assess(data: object, settings: Settings, at: datetime.datetime) -> dict[str, Any]:
    """Everything that follows from one case, as plain JSON values. Raises CaseProblem.

    settings: their numbers and switches count; the packet is the case's own, and so are the classes of its medicines.
    """
    case = read_case(data, at, settings.formulary)
    own = Settings(settings.parameters, settings.off, tuple(sorted(case.packet)))
    found = evaluate_episode(case.person, case.forms, own, at, case.told)
    plan = suggest(found.facts, (*found.flags, *found.interactions))
    return _result(case, found, plan)


# From the notation to answers


def _age(value: object) -> int | None:
    if value in (None, DECLINED):
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 120:
        raise CaseProblem(f"age: {value!r} is not a number of years.")
    return value


def _sex(value: object) -> str | None:
    if value in (None, DECLINED):
        return "U"
    if not isinstance(value, str):
        raise CaseProblem(f"sex: {value!r} is neither M nor F nor another word.")
    return value if value in ("M", "F") else "X"


def _answer(item: Item, value: object, where: str) -> Answer:
    if value == DECLINED:
        return Answer(State.DECLINED)
    if item.type == "decimal" and isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _measured(item, Decimal(str(value)), where)
    try:
        return parse_answer(item, _posted(item, value))
    except AnswerProblem as problem:
        raise CaseProblem(f"{where}: {value!s} cannot be taken. {problem}") from None


def _measured(item: Item, value: Decimal, where: str) -> Answer:
    """A number as exact as it comes: the form's decimal places are for whoever types it."""
    low, high = item.min_value, item.max_value
    if (low is not None and value < low) or (high is not None and value > high):
        raise CaseProblem(f"{where}: {value} is not between {low} and {high}.")
    return Answer(State.GIVEN, (value,))


def _posted(item: Item, value: object) -> list[str]:
    """What a form would post: codes and words as they are, Y and N by the item's own yes and no, a number by its weight."""
    if isinstance(value, list):
        return [text for part in value for text in _posted(item, part)]
    if item.type == "boolean":
        return [{"Y": "true", "N": "false"}.get(str(value), str(value))]
    for option in item.options:
        if isinstance(value, int | Decimal) and not isinstance(value, bool) and option.weight == value:
            return [posted_value(option.value)]
    if item.options and isinstance(value, int | Decimal):
        weights = ", ".join(str(option.weight) for option in item.options)
        raise AnswerProblem(f"It may be {weights}.")
    return [str(value)]


def _object(value: object, where: str, known: Iterable[str]) -> Mapping[str, Any]:
    """The object under a key; null and DECLINED are one in which nothing was answered."""
    if value in (None, DECLINED) or value == [DECLINED]:
        return {}
    if not isinstance(value, Mapping):
        raise CaseProblem(f"{where}: {value!r} is no object.")
    if strange := set(value) - set(known):
        raise CaseProblem(f"{where} has no part {', '.join(sorted(strange))}.")
    return value


def _list(value: object, where: str) -> list[Any] | None:
    """A list; None where it was not reached or declined."""
    if value in (None, DECLINED) or value == [DECLINED]:
        return None
    if not isinstance(value, list):
        raise CaseProblem(f"{where}: {value!r} is no list.")
    return value


def _yes(value: object, where: str) -> bool | None:
    if value in (None, DECLINED):
        return None
    if value not in TRUTH:
        raise CaseProblem(f"{where}: {value!r} is neither Y nor N.")
    return TRUTH[value]  # type: ignore[index]


def _items(case: Case, key: str, value: object, _: Mapping[str, Any]) -> None:
    """A questionnaire as the list of its answers, in item order; what the list lacks was not reached."""
    code = LISTS[key]
    case.packet.add(code)
    case.answers.setdefault(code, {})
    given = [] if value is None else [DECLINED] * LENGTHS[key] if value in (DECLINED, [DECLINED]) else value
    if not isinstance(given, list) or len(given) > LENGTHS[key]:
        raise CaseProblem(f"{key}: it is a list of up to {LENGTHS[key]} answers.")
    links = BAM if key == "BAM" else list(map(str, range(1, LENGTHS[key] + 1)))
    for link_id, answer in zip(links, given, strict=False):
        if link_id != "7A":
            case.put(code, link_id, answer, f"{key} item {link_id}")


def _pregnant(case: Case, key: str, value: object, _: Mapping[str, Any]) -> None:
    if value not in (None, DECLINED, *PREGNANT):
        raise CaseProblem(f"pregnant: {value!r} is none of {', '.join(PREGNANT)}.")
    case.put("medhx", "pregnant", PREGNANT.get(str(value), value), key)


KUH = (
    "days_30", "duration_months", "route", "reasons", "quit_attempts_12m", "failed_treatment_12m", "longest_abstinence_days",
    "remission_months", "wakes_to_dose", "past_withdrawal_symptoms", "source", "co_ingested",
)  # fmt: skip
PRODUCT = ("form", "brand", "doses_per_day", "amount_per_dose", "unit", "label_seen")


def _kratom(case: Case, key: str, value: object, _: Mapping[str, Any]) -> None:
    given = _object(value, key, (*KUH, "use_status", "products", "last_use_hours"))
    days = given.get("days_30")
    case.packet.add("kuh")
    case.put("kuh", "use_status", given.get("use_status", "past" if days == 0 else "current"), "KUH use_status")
    for name in KUH:
        part = given.get(name)
        part = ROUTES.get(str(part), part) if name == "route" else None if part == [DECLINED] else part
        case.put("kuh", name, part if part != [] else None, f"KUH {name}")
    _last_use(case, "kuh", "last_use_datetime", given.get("last_use_hours"), "KUH last_use_hours")
    products = _list(given.get("products"), "KUH products")
    for place, row in enumerate(products or (), 1):
        known = {name: part for name, part in _object(row, f"KUH product {place}", PRODUCT).items() if part is not None}
        for name, part in ({"form": "unknown"} | known).items():  # without its form it is a product nobody can name
            case.put("kuh", f"products.{name}", part, f"KUH product {place}, {name}", str(place))
    if products == []:  # it is known that there is none
        case.told |= {"kuh_oh7": False, "kuh_concentrate": False}
        if days not in (None, DECLINED):
            case.told |= {"leaf_g_day": 0, "leaf_g_day_known": 0, "leaf_band": None, "oh7_mg_day": 0, "doses_per_day": 0}


def _last_use(case: Case, code: str, link_id: str, hours: object, where: str) -> None:
    if hours in (None, DECLINED):
        return case.put(code, link_id, hours, where)
    if not isinstance(hours, int | float | Decimal) or isinstance(hours, bool) or not 0 <= hours <= 24 * 3650:
        raise CaseProblem(f"{where}: {hours!r} is not a number of hours.")
    moment = case.at - datetime.timedelta(hours=float(hours))
    case.put(code, link_id, moment.isoformat(), where)


def _trauma(case: Case, key: str, value: object, _: Mapping[str, Any]) -> None:
    given = _object(value, key, ("gate", "items"))
    case.packet.add("pcptsd5")
    case.put("pcptsd5", "gate", given.get("gate"), "PCPTSD5 gate")
    items = _list(given.get("items"), "PCPTSD5 items") or []
    if len(items) > 5:
        raise CaseProblem("PCPTSD5 items: it is a list of up to 5 answers.")
    for place, answer in enumerate(items, 1):
        case.put("pcptsd5", str(place), answer, f"PCPTSD5 item {place}")


def _cssrs(case: Case, key: str, value: object, _: Mapping[str, Any]) -> None:
    given = _object(value, key, CSSRS)
    case.answers.setdefault("cssrs", {})
    case.packet.add("cssrs")
    for name, link_id in CSSRS.items():
        said = given.get(name)
        known = _yes(said, f"CSSRS {name}")
        case.put("cssrs", link_id, said if known is None else LOINC_YES if known else LOINC_NO, f"CSSRS {name}")


def _asq(case: Case, key: str, value: object, data: Mapping[str, Any]) -> None:
    """It counts when there is no C-SSRS. Whoever refused it as a whole refused its questions."""
    names = [f"q{n}" for n in range(1, 6)]
    given = dict.fromkeys(names, DECLINED) if value in (DECLINED, [DECLINED]) else _object(value, key, names)
    if "CSSRS" in data:
        return
    case.answers.setdefault("asq", {})
    case.packet.add("asq")
    for name, said in given.items():
        case.put("asq", name[1:], said, f"ASQ {name}")


SLP = ("n_onset", "n_wake", "n_dream", "duration", "day_effect", "hours", "apnea")


def _sleep(case: Case, key: str, value: object, _: Mapping[str, Any]) -> None:
    case.packet.add("slp")
    case.answers.setdefault("slp", {})
    for name, part in _object(value, key, SLP).items():
        case.put("slp", name, DURATIONS.get(str(part), part) if name == "duration" else part, f"SLP {name}")


NEEDS = ("housing", "food", "transport", "utilities", "unsafe", "income", "legal", "childcare", "communication")
ONLY_THEN = ("danger_now", "nowhere_safe_tonight")  # asked only after another answer; absent is no


def _social(case: Case, key: str, value: object, _: Mapping[str, Any]) -> None:
    given = _object(value, key, (*NEEDS, *ONLY_THEN))
    case.packet.add("social")
    case.answers.setdefault("social", {})
    for name in NEEDS:
        case.put("social", name, given.get(name), f"SDOH {name}")
    case.told |= {name: _yes(given.get(name, "N"), f"SDOH {name}") for name in ONLY_THEN}


def _named(code: str, names: tuple[str, ...], case: Case, key: str, value: object, _: Mapping[str, Any]) -> None:
    """An object whose keys are the linkIds of a questionnaire."""
    case.packet.add(code)
    case.answers.setdefault(code, {})
    for name, part in _object(value, key, names).items():
        case.put(code, name, part, f"{key} {name}")


HISTORY = (
    "liver_disease", "alt_x_uln", "jaundice", "seizure_hx", "qtc_ms", "overdose_12m", "oud_hx", "complicated_withdrawal_hx",
    "stable_chronic", "unstable_condition", "ob_complication",
)  # fmt: skip
ABSENT_IS_NO = ("unstable_condition", "acute_liver_failure", "acute_emergency", "ob_complication")
OBSERVED = ("acute_liver_failure", "acute_emergency", "disorientation_observed")
RECENT = {"seizure_7d": "seizure_hx", "overdose_30d": "overdose_12m"}  # what happened lately has happened


def _medical(case: Case, key: str, value: object, _: Mapping[str, Any]) -> None:
    given = dict(_object(value, key, (*HISTORY, *OBSERVED, *RECENT, "emergency_vitals")))
    given = {name: "N" for name in ABSENT_IS_NO} | given
    case.packet |= {"medhx", "observed"}
    for recent, ever in RECENT.items():
        truth = _yes(given.get(recent), f"MED {recent}")
        given |= {ever: "Y"} if truth else {}
        case.told |= {} if truth is None else {recent: truth}
    for name in HISTORY:
        case.put("medhx", name, given.get(name), f"MED {name}")
    for name in OBSERVED:
        case.put("observed", name, given.get(name), f"MED {name}")
    case.told["emergency_vitals"] = _yes(given.get("emergency_vitals"), "MED emergency_vitals")
    case.told["ob_complication"] = _yes(given["ob_complication"], "MED ob_complication")


def _medicines(case: Case, key: str, value: object, formulary: Formulary) -> None:
    rows = _list(value, key)
    case.packet.add("medicines")
    case.answers.setdefault("medicines", {})
    if rows is not None:
        case.put("medicines", "any_medicines", "Y" if rows else "N", key)
    for place, row in enumerate(rows or (), 1):
        given = _object(row, f"{key} {place}", ("name", "classes", "dose", "prescribed"))
        classes = _list(given.get("classes"), f"{key} {place} classes")
        if classes is None and (listed := classes_of(str(given.get("name") or ""), formulary)):
            classes = sorted(listed)
        case.put("medicines", "medicines.name", given.get("name") or "not named", f"{key} {place} name", str(place))
        if classes is not None:
            case.put("medicines", "medicines.classes", classes or ["no_class"], f"{key} {place} classes", str(place))


OTHER = (
    "opioid_30d", "opioid_daily", "sedative_daily", "sedative_30d", "stimulant_30d", "last_drink_days", "last_opioid_hours",
    "precipitated_withdrawal_now", "sustained_remission", "loperamide_mg_day",
)  # fmt: skip


def _other(case: Case, key: str, value: object, data: Mapping[str, Any]) -> None:
    given = _object(value, key, OTHER)
    case.packet.add("substances")
    daily = {name: _yes(given.get(name), f"OTH {name}") for name in ("opioid_daily", "sedative_daily")}
    case.told |= daily  # not answered is not known, though the questionnaire would not ask it after a no
    case.put("substances", "opioid_30d", _opioids(given.get("opioid_30d"), daily["opioid_daily"]), "OTH opioid_30d")
    _last_use(case, "substances", "opioid_last_use", given.get("last_opioid_hours"), "OTH last_opioid_hours")
    case.put("substances", "sedative_30d", "Y" if daily["sedative_daily"] else given.get("sedative_30d"), "OTH sedative_30d")
    case.put("substances", "stimulant_30d", given.get("stimulant_30d"), "OTH stimulant_30d")
    case.put("medicines", "loperamide_mg_day", given.get("loperamide_mg_day", 0), "OTH loperamide_mg_day")
    for name in ("precipitated_withdrawal_now", "sustained_remission"):
        case.told[name] = _yes(given.get(name, "N"), f"OTH {name}")
    days = given.get("last_drink_days")
    if "AUDITC" in data and days not in (None, DECLINED):
        if not isinstance(days, int) or isinstance(days, bool) or not 0 <= days <= 36_500:
            raise CaseProblem(f"OTH last_drink_days: {days!r} is not a number of days.")
        case.put("auditc", "last_drink_date", (case.at.date() - datetime.timedelta(days=days)).isoformat(), "OTH last_drink_days")


def _opioids(value: object, daily: bool | None) -> object:
    """The opioids as codes of the questionnaire; whoever takes one daily takes one, and whoever may, may."""
    named = _list(value, "OTH opioid_30d")
    if named is None or (daily is not False and not named):
        return ["other"] if daily else DECLINED if value else None
    codes = {option.value.code for option in questionnaire("substances").by_id["opioid_30d"].options}  # type: ignore[union-attr]
    return [name if name in codes else "other" for name in map(str, named)] or ["none"]


def _nothing(*_: object) -> None:
    """Read with the person."""


Reader = Callable[[Case, str, Any, Mapping[str, Any]], None]
READERS: dict[str, Reader] = {
    "age": _nothing, "sex": _nothing, "pregnant": _pregnant, "KUH": _kratom, **dict.fromkeys(LISTS, _items), "PCPTSD5": _trauma,
    "CSSRS": _cssrs, "ASQ": _asq, "SLP": _sleep, "SDOH": _social,
    "STR": partial(_named, "strengths", ("support_person", "household_use", "family_ok")),
    "RR": partial(_named, "strengths", ("importance", "confidence", "readiness")),
    "MED": _medical, "MEDS": _nothing, "OTH": _other,
}  # fmt: skip


# From the result to JSON


def _result(case: Case, found: Evaluated, plan: Suggested) -> dict[str, Any]:
    facts = found.facts
    interactions = {rule.rule_id for rule in (*found.interactions, *plan.plan_rules)}
    result = {
        "kratom": {name: facts[fact] for name, fact in KRATOM.items()},
        "scores": dict(_scores(case, found)),
        "flags": sorted(flag.rule_id for flag in found.flags),
        "interactions": sorted(interactions),
        "needs": {code: need.rating for code, need in found.needs.items()},
        "level": {
            "suggested": found.level.level, "rule": found.level.rule, "addons": list(found.level.addons),
            "provisional": found.level.provisional,
        },
        "components": sorted(suggestion.component.id for suggestion in plan.suggestions),
        "because": _because(found, plan),
    }  # fmt: skip
    return plain(result)  # type: ignore[no-any-return]


KRATOM = {"leaf_g_day": "leaf_g_day", "leaf_band": "leaf_band", "oh7_mg_day": "oh7_mg_day", "daily": "kuh_daily"}
NAMED_FACTS = {
    "slp": ("insomnia", "chronic", "dreams", "apnea"),
    "cmd": ("mood", "cognitive", "detachment", "social", "panic", "stress"),
}


def _scores(case: Case, found: Evaluated) -> Iterator[tuple[str, dict[str, Any]]]:
    scores, facts = found.scores, found.facts
    yield "sud", _part(scores.get("sud11"), value="total", band="band")
    yield "cows", _part(scores.get("cows"), value="total", band="band", low="low", high="high")
    phq9 = _part(scores.get("phq9"), value="total", band="band", low="low", prorated="prorated")
    yield "phq9", phq9 | {"item9": _item9(case, facts)}
    yield "phq2", {"value": _phq2(case)}
    yield "gad7", _part(scores.get("gad7"), value="total", band="band", low="low")
    yield "dwc", _part(scores.get("dwc"), value="total")
    yield "pcptsd5", _part(scores.get("pcptsd5"), value="total", positive="positive")
    yield "suicide", {"level": facts["cssrs"]}
    yield "auditc", _part(scores.get("auditc"), value="total", positive="positive", low="low")
    yield "dast10", _part(scores.get("dast10"), value="total", band="band")
    bam = scores["bam"].subscores if "bam" in scores else {}
    yield "bam", {name: bam.get(name) for name in ("use", "risk", "protective", "satisfaction")}
    yield "peg", _part(scores.get("peg"), value="total")
    for code, names in NAMED_FACTS.items():
        yield code, {name: facts[f"{code}_{name}"] for name in names}
    yield "sdoh", {"unmet": facts["sdoh_unmet"]}


def _part(score: Score | None, **names: str) -> dict[str, Any]:
    return {name: getattr(score, attribute) if score else None for name, attribute in names.items()}


def _item9(case: Case, facts: Mapping[str, Any]) -> object:
    answer = case.answers.get("phq9", {}).get(("9", ""))
    return DECLINED if answer and answer.state is State.DECLINED else facts["phq9_item9"]


def _phq2(case: Case) -> int | None:
    """The first two items of the PHQ-9, scored only when both are answered."""
    if "phq9" not in case.answers:
        return None
    points = [case.forms["phq9"].points(item) for item in "12"]
    return None if None in points else sum(points)  # type: ignore[arg-type]


def _because(found: Evaluated, plan: Suggested) -> dict[str, Any]:
    """What each result rests on, in words."""
    rules = (*found.flags, *found.interactions, *plan.plan_rules)
    return {
        "scores": {code: score.text for code, score in found.scores.items()},
        "rules": {
            rule.rule_id: {"severity": rule.severity, "inputs": _inputs(rule.inputs), "clears": rule.clears, "grade": rule.grade}
            for rule in rules
        },
        "cannot tell yet": {rule.rule_id: rule.sentence for rule in found.undecided},
        "needs": {
            code: {"row": need.row_text, "inputs": _inputs(need.inputs), "note": need.note} for code, need in found.needs.items()
        },
        "level": {"inputs": _inputs(found.level.inputs), "up_to": found.level.up_to, "notes": list(found.level.notes)},
        "components": {suggestion.component.id: list(suggestion.because) for suggestion in plan.suggestions},
        "content": found.content_hash,
    }


def _inputs(inputs: Iterable[Any]) -> list[str]:
    return [f"{given.label}: {given.value}" for given in inputs]


def plain(value: object) -> Any:
    """The same in what JSON can say: decimals as numbers, tuples as lists."""
    match value:
        case Mapping():
            return {key: plain(part) for key, part in value.items()}
        case list() | tuple():
            return [plain(part) for part in value]
        case Decimal():
            return int(value) if value == int(value) else float(value)
    return value
