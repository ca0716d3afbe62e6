"""The clinical specification computed a second time, by its letter: one case in the notation of its section 7, and what follows from it.

It stands alone: it imports nothing of the project and shares no content with it, so that a mistake in either shows as a difference.
It is laid out as the specification is, table by table, so that a clinician can hold the two side by side: `&` is and, `|` is or, `~` is
not, and a comparison with something unknown is unknown. The case is taken to be well formed; what assess() refuses is not refused here.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

Json = Mapping[str, Any]
DECLINED = "DECLINED"


# Section 0: truth has three values


class Fact:
    """A value, or unknown (None). Combined and compared by Kleene's logic; it has no truth of its own, one asks `.true`."""

    __slots__ = ("value",)
    __hash__ = None  # type: ignore[assignment]  # facts are compared, never kept in sets

    def __init__(self, value: Any) -> None:
        self.value = value

    @property
    def true(self) -> bool:
        return self.value is True

    def __bool__(self) -> bool:
        raise TypeError("a fact may be unknown: ask .true")

    def __and__(self, other: "Fact") -> "Fact":
        if self.value is False or other.value is False:
            return Fact(False)
        return Fact(None if self.value is None or other.value is None else True)

    def __or__(self, other: "Fact") -> "Fact":
        return ~(~self & ~other)

    def __invert__(self) -> "Fact":
        return Fact(None if self.value is None else not self.value)

    def __ge__(self, number: Any) -> "Fact":
        return Fact(None if self.value is None else self.value >= number)

    def __gt__(self, number: Any) -> "Fact":
        return Fact(None if self.value is None else self.value > number)

    def __le__(self, number: Any) -> "Fact":
        return ~(self > number)

    def __lt__(self, number: Any) -> "Fact":
        return ~(self >= number)

    def __eq__(self, value: object) -> "Fact":  # type: ignore[override]
        return Fact(None if self.value is None else self.value == value)


UNKNOWN = Fact(None)


def any_of(facts: Iterable[Fact]) -> Fact:
    found = Fact(False)
    for fact in facts:
        found = found | fact
    return found


def ids(rules: Mapping[str, Fact]) -> list[str]:
    """The rules that are true, in the order of their names."""
    return sorted(name for name, fires in rules.items() if fires.true)


# Section 7, Notation


def answered(value: object) -> bool:
    """Neither not reached nor refused; a refused list is ["DECLINED"]."""
    return value not in (None, DECLINED, [DECLINED])


def number(value: Any) -> Fact:
    return Fact(Decimal(str(value)) if answered(value) else None)


def word(value: Any) -> Fact:
    return Fact(value if answered(value) else None)


def yes(value: Any) -> Fact:
    return Fact({"Y": True, "N": False}.get(value))


def group(case: Json, key: str) -> dict[str, Any] | None:
    """The answers under a key; None where it is not part of the packet, empty where nothing of it was answered."""
    if key not in case:
        return None
    return dict(case[key]) if answered(case[key]) else {}


def items(case: Json, key: str, length: int) -> list[Any] | None:
    """The answers of a list, in item order: what it lacks was not reached. None where it is not part of the packet."""
    return padded(case[key], length) if key in case else None


def padded(given: Any, length: int) -> list[Any]:
    if given in (DECLINED, [DECLINED]):  # the list as a whole was refused
        return [DECLINED] * length
    given = list(given or [])
    return given + [None] * (length - len(given))


def rows(given: Any) -> list[Any] | None:
    """A list of things had or taken: unknown where it was not reached or refused, empty where there are none."""
    return list(given) if answered(given) else None


def gaps(answers: Sequence[Any]) -> int:
    return sum(not answered(answer) for answer in answers)


def points(answers: Sequence[Any]) -> int:
    """The partial sum: what the answered items come to."""
    return sum(answer for answer in answers if answered(answer))


def count(answers: Sequence[Any]) -> int:
    return sum(answer == "Y" for answer in answers)


def half_up(value: Fraction, places: int = 0) -> Decimal:
    shifted = Decimal(value.numerator) * 10**places / Decimal(value.denominator)
    return shifted.quantize(Decimal(1), rounding=ROUND_HALF_UP) / 10**places


def band(value: int | None, bands: Sequence[tuple[int, str]]) -> str | None:
    """bands: (the first number of the band, its name), from the top."""
    return None if value is None else next(name for first, name in bands if value >= first)


def total(answers: Sequence[Any], may_lack: int = 0) -> int | None:
    """The total; prorated to all items while no more than may_lack of them are unanswered."""
    lacking = gaps(answers)
    if lacking > may_lack:
        return None
    return int(half_up(Fraction(points(answers) * len(answers), len(answers) - lacking)))


# Section 2.2: kratom


LEAF = ("leaf_powder", "capsule", "tea")
SEVEN_OH = ("7oh_tablet", "7oh_other", "mp_mgm")
CONCENTRATE = ("resin_extract", "liquid_shot", *SEVEN_OH, "combination_tonic")


def form_in(row: Json, forms: tuple[str, ...]) -> Fact:
    form = word(row.get("form"))
    return Fact(None if form.value is None else form.value in forms)


def per_day(row: Json) -> Decimal | None:
    """doses/day x amount/dose; None where one of them is unanswered."""
    doses, amount = number(row.get("doses_per_day")).value, number(row.get("amount_per_dose")).value
    return None if doses is None or amount is None else doses * amount


def leaf_grams(products: list[Json]) -> tuple[Decimal, bool]:
    """The known sum of the leaf products in grams per day, and whether it is all of it."""
    known, whole = Decimal(0), True
    for row in products:
        if form_in(row, LEAF).true and row.get("unit") == "g" and per_day(row) is not None:
            known += per_day(row) or 0
        elif not form_in(row, CONCENTRATE).true:  # leaf without its amount in grams, or a product nobody can name
            whole = False
    return known, whole


def oh7_milligrams(products: list[Json]) -> Decimal | None:
    """The rows of 7-OH in mg of 7-OH; all others add 0. None where one of them lacks its doses or amount."""
    amounts = [per_day(row) for row in products if form_in(row, SEVEN_OH).true and row.get("unit") == "mg_7oh"]
    return None if None in amounts else sum((amount for amount in amounts if amount is not None), Decimal(0))


def kratom(case: Json) -> SimpleNamespace:
    """KUH of section 0. Products count only while they are used."""
    given = group(case, "KUH") or {}
    days, products = number(given.get("days_30")), rows(given.get("products"))
    k = SimpleNamespace(
        current=days > 0,
        daily=days >= 25,
        quit_attempts=number(given.get("quit_attempts_12m")),
        failed_treatment=number(given.get("failed_treatment_12m")),
        leaf_over_40=UNKNOWN,
        leaf_to_40=UNKNOWN,
        leaf_g_day=None,
        oh7_mg_day=None,
    )
    k.oh7 = k.current & (UNKNOWN if products is None else any_of(form_in(row, SEVEN_OH) for row in products))
    k.concentrate = k.current & (UNKNOWN if products is None else any_of(form_in(row, CONCENTRATE) for row in products))
    if k.current.value is False:
        products = []
    if k.current.value is not None and products is not None:
        grams, whole = leaf_grams(products)
        k.leaf_over_40 = Fact(True if grams > 40 else False if whole else None)
        k.leaf_to_40 = Fact(grams <= 40 if whole else None)
        k.leaf_g_day = grams if whole else None
        k.oh7_mg_day = oh7_milligrams(products)
    return k


def leaf_band(grams: Decimal | None) -> str | None:
    if not grams:  # unknown, or 0 g
        return None
    return "<20" if grams < 20 else "20-40" if grams <= 40 else ">40"


# Sections 2.1 and 2.3 to 2.18: scores. None where the instrument is not part of the packet.


SUD_BANDS = ((6, "severe"), (4, "moderate"), (2, "mild"), (0, "none"))
COWS_MOST = (4, 4, 5, 5, 4, 4, 5, 4, 4, 4, 5)
COWS_BANDS = ((37, "severe"), (25, "moderately severe"), (13, "moderate"), (5, "mild"), (0, "none/minimal"))
PHQ9_BANDS = ((20, "severe"), (15, "moderately severe"), (10, "moderate"), (5, "mild"), (0, "minimal"))
GAD7_BANDS = ((15, "severe"), (10, "moderate"), (5, "mild"), (0, "minimal"))
DAST10_BANDS = ((9, "severe"), (6, "substantial"), (3, "moderate"), (1, "low"), (0, "none"))


def sud(answers: Sequence[Any]) -> Json:
    low, high = count(answers), count(answers) + gaps(answers)
    first, last = band(low, SUD_BANDS), band(high, SUD_BANDS)
    return {"value": low, "band": first if first == last else f"{first} to {last}, incomplete"}


def cows(answers: Sequence[Any]) -> Json:
    value, low = total(answers), points(answers)
    most = sum(most for answer, most in zip(answers, COWS_MOST, strict=True) if not answered(answer))
    return {"value": value, "band": band(value, COWS_BANDS), "low": low, "high": low + most}


def dwc(answers: Sequence[Any]) -> Json:
    return {"value": total(answers, may_lack=3)}


def phq9(answers: Sequence[Any]) -> Json:
    value = total(answers, may_lack=2)
    return {
        "value": value,
        "band": band(value, PHQ9_BANDS),
        "low": points(answers) if value is None else value,
        "prorated": gaps(answers) in (1, 2),
        "item9": answers[8],
    }


def phq2(answers: Sequence[Any]) -> Json:
    return {"value": total(answers[:2])}


def gad7(answers: Sequence[Any]) -> Json:
    value = total(answers, may_lack=1)
    return {"value": value, "band": band(value, GAD7_BANDS), "low": points(answers) if value is None else value}


def trauma_items(given: Json) -> list[Any] | None:
    """The five answers; five times no where there was no such event; None while the gate is unanswered."""
    gate = yes(given.get("gate")).value
    return None if gate is None else padded(given.get("items"), 5) if gate else ["N"] * 5


def pcptsd5(given: Json, sex: Any) -> Json:
    answers, cutoff = trauma_items(given), 3 if sex == "F" else 4
    if answers is None:
        return {"value": None, "positive": None}
    least, most = count(answers), count(answers) + gaps(answers)
    return {"value": least if least == most else None, "positive": True if least >= cutoff else False if most < cutoff else None}


def cssrs(given: Json) -> str:
    q1, q2, q3, q4, q5, q6, recent = (given.get(name) for name in ("q1", "q2", "q3", "q4", "q5", "q6", "q6_3mo"))
    if q4 == "Y" or q5 == "Y" or (q6 == "Y" and recent == "Y"):
        return "HIGH"
    if q3 == "Y" or q6 == "Y":
        return "MODERATE"
    if gaps([q1, q2, q6]) or (q2 == "Y" and gaps([q3, q4, q5])):
        return "NOT_SCREENED"
    return "LOW" if "Y" in (q1, q2) else "NONE"


def asq_positive(given: Json) -> bool:
    return any(given.get(name) in ("Y", DECLINED) for name in ("q1", "q2", "q3", "q4"))


def asq(given: Json) -> str:
    if given.get("q5") == "Y":
        return "HIGH"
    if asq_positive(given):
        return "MODERATE"
    return "NOT_SCREENED" if gaps([given.get(name) for name in ("q1", "q2", "q3", "q4")]) else "NONE"


def asq_answers(case: Json) -> Json:
    """The ASQ counts when there is no C-SSRS. Whoever refused it as a whole refused its questions."""
    if "CSSRS" in case or "ASQ" not in case:
        return {}
    return dict.fromkeys(("q1", "q2", "q3", "q4", "q5"), DECLINED) if case["ASQ"] in (DECLINED, [DECLINED]) else group(case, "ASQ") or {}


def suicide(case: Json) -> str:
    return cssrs(group(case, "CSSRS") or {}) if "CSSRS" in case else asq(asq_answers(case))


def auditc(answers: Sequence[Any], sex: Any) -> Json:
    if answers[0] == 0:  # never drinks: the other two do not apply
        answers = [0, 0, 0]
    value, low = total(answers), points(answers)
    return {"value": value, "positive": True if low >= (4 if sex == "M" else 3) else None if value is None else False, "low": low}


def dast10(answers: Sequence[Any]) -> Json:
    value = None if gaps(answers) else sum(answer == ("N" if item == 3 else "Y") for item, answer in enumerate(answers, 1))
    return {"value": value, "band": band(value, DAST10_BANDS)}


def slp(given: Json) -> Json:
    nights = [number(given.get(name)) >= 3 for name in ("n_onset", "n_wake", "n_dream")]
    insomnia = (nights[0] | nights[1]) & (number(given.get("day_effect")) >= 1)
    return {
        "insomnia": insomnia.value,
        "chronic": (insomnia & (word(given.get("duration")) == ">=3mo")).value,
        "dreams": nights[2].value,
        "apnea": yes(given.get("apnea")).value,
    }


def bam(answers: Sequence[Any]) -> Json:
    item = dict(enumerate(answers, 1))
    if item[4] == 0:  # no day on which anything was drunk
        item[5] = 0
    return {
        "use": total([item[4], item[5], item[6]]),
        "risk": total([item[1], item[2], item[3], item[8], item[11], item[15]]),
        "protective": total([item[9], item[10], item[12], item[13], item[14], item[16]]),
        "satisfaction": total([item[17]]),
    }


def peg(answers: Sequence[Any]) -> Json:
    return {"value": None if gaps(answers) else half_up(Fraction(points(answers), 3), places=1)}


def cmd(answers: Sequence[Any]) -> Json:
    item = {place: number(answer) for place, answer in enumerate(answers, 1)}
    flags = {
        "mood": (item[1] >= 2) | (item[2] >= 2),
        "cognitive": (item[3] >= 2) | (item[4] >= 2),
        "detachment": (item[5] >= 2) | (item[6] >= 2),
        "social": (item[7] >= 2) | (item[8] >= 2),
        "panic": item[9] >= 1,
        "stress": item[10] >= 2,
    }
    return {name: flag.value for name, flag in flags.items()}


def sdoh(given: Json) -> Json:
    needs = ("food", "transport", "utilities", "unsafe", "income", "legal", "childcare", "communication")
    return {"unmet": (given.get("housing") in ("unstable", "none")) + count([given.get(name) for name in needs])}


SCORES: Mapping[str, tuple[str, ...]] = {
    "sud": ("value", "band"),
    "cows": ("value", "band", "low", "high"),
    "dwc": ("value",),
    "phq9": ("value", "band", "low", "prorated", "item9"),
    "phq2": ("value",),
    "gad7": ("value", "band", "low"),
    "pcptsd5": ("value", "positive"),
    "auditc": ("value", "positive", "low"),
    "dast10": ("value", "band"),
    "slp": ("insomnia", "chronic", "dreams", "apnea"),
    "bam": ("use", "risk", "protective", "satisfaction"),
    "peg": ("value",),
    "cmd": ("mood", "cognitive", "detachment", "social", "panic", "stress"),
}


def scores(case: Json) -> dict[str, Json]:
    sex = case.get("sex")
    found = {
        "sud": (items(case, "SUD", 11), sud),
        "cows": (items(case, "COWS", 11), cows),
        "dwc": (items(case, "DWC", 16), dwc),
        "phq9": (items(case, "PHQ9", 9), phq9),
        "phq2": (items(case, "PHQ9", 9), phq2),
        "gad7": (items(case, "GAD7", 7), gad7),
        "pcptsd5": (group(case, "PCPTSD5"), lambda given: pcptsd5(given, sex)),
        "auditc": (items(case, "AUDITC", 3), lambda answers: auditc(answers, sex)),
        "dast10": (items(case, "DAST10", 10), dast10),
        "slp": (group(case, "SLP"), slp),
        "bam": (items(case, "BAM", 17), bam),
        "peg": (items(case, "PEG", 3), peg),
        "cmd": (items(case, "CMD", 10), cmd),
    }
    scored: dict[str, Json] = {
        name: dict.fromkeys(SCORES[name]) if answers is None else score(answers)  # type: ignore[no-untyped-call,operator]
        for name, (answers, score) in found.items()
    }
    return scored | {"suicide": {"level": suicide(case)}, "sdoh": sdoh(group(case, "SDOH") or {})}


# Section 0: the names used in rules


def pregnant(case: Json) -> Fact:
    """2.15: unknown while it is possible."""
    said, age = case.get("pregnant"), number(case.get("age"))
    if said in ("Y", "N", "NA"):
        return Fact(said == "Y")
    possible = case.get("sex") == "F" and (age.value is None or 12 <= age.value <= 55)
    return Fact(None if possible else False)


def medicine_classes(case: Json) -> set[str] | None:
    medicines = rows(case.get("MEDS"))
    return None if medicines is None else {name for medicine in medicines for name in medicine["classes"]}


def facts(case: Json, scored: Mapping[str, Json]) -> SimpleNamespace:
    oth, med, soc, strengths = (group(case, key) or {} for key in ("OTH", "MED", "SDOH", "STR"))
    classes, opioids = medicine_classes(case), rows(oth.get("opioid_30d"))

    def current(name: str) -> Fact:
        return Fact(None if classes is None else name in classes)

    f = SimpleNamespace(kuh=kratom(case), med=current, case=case, scores=scored)
    f.age, f.pregnant = number(case.get("age")), pregnant(case)
    f.possibly_pregnant = Fact(f.pregnant.value is None)

    f.opioid_daily = yes(oth.get("opioid_daily"))
    f.opioid_30d = (UNKNOWN if opioids is None else Fact(bool(opioids))) | f.opioid_daily | current("opioid")
    f.sedative_daily = yes(oth.get("sedative_daily"))
    f.sedative_30d = yes(oth.get("sedative_30d")) | f.sedative_daily | current("benzodiazepine") | current("z_drug")
    f.stimulant_30d = yes(oth.get("stimulant_30d"))
    f.loperamide = number(oth.get("loperamide_mg_day", 0 if "OTH" in case else None))
    f.precipitated = yes(oth.get("precipitated_withdrawal_now", "N"))
    f.sustained_remission = yes(oth.get("sustained_remission", "N"))
    last_drink = number(oth.get("last_drink_days"))

    criteria = items(case, "SUD", 11)
    f.sud_count = Fact(None if criteria is None else count(criteria))
    f.sud_max = Fact(None if criteria is None else count(criteria) + gaps(criteria))
    f.sud_11 = UNKNOWN if criteria is None else yes(criteria[10])
    f.cows_low, f.cows_high = Fact(scored["cows"]["low"]), Fact(scored["cows"]["high"])
    f.phq9_low, f.gad7_low, f.peg = Fact(scored["phq9"]["low"]), Fact(scored["gad7"]["low"]), Fact(scored["peg"]["value"])
    f.item9 = number(scored["phq9"]["item9"])
    trauma = trauma_items(group(case, "PCPTSD5") or {})
    f.ptsd_yes, f.ptsd = Fact(None if trauma is None else count(trauma)), Fact(scored["pcptsd5"]["positive"])
    f.suicide = scored["suicide"]["level"]
    f.alcohol = Fact(scored["auditc"]["positive"])
    f.alc_active = (Fact(scored["auditc"]["low"]) >= 8) & Fact(last_drink.value is None or last_drink.value <= 7)
    f.alc_recent = f.alcohol & Fact(last_drink.value is None or last_drink.value <= 30)
    f.insomnia, f.day_effect = Fact(scored["slp"]["insomnia"]), number((group(case, "SLP") or {}).get("day_effect"))
    f.cmd = SimpleNamespace(**{name: Fact(value) for name, value in scored["cmd"].items()})
    f.bps = [yes(answer) for answer in items(case, "BPS", 3) or [None] * 3]

    f.seizure_7d, f.overdose_30d = yes(med.get("seizure_7d")), yes(med.get("overdose_30d"))
    f.seizure_hx = yes(med.get("seizure_hx")) | f.seizure_7d
    f.overdose_12m = yes(med.get("overdose_12m")) | f.overdose_30d
    f.liver_disease, f.jaundice, f.alt = yes(med.get("liver_disease")), yes(med.get("jaundice")), number(med.get("alt_x_uln"))
    f.qtc = number(med.get("qtc_ms"))
    f.long_qt = f.qtc > (470 if case.get("sex") == "F" else 450)
    f.oud_hx, f.stable_chronic = yes(med.get("oud_hx")), yes(med.get("stable_chronic"))
    f.complicated_withdrawal_hx, f.emergency_vitals = yes(med.get("complicated_withdrawal_hx")), yes(med.get("emergency_vitals"))
    f.unstable_condition, f.acute_liver_failure = yes(med.get("unstable_condition", "N")), yes(med.get("acute_liver_failure", "N"))
    f.acute_emergency, f.ob_complication = yes(med.get("acute_emergency", "N")), yes(med.get("ob_complication", "N"))

    f.unmet = Fact(scored["sdoh"]["unmet"])
    f.housing, f.unsafe = word(soc.get("housing")), yes(soc.get("unsafe"))
    f.danger_now, f.nowhere_safe = yes(soc.get("danger_now", "N")), yes(soc.get("nowhere_safe_tonight", "N"))
    f.no_support_person, f.household_use = word(strengths.get("support_person")) == "N", yes(strengths.get("household_use"))
    f.family_ok = yes(strengths.get("family_ok"))
    ruled = group(case, "RR") or {}
    rulers = [ruled[name] for name in ("importance", "confidence", "readiness") if answered(ruled.get(name))]
    f.lowest_ruler = Fact(min(rulers, default=None))
    return f


# Section 3.1


def interactions(f: SimpleNamespace) -> dict[str, Fact]:
    """All but IX-15, which rests on DTX-04. Nothing is planned yet, so IX-19 rests on loperamide alone."""
    kuh, med = f.kuh, f.med
    return {
        "IX-01": kuh.current & f.opioid_30d,
        "IX-02": kuh.current & (f.sedative_30d | med("benzodiazepine") | med("z_drug")),
        "IX-03": f.opioid_30d & (f.sedative_30d | med("benzodiazepine")),
        "IX-04": kuh.current & f.alc_recent,
        "IX-05": kuh.current & med("gabapentinoid"),
        "IX-06": kuh.current & med("cns_depressant_other"),
        "IX-07": kuh.current & (med("stimulant") | f.stimulant_30d),
        "IX-08": kuh.current & (med("serotonergic") | med("maoi")),
        "IX-09": kuh.current & med("cyp2d6_substrate"),
        "IX-10": kuh.current & med("cyp3a_substrate"),
        "IX-11": kuh.current & (med("cyp3a_inhibitor_strong") | med("cyp3a_inducer")),
        "IX-12": kuh.current & (med("hepatotoxic") | f.liver_disease | (f.alt > 3) | f.jaundice),
        "IX-13": kuh.current & (med("qt_prolonging") | f.long_qt),
        "IX-14": kuh.current & med("naltrexone"),
        "IX-16": f.seizure_hx & (kuh.current | med("seizure_threshold")),
        "IX-17": (f.pregnant | f.possibly_pregnant) & kuh.current,
        "IX-18": kuh.daily & med("antihypertensive"),
        "IX-19": f.loperamide > 16,
        "IX-20": kuh.daily & med("cyp2d6_inhibitor_strong"),
        "IX-21": kuh.oh7,
        "IX-22": (f.age < 18) & kuh.current,
    }


# Section 3.2


def not_screened(f: SimpleNamespace) -> Fact:
    """SF-05."""
    screen = group(f.case, "CSSRS") or {}
    asked = asq_answers(f.case)
    return Fact(
        f.suicide == "NOT_SCREENED"
        or ("PHQ9" in f.case and f.item9.value is None)
        or (screen.get("q6") == "Y" and not answered(screen.get("q6_3mo")))
        or (asq_positive(asked) and not answered(asked.get("q5")))
    )


def incomplete(f: SimpleNamespace) -> Fact:
    """SF-14: only what is part of the packet, and the suicide screen, which always is."""
    totals = {
        "COWS": "cows", "DWC": "dwc", "PHQ9": "phq9", "GAD7": "gad7", "PCPTSD5": "pcptsd5", "AUDITC": "auditc", "DAST10": "dast10",
        "PEG": "peg",
    }  # fmt: skip
    return Fact(
        any(key in f.case and f.scores[name]["value"] is None for key, name in totals.items())
        or ("BAM" in f.case and None in (f.scores["bam"][scale] for scale in ("use", "risk", "protective")))
        or ("SLP" in f.case and f.scores["slp"]["insomnia"] is None)
        or f.suicide == "NOT_SCREENED"
        or ("SUD" in f.case and gaps(items(f.case, "SUD", 11) or []) > 0)
    )


def flags(f: SimpleNamespace, ix: Mapping[str, Fact]) -> dict[str, Fact]:
    kuh, med = f.kuh, f.med
    return {
        "SF-01": Fact(f.suicide == "HIGH"),
        "SF-02": Fact(f.suicide == "MODERATE"),
        "SF-03": Fact(f.suicide == "LOW"),
        "SF-04": f.item9 > 0,
        "SF-05": not_screened(f),
        "SF-06": f.opioid_30d | kuh.oh7 | f.overdose_12m
        | (kuh.daily & (f.sedative_30d | f.alcohol | med("gabapentinoid") | med("cns_depressant_other"))),
        "SF-07": f.pregnant,
        "SF-08": ix["IX-14"],
        "SF-09": ix["IX-16"],
        "SF-10": ix["IX-12"] | f.jaundice | (f.alt >= 5),
        "SF-11": ix["IX-13"] | f.long_qt,
        "SF-12": f.unsafe,
        "SF-13": any_of(f.bps),
        "SF-14": incomplete(f),
        "SF-15": f.emergency_vitals,
        "SF-16": f.sedative_daily | f.alc_active,
    }  # fmt: skip


# Section 4.2


def rating(*table: tuple[int, Fact]) -> int:
    """The first matching row from the top; 0 where there is none."""
    return next((number for number, row in table if row.true), 0)


def needs(f: SimpleNamespace) -> dict[str, int]:
    kuh, med = f.kuh, f.med
    level = {name: Fact(f.suicide == name) for name in ("HIGH", "MODERATE", "NOT_SCREENED", "LOW")}
    return {
        "N1": rating(
            (4, (f.cows_low >= 37) | f.emergency_vitals | ((f.sedative_daily | f.alc_active) & f.complicated_withdrawal_hx)),
            (3, (f.cows_low >= 25) | (f.sedative_daily & (f.opioid_30d | kuh.daily)) | (f.alc_active & (f.opioid_daily | kuh.daily))
                | (f.pregnant & (f.cows_low >= 13)) | f.precipitated),
            (2, (f.cows_low >= 13) | kuh.leaf_over_40 | (kuh.oh7 & kuh.daily) | f.alc_active | f.sedative_daily | f.opioid_daily
                | (med("naltrexone") & kuh.current) | (f.pregnant & kuh.daily)),
            (1, (f.cows_low >= 5) | kuh.daily | f.sud_11),
        ),
        "N2": rating(
            (4, (f.qtc >= 500) | f.acute_liver_failure | f.acute_emergency),
            (3, f.jaundice | (f.alt >= 5) | f.seizure_7d | f.unstable_condition | (f.pregnant & f.ob_complication)),
            (2, f.pregnant | f.liver_disease | (f.alt > 3) | f.long_qt | (f.seizure_hx & (kuh.current | med("seizure_threshold")))
                | (f.peg >= 7)),
            (1, f.stable_chronic | (f.peg >= 4) | f.seizure_hx),
        ),
        "N3": rating(
            (4, level["HIGH"]),
            (3, (level["MODERATE"] & (f.phq9_low >= 20)) | f.bps[2]),
            (2, level["MODERATE"] | level["NOT_SCREENED"] | (f.phq9_low >= 15) | (f.gad7_low >= 15) | (f.ptsd_yes >= 4) | any_of(f.bps)
                | (level["LOW"] & (f.phq9_low >= 10))),
            (1, level["LOW"] | (f.phq9_low >= 5) | (f.gad7_low >= 5) | (f.ptsd_yes >= 3) | any_of(vars(f.cmd).values())),
        ),
        "N4": rating(
            (4, f.overdose_30d | (f.overdose_12m & f.opioid_30d & f.sedative_30d)),
            (3, (f.sud_count >= 6) & (f.opioid_30d | f.sedative_30d | (kuh.oh7 & kuh.daily) | (kuh.failed_treatment >= 2))),
            (2, f.sud_count >= 4),
            (1, f.sud_count >= 2),
        ),
        "N5": rating(
            (4, (f.unsafe & f.danger_now) | ((f.housing == "none") & f.nowhere_safe)),
            (3, (f.housing == "none") | f.unsafe | (f.household_use & f.no_support_person)),
            (2, (f.unmet >= 2) | f.household_use | f.no_support_person | (f.housing == "unstable")),
            (1, f.unmet >= 1),
        ),
    }  # fmt: skip


# Section 4.3


def suggested_level(n: Mapping[str, int], sud_6: bool, pregnant: bool, sustained_remission: bool) -> tuple[str, str]:
    """The rule and the level: the first match wins."""
    n1, n2, n3, n4, n5 = (n[name] for name in ("N1", "N2", "N3", "N4", "N5"))
    table = [
        ("L1", n1 == 4 or n2 == 4 or n3 == 4, "4"),
        ("L2", pregnant and n1 >= 3, "4"),
        ("L3", n1 == 3 or n2 == 3, "3.7"),
        ("L4", n4 == 4, "3.7" if n1 >= 2 else "3.5"),
        ("L5", n5 == 4, "3.5" if n4 >= 3 or n3 >= 2 else "3.1"),
        ("L6", n5 == 3, "3.5" if n4 >= 3 else "3.1"),
        ("L7", n3 == 3, "2.7" if n1 >= 2 or n2 >= 2 else "2.5"),
        ("L8", n4 == 3, "2.7" if n1 == 2 or n2 == 2 else "2.5" if n3 == 2 else "2.1"),
        ("L9", n4 == 2 and n3 == 2, "2.1"),
        ("L10", n4 == 2 and (n1 == 2 or n2 == 2), "2.1" if sud_6 else "1.7"),
        ("L11", n4 == 2, "2.1" if sud_6 else "1.5"),
        ("L12", n1 == 2 or n2 == 2, "1.7"),
        ("L13", n4 == 1 or n3 == 2, "1.5"),
        ("L14", sustained_remission, "1.0"),
        ("L15", True, "0.5"),
    ]
    return next((rule, level) for rule, matches, level in table if matches)


def addons(loc: str, n: Mapping[str, int], pregnant: bool) -> list[str]:
    medical = loc in ("0.5", "1.0", "1.5", "2.1", "2.5", "3.1", "3.5") and (n["N1"] >= 2 or n["N2"] >= 2)
    table = {
        "CO_OCCURRING_ENHANCED": n["N3"] >= 2 and loc != "4",
        "MEDICAL_MANAGEMENT_ADDON": medical,
        "OBSTETRIC_COMANAGEMENT": pregnant,
    }
    return sorted(name for name, applies in table.items() if applies)


# Section 5.4


def components(f: SimpleNamespace, sf: Mapping[str, Fact], n: Mapping[str, int], loc: str) -> dict[str, Fact]:
    """All but MED-04, which comes last."""
    kuh, p, g, s, cmd, naltrexone = f.kuh, f.phq9_low, f.gad7_low, f.sud_count, f.cmd, f.med("naltrexone")
    return {
        "SAF-01": sf["SF-01"] | sf["SF-02"] | sf["SF-03"] | sf["SF-04"],
        "SAF-02": sf["SF-01"],
        "SAF-03": sf["SF-01"] | sf["SF-02"] | sf["SF-03"] | sf["SF-04"],
        "SAF-04": sf["SF-05"],
        "EDU-01": kuh.current,
        "BI-01": kuh.current & (f.sud_max <= 1),
        "DTX-01": kuh.daily & (s >= 2) & ~kuh.concentrate & kuh.leaf_to_40 & (f.cows_high < 13) & ~f.pregnant & ~f.opioid_30d
        & ~f.sedative_daily & ~naltrexone & Fact(loc not in ("3.5", "3.7", "4")),
        "DTX-02": kuh.daily & (s >= 2) & (f.cows_high < 25) & ~f.pregnant & Fact(n["N1"] <= 2)
        & Fact(loc not in ("3.5", "3.7", "4")) & ~naltrexone,
        "DTX-03": Fact(loc in ("3.7", "4")) & (kuh.daily | f.opioid_daily | f.sedative_daily),
        "DTX-04": (s >= 4) & kuh.daily
        & (kuh.leaf_over_40 | kuh.oh7 | f.opioid_30d | f.oud_hx | (kuh.quit_attempts >= 2) | f.pregnant) & ~naltrexone,
        "DTX-05": sf["SF-06"] | (s >= 4),
        "DTX-06": f.sedative_daily,
        "DTX-07": kuh.current & naltrexone,
        "CBT-01": s >= 2,
        "CBT-02": s >= 2,
        "CBT-03": (p >= 10) | (g >= 10),
        "CBT-04": p >= 10,
        "CBT-05": f.insomnia,
        "CBT-06": (g >= 10) & cmd.panic & ~sf["SF-01"],
        "OTH-01": (s >= 2) & (f.lowest_ruler <= 6),
        "OTH-02": s >= 6,
        "OTH-03": cmd.mood | sf["SF-01"] | sf["SF-02"],
        "OTH-04": f.ptsd & ~sf["SF-01"],
        "OTH-05": cmd.detachment,
        "OTH-06": (s >= 2) & f.family_ok,
        "PEER-01": s >= 2,
        "PEER-02": (s >= 4) | f.no_support_person | (f.unmet >= 2),
        "MED-01": (p >= 10) | (g >= 10),
        "MED-02": f.ptsd,
        "MED-03": f.insomnia & (f.day_effect >= 2),
        "MED-05": kuh.daily | sf["SF-10"],
        "MED-06": sf["SF-11"],
        "MED-07": f.alcohol,
        "PAIN-01": f.peg >= 4,
        "OB-01": f.pregnant,
        "SZ-01": sf["SF-09"],
        "CMP-01": (g >= 5) | cmd.stress,
        "CMP-02": g >= 5,
        "CMP-03": (p >= 5) | (g >= 5),
        "CMP-04": s >= 2,
        "CMP-05": cmd.mood | (p >= 5) | (g >= 5),
        "SOC-01": f.unmet >= 1,
        "SOC-02": cmd.social,
        "AFT-01": s >= 2,
        "AFT-02": s >= 2,
        "AFT-03": s >= 2,
    }  # fmt: skip


# Section 3.1, order of computation


def reference(case: Json) -> dict[str, Any]:
    """What follows from a case, in the shape of the expected values of section 7."""
    scored = scores(case)
    f = facts(case, scored)
    ix = interactions(f)
    sf = flags(f, ix)
    n = needs(f)
    rule, loc = suggested_level(n, (f.sud_count >= 6).true, f.pregnant.true, f.sustained_remission.true)
    suggested = components(f, sf, n, loc)
    ix["IX-15"] = suggested["DTX-04"]
    suggested["MED-04"] = any_of(ix.values()) | Fact(bool(rows(case.get("MEDS"))))
    return {
        "kratom": {
            "leaf_g_day": f.kuh.leaf_g_day,
            "leaf_band": leaf_band(f.kuh.leaf_g_day),
            "oh7_mg_day": f.kuh.oh7_mg_day,
            "daily": f.kuh.daily.value,
        },
        "scores": scored,
        "flags": ids(sf),
        "interactions": ids(ix),
        "needs": n,
        "level": {"suggested": loc, "rule": rule, "addons": addons(loc, n, f.pregnant.true), "provisional": sf["SF-14"].true},
        "components": ids(suggested),
    }
