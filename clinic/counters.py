"""Counters of failed attempts, on a connection of their own: what a refused request wrote is undone, what it tried still counts."""

from typing import Any

from django.conf import settings

CACHE = "django_cache"  # the app label Django's cache table goes by


class CountersApart:
    """Sends the cache table, which holds the rate limits alone, to the second connection; everything else stays on the first."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return settings.COUNTERS_DATABASE if model._meta.app_label == CACHE else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """The second connection is the same database, so nothing is migrated through it."""
        return False if db == "counters" else None
