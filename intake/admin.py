"""Configuration of the intake in Django admin: instruments and their permissions, medicines, rules."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from clinic.admin import Guarded
from intake.models import Instrument, Medicine, RuleSetting


@admin.register(Instrument)
class InstrumentAdmin(Guarded):
    """Instruments: switch a version on or off and record a licence permission. The content itself cannot be edited."""

    view_action, edit_action = "questionnaire.import", "questionnaire.publish"
    list_display = ("title", "code", "version", "licence_status", "active", "permission_reference")
    list_filter = ("licence_status", "active")
    fields = (
        "title", "code", "url", "version", "sha256", "licence_status", "credit_line",
        "active", "permission_reference", "permission_date",
    )  # fmt: skip
    readonly_fields = ("title", "code", "url", "version", "sha256", "licence_status", "credit_line")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # versions come from reviewed files through `load_content`

    def save_model(self, request: HttpRequest, obj: Instrument, form: Any, change: bool) -> None:
        obj.save(update_fields=Instrument.MUTABLE_COLUMNS)


@admin.register(Medicine)
class MedicineAdmin(Guarded):
    view_action, edit_action = "formulary.propose", "formulary.edit"
    list_display = ("name", "classes", "active")
    list_filter = ("active",)
    search_fields = ("name",)


@admin.register(RuleSetting)
class RuleSettingAdmin(Guarded):
    """Rules and components switched on or off. Rows are only added; the latest one counts."""

    view_action, edit_action = "settings.propose", "settings.approve"
    list_display = ("rule_id", "enabled", "reason", "by", "at")
    list_filter = ("enabled", "rule_id")
    fields = ("rule_id", "enabled", "reason")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
