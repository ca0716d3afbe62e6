"""Safety flags and interactions that fired, and what happened to each."""

import datetime
import uuid
from typing import Any, Self

from django.db import models
from django.db.models import ExpressionWrapper, F, Q
from django.db.models.functions import Coalesce, Left
from django.utils import timezone

from clinic.exact_json import ExactJSONField
from clinic.models import ClinicalModel, Episode, User
from clinic.models.patients import ClinicalQuerySet
from clinic.models.record import Immutable
from intake.flag_reasons import reasons
from intake.flags import EMERGENCY, other_names
from intake.models.assessments import Assessment


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
