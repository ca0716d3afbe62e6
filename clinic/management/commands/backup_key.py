"""Make the key of the backups: FILE opens them and is kept away from this machine, FILE.pub writes them and stays."""

from argparse import ArgumentParser
from getpass import getpass
from pathlib import Path
from typing import Any

from clinic.backup import BackupProblem, envelope
from clinic.backup.terminal import BackupCommand

SHORTEST = 12


class Command(BackupCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a file that is not there yet")
        parser.add_argument("--passphrase", action="store_true", help="ask for a passphrase, without which FILE opens nothing")

    def work(self, **options: Any) -> None:
        public = envelope.make_key(options["file"], self._passphrase() if options["passphrase"] else "")
        self.stdout.write(f"{options['file']} opens backups; {options['file']}.pub ({public}) writes them.")
        self.stdout.write("Keep the first where this machine's disk cannot take it along. Whoever loses it has no backups.")

    def _passphrase(self) -> str:
        text = getpass("Passphrase: ")
        if len(text) < SHORTEST:
            raise BackupProblem(f"A passphrase has at least {SHORTEST} characters. No key was made.")
        if getpass("Once more: ") != text:
            raise BackupProblem("The two are not the same. No key was made.")
        return text
