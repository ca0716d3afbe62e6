"""One case for each write action: the clinic as it stands before, and the values with which somebody calls it, again and again.

A new action without a case fails by name in test_every_statement.py.
"""

import datetime
import inspect
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from types import ModuleType
from typing import Any

from django.utils import timezone

import clinic.actions
import intake.actions
import plans.actions
from clinic import workflow
from clinic.models import BreakGlass, CareTeamMember, ChartRestriction, Disclosure, Program, User
from clinic.transaction import acting
from clinic.writes import Write
from intake.level_of_care import LevelChoice
from intake.models import Instrument, Response
from plans import signing
from plans.components import load_components
from plans.handouts import load_handouts
from plans.models import Deferral, Goal, Problem
from tests.intake.test_actions import answered, fill, key_of, record, save, standing, typed
from tests.intake.test_gated import DAY, LETTER, open_gate, wording
from tests.intake.test_level_decisions import LOWER, computed
from tests.intake.test_level_decisions import decide as decide_as
from tests.people import House, everything
from tests.plans.test_actions import begin, component, details, draft, submitted, whole
from tests.plans.test_actions import sign as signed_by
from tests.plans.test_draft import WORSE, reassess

MODULES = (clinic.actions, intake.actions, plans.actions, signing)
Action = Callable[[], Any]
KEY = uuid.UUID(int=5)
PATIENT = {"legal_first_name": "Jo", "legal_last_name": "Meyer", "birth_date": datetime.date(1988, 3, 4), "sex_at_birth": "M"}
EPISODE = {"referral_source": "self", "presenting_reason": "Wants to stop."}
CASES: dict[str, Callable[[House], tuple[User | None, Callable[..., Any], dict[str, Any]]]] = {}


def actions_of(module: ModuleType) -> Iterator[str]:
    """The names of a module's write actions: what is public, its own, takes keywords alone, and does not only prepare a write."""
    for name, function in inspect.getmembers(module, inspect.isfunction):
        kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
        keywords = {inspect.Parameter.KEYWORD_ONLY} <= kinds <= {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}
        own = not name.startswith("_") and function.__module__.startswith(module.__name__)
        if own and keywords and function.__annotations__.get("return") != list[Write]:
            yield f"{module.__name__}.{name}"


def every_action() -> list[str]:
    return sorted(name for module in MODULES for name in actions_of(module))


def case(module: ModuleType) -> Callable[[Any], Any]:
    """The function below gives who acts and the values of the action of its own name in that module."""

    def keep(prepare: Callable[[House], tuple[User | None, dict[str, Any]]]) -> Any:
        action = getattr(module, prepare.__name__)

        def ready(house: House) -> tuple[User | None, Callable[..., Any], dict[str, Any]]:
            with everything():
                by, values = prepare(house)
            named = "by" in inspect.signature(action).parameters
            return by, action, ({"by": by} if named else {}) | values

        CASES[f"{module.__name__}.{prepare.__name__}"] = ready
        return prepare

    return keep


@contextmanager
def as_somebody(by: User | None) -> Iterator[None]:
    if by is None:
        yield
        return
    with acting(by, "a case"):
        yield


# The ground floor


@case(clinic.actions)
def register_patient(house: House) -> Any:
    house.program.duty_team.add(house.staff["nurse"])
    return house.staff["counsellor"], {"program": house.program, "patient": PATIENT, "episode": EPISODE, "key": KEY}


@case(clinic.actions)
def open_episode(house: House) -> Any:
    house.program.duty_team.add(house.staff["nurse"])
    return house.staff["counsellor"], {"patient": house.mine.patient} | EPISODE


@case(clinic.actions)
def update_patient(house: House) -> Any:
    return house.staff["nurse"], {"patient": house.mine.patient, "values": {"preferred_name": "Annie"}, "version": 1}


@case(clinic.actions)
def join_care_team(house: House) -> Any:
    return house.staff["supervisor"], {"episode": house.other, "user": house.staff["nurse"]}


@case(clinic.actions)
def leave_care_team(house: House) -> Any:
    return house.staff["supervisor"], {"member": CareTeamMember.objects.get(episode=house.mine, user=house.staff["peer"])}


@case(clinic.actions)
def update_summary(house: House) -> Any:
    due = (timezone.localdate(), "Finish the intake")
    values = {"stage": workflow.INTAKE, "acuity": (3, "A flag", 1), "due": due, "scores": {"phq9": {"value": "9"}}}
    return house.staff["nurse"], {"episode": house.mine} | values


@case(clinic.actions)
def record_disclosure(house: House) -> Any:
    what = {"what": "Treatment plan, version 1", "sha256": "0" * 64, "recipient": "The patient"}
    return house.staff["nurse"], {"episode": house.mine, "basis": Disclosure.Basis.PATIENT_COPY} | what


@case(clinic.actions)
def first_visit(house: House) -> Any:
    """The one action of an empty clinic."""
    names = {"username": "ada", "password": "a quiet river bend", "first_name": "Ada", "last_name": "First", "email": "ada@example.org"}
    return None, {"program_name": "New"} | names


REASON = "The patient collapsed in the waiting room."


@case(clinic.actions)
def break_glass(house: House) -> Any:
    return house.staff["nurse"], {"episode": house.other, "category": BreakGlass.Category.values[0], "reason": REASON}


@case(clinic.actions)
def review_break_glass(house: House) -> Any:
    nurse = house.staff["nurse"]
    with acting(nurse, "a case"):
        opened = clinic.actions.break_glass(by=nurse, episode=house.other, category=BreakGlass.Category.values[0], reason=REASON)
    return house.staff["supervisor"], {"opened": opened, "outcome": BreakGlass.Outcome.values[0], "note": "Looked at the log."}


@case(clinic.actions)
def restrict_chart(house: House) -> Any:
    """Somebody on the care team is kept out, and leaves it."""
    values = {"kind": ChartRestriction.Kind.FAMILY, "reason": "Own family", "user": house.staff["peer"]}
    return house.staff["supervisor"], {"episode": house.mine} | values


@case(clinic.actions)
def lift_restriction(house: House) -> Any:
    by = house.staff["supervisor"]
    with acting(by, "a case"):
        kind = ChartRestriction.Kind.FAMILY
        made = clinic.actions.restrict_chart(by=by, episode=house.mine, kind=kind, reason="Own family", user=house.staff["peer"])
    return by, {"restriction": made, "reason": "No longer needed"}


# The intake


@case(intake.actions)
def save_answers(house: House) -> Any:
    """Some are new, one is changed, one raises a flag at once."""
    nurse, instrument = house.staff["nurse"], Instrument.objects.get(code="phq9", active=True)
    fill(nurse, house.mine, "V5", "phq9")
    basis = intake.actions.basis_of(house.mine, "phq9", Response.objects.draft_of(house.mine, "phq9"))
    given = typed("phq9", {"1": "LA6571-9", "9": "LA6571-9"})
    values = {"answers": given, "versions": dict.fromkeys(map(key_of, ("1", "9")), 1), "basis": basis}
    return nurse, {"episode": house.mine, "instrument": instrument} | values


@case(intake.actions)
def submit(house: House) -> Any:
    answered(house.staff["nurse"], house.mine, "V5")
    return house.staff["nurse"], {"episode": house.mine, "key": KEY}


@case(intake.actions)
def assess_provisionally(house: House) -> Any:
    answered(house.staff["nurse"], house.mine, "V5")
    return house.staff["nurse"], {"episode": house.mine, "key": KEY}


@case(intake.actions)
def acknowledge(house: House) -> Any:
    submitted(house, "V5")
    return house.staff["nurse"], {"flag": standing(house.mine)["SF-06"], "action_taken": "Talked it through."}


def _to_decide(house: House) -> dict[str, Any]:
    """A flag with another name: both are decided at once."""
    submitted(house, "V5")
    return {"flag": standing(house.mine)["IX-12"]}


@case(intake.actions)
def override(house: House) -> Any:
    return house.staff["nurse"], _to_decide(house) | {"reason_code": "already_managed", "reason": ""}


@case(intake.actions)
def snooze(house: House) -> Any:
    until = timezone.localdate() + datetime.timedelta(2)
    return house.staff["nurse"], _to_decide(house) | {"reason_code": "next_visit", "reason": "", "until": until}


@case(intake.actions)
def enter_in_error(house: House) -> Any:
    return house.staff["nurse"], _to_decide(house) | {"reason": "The form was another person's."}


@case(intake.actions)
def record_evaluation(house: House) -> Any:
    nurse = house.staff["nurse"]
    save(nurse, house.mine, "asq", {"1": "true", "2": "false", "3": "false", "4": "false"})
    save(nurse, house.mine, "asq", {"5": "true"})
    return nurse, {"flag": standing(house.mine)["SF-01"], "evaluation": "Seen in the emergency department."}


@case(intake.actions)
def add_wording(house: House) -> Any:
    """The next wording of one that has one already."""
    by = house.staff["supervisor"]
    open_gate(by, "cssrs")
    return by, {"code": "cssrs", "texts": wording("cssrs", "corrected text"), "reference": LETTER, "date": DAY}


# The level of care


@case(intake.actions)
def decide_level(house: House) -> Any:
    """Lower than suggested while a need is at 4: it waits for a co-signature."""
    assessment = submitted(house, "V6")
    choice = LevelChoice(computed(assessment), {}, **LOWER)
    return house.staff["nurse"], {"episode": house.mine, "choice": choice, "seen": intake.actions.level_mark(assessment, None)}


@case(intake.actions)
def cosign_level(house: House) -> Any:
    submitted(house, "V6")
    return house.staff["prescriber"], {"decision": decide_as(house.staff["nurse"], house.mine, **LOWER)}


# Results


@case(intake.actions)
def record_results(house: House) -> Any:
    submitted(house, "V1")
    readings = {"alt": Decimal(6), "qtc": Decimal(510)}
    return house.staff["nurse"], {"episode": house.mine, "readings": readings, "taken_at": timezone.now(), "key": KEY}


@case(intake.actions)
def correct_result(house: House) -> Any:
    (wrong,) = record(house.staff["nurse"], house.mine, spo2="95")
    right = {"given": Decimal(85), "taken_at": timezone.now(), "reason": "Typed wrong", "key": KEY}
    return house.staff["nurse"], {"result": wrong} | right


@case(intake.actions)
def withdraw_result(house: House) -> Any:
    (wrong,) = record(house.staff["nurse"], house.mine, spo2="85")
    return house.staff["nurse"], {"result": wrong, "reason": "Somebody else's", "key": KEY}


# The plan


@case(plans.actions)
def draft_plan(house: House) -> Any:
    """The next version, which carries over the decisions and the tree of the signed one."""
    signed_by(house.staff["prescriber"], whole(house))
    return house.staff["nurse"], {"episode": house.mine, "assessment": reassess(house, **WORSE)}


@case(plans.actions)
def refresh(house: House) -> Any:
    plan = whole(house)
    reassess(house, **WORSE)
    return house.staff["nurse"], {"plan": plan}


@case(plans.actions)
def decide(house: House) -> Any:
    """With the library's goal and steps planted under a problem, and the patient's signature taken back."""
    plan = whole(house)
    row = component(plan, "CBT-01")
    problem = Problem.objects.get(plan=plan)
    values = {"decision": "accepted", "note": "Weekly", "reason": "", "version": row.version, "problem": problem}
    return house.staff["counsellor"], {"component": row} | values


@case(plans.actions)
def add_component(house: House) -> Any:
    plan = whole(house)
    there = set(plan.components.values_list("component_id", flat=True))
    chosen = next(name for name in sorted(load_components()) if name not in there)
    return house.staff["prescriber"], {"plan": plan, "component_id": chosen}


@case(plans.actions)
def add_part(house: House) -> Any:
    plan = whole(house)
    values = {"kind": "objective", "values": {"text": "One more step"}, "parent": Goal.objects.get(plan=plan)}
    return house.staff["counsellor"], {"plan": plan} | values


@case(plans.actions)
def edit_part(house: House) -> Any:
    return house.staff["counsellor"], {"part": Goal.objects.get(plan=whole(house)), "values": {"text": "Half by spring"}, "version": 1}


@case(plans.actions)
def remove_part(house: House) -> Any:
    return house.staff["counsellor"], {"part": Goal.objects.get(plan=whole(house)), "version": 1}


@case(plans.actions)
def edit_details(house: House) -> Any:
    plan = draft(house)
    return house.staff["nurse"], {"plan": plan, "values": {"discharge_criteria": "Four weeks without"}, "version": plan.version}


@case(plans.actions)
def give_reason(house: House) -> Any:
    return house.staff["nurse"], {"plan": draft(house), "rule": "PV-6", "subject": "", "reason": "She asked for time."}


@case(plans.actions)
def give_handout(house: House) -> Any:
    return house.staff["peer"], {"episode": house.mine, "handout": load_handouts()["naloxone"], "key": KEY}


@case(plans.actions)
def withdraw_reason(house: House) -> Any:
    plan, nurse = draft(house), house.staff["nurse"]
    with acting(nurse, "plan.edit"):
        given = plans.actions.give_reason(by=nurse, plan=plan, rule="PV-6", subject="", reason="She asked for time.")
    return nurse, {"deferral": Deferral.objects.get(pk=given.pk), "version": given.version}


# Signing


@case(signing)
def sign(house: House) -> Any:
    """The next version: it takes the place of one that is in force."""
    by = house.staff["prescriber"]
    first = signed_by(by, whole(house))
    plan = begin(by, house, first.plan.assessment)
    plan = details(by, plan)
    return by, {"plan": plan, "key": KEY, "seen": signing.fingerprint(plan)}


@case(signing)
def certify(house: House) -> Any:
    Program.objects.filter(pk=house.program.pk).update(certifying_role="supervisor")
    house.mine.program.refresh_from_db()
    return house.staff["supervisor"], {"signed": signed_by(house.staff["prescriber"], whole(house))}
