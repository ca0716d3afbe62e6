"""What was asked and answered: a questionnaire in an episode, and its answers while it is being filled."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Q

from clinic.exact_json import ExactJSONField
from clinic.models import ClinicalModel, Episode, User
from clinic.models.patients import ClinicalQuerySet
from intake.answers import Key, State
from intake.models.configuration import Instrument


class ResponseQuerySet(ClinicalQuerySet):
    def with_instrument(self) -> Self:
        """With what is known of the instrument but its content, which `Instrument.questionnaire` reads once a process."""
        return self.select_related("instrument").defer("instrument__content")

    def drafts_of(self, episode: Episode) -> Self:
        """The drafts of the episode, at most one for each instrument."""
        return self.filter(episode=episode, status=Response.Status.IN_PROGRESS).with_instrument()

    def standing_of(self, episode: Episode) -> Self:
        """Of each instrument its draft and what was submitted last."""
        each = self.filter(episode=episode).with_instrument()
        return each.order_by("code", "status", "-completed_at", "-id").distinct("code", "status")

    def draft_of(self, episode: Episode, code: str) -> "Response | None":
        return self.drafts_of(episode).filter(code=code).first()  # type: ignore[return-value]

    def latest_of(self, episode: Episode) -> Self:
        """The latest submitted response of each instrument."""
        completed = self.filter(episode=episode, status=Response.Status.COMPLETED).with_instrument()
        return completed.select_related("completed_by").order_by("code", "-completed_at", "-id").distinct("code")

    def completed_of(self, episode: Episode, code: str) -> Self:
        """Every submitted response of one instrument, newest first."""
        completed = self.filter(episode=episode, code=code, status=Response.Status.COMPLETED).with_instrument()
        return completed.order_by("-completed_at", "-id")


class Response(ClinicalModel):
    """One instrument being filled, or filled, in an episode. While in progress its answers are rows; at submit they are frozen."""

    class Status(models.TextChoices):
        IN_PROGRESS = "in-progress", "In progress"
        COMPLETED = "completed", "Completed"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="responses")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    code = models.SlugField(max_length=40, help_text="The instrument's code, repeated here for the constraint below.")
    status = models.CharField(max_length=12, choices=Status, default=Status.IN_PROGRESS)
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    saved_at = models.DateTimeField(null=True)
    saved_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True)
    completed_at = models.DateTimeField(null=True)
    completed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True)
    document = ExactJSONField(null=True, help_text="The frozen QuestionnaireResponse.")

    objects = ResponseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["episode", "code"], condition=Q(status="in-progress"), name="one_draft_per_instrument"),
            models.CheckConstraint(
                condition=Q(status="completed", completed_at__isnull=False, completed_by__isnull=False, document__isnull=False)
                | Q(status="in-progress", completed_at=None, completed_by=None, document=None),
                name="completed_response_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} ({self.status})"


class AnswerQuerySet(ClinicalQuerySet):
    def of(self, response: Response | None) -> "dict[Key, Answer]":
        """The rows of a draft by (linkId, instance); empty for a draft that does not exist yet."""
        rows = self.filter(response=response) if response else self.none()
        return {(row.link_id, row.instance): row for row in rows}  # type: ignore[attr-defined, misc]

    def by_whom(self, clinicians: models.QuerySet) -> Self:
        """`by_clinician`: whether the author is among the clinicians whose ids are given."""
        return self.annotate(by_clinician=models.ExpressionWrapper(Q(by__in=clinicians), output_field=models.BooleanField()))


class Answer(ClinicalModel):
    """One answer of a draft, with its author and version. History is in the audit's changes; an answer is never deleted."""

    response = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="answers")
    link_id = models.CharField(max_length=120)
    instance = models.CharField(max_length=40, blank=True, default="", help_text="Which row of a repeating group, e.g. 1 or 2.1.")
    state = models.CharField(max_length=8, choices=[(state.value, state.value) for state in State])
    value = ExactJSONField(default=list)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)
    by_clinician: bool  # asked for by `by_whom`

    objects = AnswerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["response", "link_id", "instance"], name="one_answer_per_item"),
            models.CheckConstraint(condition=Q(state="given") | Q(value=[]), name="only_a_given_answer_has_a_value"),
        ]
