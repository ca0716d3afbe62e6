"""Django's PostgreSQL with an end to waiting: a server that hangs cannot keep to a timeout of its own, and each request holds a thread."""

from functools import partial
from typing import Any

import psycopg
from django.db.backends.postgresql import base

# Longer than statement_timeout, which a living server keeps by itself and after which the connection can still be used.
ANSWER_SECONDS = 20.0


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: Any) -> Any:
        connection = super().get_new_connection(conn_params)
        connection.wait = partial(_wait, connection)
        return connection


def _wait(connection: psycopg.Connection, generator: Any, *args: Any, **kwargs: Any) -> Any:
    """What the driver awaits, or a closed connection: what the server says after that would answer another question."""
    try:
        return psycopg.Connection.wait(connection, generator, *args, **{"timeout": ANSWER_SECONDS, **kwargs})
    except psycopg.errors._WaitTimeout:
        connection.pgconn.finish()
        raise psycopg.OperationalError(f"the server said nothing for {ANSWER_SECONDS:g} seconds") from None
