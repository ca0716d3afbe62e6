"""Every URL as every role and as nobody, read from the URLconf: a new view without a rule fails here by name."""

import re
import time
import uuid
from collections.abc import Iterator

import pytest
from django.test import Client

from clinic import lock
from clinic.access_table import OWN_ACCOUNT, ROLES, STEP_UP
from clinic.checks import patterns
from clinic.models import AccessEvent, User
from clinic.permissions import PUBLIC_VIEWS, declared_action
from tests.clinic.test_permissions import EXPECTED
from tests.people import House, make_house

ARGUMENTS = {"code": "phq9", "section": "1", "number": "1"}
PATTERNS = [(path, pattern) for path, pattern in patterns() if pattern.name not in PUBLIC_VIEWS]
CLINICAL = [(path, pattern) for path, pattern in PATTERNS if declared_action(pattern.callback) != OWN_ACCOUNT]
# The two methods that pages use; the others are asked in the thorough run.
METHODS = ("get", "post")
OTHER_METHODS = ("put", "patch", "delete")
CANARIES = ("Minecanary", "Othercanary", "Foreigncanary")


def url(path: str, episode_id: uuid.UUID) -> str:
    """The pattern filled in: the episode of the scope, and an id that nothing has for every other argument."""
    path = path.replace("<uuid:episode_id>", str(episode_id))
    path = re.sub(r"<uuid:\w+>", str(uuid.UUID(int=7)), path)
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda match: ARGUMENTS.get(match[1], "none"), path)


def logged_in(user: User) -> Client:
    """A client whose identity was just re-confirmed, so that step-up does not hide what is tested."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    session = client.session
    session["account_authentication_methods_user"] = str(user.pk)
    session["account_authentication_methods"] = [{"method": "password", "at": time.time(), "reauthenticated": True}]
    lock.enter(session)
    session.save()
    return client


def scopes(house: House) -> Iterator[tuple[str, uuid.UUID]]:
    yield "mine", house.mine.public_id
    yield "other", house.other.public_id
    yield "foreign", house.foreign.public_id
    yield "nowhere", uuid.UUID(int=9)


def reaches(cell: str, scope: str) -> bool:
    here = {"mine", "other"}
    return scope in {"T": {"mine"}, "P": here, "y": here, "A": {*here, "foreign"}}.get(cell.partition(":")[0], set())


@pytest.fixture
def house(db: None) -> House:
    return make_house()


@pytest.mark.parametrize("role", list(ROLES))
@pytest.mark.parametrize("methods", [METHODS, pytest.param(OTHER_METHODS, marks=pytest.mark.thorough)], ids="-".join)
def test_every_url_as_every_role(house: House, role: str, methods: tuple[str, ...]) -> None:
    client = logged_in(house.staff[role])
    wrong = []
    for path, pattern in CLINICAL:
        cell = EXPECTED[declared_action(pattern.callback)][list(ROLES).index(role)]  # type: ignore[index]
        targets = scopes(house) if "<uuid:episode_id>" in path else iter([("", uuid.UUID(int=0))])
        for scope, episode_id in targets:
            for method in methods:
                response = getattr(client, method)(url(path, episode_id))
                body = response.content.decode(errors="replace")
                if cell == "-":
                    fine = response.status_code == 403
                elif scope and not reaches(cell, scope):
                    fine = response.status_code == 404
                else:
                    fine = response.status_code != 403 and response.status_code < 500
                hidden = [word for word, holds in zip(CANARIES, _seen(house, cell), strict=True) if not holds]
                leaks = [word for word in hidden if word in body]
                if not fine or leaks:
                    asked = f"{method.upper()} /{path} as {role} on {scope or '-'}"
                    wrong.append(f"{asked}: {response.status_code}, cell {cell}, leaks {leaks}")
    assert not wrong, "\n".join(wrong)


def _seen(house: House, cell: str) -> tuple[bool, bool, bool]:
    return reaches(cell, "mine"), reaches(cell, "other"), reaches(cell, "foreign")


def test_nobody_gets_nowhere(house: House) -> None:
    client = Client(raise_request_exception=False)
    for path, _ in PATTERNS:
        if path == "":
            continue
        for method in ("get", "post"):
            response = getattr(client, method)(url(path, house.mine.public_id))
            assert response.status_code == 302 and response["Location"].startswith("/accounts/login/"), path
            assert not any(word in response.content.decode() for word in CANARIES)


def test_step_up_is_asked_again_after_five_minutes(house: House) -> None:
    """Every action marked in the table sends a look to the confirmation page and refuses a write."""
    marked = [(path, pattern) for path, pattern in CLINICAL if declared_action(pattern.callback) in STEP_UP]
    assert marked
    client = Client()
    client.force_login(house.staff["prescriber"])
    for path, _ in marked:
        look = client.get(url(path, house.mine.public_id))
        assert look.status_code == 302 and look["Location"].startswith("/accounts/reauthenticate/"), path
        assert client.post(url(path, house.mine.public_id)).status_code == 403, path


def test_a_denial_survives_the_rollback_of_its_request(house: House) -> None:
    client = logged_in(house.staff["counsellor"])
    assert client.get(f"/episodes/{house.other.public_id}/demographics/").status_code == 404
    denial = AccessEvent.objects.get(outcome="denied")
    assert (denial.user, denial.action, denial.view) == (house.staff["counsellor"], "patient.edit", "demographics")
    assert str(house.other.public_id) in denial.reason


def test_a_role_taken_away_ends_with_the_next_request(house: House) -> None:
    nurse = house.staff["nurse"]
    client = logged_in(nurse)
    page = f"/episodes/{house.mine.public_id}/demographics/"
    assert client.get(page).status_code == 200
    nurse.memberships.all().delete()
    assert client.get(page).status_code == 403
