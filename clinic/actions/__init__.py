"""Every write of the ground floor."""

from clinic.actions.access import break_glass, lift_restriction, restrict_chart, review_break_glass
from clinic.actions.care_team import LockedOut, join_care_team, leave_care_team
from clinic.actions.patients import (
    KeyUsed,
    first_visit,
    open_episode,
    record_disclosure,
    register_patient,
    summary_of,
    update_patient,
    update_summary,
)  # fmt: skip
from clinic.actions.stale import Stale

__all__ = [
    "KeyUsed", "LockedOut", "Stale", "break_glass", "first_visit", "join_care_team", "leave_care_team", "lift_restriction",
    "open_episode", "record_disclosure", "register_patient", "restrict_chart", "review_break_glass", "summary_of", "update_patient",
    "update_summary",
]  # fmt: skip
