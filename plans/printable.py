"""Texts made safe for print: what no embedded font can draw is shown as its code point, never dropped.

The PDF uses only the fonts that come with typst, and PDF/UA forbids glyphs that mean nothing. A name in another
script must not stop a plan from being printed, so such a character becomes e.g. [U+674E]; the signed document keeps it.
"""

import re
import unicodedata
from typing import Any

# Latin with all its accents, Greek, Cyrillic, and common punctuation: all drawn by Libertinus Serif.
DRAWN = re.compile(
    "[\t\n\u0020-\u007e\u00a0-\u024f\u02c6-\u02dd\u0300-\u0308\u0386-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce\u0400-\u045f\u1e00-\u1eff"
    "\u2010-\u2015\u2018-\u201e\u2020-\u2022\u2026\u2030\u2032\u2033\u2039\u203a\u20ac\u2122\u2190-\u2193\u2212\u2248\u2260\u2264\u2265]"
)
LONG = 40  # characters without a space after which a line may break


def printable(value: Any) -> Any:
    """The same structure with every text printable. Lists, dicts, numbers, booleans and None pass through."""
    if isinstance(value, str):
        return _breaks("".join(char if DRAWN.fullmatch(char) else _named(char) for char in value))
    if isinstance(value, dict):
        return {key: printable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [printable(item) for item in value]
    return value


def _named(char: str) -> str:
    if unicodedata.category(char) in ("Zs", "Zl", "Zp"):
        return " "
    return f"[U+{ord(char):04X}]"


def _breaks(text: str) -> str:
    """A chance to break inside very long runs without a space; the zero-width space is not drawn."""
    return re.sub(rf"(\S{{{LONG}}})(?=\S)", "\\1\u200b", text)
