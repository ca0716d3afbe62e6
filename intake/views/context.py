"""What the menu asks of the intake: how many critical flags wait too long."""

from functools import partial

from django.http import HttpRequest

from clinic.permissions import may
from intake.models import Flag


def escalations(request: HttpRequest) -> dict:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or not may(user, "flag.escalated"):
        return {}
    waiting = Flag.objects.visible_to(user, "flag.escalated").escalated()
    return {"can_see_escalated": True, "escalated_waiting": partial(waiting.count)}  # asked only by a page that shows it
