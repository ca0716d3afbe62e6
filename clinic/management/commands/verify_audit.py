"""Check the record of accesses and changes against its seals; name the first thing that does not hold, exit 1."""

import datetime
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import psycopg
from django.core.management.base import CommandParser
from django.utils import timezone
from psycopg import IsolationLevel

from clinic.seal import SealProblem, keys, outside, places, standing
from clinic.seal.document import Document
from clinic.seal.verify import Counts, Verification
from clinic.terminal import ToldCommand

PROGRESS = 100_000  # rows
TOO_OLD = datetime.timedelta(days=1)


class Command(ToldCommand):
    help = __doc__
    problem = SealProblem

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="name everything that does not hold, not only the first")

    def work(self, **options: Any) -> None:
        copy, database = places.copy(), places.database()
        name = keys.fingerprint(keys.public(outside.public_file(copy)))
        self.walk = Verification(database, copy, self._progress)
        self._said = 0
        with outside.locked(copy), _as_it_is_now(database):
            bad = self._count(chain(self.walk.problems(), standing.problems(database)), every=options["all"])
        self._tell(name, self.walk.counts, bad)
        if bad:
            sys.exit(1)

    def _count(self, problems: Iterable[str], *, every: bool) -> int:
        bad = 0
        for bad, sentence in enumerate(problems, 1):
            if bad == 1 or every:
                self.stderr.write(sentence)
        if bad > 1 and not every:
            self.stderr.write(f"{bad - 1} more; --all names them.")
        return bad

    def _progress(self, document: Document) -> None:
        if self.walk.counts.rows >= self._said + PROGRESS:
            self._said = self.walk.counts.rows
            self.stdout.write(f"{self._said} rows, to seal {document.number} ...")

    def _tell(self, name: str, counts: Counts, bad: int) -> None:
        self.stdout.write(f"{counts.seals} seals and {counts.rows} rows checked, {bad} problems. The key is {name}.")
        if not counts.unsealed or counts.oldest is None:
            self.stdout.write("Everything is sealed.")
            return
        age = timezone.now() - counts.oldest
        self.stdout.write(f"{counts.unsealed} rows are not sealed yet, the oldest from {counts.oldest:%Y-%m-%d %H:%M} UTC.")
        if age > TOO_OLD:
            self.stderr.write("Warning: some of them are older than a day. Run `manage.py seal_audit` from a timer.")


@contextmanager
def _as_it_is_now(database: psycopg.Connection) -> Iterator[None]:
    """What people write meanwhile is not looked at half."""
    database.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        yield
    finally:
        database.isolation_level = None
