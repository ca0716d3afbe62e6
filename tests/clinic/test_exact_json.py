"""Decimals survive JSON and the database exactly."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.exact_json import ExactDecoder, ExactEncoder

# NUL never gets in (clinic/cleaning.py): it marks a decimal on its way out.
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=3)


VALUES = st.recursive(
    DECIMALS | st.integers(-(2**53), 2**53) | TEXTS | st.booleans() | st.none(), lambda s: st.lists(s) | st.dictionaries(TEXTS, s)
)


@given(VALUES)
def test_what_is_written_is_read_again(value: object) -> None:
    text = json.dumps(value, cls=ExactEncoder)
    assert json.loads(text, cls=ExactDecoder) == value


def test_trailing_zeros_are_kept() -> None:
    assert json.dumps({"dose": Decimal("7.10")}, cls=ExactEncoder) == '{"dose": 7.10}'
    assert str(json.loads('{"dose": 7.10}', cls=ExactDecoder)["dose"]) == "7.10"


def test_what_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        json.dumps(Decimal("NaN"), cls=ExactEncoder)
