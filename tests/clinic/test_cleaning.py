"""One cleaning of text and JSON: what is let through can be stored, compared and printed; everything else is refused in a sentence."""

import json
import unicodedata
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clinic.cleaning import CONTROLS, MAX_DEPTH, MAX_INTEGER, MAX_NODES, REFUSED, Unclean, clean_text, entry, load_json, load_yaml
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


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u202d\u202e")).map(clean_text)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
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


# Content files, and what a request says in one word


def test_a_json_text_comes_in_its_one_form() -> None:
    assert load_json('{"e\\u0301": ["a\\r\\nb", {"x": "\\u0958"}]}') == {"é": ["a\nb", {"x": "\u0915\u093c"}]}
    with pytest.raises(Unclean, match="stands twice"):
        load_json('{"e\\u0301": 1, "\\u00e9": 2}')


@pytest.mark.parametrize("text", ["\x85", "\x9b31m", "10 \u202egm", "\u202d"])
def test_what_a_reader_would_see_otherwise_than_it_is_stored_is_refused(text: str) -> None:
    with pytest.raises(Unclean, match="cannot be stored"):
        clean_text(text)


BOMB = "\n".join(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in zip("abcdefgh", "bcdefghi", strict=True))
REFUSED_YAML = [
    ("a: 1\nb: 2\na: 3", "The key a stands twice"),
    ("x: {deep: 1, deep: 1}", "The key deep stands twice, in line 1"),
    ("a: .nan", "nan is not a number"),
    ("a: -.inf", "-inf is not a number"),
    ("a: \x01", "not YAML"),
    ('a: "\\x01"', "cannot be stored"),
    ('"a\\0": 1', "cannot be stored"),
    ("a: !!python/object/apply:os.system [x]", "could not determine a constructor"),
    ("[" * 100_000, "levels deep"),
    ("- " * 5000, "not YAML"),
    (f"a: &a [x]\n{BOMB}", "more than 20000 values"),
    (b"a: \xff", "not UTF-8"),
    ("a: [", "not YAML"),
]


@pytest.mark.parametrize(("text", "sentence"), REFUSED_YAML, ids=range(len(REFUSED_YAML)))
def test_a_content_file_that_is_refused(text: str | bytes, sentence: str) -> None:
    with pytest.raises(Unclean, match=sentence):
        load_yaml(text)


def test_a_content_file_may_share_a_part_and_change_it() -> None:
    assert load_yaml("a: &all {x: 1, y: e\u0301}\nb: {<<: *all, x: 2}") == {"a": {"x": 1, "y": "é"}, "b": {"x": 2, "y": "é"}}


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, ""), ({"next": ""}, ""), ({"next": "e\u0301"}, "é"), ({"next": "a\0"}, REFUSED), ({"next": "x" * 501}, REFUSED),
        ({"next": ["x"]}, ""),
    ],
)
def test_one_word_of_a_request(sent: dict[str, Any], said: str) -> None:
    assert entry(sent, "next") == said
