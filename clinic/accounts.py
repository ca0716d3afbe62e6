"""How log-in behaves: one look at one password for each counted guess, sign-up closed, secrets encrypted, demo log-ins only in the demo."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.internal.userkit import filter_users_by_email, get_user_by_username
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest

from clinic import lock
from clinic.encryption import encryption

# Everybody whose user name ends like this was made by `load_demo`; its password is public.
DEMO_SUFFIX = ".demo"


SECRETS = encryption("steady.mfa")


def account_of(name: str) -> Any:
    """The account with this user name, or else the first with this e-mail address; None for a name that is nobody's."""
    return get_user_by_username(name) or next(iter(filter_users_by_email(name, prefer_verified=True, for_login=True)), None)


class OneAccount(AuthenticationBackend):
    """A guess is one account and one hash. Stock looks by name, then by address: a known address took twice the time of an unknown one."""

    def _authenticate(self, request: HttpRequest | None, **credentials: Any) -> Any:
        return self._check_password(account_of(_name(credentials)), credentials["password"])


def _name(credentials: dict[str, Any]) -> str:
    return str(credentials.get("username") or credentials.get("email") or "")


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

    def login(self, request: HttpRequest, user: Any) -> None:
        super().login(request, user)
        lock.enter(request.session)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """One account is one counter: however its name is spelled (İ, ſ, an address), and whatever port a Host header makes up."""
        name = _name(credentials)
        user = account_of(name)
        return f"account:{user.pk}" if user else f"name:{name.casefold()}"


class MFAAdapter(DefaultMFAAdapter):
    """Secrets are encrypted with a key made from SECRET_KEY: a copy of the database alone gives no codes."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "cannot_delete_authenticator": (
            "Your program asks for a second factor, so the last one cannot be removed. Set up the new one in its place."
        )
    }

    def encrypt(self, text: str) -> str:
        return SECRETS().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return SECRETS().decrypt(encrypted_text.encode()).decode()

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        return not settings.REQUIRE_SECOND_FACTOR
