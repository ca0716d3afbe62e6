"""Every write of a draft plan: begun from an assessment, decided, filled in, brought up to date; and handouts given.

Signing is in plans/signing.py.
"""

from plans.actions.components import ReasonNeeded, add_component, decide
from plans.actions.draft import draft_plan, refresh
from plans.actions.handouts import give_handout
from plans.actions.locks import AlreadySigned
from plans.actions.parts import PARENTS, PARTS, add_part, edit_details, edit_part, remove_part
from plans.actions.reasons import give_reason, withdraw_reason

__all__ = [
    "PARENTS", "PARTS", "AlreadySigned", "ReasonNeeded", "add_component", "add_part", "decide", "draft_plan", "edit_details",
    "edit_part", "give_handout", "give_reason", "refresh", "remove_part", "withdraw_reason",
]  # fmt: skip
