"""The reading level of a text, and that every handout is plain."""

import re
from collections.abc import Iterator

import pytest

from intake.content_files import ContentError
from plans import handouts, reading
from plans.handouts import load_handouts

# Counted by hand, and the grade from that: (text, sentences, words, syllables, grade).
COUNTED = [
    ("Kratom is a plant. It can cause dependence.", 2, 8, 11, 2.2),
    ("Buprenorphine is a medication for opioid addiction.", 1, 7, 17, 15.8),
    ("Call 911. Stay with them until help comes.", 2, 8, 11, 2.2),
    ("7-OH is strong! Is it? It is.", 3, 7, 9, 0.5),
]
# By how many syllables they are spoken with.
SPOKEN = {
    1: "names take used comes help breathes eyes weeks flares urge stopped months",
    2: "kratom sleepy urges wanted table body very visit urine open races heart's",
    3: "opioid medicine overdose together tramadol dependence addiction",
    4: "gabapentin education bupropion medication",
    6: "acetaminophen",
}


def texts(slug: str) -> Iterator[str]:
    for section in load_handouts()[slug].sections:
        yield from (section.heading, *section.paragraphs, *section.points)


@pytest.mark.parametrize(("text", "sentences", "words", "syllables", "grade"), COUNTED)
def test_the_grade_is_that_of_a_count_by_hand(text: str, sentences: int, words: int, syllables: int, grade: float) -> None:
    found = reading.WORD.findall(text)
    assert (len(found), sum(map(reading.syllables, found))) == (words, syllables)
    assert reading.grade(text) == grade
    assert abs(0.39 * words / sentences + 11.8 * syllables / words - 15.59 - grade) < 0.051


@pytest.mark.parametrize("count", SPOKEN)
def test_syllables(count: int) -> None:
    assert {word: reading.syllables(word) for word in SPOKEN[count].split()} == dict.fromkeys(SPOKEN[count].split(), count)


def test_a_text_without_a_word_has_no_grade() -> None:
    with pytest.raises(ValueError, match="no word"):
        reading.grade("... !")


# The handouts


def test_every_handout_is_plain() -> None:
    assert list(load_handouts()) == [
        "withdrawal", "mixes", "breathing", "exercise", "food-and-water", "journaling", "naloxone", "hard-day",
    ]  # fmt: skip
    for slug, handout in load_handouts().items():
        assert handout.grade <= 8.0, slug
        assert handout.grade == reading.grade(" ".join(text for text in texts(slug) if text[-1] in ".?!"))


def test_no_handout_tells_a_dose() -> None:
    """What is measured is time, breath and water; of a medicine or of kratom there is never an amount."""
    for slug in load_handouts():
        found = re.findall(r"\d+ ?(?:mg|g|grams?|milligrams?|pills?|tablets?|capsules?|drops|ml)\b", " ".join(texts(slug)))
        assert not found, f"{slug}: {found}"


@pytest.mark.parametrize("slug", ["withdrawal", "breathing", "journaling", "naloxone", "hard-day"])
def test_where_despair_may_come_988_is_named(slug: str) -> None:
    assert "988" in " ".join(texts(slug))


ROW = {"slug": "a", "title": "A", "about": "A.", "rests_on": "1", "sections": [{"heading": "A", "points": ["It is fine."]}]}
HARD = {"heading": "A", "paragraphs": ["Buprenorphine is a medication for opioid addiction."]}


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([ROW, ROW], "a slug is used twice"),
        ([ROW | {"sections": [HARD]}], "a: it reads at grade 15.8; 8.0 at most"),
        ([ROW | {"sections": [{"heading": "A"}]}], "a: There is no word in it"),
    ],
)
def test_a_handout_that_cannot_be_is_refused(rows: list[dict], why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handouts, "read", lambda file: {"handouts": rows})
    with pytest.raises(ContentError, match=re.escape(why)):
        load_handouts.__wrapped__()
