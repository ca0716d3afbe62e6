"""A form that arrives too late, kept: encrypted into the page that asks for the password, so it lies readable in no page and no table."""

import json
from typing import NamedTuple

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.http import HttpRequest

from clinic.encryption import encryption

HELD = encryption("steady.held")


class Held(NamedTuple):
    """Where the form goes, and its fields as (name, value) pairs, in order."""

    path: str
    fields: list[tuple[str, str]]


def hold(request: HttpRequest) -> str:
    """The form of this POST, encrypted for this person. Files are not kept: no form of ours has any."""
    fields = [(name, value) for name, values in request.POST.lists() for value in values if name != "csrfmiddlewaretoken"]
    held = {"user": request.user.pk, "path": request.get_full_path(), "fields": fields}
    return HELD().encrypt(json.dumps(held).encode()).decode()


def sent_back(request: HttpRequest) -> str:
    """What a page that asks for the password sent back of a kept form: nobody but this server can have written what opens."""
    return str(request.POST.get("held", ""))


def release(request: HttpRequest) -> Held | None:
    """What `hold` kept for this person, out of the page that asked. None when there is nothing, or it is not theirs, or too old."""
    try:
        held = json.loads(HELD().decrypt(sent_back(request).encode(), ttl=settings.SESSION_HOURS * 3600))
    except InvalidToken:
        return None
    return Held(held["path"], [tuple(pair) for pair in held["fields"]]) if held["user"] == request.user.pk else None


