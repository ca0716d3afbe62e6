"""How log-in behaves: sign-up closed, authenticator secrets encrypted, demo log-ins only in the demo."""

import base64
import hashlib
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet
from django.conf import settings
from django.http import HttpRequest

# Everybody whose user name ends like this was made by `load_demo`; its password is public.
DEMO_SUFFIX = ".demo"


class AccountAdapter(DefaultAccountAdapter):
    def is_ajax(self, request: HttpRequest) -> bool:
        """Nobody gets the JSON answers: they are 400 where the page is 200, and nothing of ours asks for them."""
        return False

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> Any:
        if user.username.endswith(DEMO_SUFFIX) and not settings.DEMO:
            return self.respond_user_inactive(request, user)
        return super().pre_login(request, user, **kwargs)


class MFAAdapter(DefaultMFAAdapter):
    """Secrets are encrypted with a key made from SECRET_KEY: a copy of the database alone gives no codes."""

    def encrypt(self, text: str) -> str:
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _fernet().decrypt(encrypted_text.encode()).decode()


def _fernet() -> Fernet:
    digest = hashlib.sha256(b"steady.mfa" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
