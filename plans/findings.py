"""What the assessment found that a plan can answer: each becomes a problem with its source and its number to measure by."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from intake.rules import Fired

SEVERE = ("CRITICAL", "HIGH")


@dataclass(frozen=True)
class Finding:
    """One finding. measure and baseline fill a goal's first numbers; baseline None: nothing to count."""

    title: str
    source: str
    measure: str = ""
    baseline: Decimal | int | None = None


def findings(facts: Mapping[str, Any], scores: Sequence[Mapping[str, Any]], fired: Sequence[Fired]) -> tuple[Finding, ...]:
    """Critical flags and interactions first; then use disorder, mood, anxiety, alcohol and social findings; then what is high."""
    by_code = {score["code"]: score for score in scores}
    critical, high = ([_flagged(rule) for rule in fired if rule.severity == severity] for severity in ("CRITICAL", "HIGH"))
    return (*critical, *_scored(facts, by_code), *high)


def _flagged(rule: Fired) -> Finding:
    return Finding(rule.name, f"{rule.rule_id}, {rule.severity.lower()}")


def _scored(facts: Mapping[str, Any], scores: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    if _at_least(facts, "sud_count", 2):
        yield Finding(f"Kratom use disorder, {facts['sud_band']}", f"SUD-11: {scores['sud11']['text']}", *_use(facts))
    if _at_least(facts, "phq9_low", 10):
        yield Finding("Depressive symptoms", f"PHQ-9: {scores['phq9']['text']}", "PHQ-9 total", facts["phq9_low"])
    if _at_least(facts, "gad7_low", 10):
        yield Finding("Anxiety symptoms", f"GAD-7: {scores['gad7']['text']}", "GAD-7 total", facts["gad7_low"])
    if facts.get("auditc_positive") is True:
        yield Finding("Risky drinking", f"AUDIT-C: {scores['auditc']['text']}", "AUDIT-C total", facts["auditc_low"])
    if _at_least(facts, "sdoh_unmet", 1):
        yield Finding("Unmet social needs", f"Social needs: {facts['sdoh_unmet']} unmet", "Unmet social needs", facts["sdoh_unmet"])


def _use(facts: Mapping[str, Any]) -> tuple[str, Any]:
    """How the use is counted: grams of leaf, mg of 7-OH, or days, whatever is known."""
    if facts.get("leaf_g_day"):
        return "Leaf, g a day", facts["leaf_g_day"]
    if facts.get("oh7_mg_day"):
        return "7-OH, mg a day", facts["oh7_mg_day"]
    return "Days of use in 30", facts.get("days_30")


def _at_least(facts: Mapping[str, Any], name: str, least: int) -> bool:
    value = facts.get(name)
    return value is not None and value >= least
