"""How hard a text is to read: the Flesch-Kincaid grade (Kincaid and others 1975, Navy Research Branch Report 8-75). Pure."""

import re
from functools import cache

import pyphen

WORD = re.compile(r"[A-Za-z0-9]+(?:['’-][A-Za-z0-9]+)*")
SENTENCE = re.compile(r"[.!?]+(?:\s|$)")
PART = re.compile(r"[A-Za-z]+|[0-9]+")
VOWELS = re.compile(r"[aeiouy]+")
# Endings that are not spoken as a syllable of their own: take, used (not wanted), names (not races).
SILENT = re.compile(r"(?<=[^aeiouy])(?:(?<!l)e|(?<![td])ed|(?<![sxzcg])(?<![cs]h)es)$")
APART = re.compile(r"(?<![tscg])i(?=[aou])")  # two vowels that are spoken apart: op-i-oid, but not ac-tion
HYPHENATION = pyphen.Pyphen(lang="en_US")


def grade(text: str) -> float:
    """The school grade in which a text is read, to one decimal: 0.39 words a sentence + 11.8 syllables a word - 15.59.

    Raises ValueError for a text without a word.
    """
    words = WORD.findall(text)
    if not words:
        raise ValueError("There is no word in it, so it has no reading level.")
    sentences = sum(1 for part in SENTENCE.split(text) if WORD.search(part))
    return round(0.39 * len(words) / sentences + 11.8 * sum(map(syllables, words)) / len(words) - 15.59, 1)


@cache
def syllables(word: str) -> int:
    """The syllables of an English word; a digit, and a letter of an abbreviation in capitals, is one.

    The greater of two counts that both miss some: pyphen names where a line may break, never at a single letter (`medicine` is 1 to it);
    groups of vowels run together where two are spoken apart. So a text is mostly called too hard rather than too easy.
    """
    return max(sum(map(_of_part, PART.findall(word))), 1)


def _of_part(part: str) -> int:
    if not part.isalpha() or (len(part) > 1 and part.isupper()):
        return len(part)
    part = part.lower()
    spoken = SILENT.sub("", part)
    return max(len(HYPHENATION.positions(part)) + 1, len(VOWELS.findall(spoken)) + len(APART.findall(spoken)))
