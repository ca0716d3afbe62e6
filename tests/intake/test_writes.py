"""Several writes in one statement: all of them, with every wall they would meet one by one."""

from decimal import Decimal

import pytest
from django.db import DatabaseError, DataError, IntegrityError, transaction
from django.utils import timezone

from clinic.models import Episode
from clinic.transaction import acting
from clinic.writes import inserts, updates, write
from intake.models import Flag
from tests.people import House, make_house, recorded


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def flag(house: House, rule_id: str, **values: object) -> Flag:
    given = {"name": "A name", "severity": 3, "message": "m", "action": "a", "proof": {"n": Decimal("7.10")}} | values
    return Flag(
        program=house.mine.program, patient=house.mine.patient, episode=house.mine, rule_id=rule_id, raised_at=timezone.now(),
        raised_by=house.staff["intake"], **given,
    )  # fmt: skip


def flags() -> dict[str, Flag]:
    return {one.rule_id: one for one in Flag.objects.all()}


def test_rows_are_inserted_and_updated_as_they_stand_in_one_statement(house: House, django_assert_num_queries) -> None:
    with acting(house.staff["intake"], "intake.submit"):
        write(inserts([flag(house, "SF-1"), flag(house, "SF-2", severity=1)]))
        first = flags()["SF-1"]
        first.severity, first.proof, first.acknowledged_at, house.mine.acuity_reason = 4, {"n": Decimal("0.30")}, None, "Told “so”"
        both = [*updates([first], ["severity", "proof", "acknowledged_at"]), *updates([house.mine], ["acuity_reason"])]
        with django_assert_num_queries(1):
            write([*inserts([flag(house, "SF-3")]), *both])
    stored = flags()
    assert [stored[rule_id].severity for rule_id in ("SF-1", "SF-2", "SF-3")] == [4, 1, 3]
    assert str(stored["SF-1"].proof["n"]) == "0.30" and str(stored["SF-3"].proof["n"]) == "7.10"
    assert Episode.objects.get(pk=house.mine.pk).acuity_reason == "Told “so”"


def test_each_row_is_recorded_as_a_change_of_its_own(house: House) -> None:
    with acting(house.staff["intake"], "intake.submit"):
        write(inserts([flag(house, "SF-1"), flag(house, "SF-2")]))
    changes = recorded(table="intake_flag", operation="INSERT")
    assert sorted((change.after["rule_id"], change.user_id) for change in changes if change.after) == [
        ("SF-1", house.staff["intake"].pk), ("SF-2", house.staff["intake"].pk),
    ]  # fmt: skip


def test_nothing_is_kept_when_a_row_is_out_of_reach_or_gone(house: House) -> None:
    gone = flag(house, "SF-9")
    gone.pk = 10**9
    with acting(house.staff["intake"], "intake.submit"):
        with pytest.raises(DatabaseError, match="none was"), transaction.atomic():
            write([*inserts([flag(house, "SF-1")]), *updates([gone], ["severity"])])
        assert flags() == {}


def test_what_is_too_long_is_refused_and_not_cut(house: House) -> None:
    with acting(house.staff["intake"], "intake.submit"), pytest.raises(DataError), transaction.atomic():
        write(inserts([flag(house, "SF-1", name="n" * 121)]))


def test_constraints_hold(house: House) -> None:
    with acting(house.staff["intake"], "intake.submit"), pytest.raises(IntegrityError), transaction.atomic():
        write(inserts([flag(house, "SF-1"), flag(house, "SF-1")]))


def test_no_rows_are_no_statement(db: None, django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        write([*inserts([]), *updates([], ["severity"])])
