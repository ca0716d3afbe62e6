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
# Answers that undo nothing though they are no success: what did not collide, or could be read, is kept, and the page was read.
KEPT = frozenset({409, 422})


class AuditFailed(Exception):
    """An access could not be recorded, so what it would have shown is withheld."""


def record(user: "User | None", *, action: str, view: str, patients: Iterable[int] = (), reason: str = "") -> "AccessEvent":
    """Write one access event inside the current transaction; the database sets its time. Raises AuditFailed, which withholds the page."""
    try:
        return _write(user, action, view, list(patients), reason)
    except DatabaseError as error:
        raise AuditFailed from error


def _write(user: "User | None", action: str, view: str, patients: list[int], reason: str, outcome: str = "allowed") -> "AccessEvent":
    from clinic.models import AccessEvent

    event = AccessEvent(
        at=timezone.now(), user=user, roles=_roles(user), action=action, view=view[:80], patients=patients, outcome=outcome,
        reason=reason[:300],
    )  # fmt: skip
    if user is None:
        # In this way nothing is read back: what nobody did, nobody may read.
        AccessEvent.objects.bulk_create([event], ignore_conflicts=True)
    else:
        event.save()
    return event


def read(request: HttpRequest, *patients: "Patient", reason: str = "") -> None:
    """This page shows these patients' records to the person logged in."""
    request.audited = True  # type: ignore[attr-defined]
    record(
        request.user,  # type: ignore[arg-type]
        action=getattr(request, "action", ""),
        view=request.resolver_match.view_name if request.resolver_match else "",
        patients=[patient.pk for patient in patients],
        reason=reason,
    )


def insist(request: HttpRequest, response: HttpResponse) -> None:
    """Nothing about a person leaves without a record of it: raises AuditFailed for a page that has recorded none.

    A page about one person has their episode in its address. A redirect shows nothing, and a refusal is recorded afterwards.
    """
    shows = response.status_code < 300 or response.status_code in KEPT
    about_somebody = request.resolver_match is not None and "episode_id" in request.resolver_match.kwargs
    if shows and about_somebody and not getattr(request, "audited", False):
        raise AuditFailed(f"The page {request.resolver_match.view_name} has recorded no access.")  # type: ignore[union-attr]


def note(request: HttpRequest, action: str, reason: str) -> None:
    """A refusal that is no answer of its own, as a wrong password: recorded when the request is over."""
    noted = vars(request).setdefault("denials_noted", [])
    if (action, reason) not in noted:
        noted.append((action, reason))


def record_denials(request: HttpRequest, response: HttpResponse) -> None:
    """What was refused, after the request's own transaction has ended or was rolled back: what was noted, or a row out of reach."""
    match = request.resolver_match
    if match is None:
        return
    for action, reason in getattr(request, "denials_noted", ()):
        _record_denial(request, action, [], reason)
    if response.status_code in (403, 404):
        reason = f"{response.status_code} {_target(match.kwargs)}"
        _record_denial(request, getattr(request, "action", ""), _patients(match.kwargs), reason)


def _record_denial(request: HttpRequest, action: str, patients: list[int], reason: str) -> None:
    from clinic.transaction import acting

    user: Any = request.user if request.user.is_authenticated else None
    view = (request.resolver_match and request.resolver_match.view_name) or ""
    try:
        with acting(user, action):
            _write(user, action, view, patients, reason, "denied")
    except (DatabaseError, InterfaceError):
        log.exception("a denial could not be recorded")


def _roles(user: "User | None") -> list[str]:
    """Which roles the person holds at this moment."""
    return sorted({role for _, role in user.program_roles()}) if user else []


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
