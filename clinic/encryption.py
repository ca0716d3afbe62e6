"""Text that only this server can read again: encrypted with a key made from SECRET_KEY, opened with the keys before it too."""

import base64
import hashlib
from collections.abc import Callable

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def encryption(purpose: str) -> Callable[[], MultiFernet]:
    """What encrypts for one purpose; what another encrypted does not open. It is asked for at each use, because a key may change."""

    def fernet() -> MultiFernet:
        keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
        return MultiFernet([Fernet(_key(purpose, key)) for key in keys])

    return fernet


def _key(purpose: str, secret: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(purpose.encode() + secret.encode()).digest())
