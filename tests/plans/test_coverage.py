"""The 55 rows of the specification's section 1: each is covered, by something that exists."""

from typing import Any

import pytest

from intake.content_files import ContentError
from plans import coverage as module
from plans.coverage import coverage
from tests.intake.test_admin import staff
from tests.people import make_house


def test_all_55_rows_are_covered() -> None:
    assert len(coverage()) == 55
    assert all(row.by and all(part.words for part in row.by) for row in coverage())


def test_every_family_of_components_covers_something() -> None:
    named = {part.name.split("-")[0] for row in coverage() for part in row.by if "-" in part.name and "/" not in part.name}
    assert named >= {"SAF", "EDU", "DTX", "CBT", "OTH", "PEER", "MED", "PAIN", "CMP", "SOC", "AFT", "IX", "SF"}


@pytest.mark.parametrize(
    ("by", "says"),
    [
        ([], "row 1: nothing covers it"),
        (["CMP-99"], "row 1: there is no CMP-99"),
        (["phq9/99"], "row 1: there is no phq9/99"),
        (["phq/1"], "row 1: there is no phq/1"),
        (["kuh/reasons=fun"], "row 1: there is no kuh/reasons=fun"),
        (["score phq"], "row 1: there is no score phq"),
        (["wish CBT-01"], "row 1: there is no wish CBT-01"),
    ],
)
def test_what_does_not_exist_covers_nothing(monkeypatch: pytest.MonkeyPatch, by: list[str], says: str) -> None:
    content: Any = {"groups": [{"name": "Reasons", "rows": [{"number": 1, "names": "pain", "by": by}]}]}
    monkeypatch.setattr(module, "read", lambda file: content)
    with pytest.raises(ContentError, match=says):
        coverage.__wrapped__()


@pytest.mark.django_db
@pytest.mark.parametrize(("role", "status"), [("supervisor", 200), ("content_editor", 200), ("prescriber", 200), ("sys_admin", 403)])
def test_whoever_may_see_the_rules_reads_it(role: str, status: int) -> None:
    response = staff(make_house(), role).get("/admin/plans/componentsetting/coverage/")
    assert response.status_code == status
    assert ("IX-01 Kratom and another opioid" in response.content.decode()) == (status == 200)
