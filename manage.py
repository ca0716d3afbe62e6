#!/usr/bin/env python3
"""Django's command line, and a database under it: embedded when DATABASE_URL is not set."""

import os
import sys

# Those that change the schema, and those that must see every row.
OWNER_COMMANDS = {"migrate", "set_up", "makemigrations", "sqlmigrate", "showmigrations", "createcachetable"} | {
    "seal_audit", "verify_audit", "verify_signatures",
}  # fmt: skip


def main() -> None:
    from clinic import database

    if len(sys.argv) > 1 and sys.argv[1] in OWNER_COMMANDS:
        os.environ["STEADY_DATABASE_ROLE"] = "owner"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
    try:
        database.ensure()
    except database.DatabaseProblem as problem:
        sys.exit(str(problem))
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        _ = settings.INSTALLED_APPS  # reads the environment
    except ImproperlyConfigured as problem:
        sys.exit(str(problem))
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
