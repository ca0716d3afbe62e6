"""Parsing and cleaning of what a person sends to the intake."""

from intake.forms.flags import AcknowledgeForm, EnterInErrorForm, EvaluationForm, OverrideForm, SnoozeForm
from intake.forms.level import LevelForm
from intake.forms.results import CorrectionForm, Refusable, ResultForm, WrongEntryForm
from intake.forms.section import Question, Rows, SectionForm, id_of, name_of, row_id

__all__ = [
    "AcknowledgeForm", "CorrectionForm", "EnterInErrorForm", "EvaluationForm", "LevelForm", "OverrideForm", "Question", "Refusable",
    "ResultForm", "Rows", "SectionForm", "SnoozeForm", "WrongEntryForm", "id_of", "name_of", "row_id",
]  # fmt: skip
