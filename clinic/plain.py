"""What an address asks and what the cookies of a request say is plain text, before anything reads it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from clinic.cleaning import Unclean, clean_text

LONGEST = 4000  # characters of one value


class PlainMiddleware:
    """A question in an address that holds what cannot be stored is a 400 with a sentence; such a cookie is as if it were not there.

    PostgreSQL answers with an error to a NUL it is asked to compare with, be it a filter of the admin or the key of a session,
    which a cookie can write as \\000. The path is left to the views: they compare it, and whose record it names is written down.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.COOKIES = {name: value for name, value in request.COOKIES.items() if not _problem(name, value)}
        problem = _problem(*(text for name, values in request.GET.lists() for text in (name, *values)))
        return render(request, "400.html", {"problem": problem}, status=400) if problem else self.get_response(request)


def _problem(*texts: str) -> str:
    """What is wrong with the first of these texts that cannot be taken, as a sentence; empty when nothing is."""
    try:
        for text in texts:
            clean_text(text, max_length=LONGEST)
    except Unclean as problem:
        return str(problem)
    return ""
