"""The hostile corpus (corpus.yaml), and what is sent with it: bodies in every shape a client or a network may give them."""

from functools import cache
from pathlib import Path
from urllib.parse import quote_plus

import yaml

KINDS = ("texts", "numbers", "dates", "ids")
URLENCODED = "application/x-www-form-urlencoded"
BOUNDARY = "x-x-x"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
MEGABYTE = 1_000_000


@cache
def corpus() -> dict[str, tuple[str, ...]]:
    """kind: its values. Every entry says why it is there; that is asserted by tests/hostile/test_corpus.py."""
    rows = yaml.safe_load((Path(__file__).parent / "corpus.yaml").read_text(encoding="utf-8"))
    return {kind: tuple(_value(row) for row in rows[kind]) for kind in KINDS}


def _value(row: dict) -> str:
    return row["value"] if "value" in row else row["repeat"][0] * row["repeat"][1]


@cache
def everything() -> tuple[str, ...]:
    return tuple(value for kind in KINDS for value in corpus()[kind])


def encoded(fields: dict[str, list[str]]) -> bytes:
    """A form as a browser sends it, halves of characters as the three bytes that UTF-8 forbids."""
    pairs = [(name, value) for name, values in fields.items() for value in values]
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs).encode()


def _quoted(text: str) -> str:
    return quote_plus(text.encode("utf-8", "surrogatepass"))
