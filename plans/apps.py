"""Stage two: what is suggested, decided and signed."""

from django.apps import AppConfig


class PlansConfig(AppConfig):
    name = "plans"
    verbose_name = "Plans"

    def ready(self) -> None:
        from plans import checks  # noqa: F401
