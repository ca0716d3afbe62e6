"""Somebody who sends hostile requests, each undone afterwards, and looks at every answer: what it says, kept and wrote."""

import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from django.core.signals import got_request_exception
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import resolve, reverse

from clinic.cleaning import Unclean, clean_text
from clinic.models import Change
from tests.hostile.corpus import URLENCODED, encoded
from tests.hostile.pages import Form, Page, every_pattern
from tests.people import everything as seeing_all
from tests.people import recorded

# Refusals that keep nothing. 409 and 422 of a section keep what could be read: tests/intake/test_pages.py.
NOTHING_KEPT = frozenset([400, 403, 404, 405, 413])
CHOSEN = frozenset(["radio", "checkbox", "select", "password", "hidden", "file"])


@dataclass
class Visitor:
    """`problems` gathers what must not be, each a line that says what was asked; `asked` and `wrote` count requests and changes."""

    client: Client
    problems: list[str] = field(default_factory=list)
    asked: int = 0
    wrote: int = 0

    def __post_init__(self) -> None:
        self.cookies = {name: morsel.value for name, morsel in self.client.cookies.items()}
        self.raised = ""
        got_request_exception.connect(self._note)

    def _note(self, **kwargs: Any) -> None:
        self.raised = self.raised or traceback.format_exc().strip().splitlines()[-1][:200]

    def ask(self, method: str, url: str, body: bytes = b"", content_type: str = URLENCODED, **headers: str) -> HttpResponse:
        """One request and its answer; whatever it wrote is looked at and taken back."""
        self.asked, self.raised = self.asked + 1, ""
        self.client.cookies.clear()
        for name, value in self.cookies.items():
            self.client.cookies[name] = value
        with transaction.atomic():
            before = last_change()
            response: Any = self.client.generic(method, url, body, content_type, **headers)
            written = recorded(pk__gt=before)
            transaction.set_rollback(True)
        self.wrote += len(written)
        asked = f"{method} {url[:120]!r} {body[:150]!r} {str(headers)[:120] if headers else ''}"
        if response.status_code >= 500:
            self.problems.append(f"{response.status_code} for {asked}: {self.raised}")
        if written and response.status_code in NOTHING_KEPT:
            self.problems.append(f"{response.status_code}, but something was written, for {asked}")
        stored = unclean(change.after for change in written)
        self.problems += [f"{text[:60]!r} was stored, which is not clean, for {asked}" for text in stored]
        return response  # type: ignore[no-any-return]

    def send(self, form: Form, **changes: list[str]) -> HttpResponse:
        """The form as it stands on its page, with some fields otherwise."""
        return self.ask("POST", form.url, encoded(form.sent | changes))

    def send_one(self, form: Form, name: str, value: str, *, sound: bool) -> None:
        """One field otherwise. A form that is shown again keeps what was typed and, if the rest of it is `sound`, names the field."""
        response = self.send(form, **{name: [value]})
        if response.status_code != 422 or form.kinds[name] in CHOSEN or len(value) > 10_000:
            return
        page = Page(response.content.decode(), form.url)
        same = [shown for shown in page.forms if (shown.url, shown.id) == (form.url, form.id)]
        typed = value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        kept = [text for shown in same for text in shown.sent.get(name, [])]
        if lines(typed) not in [lines(text) for text in kept]:
            self.problems.append(f"{form.url} does not keep {value[:60]!r} of {name}: {[text[:60] for text in kept]}")
        elif sound and not page.names(name):
            self.problems.append(f"{form.url} is shown again for {value[:60]!r} and does not name {name}: {page.alerts[:200]!r}")


def last_change() -> int:
    """The number of the newest row in the record of changes."""
    with seeing_all():
        return Change.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def lines(text: str) -> str:
    """As a browser shows it; NUL stands in a page as the replacement character."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def unclean(values: Any) -> Iterator[str]:
    """Every text in these values that the cleaning would refuse or change."""
    todo = list(values)
    while todo:
        match todo.pop():
            case str() as text:
                try:
                    if clean_text(text) != text:
                        yield text
                except Unclean:
                    yield text
            case dict() as table:
                todo += [*table, *table.values()]
            case list() as row:
                todo += row


def percent(value: str) -> str:
    return quote(value.encode("utf-8", "surrogatepass"), safe="")


def filled(path: str, arguments: dict[str, str]) -> str:
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda match: arguments[match[1]], path)


def pages(everything: Any) -> list[str]:
    """The address of every pattern of the URLconf, for the episode that has everything and for the one that has nothing."""
    stand = [everything.arguments(episode) for episode in (everything.signed, everything.fresh)]
    return list(dict.fromkeys(filled(path, arguments) for path, _ in every_pattern() for arguments in stand))


def every_form(visitor: Visitor, everything: Any) -> list[tuple[Visitor, Form]]:
    """Every form that can be reached by links from any page, each kind once: by view, fields and buttons; and who sends it."""
    sign = reverse("sign", kwargs={"episode_id": everything.ready.public_id})
    forms = [(visitor, form) for form in linked(visitor, [sign, *pages(everything)])]
    # Whoever reaches every chart is not asked why this one is opened in an emergency.
    stranger = Visitor(everything.client_of_a_stranger(), problems=visitor.problems)
    url = reverse("break_glass", kwargs={"episode_id": everything.house.other.public_id})
    page = Page(stranger.ask("GET", url).content.decode(), url)
    return [*forms, *((stranger, form) for form in page.to_send if form.url == url)]


def linked(visitor: Visitor, todo: list[str]) -> list[Form]:
    """The forms of these pages and of all they lead to."""
    seen: set[str] = set()
    kinds: dict[tuple, int] = {}
    forms: dict[tuple, Form] = {}
    while todo:
        url = todo.pop(0).partition("#")[0]
        if url in seen or not url.startswith("/"):
            continue
        seen.add(url)
        match = resolve(url.partition("?")[0])
        kind = (match.view_name, *(match.kwargs.get(name) for name in ("code", "number", "kind", "episode_id")))
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] > 2 or "logout" in str(match.view_name):
            continue
        response = visitor.ask("GET", url)
        if response.status_code in (301, 302):
            todo.append(response["Location"])
        elif response.status_code == 200 and "html" in response["Content-Type"]:
            page = Page(response.content.decode(), url)
            todo += page.links
            for form in page.to_send:
                forms.setdefault((resolve(form.url.partition("?")[0]).view_name, *sorted(form.kinds), *sorted(form.buttons)), form)
    return list(forms.values())
