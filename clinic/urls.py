"""Names. The folder is the stage, the name is the view, the template and the test."""

from allauth.account import views as account
from allauth.account.decorators import secure_admin_login
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from django.contrib import admin
from django.urls import include, path, re_path, reverse_lazy

from clinic import health
from clinic.access_table import OWN_ACCOUNT
from clinic.permissions import requires
from clinic.views import break_glass, care_team, caseload, first_visit, patients, restrictions, second_factor, trail, unlock

# Before anything reads admin.site.urls: the admin logs in at the same door as everybody else.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
own = requires(OWN_ACCOUNT)
handler400 = "clinic.views.errors.bad_request"
handler500 = "clinic.views.errors.server_error"

accounts = [
    path("login/", account.login, name="account_login"),
    path("logout/", own(account.logout), name="account_logout"),
    path("unlock/", unlock.unlock, name="unlock"),
    path("lock/", unlock.lock_now, name="lock"),
    path("touched/", unlock.touched, name="touched"),
    path("reauthenticate/", own(account.reauthenticate), name="account_reauthenticate"),
    path("password/change/", own(account.password_change), name="account_change_password"),
    path("password/reset/", account.password_reset, name="account_reset_password"),
    path("password/reset/done/", account.password_reset_done, name="account_reset_password_done"),
    # Not a path(): <uidb36> would take the dash inside the key with it.
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[0-9A-Za-z-]+)/$",
        account.PasswordResetFromKeyView.as_view(success_url=reverse_lazy("account_login")),
        name="account_reset_password_from_key",
    ),
    path("2fa/", own(mfa.index), name="mfa_index"),
    path("2fa/authenticate/", mfa.authenticate, name="mfa_authenticate"),
    path("2fa/reauthenticate/", own(mfa.reauthenticate), name="mfa_reauthenticate"),
    path("2fa/totp/activate/", own(second_factor.set_up), name="mfa_activate_totp"),
    path("2fa/totp/deactivate/", own(totp.deactivate_totp), name="mfa_deactivate_totp"),
    path("2fa/recovery-codes/", own(recovery_codes.view_recovery_codes), name="mfa_view_recovery_codes"),
    path("2fa/recovery-codes/generate/", own(recovery_codes.generate_recovery_codes), name="mfa_generate_recovery_codes"),
    path("2fa/recovery-codes/download/", own(recovery_codes.download_recovery_codes), name="mfa_download_recovery_codes"),
]

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("first-visit/", first_visit.first_visit, name="first_visit"),
    path("", caseload.front_door, name="front_door"),
    path("caseload/", caseload.caseload, name="caseload"),
    path("patients/register/", patients.register, name="register"),
    path("patients/", patients.search, name="search"),
    path("episodes/<uuid:episode_id>/demographics/", patients.demographics, name="demographics"),
    path("episodes/<uuid:episode_id>/care-team/", care_team.care_team, name="care_team"),
    path("episodes/<uuid:episode_id>/restrictions/", restrictions.restrictions, name="restrictions"),
    path("episodes/<uuid:episode_id>/emergency/", break_glass.break_glass, name="break_glass"),
    path("emergencies/", break_glass.break_glass_reviews, name="break_glass_reviews"),
    path("emergencies/<uuid:opened_id>/", break_glass.break_glass_review, name="break_glass_review"),
    path("episodes/<uuid:episode_id>/trail/", trail.trail, name="trail"),
    path("", include("intake.urls")),
    path("episodes/<uuid:episode_id>/", include("plans.urls")),
    path("accounts/", include(accounts)),
    path("admin/", admin.site.urls),
]
