"""The questionnaires of an intake: their order, who fills them and how long they take."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from intake.content_files import read

FILE = "instruments.yaml"


@dataclass(frozen=True)
class Listed:
    """One questionnaire of the packet. filled_by: person or clinician; minutes: an estimate; observed: nobody is asked anything."""

    code: str
    title: str
    filled_by: str
    minutes: int
    licence: str
    observed: bool = False


@cache
def packet() -> Mapping[str, Listed]:
    """Every questionnaire of the intake by code, in the order in which it is asked."""
    return {code: Listed(code=code, **row) for code, row in read(FILE)["instruments"].items()}


def may_fill(code: str, *, observes: bool) -> bool:
    """Whether somebody who may, or may not, enter observations for this episode fills the questionnaire."""
    return observes or packet()[code].filled_by != "clinician"
