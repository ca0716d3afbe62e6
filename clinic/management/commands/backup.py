"""Write every row, as it stands at this moment, into one encrypted file.

STEADY_BACKUP_KEY names the key's file; the public half is enough.
"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from clinic.backup import envelope, make
from clinic.backup.terminal import BackupCommand


class Command(BackupCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a file that is not there yet")

    def work(self, **options: Any) -> None:
        file = options["file"]
        self.tell(make.make(file, envelope.recipient(), self.progress("Writing")))
        self.stdout.write(f"Backup written to {file}. `manage.py backup_verify {file}` reads it whole; try a restore now and then.")
