"""Who read what. Reads are recorded in the page's own transaction: if the record cannot be written, the page is not shown.

Changes need no call: the database writes them itself (see models/record.py).
"""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

if TYPE_CHECKING:
    from clinic.models import AccessEvent, Patient, User

log = logging.getLogger("steady.audit")


def record(user: "User", *, action: str, view: str, patients: Iterable[int] = (), reason: str = "") -> "AccessEvent":
    """Write one access event inside the current transaction. Raises DatabaseError, which withholds the page."""
    from clinic.models import AccessEvent

    roles = sorted({role for _, role in user.program_roles()})
    return AccessEvent.objects.create(
        at=timezone.now(), user=user, roles=roles, action=action, view=view, patients=list(patients), reason=reason[:300]
    )


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

    match = request.resolver_match
    if match is None:
        return
    user: Any = request.user if request.user.is_authenticated else None
    try:
        with transaction.atomic():
            AccessEvent.objects.create(
                at=timezone.now(),
                user=user,
                roles=sorted({role for _, role in user.program_roles()}) if user else [],
                action=getattr(request, "action", ""),
                view=match.view_name or "",
                outcome=AccessEvent.Outcome.DENIED,
                reason=f"{response.status_code} {_target(match.kwargs)}"[:300],
            )
    except DatabaseError:
        log.exception("a denial could not be recorded")


def _target(kwargs: dict) -> str:
    """The random ids of the URL, which say what was tried without saying whose it is."""
    return " ".join(str(value) for value in kwargs.values())
