"""Facts of the kratom use history (2.2): products count only while they are used, and extracts are never grams of leaf."""

import datetime
from collections.abc import Iterable
from decimal import Decimal

from intake.facts.reading import Filled, both, hours_since
from intake.parameters import Parameters

LEAF = frozenset({"leaf_powder", "capsule", "tea"})
OH7 = frozenset({"7oh_tablet", "7oh_other", "mp_mgm"})
UNKNOWN = "unknown"  # a product nobody can name: neither leaf nor concentrate, its amount unknown

Amount = int | Decimal | None


def facts(filled: Filled, parameters: Parameters, at: datetime.datetime) -> dict[str, object]:
    """Use, amounts a day and time since the last dose. Limits of the leaf bands: Weiss and Douglas 2021."""
    status = filled.code("use_status")
    days = 0 if status == "never" else filled.number("days_30")
    current = None if days is None else days > 0
    months = filled.number("remission_months")
    known: dict[str, object] = {
        "days_30": days,
        "kuh_current": current,
        "kuh_daily": None if days is None else days >= parameters.number("kuh_daily_days"),
        "quit_attempts_12m": 0 if status == "never" else filled.number("quit_attempts_12m"),
        "failed_treatment_12m": 0 if status == "never" else filled.number("failed_treatment_12m"),
        "hours_since_last_use": hours_since(filled.value("last_use_datetime"), at),
        "sustained_remission": False if months is None else months >= parameters.number("sustained_remission_months"),
    }
    return known | _products(filled, current)


def _products(filled: Filled, current: bool | None) -> dict[str, object]:
    if current is False:
        return {
            "kuh_oh7": False, "kuh_concentrate": False, "leaf_g_day": 0, "leaf_g_day_known": 0, "leaf_band": None, "oh7_mg_day": 0,
            "doses_per_day": 0,
        }  # fmt: skip
    rows = list(filled.rows("products"))
    forms = [filled.code("products.form", row) for row in rows]
    doses = [filled.number("products.doses_per_day", row) for row in rows]
    concentrate = _has(forms, lambda form: form not in LEAF and form != UNKNOWN) if rows else None
    oh7 = _has(forms, lambda form: form in OH7) if rows else None
    if current is None:
        return {"kuh_oh7": both(current, oh7), "kuh_concentrate": both(current, concentrate)}
    leaf = [_grams(filled, row) for row, form in zip(rows, forms, strict=True) if form in LEAF or form in (UNKNOWN, None)]
    milligrams = [_milligrams(filled, row) for row, form in zip(rows, forms, strict=True) if form in OH7]
    grams = _sum(leaf) if rows else None
    return {
        "kuh_oh7": oh7,
        "kuh_concentrate": concentrate,
        "leaf_g_day": grams,
        "leaf_g_day_known": sum((amount for amount in leaf if amount is not None), start=Decimal(0)),
        "leaf_band": None if grams is None else _band(grams),
        "oh7_mg_day": _sum(milligrams) if rows else None,
        "doses_per_day": _sum(doses) if rows else None,
    }


def _has(forms: Iterable[str | None], wanted: object) -> bool | None:
    """Whether one of the products is of the wanted kind; unknown while the kind of another is not said."""
    found = [None if form is None else wanted(form) for form in forms]  # type: ignore[operator]
    return True if True in found else None if None in found else False


def _grams(filled: Filled, row: str) -> Amount:
    """Grams of leaf a day from one row; None when the kind, the doses, the amount or the unit does not tell."""
    if filled.code("products.form", row) not in LEAF or filled.code("products.unit", row) != "g":
        return None
    return _daily(filled, row)


def _milligrams(filled: Filled, row: str) -> Amount:
    """mg of 7-OH a day from one row; a row that is not in mg of 7-OH adds nothing (2.2)."""
    return _daily(filled, row) if filled.code("products.unit", row) == "mg_7oh" else 0


def _daily(filled: Filled, row: str) -> Amount:
    doses, amount = filled.number("products.doses_per_day", row), filled.number("products.amount_per_dose", row)
    return None if doses is None or amount is None else doses * amount


def _sum(amounts: Iterable[Amount]) -> Amount:
    known = list(amounts)
    return None if None in known else sum((amount for amount in known if amount is not None), start=Decimal(0))


def _band(grams: int | Decimal) -> str | None:
    if grams == 0:
        return None
    return "<20" if grams < 20 else "20-40" if grams <= 40 else ">40"
