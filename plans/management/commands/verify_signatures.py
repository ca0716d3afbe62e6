"""Check every signed plan against its hash and every signature against what it signed; name what does not hold, exit 1."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from clinic.row_security import hidden_here
from plans.models import SignedPlan
from plans.verification import missing, problems, signed_plans

PROGRESS = 1000


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        if hidden_here(SignedPlan):
            raise CommandError("Row-level security hides signed plans from this log-in. Set DATABASE_OWNER_URL: the owner sees every one.")
        bad = checked = 0
        for signed in signed_plans():
            checked += 1
            for problem in problems(signed):
                bad += 1
                self.stderr.write(f"Signed plan {signed.public_id}, version {signed.number}: {problem}")
            if checked % PROGRESS == 0:
                self.stdout.write(f"{checked} checked ...")
        for sentence in missing():
            bad += 1
            self.stderr.write(sentence)
        self.stdout.write(f"{checked} signed plans checked, {bad} problems.")
        if bad:
            sys.exit(1)
