"""The six invented people of the demo, questionnaires to suggestions, against the clinical content specification (section 7).

Their C-SSRS and DAST-10 need a permission, so the demo asks the ASQ: where that gives another result the row says so. Everything of
section 7, C-SSRS and DAST-10 too, is in test_cases.py.
"""

import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from intake.content_files import questionnaire
from intake.evaluation import Evaluated, Filled, Person, Settings, evaluate_episode
from intake.facts.symptoms import CMD
from intake.packet import packet
from plans.people import people
from plans.suggest import Suggested, suggest

AT = datetime.datetime(2026, 11, 23, 10, 0, tzinfo=ZoneInfo("America/New_York"))

EXPECTED: dict[str, dict[str, Any]] = yaml.safe_load("""
V1:  # Maya, low-risk user
  scores:
    {auditc: "2, negative", bam: "use 2 (stands out), risk 3, protective 16, satisfaction 3", cows: "1, none/minimal", dwc: "1",
    gad7: "4, minimal", pcptsd5: "0, negative", peg: "0.3, mild", phq9: "3, minimal", sud11: "1, none"}
  facts: {leaf_g_day: 4, leaf_band: "<20", oh7_mg_day: 0, kuh_daily: false, cssrs: "NONE", phq9_item9: 0, sdoh_unmet: 0}
  signs: []
  flags: {}
  interactions: {}
  needs: [0, 0, 0, 0, 0]
  level: ["0.5", L15]
  addons: []
  components: >-
    EDU-01 BI-01

V2:  # Jordan, high-dose 7-OH tablets
  scores:
    {auditc: "1, negative", bam: "use 1 (stands out), risk 21 (stands out), protective 12 (stands out), satisfaction 1", cows:
    "17, moderate", dwc: "36", gad7: "16, severe", pcptsd5: "0, negative", peg: "2.3, mild", phq9: "14, moderate", sud11: "9,
    severe"}
  facts: {leaf_g_day: 0, leaf_band: null, oh7_mg_day: 240, kuh_daily: true, cssrs: "NONE", phq9_item9: 0, sdoh_unmet: 1}
  signs: [slp_insomnia, slp_chronic, slp_dreams, cmd_mood, cmd_cognitive, cmd_social, cmd_panic, cmd_stress]
  flags: {SF-06: HIGH}
  interactions: {IX-15: HIGH, IX-21: HIGH}
  needs: [2, 0, 2, 3, 1]
  level: ["2.7", L8]
  addons: [CO_OCCURRING_ENHANCED]
  components: >-
    EDU-01 DTX-02 DTX-04 DTX-05 CBT-01 CBT-02 CBT-03 CBT-04 CBT-05 CBT-06 OTH-01 OTH-02 OTH-03 OTH-06 PEER-01 PEER-02
    MED-01 MED-03 MED-04 MED-05 CMP-01 CMP-02 CMP-03 CMP-04 CMP-05 SOC-01 SOC-02 AFT-01 AFT-02 AFT-03

V3:  # Elena, 24 weeks pregnant
  scores:
    {auditc: "0, negative", bam: "use 0, risk 10, protective 14, satisfaction 2", cows: "9, mild", dwc: "18", gad7: "12,
    moderate", pcptsd5: "1, negative", peg: "2, mild", phq9: "11, moderate", sud11: "6, severe"}
  facts: {leaf_g_day: 25, leaf_band: "20-40", oh7_mg_day: 0, kuh_daily: true, cssrs: "NONE", phq9_item9: 0, sdoh_unmet: 1}
  signs: [slp_insomnia, cmd_stress]
  flags: {SF-07: HIGH}
  interactions: {IX-15: HIGH, IX-17: HIGH}
  needs: [2, 2, 1, 2, 1]
  level: ["2.1", L10]
  addons: [MEDICAL_MANAGEMENT_ADDON, OBSTETRIC_COMANAGEMENT]
  components: >-
    EDU-01 DTX-04 DTX-05 CBT-01 CBT-02 CBT-03 CBT-04 CBT-05 OTH-01 OTH-02 OTH-06 PEER-01 PEER-02 MED-01 MED-04 MED-05
    OB-01 CMP-01 CMP-02 CMP-03 CMP-04 CMP-05 SOC-01 AFT-01 AFT-02 AFT-03

V4:  # Marcus, suicidal with plan and intent; the ASQ takes the place of the C-SSRS: acute positive is HIGH as well
  scores:
    {auditc: "4, positive", bam: "use 3 (stands out), risk 18 (stands out), protective 4 (stands out), satisfaction 0", cows: "5,
    mild", dwc: "11", gad7: "16, severe", pcptsd5: "0, negative", peg: "3.3, mild", phq9: "24, severe", sud11: "8, severe"}
  facts: {leaf_g_day: 45, leaf_band: ">40", oh7_mg_day: 0, kuh_daily: true, cssrs: "HIGH", phq9_item9: 3, sdoh_unmet: 2}
  signs: [slp_insomnia, slp_dreams, cmd_mood, cmd_cognitive, cmd_detachment, cmd_social, cmd_panic, cmd_stress]
  flags: {SF-01: CRITICAL, SF-04: HIGH, SF-06: HIGH}
  interactions: {IX-04: HIGH, IX-15: HIGH}
  needs: [2, 0, 4, 2, 2]
  level: ["4", L1]
  addons: []
  components: >-
    SAF-02 SAF-01 SAF-03 EDU-01 DTX-03 DTX-04 DTX-05 CBT-01 CBT-02 CBT-03 CBT-04 CBT-05 OTH-01 OTH-02 OTH-03 OTH-05
    PEER-01 PEER-02 MED-01 MED-03 MED-04 MED-05 MED-07 CMP-01 CMP-02 CMP-03 CMP-04 CMP-05 SOC-01 SOC-02 AFT-01 AFT-02
    AFT-03

V5:  # Denise, chronic pain, gabapentin and acetaminophen
  scores:
    {auditc: "1, negative", bam: "use 1 (stands out), risk 12 (stands out), protective 13, satisfaction 2", cows: "4,
    none/minimal", dwc: "8", gad7: "8, mild", pcptsd5: "0, negative", peg: "7.3, severe", phq9: "13, moderate", sud11: "5,
    moderate"}
  facts: {leaf_g_day: 32, leaf_band: "20-40", oh7_mg_day: 0, kuh_daily: true, cssrs: "NONE", phq9_item9: 0, sdoh_unmet: 0}
  signs: [slp_insomnia, slp_chronic, cmd_cognitive]
  flags: {SF-06: HIGH, SF-10: HIGH}
  interactions: {IX-05: HIGH, IX-12: HIGH, IX-18: MODERATE}
  needs: [1, 2, 1, 2, 0]
  level: ["1.7", L10]
  addons: []
  components: >-
    EDU-01 DTX-01 DTX-02 DTX-05 CBT-01 CBT-02 CBT-03 CBT-04 CBT-05 OTH-01 OTH-06 PEER-01 PEER-02 MED-01 MED-03 MED-04
    MED-05 PAIN-01 CMP-01 CMP-02 CMP-03 CMP-04 CMP-05 AFT-01 AFT-02 AFT-03

V6:  # Rob, benzodiazepine, opioid and kratom. The C-SSRS would be LOW; the ASQ has no LOW: a yes to 1 with 5 no is MODERATE,
     # so SF-02 stands for SF-03
  scores:
    {auditc: "4, positive", bam: "use 7 (stands out), risk 22 (stands out), protective 3 (stands out), satisfaction 1", cows:
    "11, mild", dwc: "27", gad7: "17, severe", pcptsd5: "4, positive", peg: "4.7, moderate", phq9: "17, moderately severe",
    sud11: "9, severe"}
  facts: {leaf_g_day: 0, leaf_band: null, oh7_mg_day: 0, kuh_daily: true, cssrs: "MODERATE", phq9_item9: 1, sdoh_unmet: 3}
  signs: [slp_insomnia, slp_chronic, slp_dreams, slp_apnea, cmd_mood, cmd_cognitive, cmd_detachment, cmd_social, cmd_panic, cmd_stress]
  flags: {SF-02: CRITICAL, SF-04: HIGH, SF-06: HIGH, SF-16: HIGH}
  interactions: {IX-01: CRITICAL, IX-02: CRITICAL, IX-03: CRITICAL, IX-04: HIGH, IX-10: HIGH, IX-15: HIGH}
  needs: [3, 1, 2, 4, 3]
  level: ["3.7", L3]
  addons: [CO_OCCURRING_ENHANCED]
  components: >-
    SAF-01 SAF-03 EDU-01 DTX-03 DTX-04 DTX-05 DTX-06 CBT-01 CBT-02 CBT-03 CBT-04 CBT-05 CBT-06 OTH-01 OTH-02 OTH-03
    OTH-04 OTH-05 PEER-01 PEER-02 MED-01 MED-02 MED-03 MED-04 MED-05 MED-07 PAIN-01 CMP-01 CMP-02 CMP-03 CMP-04 CMP-05
    SOC-01 SOC-02 AFT-01 AFT-02 AFT-03
""")


SIGNS = [*(f"slp_{name}" for name in ("insomnia", "chronic", "dreams", "apnea")), *CMD]


def evaluated(code: str, without: str = "") -> Evaluated:
    """Everything about one of the six, with every questionnaire but the one left out answered at AT, to a clinician."""
    invented = people()[code]
    forms = {
        form: Filled(questionnaire(form), invented.filled(form, AT), AT, by_clinicians=True)
        for form in invented.answers
        if form != without
    }
    person = Person(age=invented.person["age"], sex=invented.person["sex"])
    return evaluate_episode(person, forms, Settings(packet=tuple(packet())), AT)


def suggested(result: Evaluated) -> Suggested:
    return suggest(result.facts, [*result.flags, *result.interactions])


@pytest.fixture(params=EXPECTED)
def case(request: pytest.FixtureRequest) -> tuple[Evaluated, dict[str, Any]]:
    return evaluated(request.param), EXPECTED[request.param]


Case = tuple[Evaluated, dict[str, Any]]


def test_the_six_are_the_people_of_the_demo_and_answer_every_questionnaire() -> None:
    assert set(people()) == set(EXPECTED)
    for invented in people().values():
        assert list(invented.answers) == list(packet())


def test_every_score_and_its_band(case: Case) -> None:
    result, expected = case
    assert {code: score.text for code, score in result.scores.items()} == expected["scores"]


def test_amounts_suicide_screen_and_social_needs(case: Case) -> None:
    result, expected = case
    assert {name: result.facts[name] for name in expected["facts"]} == expected["facts"]


def test_sleep_mood_and_thinking(case: Case) -> None:
    result, expected = case
    assert [name for name in SIGNS if result.facts[name]] == expected["signs"]
    assert all(result.facts[name] is not None for name in SIGNS)


def test_safety_flags_with_their_severity(case: Case) -> None:
    result, expected = case
    assert {rule.rule_id: rule.severity for rule in result.flags} == expected["flags"]


def test_interactions_with_their_severity(case: Case) -> None:
    result, expected = case
    fired = [*result.interactions, *suggested(result).plan_rules]
    assert {rule.rule_id: rule.severity for rule in fired} == expected["interactions"]


def test_needs_level_and_the_rule_that_gave_it(case: Case) -> None:
    result, expected = case
    assert [need.rating for need in result.needs.values()] == expected["needs"]
    assert [result.level.level, result.level.rule] == expected["level"]
    assert list(result.level.addons) == expected["addons"]
    assert not result.level.provisional


def test_suggested_components(case: Case) -> None:
    result, expected = case
    assert [row.component.id for row in suggested(result).suggestions] == expected["components"].split()
