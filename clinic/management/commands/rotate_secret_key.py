"""After a new STEADY_SECRET_KEY: encrypt the secrets of the second factor with it, so that the key before it can be forgotten."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.core.management.base import BaseCommand

from clinic.accounts import SECRETS
from clinic.transaction import acting

ENCRYPTED = ("secret", "seed")


class Command(BaseCommand):
    help = __doc__

    def handle(self, **options: Any) -> None:
        with acting(None, "rotate_secret_key", "a new STEADY_SECRET_KEY"):
            rows = list(Authenticator.objects.select_for_update())
            for row in rows:
                row.data |= {key: SECRETS().rotate(row.data[key].encode()).decode() for key in ENCRYPTED if key in row.data}
                row.save(update_fields=["data"])
        self.stdout.write(f"{len(rows)} secrets of second factors are encrypted with STEADY_SECRET_KEY.")
