"""Who did what: accesses, changes and disclosures. The web role can add to these tables at most, and never alter them."""

import datetime
from typing import Any, NoReturn

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import connection, models
from django.db.models.functions import TruncHour

from clinic.models.patients import ClinicalModel, ClinicalQuerySet, Patient
from clinic.models.people import User


class Immutable(models.Model):
    """A row that is written once. Python refuses with a sentence; the database refuses by privilege."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            self._refuse()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise TypeError(f"A {self._meta.verbose_name} is never changed or removed once it is written.")


class AccessQuerySet(models.QuerySet):
    def about(
        self, patient: Patient, outcome: str, *, user: User | None = None, since: datetime.datetime | None = None,
        until: datetime.datetime | None = None, before: int | None = None, most: int,
    ) -> list[int]:  # fmt: skip
        """The ids, newest first, of at most `most` rows that showed this patient's record, or were refused it.

        Of one user, from one moment to before another, below an id. None where the trail is out of reach of whoever acts.
        """
        wanted: list[Any] = [patient.pk, outcome, user and user.pk, since, until, before, most]
        with connection.cursor() as cursor:
            cursor.execute("SELECT steady_accesses_of(%s::bigint, %s, %s::bigint, %s, %s, %s::bigint, %s::int)", wanted)
            return [number for (number,) in cursor.fetchall()]

    def by_hour(self) -> models.QuerySet:
        """The same page opened again by the same person within the hour as one row: `hour`, `last`, `times`; latest first.

        A refusal, and whatever has a reason of its own, stays apart from what is not like it.
        """
        alike = ("user_id", "roles", "view", "action", "outcome", "reason")
        grouped = self.annotate(hour=TruncHour("at")).values("hour", *alike)
        counted = grouped.annotate(times=models.Count("id"), last=models.Max("at"), latest=models.Max("id"))
        return counted.order_by("-last", "-latest")


class AccessEvent(Immutable):
    """Somebody read, searched, exported or was refused. A list of patients is one event with all of them."""

    class Outcome(models.TextChoices):
        ALLOWED = "allowed"
        DENIED = "denied"

    at = models.DateTimeField(db_index=True)
    user = models.ForeignKey(User, on_delete=models.DO_NOTHING, null=True, related_name="+", db_constraint=False)
    roles = ArrayField(models.CharField(max_length=20), default=list)
    action = models.CharField(max_length=40)
    view = models.CharField(max_length=80)
    patients = ArrayField(models.BigIntegerField(), default=list)
    outcome = models.CharField(max_length=7, choices=Outcome, default=Outcome.ALLOWED)
    reason = models.CharField(max_length=300, blank=True)
    # The database's own number for it (clinic/seal/clock.py); 0 for what was written before there was one.
    transaction = models.BigIntegerField(db_default=0, editable=False)

    objects = AccessQuerySet.as_manager()

    class Meta:
        indexes = [
            GinIndex(fields=["patients"], name="access_event_patients"),
            models.Index(fields=["transaction", "id"], name="access_event_to_seal"),
        ]


class Change(models.Model):
    """One row changed, written by the database's own trigger (see migration `walls`), never by the application."""

    at = models.DateTimeField()
    user = models.ForeignKey(User, on_delete=models.DO_NOTHING, null=True, related_name="+", db_constraint=False)
    action = models.CharField(max_length=40)
    reason = models.CharField(max_length=300)
    database_role = models.CharField(max_length=63)
    transaction = models.BigIntegerField()
    table = models.CharField(max_length=63)
    row = models.BigIntegerField()
    program_id = models.BigIntegerField(null=True)
    patient_id = models.BigIntegerField(null=True)
    operation = models.CharField(max_length=6)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["patient_id", "-id"], name="change_of_patient_latest"),
            models.Index(fields=["transaction", "id"], name="change_to_seal"),
        ]

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("A change is written by the database alone.")

    delete = save


class Seal(Immutable):
    """What the record was at one moment, signed (clinic/seal/). Written by `manage.py seal_audit` alone; the web role reads it at most."""

    number = models.BigIntegerField(unique=True)
    at = models.DateTimeField()
    clock = models.BigIntegerField(help_text="The first number of a transaction that was not given out yet.")
    hash = models.CharField(max_length=64, help_text="The SHA-256 of the document.")
    document = models.TextField(help_text="Canonical JSON, exactly the bytes that were signed.")
    signature = models.CharField(max_length=128, help_text="Ed25519, in hex.")
    listed = models.BinaryField(help_text="Of each row under it the id (8 bytes) and the hash (32), by table and in their order.")


class Disclosure(Immutable, ClinicalModel):
    """Something left the record: what, to whom, why and on which basis (42 CFR 2.25, 45 CFR 164.528)."""

    class Basis(models.TextChoices):
        PATIENT_COPY = "patient copy", "The patient's own copy"
        CHART_COPY = "chart copy", "Paper copy that stays in this program's chart"

    at = models.DateTimeField()
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    what = models.CharField(max_length=120)
    sha256 = models.CharField(max_length=64)
    recipient = models.CharField(max_length=120)
    basis = models.CharField(max_length=20, choices=Basis)

    objects = ClinicalQuerySet.as_manager()
