"""All or nothing at every statement: the n-th fails, n = 1, 2, 3 ..., until the action passes. Rows are as before, or as after."""

from typing import Any

import pytest
from django.core import mail
from django.db import Error, connection, connections
from django.db.models import Model

from tests import databases
from tests.faults.breaking import KINDS, breaking, commit_fails
from tests.faults.cases import CASES, as_somebody, every_action
from tests.faults.fingerprint import alike, changed, exactly
from tests.people import House, make_house

EMPTY_CLINIC = {"clinic.actions.first_visit"}
# Brings the row it is given up to date, inside the transaction of the action that read it under its lock.
BRINGS_UP_TO_DATE = {"clinic.actions.update_summary"}


def test_every_write_action_has_a_case() -> None:
    missing = sorted(set(every_action()) ^ set(CASES))
    assert not missing, f"Give each of these a case in tests/faults/cases.py, or take it away there: {', '.join(missing)}"


class Scene:
    """One action ready to be called, in a clinic of its own."""

    def __init__(self, name: str) -> None:
        house = House(None, None) if name in EMPTY_CLINIC else make_house()  # type: ignore[arg-type]
        self.by, self.action, self.values = CASES[name](house)
        self.name = name
        self.before = exactly()
        self.given = self.in_memory()

    def act(self) -> Any:
        with as_somebody(self.by):
            return self.action(**self.values)

    def in_memory(self) -> dict[str, Any]:
        """Everything the caller still holds: the rows it passed, and what would have been sent."""
        rows = {name: value for name, value in self.values.items() if isinstance(value, Model) and self.name not in BRINGS_UP_TO_DATE}
        columns = {
            name: {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields} for name, row in rows.items()
        }
        return columns | {"mail": len(mail.outbox)}

    def check_nothing_happened(self, when: str) -> None:
        assert changed(self.before, exactly()) == set(), when
        assert self.in_memory() == self.given, when


def afresh() -> None:
    connections.close_all()
    databases.clone()


def what_it_changes(name: str) -> tuple[set[str], dict[str, Any]]:
    """The tables a run without faults changes, and how the database looks afterwards."""
    scene = Scene(name)
    scene.act()
    after = alike()
    tables = changed(scene.before, exactly())
    afresh()
    return tables, after


def break_each(scene: Scene, kind: str, first: int = 1, last: int = 1000) -> int:
    """Break the n-th statement, n = first, first + 1, ..., until one passes or `last` is reached; how many were broken."""
    for n in range(first, last + 1):
        with breaking(n, KINDS[kind]) as state:
            try:
                scene.act()
            except Error:
                assert state.broke, "it failed by itself"
            else:
                assert not state.broke, f"{kind} at statement {n} was swallowed"
                return n - first
        if not connection.is_usable():
            connection.close()
        scene.check_nothing_happened(f"{kind} at statement {n}")
    return last - first + 1


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted(CASES))
def test_whatever_statement_fails_it_is_all_or_nothing(real_transactions: None, name: str, kind: str) -> None:
    tables, after = what_it_changes(name)
    assert tables, "the case changes nothing, so it would show nothing"
    scene = Scene(name)
    assert break_each(scene, kind) > 1
    assert changed(alike(), after) == set(), "after the faults it came out otherwise than without them"


@pytest.mark.thorough
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_commit_that_is_refused_leaves_nothing(real_transactions: None, name: str) -> None:
    _, after = what_it_changes(name)
    scene = Scene(name)
    with commit_fails(), pytest.raises(Error, match="no space is left"):
        scene.act()
    scene.check_nothing_happened("at COMMIT")
    scene.act()
    assert changed(alike(), after) == set()


def test_a_submit_of_which_a_statement_or_the_commit_fails(real_transactions: None) -> None:
    """A slice of the above: the first statements, some in the middle, the last ones, the COMMIT; then it passes."""
    scene = Scene("intake.actions.submit")
    for first in (1, 5, 9):
        assert break_each(scene, "full disk", first, first + 1) == 2
    with commit_fails(), pytest.raises(Error, match="no space is left"):
        scene.act()
    scene.check_nothing_happened("at COMMIT")
    assert scene.act().episode == scene.values["episode"]
