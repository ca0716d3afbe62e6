"""Bring tables, questionnaires and static files up to date, and load the demo where it is asked for.

migrate, load_content, collectstatic, load_demo and seal_audit in one process: Django takes longer to come up than each of them to find
nothing to do.
"""

import hashlib
import os
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connections

from clinic import safe_files
from clinic.settings import _database


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0, stderr=self.stderr)
        call_command("load_content", verbosity=0, stdout=StringIO())
        if settings.STEADY_ENV != "test":
            _collect(Path(settings.STATIC_ROOT))
        if settings.DEMO:
            _go_on_as("web")  # the demo is entered as people enter it, behind the walls that were just raised
            call_command("load_demo", stdout=self.stdout)
            _go_on_as("owner")
        # In trial each start seals; on a server of one's own a timer does.
        if settings.STEADY_ENV == "development" and settings.SEAL_COPY and settings.AUDIT_KEY:
            call_command("seal_audit", stdout=StringIO())


def _go_on_as(role: str) -> None:
    """The rest of this process speaks to the database as the web role or as the owner."""
    os.environ["STEADY_DATABASE_ROLE"] = role
    for connection in connections.all():
        connection.close()
        connection.settings_dict.update({name: _database()[name] for name in ("USER", "PASSWORD", "HOST", "PORT", "NAME", "OPTIONS")})


def _collect(root: Path) -> None:
    """Nothing when the files are those collected last: hashing and compressing them takes longer than all the rest."""
    stamp, wanted = root.parent / f"{root.name}.collected", _files()
    if (root / "staticfiles.json").exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(wanted)
    for path in (root, stamp, *root.rglob("*")):
        safe_files.leave_to_owner(path)


def _files() -> str:
    """One hash over name, size and time of every file that would be collected."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
