"""The questionnaires Steady knows, and which of them an intake asks, in which order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from intake.content_files import read

FILE = "instruments.yaml"


@dataclass(frozen=True)
class Listed:
    """One questionnaire. filled_by: person or clinician; minutes: an estimate; observed: nobody is asked anything."""

    code: str
    title: str
    filled_by: str
    minutes: int
    licence: str
    observed: bool = False


@cache
def instruments() -> Mapping[str, Listed]:
    """Every questionnaire there is, by code."""
    return {code: Listed(code=code, **row) for code, row in read(FILE)["instruments"].items()}


def packet(codes: Sequence[str] = ()) -> Mapping[str, Listed]:
    """The questionnaires of an intake by code, in the order in which they are asked: those a program has set, else the usual ones."""
    return {code: instruments()[code] for code in codes or read(FILE)["usual"] if code in instruments()}


def may_fill(code: str, *, observes: bool) -> bool:
    """Whether somebody who may, or may not, enter observations for this episode fills the questionnaire."""
    return observes or instruments()[code].filled_by != "clinician"
