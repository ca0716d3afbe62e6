"""The code's access table against the tests' own copy, cell by cell, and what a cell means for rows."""

from pathlib import Path

import pytest
import yaml
from django.urls import path

from clinic import checks
from clinic.access_table import CLINICIANS, EMERGENCY, MINIMUM_FIELDS, ROLES, STEP_UP, TABLE
from clinic.actions import join_care_team
from clinic.models import Episode, Patient
from clinic.permissions import PUBLIC_VIEWS, cell, grant, may, requires
from clinic.transaction import acting
from clinic.views.reach import in_full
from tests.people import House, everything, make_house, make_user

EXPECTED: dict[str, list[str]] = yaml.safe_load((Path(__file__).parent / "access_table.yaml").read_text())
CELLS = [(action, role, EXPECTED[action][column]) for action in EXPECTED for column, role in enumerate(ROLES)]


STEP_UP_EXPECTED = {"plan.sign", "plan.finalise", "review.cosign", "disclosure.export", "user.edit"}
MINIMUM_EXPECTED = {
    "patient.search": {"record_number", "display_name", "birth_date"},
    "intake.view": {"instrument", "status", "completed_at"},
    "scores.view": {"flag", "action"},
    "plan.view": {"goals", "tasks"},
    "chart.view": {"record_number", "display_name", "birth_date", "pronouns", "stage", "flag", "next_due"},
    "dashboard.view": {"counts"},
}
EMERGENCY_EXPECTED = {
    "chart.view", "intake.view", "scores.view", "plan.view", "medication.view", "safety_plan.view", "detox.view", "consent.view",
    "flag.acknowledge", "observation.enter", "session_note.write", "safety_plan.edit",
}  # fmt: skip


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def test_the_lists_beside_the_table_are_as_signed() -> None:
    """Written out here like the table itself: one name more or less on either side is seen."""
    assert STEP_UP == STEP_UP_EXPECTED and EMERGENCY == EMERGENCY_EXPECTED
    assert {"counsellor", "nurse", "prescriber", "supervisor"} == CLINICIANS
    assert {action: set(fields) for action, fields in MINIMUM_FIELDS.items()} == MINIMUM_EXPECTED
    assert {action for action, cells in EXPECTED.items() if any(cell.endswith(":m") for cell in cells)} == set(MINIMUM_EXPECTED)


def test_both_tables_name_the_same_actions() -> None:
    assert set(TABLE) == set(EXPECTED)


@pytest.mark.parametrize(("action", "role", "expected"), CELLS, ids=[f"{action}-{role}" for action, role, _ in CELLS])
def test_every_cell_is_as_the_privacy_officer_signed_it(action: str, role: str, expected: str) -> None:
    scope, _, fields = expected.partition(":")
    found = cell(action, role)
    assert (found.scope, found.fields) == (scope, fields or "full")


def test_a_view_cannot_declare_an_action_that_is_not_in_the_table() -> None:
    with pytest.raises(KeyError, match="patient.imagine"):
        requires("patient.imagine")


def test_at_most_eight_views_are_public() -> None:
    assert len(PUBLIC_VIEWS) <= 8


def test_check_names_a_view_without_an_action(monkeypatch: pytest.MonkeyPatch) -> None:
    naked = path("naked/", lambda request: None, name="naked")  # type: ignore[arg-type,return-value]
    monkeypatch.setattr(checks, "patterns", lambda: iter([("naked/", naked)]))
    [error] = checks.every_view_declares_its_action(None)
    assert error.id == "clinic.E001" and "naked" in error.msg


def test_every_view_of_the_project_declares_its_action() -> None:
    assert checks.every_view_declares_its_action(None) == []


@pytest.mark.parametrize("action", list(EXPECTED))
def test_rows_follow_the_scope_of_the_cell(house: House, action: str) -> None:
    reaches = {
        "-": set(), "T": {house.mine}, "P": {house.mine, house.other}, "A": {house.mine, house.other, house.foreign},
        "y": {house.mine, house.other}, "O": set(),
    }  # fmt: skip
    scopes = {role: cell.partition(":")[0] for role, cell in zip(ROLES, EXPECTED[action], strict=True)}
    expected = {role: (reaches[scope], {episode.patient for episode in reaches[scope]}, scope != "-") for role, scope in scopes.items()}
    with everything():  # the wall in Python alone
        found = {
            role: (set(Episode.objects.visible_to(user, action)), set(Patient.objects.visible_to(user, action)), may(user, action))
            for role, user in house.staff.items()
        }
    assert found == expected


def test_a_superuser_without_a_role_reaches_nothing(house: House) -> None:
    root = make_user("root")
    root.is_superuser = root.is_staff = True
    root.save()
    with everything():
        for action in TABLE:
            assert not may(root, action)
            assert not Episode.objects.visible_to(root, action).exists()


def test_a_disabled_account_may_nothing(house: House) -> None:
    nurse = house.staff["nurse"]
    nurse.is_active = False
    assert not may(nurse, "chart.view")


def test_two_roles_in_two_programs_do_not_add_up(house: House) -> None:
    """A counsellor here who does intake elsewhere keeps team scope here and program scope there."""
    both = make_user("both", ("counsellor", house.program), ("intake", house.elsewhere))
    held = grant(both, "patient.register")
    assert held.programs == {house.elsewhere.pk} and held.team_programs == {house.program.pk}
    with everything():
        assert set(Episode.objects.visible_to(both, "patient.register")) == {house.foreign}


def test_minimum_fields_are_lifted_only_by_a_role_in_the_same_program(house: House) -> None:
    both = make_user("both", ("intake", house.program), ("supervisor", house.elsewhere))
    with everything():
        assert set(Episode.objects.visible_to(both, "chart.view", full=True)) == {house.foreign}


def test_minimum_fields_are_lifted_only_for_the_rows_that_the_wider_role_reaches(house: House) -> None:
    """Front desk and counsellor in one program: the whole chart of the team's patients, the minimum of all others."""
    both = make_user("both", ("intake", house.program), ("counsellor", house.program))
    with acting(both, "care_team.assign"):
        join_care_team(by=house.staff["supervisor"], episode=house.mine, user=both)
    assert set(Episode.objects.visible_to(both, "chart.view")) == {house.mine, house.other}
    assert set(Episode.objects.visible_to(both, "chart.view", full=True)) == {house.mine}
    assert in_full(both, "chart.view", house.mine) and not in_full(both, "chart.view", house.other)
