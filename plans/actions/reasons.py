"""Why a plan leaves a clinical finding open: given, corrected, withdrawn. What was said before is in the audit's changes."""

from django.db import transaction
from django.utils import timezone

from clinic.models import User
from plans.actions.locks import open_draft, settled
from plans.models import Deferral, Plan


@transaction.atomic
def give_reason(*, by: User, plan: Plan, rule: str, subject: str, reason: str, version: int = 0) -> Deferral:
    """Document why a clinical finding is not answered by this plan, or correct the reason. `version` 0: none was given yet.

    Raises Stale with the reason as it is now, AlreadySigned.
    """
    plan = open_draft(plan)
    deferral = Deferral.with_withdrawn.filter(plan=plan, rule=rule, subject=subject).first()
    if deferral and settled(deferral, version, {"reason": reason, "removed": False}):
        return deferral
    deferral = deferral or Deferral(
        plan=plan, rule=rule, subject=subject, program_id=plan.program_id, patient_id=plan.patient_id, version=0
    )
    deferral.reason = reason
    return _save(by, deferral, removed=False)


@transaction.atomic
def withdraw_reason(*, by: User, deferral: Deferral, version: int) -> Deferral:
    """Take a reason back: the finding is open again. Raises Stale with the reason as it is now, AlreadySigned."""
    open_draft(deferral.plan)
    current = Deferral.with_withdrawn.get(pk=deferral.pk)
    if settled(current, version, {"removed": True}):
        return current
    return _save(by, current, removed=True)


def _save(by: User, deferral: Deferral, *, removed: bool) -> Deferral:
    deferral.by, deferral.at, deferral.removed = by, timezone.now(), removed
    deferral.version += 1
    deferral.save()
    return deferral
