"""Refusals and faults as sentences."""

import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from clinic.health import is_outage, unavailable


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form whose log-in has ended or whose page is too old: nothing was saved, and here is the way back."""
    message = "This page was open for too long, so nothing was saved. Go back, reload the page and send it again."
    return render(request, "403.html", {"exception": message}, status=403)


def server_error(request: HttpRequest) -> HttpResponse:
    """What no layer caught. Django calls this while it handles the exception, so the exception can be asked for."""
    exception = sys.exception()
    if exception is not None and is_outage(exception):
        return unavailable(exception)
    return HttpResponse(render_to_string("500.html"), status=500)
