"""Where the key and the copy of the seals lie, as the environment says, and the owner's connection to the database."""

from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connection

from clinic.seal import SealProblem


def key() -> Path:
    return _file("STEADY_AUDIT_KEY", settings.AUDIT_KEY, "the file of the key that signs seals")


def copy() -> Path:
    return _file("STEADY_SEAL_COPY", settings.SEAL_COPY, "the file, outside the database, that a copy of every seal is added to")


def _file(name: str, value: str, what: str) -> Path:
    if not value:
        raise SealProblem(f"{name} is not set. It names {what}; see docs/deployment.md.")
    return Path(value).expanduser().resolve()


def database() -> psycopg.Connection:
    """Django's own connection as the driver has it. Raises SealProblem unless it is the owner's, who sees every row."""
    connection.ensure_connection()
    driver: psycopg.Connection = connection.connection
    owns = driver.execute("SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('public.clinic_seal')").fetchone()
    if owns is None:
        raise SealProblem("There is no table of seals yet. Run `manage.py migrate` first.")
    if not owns[0]:
        raise SealProblem("Seals are made and verified as the owner of the database: set DATABASE_OWNER_URL.")
    return driver
