"""From answers to facts: what is not known stays unknown, what was declined is no "no", and nothing dangerous is taken back in passing."""

import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from intake.answers import Answer, State, parse_answer
from intake.content_files import questionnaire
from intake.evaluation import Person, Settings, evaluate_episode
from intake.facts.reading import Filled
from intake.formulary import shipped
from intake.packet import packet
from intake.questionnaire import load

NOW = datetime.datetime(2026, 11, 23, 10, 0, tzinfo=ZoneInfo("America/New_York"))
DECLINED = "declined"
NEVER, OFTEN, TEN = "LA6270-8", "LA18929-2", "LA18932-6"  # AUDIT-C: never; 4 or more times a week; 10 or more
DAILY = "LA18934-2"


def filled(code: str, at: datetime.datetime = NOW, clinician: bool = True, earlier: tuple[Filled, ...] = (), **given: Any) -> Filled:
    """One questionnaire: `q_1="true"` answers item 1, a list of mappings the rows of a repeating group, DECLINED declines."""
    form, answers = questionnaire(code), {}
    for name, value in given.items():
        link_id = name.removeprefix("q_")
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for place, row in enumerate(value, 1):
                for part, inner in row.items():
                    key = (f"{link_id}.{part}", str(place))
                    answers[key] = parse_answer(form.by_id[key[0]], [inner] if isinstance(inner, str) else inner)
        elif value == DECLINED:
            answers[link_id, ""] = Answer(State.DECLINED)
        else:
            answers[link_id, ""] = parse_answer(form.by_id[link_id], [value] if isinstance(value, str) else value)
    return Filled(form, answers, at, by_clinicians=clinician, earlier=earlier)


def result(*forms: Filled, sex: str = "M", age: int = 40) -> Any:
    settings = Settings(packet=tuple(packet()), formulary=shipped())
    return evaluate_episode(Person(age, sex), {form.questionnaire.code: form for form in forms}, settings, NOW)


def facts(*forms: Filled, **person: Any) -> dict[str, Any]:
    return result(*forms, **person).facts


def fired(*forms: Filled, **person: Any) -> dict[str, str]:
    found = result(*forms, **person)
    return {rule.rule_id: rule.severity for rule in (*found.flags, *found.interactions)}


# The suicide screen

NO = {f"q_{number}": "false" for number in "1234"}
ACUTE = NO | {"q_1": "true", "q_5": "true"}
NOT_ACUTE = ACUTE | {"q_5": "false"}


@pytest.mark.parametrize(
    ("says", "answers", "level", "open_"),
    [
        ("all four no", NO, "NONE", False),
        ("a yes, and now", ACUTE, "HIGH", False),
        ("a yes, not now", NOT_ACUTE, "MODERATE", False),
        ("a yes, item 5 not reached", NO | {"q_2": "true"}, "MODERATE", True),
        ("a refusal, item 5 not reached", NO | {"q_3": DECLINED}, "MODERATE", True),
        ("a refusal, and now", NO | {"q_3": DECLINED, "q_5": "true"}, "HIGH", False),
        ("a refusal, not now", NO | {"q_3": DECLINED, "q_5": "false"}, "MODERATE", False),
        ("one of four not reached", {"q_1": "false", "q_2": "false", "q_3": "false"}, "NOT_SCREENED", False),
        ("a yes although another was not reached", {"q_1": "true", "q_5": "true"}, "HIGH", False),
    ],
)  # fmt: skip
def test_the_level_of_a_suicide_screen(says: str, answers: dict[str, str], level: str, open_: bool) -> None:
    known = facts(filled("asq", **answers))
    assert (known["cssrs"], known["suicide_open"]) == (level, open_), says


def test_item_5_is_asked_after_a_refusal_and_not_before_any_answer() -> None:
    assert ("5", "") in filled("asq", **NO | {"q_3": DECLINED}).enabled
    assert ("5", "") not in filled("asq", **NO).enabled
    assert ("5", "") not in filled("asq").enabled


@pytest.mark.parametrize(
    ("says", "now", "before", "level"),
    [
        ("one answer of a new screen takes nothing back", {"q_1": "false"}, [ACUTE], "HIGH"),
        ("nor does an incomplete one below it", {"q_1": "true"}, [ACUTE], "HIGH"),
        ("a complete one counts", NO, [ACUTE], "NONE"),
        ("what is worse counts at once", ACUTE, [NO], "HIGH"),
        ("an open screen after a good one is open", {"q_1": "false"}, [NO], "NOT_SCREENED"),
        ("over several incomplete ones", {"q_1": "false"}, [{"q_2": "false"}, ACUTE, NO], "HIGH"),
        ("not beyond the last complete one", {"q_1": "false"}, [NOT_ACUTE, ACUTE], "MODERATE"),
    ],
)  # fmt: skip
def test_a_screen_that_is_not_complete_takes_nothing_back(says: str, now: Any, before: list[Any], level: str) -> None:
    known = facts(filled("asq", **now, earlier=tuple(filled("asq", **answers) for answers in before)))
    assert known["cssrs"] == level, says
    complete = len(now) >= 4
    assert known["suicide_open"] is (not complete and level != "NOT_SCREENED")


ITEM_9 = {"q_9": "LA6569-3"}
YESTERDAY = NOW - datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("says", "asked", "by_clinician", "answered", "severity"),
    [
        ("a clinician asked the same day", NOW, True, NOW, "HIGH"),
        ("a clinician asked the same day, submitted a day later", YESTERDAY, True, YESTERDAY, "HIGH"),
        ("asked the day before", YESTERDAY, True, NOW, "CRITICAL"),
        ("typed by the front desk", NOW, False, NOW, "CRITICAL"),
    ],
)
def test_item_9_is_critical_until_a_clinician_screened_the_same_day(
    says: str, asked: datetime.datetime, by_clinician: bool, answered: datetime.datetime, severity: str
) -> None:
    found = fired(filled("asq", at=asked, clinician=by_clinician, **NO), filled("phq9", at=answered, **ITEM_9))
    assert found["SF-04"] == severity, says


# Alcohol


@pytest.mark.parametrize(
    ("says", "answers", "low", "positive", "active"),
    [
        ("never ends it", {"q_1": NEVER}, 0, False, False),
        ("the first declined, the others already reach the cut-off", {"q_1": DECLINED, "q_2": TEN, "q_3": DAILY}, 8, True, True),
        ("the first declined, the others do not", {"q_1": DECLINED, "q_2": "LA15694-5", "q_3": NEVER}, 0, None, False),
        ("everything", {"q_1": OFTEN, "q_2": TEN, "q_3": DAILY}, 12, True, True),
    ],
)
def test_alcohol_is_known_as_far_as_the_answers_reach(
    says: str, answers: dict[str, str], low: int, positive: bool | None, active: bool | None
) -> None:
    known = facts(filled("auditc", **answers))
    assert (known["auditc_low"], known["auditc_positive"], known["alc_active"]) == (low, positive, active), says


# Kratom


def test_a_current_user_whose_products_nobody_wrote_down_may_use_anything() -> None:
    known = facts(filled("kuh", use_status="current", days_30="30"))
    assert (known["kuh_current"], known["kuh_oh7"], known["kuh_concentrate"], known["leaf_g_day"]) == (True, None, None, None)
    known = facts(filled("kuh", use_status="current"))
    assert (known["kuh_current"], known["kuh_oh7"], known["kuh_concentrate"]) == (None, None, None)
    known = facts(filled("kuh", use_status="past", days_30="0"))
    assert (known["kuh_oh7"], known["kuh_concentrate"], known["leaf_g_day"]) == (False, False, 0)


def test_hours_are_those_that_have_passed() -> None:
    """Two minutes short of twelve hours are not twelve hours."""
    last = NOW - datetime.timedelta(hours=11, minutes=58)
    known = facts(filled("kuh", use_status="current", days_30="30", last_use_datetime=f"{last:%Y-%m-%dT%H:%M}"))
    assert known["hours_since_last_use"] == Decimal("11.9")


LEAF = {"form": "leaf_powder", "doses_per_day": "4", "amount_per_dose": "5", "unit": "g"}


@pytest.mark.parametrize(("mixed", "rules"), [("tianeptine", {"IX-06"}), ("phenibut", {"IX-06"}), ("kava", {"IX-06", "IX-12"})])
def test_what_is_mixed_in_counts_as_what_the_formulary_says_it_is(mixed: str, rules: set[str]) -> None:
    kuh = filled("kuh", use_status="current", days_30="30", products=[LEAF], co_ingested=[mixed])
    found = result(kuh)
    assert rules <= {rule.rule_id for rule in found.interactions}
    assert "SF-06" in {rule.rule_id for rule in found.flags}
    proof = next(rule for rule in found.interactions if rule.rule_id == "IX-06").inputs
    assert any(f"{mixed}, taken with kratom" in shown.value for shown in proof)
    assert "IX-06" not in fired(filled("kuh", use_status="past", days_30="0", co_ingested=[mixed]))


# Medicines and other substances


def medicine(name: str, *classes: str) -> Filled:
    return filled("medicines", any_medicines="true", medicines=[{"name": name, "classes": list(classes)}])


def test_a_brand_brings_the_classes_of_its_medicine() -> None:
    seizures = filled("medhx", seizure_hx="true")
    assert fired(medicine("Wellbutrin XL 300", "no_class"), seizures)["IX-16"] == "CRITICAL"
    assert "IX-16" not in fired(medicine("Sertraline", "no_class"), seizures)


@pytest.mark.parametrize(("opioid", "severity"), [("tramadol", "CRITICAL"), ("tapentadol", "HIGH"), ("oxycodone", None)])
def test_an_opioid_that_was_taken_lowers_the_seizure_threshold_prescribed_or_not(opioid: str, severity: str | None) -> None:
    found = fired(filled("substances", opioid_30d=[opioid]), filled("medhx", seizure_hx="true"), filled("kuh", use_status="never"))
    assert found.get("IX-16") == severity


def test_rows_under_a_question_that_was_taken_back_do_not_count() -> None:
    form = filled("medicines", any_medicines="false", medicines=[{"name": "Tramadol", "classes": ["opioid"]}])
    known = facts(form)
    assert (known["any_meds"], known["medclass_opioid"], known["medicine_tramadol"]) == (False, False, False)


# History


@pytest.mark.parametrize(
    ("answers", "recent"),
    [
        ({"seizure_hx": "true", "seizure_last": "2026-11-20"}, True),
        ({"seizure_hx": "true", "seizure_last": "2026-11-16"}, True),
        ({"seizure_hx": "true", "seizure_last": "2026-11-15"}, False),
        ({"seizure_hx": "true", "seizure_last": "2026-11"}, None),
        ({"seizure_hx": "true"}, None),
        ({"seizure_hx": "true", "seizure_7d": "true", "seizure_last": "2020-01-01"}, True),
        ({"seizure_hx": "false"}, False),
    ],
)
def test_a_seizure_of_the_last_week_is_known_by_answer_or_date(answers: dict[str, str], recent: bool | None) -> None:
    assert facts(filled("medhx", **answers))["seizure_7d"] is recent


def test_a_response_of_the_first_release_that_held_the_observations_still_tells_them() -> None:
    """Vital signs stood in the medical history before they got a questionnaire of their own."""
    old = load({"resourceType": "Questionnaire", "name": "MEDHX", "item": [{"linkId": "spo2", "type": "integer", "text": "Oxygen"}]})
    answers = {("spo2", ""): parse_answer(old.by_id["spo2"], ["84"])}
    assert fired(Filled(old, answers, NOW))["SF-15"] == "CRITICAL"


@pytest.mark.parametrize(("age", "says"), [(17, True), (18, False)])
def test_a_minor_is_said_at_the_level(age: int, says: bool) -> None:
    notes = result(filled("kuh", use_status="current", days_30="3"), age=age).level.notes
    assert ("Adult rules, minor: an adolescent clinician decides." in notes) is says


def test_tolerance_and_withdrawal_are_counted_apart() -> None:
    (score,) = result(filled("sud11", q_1="Y", q_10="Y", q_11="Y")).as_json()["scores"]
    assert score["note"] == "Criteria 1 to 9: 1, tolerance and withdrawal: 2"
