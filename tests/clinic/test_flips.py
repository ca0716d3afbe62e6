"""What the sweep would notice: each cell of the code's table that a page rests on is flipped in turn, and the sweep must say so."""

import re

import pytest

from clinic import permissions
from clinic.access_table import ROLES, TABLE
from clinic.models import Episode
from clinic.permissions import declared_action
from tests.clinic.records import ids_of, make_records
from tests.clinic.test_access import CLINICAL, logged_in, sweep, url
from tests.clinic.test_permissions import EXPECTED
from tests.people import House, without_row_security

Records = tuple[House, dict[str, Episode]]
# One page of each action: what decides is asked in the same way by all of them.
PAGES = {str(declared_action(pattern.callback)): (path, pattern) for path, pattern in reversed(CLINICAL)}
OTHERWISE = {"-": "P", "P": "T", "T": "P", "A": "P", "y": "-", "O": "-"}
# The same form is shown to both scopes (the program is chosen in it, the patient does not exist yet); and names are looked up inside
# the second wall (steady_patients_named), which keeps a peer to their team whatever the cell says. Nobody in the records has waited too
# long for an acknowledgement, so the list of those is empty here: whose it shows is tested in tests/intake/test_flags.py.
REGISTERS = [role for role, cell in zip(ROLES, EXPECTED["patient.register"], strict=True) if cell != "-"]
UNSEEN = {("patient.search", "peer"), ("flag.escalated", "supervisor"), *(("patient.register", role) for role in REGISTERS)}


@pytest.fixture
def records(db: None) -> Records:
    return make_records()


def flip(monkeypatch: pytest.MonkeyPatch, action: str, role: str, to: str) -> None:
    cells = TABLE[action].split()
    cells[list(ROLES).index(role)] = to
    monkeypatch.setitem(TABLE, action, " ".join(cells))
    permissions.cell.cache_clear()


@pytest.mark.thorough
@pytest.mark.parametrize("role", list(ROLES))
def test_a_flipped_cell_is_noticed(records: Records, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell of this role: by the copy of the table, and where a page rests on its action, by the sweep of one such page too.

    The sweep is asked with row security off, because the second wall would hide many a flip of the first. It proves that pages ask
    the cell; that all pages of an action ask alike is what the whole sweep proves. Actions without a page yet rest on the copy alone,
    and so do the cells in UNSEEN. Sets of fields (`:m`) are flipped in the test below.
    """
    unnoticed = set()
    for action in TABLE:
        cell = EXPECTED[action][list(ROLES).index(role)]
        scope, colon, fields = cell.partition(":")
        flip(monkeypatch, action, role, OTHERWISE[scope] + (colon + fields if OTHERWISE[scope] != "-" else ""))
        found = permissions.cell(action, role)
        assert (found.scope, found.fields) != (scope, fields or "full"), "the copy says nothing"
        if action in PAGES:
            with without_row_security():
                if not sweep(records, role, ("get", "post") if action == "patient.search" else ("get",), [PAGES[action]]):
                    unnoticed.add((action, role))
        monkeypatch.undo()
        permissions.cell.cache_clear()
    assert unnoticed == {(action, name) for action, name in UNSEEN if name == role}


# The named fields behind `:m`: (page, role) and which marked columns of the record it shows (tests/clinic/records.py); no others.
NAMED = {"flag.name"}
DONE = {"flag.action", "flag.message"}  # what to do and what to say
GOALS = {"problem.title", "goal.text", "goal.patient_words", "goal.measure"}
TASKS = {"objective.text", "intervention.text", "intervention.frequency", "intervention.duration"}
MINIMUM: dict[tuple[str, str], set[str]] = {
    ("chart", "intake"): NAMED,
    ("chart", "peer"): NAMED | {"flag.action"},
    ("assessment", "intake"): NAMED,
    ("assessment", "peer"): NAMED | DONE,
    ("plan", "peer"): GOALS | TASKS,
}


def page_of(records: Records, name: str, role: str) -> str:
    house, _ = records
    path = next(path for path, pattern in CLINICAL if pattern.name == name)
    response = logged_in(house.staff[role]).get(url(path, house.mine.public_id, ids_of(house.mine)))
    assert response.status_code == 200
    return re.sub(r'<input type="hidden"[^>]*>|nonce="[^"]*"', "", response.content.decode())


@pytest.mark.thorough
def test_a_page_with_the_minimum_shows_the_named_fields_and_asks_the_cell(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each action in use that has `:m` somewhere. Where the cell is flipped to all fields, the page shows more; a nurse's does."""
    for (name, role), shown in MINIMUM.items():
        minimum = page_of(records, name, role)
        assert set(re.findall(r"Minerecord\.(\w+\.\w+)", minimum)) == shown, (name, role)
        action = next(str(declared_action(pattern.callback)) for _, pattern in CLINICAL if pattern.name == name)
        cell = EXPECTED[action][list(ROLES).index(role)]
        assert cell.endswith(":m")
        flip(monkeypatch, action, role, cell.removesuffix(":m"))
        assert page_of(records, name, role) != minimum, (name, role)
        monkeypatch.undo()
        permissions.cell.cache_clear()
    assert "Minerecord.component.name" in page_of(records, "plan", "nurse")
    used = {action for action in PAGES if any(cell.endswith(":m") for cell in EXPECTED[action])}
    assert used - {"patient.search"} == {"chart.view", "scores.view", "plan.view"}, "a page with a minimum of its own: add it to MINIMUM"


@pytest.mark.thorough
def test_the_auditors_search_shows_whose_record_it_is_and_no_more(records: Records) -> None:
    house, _ = records
    page = logged_in(house.staff["privacy_auditor"]).post("/patients/", {"q": "Minecanary"}).content.decode()
    assert house.mine.patient.record_number in page and "Minecanary" in page
    assert not re.findall(r"Minerecord\.(\w+\.\w+)", page) and "Would like help to stop" not in page
