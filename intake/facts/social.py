"""Facts of social needs, strengths and readiness (2.14, 2.19)."""

from intake.facts.reading import Filled

NEEDS = ("food", "utilities", "income", "transport", "communication", "childcare", "legal", "unsafe")


def social_facts(filled: Filled | None) -> dict[str, object]:
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


def strength_facts(filled: Filled | None) -> dict[str, object]:
    if filled is None:
        return {}
    rulers = [value for name in ("importance", "confidence", "readiness") if (value := filled.number(name)) is not None]
    facts: dict[str, object] = {name: filled.yes(name) for name in ("support_person", "household_use", "family_ok")}
    facts["ruler_min"] = min(rulers) if rulers else None
    return facts
