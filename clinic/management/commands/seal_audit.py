"""Seal the record of accesses and changes: sign what is final and add the seals to the copy outside the database.

Run it from a timer, as often as what is not sealed yet may be lost: each hour, say. It can be run twice at once, and again after it
was broken off.
"""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from clinic.seal import SealProblem, keys, make, outside, places
from clinic.seal.document import Document
from clinic.terminal import ToldCommand


class Command(ToldCommand):
    help = __doc__
    problem = SealProblem

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--new-copy", action="store_true", help="begin the copy anew from the seals in the database")

    def work(self, **options: Any) -> None:
        key_file, copy, database = places.key(), places.copy(), places.database()
        # On a server of one's own the key is made on purpose, and kept on purpose.
        if not settings.PRODUCTION and not key_file.exists():
            keys.make(key_file, outside.public_file(copy))
        if not make.seal(database, key_file=key_file, copy=copy, progress=self._say, renew_copy=options["new_copy"]):
            self.stdout.write("Nothing to seal.")

    def _say(self, document: Document) -> None:
        rows = sum(part.rows for part in document.parts)
        self.stdout.write(f"Seal {document.number}: {rows} rows.")
