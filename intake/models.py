"""What was asked and answered, what it scored and flagged. All reads are QuerySet methods here; all writes are in actions."""

import datetime
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import ExpressionWrapper, F, Q
from django.db.models.functions import Coalesce, Left
from django.utils import timezone

from clinic.exact_json import ExactJSONField
from clinic.models import ClinicalModel, Episode, Program, User
from clinic.models.patients import ClinicalQuerySet
from clinic.models.record import Immutable
from intake.answers import Key, State
from intake.flag_reasons import reasons
from intake.flags import EMERGENCY, other_names
from intake.gated import without_texts
from intake.questionnaire import Questionnaire, load
from intake.results import Group, Kind, groups, kinds

_compiled: dict[str, Questionnaire] = {}


class InstrumentQuerySet(models.QuerySet):
    def current(self) -> Self:
        """The active version of each instrument: the one new responses are pinned to. Its content is read once a process."""
        return self.filter(active=True).order_by("code").defer("content")


class Instrument(models.Model):
    """One immutable version of a questionnaire, with its licence. Only the switch and the permission can be changed."""

    class Licence(models.TextChoices):
        PUBLIC_DOMAIN = "PUBLIC_DOMAIN", "Public domain"
        FREE_WITH_CREDIT = "FREE_WITH_CREDIT", "Free with credit"
        NONCOMMERCIAL = "NONCOMMERCIAL", "Free for non-commercial use"
        GATED = "GATED", "Only with recorded permission"
        OWN = "OWN", "Own wording"

    code = models.SlugField(max_length=40)
    url = models.CharField(max_length=200)
    version = models.CharField(max_length=20)
    title = models.CharField(max_length=160)
    content = ExactJSONField()
    sha256 = models.CharField(max_length=64)
    licence_status = models.CharField(max_length=20, choices=Licence)
    credit_line = models.TextField(blank=True)
    active = models.BooleanField(default=True, help_text="New intakes use this version.")
    permission_reference = models.CharField(max_length=200, blank=True)
    permission_date = models.DateField(null=True, blank=True)

    objects = InstrumentQuerySet.as_manager()

    # The web role may change these and nothing else (clinic/walls.py).
    MUTABLE_COLUMNS = ("active", "permission_reference", "permission_date")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["url", "version"], name="instrument_url_version"),
            models.UniqueConstraint(fields=["code"], condition=Q(active=True), name="one_active_version"),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.version})"

    @property
    def questionnaire(self) -> Questionnaire:
        """The compiled item tree, made once per content and process. Raises ValueError when the stored content was altered."""
        if self.sha256 not in _compiled:
            compiled = load(self.content)
            if compiled.sha256 != self.sha256:
                raise ValueError(f"The stored content of {self} does not have the hash it was released with.")
            _compiled[self.sha256] = compiled
        return _compiled[self.sha256]

    @property
    def may_show_items(self) -> bool:
        """A gated instrument shows no item until a permission is recorded and its wording is there."""
        return self.licence_status != self.Licence.GATED or (bool(self.permission_reference) and self.questionnaire.worded)

    @property
    def readable(self) -> Questionnaire:
        """The questionnaire as its answers are read: without the wording while the permission is missing."""
        return self.questionnaire if self.may_show_items else without_texts(self.questionnaire)


class Packet(Program):
    """Which questionnaires the intake of a program asks, in which order (Program.packet)."""

    class Meta:
        proxy = True
        verbose_name = "intake packet"


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


class FlagQuerySet(ClinicalQuerySet):
    def standing(self) -> Self:
        """All but the resolved and those entered in error, worst first; of equals, what endangers the person (SF) before what two
        medicines do together (IX).
        """
        standing = self.exclude(status__in=[Flag.Status.RESOLVED, Flag.Status.IN_ERROR])
        return standing.order_by("-severity", Left("rule_id", 2).desc(), "rule_id")

    def holding(self) -> Self:
        """The flags that hold whatever is no safety component, because their emergency evaluation is not recorded."""
        return self.standing().filter(rule_id=EMERGENCY, evaluated_at=None)

    def escalated(self) -> Self:
        """The critical ones that nobody has acknowledged within the minutes of their program, the longest waiting first.

        Computed when it is read: nobody's job has to run for it.
        """
        allowed = ExpressionWrapper(F("program__acknowledge_minutes") * datetime.timedelta(minutes=1), models.DurationField())
        waiting = self.filter(severity=Flag.Severity.CRITICAL, status=Flag.Status.OPEN, episode__closed_at=None)
        since = waiting.annotate(since=Coalesce("opened_at", "raised_at"))
        return since.filter(since__lt=timezone.now() - allowed).order_by("since", "id")

    def acknowledged_with(self, flag: "Flag") -> Self:
        """The open flags of the episode that tell the same finding by another name and are no graver."""
        names = other_names(flag.rule_id)
        return self.filter(episode=flag.episode_id, rule_id__in=names, status__in=Flag.ASKING, severity__lte=flag.severity)

    def compared(self) -> Self:
        """Those that what fires now is held against: one at most of each rule of an episode."""
        return self.exclude(status=Flag.Status.RESOLVED)


NO_LONGER = "It no longer fires. Acknowledge it, and it is resolved."


class Flag(ClinicalModel):
    """A safety flag or interaction that fired, with its proof. It stands until a named person has acted.

    What somebody did about it holds for the inputs it was done about: another value, and it is open again (intake/actions/flags.py).
    """

    class Severity(models.IntegerChoices):
        INFO = 1, "Info"
        MODERATE = 2, "Moderate"
        HIGH = 3, "High"
        CRITICAL = 4, "Critical"

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        OVERRIDDEN = "overridden", "Overridden"
        SNOOZED = "snoozed", "Put off"
        IN_ERROR = "in error", "Entered in error"
        RESOLVED = "resolved", "Resolved"

    # Nobody has acted on it yet: what is put off only waits.
    ASKING = (Status.OPEN, Status.SNOOZED)

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="flags")
    assessment = models.ForeignKey(
        Assessment, on_delete=models.PROTECT, related_name="flags", null=True, help_text="Empty while raised from a draft."
    )
    rule_id = models.CharField(max_length=10)
    name = models.CharField(max_length=120)
    severity = models.PositiveSmallIntegerField(choices=Severity)
    message = models.TextField()
    action = models.TextField()
    proof = ExactJSONField(help_text="Inputs with date and source, rule and content hash, citation, grade, what would clear it.")
    status = models.CharField(max_length=12, choices=Status, default=Status.OPEN)
    still_fires = models.BooleanField(default=True, help_text="False when an answer was changed since; it stands until somebody acts.")
    raised_at = models.DateTimeField()
    raised_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True)
    action_taken = models.TextField(blank=True)
    opened_at = models.DateTimeField(null=True, help_text="When it was opened again or became critical; empty: when it was raised.")
    opened_because = models.TextField(blank=True, db_default="", help_text="Which inputs changed, in words, when it was opened again.")
    decided_at = models.DateTimeField(null=True, help_text="When it was overridden, put off, or found to be entered in error.")
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, db_index=False)
    reason_code = models.CharField(max_length=40, blank=True, db_default="", help_text="One of intake/content/flag_reasons.yaml.")
    reason = models.TextField(blank=True, db_default="")
    snoozed_until = models.DateField(null=True, help_text="The day on which it asks again.")
    evaluated_at = models.DateTimeField(null=True, help_text="When the emergency evaluation that this flag asks for was recorded.")
    evaluated_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True)
    evaluation = models.TextField(blank=True)

    objects = FlagQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["program"], name="flag_critical_open", condition=Q(severity=4, status="open"))]
        constraints = [
            models.UniqueConstraint(fields=["episode", "rule_id"], condition=~Q(status="resolved"), name="one_standing_flag_per_rule"),
            models.CheckConstraint(
                condition=(Q(acknowledged_at=None, acknowledged_by=None) & ~Q(status="acknowledged"))
                | (Q(acknowledged_at__isnull=False, acknowledged_by__isnull=False) & ~Q(status__in=["open", "snoozed"])),
                name="flag_acknowledged_by_one",
            ),
            models.CheckConstraint(
                condition=(Q(decided_at=None, decided_by=None) & ~Q(status__in=["overridden", "snoozed", "in error"]))
                | (Q(decided_at__isnull=False, decided_by__isnull=False) & ~Q(status__in=["open", "acknowledged"])),
                name="flag_decided_by_one",
            ),
            models.CheckConstraint(
                condition=(Q(snoozed_until=None) & ~Q(status="snoozed"))
                | (Q(snoozed_until__isnull=False, status="snoozed") & ~Q(severity=4)),
                name="flag_put_off_until_a_day_never_critical",
            ),
            models.CheckConstraint(
                condition=Q(evaluated_at=None, evaluated_by=None, evaluation="")
                | (Q(evaluated_at__isnull=False, evaluated_by__isnull=False) & ~Q(evaluation="")),
                name="flag_evaluated_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.name}"

    def rank(self) -> tuple[int, bool, str]:
        """By which flags are sorted, as FlagQuerySet.standing has them."""
        return -self.severity, not self.rule_id.startswith("SF"), self.rule_id

    @property
    def severity_word(self) -> str:
        return self.Severity(self.severity).name.lower()

    @property
    def inputs(self) -> list[dict[str, str]]:
        """What it rests on: rows of label, value and origin."""
        return list(self.proof.get("inputs", ()))

    @property
    def medicines(self) -> list[str]:
        """The names of the medicines it rests on."""
        return list(self.proof.get("medicines", ()))

    @property
    def stands(self) -> bool:
        """As FlagQuerySet.standing has it."""
        return self.status not in (self.Status.RESOLVED, self.Status.IN_ERROR)

    def event(self, what: str, *, by: User, **said: Any) -> "FlagEvent":
        """What happens to it now, not saved yet, on the inputs as they are (or as `said`)."""
        return FlagEvent(
            program_id=self.program_id, patient_id=self.patient_id, flag=self, what=what, at=timezone.now(), by=by, severity=self.severity,
            **{"inputs": self.inputs} | said,
        )  # fmt: skip

    @property
    def unanswered(self) -> bool:
        """Whether nobody has acted on it yet."""
        return self.status in self.ASKING

    @property
    def decision_word(self) -> str:
        """What a clinician decided about it. Of the decided ones only the overridden are resolved later."""
        return self.Status.OVERRIDDEN.label if self.status == self.Status.RESOLVED else self.get_status_display()

    @property
    def reason_label(self) -> str:
        """The coded reason in words; empty without one."""
        found = reasons().get(self.reason_code)
        return found.label if found else ""

    @property
    def asks(self) -> bool:
        """Whether somebody is asked to act now: a flag that was put off asks again by itself on its day."""
        over = self.snoozed_until is not None and self.snoozed_until <= timezone.localdate()
        return self.status == self.Status.OPEN or (self.status == self.Status.SNOOZED and over)

    @property
    def waiting_since(self) -> datetime.datetime:
        return self.opened_at or self.raised_at

    @property
    def due_at(self) -> datetime.datetime | None:
        """By when it must be acknowledged; None for one that is not critical, or on which somebody has acted."""
        if self.severity != self.Severity.CRITICAL or not self.asks:
            return None
        return self.waiting_since + datetime.timedelta(minutes=self.program.acknowledge_minutes)

    @property
    def overdue(self) -> bool:
        """Whether it is escalated by now (FlagQuerySet.escalated)."""
        return self.due_at is not None and self.due_at < timezone.now()

    @property
    def waited(self) -> str:
        """How long nobody has acted on it: 42 min, 3 h 5 min, 2 d 4 h."""
        minutes = int((timezone.now() - self.waiting_since).total_seconds()) // 60
        hours, days = minutes // 60, minutes // (24 * 60)
        return f"{days} d {hours % 24} h" if days else f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"

    @property
    def asks_for_evaluation(self) -> bool:
        return self.rule_id == EMERGENCY

    def refuses(self, status: str) -> str:
        """Why a clinician cannot override it, put it off or enter it in error, as a sentence; empty when they can."""
        refusals = {
            self.Status.OVERRIDDEN: self._why_not_overridden,
            self.Status.SNOOZED: self._why_not_put_off,
            self.Status.IN_ERROR: self._why_not_in_error,
        }
        if self.status in (self.Status.RESOLVED, self.Status.IN_ERROR):
            return "This flag does not stand any more."
        return refusals[self.Status(status)]()

    def _why_not_overridden(self) -> str:
        if not self.still_fires:
            return NO_LONGER
        if self.severity == self.Severity.CRITICAL and self.acknowledged_at is None:
            return "A critical flag is acknowledged by a clinician first; then it can be overridden."
        return "It is overridden already." if self.status == self.Status.OVERRIDDEN else ""

    def _why_not_put_off(self) -> str:
        if self.severity == self.Severity.CRITICAL:
            return "A critical flag cannot be put off."
        if self.status == self.Status.SNOOZED:
            return "It was put off already, and can be put off once for the same answers. Acknowledge it or override it."
        if self.status != self.Status.OPEN:
            return "Somebody has acted on it already, so there is nothing to put off."
        return "" if self.still_fires else NO_LONGER

    def _why_not_in_error(self) -> str:
        return "The emergency evaluation is recorded first: it holds the plan until then." if self.holds else ""

    @property
    def holds(self) -> bool:
        """Whether this flag, as it stands, holds what is no safety component (FlagQuerySet.holding)."""
        return self.asks_for_evaluation and self.evaluated_at is None


class FlagEvent(Immutable, ClinicalModel):
    """One thing that happened to a flag after it was raised: by whom, when, why, and on which inputs it rested then."""

    class What(models.TextChoices):
        REOPENED = "reopened", "Opened again"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        OVERRIDDEN = "overridden", "Overridden"
        SNOOZED = "snoozed", "Put off"
        IN_ERROR = "in error", "Entered in error"
        EVALUATED = "evaluated", "Emergency evaluation recorded"
        RESOLVED = "resolved", "Resolved: it no longer fires"

    flag = models.ForeignKey(Flag, on_delete=models.PROTECT, related_name="events")
    what = models.CharField(max_length=12, choices=What)
    at = models.DateTimeField()
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    severity = models.PositiveSmallIntegerField(choices=Flag.Severity)
    reason_code = models.CharField(max_length=40, blank=True)
    reason = models.TextField(blank=True, help_text="What was done, or why, in words.")
    until = models.DateField(null=True, help_text="The day to which it was put off.")
    inputs = ExactJSONField(help_text="What the flag rested on then.")

    objects = ClinicalQuerySet.as_manager()

    class Meta:
        verbose_name = "event of a flag"

    def __str__(self) -> str:
        return f"{self.get_what_display()}, {self.at}"


class ResultQuerySet(ClinicalQuerySet):
    def of(self, episode: Episode) -> Self:
        """Every entry of the episode, newest first, with who entered it and `corrected_by_id`: the entry in its place, if any."""
        later = Result.objects.filter(corrects=models.OuterRef("pk")).values("pk")
        entries = self.filter(episode=episode).annotate(corrected_by_id=models.Subquery(later))
        return entries.select_related("by").order_by("-taken_at", "-id")

    def standing_of(self, episode: Episode) -> Self:
        """What was neither corrected nor withdrawn: of each kind (of a named one, of each name) what was taken last."""
        standing = self.of(episode).filter(corrected_by_id=None, withdrawn=False)
        return standing.order_by("code", "name", "-taken_at", "-id").distinct("code", "name")


class Result(Immutable, ClinicalModel):
    """One result, reading or outside score as somebody entered it. A wrong one is corrected, or withdrawn, by a later entry."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="results")
    code = models.SlugField(max_length=40, help_text="Which kind (intake/content/results.yaml).")
    name = models.CharField(max_length=80, blank=True, help_text="What it is called, where the kind does not say so.")
    value = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    choice = models.CharField(max_length=20, blank=True)
    taken_at = models.DateTimeField(help_text="When it was measured, or the sample taken.")
    source = models.CharField(max_length=200, blank=True)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    entered_at = models.DateTimeField()
    corrects = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="+", help_text="The entry it stands for.")
    withdrawn = models.BooleanField(default=False, help_text="It takes back what it corrects, and puts nothing in its place.")
    reason = models.CharField(max_length=300, blank=True, help_text="Why the earlier entry was wrong.")
    key = models.UUIDField(help_text="The idempotency key of the form it was entered with.")
    corrected_by_id: int | None  # asked for by `of`

    objects = ResultQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["episode", "code", "name", "-taken_at"], name="result_newest")]
        constraints = [
            models.UniqueConstraint(fields=["key", "code"], name="one_result_of_a_kind_per_form"),
            models.CheckConstraint(
                condition=Q(withdrawn=True, value=None, choice="", corrects__isnull=False)
                | Q(withdrawn=False, value=None) & ~Q(choice="")
                | Q(withdrawn=False, value__isnull=False, choice=""),
                name="result_has_a_value_or_is_withdrawn",
            ),
            models.CheckConstraint(
                condition=Q(corrects=None, reason="") | Q(corrects__isnull=False) & ~Q(reason=""), name="result_corrected_for_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title}: {self.said}"

    @property
    def kind(self) -> Kind:
        return kinds()[self.code]

    @property
    def group(self) -> Group:
        return groups()[self.kind.group]

    @property
    def title(self) -> str:
        return self.name or self.kind.short

    @property
    def given(self) -> Decimal | str | None:
        """The number, or the choice by its code; None for what is withdrawn."""
        return self.value if self.value is not None else self.choice or None

    @property
    def said(self) -> str:
        return "withdrawn" if self.withdrawn else self.kind.said(self.value, self.choice)

    @property
    def stands(self) -> bool:
        """Whether nothing has taken its place. Only for an entry that was read by `of`."""
        return self.corrected_by_id is None and not self.withdrawn


class MedicineQuerySet(models.QuerySet):
    def formulary(self) -> dict[str, list[str]]:
        """Every medicine in use with its classes."""
        return dict(self.filter(active=True).order_by("name").values_list("name", "classes"))


class Medicine(models.Model):
    """The formulary: a medicine and the interaction classes it belongs to."""

    name = models.CharField(max_length=80, unique=True)
    classes = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    active = models.BooleanField(default=True)

    objects = MedicineQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class RuleSettingQuerySet(models.QuerySet):
    def current(self) -> "dict[str, RuleSetting]":
        """The latest row of each rule or component that has one."""
        latest = self.order_by("rule_id", "-id").distinct("rule_id")
        return {row.rule_id: row for row in latest}  # type: ignore[attr-defined, misc]


class RuleSetting(Immutable):
    """A rule, component or parameter switched or set by somebody for a reason. Rows are only ever added; the latest counts."""

    rule_id = models.CharField(max_length=60)
    enabled = models.BooleanField(default=True)
    values = ExactJSONField(default=dict, blank=True)
    reason = models.CharField(max_length=300)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    objects = RuleSettingQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["rule_id", "-id"], name="rule_setting_latest")]
        verbose_name, verbose_name_plural = "rule setting", "rules: flags and interactions"

    def __str__(self) -> str:
        return f"{self.rule_id}: {'on' if self.enabled else 'off'}"
