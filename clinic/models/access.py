"""The two exceptions to what roles and care teams give: a chart opened in an emergency, and a chart closed to somebody."""

import datetime
import uuid
from typing import Self

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeOperators
from django.core.validators import MinLengthValidator
from django.db import models
from django.db.models import Count, F, Func, OuterRef, Q, Subquery
from django.db.models.functions import JSONObject, Length, Trim
from django.db.models.lookups import GreaterThanOrEqual
from django.utils import timezone

from clinic.models.patients import ClinicalModel, ClinicalQuerySet, Episode
from clinic.models.people import User
from clinic.models.record import AccessEvent, Change, Immutable

EMERGENCY_LASTS = datetime.timedelta(hours=4)
SHORTEST_REASON = 20  # characters


class BreakGlassQuerySet(ClinicalQuerySet):
    def standing(self, user: User) -> Self:
        """What this user opened and still holds: a grant ends by the clock, nobody has to end it."""
        return self.filter(user=user, until__gt=timezone.now())

    def waiting(self, user: User) -> Self:
        """What this user is to review: in reach, not reviewed yet, and opened by somebody else."""
        return self.visible_to(user, "break_glass.review").filter(reviewed_at=None).exclude(user=user)

    def how_many(self) -> Subquery:
        """The number of these as one column of another query."""
        counted = Func(F("pk"), function="count", output_field=models.IntegerField())
        return Subquery(self.order_by().values(how_many=counted))

    def with_use(self) -> Self:
        """`pages`: what its user opened of this patient's record meanwhile, as [{view, times}]; `entries`: how many rows they wrote."""
        when = {"user_id": OuterRef("user_id"), "at__range": (OuterRef("at"), OuterRef("until"))}
        patient = Func(OuterRef("patient_id"), template="ARRAY[%(expressions)s]", output_field=ArrayField(models.BigIntegerField()))
        read = AccessEvent.objects.filter(**when, patients__contains=patient, outcome=AccessEvent.Outcome.ALLOWED)
        opened = read.exclude(view="break_glass").values("view").annotate(times=Count("id")).order_by("-times", "view")
        written = Change.objects.filter(**when, patient_id=OuterRef("patient_id")).exclude(table=BreakGlass._meta.db_table)
        return self.annotate(
            pages=ArraySubquery(opened.values(one=JSONObject(view="view", times="times"))),
            entries=Subquery(written.values("patient_id").annotate(rows=Count("id")).values("rows")),
        )


class BreakGlass(Immutable, ClinicalModel):
    """A clinician off the care team opened this chart in an emergency. Written once, never extended; somebody else reviews it."""

    class Category(models.TextChoices):
        CRISIS = "crisis", "Danger to the person or to somebody else"
        MEDICAL = "medical", "Overdose, withdrawal or another medical emergency"
        TEAM_AWAY = "team away", "Urgent, and nobody of the care team can be reached"
        OTHER = "other", "Another emergency"

    class Outcome(models.TextChoices):
        APPROPRIATE = "appropriate", "Appropriate"
        NOT_APPROPRIATE = "not appropriate", "Not appropriate"

    MUTABLE_COLUMNS = ("reviewed_at", "reviewed_by_id", "outcome", "review_note")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    category = models.CharField(max_length=20, choices=Category)
    # Short enough to stand whole in the person's trail, with its category before it.
    reason = models.CharField(max_length=230, validators=[MinLengthValidator(SHORTEST_REASON)])
    at = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField()
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    outcome = models.CharField(max_length=20, choices=Outcome, blank=True)
    review_note = models.CharField(max_length=500, blank=True)

    objects = BreakGlassQuerySet.as_manager()

    class Meta:
        verbose_name = "emergency opening"
        constraints = [
            models.CheckConstraint(condition=Q(until=F("at") + EMERGENCY_LASTS), name="break_glass_lasts_four_hours"),
            models.CheckConstraint(condition=Q(GreaterThanOrEqual(Length(Trim("reason")), SHORTEST_REASON)), name="break_glass_says_why"),
            models.CheckConstraint(
                condition=Q(reviewed_at=None, reviewed_by=None, outcome="", review_note="")
                | (Q(reviewed_at__isnull=False, reviewed_by__isnull=False) & ~Q(outcome="") & ~Q(review_note="")),
                name="break_glass_reviewed_whole",
            ),
            models.CheckConstraint(condition=Q(reviewed_by=None) | ~Q(reviewed_by=F("user")), name="break_glass_reviewed_by_another"),
            # One at a time: a second click finds the first, and nobody extends what runs.
            ExclusionConstraint(
                name="break_glass_once_at_a_time",
                expressions=[
                    ("user", RangeOperators.EQUAL),
                    ("patient", RangeOperators.EQUAL),
                    (Func(F("at"), F("until"), function="tstzrange", output_field=DateTimeRangeField()), RangeOperators.OVERLAPS),
                ],
            ),
        ]
        indexes = [
            models.Index(fields=["user", "until"], name="break_glass_standing"),
            models.Index(fields=["program", "at"], condition=Q(reviewed_at=None), name="break_glass_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.get_category_display()}"


class ChartRestrictionQuerySet(ClinicalQuerySet):
    def standing(self) -> Self:
        return self.filter(ended_at=None)


class ChartRestriction(Immutable, ClinicalModel):
    """An explicit denial, which beats whatever a role allows: of everything to one person, or of the chart to all but its care team.

    Written once; ending it fills in the last three columns.
    """

    class Kind(models.TextChoices):
        TEAM_ONLY = "team only", "Only the care team opens this chart"
        OWN = "own chart", "It is this colleague's own chart"
        FAMILY = "family chart", "It is the chart of this colleague's family or household"
        OTHER = "other", "This colleague is to be kept out for another reason"

    MUTABLE_COLUMNS = ("ended_at", "ended_by_id", "ended_reason")

    kind = models.CharField(max_length=20, choices=Kind)
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")  # whom it keeps out
    reason = models.CharField(max_length=500)
    at = models.DateTimeField(default=timezone.now, editable=False)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    ended_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", editable=False)
    ended_reason = models.CharField(max_length=500, blank=True, editable=False)

    objects = ChartRestrictionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="team only", user=None) | (~Q(kind="team only") & Q(user__isnull=False)),
                name="chart_restriction_of_one_or_of_all",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="chart_restriction_says_why"),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_by=None, ended_reason="")
                | (Q(ended_at__isnull=False, ended_by__isnull=False) & ~Q(ended_reason="")),
                name="chart_restriction_ended_whole",
            ),
            # Also the way by which every page asks whether one stands.
            models.UniqueConstraint(
                fields=["patient", "user"], condition=Q(ended_at=None), nulls_distinct=False, name="chart_restriction_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.user or 'everybody else'}"
