"""Our own words for what Django, its admin and allauth say: clinic/words.po, read when the program starts."""

import gettext
import io
from pathlib import Path

import polib
from django.conf import settings
from django.utils.translation import trans_real

CATALOGUE = Path(__file__).parent / "words.po"


def speak() -> None:
    """Lay the catalogue over Django's own. It is compiled in memory, so that no binary lies in the tree or is out of date."""
    compiled = polib.pofile(str(CATALOGUE)).to_binary()
    trans_real.translation(settings.LANGUAGE_CODE).merge(gettext.GNUTranslations(io.BytesIO(compiled)))
