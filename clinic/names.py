"""How people write what they look for: a name with a slip of the fingers, a record number without its zeros."""

import re
import string

# What a finger may have hit or missed. Names with other letters are found by their beginning.
KEYS = string.ascii_lowercase + "'- áéíóúñ"
RECORD_NUMBER = re.compile(r"r?0*(\d{1,11})", re.IGNORECASE)


def record_number(text: str) -> str:
    """“8”, “0000008”, “R8” and “r-0000008” as “R0000008”; an empty string for what is no record number."""
    match = RECORD_NUMBER.fullmatch(re.sub(r"[\s#.-]", "", text))
    return f"R{int(match[1]):07d}" if match and match[1].isascii() else ""


def one_slip_from(word: str) -> list[str]:
    """Every spelling one slip away from a word in small letters: one letter more, less or other, or two exchanged.

    Nothing for words of under 4 or over 20 letters: from a short one everything is one slip away.
    """
    if not 4 <= len(word) <= 20:
        return []
    halves = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    less = {head + tail[1:] for head, tail in halves if tail}
    exchanged = {head + tail[1] + tail[0] + tail[2:] for head, tail in halves if len(tail) > 1}
    other = {head + key + tail[1:] for head, tail in halves if tail for key in KEYS}
    more = {head + key + tail for head, tail in halves for key in KEYS}
    return sorted((less | exchanged | other | more) - {word})
