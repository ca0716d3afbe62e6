"""Whole records for the sweeps: every kind of patient a person can meet, with rows in every clinical table, each text marked with whose.

A text is marked like `Minerecord.flag.message`: whose row, which table, which column. The last name of the person is `Minecanary`.
"""

import datetime
import uuid
from typing import Any

from django.db import models
from django.utils import timezone

from clinic import workflow
from clinic.models import BreakGlass, CareTeamMember, ChartRestriction, Disclosure, Episode, Patient
from clinic.models.access import EMERGENCY_LASTS
from clinic.row_security import KIND_OF, clinical_models
from clinic.transaction import acting
from intake.models import Answer, FlagEvent, LevelCosignature, LevelDecision, Response
from plans import document
from plans.models import Goal, HandoutGiven, Plan, SignedPlan
from tests.intake.test_actions import record, save
from tests.people import House, everything, make_episode, make_house
from tests.plans.test_actions import begin, sign, whole

# Beside `mine` (on the team), `other` (not on it) and `foreign` (another program).
OTHERS = ("restricted", "emergency", "own", "discharged")
EVERYBODY = ("mine", "other", "foreign", *OTHERS)


def make_records() -> tuple[House, dict[str, Episode]]:
    """The house and its patients by name, each with at least one row in every clinical table.

    For every role alike: `restricted` is closed to all but its care team, which is nobody; `emergency` was opened by each of the staff;
    `own` is the chart of each of the staff, who are on its team besides; `discharged` is closed, and they are on its team.
    """
    house = make_house()
    clerk = house.staff["intake"]
    patients = {"mine": house.mine, "other": house.other, "foreign": house.foreign}
    patients |= {name: make_episode(clerk, house.program, last_name=f"{name.title()}canary") for name in OTHERS}
    _whole_record(house)
    with everything(), acting(house.staff["supervisor"], "care_team.assign"):
        for name, episode in patients.items():
            if name != "mine":
                _copy(house.mine, episode, f"{name.title()}record")
        _mark(house.mine, "Minerecord")
        _exceptions(house, patients)
        for name, episode in patients.items():
            for model in clinical_models():
                about = {"pk": episode.patient_id} if model is Patient else {"patient": episode.patient_id}
                assert model._default_manager.filter(**about).exists(), f"{name} has no {model._meta.label}: make one here"
    return house, patients


def _whole_record(house: House) -> None:
    """A signed plan, the next one begun, a questionnaire being filled, an emergency of the past, a lifted restriction, a handout."""
    by, nurse, episode = house.staff["prescriber"], house.staff["nurse"], house.mine
    record(nurse, episode, another="3", name="ORT", source="Dr. Lee")
    signed = sign(by, whole(house))
    begin(by, house, signed.plan.assessment)
    save(nurse, episode, "strengths", {"goals": "Keep my job"})
    common: dict[str, Any] = {"program_id": episode.program_id, "patient_id": episode.patient_id}
    now = timezone.now()
    with everything(), acting(nurse, "plan.edit"):
        begun = now - 2 * EMERGENCY_LASTS
        BreakGlass.objects.create(
            **common, episode=episode, user=nurse, category="crisis", reason="x" * 20, at=begun, until=begun + EMERGENCY_LASTS
        )
        ChartRestriction.objects.create(
            **common, kind="own chart", user=nurse, reason="x", by=by, ended_at=now, ended_by=by, ended_reason="A mistake"
        )
        Disclosure.objects.create(**common, at=now, by=by, what="A copy", sha256="0" * 64, recipient="x", basis="patient copy")
        flag = episode.flags.order_by("pk")[0]
        flag.event(FlagEvent.What.REOPENED, by=nurse, reason="x", reason_code="other").save()
        plan = Plan.objects.get(episode=episode, status="draft")
        HandoutGiven.objects.create(
            **common, episode=episode, handout="withdrawal", title="x", sha256="0" * 64, by=nurse, at=now, key=uuid.uuid4()
        )
        given: dict[str, Any] = {**common, "plan": plan, "by": by, "at": now}
        plan.deferrals.create(**given, rule="PV-6", reason="x")
        decided: dict[str, Any] = {
            **common, "episode": episode, "assessment": plan.assessment, "suggested": "2.1", "rule": "L10", "needs": [], "level": "1.5",
            "label": "Outpatient", "reason_code": "payer", "reason": "x", "explanation": "x", "needs_cosignature": True, "by": by,
        }  # fmt: skip
        cosigned = LevelDecision.objects.create(**decided, at=now)
        LevelCosignature.objects.create(**common, decision=cosigned, by=nurse, at=now)
        LevelDecision.objects.create(**decided, at=now + datetime.timedelta(seconds=1))  # waits


def _exceptions(house: House, patients: dict[str, Episode]) -> None:
    now, staff = timezone.now(), house.staff.values()
    for episode in patients.values():  # who was on every team once
        former = {"user": house.staff["supervisor"], "joined_by": house.staff["supervisor"], "ended_at": now}
        CareTeamMember.objects.create(
            program_id=episode.program_id, patient_id=episode.patient_id, episode=episode, ended_by=former["user"], **former
        )

    def about(name: str) -> dict[str, Any]:
        return {"program_id": patients[name].program_id, "patient_id": patients[name].patient_id}

    ChartRestriction.objects.create(**about("restricted"), kind="team only", reason="x", by=house.staff["supervisor"])
    for user in staff:
        ChartRestriction.objects.create(**about("own"), kind="own chart", user=user, reason="x", by=house.staff["supervisor"])
        BreakGlass.objects.create(
            **about("emergency"), episode=patients["emergency"], user=user, category="crisis", reason="x" * 20, at=now,
            until=now + EMERGENCY_LASTS,
        )  # fmt: skip
        for name in ("own", "discharged"):
            CareTeamMember.objects.create(**about(name), episode=patients[name], user=user, joined_by=user)
    Episode.objects.filter(pk=patients["discharged"].pk).update(stage=workflow.CLOSED, closed_at=now)


def _copy(source: Episode, target: Episode, word: str) -> None:
    """Every row about one patient again for another, pointing at that other's rows; the care team is left out."""
    moved: dict[tuple[type[models.Model], int], int] = {(Patient, source.patient_id): target.patient_id, (Episode, source.pk): target.pk}
    waiting = [model for model in clinical_models() if model not in (Patient, Episode, CareTeamMember)]
    while waiting:
        model = next(one for one in waiting if not _points_at(one) & set(waiting) - {one})
        waiting.remove(model)
        for row in model._base_manager.filter(patient=source.patient_id).order_by("pk"):
            before, row.pk = row.pk, None
            row.program_id = target.program_id
            row._state.adding = True
            for field in model._meta.concrete_fields:
                if isinstance(field, models.ForeignKey) and (found := moved.get((field.related_model, getattr(row, field.attname)))):
                    setattr(row, field.attname, found)
                elif isinstance(field, models.UUIDField):
                    setattr(row, field.attname, uuid.uuid4())
            _as(row, word)
            model._base_manager.bulk_create([row])
            moved[model, before] = row.pk


def _points_at(model: type[models.Model]) -> set[Any]:
    return {field.related_model for field in model._meta.concrete_fields if isinstance(field, models.ForeignKey)}


def _as(row: models.Model, word: str) -> None:
    """Mark every text of a row with whose it is, in which table and column, also inside JSON; what is empty stays so."""
    for field in row._meta.concrete_fields:
        value, mark = getattr(row, field.attname), f"{word}.{row._meta.model_name}.{field.name}"
        if isinstance(field, models.JSONField):
            setattr(row, field.attname, _marked(value, mark))
            continue
        free = isinstance(field, models.TextField) or (isinstance(field, models.CharField) and (field.max_length or 0) >= 80)
        if not free or field.choices or field.unique or not value:
            continue
        if isinstance(row, SignedPlan):
            named = row.document.replace("Minecanary", f"{word.removesuffix('record')}canary")
            row.document = document.build(_marked(document.load(named.encode()), mark)).decode()
            row.sha256 = document.sha256(row.document.encode())
        elif not (isinstance(row, Answer | Response) or field.name == "content_hash"):
            setattr(row, field.attname, mark)


def _marked(value: Any, mark: str, key: str = "") -> Any:
    """The same JSON with its free texts marked: what somebody typed, and every text of several words. Codes stay what they are."""
    match value:
        case dict():
            return {name: _marked(part, mark, name) for name, part in value.items()}
        case list():
            return [_marked(part, mark, key) for part in value]
        case str() if (" " in value or key == "valueString") and "canary" not in value:
            return mark
    return value


def _mark(episode: Episode, word: str) -> None:
    for model in clinical_models():
        if KIND_OF.get(model._meta.label) == "register":
            continue
        for row in model._base_manager.filter(patient=episode.patient_id):
            _as(row, word)
            values = {field.attname: getattr(row, field.attname) for field in model._meta.concrete_fields if not field.primary_key}
            model._base_manager.filter(pk=row.pk).update(**values)


def ids_of(episode: Episode) -> dict[str, str]:
    """What the URLs of this patient's pages take."""
    with everything():
        goal = Goal.objects.filter(patient=episode.patient_id, plan__status="draft").order_by("pk").first()
        assert goal is not None
        component = goal.plan.components.order_by("pk").first()
        decision = episode.level_decisions.order_by("-at").first()
        flag, opened = episode.flags.order_by("pk").first(), BreakGlass.objects.filter(patient=episode.patient_id).first()
        result = episode.results.order_by("pk").first()
        return {
            "episode_id": str(episode.public_id), "flag_id": str(flag.public_id), "component_id": str(component.public_id),
            "part_id": str(goal.public_id), "parent_id": str(goal.problem.public_id), "kind": "goal", "code": "phq9", "number": "1",
            "copy": "patient", "finding": "PV-6", "slug": "withdrawal", "opened_id": str(opened.public_id) if opened else "",
            "decision_id": str(decision.public_id), "group": "vitals", "result_id": str(result.public_id),
        }  # fmt: skip
