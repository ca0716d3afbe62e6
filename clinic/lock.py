"""A session nobody touches locks; a session ends twelve hours after its log-in. The server's clock decides both.

What a person does keeps it open: opening a page, sending a form, and the word of an open page that hands are on it (views/unlock.py,
`touched`). What scripts send by themselves, autosaves and polls, never does; a request that could be either counts as a script's.
"""

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from clinic import door
from clinic.cleaning import entry

ENTERED, TOUCHED = "entered_at", "touched_at"
# Seconds: a session's row is not written again for a touch that follows this closely.
CLOSE = 20
LOCKED = 423
# A locked session may be opened, or left.
OPEN_WHILE_LOCKED = frozenset({"unlock", "lock", "account_logout", "admin:logout", "healthz", "readyz"})


def now() -> float:
    """Seconds since 1970; a function of its own so that a test can move the clock."""
    return time.time()


def enter(session: Any) -> None:
    """A log-in: both clocks begin."""
    session[ENTERED] = session[TOUCHED] = now()


def touch(session: Any) -> None:
    if idle(session) > CLOSE:
        session[TOUCHED] = now()


def lock(session: Any) -> None:
    session[TOUCHED] = 0


def idle(session: Any) -> float:
    """Seconds since a person last did something. A clock set back counts as now."""
    return max(0.0, now() - session.get(TOUCHED, 0))


def is_locked(session: Any) -> bool:
    return idle(session) >= settings.LOCK_MINUTES * 60


def is_over(session: Any) -> bool:
    return now() - session.get(ENTERED, 0) >= settings.SESSION_HOURS * 3600


def by_script(request: HttpRequest) -> bool:
    """True for what no browser sends when a person opens a page or sends a form."""
    mode = entry(request.headers, "Sec-Fetch-Mode") or "navigate"
    return "HX-Request" in request.headers or "X-Requested-With" in request.headers or mode != "navigate"


class LockMiddleware:
    """Before any view: a session that is over is logged off, one that is locked opens nothing but the page that unlocks it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: tuple, kwargs: dict) -> HttpResponse | None:
        if not request.user.is_authenticated:
            return None
        if ENTERED not in request.session:
            enter(request.session)
        if is_over(request.session):
            return _ended(request)
        name = request.resolver_match.view_name if request.resolver_match else ""
        if is_locked(request.session):
            return None if name in OPEN_WHILE_LOCKED else _refused(request)
        if not by_script(request):
            touch(request.session)
        return None


def _ended(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect(door.log_in_address(request, ended=True))


def _refused(request: HttpRequest) -> HttpResponse:
    from clinic.views.unlock import ask, unlock_address  # views read this module

    if by_script(request):
        return HttpResponse(status=LOCKED)
    if request.method in ("GET", "HEAD"):
        return redirect(unlock_address(request.get_full_path()))
    return ask(request)
