"""Restore a backup into an empty database: all of it or nothing. Compares every row, brings the tables up to date, raises the walls,
and checks the signatures and the record's seals. STEADY_BACKUP_KEY names the secret key's file.
"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError

from clinic.backup import envelope, make, restore
from clinic.backup.terminal import BackupCommand


class Command(BackupCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def work(self, **options: Any) -> None:
        manifest = restore.restore(options["file"], envelope.identity(), self.progress("Restoring"))
        self.tell(manifest)
        self.stdout.write("Restored: 0 rows differ from the backup.")
        # Each ends with code 1, or with a sentence, when something does not hold; a record without a seal has nothing to be held to.
        checks = ["verify_signatures", *(["verify_audit"] if manifest.seal_head else [])]
        failed = [name for name in checks if not self._holds(name)]
        if failed:
            said = f"{', '.join(failed)} says above what."
            raise CommandError(f"Every row is restored as it was when the backup was made; not all of it could be shown to hold: {said}")
        changed = [app for app, digest in make.content_hashes().items() if manifest.content.get(app) != digest]
        if changed:
            self.stdout.write(f"The content files of {', '.join(changed)} have changed since the backup; set_up loads the new ones.")
        self.stdout.write("Run `manage.py set_up` next, then start the web server. Everybody logs in anew.")

    def _holds(self, name: str) -> bool:
        try:
            call_command(name, stdout=self.stdout, stderr=self.stderr)
        except SystemExit:
            return False
        except CommandError as error:
            self.stderr.write(str(error))
            return False
        return True
