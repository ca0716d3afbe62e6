"""Texts made safe for print: what no embedded font can draw is shown as its code point, never dropped.

The PDF uses only the fonts that come with typst, and PDF/UA forbids glyphs that mean nothing. A name in another
script must not stop a plan from being printed, so such a character becomes e.g. [U+674E]; the signed document keeps it.
"""

import re
import unicodedata
from typing import Any

# Combining marks of Latin, Greek and Cyrillic letters, and the Hebrew points.
MARKS = "\u0300-\u034e\u0350-\u036f\u05b0-\u05bd\u05bf\u05c1\u05c2"
# Latin, Greek, Cyrillic, Hebrew, punctuation, currencies, arrows, mathematics: drawn by Libertinus Serif, also under a mark.
BASES = (
    "\u0020-\u007e\u00a0-\u00ac\u00ae-\u0241\u0243\u0247\u0249\u024d\u0250-\u02e4\u02ea-\u02ff\u0374\u0375\u037a-\u037e\u0384-\u038a\u038c"
    "\u038e-\u03a1\u03a3-\u03ce\u03d0-\u03e1\u03f0-\u03f6\u0400-\u045f\u0462\u0463\u0490-\u04c4\u04c7-\u04cc\u04d0-\u04f9\u05be\u05d0-\u05ea"
    "\u05f0-\u05f4\u1e00-\u1e9b\u1e9e\u1ea0-\u1ef9\u1f00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d"
    "\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fc4\u1fc6-\u1fd3\u1fd6-\u1fdb\u1fdd-\u1fef\u1ff2-\u1ff4\u1ff6-\u1ffe\u2010-\u2027\u2030-\u2037"
    "\u2039-\u203e\u2044\u2070\u2071\u2074-\u208e\u20a2-\u20a4\u20a7\u20a8\u20ab\u20ac\u20b1\u20bf\u2103\u2109\u2113\u2116\u2122\u2126"
    "\u2153-\u215e\u2190-\u219b\u2200-\u220d\u2212\u2215-\u2219\u221a\u221e\u2229\u222a\u2236\u223c\u2245\u2248\u2260\u2261\u2264\u2265"
    "\u25a0\u25a1\u25b2\u25b3\u25b6\u25b7\u25bc\u25bd\u25c0\u25c1\u25c6\u25c7\u25cf\u2605\u2639-\u263b\u2640\u2642\u2665\u266d-\u266f\ufb1d\ufb2a-\ufb36"
)
# Armenian, Arabic with Persian and Urdu, Georgian: letters and digits of fonts that draw no marks on them; tab and line break.
ALONE = (
    "\t\n\u0531-\u0556\u0559-\u055f\u0561-\u0587\u0589\u060c\u061b\u061f\u0621-\u063a\u0640-\u064a\u0660-\u066a\u0679\u067e\u0686"
    "\u0691\u0698\u06a9\u06af\u06be\u06cc\u06f0-\u06f9\u10d0-\u10fc"
)
DRAWN = re.compile(rf"(?:[{BASES}][{MARKS}]*|[{ALONE}])+")
LONG = 40  # characters without a space after which a line may break


def printable(value: Any) -> Any:
    """The same structure with every text printable. Lists, dicts, numbers, booleans and None pass through."""
    if isinstance(value, str):
        return _breaks(re.sub(rf"({DRAWN.pattern})|(.)", lambda found: found[1] or _named(found[2]), value, flags=re.DOTALL))
    if isinstance(value, dict):
        return {key: printable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [printable(item) for item in value]
    return value


def as_written(value: Any) -> bool:
    """Whether every text of the structure prints as it was written, no character shown as its code point."""
    if isinstance(value, str):
        return all(_is_space(char) for char in DRAWN.sub("", value))
    if isinstance(value, dict):
        return as_written(list(value.values()))
    return all(as_written(item) for item in value) if isinstance(value, list) else True


def _named(char: str) -> str:
    return " " if _is_space(char) else f"[U+{ord(char):04X}]"


def _is_space(char: str) -> bool:
    return unicodedata.category(char) in ("Zs", "Zl", "Zp")


def _breaks(text: str) -> str:
    """A chance to break inside very long runs without a space; the zero-width space is not drawn."""
    return re.sub(rf"(\S{{{LONG}}})(?=[^\s{MARKS}])", "\\1\u200b", text)
