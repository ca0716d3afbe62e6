"""Django's migrate, and after it the cache table and the walls (clinic/walls.py)."""

from typing import Any

from django.core.management import call_command
from django.core.management.commands.migrate import Command as Migrate
from django.db import connection

from clinic import walls


class Command(Migrate):
    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if options["plan"] or options["check_unapplied"] or options["app_label"]:
            return
        call_command("createcachetable", verbosity=0)
        with connection.cursor() as cursor:
            missing = walls.raise_walls(cursor)
        for sentence in missing:
            self.stderr.write(sentence)
