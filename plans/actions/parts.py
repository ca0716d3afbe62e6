"""Problems, goals, objectives, interventions and the plan's own details."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from clinic.models import User
from plans.actions.locks import ask_patient_again, locked, open_draft, save, settled
from plans.models import Goal, Intervention, Objective, Plan, PlanRow, Problem

PARTS: dict[str, type[PlanRow]] = {"problem": Problem, "goal": Goal, "objective": Objective, "intervention": Intervention}
PARENTS = {"goal": "problem", "objective": "goal", "intervention": "objective"}


@transaction.atomic
def add_part(
    *, by: User, plan: Plan, kind: str, values: Mapping[str, Any], parent: PlanRow | None = None, key: uuid.UUID | None = None
) -> PlanRow:
    """Add a problem, goal, objective or intervention; all but a problem hang under their parent. Raises AlreadySigned.

    The same `key` with the same values gives the same part; with other values it is another part: somebody went back and wrote on.
    """
    plan = open_draft(plan)
    above = {PARENTS[kind]: parent} if kind in PARENTS else {}
    model: Any = PARTS[kind]
    # Of the plan and the key, so that a key from another page can never meet somebody else's part.
    public_id = uuid.uuid5(key, str(plan.public_id)) if key else uuid.uuid4()
    earlier = model._default_manager.filter(public_id=public_id).first()
    if earlier and all(getattr(earlier, name) == value for name, value in ({"plan": plan} | above | dict(values)).items()):
        return earlier
    ask_patient_again(plan)
    return model._default_manager.create(
        program_id=plan.program_id, patient_id=plan.patient_id, plan=plan, by=by, at=timezone.now(), **above, **values,
        **({} if above else {"position": plan.problems.count()}), public_id=uuid.uuid4() if earlier else public_id,
    )  # fmt: skip


@transaction.atomic
def edit_part(*, by: User, part: PlanRow, values: Mapping[str, Any], version: int) -> PlanRow:
    """Change one part. Raises Stale with the part as it is now, AlreadySigned."""
    part, done = locked(part, version, values)
    if done:
        return part
    if any(getattr(part, name) != value for name, value in values.items()):
        ask_patient_again(part.plan)
    for name, value in values.items():
        setattr(part, name, value)
    save(by, part)
    return part


@transaction.atomic
def remove_part(*, by: User, part: PlanRow, version: int) -> PlanRow:
    """Take one part out of the draft, with whatever hangs under it; the rows stay for the record. Raises Stale, AlreadySigned."""
    part, done = locked(part, version, {"removed": True})
    if done:
        return part
    part.removed = True
    ask_patient_again(part.plan)
    save(by, part)
    return part


@transaction.atomic
def edit_details(*, by: User, plan: Plan, values: Mapping[str, Any], version: int) -> Plan:
    """Discharge criteria, review date, the patient's signature. Raises Stale with the plan as it is now, AlreadySigned."""
    plan = open_draft(plan)
    if settled(plan, version, values):
        return plan
    for name, value in values.items():
        setattr(plan, name, value)
    plan.changed_since_patient_signed &= plan.patient_signature == Plan.PatientSignature.PENDING
    plan.version += 1
    plan.save()
    return plan
