"""What every write of a plan begins and ends with: the plan locked and still a draft, the row as it was read, who wrote it."""

from collections.abc import Mapping
from typing import Any, TypeVar

from django.utils import timezone

from clinic.actions import Stale
from clinic.models import User
from intake.actions import lock_episode
from plans.models import Plan, PlanRow

Row = TypeVar("Row", bound=PlanRow)


class AlreadySigned(ValueError):
    """The plan has been signed; a change begins the next version."""


def open_draft(plan: Plan) -> Plan:
    """The plan, locked until the transaction ends and still a draft. Raises AlreadySigned."""
    lock_episode(plan.episode)
    plan = Plan.objects.select_related("assessment", "episode").get(pk=plan.pk)
    if plan.status != Plan.Status.DRAFT:
        raise AlreadySigned("This version has been signed. Begin the next version to change the plan.")
    return plan


def locked(part: Row, version: int, wanted: Mapping[str, Any]) -> tuple[Row, bool]:
    """The part of a draft as it is now, `plan` locked with it, and whether it says what is `wanted` already (`settled`).

    Raises Stale when it is not the version that was read, AlreadySigned.
    """
    plan = open_draft(part.plan)
    current: Row = type(part)._default_manager.get(pk=part.pk)  # type: ignore[assignment]
    current.plan = plan
    return current, settled(current, version, wanted)


def settled(current: Any, version: int, wanted: Mapping[str, Any]) -> bool:
    """Whether a form was sent twice: the row has moved on from the version that was read, to just what is wanted.

    Raises Stale when it has moved on to something else.
    """
    if current.version == version:
        return False
    if any(getattr(current, name) != value for name, value in wanted.items()):
        raise Stale(current)
    return True


def save(by: User, part: PlanRow) -> None:
    part.by, part.at = by, timezone.now()
    part.version += 1
    part.save()


def ask_patient_again(plan: Plan) -> None:
    """The patient signed another text than the one that stands now: their signature is to be asked for anew."""
    if plan.patient_signature != Plan.PatientSignature.SIGNED:
        return
    plan.patient_signature, plan.changed_since_patient_signed = Plan.PatientSignature.PENDING, True
    plan.version += 1
    plan.save(update_fields=["patient_signature", "changed_since_patient_signed", "version"])
