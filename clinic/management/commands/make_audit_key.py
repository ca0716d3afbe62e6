"""Make the key that seals are signed with: its private half at STEADY_AUDIT_KEY, its public half beside STEADY_SEAL_COPY."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from clinic.seal import SealProblem, keys, outside, places


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key_file, copy = places.key(), places.copy()
            keys.make(key_file, outside.public_file(copy))
        except SealProblem as problem:
            raise CommandError(str(problem)) from None
        name = keys.fingerprint(keys.public(outside.public_file(copy)))
        self.stdout.write(f"Made the key {name}.\nPrivate half: {key_file}\nPublic half: {outside.public_file(copy)}")
        self.stdout.write("Keep the private half where the web server cannot read it, and write the key's name down elsewhere.")
