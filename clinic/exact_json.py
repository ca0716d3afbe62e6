"""JSON in which a decimal stays a decimal: 7.10 is written as 7.10 and read as Decimal("7.10"), never as a float."""

import json
import re
from decimal import Decimal
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

# A text from outside cannot hold NUL (clinic/cleaning.py), so nothing else is ever taken for a decimal.
MARK = re.compile(r'"\\u0000([-+0-9.E]+)"')


class ExactEncoder(DjangoJSONEncoder):
    """Encodes Decimal as a JSON number; dates and UUIDs as Django does. Raises ValueError for NaN and infinities."""

    def default(self, o: Any) -> Any:
        if isinstance(o, Decimal):
            if not o.is_finite():
                raise ValueError(f"{o} is not a number")
            return f"\x00{o}"
        return super().default(o)

    def encode(self, o: Any) -> str:
        return MARK.sub(r"\1", super().encode(o))


class ExactDecoder(json.JSONDecoder):
    """Decodes every number with a fraction as Decimal."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**(kwargs | {"parse_float": Decimal}))


class ExactJSONField(models.JSONField):
    """A JSON column whose decimals stay decimals."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **(kwargs | {"encoder": ExactEncoder, "decoder": ExactDecoder}))
