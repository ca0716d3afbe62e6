"""Who, which episode, who may, who did."""

from clinic.models.access import BreakGlass, ChartRestriction
from clinic.models.patients import CareTeamMember, ClinicalModel, Episode, Patient
from clinic.models.people import Membership, Program, User
from clinic.models.record import AccessEvent, Change, Disclosure, Seal

__all__ = [
    "AccessEvent",
    "BreakGlass",
    "CareTeamMember",
    "Change",
    "ChartRestriction",
    "ClinicalModel",
    "Disclosure",
    "Episode",
    "Membership",
    "Patient",
    "Program",
    "Seal",
    "User",
]
