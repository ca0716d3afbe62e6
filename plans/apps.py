"""Stage two: what is suggested, decided and signed."""

from django.apps import AppConfig


class PlansConfig(AppConfig):
    name = "plans"
    verbose_name = "Plans"

    def ready(self) -> None:
        from clinic.templatetags import steady
        from plans import checks  # noqa: F401
        from plans.components import load_components

        steady.names.update({component.id: component.name for component in load_components().values()})
