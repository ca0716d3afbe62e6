"""The level of care that a clinician decides on, beside what an assessment suggested."""

import datetime
import uuid
from dataclasses import dataclass
from typing import Any, Self

from django.db import models
from django.db.models import Q

from clinic.exact_json import ExactJSONField
from clinic.models import ClinicalModel, Episode, User
from clinic.models.patients import ClinicalQuerySet
from clinic.models.record import Immutable
from intake.models.assessments import Assessment


@dataclass(frozen=True)
class DecidedLevel:
    """What was decided beside the suggestion of one assessment; each None where there is nothing to say.

    decided: what counts. waiting: newer than that, and counts only once somebody else has co-signed it.
    earlier: what counted last before this assessment, where nothing counts for it yet.
    """

    decided: "LevelDecision | None" = None
    waiting: "LevelDecision | None" = None
    earlier: "LevelDecision | None" = None


class LevelDecisionQuerySet(ClinicalQuerySet):
    def of(self, episode_id: int) -> Self:
        """Every decision of the episode with who made and co-signed it and `assessed_at`, newest first."""
        rows = self.filter(episode=episode_id).select_related("by", "cosignature__by")
        return rows.annotate(assessed_at=models.F("assessment__at")).order_by("-at", "-id")

    def beside(self, assessment: Assessment) -> DecidedLevel:
        """One query, however often it was decided."""
        rows: list[LevelDecision] = list(self.of(assessment.episode_id))  # type: ignore[arg-type]
        here = [row for row in rows if row.assessment_id == assessment.pk]
        before = [row for row in rows if row.assessed_at < assessment.at]
        decided = next((row for row in here if not row.waits), None)
        return DecidedLevel(
            decided=decided,
            waiting=here[0] if here and here[0].waits else None,
            earlier=None if decided else next((row for row in before if not row.waits), None),
        )


class LevelDecision(Immutable, ClinicalModel):
    """The level of care a clinician decided on, beside what an assessment suggested, which stays as it is. The newest one counts."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="level_decisions")
    assessment = models.ForeignKey(Assessment, on_delete=models.PROTECT, related_name="level_decisions")
    suggested = models.CharField(max_length=8, help_text="What the assessment suggested, e.g. 1.7.")
    rule = models.CharField(max_length=8, help_text="The rule that suggested it, e.g. L10.")
    needs = ExactJSONField(help_text="[{id, name, computed, rating, reason}], N1 to N5: both ratings 0-4, and why they differ.")
    level = models.CharField(max_length=8)
    label = models.CharField(max_length=80, help_text="The level in words, as they were.")
    reason_code = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=120, blank=True, help_text="The reason code in words, as they were.")
    explanation = models.TextField(blank=True)
    needs_cosignature = models.BooleanField(help_text="Counts only once a second clinician has co-signed it.")
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    assessed_at: datetime.datetime  # asked for by `of`

    objects = LevelDecisionQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["episode", "-at"], name="level_decided_latest")]
        constraints = [
            models.CheckConstraint(
                condition=Q(level=models.F("suggested")) | (~Q(reason_code="") & ~Q(explanation="")), name="another_level_has_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.level}: {self.label}"

    @property
    def waits(self) -> bool:
        """Whether it still waits for its co-signature."""
        return self.needs_cosignature and not hasattr(self, "cosignature")

    @property
    def as_suggested(self) -> bool:
        return self.level == self.suggested

    @property
    def changed_needs(self) -> list[dict[str, Any]]:
        """The needs that the clinician rated otherwise than they were computed."""
        return [need for need in self.needs if need["rating"] != need["computed"]]


class LevelCosignature(Immutable, ClinicalModel):
    """A second clinician has read a decision on the level of care and stands behind it."""

    decision = models.OneToOneField(LevelDecision, on_delete=models.PROTECT, related_name="cosignature")
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    objects = ClinicalQuerySet.as_manager()
