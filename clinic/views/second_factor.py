"""Setting up an authenticator app, or another one in its place: the old one works until the new one has shown a code."""

from typing import Any

from allauth.account.decorators import reauthentication_required
from allauth.core.internal.httpkit import authenticated_user
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.totp.views import ActivateTOTPView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator


class SetUp(ActivateTOTPView):
    @method_decorator(reauthentication_required(app="allauth.mfa"))
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
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


set_up = SetUp.as_view()
