"""A database that fails at one statement: the n-th, or the COMMIT."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from tests import databases

FULL = "DO $$ BEGIN RAISE 'no space is left' USING ERRCODE = 'disk_full'; END $$"
# Whatever is written has its change recorded, and the server looks at what is deferred when it is asked to commit.
FULL_AT_COMMIT = """
CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no space is left' USING ERRCODE = 'disk_full'; END $$;
CREATE CONSTRAINT TRIGGER no_space AFTER INSERT ON clinic_change DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION no_space()
"""
Run = Callable[[], Any]


def full_disk(execute: Run, context: dict[str, Any]) -> Any:
    """The server itself refuses, and the transaction is broken as it would be."""
    return execute(FULL, None, False, context)  # type: ignore[call-arg]


def lost(execute: Run, context: dict[str, Any]) -> Any:
    """The connection ends before the statement arrives."""
    connection.connection.close()
    return execute("SELECT 1", None, False, context)  # type: ignore[call-arg]


KINDS = {"full disk": full_disk, "lost connection": lost}


class Breaking:
    """Lets n - 1 statements pass and breaks the n-th; `broke` says whether there was an n-th."""

    def __init__(self, n: int, kind: Callable[..., Any] = full_disk) -> None:
        self.n, self.kind, self.seen, self.broke = n, kind, 0, False

    def __call__(self, execute: Run, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        self.seen += 1
        if self.seen == self.n:
            self.broke = True
            return self.kind(execute, context)
        return execute(sql, params, many, context)  # type: ignore[call-arg]


@contextmanager
def breaking(n: int, kind: Callable[..., Any] = full_disk) -> Iterator[Breaking]:
    state = Breaking(n, kind)
    with connection.execute_wrapper(state):
        yield state


@contextmanager
def commit_fails() -> Iterator[None]:
    """Every COMMIT of a write is refused by the server."""
    with databases.admin(databases.NAME) as admin:
        admin.execute(FULL_AT_COMMIT)
        yield
        admin.execute("DROP FUNCTION no_space() CASCADE")
