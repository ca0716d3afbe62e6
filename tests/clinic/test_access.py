"""Every URL as every role and as nobody, read from the URLconf: a new view without a rule fails here by name."""

import contextlib
import io
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pypdf
import pytest
from django.test import Client

from clinic import lock
from clinic.access_table import CLINICIANS, OWN_ACCOUNT, ROLES
from clinic.checks import patterns
from clinic.models import AccessEvent, Episode, User
from clinic.models.patients import ClinicalQuerySet, PatientQuerySet
from clinic.permissions import PUBLIC_VIEWS, declared_action
from tests.clinic.records import EVERYBODY, ids_of, make_records
from tests.clinic.test_permissions import EMERGENCY_EXPECTED, EXPECTED, STEP_UP_EXPECTED
from tests.people import House, make_house, without_row_security

ARGUMENTS = {"code": "phq9", "section": "1", "number": "1", "slug": "withdrawal"}
PATTERNS = [(path, pattern) for path, pattern in patterns() if pattern.name not in PUBLIC_VIEWS]
CLINICAL = [(path, pattern) for path, pattern in PATTERNS if declared_action(pattern.callback) != OWN_ACCOUNT]
# The two methods that pages use, and the others; all of them and every kind of patient are the thorough run's.
METHODS = ("get", "post")
OTHER_METHODS = ("put", "patch", "delete")
CANARIES = ("Minecanary", "Othercanary", "Foreigncanary")
# Of which kinds of patients each scope gives the rows (tests/clinic/records.py).
REACHED = {
    "T": {"mine", "discharged"},
    "P": {"mine", "other", "emergency", "discharged"},
    "y": {"mine", "other", "emergency", "discharged"},
    "A": {"mine", "other", "emergency", "discharged", "restricted", "foreign"},
}


def url(path: str, episode_id: uuid.UUID, arguments: Mapping[str, str] = ARGUMENTS) -> str:
    """The pattern filled in: the episode of the scope, and an id that nothing has for every argument that is not given."""
    path = path.replace("<uuid:episode_id>", str(episode_id))
    path = re.sub(r"<uuid:(\w+)>", lambda match: arguments.get(match[1], str(uuid.UUID(int=7))), path)
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda match: arguments.get(match[1], "none"), path)


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


# Of roles that reach alike one is quick.
ALIKE = {"peer", "case_manager", "counsellor", "prescriber", "supervisor", "content_editor"}


@pytest.mark.parametrize("role", [pytest.param(role, marks=pytest.mark.thorough if role in ALIKE else ()) for role in ROLES])
def test_every_url_as_every_role(house: House, role: str) -> None:
    """The quick slice of the sweep below: a look at a patient in reach, and at one of another program."""
    client = logged_in(house.staff[role])
    wrong = []
    for path, pattern in CLINICAL:
        cell = EXPECTED[declared_action(pattern.callback)][list(ROLES).index(role)]  # type: ignore[index]
        targets = {"mine": house.mine.public_id, "foreign": house.foreign.public_id}
        for scope, episode_id in targets.items() if "<uuid:episode_id>" in path else [("", uuid.UUID(int=0))]:
            response = client.get(url(path, episode_id))
            hidden = [word for word, holds in zip(CANARIES, _seen(house, cell), strict=True) if not holds]
            leaks = [word for word in hidden if word in said(response)]
            if not _fine(cell, not scope or reaches(cell, scope), response) or leaks:
                wrong.append(f"GET /{path} as {role} on {scope or '-'}: {response.status_code}, cell {cell}, leaks {leaks}")
    assert not wrong, "\n".join(wrong)


def _fine(cell: str, in_reach: bool, response: Any) -> bool:
    """Refused for the role, absent like a row that is not there, or answered: also by a view that says why this part is not theirs."""
    not_the_role = response.status_code == 403 and "Your role does not include" in response.content.decode(errors="replace")
    if cell == "-":
        return not_the_role
    return response.status_code == 404 if not in_reach else not not_the_role and response.status_code < 500


def _seen(house: House, cell: str) -> tuple[bool, bool, bool]:
    return reaches(cell, "mine"), reaches(cell, "other"), reaches(cell, "foreign")


def said(response: Any) -> str:
    """All that an answer says: its headers, and its body as text; of a PDF the text in it."""
    headers = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
    body = response.getvalue() if response.streaming else response.content
    if body.startswith(b"%PDF"):
        return headers + "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(body)).pages)
    return headers + body.decode(errors="replace")


# The whole sweep: every kind of patient, with rows in every table


@pytest.fixture
def records(db: None) -> tuple[House, dict[str, Episode]]:
    return make_records()


def reached(action: str, role: str) -> set[str]:
    """The kinds of patients the tests' own table gives this role for this action."""
    scope = EXPECTED[action][list(ROLES).index(role)].partition(":")[0]
    emergency = {"emergency"} if scope == "T" and role in CLINICIANS and action in EMERGENCY_EXPECTED else set()
    return REACHED.get(scope, set()) | emergency


def marked(text: str) -> set[str]:
    """Whose names and texts stand in it: {"mine"}, or {"mine", "other"}."""
    return {word.lower() for word in re.findall(r"(\w+?)(?:canary|record\.)", text) if word.lower() in EVERYBODY}


@pytest.mark.thorough
def test_texts_in_json_and_in_the_print_are_looked_for(records: tuple[House, dict[str, Episode]]) -> None:
    """The control of the sweeps below: what was typed, found, decided and signed stands marked on the pages that show it."""
    house, patients = records
    client, at = logged_in(house.staff["prescriber"]), f"/episodes/{patients['mine'].public_id}"
    shown = {
        "intake/strengths/1/": "Minerecord.answer.value", "assessment/": "Minerecord.assessment.result",
        "plan/": "Minerecord.component.suggestion", "plan/versions/1/": "Minerecord.signedplan.document",
        "plan/versions/1/clinic.pdf": "Minerecord.signedplan.document",
    }  # fmt: skip
    for page, mark in shown.items():
        assert mark in said(client.get(f"{at}/{page}")), page


def sweep(
    records: tuple[House, dict[str, Episode]], role: str, methods: Iterable[str], urls: Iterable[tuple[str, Any]] = CLINICAL
) -> list[str]:
    """What is not as the tests' own table says, as sentences: every URL of every patient with the ids of that patient's own rows."""
    house, patients = records
    if methods is OTHER_METHODS:  # no page answers them otherwise than a post: these patients will do
        patients = {name: patients[name] for name in ("mine", "other", "foreign")}
    client, wrong = logged_in(house.staff[role]), []
    arguments = {name: ids_of(episode) for name, episode in patients.items()}
    for path, pattern in urls:
        action = str(declared_action(pattern.callback))
        cell, right = EXPECTED[action][list(ROLES).index(role)], reached(action, role)
        for name in patients if "<uuid:" in path else ("",):
            for method in methods:
                given = {"q": "Ana"} if method == "post" and pattern.name == "search" else {}
                episode_id, own = (patients[name].public_id, arguments[name]) if name else (uuid.UUID(int=0), ARGUMENTS)
                response = getattr(client, method)(url(path, episode_id, own), given)
                leaks = marked(said(response)) - right
                absent = response.status_code == 404 and method == "get" and pattern.name not in ABOUT_WHAT_MAY_BE_ABSENT
                fine = _fine(cell, not name or name in right, response) and not (absent and name in right)
                if not fine or leaks or _missing(pattern, given, right, response):
                    asked = f"{method.upper()} /{path} as {role} on {name or '-'}"
                    wrong.append(f"{asked}: {response.status_code}, cell {cell}, shows {marked(said(response))}, reaches {right}")
    return wrong


# Pages about a thing that is not there for these patients (an open finding, a flag that holds), or that only take a post.
ABOUT_WHAT_MAY_BE_ABSENT = {"add_finding", "add_part", "give_reason", "record_evaluation"}


def _missing(pattern: Any, given: dict[str, str], right: set[str], response: Any) -> set[str]:
    """Who should stand in a list and does not: a list that shows nobody leaks nobody either."""
    if pattern.name in ("caseload", "break_glass_reviews") or given:
        return right - marked(said(response)) - ({"discharged"} if pattern.name == "caseload" else set())
    return set()


@pytest.mark.thorough
@pytest.mark.parametrize("role", list(ROLES))
@pytest.mark.parametrize("methods", [METHODS, OTHER_METHODS], ids="-".join)
def test_every_url_of_every_patient_as_every_role(records: tuple[House, dict[str, Episode]], role: str, methods: tuple[str, ...]) -> None:
    wrong = sweep(records, role, methods)
    assert not wrong, "\n".join(wrong)


# Each wall alone


@pytest.mark.thorough
@pytest.mark.parametrize("role", list(ROLES))
def test_the_first_wall_alone_holds(records: tuple[House, dict[str, Episode]], role: str) -> None:
    """Row security switched off: the application's own filters give each role what the table says."""
    with without_row_security():
        wrong = sweep(records, role, ("get",))
    assert not wrong, "\n".join(wrong)


@pytest.mark.thorough
@pytest.mark.parametrize("role", list(ROLES))
def test_the_second_wall_alone_holds(records: tuple[House, dict[str, Episode]], role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every filter of the application opened: the database shows no row beyond the reach of the role, whatever page asks."""
    house, patients = records
    _open_every_filter(monkeypatch)
    client, wrong, shown = logged_in(house.staff[role]), [], set()
    names, texts = _held_by_the_database(role)
    for path, _ in CLINICAL:
        for name in patients if "<uuid:" in path else ("",):
            episode = patients[name or "mine"]
            response = client.get(url(path, episode.public_id, ids_of(episode)))
            text = said(response)
            shown |= marked(text)
            # What is no part of the record itself is overseen with the names (KIND_OF in clinic/row_security.py).
            written = {word.lower() for word in re.findall(r"(\w+?)record\.(?!breakglass|chartrestriction|disclosure)", text)}
            if leaks := (marked(text) - names) | (written - texts):
                wrong.append(f"GET /{path} as {role} on {name or '-'}: {response.status_code} shows {leaks}")
    assert not wrong, "\n".join(wrong)
    assert shown - {"mine"} or "P" not in EXPECTED["chart.view"][list(ROLES).index(role)], "the filters were not opened"


def _open_every_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    for queryset in (ClinicalQuerySet, PatientQuerySet):
        monkeypatch.setattr(queryset, "visible_to", lambda self, *args, **kwargs: self.all())


@pytest.mark.parametrize("wall", ["first", "second"])
def test_one_wall_is_enough(house: House, wall: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick slice of the two sweeps above; the control is what both walls down show."""
    peer = house.staff["peer"]
    if wall == "second":
        _open_every_filter(monkeypatch)
    with without_row_security() if wall == "first" else contextlib.nullcontext():
        assert _shown_to(peer, house) == {"mine"}
    _open_every_filter(monkeypatch)
    with without_row_security():
        assert _shown_to(peer, house) == {"mine", "other", "foreign"}


def _shown_to(user: User, house: House) -> set[str]:
    client = logged_in(user)
    charts = [f"/episodes/{episode_id}/chart/" for _, episode_id in scopes(house)]
    return set().union(*(marked(said(client.get(page))) for page in ("/caseload/", *charts)))


def _held_by_the_database(role: str) -> tuple[set[str], set[str]]:
    """Whose names and whose record the second wall leaves to a role, by the widest scope of the tests' own table."""
    register = [action for action in EXPECTED if action not in ("dashboard.view", "user.view", "user.edit")]
    record = [
        action for action in register
        if action.partition(".")[0] not in ("patient", "care_team", "self_report", "consent", "audit", "break_glass", "counselling_note")
    ]  # fmt: skip
    return tuple(set().union(*(reached(action, role) for action in actions)) for actions in (register, record))  # type: ignore[return-value]


def test_nobody_gets_nowhere(house: House) -> None:
    client = Client(raise_request_exception=False)
    for path, _ in PATTERNS:
        if path == "":
            continue
        for method in (*METHODS, *OTHER_METHODS):
            response = getattr(client, method)(url(path, house.mine.public_id))
            sent_away = response.status_code == 302 and response["Location"].startswith("/accounts/login/")
            # A page of the log-in itself may say first that it does not take the method.
            assert sent_away or (method in OTHER_METHODS and path.startswith("accounts/") and response.status_code == 405), path
            assert not any(word in said(response) for word in CANARIES)


def test_step_up_is_asked_again_after_five_minutes(house: House) -> None:
    """Every action marked in the table sends a look to the confirmation page and refuses a write."""
    marked = [(path, pattern) for path, pattern in CLINICAL if declared_action(pattern.callback) in STEP_UP_EXPECTED]
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
