"""Commands that end with a sentence, and not with a stack trace, when what they were asked cannot be done."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError


class ToldCommand(BaseCommand):
    """Subclasses do their work in `work(**options)`; `problem` is what it raises, with the sentence for the person at the terminal."""

    problem: type[Exception]

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.work(**options)
        except self.problem as problem:
            raise CommandError(str(problem)) from None

    def work(self, **options: Any) -> None:
        raise NotImplementedError
