"""What is configured: questionnaires with their licence, packets, the formulary, and the settings of rules."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from clinic.exact_json import ExactJSONField
from clinic.models import Program, User
from clinic.models.record import Immutable
from intake.gated import without_texts
from intake.questionnaire import Questionnaire, load

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
