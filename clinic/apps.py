"""The ground floor: who, which episode, who may, who did."""

from django.apps import AppConfig


class ClinicConfig(AppConfig):
    name = "clinic"
    verbose_name = "Clinic"

    def ready(self) -> None:
        from clinic import account_audit, checks, words  # noqa: F401

        account_audit.connect()

        words.speak()
