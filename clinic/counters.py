"""Counters of failed attempts, on a connection of their own: what a refused request wrote is undone, what it tried still counts."""

from typing import Any

from django.conf import settings
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache
from django.db import OperationalError, connections

CACHE = "django_cache"  # the app label Django's cache table goes by


class CountersApart:
    """Sends the cache table, which holds the rate limits alone, to the second connection; everything else stays on the first."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return settings.COUNTERS_DATABASE if model._meta.app_label == CACHE else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """The second connection is the same database, so nothing is migrated through it."""
        return False if db == "counters" else None


class Counters(DatabaseCache):
    """Django's, except that a full or silent database is an error: Django's drops it, and a right password got "too many attempts"."""

    def _base_set(self, mode: str, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT) -> bool:
        failed: list[OperationalError] = []

        def watch(execute: Any, *args: Any) -> Any:
            try:
                return execute(*args)
            except OperationalError as error:
                failed.append(error)
                raise

        with connections[settings.COUNTERS_DATABASE].execute_wrapper(watch):
            done: bool = super()._base_set(mode, key, value, timeout)  # type: ignore[misc]
        if failed:
            raise failed[0]
        return done
