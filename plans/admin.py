"""Configuration of the plans in Django admin: the component library, to see and to switch."""

from collections.abc import Mapping

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from intake.admin import Switch, SwitchAdmin
from plans.components import load_components, read
from plans.coverage import FILE, coverage
from plans.models import ComponentSetting


@admin.register(ComponentSetting)
class ComponentSettingAdmin(SwitchAdmin):
    """Components that may be suggested for a plan."""

    def switches(self) -> Mapping[str, Switch]:
        checker = read("components.yaml")["checker"]
        return {
            component.id: Switch(
                component.id, component.name, component.applies_if.text, component.grade, component.cite, checker,
                "it answers a critical safety flag." if component.group == "SAF" else "",
            )
            for component in load_components().values()
        }  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        return [path("coverage/", self.admin_site.admin_view(self.coverage), name="coverage"), *super().get_urls()]

    def coverage(self, request: HttpRequest) -> HttpResponse:
        """The 55 rows of what the clinic set out to cover."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request), "opts": self.opts, "title": "What is covered",
            "rows": coverage(), "unreviewed": read(FILE)["checker"] is None,
        }  # fmt: skip
        return TemplateResponse(request, "admin/coverage.html", context)
