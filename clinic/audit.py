"""Who read what. Reads are recorded in the page's own transaction: if the record cannot be written, the page is not shown.

Changes need no call: the database writes them itself (see models/record.py).
"""

import logging
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from clinic.cleaning import CONTROLS

if TYPE_CHECKING:
    from clinic.models import AccessEvent, Patient, User

log = logging.getLogger("steady.audit")


class AuditFailed(Exception):
    """An access could not be recorded, so what it would have shown is withheld."""


def record(user: "User", *, action: str, view: str, patients: Iterable[int] = (), reason: str = "") -> "AccessEvent":
    """Write one access event inside the current transaction; the database sets its time. Raises AuditFailed, which withholds the page."""
    from clinic.models import AccessEvent

    roles = sorted({role for _, role in user.program_roles()})
    try:
        return AccessEvent.objects.create(
            at=timezone.now(), user=user, roles=roles, action=action, view=view, patients=list(patients), reason=reason[:300]
        )
    except DatabaseError as error:
        raise AuditFailed from error


def read(request: HttpRequest, *patients: "Patient", reason: str = "") -> None:
    """This page shows these patients' records to the person logged in."""
    record(
        request.user,  # type: ignore[arg-type]
        action=getattr(request, "action", ""),
        view=request.resolver_match.view_name if request.resolver_match else "",
        patients=[patient.pk for patient in patients],
        reason=reason,
    )


def record_denial(request: HttpRequest, response: HttpResponse) -> None:
    """A refusal or a row out of reach, after the request's own transaction has been rolled back."""
    from clinic.models import AccessEvent
    from clinic.transaction import acting

    match = request.resolver_match
    if match is None:
        return
    user: Any = request.user if request.user.is_authenticated else None
    action = getattr(request, "action", "")
    try:
        with acting(user, action):
            denial = AccessEvent(
                at=timezone.now(),
                user=user,
                roles=sorted({role for _, role in user.program_roles()}) if user else [],
                action=action,
                view=(match.view_name or "")[:80],
                patients=_patients(match.kwargs),
                outcome=AccessEvent.Outcome.DENIED,
                reason=f"{response.status_code} {_target(match.kwargs)}"[:300],
            )
            # In this way nothing is read back: what nobody did, nobody may read.
            AccessEvent.objects.bulk_create([denial], ignore_conflicts=True)
    except (DatabaseError, InterfaceError):
        log.exception("a denial could not be recorded")


def _patients(kwargs: dict) -> list[int]:
    """Whose record was tried: their own trail shows it, in reach or not. The database tells the number, and nothing of the row."""
    episode = kwargs.get("episode_id")
    if not isinstance(episode, uuid.UUID):
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT steady_patient_of(%s)", [episode])
        [patient] = cursor.fetchone()
    return [patient] if patient else []


def _target(kwargs: dict) -> str:
    """What the URL named, which says what was tried without saying whose it is; characters that cannot be stored are shown as ?."""
    return CONTROLS.sub("?", " ".join(str(value) for value in kwargs.values()))
