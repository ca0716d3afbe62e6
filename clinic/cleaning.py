"""One cleaning of text and JSON for every way in. What cannot be stored or compared safely is refused with a sentence."""

import json
import re
import unicodedata
from decimal import Decimal
from typing import Any

MAX_DEPTH = 64
MAX_NODES = 20_000
MAX_INTEGER = 2**53
MAX_DECIMAL = 40
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Unclean(ValueError):
    """Text or JSON that is refused; the message is a sentence."""


def clean_text(text: str, *, max_length: int | None = None) -> str:
    """The text in Unicode NFC with plain line ends. Raises Unclean for control characters, lone surrogates and over-long text."""
    if CONTROLS.search(text):
        raise Unclean("The text holds a character that cannot be stored. Please remove it and try again.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Unclean("The text holds half of a character. Please type it again.") from None
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    if max_length is not None and len(text) > max_length:
        raise Unclean(f"The text is {len(text)} characters long; {max_length} are possible.")
    return text


def load_json(text: str | bytes) -> Any:
    """Strict JSON with decimals as Decimal. Raises Unclean, naming what is wrong.

    Refused: bytes that are not UTF-8, NUL, lone surrogates, NaN and infinities, a key that stands twice, more than
    64 levels or 20,000 values, integers past 2**53, decimals of more than 40 digits.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError:
            raise Unclean("The file is not UTF-8 text.") from None
    _check_depth(text)
    try:
        value = json.loads(text, parse_float=_decimal, parse_constant=_no_constant, object_pairs_hook=_pairs, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise Unclean(f"The text is not JSON: {error.msg} in line {error.lineno}.") from None
    _check(value)
    return value


def _check_depth(text: str) -> None:
    """Before parsing: the parser itself recurses. Brackets inside strings do not count."""
    depth = 0
    inside = escaped = False
    for char in text:
        if inside:
            inside, escaped = char != '"' or escaped, char == "\\" and not escaped
        elif char == '"':
            inside = True
        elif char in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise Unclean(f"The JSON is nested more than {MAX_DEPTH} levels deep.")
        elif char in "]}":
            depth -= 1


def _check(value: Any) -> None:
    nodes = [value]
    seen = 0
    while nodes:
        node = nodes.pop()
        seen += 1
        if seen + len(nodes) > MAX_NODES:
            raise Unclean(f"The JSON holds more than {MAX_NODES} values.")
        match node:
            case str():
                clean_text(node)
            case dict():
                nodes += [*node, *node.values()]
            case list():
                nodes += node


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise Unclean(f"The number {text[:20]} is too large.")
    return int(text)


def _decimal(text: str) -> Decimal:
    """No measurement is that large or that exact, and 1e99999999 written out would fill the memory."""
    number = Decimal(text)
    if len(text) > MAX_DECIMAL or abs(number.adjusted()) > MAX_DECIMAL:
        raise Unclean(f"The number {text[:20]} is too large or too exact.")
    return number


def _no_constant(text: str) -> Any:
    raise Unclean(f"{text} is not a number.")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unclean("A key stands twice in one object.")
    return found
