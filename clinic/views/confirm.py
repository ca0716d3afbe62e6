"""What the page “Confirm it is you” says about the step after it, and where Cancel leads."""

from typing import NamedTuple
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.urls import Resolver404, ResolverMatch, resolve, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from clinic.cleaning import entry

PAGES = frozenset({"account_reauthenticate", "mfa_reauthenticate"})
# The url name that asked, what it is in words, and the url name somebody who changes their mind goes back to.
STEPS: dict[str, tuple[str, str]] = {
    "sign": ("sign the plan", "plan"),
    "certify": ("add the certifying signature", "versions"),
    "cosign_level": ("co-sign the level of care", "level"),
    "plan_pdf": ("take the plan out as a PDF", "versions"),
    "account_change_password": ("change your password", "front_door"),
    "mfa_activate_totp": ("set up the authenticator app", "mfa_index"),
    "mfa_deactivate_totp": ("remove the authenticator app", "mfa_index"),
    "mfa_view_recovery_codes": ("see your recovery codes", "mfa_index"),
    "mfa_download_recovery_codes": ("see your recovery codes", "mfa_index"),
    "mfa_generate_recovery_codes": ("make new recovery codes", "mfa_index"),
    "admin:clinic_user_add": ("add somebody to the staff", "admin:clinic_user_changelist"),
    "admin:clinic_user_change": ("change the account of a colleague", "admin:clinic_user_changelist"),
    "admin:auth_user_password_change": ("set a password for a colleague", "admin:clinic_user_changelist"),
}


class Confirming(NamedTuple):
    """`what` in words, empty when it is not known; `back` is an address of this site."""

    what: str
    back: str


def confirming(request: HttpRequest) -> Confirming:
    """From the address that asked for the confirmation; an address elsewhere says nothing and leads nowhere."""
    following = entry(request.POST, "next") or entry(request.GET, "next")
    match = _resolved(following) if url_has_allowed_host_and_scheme(following, None) else None
    if match is None or match.view_name not in STEPS:
        return Confirming("", reverse("admin:index") if match and match.app_name == "admin" else "/")
    what, back = STEPS[match.view_name]
    kwargs = {name: value for name, value in match.kwargs.items() if name == "episode_id"}
    return Confirming(what, reverse(back, kwargs=kwargs))


def _resolved(address: str) -> ResolverMatch | None:
    try:
        return resolve(urlsplit(address).path)
    except Resolver404:
        return None
