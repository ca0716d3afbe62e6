"""The wording of a gated questionnaire, added by a clinic that has the permission to use it."""

import datetime
from collections.abc import Mapping

from django.core.exceptions import PermissionDenied
from django.db import transaction

from clinic.models import User
from clinic.permissions import may
from intake.gated import texts_of, version, with_texts
from intake.models import Instrument
from intake.questionnaire import load


@transaction.atomic
def add_wording(*, by: User, code: str, texts: Mapping[str, str], reference: str, date: datetime.date) -> Instrument:
    """A new version of the questionnaire, with these texts by linkId and the permission, takes the place of the active one.

    The same again is the version that is there. Raises PermissionDenied for somebody who publishes no questionnaires, ValueError
    for one that is not gated, a permission without a reference, or a text that is missing.
    """
    if not may(by, "questionnaire.publish"):
        raise PermissionDenied
    if not reference:
        raise ValueError("Without the reference of a permission no wording is added.")
    versions = list(Instrument.objects.select_for_update().filter(code=code).order_by("pk"))
    if not versions or versions[0].licence_status != Instrument.Licence.GATED:
        raise ValueError(f"{code} is no gated questionnaire.")
    active = next((row for row in versions if row.active), None)
    if active and _says(active, texts, reference, date):
        return active
    taken = {row.version for row in versions}
    number = next(n for n in range(1, len(versions) + 2) if version(code, n) not in taken)
    content = with_texts(code, texts, number)
    worded = load(content)
    Instrument.objects.filter(code=code, active=True).update(active=False)
    return Instrument.objects.create(
        code=code, url=worded.url, version=worded.version, title=worded.title, content=content, sha256=worded.sha256,
        licence_status=Instrument.Licence.GATED, credit_line=worded.copyright, permission_reference=reference, permission_date=date,
    )  # fmt: skip


def _says(row: Instrument, texts: Mapping[str, str], reference: str, date: datetime.date) -> bool:
    """Whether a version holds this permission and these texts already."""
    held = {link_id: text for link_id, text in texts_of(row.questionnaire).items() if text}
    return (row.permission_reference, row.permission_date, held) == (reference, date, {id: text for id, text in texts.items() if text})
