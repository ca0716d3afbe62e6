"""Refusals as sentences."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form whose log-in has ended or whose page is too old: nothing was saved, and here is the way back."""
    message = "This page was open for too long, so nothing was saved. Go back, reload the page and send it again."
    return render(request, "403.html", {"exception": message}, status=403)
