"""Assess cases in the notation of the specification's section 7, without a database: how a medical director tries a case.

FILE holds one JSON object; --batch takes one object a line and prints one a line. A case that cannot be read gives {"error": ...}
in its place, and the command then ends with 1.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from clinic.cleaning import Unclean, load_json
from intake.evaluation import Settings
from plans.cases import CaseProblem, assess


class Command(BaseCommand):
    help = __doc__
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("file", nargs="?", type=Path, metavar="FILE", help="one case as a JSON object")
        source.add_argument("--batch", type=Path, metavar="IN.jsonl", help="many cases, one JSON object a line")
        parser.add_argument("--settings", metavar="FILE", help="the settings as the administration exports them")

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """`--settings` is the clinic's here; Django's own, a Python module, is read before any command begins (manage.py)."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def handle(self, *args: Any, **options: Any) -> None:
        settings = _settings(options["settings"])
        results = list(self._print(options["batch"] or options["file"], settings, batch=options["batch"] is not None))
        if not all(results):
            raise CommandError(f"{results.count(False)} of {len(results)} cases could not be read.")

    def _print(self, path: Path, settings: Settings, *, batch: bool) -> Iterator[bool]:
        """Each result as it is known; whether it could be read."""
        now = timezone.localtime()
        cases = [line for line in _read(path).splitlines() if line.strip()] if batch else [_read(path)]
        for case in cases:
            try:
                result = assess(load_json(case), settings, now)
            except (Unclean, CaseProblem) as problem:
                result = {"error": str(problem)}
            self.stdout.write(json.dumps(result, ensure_ascii=False, indent=None if batch else 2))
            yield "error" not in result


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise CommandError(f"{path} cannot be read: {problem.strerror}.") from None


def _settings(file: str | None) -> Settings:
    """The exported settings, or the defaults."""
    if not file:
        return Settings()
    path = Path(file)
    try:
        return Settings.from_json(load_json(_read(path)))
    except (Unclean, ValueError, TypeError, AttributeError) as problem:
        raise CommandError(f"{path} does not hold exported settings: {problem}") from None
