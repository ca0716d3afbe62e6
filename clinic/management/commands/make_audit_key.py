"""Make the key that seals are signed with: its private half at STEADY_AUDIT_KEY, its public half beside STEADY_SEAL_COPY."""

from typing import Any

from clinic.seal import SealProblem, keys, outside, places
from clinic.terminal import ToldCommand


class Command(ToldCommand):
    help = __doc__
    problem = SealProblem

    def work(self, **options: Any) -> None:
        key_file, public_file = places.key(), outside.public_file(places.copy())
        keys.make(key_file, public_file)
        name = keys.fingerprint(keys.public(public_file))
        self.stdout.write(f"Made the key {name}.\nPrivate half: {key_file}\nPublic half: {public_file}")
        self.stdout.write("Keep the private half where the web server cannot read it, and write the key's name down elsewhere.")
