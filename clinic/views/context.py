"""What every template may ask: which entries of the menu this person has, and what a confirmation is for."""

from functools import partial

from django.conf import settings
from django.http import HttpRequest

from clinic.models import BreakGlass, User
from clinic.permissions import may
from clinic.views.confirm import PAGES, confirming


def steady(request: HttpRequest) -> dict:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"demo": settings.DEMO}
    asks = request.resolver_match is not None and request.resolver_match.view_name in PAGES
    return {
        "demo": settings.DEMO,
        "second_factor_required": settings.REQUIRE_SECOND_FACTOR,
        "confirming": confirming(request) if asks else None,
        "lock_seconds": settings.LOCK_MINUTES * 60,
        "can_open_caseload": may(user, "chart.view"),
        "can_register": may(user, "patient.register"),
        "can_search": may(user, "patient.search"),
        "can_administer": user.is_staff,
        "can_review": may(user, "break_glass.review"),
        "emergencies_waiting": partial(_waiting, user),  # asked only by a page that shows it
    }


def _waiting(user: User) -> int:
    """How many charts opened in an emergency this person is to review."""
    return BreakGlass.objects.waiting(user).count()
