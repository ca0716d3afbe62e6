"""Configuration of the plans in Django admin: the component library, to see and to switch."""

from collections.abc import Mapping

from django.contrib import admin

from intake.admin import Switch, SwitchAdmin
from plans.components import load_components, read
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
