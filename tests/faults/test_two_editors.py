"""Two people at one thing, in every order in which their steps can fall: load, change, save. No text that was saved is lost unseen."""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import pytest
from django.db import transaction

from clinic.models import Episode
from intake.models import Answer
from plans.models import Goal, Plan
from tests.clinic.test_pages import client_of
from tests.intake.test_pages import Sheet
from tests.people import House, make_house
from tests.plans.test_actions import GOAL, whole
from tests.plans.test_pages import SOON, at
from tests.plans.test_together import hidden_version

STEPS = ("load", "change", "save")
EDITORS = ("counsellor", "nurse")


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def orders() -> Iterator[tuple[str, ...]]:
    """Every way to mix two editors' three steps, as the editor whose turn it is: 20."""
    places = range(2 * len(STEPS))
    for first in combinations(places, len(STEPS)):
        yield tuple(EDITORS[place not in first] for place in places)


class Editor:
    """Somebody with the page open. `field` is what they change, `saved` whether their text was acknowledged, `shown` all they have read."""

    def __init__(self, house: House, role: str, field: str) -> None:
        self.client, self.episode, self.field = client_of(house.staff[role]), house.mine, field
        self.text, self.saved, self.shown = f"Words of the {role} about {field}", False, ""

    def step(self, number: int) -> None:
        (self.load, self.change, self.save)[number]()

    def load(self) -> None:
        raise NotImplementedError

    def change(self) -> None:
        self.typed = {self.field: self.text}

    def save(self) -> None:
        answer = self.send()
        assert answer.status_code in (200, 302, 409)
        self.saved = not self.refused(answer)
        if not self.saved:
            self.shown += answer.content.decode()
            assert self.text in self.shown, "what was not saved must still be on the page"

    def refused(self, answer: Any) -> bool:
        return answer.status_code == 409

    def send(self) -> Any:
        raise NotImplementedError


class Answering(Editor):
    """Two text questions of one section, saved by the button, as without JavaScript."""

    FIELDS = ("strengths", "goals")

    def load(self) -> None:
        self.sheet = Sheet(self.client, self.episode, "strengths")
        self.shown += self.sheet.html

    def send(self) -> Any:
        return self.sheet.press(**self.typed)

    def refused(self, answer: Any) -> bool:
        """A page may be asked about the other question, which it sent as it had read it; its own text is then saved."""
        return answer.status_code == 409 and f'name="c-a-{self.field}"' in answer.content.decode()

    @staticmethod
    def stored(episode: Episode) -> dict[str, str]:
        rows = Answer.objects.filter(response__episode=episode).values_list("link_id", "value")
        return {link_id: value[0]["valueString"] for link_id, value in rows if value}


class Typing(Answering):
    """The same, saved while it is typed."""

    def send(self) -> Any:
        return self.sheet.type(**self.typed)


class Planning(Editor):
    """Fields of one form of the plan: they are one item, whichever of them is changed."""

    def load(self) -> None:
        page = self.client.get(self.address())
        self.version = hidden_version(page)
        self.form = self.whole_form() | self.stored(self.episode)
        self.shown += page.content.decode()

    def send(self) -> Any:
        return self.client.post(self.address(), self.form | self.typed | {"version": self.version})

    def address(self) -> str:
        raise NotImplementedError

    def whole_form(self) -> dict[str, Any]:
        raise NotImplementedError

    @staticmethod
    def stored(episode: Episode) -> dict[str, str]:
        raise NotImplementedError


class GoalPage(Planning):
    FIELDS = ("text", "patient_words")

    def address(self) -> str:
        return at("edit_part", self.episode, kind="goal", part_id=Goal.objects.get(plan__episode=self.episode).public_id)

    def whole_form(self) -> dict[str, Any]:
        return dict(GOAL)

    @staticmethod
    def stored(episode: Episode) -> dict[str, str]:
        return dict(Goal.objects.filter(plan__episode=episode).values("text", "patient_words")[0])


class Details(Planning):
    FIELDS = ("discharge_criteria", "patient_signature_reason")

    def address(self) -> str:
        return at("details", self.episode)

    def whole_form(self) -> dict[str, Any]:
        return {"review_on": SOON.isoformat(), "patient_signature": "absent", "copy_offered": "on"}

    @staticmethod
    def stored(episode: Episode) -> dict[str, str]:
        return dict(Plan.objects.filter(episode=episode).values("discharge_criteria", "patient_signature_reason")[0])


def nothing_was_lost(first: Editor, second: Editor, stored: dict[str, str], order: tuple[str, ...]) -> None:
    for editor, other in ((first, second), (second, first)):
        if editor.saved and stored[editor.field] != editor.text:
            assert stored[editor.field] == other.text and editor.text in other.shown, f"{order}: written over unseen"
        if not editor.saved:
            assert other.saved and other.text in editor.shown, f"{order}: refused without being shown why"


@pytest.mark.thorough
@pytest.mark.parametrize("fields", [(0, 0), (0, 1)], ids=["same field", "different fields"])
@pytest.mark.parametrize("kind", [Answering, Typing, GoalPage, Details])
def test_in_no_order_is_a_saved_text_lost_unseen(house: House, kind: Any, fields: tuple[int, int]) -> None:
    if issubclass(kind, Planning):
        whole(house)
    refused = 0
    for order in orders():
        with transaction.atomic():
            refused += play(house, kind, fields, order)
            transaction.set_rollback(True)
    # Two answers are two items; the fields of one form of the plan are one.
    assert (refused > 0) == (fields == (0, 0) or issubclass(kind, Planning))


def play(house: House, kind: Callable[..., Any], fields: tuple[int, int], order: tuple[str, ...]) -> int:
    """One order of steps; how many saves were refused."""
    names = kind.FIELDS  # type: ignore[attr-defined]
    editors = {role: kind(house, role, names[field]) for role, field in zip(EDITORS, fields, strict=True)}
    done = dict.fromkeys(EDITORS, 0)
    for role in order:
        editors[role].step(done[role])
        done[role] += 1
    nothing_was_lost(*editors.values(), kind.stored(house.mine), order)  # type: ignore[attr-defined]
    return sum(not editor.saved for editor in editors.values())


def test_there_are_twenty_orders_and_each_keeps_everybodys_own() -> None:
    every = set(orders())
    assert len(every) == 20 and all(order.count(role) == len(STEPS) for order in every for role in EDITORS)


def test_two_who_write_one_goal_with_their_steps_crossed(house: House) -> None:
    """One order of the twenty: both load, one saves, then the other."""
    whole(house)
    assert play(house, GoalPage, (0, 0), (*EDITORS, *EDITORS, *EDITORS)) == 1
