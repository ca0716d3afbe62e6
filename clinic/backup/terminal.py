"""What the backup commands share: a sentence for what the database refuses, and a line of progress every two seconds."""

import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError

from clinic.backup import BackupProblem
from clinic.backup.contents import Manifest
from clinic.logs import DATABASE_ERRORS, said
from clinic.terminal import ToldCommand

EVERY_SECONDS = 2.0


class BackupCommand(ToldCommand):
    problem = BackupProblem
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            super().handle(*args, **options)
        except DATABASE_ERRORS as error:  # its own words may quote a row
            raise CommandError(f"The database ended this: {said(error)}. What was begun is undone.") from None

    def progress(self, what: str) -> Callable[[str, int], None]:
        """Says how far it is, when two seconds have passed since it last did."""
        started = said = time.monotonic()

        def say(table: str, rows: int) -> None:
            nonlocal said
            now = time.monotonic()
            if now - said >= EVERY_SECONDS:
                said = now
                self.stdout.write(f"{what} ... {table}: {rows:,} rows ({now - started:.0f} s)")
                self.stdout.flush()

        return say

    def tell(self, manifest: Manifest) -> None:
        head = " ".join(str(part) for part in manifest.seal_head or ["none: the record of accesses and changes was not sealed yet"])
        self.stdout.write(
            f"{manifest.rows:,} rows in {len(manifest.tables)} tables, of {manifest.made_at}\n"
            f"Steady {manifest.steady}, PostgreSQL {manifest.postgresql}, {len(manifest.migrations)} migrations\n"
            f"Seal of the record: {head}"
        )
