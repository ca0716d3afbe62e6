"""Check every signed plan against its hash and every signature against what it signed; name what does not hold, exit 1."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from plans import document
from plans.models import Signature, SignedPlan

PROGRESS = 1000


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        bad = checked = 0
        for signed in SignedPlan.objects.order_by("pk").iterator():
            checked += 1
            for problem in problems(signed):
                bad += 1
                self.stderr.write(f"Signed plan {signed.public_id}, version {signed.number}: {problem}")
            if checked % PROGRESS == 0:
                self.stdout.write(f"{checked} checked ...")
        self.stdout.write(f"{checked} signed plans checked, {bad} problems.")
        if bad:
            sys.exit(1)


def problems(signed: SignedPlan) -> list[str]:
    """What does not hold about one signed version, as sentences; empty when all of it does."""
    found = []
    if not document.verify(signed.document.encode(), signed.sha256):
        found.append("the document is not what was signed.")
    signatures = list(Signature.objects.filter(signed_plan=signed))
    if not any(row.meaning == Signature.Meaning.AUTHOR for row in signatures):
        found.append("its author's signature is missing.")
    for row in signatures:
        expected = document.signature_hash(signed.sha256, signer=row.name, credential=row.credential, meaning=row.meaning, at=row.at)
        if row.sha256 != expected:
            found.append(f"the signature of {row.name} does not belong to it.")
    return found
