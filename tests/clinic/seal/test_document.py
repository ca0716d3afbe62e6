"""The signed document: written in one way only, read back whole, and nothing else is read."""

import dataclasses
import datetime

import pytest

from clinic.seal.document import Document, Part, hash_of

PART = Part("clinic_change", ("id", "at"), (0, 0), (812, 0), 5, 9)
DOCUMENT = Document(2, "ab" * 32, datetime.datetime(2026, 11, 24, 12, 0, 0, 7, datetime.UTC), 812, "cd" * 32, (PART,), "ef" * 32)


def test_it_is_read_back_as_it_was_written() -> None:
    text = DOCUMENT.encode()
    assert Document.decode(text) == DOCUMENT and text == text.decode().encode("ascii")
    assert hash_of(text) == hash_of(Document.decode(text).encode())


def test_the_time_is_the_same_wherever_it_is_written() -> None:
    elsewhere = DOCUMENT.at.astimezone(datetime.timezone(datetime.timedelta(hours=-5)))
    assert dataclasses.replace(DOCUMENT, at=elsewhere).encode() == DOCUMENT.encode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"number":2', '"number": 2'),
        ('"steady-seal/1"', '"steady-seal/2"'), ('"clinic_change"', '"clinic_change; DROP"'),
        ('"id","at"', '"id) FROM x --","at"'), ('"rows":5', '"rows":"5"'), ("[0,0]", "[0]"), ("[0,0]", '["0",0]'),
        ('"rows":5', '"rows":true'),
        ('"number":2', '"number":2,"more":1'), ('"key":', '"keys":'), ('"root":"e', '"root":"E'), ("{", "["), ("}", ""),
    ],
)  # fmt: skip
def test_nothing_else_is_read(old: str, new: str) -> None:
    text = DOCUMENT.encode().decode()
    assert old in text
    with pytest.raises(ValueError, match=r"not|another format|Expecting|Extra data|property name|delimiter"):
        Document.decode(text.replace(old, new, 1).encode())
