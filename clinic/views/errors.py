"""Refusals and faults as sentences."""

import sys

from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views import defaults

from clinic import door
from clinic.health import is_outage, unavailable


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form whose log-in has ended, or that was opened before the last log-in: nothing was saved, and here is the way back."""
    context = {"log_in": door.log_in_address(request), "page": door.came_from(request)}
    return render(request, "clinic/csrf_failure.html", context, status=403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What could not be read. A session that could not be saved is called a bad request by Django, also when the database was away."""
    cause = exception.__context__ if isinstance(exception, SessionInterrupted) else None
    while cause is not None and not isinstance(cause, OperationalError | InterfaceError):
        cause = cause.__context__
    return unavailable(request, cause) if cause else defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """What no layer caught. Django calls this while it handles the exception, so the exception can be asked for."""
    exception = sys.exception()
    if exception is not None and is_outage(exception):
        return unavailable(request, exception)
    return HttpResponse(render_to_string("500.html"), status=500)
