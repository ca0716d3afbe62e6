"""Two people at their desks, each with the pages they have open: how they look, save and compare, and what must hold of every answer."""

import html
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from hypothesis.stateful import RuleBasedStateMachine

from clinic.cleaning import Unclean, clean_text
from clinic.models import Change, Episode, Program, User
from clinic.transaction import set_actor
from plans.models import Plan
from tests.clinic.test_access import logged_in
from tests.hostile.corpus import encoded
from tests.hostile.pages import Form, Page
from tests.hostile.told import Told
from tests.hostile.visitor import NOTHING_KEPT, last_change
from tests.people import recorded

OTHER = {"ann": "ben", "ben": "ann"}


class Desks(RuleBasedStateMachine):
    """`told` is what both were told; `open` the forms they have on their screens, by person and address."""

    program: ClassVar[Program]
    staff: ClassVar[dict[str, User]]
    episode: Episode

    def __init__(self) -> None:
        super().__init__()
        self.undone = transaction.atomic()
        self.undone.__enter__()
        set_actor(self.staff["ann"], "")  # who looks at the rows between the steps
        self.clients = {name: logged_in(user) for name, user in self.staff.items()}
        self.told = Told()
        self.open: dict[tuple[str, str], Form] = {}
        self.written: list[Change] = []

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undone.__exit__(None, None, None)

    def at(self, name: str, **more: Any) -> str:
        return reverse(name, kwargs={"episode_id": self.episode.public_id} | more)

    @property
    def plan(self) -> Plan | None:
        return Plan.objects.open_of(self.episode)

    @contextmanager
    def step(self, who: str) -> Iterator[list[Change]]:
        """What the step wrote into the record; all of it is by who did it."""
        before = last_change()
        written: list[Change] = []
        yield written
        written += recorded(pk__gt=before)
        assert {change.user_id for change in written} <= {self.staff[who].pk}

    def post(self, who: str, url: str, fields: dict[str, list[str]]) -> HttpResponse:
        with self.step(who) as written:
            response: Any = self.clients[who].generic("POST", url, encoded(fields), "application/x-www-form-urlencoded")
        assert response.status_code < 500, (url, fields)
        if response.status_code in NOTHING_KEPT:
            assert not written
        self.written = written
        return response  # type: ignore[no-any-return]

    def must(self, who: str, url: str, fields: dict[str, str]) -> None:
        response = self.post(who, url, {name: [value] for name, value in ({"version": "0"} | fields).items()})
        assert response.status_code == 302, (url, response.status_code, Page(response.content.decode(), url).alerts)

    def form(self, who: str, url: str, thing: Hashable = None, *, fresh: bool = False) -> Form | None:
        """The form of a page as this person has it open, read now or some steps ago; what they read is `thing`. None: there is none."""
        if fresh or (who, url) not in self.open:
            self.open.pop((who, url), None)
            self.take(who, url, self.clients[who].get(url), thing)
        return self.open.get((who, url))

    def take(self, who: str, url: str, page: HttpResponse, thing: Hashable) -> None:
        """The page is on this person's screen now."""
        assert page.status_code < 500
        shown = Page(page.content.decode(), url).to_send if page.status_code in (200, 409) else []
        if forms := [form for form in shown if form.url.startswith(url)]:
            self.open[who, url] = forms[-1]
            self.told.reads(who, thing)

    def save(self, who: str, url: str, thing: Hashable, value: Any, fields: dict[str, list[str]]) -> bool:
        """Send the form that this person has open. Whether they were told that it is saved.

        Nothing is acknowledged over what somebody else was told is saved, unless both texts were on this person's screen; and nobody
        is asked to compare who looked after the last change.
        """
        saved, typed = self.told.now(thing).value, value
        overwrites, current = self.told.would_overwrite(who, thing, value), self.told.current(who, thing)
        response = self.post(who, url, self.open[who, url].sent | fields)
        if response.status_code == 302:
            assert not overwrites, f"{who} wrote {typed} over {saved} and was told that it is saved"
            self.told.acknowledged(who, thing, value)
            del self.open[who, url]
            return True
        assert response.status_code in (403, 404, 409, 422) and not self.written
        if response.status_code == 409 and "Not saved yet" in (text := html.unescape(response.content.decode())):
            assert not current, f"{who} was asked to compare with what they had read"
            for mine, theirs in zip(typed or (), saved or (), strict=False):
                assert mine == theirs or ((mine or "(empty)") in text and (theirs or "(empty)") in text), (mine, theirs)
            self.take(who, url, response, thing)
        return False


def cleaned(text: str) -> str:
    """As a form keeps it; of a text that no form takes nothing."""
    try:
        return clean_text(text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")).strip()
    except Unclean:
        return ""
