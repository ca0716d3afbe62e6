"""Configuration of the ground floor in Django admin: users, roles, programs. No clinical model is ever registered."""

from typing import Any

# Imported so that they have registered their models by now, which are then taken out again.
import allauth.account.admin
import allauth.mfa.admin  # noqa: F401
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest

from clinic.forms import clean_as_text
from clinic.models import Membership, Program, User
from clinic.permissions import may, recently_confirmed

admin.site.site_header = admin.site.site_title = "Steady administration"
admin.site.index_title = "Configuration"
# What a person may do follows from memberships alone; authenticators and addresses are their owner's, on the account pages.
admin.site.unregister([Group, Authenticator, EmailAddress])


class Guarded(admin.ModelAdmin):
    """A page of the admin that asks the access table, not Django's permissions: `view_action` to look, `edit_action` to change."""

    view_action: str = ""
    edit_action: str = ""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            clean_as_text(field)
        return field

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


class StepUp(Guarded):
    """Changes need an identity re-confirmed in the last five minutes; until then the page is read-only and says why."""

    def _fresh(self, request: HttpRequest) -> bool:
        return recently_confirmed(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._fresh(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_add_permission(request, obj) and self._fresh(request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if self._may(request, self.edit_action) and not self._fresh(request):
            messages.info(request, "Read-only: confirm that it is you (top right, “Confirm identity”) to make changes for 5 minutes.")
        return super().changelist_view(request, extra_context)


class MembershipInline(admin.TabularInline):
    model = Membership
    extra = 0

    def _held(self, request: HttpRequest, obj: Any) -> bool:
        own = obj is not None and obj.pk == request.user.pk
        return may(request.user, "user.edit") and recently_confirmed(request) and not own  # type: ignore[arg-type]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._held(request, obj)

    has_change_permission = has_delete_permission = has_add_permission


@admin.register(User)
class StaffAdmin(StepUp, UserAdmin):
    """Staff. Nobody grants a role to themselves: one's own roles are read-only here."""

    view_action, edit_action = "user.view", "user.edit"
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


class ProgramForm(forms.ModelForm):
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
    filter_horizontal = ("duty_team",)
    readonly_fields = ("public_id",)
