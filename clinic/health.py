"""Alive, ready, and what to say when the database is not there."""

import logging
import queue
import threading
from collections.abc import Callable, Iterator

from django.conf import settings
from django.db import DatabaseError, DataError, Error, IntegrityError, InterfaceError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from clinic.audit import AuditFailed
from clinic.database import SHOW_DURABLE, forgetful

log = logging.getLogger("steady.health")
RETRY_AFTER_SECONDS = "5"
READY_SECONDS = 2.5
NO_ANSWER = {"database": "The database does not answer."}
# The two records the database keeps: whatever keeps a row out of them, nothing may be shown or changed.
RECORDS = frozenset({"clinic_accessevent", "clinic_change"})


class HealthMiddleware:
    """Answers /healthz before anything else runs, so that it says only: this process is alive."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz":
            return HttpResponse("alive\n", content_type="text/plain")
        if request.path == "/readyz":
            return readiness()
        return self.get_response(request)


class DatabaseFaultMiddleware:
    """A database that is down, full, or cannot write the audit is a 503 with a sentence, never a stack trace.

    This sees what views and templates raise. Django turns what every other layer raises (sessions, other middleware, BEGIN
    and COMMIT) into a response before any middleware sees it, so `clinic.views.errors.server_error` asks the same question.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return unavailable(request, exception) if is_outage(exception) else None


def is_outage(exception: BaseException | None) -> bool:
    """Whether the database, and not a mistake of ours, is the reason.

    A value that does not fit its column is a mistake of ours and stays a 500: to call it an outage would hide it.
    """
    if isinstance(exception, DataError | IntegrityError):
        return getattr(getattr(exception.__cause__, "diag", None), "table_name", None) in RECORDS
    return isinstance(exception, AuditFailed | DatabaseError | InterfaceError)


def unavailable(request: HttpRequest, exception: BaseException) -> HttpResponse:
    """503 with a sentence and Retry-After; drops the broken connection so that the next request gets a fresh one.

    "Not saved" is said only where it is certain: a COMMIT whose answer was lost may have been carried out.
    """
    log.error("the database did not answer", exc_info=exception)
    if not connection.in_atomic_block:
        connection.close()
    context = {"perhaps": request.method == "POST" and getattr(request, "committing", False)}
    response = HttpResponse(render_to_string("503.html", context), status=503)
    response["Retry-After"] = RETRY_AFTER_SECONDS
    return response


def readiness() -> JsonResponse:
    """What stands in the way of serving, by name; 200 when nothing does.

    Asked on a thread and a connection of their own: a database that hangs is told from one that answers by the clock alone.
    """
    answer: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()
    threading.Thread(target=lambda: answer.put(_problems()), daemon=True).start()
    try:
        problems = answer.get(timeout=READY_SECONDS)
    except queue.Empty:
        problems = NO_ANSWER
    return JsonResponse({"ready": not problems, "problems": problems}, status=503 if problems else 200)


def _problems() -> dict[str, str]:
    try:
        return dict(_look())
    except (OperationalError, InterfaceError):
        return NO_ANSWER
    except Error:
        return {"migrations": "The tables cannot be read by the web role. Run migrate as their owner."}
    finally:
        connection.close()


def _look() -> Iterator[tuple[str, str]]:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        yield "migrations", "Some migrations have not been applied."
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege(to_regclass('public.clinic_accessevent'), 'INSERT')")
        if not cursor.fetchone()[0]:
            yield "audit", "The web role cannot write access events, so no record may be shown."
        cursor.execute("SELECT has_database_privilege(current_database(), 'TEMPORARY')")
        if cursor.fetchone()[0]:
            yield "walls", "The web role may make temporary tables, which could catch the record of accesses."
        cursor.execute(SHOW_DURABLE)
        if settings.STEADY_ENV != "test" and (problem := forgetful(cursor.fetchone())):
            yield "durability", problem


def healthz(request: HttpRequest) -> HttpResponse:
    """Named for the URLconf; HealthMiddleware answers first."""
    return HttpResponse("alive\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    return readiness()
