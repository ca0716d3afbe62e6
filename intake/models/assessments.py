"""What was known and what followed from it at one moment: the assessment and its scores."""

import uuid

from django.db import models

from clinic.exact_json import ExactJSONField
from clinic.models import ClinicalModel, Episode, User
from clinic.models.patients import ClinicalQuerySet
from clinic.models.record import Immutable


class AssessmentQuerySet(ClinicalQuerySet):
    def latest_of(self, episode: Episode) -> "Assessment | None":
        """The newest assessment of the episode, provisional or not."""
        return self.filter(episode=episode).order_by("-at", "-id").first()  # type: ignore[return-value]


class Assessment(Immutable, ClinicalModel):
    """What was known and what followed from it at one moment: responses, facts with their origin, and the hash of the content."""

    class Kind(models.TextChoices):
        INTAKE = "intake", "Intake"
        PROVISIONAL = "provisional", "Provisional, from an unfinished intake"
        RESULT = "result", "After a new result"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="assessments")
    kind = models.CharField(max_length=12, choices=Kind)
    at = models.DateTimeField()
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    responses = ExactJSONField(help_text="The frozen QuestionnaireResponses, by instrument code.")
    facts = ExactJSONField(help_text="Fact name to value; null is unknown.")
    origins = ExactJSONField(help_text="Fact name to where it came from.")
    result = ExactJSONField(help_text="Flags, interactions, needs, level and what cannot be told yet.")
    content_hash = models.CharField(max_length=64)
    settings = ExactJSONField(default=dict)
    provisional = models.BooleanField()
    key = models.UUIDField(unique=True, help_text="The idempotency key of the submit.")

    objects = AssessmentQuerySet.as_manager()


class Score(Immutable, ClinicalModel):
    """One score of one assessment."""

    assessment = models.ForeignKey(Assessment, on_delete=models.PROTECT, related_name="scores")
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="scores")
    code = models.SlugField(max_length=40)
    name = models.CharField(max_length=120)
    total = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    low = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    high = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    floor = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    band = models.CharField(max_length=80, blank=True)
    text = models.CharField(max_length=200, help_text="In words, e.g. 13, moderate; at least 14, 2 unanswered.")
    detail = ExactJSONField(default=dict)
    at = models.DateTimeField()

    objects = ClinicalQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["episode", "code", "-at"], name="score_history")]
