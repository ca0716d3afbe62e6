"""The six people through the forms, C-SSRS and DAST-10 with their gates open: saved, submitted, planned, and exactly as expected."""

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from clinic.models import Episode
from clinic.transaction import acting
from intake import actions
from intake.models import Assessment, Flag, Instrument, Score
from intake.packet import instruments
from plans import tree
from plans.cases import DECLINED, Case, read_case
from plans.components import read
from plans.models import Plan
from plans.people import people
from tests.intake.test_actions import submit
from tests.intake.test_gated import GATED, active, open_gate
from tests.people import House, make_episode, make_house
from tests.plans.test_actions import begin

SIX: Mapping[str, Any] = read("vignettes.yaml")["people"]
OF_SCORE = {"sud": "sud11"}  # its name in the file: the questionnaire's code
BY_FACT = {
    **{("slp", name): f"slp_{name}" for name in ("insomnia", "chronic", "dreams", "apnea")},
    **{("cmd", name): f"cmd_{name}" for name in ("mood", "cognitive", "detachment", "social", "panic", "stress")},
    ("suicide", "level"): "cssrs", ("sdoh", "unmet"): "sdoh_unmet", ("phq9", "item9"): "phq9_item9",
}  # fmt: skip
KRATOM = {"leaf_g_day": "leaf_g_day", "leaf_band": "leaf_band", "oh7_mg_day": "oh7_mg_day", "daily": "kuh_daily"}


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def answered(house: House, code: str) -> tuple[Episode, Case]:
    """Everything the case says, as a nurse saves it; what no form of the case says (vital signs, a date) as the demo's people do."""
    given = SIX[code]["given"]
    case = read_case(given, timezone.localtime(), {})
    born = timezone.localdate() - datetime.timedelta(days=365 * given["age"] + 200)
    house.program.duty_team.add(house.staff["nurse"], house.staff["prescriber"])
    episode = make_episode(house.staff["intake"], house.program, birth_date=born, sex_at_birth=given["sex"])
    house.program.packet = [name for name in instruments() if name in case.packet]
    house.program.save()
    assert set(GATED) <= case.packet and "asq" not in case.packet
    said_otherwise = people()[code]
    for name in house.program.packet:
        besides = said_otherwise.filled(name, case.at) if name in said_otherwise.answers else {}
        nurse = house.staff["nurse"]
        with acting(nurse, "intake.edit"):
            actions.save_answers(
                by=nurse, episode=episode, instrument=Instrument.objects.get(code=name, active=True),
                answers=besides | case.answers.get(name, {}), versions={}, basis=actions.basis_of(episode, name, None),
            )  # fmt: skip
    return episode, case


def number(value: object) -> object:
    return Decimal(str(value)) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value


def scored(assessment: Assessment, name: str, part: str) -> object:
    """One cell of the file's scores, from what the assessment has kept."""
    facts = assessment.facts
    if (name, part) in BY_FACT:
        return facts[BY_FACT[name, part]]
    if name == "phq2":
        items = {item["linkId"]: item for group in assessment.responses["phq9"]["item"] for item in group.get("item", [group])}
        weights = {option.value.code: option.weight for option in active("phq9").questionnaire.by_id["1"].options}  # type: ignore[union-attr]
        return sum(weights[items[link]["answer"][0]["valueCoding"]["code"]] or 0 for link in "12")
    row = Score.objects.get(assessment=assessment, code=OF_SCORE.get(name, name))
    if name == "bam":
        return row.detail["subscores"][part]
    if part in ("prorated", "positive"):
        return row.detail[part]
    return {"value": row.total, "band": row.band or None, "low": row.low, "high": row.high}[part]


@pytest.mark.thorough
@pytest.mark.parametrize("code", SIX)
def test_the_six_through_the_forms_give_exactly_what_is_expected(house: House, code: str) -> None:
    open_gate(house.staff["supervisor"])
    episode, _ = answered(house, code)
    expected = SIX[code]["expected"]
    submit(house.staff["nurse"], episode)
    assessment = Assessment.objects.get(episode=episode)
    assert {name: number(assessment.facts[fact]) for name, fact in KRATOM.items()} == {
        name: number(value) for name, value in expected["kratom"].items()
    }
    found = {(name, part): number(scored(assessment, name, part)) for name, parts in expected["scores"].items() for part in parts}
    assert found == {(name, part): number(value) for name, parts in expected["scores"].items() for part, value in parts.items()}
    assert DECLINED not in str(expected["scores"])
    with acting(house.staff["prescriber"], "plan.edit"):
        plan: Plan = begin_for(house, episode, assessment)
        raised = [*Flag.objects.filter(episode=episode).standing().values_list("rule_id", flat=True)]
        raised += [rule.rule_id for rule in tree.cautions(plan)]
        suggested = sorted(plan.components.values_list("component_id", flat=True))
    assert sorted(rule for rule in raised if rule.startswith("SF")) == expected["flags"]
    assert sorted(rule for rule in raised if rule.startswith("IX")) == expected["interactions"]
    assert {need["id"]: need["rating"] for need in assessment.result["needs"]} == expected["needs"]
    level = assessment.result["level"]
    assert {
        "suggested": level["level"], "rule": level["rule"], "addons": list(level["addons"]), "provisional": assessment.provisional,
    } == expected["level"]  # fmt: skip
    assert suggested == expected["components"]


def begin_for(house: House, episode: Episode, assessment: Assessment) -> Plan:
    house.mine = episode
    return begin(house.staff["prescriber"], house, assessment)
