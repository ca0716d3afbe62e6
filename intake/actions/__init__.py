"""Every write of the intake."""

from intake.actions.answers import AlreadySubmitted, Conflict, Saved, basis_of, save_answers
from intake.actions.assess import NothingToSubmit, assess_provisionally, submit, was_submitted
from intake.actions.flags import NotForYou, acknowledge, record_evaluation
from intake.actions.known import SUICIDE_SCREEN, effective_settings, lock_episode

__all__ = [
    "SUICIDE_SCREEN", "AlreadySubmitted", "Conflict", "NotForYou", "NothingToSubmit", "Saved", "acknowledge", "assess_provisionally",
    "basis_of", "effective_settings", "lock_episode", "record_evaluation", "save_answers", "submit", "was_submitted",
]  # fmt: skip
