"""The ground floor: who, which episode, who may, who did."""

from django.apps import AppConfig


class ClinicConfig(AppConfig):
    name = "clinic"
    verbose_name = "Clinic"

    def ready(self) -> None:
        from clinic import checks, words  # noqa: F401

        words.speak()
