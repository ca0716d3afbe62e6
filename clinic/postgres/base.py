"""Django's PostgreSQL with an end to waiting: a server that hangs cannot keep to a timeout of its own, and each request holds a thread."""

from functools import partial
from time import monotonic
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base

# None waits for ever: a command may have much to read. Longer than statement_timeout, which a living server keeps by itself and
# after which the connection can still be used.
ANSWER_SECONDS: float | None = settings.ANSWER_SECONDS
# Whoever said nothing is not asked again, over a new connection, by the same request: it would wait a second time.
SILENT_SECONDS = 1.0


class DatabaseWrapper(base.DatabaseWrapper):
    silent_until = 0.0

    def get_new_connection(self, conn_params: Any) -> Any:
        if monotonic() < self.silent_until:
            raise psycopg.OperationalError("the server said nothing a moment ago")
        try:
            connection = super().get_new_connection(conn_params)
        except psycopg.errors.ConnectionTimeout:
            self.was_silent()
            raise
        connection.wait = partial(_wait, self, connection)
        return connection

    def was_silent(self) -> None:
        self.silent_until = monotonic() + SILENT_SECONDS


def _wait(wrapper: DatabaseWrapper, connection: psycopg.Connection, generator: Any, *args: Any, **kwargs: Any) -> Any:
    """What the driver awaits, or a closed connection: what the server says after that would answer another question."""
    try:
        return psycopg.Connection.wait(connection, generator, *args, **{"timeout": ANSWER_SECONDS, **kwargs})
    except psycopg.errors._WaitTimeout:
        connection.pgconn.finish()
        wrapper.was_silent()
        raise psycopg.OperationalError(f"the server said nothing for {ANSWER_SECONDS:g} seconds") from None
