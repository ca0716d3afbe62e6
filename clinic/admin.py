"""Configuration of the ground floor in Django admin: users, roles, programs. No clinical model is ever registered."""

from typing import Any
from urllib.parse import urlencode

# Imported so that they have registered their models by now, which are then taken out again.
import allauth.account.admin
import allauth.mfa.admin  # noqa: F401
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst

from clinic.forms import Careful
from clinic.models import Membership, Program, User
from clinic.permissions import may, recently_confirmed

admin.site.site_header = admin.site.site_title = "Steady administration"
admin.site.index_title = "Configuration"
# What a person may do follows from memberships alone; authenticators and addresses are their owner's, on the account pages.
admin.site.unregister([Group, Authenticator, EmailAddress])

MOST_ROLES = 50  # of one person


def confirmation(following: str) -> str:
    """The address that asks to confirm who it is, and leads on to `following`."""
    return f"{reverse('account_reauthenticate')}?{urlencode({'next': following})}"


class CarefulForm(Careful, forms.ModelForm):
    """What every page of the admin asks with; `manage.py check` names one that asks otherwise."""


class Guarded(admin.ModelAdmin):
    """A page of the admin that asks the access table, not Django's permissions: `view_action` to look, `edit_action` to change."""

    form: type[forms.ModelForm] = CarefulForm
    view_action: str = ""
    edit_action: str = ""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title} | (extra_context or {}))

    def _may(self, request: HttpRequest, action: str) -> bool:
        return bool(action) and may(request.user, action)  # type: ignore[arg-type]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.view_action) or self._may(request, self.edit_action)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.edit_action)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.edit_action)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class NotConfirmed(forms.BaseModelForm):
    """A form that was sent too late: nothing of it is saved, and all of it is shown again."""

    def clean(self) -> Any:
        values = super().clean()
        sentence = format_html(
            "Not saved yet: more than 5 minutes have passed since you confirmed that it is you. "
            'What you typed is still here (all but passwords): <a href="{}" target="_blank">confirm in a new tab</a>, '
            "come back and save again.",
            confirmation(reverse("admin:index")),
        )
        self.add_error(None, sentence)
        return values


class StepUp(Guarded):
    """Changes need an identity re-confirmed in the last five minutes: opening a form asks for it, and a form sent later is kept."""

    def _asks(self, request: HttpRequest) -> bool:
        return self._may(request, self.edit_action) and not recently_confirmed(request)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        if request.method != "POST" and self._asks(request):
            return redirect(confirmation(request.get_full_path()))
        return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (NotConfirmed, form), {}) if request.method == "POST" and self._asks(request) else form

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        if self._asks(request):  # NotConfirmed is never valid, so nobody comes here; a wall behind the wall
            raise PermissionDenied
        return super().save_form(request, form, change)


class MembershipInline(admin.StackedInline):
    model = Membership
    form = CarefulForm
    extra = 0
    # A membership is a word of ours: who looks after accounts gives and takes roles.
    verbose_name, verbose_name_plural = "role in a program", "Roles: what this person may do, program by program"

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Django makes a thousand forms when a page says that it has sent as many."""
        return super().get_formset(request, obj, **{"absolute_max": MOST_ROLES, "max_num": MOST_ROLES} | kwargs)

    def _held(self, request: HttpRequest, obj: Any) -> bool:
        own = obj is not None and obj.pk == request.user.pk
        return may(request.user, "user.edit") and not own  # type: ignore[arg-type]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._held(request, obj)

    has_change_permission = has_delete_permission = has_add_permission


class StaffForm(Careful, UserChangeForm):
    pass


class NewStaffForm(Careful, AdminUserCreationForm):
    pass


class StaffPasswordForm(Careful, AdminPasswordChangeForm):
    pass


@admin.register(User)
class StaffAdmin(StepUp, UserAdmin):
    """Staff. Nobody grants a role to themselves: one's own roles are read-only here."""

    view_action, edit_action = "user.view", "user.edit"
    form, add_form, change_password_form = StaffForm, NewStaffForm, StaffPasswordForm
    list_display = ("username", "first_name", "last_name", "discipline", "is_active")
    list_filter = ("discipline", "is_active", "memberships__program")
    filter_horizontal = ()
    inlines = [MembershipInline]
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email", "discipline", "credential")}),
        ("Account", {"fields": ("is_active", "is_staff", "last_login")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "email", "first_name", "last_name", "discipline", "password1", "password2")}),
    )
    readonly_fields = ("last_login",)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        if not self._asks(request):
            return super().user_change_password(request, id, form_url)
        if request.method == "POST":
            messages.warning(request, "The password was not set: more than 5 minutes had passed. Please type it again.")
        return redirect(confirmation(request.get_full_path()))


class ProgramForm(CarefulForm):
    """On duty can be whoever has a role in the program; a new program gets its people first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if duty := self.fields.get("duty_team"):  # not there when the page is read-only
            members = User.objects.filter(is_active=True, memberships__program=self.instance.pk)
            duty.queryset = members.distinct().order_by("last_name", "first_name")  # type: ignore[attr-defined]
            duty.error_messages["invalid_choice"] = "Somebody chosen has no role in this program. Give them one first, or leave them out."


@admin.register(Program)
class ProgramAdmin(Guarded):
    form = ProgramForm
    view_action, edit_action = "formulary.edit", "formulary.edit"
    list_display = ("name", "initial_plan_days", "review_days", "certifying_role", "active")
    readonly_fields = ("public_id",)
    exclude = ("packet",)  # has a page of its own, where the questionnaires have names

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(db_field, request, **kwargs | {"widget": forms.CheckboxSelectMultiple})
