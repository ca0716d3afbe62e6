"""Setting up an authenticator app, or another one in its place: the old one works until the new one has shown a code."""

import time
from typing import Any

from allauth.account.decorators import reauthentication_required
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.core.internal.httpkit import authenticated_user
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.totp.views import ActivateTOTPView
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator

from clinic.permissions import recently_confirmed


class SetUp(ActivateTOTPView):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Confirmed first, as allauth asks it; but nobody who logged in a moment ago is asked twice before their first factor."""
        if not self._held().exists() and not recently_confirmed(request) and _just_logged_in(request):
            reauthenticate_by_password(request)
        return self._confirmed(request, *args, **kwargs)

    @method_decorator(reauthentication_required(app="allauth.mfa"))
    def _confirmed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """allauth's own sends whoever has an app to the page that removes it: where a factor is asked for, nobody may."""
        return super(ActivateTOTPView, self).dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict:
        return super().get_context_data(**kwargs) | {"replaces": self._held().exists()}

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        self._held().delete()
        answer = super().form_valid(form)
        # The code that proved the app was seen on this screen: it opens nothing more.
        TOTP(self._held().get()).validate_code(form.cleaned_data["code"])
        return answer

    def _held(self) -> Any:
        return Authenticator.objects.filter(user_id=authenticated_user(self.request).pk, type=Authenticator.Type.TOTP)


def _just_logged_in(request: HttpRequest) -> bool:
    """Whether the password was given at a log-in in the last ACCOUNT_REAUTHENTICATION_TIMEOUT seconds."""
    since = time.time() - settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
    records = get_authentication_records(request, authenticated_user(request))
    return any(record["method"] == "password" and record["at"] > since for record in records)


set_up = SetUp.as_view()
