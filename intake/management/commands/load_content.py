"""Load the questionnaires of intake/content/ as immutable versions, and the medicines of its formulary that are not there yet.

A released version never changes: its hash is checked. A medicine that is there is the administrators' and stays as it is.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from clinic.cleaning import load_json
from clinic.transaction import set_actor
from intake.content_files import CONTENT, ContentError
from intake.content_files import questionnaire as released
from intake.formulary import shipped
from intake.models import Instrument, Medicine
from intake.packet import instruments
from intake.scoring import score_definitions


class Command(BaseCommand):
    help = __doc__

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        set_actor(None, "load_content")
        try:
            score_definitions()
            loaded = sum(self._load(code) for code in instruments())
            known = set(Medicine.objects.values_list("name", flat=True))
            new = [Medicine(name=name, classes=list(classes)) for name, classes in shipped().items() if name not in known]
            Medicine.objects.bulk_create(new)
        except (ContentError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{loaded} questionnaires and {len(new)} medicines loaded; the others were there already.")

    def _load(self, code: str) -> bool:
        """True when this version was not there yet. The new version becomes the active one."""
        questionnaire = released(code)
        known = Instrument.objects.filter(url=questionnaire.url, version=questionnaire.version).first()
        if known is not None:
            if known.sha256 != questionnaire.sha256:
                raise ContentError(
                    f"questionnaires/{code}.json: version {questionnaire.version} was released with another content. "
                    "A released version is never edited: give the new text a new version."
                )
            return False
        Instrument.objects.filter(code=code, active=True).update(active=False)
        Instrument.objects.create(
            code=code, url=questionnaire.url, version=questionnaire.version, title=questionnaire.title,
            content=load_json((CONTENT / "questionnaires" / f"{code}.json").read_bytes()), sha256=questionnaire.sha256,
            licence_status=instruments()[code].licence, credit_line=questionnaire.copyright,
        )  # fmt: skip
        return True
