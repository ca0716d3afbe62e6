"""Results, readings and outside scores as somebody entered them."""

import uuid
from decimal import Decimal
from typing import Self

from django.db import models
from django.db.models import Q

from clinic.models import ClinicalModel, Episode, User
from clinic.models.patients import ClinicalQuerySet
from clinic.models.record import Immutable
from intake.results import Group, Kind, groups, kinds


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
