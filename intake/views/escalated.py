"""The critical flags of a supervisor's programs that nobody has acknowledged in time."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from clinic import audit
from clinic.models import User
from clinic.permissions import requires
from intake.models import Flag

SHOWN = 50


@requires("flag.escalated")
def escalated(request: HttpRequest) -> HttpResponse:
    """The longest waiting first. Whether a flag waits too long is the clock's to say: nothing is stored and no job runs."""
    user: User = request.user  # type: ignore[assignment]
    waiting = Flag.objects.visible_to(user, "flag.escalated").escalated().select_related("patient", "program", "episode", "raised_by")
    flags = list(waiting[: SHOWN + 1])
    audit.read(request, *{flag.patient for flag in flags[:SHOWN]})
    return render(request, "intake/escalated.html", {"flags": flags[:SHOWN], "more": len(flags) > SHOWN, "shown": SHOWN})
