"""Staff, programs, and which role a person holds in which program."""

import datetime
import uuid

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from clinic.access_table import ROLES


class Discipline(models.TextChoices):
    PHYSICIAN = "physician", "Physician"
    PRESCRIBER = "prescriber", "Prescriber (NP, PA)"
    NURSE = "nurse", "Nurse"
    THERAPIST = "therapist", "Therapist"
    COUNSELLOR = "counsellor", "Counsellor"
    PEER = "peer specialist", "Peer specialist"
    CASE_MANAGER = "case manager", "Case manager"
    PHARMACIST = "pharmacist", "Pharmacist"
    ALLIED = "allied", "Allied health"
    FRONT_DESK = "front desk", "Front desk"
    ADMINISTRATION = "administration", "Administration"


class User(AbstractUser):
    """A member of staff. What they may do follows from their memberships, never from `is_superuser`."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    discipline = models.CharField(max_length=30, choices=Discipline)
    credential = models.CharField(max_length=60, blank=True, help_text="As it is printed under a signature, e.g. MD, LCSW.")

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    @property
    def signature_name(self) -> str:
        return f"{self}, {self.credential}" if self.credential else str(self)

    def program_roles(self) -> list[tuple[int, str]]:
        """(program id, role) pairs, read once per user object, so once per request: a revoked role ends with the next one."""
        if not hasattr(self, "_program_roles"):
            if hasattr(self, "held_roles"):  # read with the user (clinic/backends.py)
                self._program_roles = [(held["program"], held["role"]) for held in self.held_roles]
            else:
                self._program_roles = list(self.memberships.values_list("program_id", "role")) if self.pk else []
        return self._program_roles


# FDA 29 Jul 2025; DEA notices of intent 1 Jul 2026. Whether an order has followed since was not checked.
LEGAL_NOTICE = (
    "On 1 July 2026 the DEA gave notice that it intends to put 7-OH above a threshold, mitragynine pseudoindoxyl, MGM-15 and MGM-16 "
    "into Schedule I for a time. Natural leaf is not part of it. Whether the order has been issued since, and what the state says, "
    "must be checked."
)
LEGAL_NOTICE_ON = datetime.date(2026, 7, 1)


class Program(models.Model):
    """A treatment program: the unit of assignment, of settings and of confidentiality (42 CFR Part 2)."""

    class CertifyingRole(models.TextChoices):
        NONE = "", "The author's signature is enough"
        PRESCRIBER = "prescriber", "A prescriber"
        SUPERVISOR = "supervisor", "A supervisor"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120, unique=True)
    initial_plan_days = models.PositiveSmallIntegerField(
        default=30, validators=[MinValueValidator(1), MaxValueValidator(90)],
        help_text="Days from opening the episode to the first signed plan: outpatient 30, intensive 7, residential 3, OTP 14.",
    )  # fmt: skip
    review_days = models.PositiveSmallIntegerField(
        default=90, validators=[MinValueValidator(1), MaxValueValidator(365)],
        help_text="Longest time to the next plan review: outpatient 90, intensive 30, residential 7 to 14.",
    )  # fmt: skip
    certifying_role = models.CharField(max_length=20, choices=CertifyingRole, blank=True, default=CertifyingRole.NONE)
    patient_signature_required = models.BooleanField(default=True)
    kratom_code_family = models.CharField(max_length=3, choices=[("F19", "F19 other psychoactive"), ("F11", "F11 opioid")], default="F19")
    crisis_text = models.TextField(
        default="Call or text 988 (Suicide & Crisis Lifeline) at any hour. In immediate danger call 911.",
        help_text="Shown wherever somebody reports thoughts of suicide.",
    )
    acknowledge_minutes = models.PositiveSmallIntegerField(
        default=30, db_default=30, validators=[MinValueValidator(5), MaxValueValidator(240)],
        help_text="Minutes in which a critical flag must be acknowledged; after that it is shown to the supervisors. 5 to 240.",
    )  # fmt: skip
    duty_phone = models.CharField(max_length=40, blank=True, help_text="The clinician on duty, shown on safety banners.")
    duty_team = models.ManyToManyField(
        User, blank=True, related_name="duty_programs", help_text="Joins the care team of every new patient."
    )
    packet = ArrayField(
        models.SlugField(max_length=40), default=list, db_default=[], blank=True,
        help_text="The questionnaires of an intake, in order, by code. Empty: the usual ones.",
    )  # fmt: skip
    legal_notice = models.TextField(
        blank=True, default=LEGAL_NOTICE, db_default=LEGAL_NOTICE, help_text="How kratom and 7-OH stand in law, shown beside their use."
    )
    legal_notice_on = models.DateField(default=LEGAL_NOTICE_ON, db_default=LEGAL_NOTICE_ON, help_text="The day on which that was true.")
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One role of one person in one program. A person may hold several."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    program = models.ForeignKey(Program, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=list(ROLES.items()))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "program", "role"], name="one_membership_per_role")]

    def __str__(self) -> str:
        return f"{self.user}: {ROLES.get(self.role, self.role)} in {self.program}"


