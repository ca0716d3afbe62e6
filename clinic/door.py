"""What holds for every request and every answer, whoever asks: text is UTF-8, no browser keeps a page, and there is a way back in."""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit, urlunsplit

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import parse_header_parameters

from clinic.cleaning import entry

UTF_8 = "utf-8"
NOT_READ = b"This request could not be read: Steady reads text as UTF-8 only. Nothing was saved.\n"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def utf_8_only(application: Application) -> Application:
    """Refuses a request that names any other charset: Python would decode rot13, UTF-7 and escapes too.

    Around Django and not a middleware of it: Django's request decodes the query in that charset while it is being made.
    """

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if _charset(environ.get("CONTENT_TYPE", "")) == UTF_8:
            return application(environ, start_response)
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store")]
        start_response("400 Bad Request", headers)
        return [NOT_READ]

    return guarded


def _charset(content_type: str) -> str:
    """The charset a content type names, as Django would read it; UTF-8 when it names none, nothing when it cannot be read."""
    try:
        return parse_header_parameters(content_type)[1].get("charset", UTF_8).strip().lower()
    except (LookupError, ValueError):
        return ""


# What no page of ours asks of a browser, it is told to refuse.
NOT_ASKED = ", ".join(f"{each}=()" for each in ("camera", "display-capture", "geolocation", "microphone", "payment", "usb"))


class NoStoreMiddleware:
    """No page is kept by a browser or a proxy: a desk is shared, and so is its Back button. No other site may take one into its own.

    Static files are served before.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Cache-Control"] = "no-store, private"
        response["Cross-Origin-Resource-Policy"] = "same-origin"
        response["Permissions-Policy"] = NOT_ASKED
        return response


def came_from(request: HttpRequest) -> str:
    """The page of this site that a form was sent from; the browser says it (Referrer-Policy: same-origin). Else the address it went to."""
    page = _split(entry(request.headers, "Referer"))
    return urlunsplit(("", "", page.path, page.query, "")) if page.netloc == request.get_host() else request.get_full_path()


def _split(address: str) -> SplitResult:
    """The parts of an address; none of one that cannot be read, as http://[::1 cannot."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def log_in_address(request: HttpRequest, *, ended: bool = False) -> str:
    """The log-in for somebody who was logged out in mid-work: it says why and what was not saved, and leads back to the page."""
    log_in = reverse("account_login")
    if request.path in (log_in, reverse("account_logout"), reverse("admin:logout")) or came_from(request).startswith(log_in):
        return log_in
    sent = request.method not in ("GET", "HEAD")
    reasons = {"unsaved": int(sent), "ended": int(ended)}
    following = {"next": came_from(request) if sent else request.get_full_path()}
    return f"{log_in}?{urlencode(following | {name: 1 for name, holds in reasons.items() if holds})}"
