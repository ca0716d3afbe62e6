"""Who came in, went out, tried to, or changed how they come in: recorded like every other access.

The libraries tell of it by their own signals and in no other way. What succeeded is recorded in the request's transaction: no record,
no log-in. What failed is noted and recorded afterwards, because its request may be rolled back. What somebody typed in place of a name
is never kept: it may be a password. An attempt that is throttled reaches no password and is not recorded.
"""

from typing import Any

from allauth.account.signals import authentication_step_completed, password_changed, password_reset, password_set
from allauth.mfa import signals as mfa
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models import Q
from django.http import HttpRequest

from clinic import audit
from clinic.models import User
from clinic.transaction import acting


def connect() -> None:
    """Listen; once, when Django is ready."""
    succeeded = {
        user_logged_in: "account.log_in",
        user_logged_out: "account.log_out",
        password_changed: "account.password_changed",
        password_set: "account.password_changed",
        password_reset: "account.password_reset",
        mfa.authenticator_added: "account.second_factor_added",
        mfa.authenticator_removed: "account.second_factor_removed",
        mfa.authenticator_reset: "account.recovery_codes_made",
    }
    for signal, action in succeeded.items():
        signal.connect(_recorder(action), weak=False, dispatch_uid=f"steady {action} {id(signal)}")
    authentication_step_completed.connect(_confirmed, dispatch_uid="steady confirmed")
    user_login_failed.connect(_wrong_password, dispatch_uid="steady wrong password")
    mfa.authentication_failed.connect(_wrong_code, dispatch_uid="steady wrong code")


def _recorder(action: str) -> Any:
    def record(sender: Any, request: HttpRequest | None, user: User | None, authenticator: Any = None, **kwargs: Any) -> None:
        _record(request, user, action, authenticator.type if authenticator else "")

    return record


def _record(request: HttpRequest | None, user: User | None, action: str, detail: str = "") -> None:
    """Of a page that a person opened; what a test or a shell does has no page. Raises AuditFailed."""
    if request is None or request.resolver_match is None or user is None:
        return
    # A password that is set by a link of an e-mail is set by nobody who has logged in.
    by = None if action == "account.password_reset" else user
    # A transaction of its own where the library tells after the request's has ended.
    with acting(by, action):
        audit.record(by, action=action, view=request.resolver_match.view_name, reason=detail if by else _account(user))


def _confirmed(sender: Any, request: HttpRequest, user: User, method: str, reauthenticated: bool = False, **kwargs: Any) -> None:
    """Identity confirmed again, for what asks for it; the steps of a log-in are told by the log-in itself."""
    if reauthenticated:
        _record(request, user, "account.confirmed", method)


def _wrong_password(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    typed = str(credentials.get("username") or credentials.get("email") or credentials.get("login") or "")
    known = Q(username__iexact=typed) | Q(email__iexact=typed)
    _note(request, "wrong password", User.objects.filter(known).first() if typed and "\0" not in typed else None)


def _wrong_code(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    _note(request, "wrong code", user)


def _note(request: HttpRequest | None, what: str, user: User | None) -> None:
    """To be recorded once the request is over. A try with a name and an address fails once, whatever number of ways was tried."""
    if request is None or request.resolver_match is None:
        return
    action = "account.confirm" if request.user.is_authenticated else "account.log_in"
    audit.note(request, action, f"{what}, {_account(user)}")


def _account(user: User | None) -> str:
    return f"account {user.public_id}" if user else "no such account"
