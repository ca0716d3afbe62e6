"""Stage one: what was asked, answered, scored and flagged."""

from django.apps import AppConfig


class IntakeConfig(AppConfig):
    name = "intake"
    verbose_name = "Intake"

    def ready(self) -> None:
        from intake import checks  # noqa: F401
