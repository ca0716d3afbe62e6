"""Facts of sleep, mood and thinking, mania and psychosis: each known as soon as the answers given decide it (2.12, 2.17, 2.18)."""

from decimal import Decimal

from intake.facts.reading import Filled, both, either

CMD = {  # fact: its items, and from how many points of one of them on
    "cmd_mood": (("1", "2"), 2),
    "cmd_cognitive": (("3", "4"), 2),
    "cmd_detachment": (("5", "6"), 2),
    "cmd_social": (("7", "8"), 2),
    "cmd_panic": (("9",), 1),
    "cmd_stress": (("10",), 2),
}


def sleep_facts(filled: Filled | None) -> dict[str, object]:
    """Insomnia: 3 nights a week or more with an effect on the day; chronic: for 3 months or longer."""
    if filled is None:
        return {}
    effect = filled.points("day_effect")
    duration = filled.code("duration")
    insomnia = both(either(_from(filled.number("n_onset"), 3), _from(filled.number("n_wake"), 3)), _from(effect, 1))
    return {
        "slp_insomnia": insomnia,
        "slp_chronic": both(insomnia, None if duration is None else duration == "ge_3mo"),
        "slp_dreams": _from(filled.number("n_dream"), 3),
        "slp_apnea": filled.yes("apnea"),
        "slp_day_effect": effect,
    }


def mind_facts(filled: Filled | None) -> dict[str, object]:
    """The six signs of the thinking, mood and connection check."""
    if filled is None:
        return {}
    return {fact: either(*(_from(filled.points(item), limit) for item in items)) for fact, (items, limit) in CMD.items()} | {
        "cmd_4": filled.points("4"),
    }  # fmt: skip


def mania_and_psychosis_facts(filled: Filled | None) -> dict[str, object]:
    if filled is None:
        return {}
    return {"bps_any": either(*(filled.yes(item) for item in "123")), "bps_3": filled.yes("3")}


def _from(value: int | Decimal | None, limit: int) -> bool | None:
    return None if value is None else value >= limit
