"""Kratom in its own terms, from the facts of an assessment."""

from decimal import Decimal

import pytest

from intake.summary import kratom_lines

CURRENT = {
    "days_30": 30, "kuh_current": True, "kuh_daily": True, "doses_per_day": Decimal("4"), "leaf_g_day": Decimal("32.0"),
    "leaf_g_day_known": Decimal("32.0"), "leaf_band": "20-40", "kuh_oh7": False, "oh7_mg_day": 0, "kuh_concentrate": False,
    "hours_since_last_use": Decimal("4.5"),
}  # fmt: skip
OH7 = {"leaf_g_day": 0, "leaf_g_day_known": 0, "leaf_band": None, "kuh_oh7": True, "oh7_mg_day": 240, "kuh_concentrate": True}


@pytest.mark.parametrize(
    ("says", "change", "label", "words"),
    [
        ("every day", {}, "Use", "daily, on 30 of the last 30 days"),
        ("now and then", {"days_30": 8, "kuh_daily": False}, "Use", "on 8 of the last 30 days"),
        ("days not said", {"days_30": None, "kuh_daily": None}, "Use", "not known yet"),
        ("doses come first", {}, "Doses", "4 a day"),
        ("doses not said", {"doses_per_day": None}, "Doses", "not known yet"),
        ("leaf with its band", {}, "Leaf", "32 g a day (band 20-40 g)"),
        ("one product cannot be weighed", {"leaf_g_day": None, "leaf_band": None, "leaf_g_day_known": Decimal("10.5")}, "Leaf",
         "at least 10.5 g a day, the rest not known yet"),
        ("no leaf", OH7, "Leaf", "none"),
        ("7-OH in its own milligrams", OH7, "7-OH, MP or MGM", "240 mg a day"),
        ("7-OH without an amount", OH7 | {"oh7_mg_day": None}, "7-OH, MP or MGM", "yes, the amount is not known"),
        ("7-OH not known", {"kuh_oh7": None}, "7-OH, MP or MGM", "not known yet"),
        ("an extract", {"kuh_concentrate": True}, "Extract, shot or tonic", "yes; it has no equivalent in leaf"),
        ("when last", {}, "Last dose", "4.5 h before the assessment"),
    ],
)  # fmt: skip
def test_kratom_is_said_in_its_own_terms(says: str, change: dict[str, object], label: str, words: str) -> None:
    assert dict(kratom_lines(CURRENT | change))[label] == words, says


def test_7_oh_is_never_said_in_grams_of_leaf() -> None:
    assert not [words for _, words in kratom_lines(CURRENT | OH7) if " g " in words]


def test_whoever_takes_none_has_no_amounts() -> None:
    assert list(kratom_lines(CURRENT | {"days_30": 0, "kuh_current": False, "kuh_daily": False})) == [("Use", "none in the last 30 days")]


def test_nobody_asked_so_nothing_is_said() -> None:
    assert list(kratom_lines({})) == []
