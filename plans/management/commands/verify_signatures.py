"""Check every signed plan against its hash and every signature against what it signed; name what does not hold, exit 1."""

import sys
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand

from clinic import workflow
from plans import document, signing
from plans.models import Plan, Signature, SignedPlan

PROGRESS = 1000


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        bad = checked = 0
        rows = SignedPlan.objects.select_related("plan", "episode__program", "patient", "program", "supersedes")
        for signed in rows.prefetch_related("signatures__user", "supersedes__signatures").order_by("pk").iterator(chunk_size=PROGRESS):
            checked += 1
            for problem in problems(signed):
                bad += 1
                self.stderr.write(f"Signed plan {signed.public_id}, version {signed.number}: {problem}")
            if checked % PROGRESS == 0:
                self.stdout.write(f"{checked} checked ...")
        for plan in Plan.objects.exclude(status=Plan.Status.DRAFT).filter(signed=None).select_related("episode"):
            bad += 1
            self.stderr.write(f"Plan {plan.public_id}, version {plan.number}: it was signed, and what was signed is gone.")
        self.stdout.write(f"{checked} signed plans checked, {bad} problems.")
        if bad:
            sys.exit(1)


def problems(signed: SignedPlan) -> list[str]:
    """What does not hold about one signed version, as sentences; empty when all of it does."""
    if not document.verify(signed.document.encode(), signed.sha256):
        return ["the document is not what was signed."]
    content = document.load(signed.document.encode())
    return [*_document(signed, content), *_signatures(signed, content)]


def _document(signed: SignedPlan, content: dict[str, Any]) -> Iterator[str]:
    """The row stands for what its document says: whose plan it is, which number, and what it replaced."""
    if content["number"] != signed.number:
        yield "its number is not the one of the document."
    if content["schema"] == document.FIRST:  # said nothing of what follows
        return
    rows: dict[str, Any] = {"plan": signed.plan, "episode": signed.episode, "patient": signed.patient, "program": signed.program}
    for name, row in rows.items():
        if content["ids"][name] != str(row.public_id):
            yield f"it stands under another {name} than it was signed for."
    before, replaced = signed.supersedes, content["supersedes"]
    if (before.sha256 if before else None) != (replaced["sha256"] if replaced else None):
        yield "it names another version as the one it replaced."
    elif before and not {row.sha256 for row in before.signatures.all()}.issuperset(replaced["signatures"]):
        yield "a signature of the version it replaced is missing."


def _signatures(signed: SignedPlan, content: dict[str, Any]) -> Iterator[str]:
    rows = list(signed.signatures.all())
    by_meaning = {row.meaning: row for row in rows}
    author = by_meaning.get(Signature.Meaning.AUTHOR)
    if author is None:
        yield "its author's signature is missing."
    elif author.at != signed.signed_at:
        yield "it was not signed at the time it says."
    treated = signed.plan.status == Plan.Status.SIGNED and signed.episode.stage in (workflow.TREATMENT, workflow.AFTERCARE)
    if content.get("certifier") and treated and Signature.Meaning.CERTIFIER not in by_meaning:
        yield "its certifying signature is missing."
    for row in rows:
        same_person = (row.patient_id, row.program_id) == (signed.patient_id, signed.program_id)
        if row.sha256 != signing.bound_hash(signed, row) or not same_person:
            yield f"the signature of {row.name} does not belong to it."
