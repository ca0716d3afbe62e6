"""Names of invented patients that must never be met where no patient may be: in a log, an e-mail, an address or a title."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core import mail
from django.test import Client

from clinic.logs import JsonLines, WithoutValues

CANARY = re.compile(r"(?:Mine|Other|Foreign)canary")
CODE = re.compile(r"^    .*$", re.MULTILINE)
TITLE = re.compile(rb"<title>(.*?)</title>", re.DOTALL)


class Watch(logging.Handler):
    """Writes every record as production would, and keeps the lines that name somebody."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self.addFilter(WithoutValues(words=False))
        self.found: list[str] = []

    def handle(self, record: logging.LogRecord) -> bool:
        return super().handle(logging.makeLogRecord(record.__dict__))  # the others' record stays as it is

    def emit(self, record: logging.LogRecord) -> None:
        # A traceback quotes the code it went through, and a test's own code names its canaries.
        record.exc_text = CODE.sub("", record.exc_text or "")
        if CANARY.search(line := self.format(record)):
            self.found.append(line)


@contextmanager
def watched(patch: Any) -> Iterator[list[str]]:
    """Everything said to the outside while this holds; gives the list of what names somebody."""
    watch, stock = Watch(), Client.request
    def request(self: Client, **environ: Any) -> Any:
        response = stock(self, **environ)
        title = TITLE.search(b"" if response.streaming else response.content)
        for what, text in (("title", title[1].decode() if title else ""), ("address", response.get("Location", ""))):
            if CANARY.search(text):
                watch.found.append(f"{what} of {environ.get('PATH_INFO')}: {text}")
        mails = [f"{message.subject} {message.body}" for message in getattr(mail, "outbox", ())]
        watch.found += [f"e-mail: {text}" for text in mails if CANARY.search(text)]
        return response

    patch.setattr(Client, "request", request)
    logging.getLogger().addHandler(watch)
    yield watch.found
    logging.getLogger().removeHandler(watch)
