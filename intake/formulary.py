"""Which interaction classes a medicine belongs to, by its written name."""

import re
from collections.abc import Mapping, Sequence
from functools import cache

from intake.content_files import ContentError, read
from intake.facts.names import CLASSES, medicine_names

FILE = "formulary.yaml"
Formulary = Mapping[str, Sequence[str]]


@cache
def shipped() -> Formulary:
    """The formulary of intake/content/: generic name to classes. Raises ContentError for a class that does not exist."""
    medicines: Formulary = read(FILE)["medicines"]
    for name, classes in medicines.items():
        if unknown := set(classes) - set(CLASSES):
            raise ContentError(f"{FILE}, {name}: there is no class {', '.join(sorted(unknown))}")
    return medicines


def classes_of(written: str, formulary: Formulary) -> frozenset[str]:
    """The classes of every medicine whose name, or a brand of it, is a word of what was written: "Metoprolol succ. 50 mg"."""
    text, brands = written.casefold().replace("’", "'"), medicine_names()
    return frozenset(
        tag
        for name, classes in formulary.items()
        if any(_names(known.casefold(), text) for known in (name, *brands.get(name, ())))
        for tag in classes
    )


def _names(name: str, text: str) -> bool:
    return name in text and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def notes(names: Mapping[str, str], formulary: Formulary) -> dict[str, str]:
    """For each row of medicines (row to written name) the formulary knows: what it lists, in words."""
    labels = read("facts.yaml")["classes"]
    listed = {row: classes_of(name, formulary) for row, name in names.items()}
    return {
        row: f"The formulary lists it as: {', '.join(labels[tag] for tag in CLASSES if tag in tags)}. These count; tick what else applies."
        for row, tags in listed.items()
        if tags
    }
