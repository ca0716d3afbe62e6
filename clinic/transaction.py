"""One request, one transaction: the innermost middleware opens it, tells the database who acts, and decides its end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse

from clinic import audit

P = ParamSpec("P")
R = TypeVar("R")
SET_ACTOR = (
    "SELECT set_config('steady.user_id', %s, true), set_config('steady.action', %s, true), set_config('steady.reason', %s, true)"
)


def set_actor(user: Any, action: str, reason: str = "") -> None:
    """Say who acts, until the transaction ends: the trigger that writes changes and the row walls read it."""
    user_id = str(user.pk) if user is not None and user.pk else ""
    with connection.cursor() as cursor:
        cursor.execute(SET_ACTOR, [user_id, action[:40], reason[:300]])


@contextmanager
def acting(user: Any, action: str, reason: str = "") -> Iterator[None]:
    """A transaction in somebody's name outside a request: commands, demo data, tests."""
    with transaction.atomic():
        set_actor(user, action, reason)
        yield


def joins_transaction(function: Callable[P, R]) -> Callable[P, R]:
    """An action inside the transaction that is open, else in one of its own.

    `transaction.atomic` would set a savepoint each time, two more trips to the database. This is for actions that refuse before
    their first write; whatever fails after that ends the whole transaction.
    """

    @wraps(function)
    def joined(*args: P.args, **kwargs: P.kwargs) -> R:
        if connection.in_atomic_block:
            return function(*args, **kwargs)
        with transaction.atomic():
            return function(*args, **kwargs)

    return joined


class TransactionMiddleware:
    """Views, template rendering and their audit in one transaction; denials are recorded afterwards, in one of their own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with transaction.atomic():
            response = self.get_response(request)
            audit.insist(request, response)
            # A refusal undoes what the request wrote.
            if response.status_code >= 400 and response.status_code not in audit.KEPT:
                transaction.set_rollback(True)
            else:
                request.committing = True  # type: ignore[attr-defined]  # from here on nobody can say that nothing was saved
        audit.record_denials(request, response)
        return response

    def process_view(self, request: HttpRequest, view: Any, args: tuple, kwargs: dict) -> None:
        """The action is known only once the URL is resolved (clinic.permissions sets it)."""
        if request.user.is_authenticated:
            set_actor(request.user, getattr(request, "action", ""))
