"""The SQL statements of the requests that are made most, session and user included: counted by a test, shown by a benchmark."""

import uuid
from collections.abc import Callable

from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from clinic.models import Episode
from intake.models import Assessment
from plans.models import Plan
from tests.clinic.test_access import logged_in
from tests.intake.test_actions import answered
from tests.intake.test_pages import Sheet
from tests.people import House
from tests.plans.test_actions import begin, whole
from tests.plans.test_pages import sign_form

ASKED = "phq9"


def statements_of(house: House) -> dict[str, list[str]]:
    """By request. Each was made once before for somebody else, so that questionnaires and content are read already."""
    for episode in (house.other, house.mine):
        answered(house.staff["intake"], episode, "V5")
        made = {"save": save(house, episode), "submit": submit(house, episode), "caseload": page(house, "caseload")}
        made["chart"] = page(house, "chart", house.mine)
    return made | {"sign": sign(house)}


def save(house: House, episode: Episode) -> list[str]:
    """The autosave of one answer."""
    sheet = Sheet(logged_in(house.staff["intake"]), episode, ASKED)
    return _of(lambda: sheet.type(**{"1": "LA6571-9" if sheet.sent["a-1"] != ["LA6571-9"] else "LA6569-3"}), 200)


def submit(house: House, episode: Episode) -> list[str]:
    client = logged_in(house.staff["intake"])
    address = reverse("review", kwargs={"episode_id": episode.public_id})
    return _of(lambda: client.post(address, {"key": uuid.uuid4(), "seen": "1"}), 302)


def page(house: House, name: str, episode: Episode | None = None) -> list[str]:
    client = logged_in(house.staff["nurse"])
    address = reverse(name, kwargs={"episode_id": episode.public_id} if episode else {})
    return _of(lambda: client.get(address), 200)


def sign(house: House) -> list[str]:
    by = house.staff["prescriber"]
    plan: Plan = whole(house, plan=begin(by, house, Assessment.objects.get(episode=house.mine)))
    client = logged_in(by)
    form = sign_form(client, plan)
    return _of(lambda: client.post(reverse("sign", kwargs={"episode_id": house.mine.public_id}), form), 302)


def _of(request: Callable[[], HttpResponse], status: int) -> list[str]:
    """What the request says to the database, but for the beginning and the end of its transaction (in a test that is a savepoint)."""
    inside = connection.in_atomic_block
    with CaptureQueriesContext(connection) as queries:
        assert request().status_code == status
    said = [query["sql"] for query in queries if query["sql"] not in ("BEGIN", "COMMIT")]
    if inside:
        said.remove(next(sql for sql in said if sql.startswith("SAVEPOINT")))
        said.remove(next(sql for sql in reversed(said) if sql.startswith("RELEASE")))
    return said
