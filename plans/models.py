"""What is suggested, decided and signed. A draft is edited; a signed version is a row that nobody can alter."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Exists, Q, QuerySet

from clinic.exact_json import ExactJSONField
from clinic.models import CareTeamMember, ChartRestriction, ClinicalModel, Episode, Membership, User
from clinic.models.patients import ClinicalQuerySet
from clinic.models.people import Discipline
from clinic.models.record import Immutable
from intake.models import Assessment, RuleSetting


def staff_of(record: ClinicalModel) -> QuerySet[User]:
    """Who can do what a plan asks: active, with a role in the program of this row, and not kept out of its patient's chart."""
    members = Membership.objects.filter(program_id=record.program_id).values("user_id")
    closed = ChartRestriction.objects.standing().filter(patient_id=record.patient_id)
    team = CareTeamMember.objects.filter(patient_id=record.patient_id, ended_at=None).values("user_id")
    staff = User.objects.filter(is_active=True, pk__in=members).exclude(pk__in=closed.exclude(user=None).values("user_id"))
    return staff.filter(~Exists(closed.filter(user=None)) | Q(pk__in=team))


class PlanQuerySet(ClinicalQuerySet):
    def open_of(self, episode: Episode) -> "Plan | None":
        """The draft of the episode, if one is being written."""
        return self.filter(episode=episode, status=Plan.Status.DRAFT).first()  # type: ignore[return-value]


class Plan(ClinicalModel):
    """One treatment plan being written. Signing freezes it into a SignedPlan; a later change is a new Plan with the next number."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        SIGNED = "signed", "Signed"
        SUPERSEDED = "superseded", "Superseded"

    class PatientSignature(models.TextChoices):
        PENDING = "", "Not yet asked"
        SIGNED = "signed", "Signed on paper or tablet, in the clinic"
        DECLINED = "declined", "Declined to sign"
        ABSENT = "absent", "Could not sign today"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="plans")
    assessment = models.ForeignKey(Assessment, on_delete=models.PROTECT, related_name="plans")
    number = models.PositiveIntegerField(help_text="1 for the first plan of the episode.")
    status = models.CharField(max_length=12, choices=Status, default=Status.DRAFT)
    provisional = models.BooleanField(help_text="Drafted from an unfinished intake; said on every page and on paper.")
    suggestions = ExactJSONField(help_text="What was suggested when the plan was drafted, each with its reasons.")
    undecided = ExactJSONField(default=list, help_text="Components that could not be told yet, and what to ask.")
    discharge_criteria = models.TextField(blank=True)
    review_on = models.DateField(null=True, blank=True)
    patient_signature = models.CharField(max_length=10, choices=PatientSignature, blank=True, default=PatientSignature.PENDING)
    patient_signature_reason = models.CharField(max_length=300, blank=True)
    changed_since_patient_signed = models.BooleanField(
        default=False, help_text="The patient had signed; the plan was changed since, so they are asked again."
    )
    copy_offered = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=1, help_text="Goes up with every write; a stale one is refused.")
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")

    objects = PlanQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["episode"], condition=Q(status="draft"), name="one_draft_plan"),
            models.UniqueConstraint(fields=["episode", "number"], name="plan_number"),
        ]

    def __str__(self) -> str:
        return f"Plan {self.number}"


class PlanRow(ClinicalModel):
    """A part of a draft plan, with the author of its last change and its version."""

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)
    removed = models.BooleanField(default=False, help_text="Taken out of the draft; kept for the record.")

    class Meta:
        abstract = True


class Component(PlanRow):
    """One component of the library in this plan and what was decided about it."""

    class Decision(models.TextChoices):
        OPEN = "open", "Not decided yet"
        ACCEPTED = "accepted", "Accepted"
        NOT_NOW = "not now", "Not now"
        DECLINED = "declined", "Declined"

    class Tier(models.TextChoices):
        TODAY = "today", "Today"
        CORE = "core", "Core"
        CONSIDER = "consider", "Consider"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="components")
    component_id = models.CharField(max_length=10)
    name = models.CharField(max_length=120)
    suggested = models.BooleanField(help_text="False when a clinician added it.")
    tier = models.CharField(max_length=10, choices=Tier)
    suggestion = ExactJSONField(default=dict, help_text="Because, contraindications, citation, grade, flags it answers.")
    decision = models.CharField(max_length=10, choices=Decision, default=Decision.OPEN)
    note = models.TextField(blank=True, help_text="How it is adapted to this person.")
    reason = models.CharField(max_length=500, blank=True, help_text="Why it was declined, where a reason is asked.")
    remark = models.CharField(max_length=120, blank=True, help_text="Why it stands here though the newest assessment does not suggest it.")
    reopened = models.TextField(blank=True, help_text="What was decided before and why that is asked anew; empty once it is decided.")

    hold = False  # plans.tree.weigh: SF-01 stands and its emergency evaluation is not recorded. A mark, no lock; never stored.

    class Meta:
        constraints = [models.UniqueConstraint(fields=["plan", "component_id"], name="component_once_in_a_plan")]


class Problem(PlanRow):
    """What the plan answers: an assessed finding, linked to the score, answer or flag it came from."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="problems")
    title = models.CharField(max_length=200)
    source = models.CharField(max_length=200, help_text="Instrument and score, or flag, e.g. SUD-11: 5, moderate.")
    position = models.PositiveSmallIntegerField(default=0)


class Goal(PlanRow):
    """Where the person wants to be: their own words, and a number that can be measured by a date."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="goals")
    problem = models.ForeignKey(Problem, on_delete=models.PROTECT, related_name="goals")
    component = models.ForeignKey(Component, on_delete=models.PROTECT, null=True, blank=True, related_name="goals")
    template_text = models.TextField(blank=True, help_text="The library's wording, for comparison: the goal must differ from it.")
    text = models.TextField()
    patient_words = models.TextField(blank=True)
    measure = models.CharField(max_length=120, blank=True, help_text="What is counted, e.g. PHQ-9 total.")
    baseline = models.DecimalField(max_digits=8, decimal_places=2, null=True, blank=True)
    target = models.DecimalField(max_digits=8, decimal_places=2, null=True, blank=True)
    target_date = models.DateField(null=True, blank=True)


class Objective(PlanRow):
    """A step towards a goal."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="objectives")
    goal = models.ForeignKey(Goal, on_delete=models.PROTECT, related_name="objectives")
    text = models.TextField()


class Intervention(PlanRow):
    """What somebody does, how often, for how long, from when, and when it is looked at again."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="interventions")
    objective = models.ForeignKey(Objective, on_delete=models.PROTECT, related_name="interventions")
    component = models.ForeignKey(Component, on_delete=models.PROTECT, null=True, blank=True, related_name="interventions")
    text = models.TextField()
    discipline = models.CharField(max_length=30, choices=Discipline, blank=True)
    responsible = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    frequency = models.CharField(max_length=120, blank=True)
    duration = models.CharField(max_length=120, blank=True)
    start_on = models.DateField(null=True, blank=True)
    review_on = models.DateField(null=True, blank=True)


class GivenReasons(models.Manager.from_queryset(ClinicalQuerySet)):  # type: ignore[misc]
    """Reasons without those that were withdrawn: a withdrawn reason counts for nothing and is signed with nothing."""

    def get_queryset(self) -> ClinicalQuerySet:
        return super().get_queryset().filter(removed=False)


class Deferral(PlanRow):
    """A clinical finding the plan does not answer (PV-1, PV-4, PV-6), and the documented reason."""

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="deferrals")
    rule = models.CharField(max_length=10)
    subject = models.CharField(max_length=40, blank=True, help_text="The flag's rule for PV-1.")
    reason = models.CharField(max_length=500)

    objects = GivenReasons()
    with_withdrawn = ClinicalQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["plan", "rule", "subject"], name="one_reason_per_finding")]


class SignedPlanQuerySet(ClinicalQuerySet):
    def in_force(self, episode: Episode) -> "SignedPlan | None":
        """The newest signed version of the episode."""
        return self.filter(episode=episode).order_by("-number").first()  # type: ignore[return-value]

    def history(self, episode: Episode) -> Self:
        return self.filter(episode=episode).order_by("-number")


class SignedPlan(Immutable, ClinicalModel):
    """A plan as it was signed: canonical JSON with texts and versions, and its SHA-256. The web role can add rows and nothing else."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    plan = models.OneToOneField(Plan, on_delete=models.PROTECT, related_name="signed")
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="signed_plans")
    number = models.PositiveIntegerField()
    supersedes = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+")
    document = models.TextField(help_text="Canonical JSON, exactly the bytes that were hashed.")
    sha256 = models.CharField(max_length=64)
    signed_at = models.DateTimeField()
    key = models.UUIDField(unique=True, help_text="The idempotency key of the signature.")

    objects = SignedPlanQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["episode", "number"], name="signed_number")]


class Signature(Immutable, ClinicalModel):
    """Who signed which document, in which capacity, when. Its own hash binds all of it."""

    class Meaning(models.TextChoices):
        AUTHOR = "author", "Author of the plan"
        CERTIFIER = "certifier", "Reviewed and certified"

    signed_plan = models.ForeignKey(SignedPlan, on_delete=models.PROTECT, related_name="signatures")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=200)
    credential = models.CharField(max_length=60, blank=True)
    discipline = models.CharField(max_length=30)
    meaning = models.CharField(max_length=10, choices=Meaning)
    at = models.DateTimeField()
    sha256 = models.CharField(max_length=64)

    objects = ClinicalQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["signed_plan", "meaning"], name="one_signature_per_meaning")]


class HandoutGiven(Immutable, ClinicalModel):
    """A handout somebody gave to the patient, and the hash of the text as it was that day. Given again is another row."""

    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="handouts_given")
    handout = models.SlugField(max_length=40)
    title = models.CharField(max_length=80)
    sha256 = models.CharField(max_length=64)
    at = models.DateTimeField()
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    key = models.UUIDField(unique=True, help_text="The idempotency key of the giving.")

    objects = ClinicalQuerySet.as_manager()


class ComponentSetting(RuleSetting):
    """The same rows of settings, for components of the library; their ids never meet those of rules."""

    class Meta:
        proxy = True
        verbose_name, verbose_name_plural = "component setting", "components of the plan"
