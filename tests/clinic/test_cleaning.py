"""One cleaning of text and JSON: what is let through can be stored, compared and printed; everything else is refused in a sentence."""

import json
import unicodedata
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clinic.cleaning import CONTROLS, MAX_DEPTH, MAX_INTEGER, MAX_NODES, Unclean, clean_text, load_json
from clinic.forms import FirstVisitForm, PatientForm, RegistrationForm, SearchForm
from clinic.models import Patient
from tests.clinic.test_pages import REGISTRATION, client_of
from tests.people import House, make_house

TRAPS = "\0\x01\x08\x7f\r\n\t\u2028\ud800\udfff\u0958\u0344\ufb1d\u202eé"
HOSTILE = st.text(st.characters(codec=None, categories=None) | st.sampled_from(TRAPS))


@pytest.fixture
def house(db: None) -> House:
    return make_house()


@given(HOSTILE)
@example("\0")
@example("\ud83d")
@example("e\u0301\r\nx\r")
def test_a_text_is_storable_and_in_one_form_or_refused(text: str) -> None:
    if CONTROLS.search(text) or any("\ud800" <= char <= "\udfff" for char in text):
        with pytest.raises(Unclean, match=r"\.$"):
            clean_text(text)
        return
    cleaned = clean_text(text)
    cleaned.encode()
    assert unicodedata.is_normalized("NFC", cleaned)
    assert "\r" not in cleaned and "\0" not in cleaned
    assert clean_text(cleaned) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"), [("e\u0301", "é"), ("a\r\nb\rc", "a\nb\nc"), ("\ttab", "\ttab"), ("\u0958", "\u0915\u093c"), ("", "")]
)
def test_what_is_changed(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


def test_length_is_measured_in_the_form_that_is_stored() -> None:
    assert clean_text("e\u0301" * 5, max_length=5) == "é" * 5
    with pytest.raises(Unclean, match="10 characters long; 9 are possible"):
        clean_text("\u0958" * 5, max_length=9)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs", "Cc"])), inner),
)


@given(JSON)
def test_plain_json_is_read_as_it_is(value: Any) -> None:
    assert load_json(json.dumps(value)) == value


@given(st.binary() | HOSTILE)
def test_anything_else_is_read_or_refused(data: bytes | str) -> None:
    with suppress(Unclean):
        load_json(data)


REFUSED_JSON = [
    ('"\\u0000"', "cannot be stored"),
    ('{"a\\u0000": 1}', "cannot be stored"),
    ('"\\ud800"', "half of a character"),
    ("NaN", "NaN is not a number"),
    ("[-Infinity]", "not a number"),
    ('{"a": 1, "a": 2}', "stands twice"),
    ('{"a": {"b": 1, "b": 1}}', "stands twice"),
    ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "levels deep"),
    ("[" * 100_000, "levels deep"),
    ('{"a":' * 100_000, "levels deep"),
    (json.dumps([0] * MAX_NODES), "more than"),
    (str(2**53 + 1), "too large"),
    ("9" * 10_000, "too large"),
    ("-" + "9" * 20, "too large"),
    (b"\xff", "not UTF-8"),
    ("", "not JSON"),
    ("{", "not JSON"),
    ("\ufeff{}", "not JSON"),
]


@pytest.mark.parametrize(("text", "sentence"), REFUSED_JSON, ids=range(len(REFUSED_JSON)))
def test_json_that_is_refused(text: str | bytes, sentence: str) -> None:
    with pytest.raises(Unclean, match=sentence):
        load_json(text)


def test_what_is_just_allowed() -> None:
    assert load_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert load_json(json.dumps([0] * (MAX_NODES - 1)))
    assert load_json(f"[{MAX_INTEGER}, 7.10]") == [MAX_INTEGER, Decimal("7.10")]
    assert load_json('"[[[[ \\" {{{{"') == '[[[[ " {{{{'


# Every form of the ground floor cleans


@pytest.mark.parametrize("char", ["\x01", "\0", "\x7f", "\x1b"])
def test_no_text_field_takes_a_control_character(house: House, char: str) -> None:
    forms = {
        RegistrationForm: {"user": house.staff["intake"]}, PatientForm: {}, SearchForm: {}, FirstVisitForm: {},
    }  # fmt: skip
    for kind, arguments in forms.items():
        texts = [name for name, field in kind(**arguments).fields.items() if type(field).__name__ in {"CharField", "EmailField"}]
        form = kind(dict.fromkeys(texts, f"a{char}b"), **arguments)
        for name in set(texts) - {"password", "password_again"}:
            assert "cannot be stored" in str(form.errors[name]), (kind, name)


def test_a_name_is_stored_in_one_form_and_never_too_long_for_its_column(house: House) -> None:
    client = client_of(house.staff["intake"])
    form = {**REGISTRATION, "program": str(house.program.pk), "key": "b5ae2b79-4f0f-4f6e-8d2c-04f1b51e5a55"}
    long = client.post("/patients/register/", form | {"legal_first_name": "\u0958" * 80})
    assert long.status_code == 422
    assert client.post("/patients/register/", form | {"legal_first_name": "Rene\u0301e"}).status_code == 302
    assert Patient.objects.get(legal_last_name="Rivera").legal_first_name == "Renée"
