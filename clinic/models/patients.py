"""Patients, their episodes of care and the people who look after them."""

import datetime
import uuid
from typing import Any, Self

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import F, Q, Transform
from django.db.models.expressions import RawSQL
from django.db.models.functions import Lower, NullIf
from django.utils import timezone

from clinic import workflow
from clinic.models.people import Program, User
from clinic.names import one_slip_from, record_number
from clinic.permissions import not_denied, scope, ways


class ClinicalQuerySet(models.QuerySet):
    """Reads of clinical rows. A view never reads one in any other way."""

    def visible_to(self, user: User, action: str, *, full: bool = False) -> Self:
        """The rows this user may reach for this action; out of scope is the same as absent. `full`: with every field."""
        return self.filter(scope(user, action, full=full))


class ClinicalModel(models.Model):
    """A row about one patient. It carries program and patient, so that every wall can be drawn on the row itself."""

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="+")
    patient = models.ForeignKey("clinic.Patient", on_delete=models.PROTECT, related_name="+")

    objects = ClinicalQuerySet.as_manager()

    class Meta:
        abstract = True


class DoubleMetaphone(Transform):
    """How a name sounds (Philips 2000), through PostgreSQL's fuzzystrmatch: `legal_last_name__sound`. Empty without Latin letters."""

    function = "dmetaphone"
    lookup_name = "sound"
    output_field = models.CharField()


models.CharField.register_lookup(DoubleMetaphone)
models.CharField.register_lookup(Lower)
WORDS = 4  # of a search; more narrow nothing down
NAMES = ("legal_last_name", "legal_first_name", "preferred_name")


def _sound(name: str) -> NullIf:
    """What a name must sound like; a name without a sound is like no other."""
    return NullIf(DoubleMetaphone(models.Value(name)), models.Value(""))


def _named(beginning: str | None, sounding: str | None, spelled: list[str]) -> Q:
    """A name begins, sounds or is spelled so, among the patients in reach of whoever acts (by index: clinic/row_security.py)."""
    return Q(pk__in=RawSQL("SELECT steady_patients_named(%s::text, %s::text, %s::text[])", (beginning, sounding, spelled)))


def _any_name(lookup: str, value: Any, prefix: str) -> Q:
    """True when one of the patient's names answers to it."""
    return Q(*[(f"{prefix}{name}__{lookup}", value) for name in NAMES], _connector=Q.OR)


def _begins(text: str, prefix: str = "") -> Q:
    """Each word begins a name of the patient, in any order."""
    words = text.lower().split()[:WORDS]
    return Q(*[_any_name("lower__startswith", word, prefix) for word in words])


def _alike(word: str) -> Q:
    """A name begins with the word, sounds like it, or is one slip of the fingers away."""
    return _named(word, word if len(word) >= 3 else None, one_slip_from(word))


class PatientQuerySet(ClinicalQuerySet):
    def visible_to(self, user: User, action: str, *, full: bool = False) -> Self:
        return self.filter(scope(user, action, full=full, patient="id"))

    def named(self, text: str) -> Self:
        """Whose names begin with, sound like or are one slip of the fingers away from each word, in any order: every way has its index."""
        return self.filter(*[_alike(word) for word in text.lower().split()[:WORDS]])

    def sounding_like(self, *, program: Program, last_name: str, birth_date: datetime.date) -> Self:
        """Possible duplicates in the program: a like-sounding last name, born within a year or on a swapped day and month."""
        near = Q(birth_date__range=(birth_date - datetime.timedelta(366), birth_date + datetime.timedelta(366)))
        same_day = Q(birth_date__day=birth_date.day, birth_date__month=birth_date.month)
        swapped = Q(birth_date__year=birth_date.year, birth_date__day=birth_date.month, birth_date__month=birth_date.day)
        alike = Q(legal_last_name__sound=_sound(last_name)) | Q(legal_last_name__lower=last_name.lower())
        some_name = _named(None, last_name, [last_name.lower()])
        found = self.filter(some_name, near | same_day | swapped, alike, program=program)
        return found.order_by("legal_last_name", "legal_first_name")[:10]


class Patient(models.Model):
    """A person in one program. Crossing programs is a disclosure, so the same person elsewhere is another row."""

    class Sex(models.TextChoices):
        FEMALE = "F", "Female"
        MALE = "M", "Male"
        OTHER = "X", "Intersex or another"
        UNKNOWN = "U", "Not known"

    class Contact(models.TextChoices):
        PHONE = "phone", "Phone call"
        TEXT = "text", "Text message"
        EMAIL = "email", "E-mail"
        MAIL = "mail", "Letter"
        IN_PERSON = "in person", "Only in person"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="patients")
    record_number = models.CharField(max_length=12, unique=True, editable=False)
    legal_first_name = models.CharField(max_length=80)
    legal_last_name = models.CharField(max_length=80)
    preferred_name = models.CharField(max_length=80, blank=True)
    birth_date = models.DateField()
    sex_at_birth = models.CharField(max_length=1, choices=Sex)
    gender = models.CharField(max_length=60, blank=True)
    pronouns = models.CharField(max_length=40, blank=True)
    language = models.CharField(max_length=60, default="English")
    interpreter_needed = models.BooleanField(default=False)
    phone = models.CharField(max_length=40, blank=True)
    email = models.EmailField(blank=True)
    address = models.CharField(max_length=200, blank=True)
    preferred_contact = models.CharField(max_length=12, choices=Contact, default=Contact.PHONE)
    safe_to_call = models.BooleanField(default=False)
    safe_to_leave_message = models.BooleanField(default=False)
    safe_to_text = models.BooleanField(default=False)
    safe_to_email = models.BooleanField(default=False)
    safe_to_mail = models.BooleanField(default=False)
    contact_note = models.CharField(max_length=200, blank=True)
    emergency_name = models.CharField(max_length=120, blank=True)
    emergency_relation = models.CharField(max_length=60, blank=True)
    emergency_phone = models.CharField(max_length=40, blank=True)
    emergency_knows = models.BooleanField(default=False, help_text="This person knows about the treatment and may be told.")
    registered_at = models.DateTimeField(default=timezone.now, editable=False)
    registered_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", editable=False)
    registration_key = models.UUIDField(unique=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = PatientQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index("program", DoubleMetaphone(F("legal_last_name")), name="patient_last_name_sound"),
            *[models.Index(OpClass(Lower(column), "text_pattern_ops"), name=f"{column[:15]}_begins") for column in NAMES],
            *[models.Index(DoubleMetaphone(F(column)), name=f"{column[:15]}_sound") for column in NAMES],
        ]

    def __str__(self) -> str:
        return self.record_number

    @property
    def legal_name(self) -> str:
        return f"{self.legal_first_name} {self.legal_last_name}"

    @property
    def display_name(self) -> str:
        """The name to say aloud, with the legal last name so that nobody is mistaken for another."""
        return f"{self.preferred_name or self.legal_first_name} {self.legal_last_name}"

    def age_on(self, day: datetime.date) -> int:
        """Whole years on that day."""
        before_birthday = (day.month, day.day) < (self.birth_date.month, self.birth_date.day)
        return day.year - self.birth_date.year - before_birthday

    @property
    def age(self) -> int:
        return self.age_on(timezone.localdate())


MOST_ACUTE = ("-acuity", F("next_due_at").asc(nulls_last=True), "-opened_at", "-id")


class EpisodeQuerySet(ClinicalQuerySet):
    def caseload(self, user: User, limit: int) -> Self:
        """Open episodes in this user's reach, most acute first, then what is due soonest: the front door, one query.

        Holds at least the first `limit`. Each way of reaching one is walked by its own index, so that a page costs the same in a clinic
        of any size.
        """
        open_ = self.filter(not_denied(user)).exclude(stage=workflow.CLOSED)
        walks = [open_.filter(way).order_by(*MOST_ACUTE)[:limit].values("pk") for way in ways(user, "chart.view")]
        reached = walks[0].union(*walks[1:]) if walks else self.none().values("pk")
        return self.filter(pk__in=reached).with_reach(user).select_related("patient").order_by(*MOST_ACUTE)

    def with_reach(self, user: User) -> Self:
        """How this user comes to each, which decides what they may do there (permissions.reaches).

        `on_team`: they are on its care team now. `restricted`: only the care team opens this chart. `emergency_until`: till when this
        user opened it in an emergency.
        """
        from clinic.models.access import BreakGlass, ChartRestriction

        here = {"patient_id": models.OuterRef("patient_id")}
        return self.annotate(
            on_team=models.Exists(CareTeamMember.objects.filter(user=user, ended_at=None, **here)),
            restricted=models.Exists(ChartRestriction.objects.standing().filter(user=None, **here)),
            emergency_until=models.Subquery(BreakGlass.objects.standing(user).filter(**here).values("until")[:1]),
        )

    def looked_for(self, text: str) -> Self:
        """Of the patient with this record number, or with these names; `alike` where a name is only like what was looked for."""
        if number := record_number(text):
            return self.filter(patient__record_number=number).annotate(alike=models.Value(False))
        alike = ~models.ExpressionWrapper(_begins(text, "patient__"), output_field=models.BooleanField())
        found = self.filter(patient__in=Patient.objects.named(text)).annotate(alike=alike)
        return found.order_by("alike", "patient__legal_last_name", "patient__legal_first_name", "-opened_at")


class Episode(ClinicalModel):
    """One episode of care. Its summary columns are written by later stages through clinic.actions, and only read here."""

    class Referral(models.TextChoices):
        SELF = "self", "Called or came by themselves"
        FAMILY = "family", "Family or friend"
        PRIMARY_CARE = "primary care", "Primary care"
        EMERGENCY = "emergency", "Emergency department or hospital"
        BEHAVIORAL = "behavioral health", "Therapist or behavioral health"
        COURT = "court", "Court or probation"
        OTHER = "other", "Other"

    class Acuity(models.IntegerChoices):
        NONE = 0, "No open flag"
        INFO = 1, "Info"
        MODERATE = 2, "Moderate"
        HIGH = 3, "High"
        CRITICAL = 4, "Critical"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="episodes")
    referral_source = models.CharField(max_length=20, choices=Referral)
    presenting_reason = models.TextField(max_length=2000)
    opened_at = models.DateTimeField(default=timezone.now, editable=False)
    opened_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", editable=False)
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)
    stage = models.CharField(max_length=20, choices=workflow.STAGES, default=workflow.REGISTERED, editable=False)
    acuity = models.PositiveSmallIntegerField(choices=Acuity, default=Acuity.NONE, editable=False)
    acuity_reason = models.CharField(max_length=200, blank=True, editable=False)
    unacknowledged = models.PositiveSmallIntegerField(default=0, editable=False)
    next_due_at = models.DateField(null=True, blank=True, editable=False)
    next_due_what = models.CharField(max_length=120, blank=True, editable=False)
    score_summary = models.JSONField(default=dict, editable=False)

    objects = EpisodeQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                F("program"), F("acuity").desc(), F("next_due_at").asc(nulls_last=True), F("opened_at").desc(), F("id").desc(),
                name="episode_caseload", condition=~Q(stage="closed"),
            ),
        ]  # fmt: skip
        constraints = [
            models.CheckConstraint(
                condition=Q(stage="closed", closed_at__isnull=False) | (~Q(stage="closed") & Q(closed_at=None)),
                name="closed_episode_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"Episode {self.public_id}"

    @property
    def acuity_word(self) -> str:
        """critical, high, moderate, info or an empty string, as templates/components/severity.html takes it."""
        return self.Acuity(self.acuity).name.lower() if self.acuity else ""


class CareTeamMember(ClinicalModel):
    """Somebody on the care team of an episode, from one moment to another."""

    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="care_team")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="care_teams")
    joined_at = models.DateTimeField(default=timezone.now, editable=False)
    joined_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["episode", "user"], condition=Q(ended_at=None), name="once_on_a_care_team"),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_by=None) | Q(ended_at__isnull=False, ended_by__isnull=False),
                name="care_team_ended_by_somebody",
            ),
        ]
        indexes = [models.Index(fields=["user", "patient"], condition=Q(ended_at=None), name="care_team_now")]

    def __str__(self) -> str:
        return f"{self.user} on {self.episode}"
