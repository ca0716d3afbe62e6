"""Read a backup to its end and check all of it, without a database. STEADY_BACKUP_KEY names the secret key's file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from clinic.backup import envelope, restore
from clinic.backup.terminal import BackupCommand


class Command(BackupCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def work(self, **options: Any) -> None:
        self.tell(restore.check(options["file"], envelope.identity(), self.progress("Reading")))
        self.stdout.write("The backup is whole: every row is there, and every table is what its manifest says.")
