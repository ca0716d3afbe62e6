"""Every write of the intake."""

from intake.actions.answers import AlreadySubmitted, Conflict, Saved, basis_of, save_answers
from intake.actions.assess import NothingToSubmit, assess_provisionally, submit, was_submitted
from intake.actions.decisions import NotForYou, NotNow, acknowledge, enter_in_error, override, record_evaluation, snooze
from intake.actions.instruments import add_wording
from intake.actions.known import SUICIDE_SCREENS, lock_episode, rules_off
from intake.actions.level import NotTheCosigner, cosign_level, cosigning_refused, decide_level, level_mark
from intake.actions.results import AlreadyCorrected, NotPossible, correct_result, record_results, withdraw_result

__all__ = [
    "SUICIDE_SCREENS", "AlreadyCorrected", "AlreadySubmitted", "Conflict", "NotForYou", "NotNow", "NotPossible", "NotTheCosigner",
    "NothingToSubmit", "Saved", "acknowledge", "add_wording", "assess_provisionally", "basis_of", "correct_result", "cosign_level",
    "cosigning_refused", "decide_level", "enter_in_error", "level_mark", "lock_episode", "override", "record_evaluation",
    "record_results", "rules_off", "save_answers", "snooze", "submit", "was_submitted", "withdraw_result",
]  # fmt: skip
