"""What every template may ask: which entries of the menu this person has."""

from django.conf import settings
from django.http import HttpRequest

from clinic.permissions import may


def steady(request: HttpRequest) -> dict:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"demo": settings.DEMO}
    return {
        "demo": settings.DEMO,
        "can_open_caseload": may(user, "chart.view"),
        "can_register": may(user, "patient.register"),
        "can_search": may(user, "patient.search"),
        "can_administer": user.is_staff,
    }
