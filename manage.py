#!/usr/bin/env python3
"""Django's command line, and a database under it: embedded when DATABASE_URL is not set."""

import os
import sys

# Those that change the schema, and those that must see every row.
OWNER_COMMANDS = {"migrate", "set_up", "makemigrations", "sqlmigrate", "showmigrations", "createcachetable"} | {
    "backup", "restore", "seal_audit", "verify_audit", "verify_signatures",
}  # fmt: skip
# They read and write files alone; the address only has to be there.
OFFLINE_COMMANDS = {"assess", "backup_key", "backup_verify"}


def main() -> None:
    from clinic import database

    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command in OWNER_COMMANDS:
        os.environ["STEADY_DATABASE_ROLE"] = "owner"
    if command in OFFLINE_COMMANDS:
        os.environ.setdefault("DATABASE_URL", database.EXAMPLE)
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
