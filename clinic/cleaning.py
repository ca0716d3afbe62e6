"""One cleaning of text and JSON for every way in. What cannot be stored or compared safely is refused with a sentence."""

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import yaml

MAX_DEPTH = 64
MAX_NODES = 20_000
MAX_INTEGER = 2**53
MAX_DECIMAL = 40
MAX_CHARACTERS = 4_000_000  # of a file: the largest form in public use has an eighth of that
REFUSED = "\ufffd"
MAX_ENTRY = 500  # characters of what a request says apart from its forms: marks, names, addresses
# Control characters of both sets, and the two marks that make a reader see letters in another order than they are stored in.
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202d\u202e]")


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


def entry(sent: Mapping[str, Any], name: str) -> str:
    """What a request says under this name (in its form, address or headers), cleaned; empty when it says nothing.

    For what is compared and never shown again: marks, choices, addresses. What a person writes goes through a form, which keeps it.
    What is refused is one character that no mark and no choice ever is: to take it for nothing would make a page that lost its mark.
    """
    said = sent.get(name)
    try:
        return clean_text(said, max_length=MAX_ENTRY) if isinstance(said, str) else ""
    except Unclean:
        return REFUSED


def load_json(text: str | bytes) -> Any:
    """Strict JSON, its texts in Unicode NFC with plain line ends, with decimals as Decimal. Raises Unclean, naming what is wrong.

    Refused: bytes that are not UTF-8, NUL, lone surrogates, NaN and infinities, a key that stands twice, more than
    64 levels or 20,000 values, integers past 2**53, decimals of more than 40 digits, more than 4,000,000 characters.
    """
    text = _decoded(text)
    _check_depth(text)
    try:
        value = json.loads(text, parse_float=_decimal, parse_constant=_no_constant, object_pairs_hook=_pairs, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise Unclean(f"The text is not JSON: {error.msg} in line {error.lineno}.") from None
    _check(value)
    return _cleaned(value)


def load_yaml(text: str | bytes) -> Any:
    """A content file: YAML of plain values. Raises Unclean, naming what is wrong: as for JSON, or an alias that unfolds without end."""
    text = _decoded(text)
    _check_depth(text)
    try:
        value = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 (a safe loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Unclean(f"The text is not YAML: {' '.join(str(error).split())[:300]}") from None
    _check(value)
    return _cleaned(value)


class _StrictLoader(yaml.SafeLoader):
    """YAML lets the last of two equal keys win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise Unclean(f"The key {twice[0]} stands twice, in line {node.start_mark.line + 1} and below.")
        return super().construct_mapping(node, deep)


def _decoded(text: str | bytes) -> str:
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError:
            raise Unclean("The file is not UTF-8 text.") from None
    if len(text) > MAX_CHARACTERS:
        raise Unclean(f"The text is {len(text)} characters long; {MAX_CHARACTERS} are possible.")
    return text


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
            case float() if not math.isfinite(node):
                _no_constant(str(node))
            case dict():
                nodes += [*node, *node.values()]
            case list():
                nodes += node


def _cleaned(value: Any) -> Any:
    """The same with every text in its one form. Two keys that are then the same stand twice."""
    match value:
        case str():
            return clean_text(value)
        case dict():
            return _pairs([(_cleaned(key), _cleaned(part)) for key, part in value.items()])
        case list():
            return [_cleaned(part) for part in value]
    return value


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


def _pairs(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unclean("A key stands twice in one object.")
    return found
