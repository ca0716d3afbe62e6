"""The questionnaires of an intake: their order, who fills them and how long they take."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from clinic.permissions import grant
from intake.content_files import read

if TYPE_CHECKING:
    from clinic.models import User

FILE = "instruments.yaml"


@dataclass(frozen=True)
class Listed:
    """One questionnaire of the packet. filled_by: person or clinician; minutes: an estimate."""

    code: str
    title: str
    filled_by: str
    minutes: int
    licence: str


@cache
def packet() -> Mapping[str, Listed]:
    """Every questionnaire of the intake by code, in the order in which it is asked."""
    return {code: Listed(code=code, **row) for code, row in read(FILE)["instruments"].items()}


def may_rate(user: "User", code: str, program_id: int) -> bool:
    """Whether this person may fill the questionnaire in this program: what a clinician observes is not for the front desk."""
    if packet()[code].filled_by != "clinician":
        return True
    held = grant(user, "observation.enter")
    return program_id in held.programs | held.team_programs
