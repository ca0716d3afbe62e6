"""What a log line may say: where and what kind, never a value. A database error quotes the row that failed, so its words stay out."""

import logging
import traceback
from collections.abc import Iterator

import django.db
import psycopg

DATABASE_ERRORS = (django.db.Error, psycopg.Error)
UNREACHED = (django.db.OperationalError, psycopg.OperationalError)


class WithoutValues(logging.Filter):
    """Replaces the message of every database error in a record, its causes included, by the class and the SQLSTATE."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1]:
            # A formatter takes exc_text, where there is one, as the whole traceback.
            record.exc_text = "".join(_lines(record.exc_info[1], set())).rstrip()
        if isinstance(record.msg, DATABASE_ERRORS):
            record.msg, record.args = said(record.msg), None
        if isinstance(record.args, tuple):
            record.args = tuple(said(value) if isinstance(value, DATABASE_ERRORS) else value for value in record.args)
        return True


def said(error: BaseException) -> str:
    """One line about an exception: its class, and its message unless that quotes what was to be stored."""
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    state = getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None)
    # Without a state the server has said nothing yet: why no connection came about is what whoever looks after it must read.
    unreached = isinstance(error, UNREACHED) and state is None
    if unreached or not isinstance(error, DATABASE_ERRORS):
        return f"{name}: {error}"
    return f"{name} (SQLSTATE {state or 'none'})"


def _lines(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier and id(earlier) not in seen:
        yield from _lines(earlier, seen)
        yield "\nwhich led to:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield said(error) + "\n"
