"""Load the demo clinic: two programs, staff of every role, and six invented people at different stages. Run again, it adds nothing."""

import datetime
import uuid
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from clinic import actions as clinic_actions
from clinic.access_table import ROLES
from clinic.accounts import DEMO_SUFFIX
from clinic.models import BreakGlass, Episode, Membership, Patient, Program, User
from clinic.transaction import acting
from intake import actions as intake_actions
from intake.answers import Answer, Key
from intake.models import Assessment, Flag, Instrument
from intake.packet import instruments
from plans import actions as plan_actions
from plans import signing
from plans.findings import findings
from plans.models import Component, Plan
from plans.people import Invented, people
from plans.thread import gaps
from plans.tree import plan_view, read

PASSWORD = "steady demo clinic"  # noqa: S105 public on purpose: production refuses every demo log-in
NAMESPACE = uuid.UUID("5f0f5f3e-6a35-4c86-9a70-3f4a8a1f7c11")
PROGRAMS = ("Riverside Outpatient", "Hillside Residential")
STAFF = {  # role: (first name, last name, discipline, credential)
    "intake": ("Ines", "Moreau", "front desk", ""),
    "peer": ("Pat", "Doyle", "peer specialist", "CPS"),
    "case_manager": ("Carla", "Nguyen", "case manager", "BSW"),
    "counsellor": ("Cole", "Ferreira", "therapist", "LCSW"),
    "nurse": ("Nora", "Singh", "nurse", "RN"),
    "prescriber": ("Priya", "Raman", "physician", "MD"),
    "supervisor": ("Sam", "Okafor", "physician", "MD"),
    "privacy_auditor": ("Ada", "Keller", "administration", ""),
    "content_editor": ("Eli", "Novak", "pharmacist", "PharmD"),
    "sys_admin": ("Sys", "Admin", "administration", ""),
}
ELSEWHERE = {  # (user name, role) in the second program
    ("hillside", "intake"): ("Hanna", "Brandt", "front desk", ""),
    ("hillside-prescriber", "prescriber"): ("Owen", "Achebe", "physician", "MD"),
}
NIGHT = ("Nuria", "Costa", "nurse", "RN")  # on no care team
TEAM = ("case_manager", "counsellor", "nurse", "prescriber", "peer")
# Which of the six has come how far.
STAGES = {"V1": "submitted", "V2": "planning", "V3": "submitted", "V4": "draft", "V5": "signed", "V6": "submitted"}
DRAFTED = ("asq", "phq9")  # what V4 has answered so far


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("The demo is loaded only with STEADY_DEMO=1: its log-ins have a public password.")
        if not Instrument.objects.exists():
            raise CommandError("There are no questionnaires yet. Run load_content first.")
        programs = [Program.objects.get_or_create(name=name)[0] for name in PROGRAMS]
        staff = {role: _staff(role, programs[0]) for role in STAFF}
        for (name, role), person in ELSEWHERE.items():
            _staff(role, programs[1], name, person)
        night = _staff("nurse", programs[0], "night-nurse", NIGHT)
        programs[0].duty_team.set([staff["nurse"], staff["prescriber"]])
        for code, invented in people().items():
            self.stdout.write(f"  {invented.person['first_name']} {invented.person['last_name']}: {STAGES[code]}")
            _Journey(invented, programs[0], staff, night).go(STAGES[code])
        self.stdout.write(f"\nDemo log-ins, all with the password “{PASSWORD}”:")
        for role, user in staff.items():
            self.stdout.write(f"  {user.username:<24} {ROLES[role]}")
        self.stdout.write(f"  {night.username:<24} Nurse on no care team, who opened one chart in an emergency")


def _staff(role: str, program: Program, name: str = "", person: tuple[str, str, str, str] | None = None) -> User:
    """One member of staff per role, as `<role>.demo`; or another one under that name."""
    first, last, discipline, credential = person or STAFF[role]
    username = f"{name or role.replace('_', '-')}{DEMO_SUFFIX}"
    user = User.objects.filter(username=username).first()
    if user is None:
        user = User.objects.create_user(
            username, f"{username}@example.org", PASSWORD, first_name=first, last_name=last, discipline=discipline,
            credential=credential, is_staff=role in ("sys_admin", "content_editor", "supervisor"),
        )  # fmt: skip
    Membership.objects.get_or_create(user=user, program=program, role=role)
    return user


class _Journey:
    """One invented person taken through the clinic by the same actions the pages use."""

    def __init__(self, invented: Invented, program: Program, staff: dict[str, User], night: User) -> None:
        self.invented, self.program, self.staff, self.night = invented, program, staff, night
        self.now = timezone.localtime()

    def key(self, what: str) -> uuid.UUID:
        """The same key at every run, so that running again finds what is there."""
        return uuid.uuid5(NAMESPACE, f"{self.invented.code} {what}")

    @transaction.atomic
    def go(self, stage: str) -> None:
        """The whole way or none of it, so that a load that was broken off is made whole by the next one."""
        with acting(self.staff["intake"], "patient.search"):  # nobody would find nobody
            if Patient.objects.filter(registration_key=self.key("registration")).exists():
                return
        try:
            episode = self.register()
        except clinic_actions.KeyUsed:  # there, and restricted since: the clerk sees it no more
            return
        self.answer(episode, DRAFTED if stage == "draft" else tuple(self.invented.answers))
        if stage == "draft":
            return self.emergency(episode)
        with acting(self.staff["nurse"], "intake.submit"):
            assessment = intake_actions.submit(by=self.staff["nurse"], episode=episode, key=self.key("submit"))
        if stage in ("planning", "signed"):
            self.plan(episode, assessment, whole=stage == "signed")

    def emergency(self, episode: Episode) -> None:
        """So that one chart opened in an emergency waits for its review."""
        with acting(self.night, "break_glass.invoke"):
            clinic_actions.break_glass(
                by=self.night, episode=episode, category=BreakGlass.Category.TEAM_AWAY,
                reason="His sister rang at night: he is restless and says he cannot go on. Nobody of the team picks up.",
            )  # fmt: skip

    def register(self) -> Episode:
        person = self.invented.person
        born = self.now.date().replace(day=1) - datetime.timedelta(days=round(person["age"] * 365.25) + 45)
        patient = {
            "legal_first_name": person["first_name"], "legal_last_name": person["last_name"], "birth_date": born,
            "sex_at_birth": person["sex"], "pronouns": person["pronouns"], "phone": "555 0100", "safe_to_call": True,
        }  # fmt: skip
        clerk = self.staff["intake"]
        with acting(clerk, "patient.register"):
            episode = clinic_actions.register_patient(
                by=clerk, program=self.program, patient=patient, key=self.key("registration"),
                episode={"referral_source": person["referral"], "presenting_reason": person["reason"]},
            )  # fmt: skip
        supervisor = self.staff["supervisor"]
        with acting(supervisor, "care_team.assign"):
            for role in TEAM:
                clinic_actions.join_care_team(by=supervisor, episode=episode, user=self.staff[role])
        return episode

    def answer(self, episode: Episode, codes: tuple[str, ...]) -> None:
        for code in codes:
            by = self.staff["nurse" if instruments()[code].filled_by == "clinician" else "intake"]
            answers: dict[Key, Answer] = self.invented.filled(code, self.now)
            with acting(by, "intake.edit"):
                intake_actions.save_answers(
                    by=by, episode=episode, instrument=Instrument.objects.get(code=code, active=True), answers=answers, versions={}
                )

    def plan(self, episode: Episode, assessment: Assessment, *, whole: bool) -> None:
        by = self.staff["prescriber"]
        with acting(by, "plan.edit"):
            plan = plan_actions.draft_plan(by=by, episode=episode, assessment=assessment)
            self.problems(plan, whole)
        if whole:
            for flag in Flag.objects.filter(episode=episode).standing():
                with acting(by, "flag.acknowledge"):
                    intake_actions.acknowledge(by=by, flag=flag, action_taken="Talked it through with her; see the plan.")
            with acting(by, "plan.sign"):
                signing.sign(by=by, plan=plan, key=self.key("sign"), seen=signing.fingerprint(plan))

    def problems(self, plan: Plan, whole: bool) -> None:
        """The findings as problems; the first with a whole thread, so that the plan can be signed."""
        by, result = self.staff["prescriber"], plan.assessment.result
        found = findings(plan.assessment.facts, result["scores"], ())
        for finding in found[: 1 if whole else None]:
            problem = plan_actions.add_part(
                by=by, plan=plan, kind="problem", values={"title": finding.title, "source": finding.source}
            )
            if whole:
                self.thread(plan, problem, finding)
        if whole:
            for component in plan.components.filter(decision=Component.Decision.OPEN):
                accepted = component.tier != Component.Tier.CONSIDER or component.suggestion["answers_flags"]
                plan_actions.decide(
                    by=by, component=component, note="", reason="", version=component.version,
                    decision=Component.Decision.ACCEPTED if accepted else Component.Decision.NOT_NOW,
                )  # fmt: skip
            self.details(plan)

    def thread(self, plan: Plan, problem: Any, finding: Any) -> None:
        by, today = self.staff["prescriber"], self.now.date()
        soon, later = today + datetime.timedelta(days=1), today + datetime.timedelta(days=84)
        goal = plan_actions.add_part(
            by=by, plan=plan, kind="goal", parent=problem,
            values={
                "text": "From 32 g a day to none in twelve weeks, one step a week, without a trip to the emergency room",
                "patient_words": self.invented.answers["strengths"]["goals"], "measure": finding.measure,
                "baseline": finding.baseline, "target": 0, "target_date": later,
            },
        )  # fmt: skip
        objective = plan_actions.add_part(
            by=by, plan=plan, kind="objective", parent=goal, values={"text": "Weigh every dose and keep to the step plan"}
        )
        for role, text, frequency in (
            ("nurse", "Taper card, weight of the doses and blood pressure", "weekly"),
            ("counsellor", "CBT: cravings, sleep and pain, one step at a time", "weekly"),
        ):
            plan_actions.add_part(
                by=by, plan=plan, kind="intervention", parent=objective,
                values={
                    "text": text, "discipline": self.staff[role].discipline, "responsible": self.staff[role],
                    "frequency": frequency, "duration": "12 weeks", "start_on": soon, "review_on": today + datetime.timedelta(days=28),
                },
            )  # fmt: skip

    def details(self, plan: Plan) -> None:
        by = self.staff["prescriber"]
        values = {
            "discharge_criteria": "Four weeks without kratom, PHQ-9 below 5, and an aftercare visit booked.",
            "review_on": self.now.date() + datetime.timedelta(days=28), "patient_signature": "signed",
            "patient_signature_reason": "", "copy_offered": True,
        }  # fmt: skip
        plan.refresh_from_db()
        plan_actions.edit_details(by=by, plan=plan, values=values, version=plan.version)
        plan.refresh_from_db()
        for gap in gaps(plan_view(plan, read(plan))):
            if not gap.stops:
                plan_actions.give_reason(by=by, plan=plan, rule=gap.rule, subject=gap.subject, reason="Taken up at the first review.")


