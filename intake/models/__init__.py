"""What was asked and answered, what it scored and flagged. All reads are QuerySet methods here; all writes are in actions."""

from intake.models.assessments import Assessment, Score
from intake.models.configuration import Instrument, Medicine, Packet, RuleSetting
from intake.models.flags import Flag, FlagEvent
from intake.models.level import DecidedLevel, LevelCosignature, LevelDecision
from intake.models.responses import Answer, Response
from intake.models.results import Result

__all__ = [
    "Answer", "Assessment", "DecidedLevel", "Flag", "FlagEvent", "Instrument", "LevelCosignature", "LevelDecision", "Medicine",
    "Packet", "Response", "Result", "RuleSetting", "Score",
]  # fmt: skip
