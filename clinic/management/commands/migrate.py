"""Django's migrate, and after it the cache table and the walls (clinic/walls.py), without holding up those who work meanwhile.

Whoever wants a table that a migration waits for stands behind it in the queue. So a migration waits half a second, gives up, lets
everybody pass, and tries again; what it had not finished is undone, what it had finished stays.
"""

import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as Migrate
from django.db import OperationalError, connection, transaction

from clinic import walls

LOCK_TIMEOUT = "500ms"
PAUSE_SECONDS = 2.0
ATTEMPTS = 60
LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK = "40P01"


class Command(Migrate):
    def handle(self, *args: Any, **options: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
        try:
            self._in_turn("the tables", lambda attempt: super(Command, self).handle(*args, **options))
            if not (options["plan"] or options["check_unapplied"] or options["app_label"]):
                self._in_turn("the walls", self._raise_walls)
        finally:
            if not connection.in_atomic_block:
                connection.close()  # and with it the limit

    def _raise_walls(self, attempt: int) -> None:
        """All or nothing at first. Where people are in the way, statement by statement: each wants one table, and has it in its turn."""
        call_command("createcachetable", verbosity=0)
        with transaction.atomic() if attempt == 1 else nullcontext(), connection.cursor() as cursor:
            missing = walls.raise_walls(cursor)
        for sentence in missing:
            self.stderr.write(sentence)

    def _in_turn(self, what: str, step: Callable[[int], object]) -> None:
        """Do it when nobody is in the way, within a few minutes. Raises CommandError when somebody is for longer."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                step(attempt)
            except OperationalError as error:
                if getattr(error.__cause__, "sqlstate", None) not in (LOCK_NOT_AVAILABLE, DEADLOCK):
                    raise
            else:
                return
            if attempt == 1:
                self.stderr.write(f"Somebody is using {what} that are to be changed; trying again until they are free ...")
            time.sleep(PAUSE_SECONDS)
        raise CommandError(
            f"{what.capitalize()} were in use for {ATTEMPTS * PAUSE_SECONDS:.0f} seconds. What was finished stays; run this again at a "
            "quieter time, or end what holds them (pg_stat_activity shows the oldest transaction)."
        )
