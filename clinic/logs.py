"""What a log line may say: where and what kind, never a value. A database error quotes the row that failed, so its words stay out.

In production a line is one JSON object, each request has one, and no exception's own words are written: any of them may quote a value.
"""

import json
import logging
import re
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import django.db
import psycopg
from django.http import HttpRequest, HttpResponse

log = logging.getLogger("steady.request")
# What every line says that is written while a request is being answered.
_context: ContextVar[dict[str, Any]] = ContextVar("request", default={})  # noqa: B039 never changed in place
# Django quotes where a form came from; an address names a record, its host does not.
ADDRESS = re.compile(r"(https?://[^/\s]*)/\S*")
# Attributes of a record that become fields of its line.
FIELDS = ("status", "milliseconds")

DATABASE_ERRORS = (django.db.Error, psycopg.Error)
UNREACHED = (django.db.OperationalError, psycopg.OperationalError)


class RequestLogMiddleware:
    """Numbers every request, tells the number in its answer, and writes one line when it is answered.

    The line names the view and never the address: an address names a record, and a query may name a person.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = _context.set({"request": uuid.uuid4().hex[:12]})
        began = time.monotonic()
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = request_number()
            _context.set(_context.get() | {"view": view_of(request), "user": user_of(request)})
            # Static files and probes that found nothing wrong would drown the rest.
            if request.resolver_match or response.status_code >= 400:
                figures = {"status": response.status_code, "milliseconds": round((time.monotonic() - began) * 1000)}
                log.log(logging.ERROR if response.status_code >= 500 else logging.INFO, "answered", extra=figures)
            return response
        finally:
            _context.reset(token)


def request_number() -> str:
    """The number of the request that is being answered, by which its lines are found; nothing outside of one."""
    return _context.get().get("request", "")


def view_of(request: HttpRequest) -> str:
    return request.resolver_match.view_name if request.resolver_match else ""


def user_of(request: HttpRequest) -> str:
    """The public id of who is logged in, if the request asked for that; nobody is looked up for a log."""
    user = getattr(request, "_cached_user", None)
    return str(user.public_id) if user is not None and user.is_authenticated else ""


class JsonLines(logging.Formatter):
    """One line of JSON for a record: time, level, logger, message, the request's fields, and the trace of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname, "logger": record.name, "message": record.getMessage(), **_context.get(),
        }  # fmt: skip
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_text:
            line["trace"] = record.exc_text
        return json.dumps(line, ensure_ascii=False)


class WithoutValues(logging.Filter):
    """Takes values out of a record: the words of database errors, their causes included, and the address of a request.

    `words=False` takes out the words of every exception: an error of Python's may quote what was typed.
    """

    def __init__(self, words: bool = True) -> None:
        super().__init__()
        self.words = words

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1]:
            # A formatter takes exc_text, where there is one, as the whole traceback.
            record.exc_text = "".join(_lines(record.exc_info[1], set(), self.words)).rstrip()
        if isinstance(record.msg, BaseException):
            record.msg, record.args = said(record.msg, self.words), None
        if isinstance(record.args, tuple):
            record.args = tuple(self._plain(value, record) for value in record.args)
        return True

    def _plain(self, value: Any, record: logging.LogRecord) -> Any:
        if isinstance(value, BaseException):
            return said(value, self.words)
        request = getattr(record, "request", None)  # Django names the address in what it says about a request
        if isinstance(value, str) and isinstance(request, HttpRequest) and value in (request.path, request.get_full_path()):
            return view_of(request) or "a page that is not there"
        return ADDRESS.sub(r"\1", value) if isinstance(value, str) else value


def said(error: BaseException, words: bool = True) -> str:
    """One line about an exception: its class, and its message unless that quotes what was to be stored."""
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    state = getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None)
    # Without a state the server has said nothing yet: why no connection came about is what whoever looks after it must read.
    if isinstance(error, UNREACHED) and state is None:
        return f"{name}: {error}"
    if isinstance(error, DATABASE_ERRORS):
        return f"{name} (SQLSTATE {state or 'none'})"
    return f"{name}: {error}" if words else name


def _lines(error: BaseException, seen: set[int], words: bool) -> Iterator[str]:
    seen.add(id(error))
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier and id(earlier) not in seen:
        yield from _lines(earlier, seen, words)
        yield "\nwhich led to:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield said(error, words) + "\n"
