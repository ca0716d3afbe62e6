"""The signed document: the same plan has the same bytes, and nothing can be changed unseen."""

import datetime
import json
import uuid
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plans.document import BOUND, FIRST, REQUIRED, SCHEMA, SCHEMAS, DocumentError, build, canonical, load, sha256, signature_hash, verify
from tests.plans.documents import SIGNED_AT, first_plan, plan

text = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | text
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9)
    | st.dates()
)
plain = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef", max_size=4), inner, max_size=4), max_leaves=12
)


@given(plain)
def test_canonical_form_is_a_fixed_point(value):
    once = canonical(value)
    assert canonical(load(once)) == once


@given(st.dictionaries(st.text("abcdef", max_size=4), leaves, max_size=6))
def test_the_order_of_keys_does_not_matter(value):
    assert canonical(dict(reversed(value.items()))) == canonical(value)


@given(plain, st.data())
def test_one_changed_byte_is_seen(value, data):
    document = canonical(value)
    index = data.draw(st.integers(0, len(document) - 1))
    changed = document[:index] + bytes([document[index] ^ 1]) + document[index + 1 :]
    assert verify(document, sha256(document))
    assert not verify(changed, sha256(document))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("13.00"), '"13"'),
        (Decimal("7.30"), '"7.3"'),
        (Decimal("-0.0"), '"0"'),
        (Decimal("1E+2"), '"100"'),
        ("e\u0301", '"\u00e9"'),
        (datetime.date(2026, 11, 23), '"2026-11-23"'),
        (datetime.datetime(2026, 11, 23, 15, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=-6))), '"2026-11-23T21:30:00Z"'),
        (uuid.UUID(int=0), '"00000000-0000-0000-0000-000000000000"'),
        ({"b": 1, "a": (True, None)}, '{"a":[true,null],"b":1}'),
    ],
)
def test_how_values_are_written(value, written):
    assert canonical(value).decode() == written


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"score": 0.1}, r"\$\.score: float"),
        ([Decimal("NaN")], r"\$\[0\]: NaN"),
        (datetime.datetime(2026, 11, 23, 15, 30), "without a time zone"),
        ({1: "a"}, "key 1 is not a text"),
        ({"\u00e9": 1, "e\u0301": 2}, "stands twice"),
        ("\ud800", "not a Unicode text"),
        ({"a": {1, 2}}, "set"),
        (b"bytes", "bytes"),
    ],
)
def test_what_cannot_be_written_exactly_is_refused(value, says):
    with pytest.raises(DocumentError, match=says):
        canonical(value)


@pytest.mark.parametrize("document", [b'{"a":1.5}', b'{"a":1,"a":2}', b'{"b":1,"a":2}', b'{"a": 1}', b"not json", b"\xff"])
def test_a_document_that_is_not_canonical_does_not_verify_even_under_its_own_hash(document):
    assert not verify(document, sha256(document))


def test_a_plan_carries_its_schema_and_every_part():
    document = load(build(plan()))
    assert document["schema"] == SCHEMA
    assert set(REQUIRED) < set(document)
    assert build(document) == build(plan())


@pytest.mark.parametrize("part", REQUIRED)
def test_a_plan_without_a_part_is_refused(part):
    with pytest.raises(DocumentError, match=part):
        build({key: value for key, value in plan().items() if key != part})


def test_another_schema_is_refused():
    with pytest.raises(DocumentError, match="steady-plan/9"):
        build(plan(schema="steady-plan/9"))


def test_the_bytes_are_plain_json():
    assert json.loads(build(plan()))["problems"][0]["goals"][0]["baseline"] == "32"


def test_what_was_signed_under_the_first_schema_keeps_its_bytes_and_verifies():
    written = build(first_plan())
    assert load(written)["schema"] == FIRST and set(SCHEMAS[FIRST]) == set(REQUIRED) - {"ids", "supersedes", "certifier"}
    assert build(load(written)) == written and verify(written, sha256(written))


BINDING = {
    "document": "a" * 64, "version": uuid.UUID(int=1), "key": uuid.UUID(int=2), "user": uuid.UUID(int=3), "signer": "Dana Reyes",
    "credential": "MD", "discipline": "physician", "meaning": "author", "at": SIGNED_AT,
}  # fmt: skip


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_signature_binds_document_person_capacity_and_time(schema):
    first = signature_hash(schema, BINDING)
    others = {part: signature_hash(schema, BINDING | {part: "another"}) for part in BINDING}
    assert {part for part, other in others.items() if other != first} == set(BOUND[schema])
    assert first == signature_hash(schema, dict(BINDING))


def test_a_signature_under_the_first_schema_has_the_hash_it_always_had():
    bound = {"at": SIGNED_AT, "credential": "MD", "document": "a" * 64, "meaning": "author", "signer": "Dana Reyes"}
    assert signature_hash(FIRST, BINDING) == sha256(canonical(bound))
