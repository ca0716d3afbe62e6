"""The walls are privileges of the web role: what it may not do, the database refuses, whatever the Python says."""

import datetime

import pytest
from django.apps import apps
from django.db import ProgrammingError, connection, models, transaction
from django.utils import timezone

from clinic import walls
from clinic.models import AccessEvent, Change, ClinicalModel, Patient, Program, Seal
from clinic.models.record import Immutable
from clinic.transaction import acting
from tests import databases
from tests.people import House, everything, make_house, recorded, without_row_security


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def refused(sql: str) -> bool:
    """True when the web role lacks the privilege."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    except ProgrammingError as error:
        return "permission denied" in str(error) or "must be owner" in str(error)
    return False


IMMUTABLE = sorted(model._meta.db_table for model in apps.get_models() if issubclass(model, Immutable))
CLINICAL = sorted(model._meta.db_table for model in apps.get_models() if issubclass(model, (ClinicalModel, Patient)))


def test_the_application_is_neither_owner_nor_superuser(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, rolbypassrls, (SELECT count(*) FROM pg_tables WHERE tableowner = current_user AND schemaname = 'public')"
            " FROM pg_roles WHERE rolname = current_user"
        )
        assert cursor.fetchone() == (False, False, 0)


@pytest.mark.parametrize("table", IMMUTABLE)
def test_what_is_immutable_cannot_be_updated_deleted_or_truncated(db: None, table: str) -> None:
    assert refused(f'UPDATE "{table}" SET id = id')
    assert refused(f'DELETE FROM "{table}"')
    assert refused(f'TRUNCATE "{table}"')


@pytest.mark.parametrize("table", CLINICAL)
def test_nothing_clinical_is_ever_deleted(db: None, table: str) -> None:
    assert refused(f'DELETE FROM "{table}"')
    assert refused(f'TRUNCATE "{table}"')
    assert refused(f'ALTER TABLE "{table}" DISABLE TRIGGER steady_change')


@pytest.mark.parametrize(
    "verb", ["INSERT INTO clinic_change (id) VALUES (1)", "UPDATE clinic_change SET at = at", "DELETE FROM clinic_change"]
)
def test_changes_are_the_databases_alone(db: None, verb: str) -> None:
    assert refused(verb)


def test_every_table_of_ours_records_its_changes(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'steady_change' AND tgenabled = 'O'")
        recorded = {row[0] for row in cursor.fetchall()}
    ours = {model._meta.db_table for label in walls.OUR_APPS for model in apps.get_app_config(label).get_models(include_auto_created=True)}
    others = {"mfa_authenticator", "account_emailaddress"}
    assert recorded == ours - {AccessEvent._meta.db_table, Change._meta.db_table, Seal._meta.db_table} | others


def test_a_change_says_who_when_why_and_what(house: House) -> None:
    nurse, patient = house.staff["nurse"], house.mine.patient
    with acting(nurse, "patient.edit", reason="asked at the desk"):
        patient.preferred_name = "Annie"
        patient.save()
    change = recorded(patient_id=patient.pk)[-1]
    assert (change.user, change.action, change.reason, change.operation) == (nurse, "patient.edit", "asked at the desk", "UPDATE")
    assert (change.before, change.after) == ({"preferred_name": ""}, {"preferred_name": "Annie"})
    with connection.cursor() as cursor:  # on a server of one's own the tests' log-in takes the web role on; the log-in is recorded
        cursor.execute("SELECT session_user")
        assert change.database_role == cursor.fetchone()[0] != "steady_owner"
    assert change.table == "clinic_patient" and change.program_id == house.program.pk


def test_a_password_never_reaches_the_record(house: House) -> None:
    nurse = house.staff["nurse"]
    with acting(nurse, "account.own"):
        nurse.set_password("another quiet river")
        nurse.save()
    rows = recorded(table="clinic_user", row=nurse.pk)
    assert rows
    assert not any("password" in (row.before or {}) or "password" in (row.after or {}) for row in rows)


def test_a_clinical_row_is_changed_in_somebodys_name(house: House) -> None:
    with transaction.atomic(), acting(house.staff["nurse"], "patient.edit"):
        Patient.objects.filter(pk=house.mine.patient_id).update(phone="555 0101")
    with without_row_security(), pytest.raises(ProgrammingError, match="nobody is named"), acting(None, ""):
        Patient.objects.filter(pk=house.mine.patient_id).update(phone="555 0202")
    with acting(None, "load_content"):
        Program.objects.filter(pk=house.program.pk).update(duty_phone="555 0303")
    with everything():
        assert Patient.objects.get(pk=house.mine.patient_id).phone == "555 0101"


@pytest.mark.parametrize("other", ["nobody", "supervisor"])
def test_an_access_is_recorded_in_the_name_of_who_acts(house: House, other: str) -> None:
    nurse, named = house.staff["nurse"], house.staff.get(other)
    with acting(nurse, "chart.view"), pytest.raises(ProgrammingError, match="another name"), transaction.atomic():
        AccessEvent.objects.create(at=timezone.now(), user=named, action="chart.view", view="chart")
    assert not AccessEvent.objects.exists()


def test_the_database_sets_the_time_of_an_access(house: House) -> None:
    nurse, long_ago = house.staff["nurse"], timezone.now() - datetime.timedelta(days=400)
    with acting(nurse, "chart.view"):
        AccessEvent.objects.create(at=long_ago, user=nurse, action="chart.view", view="chart")
    assert timezone.now() - AccessEvent.objects.get().at < datetime.timedelta(minutes=5)


def test_no_temporary_table_stands_before_a_real_one(db: None) -> None:
    assert refused("CREATE TEMP TABLE clinic_accessevent (id bigint)")
    assert refused("CREATE TEMP TABLE anything AS SELECT 1")
    with connection.cursor() as cursor:
        cursor.execute("SHOW search_path")
        assert cursor.fetchone()[0].replace(" ", "") == "public,pg_temp"


def test_raising_the_walls_says_what_it_could_not_do(db: None) -> None:
    """As on a server whose database is another role's: the privilege that everybody has is found by name."""
    with databases.admin(databases.NAME) as owner:
        owner.execute("GRANT TEMPORARY ON DATABASE " + databases.NAME + " TO steady_web")
        with connection.cursor() as cursor:
            assert walls.may_make_temporary_tables(cursor)
        owner.execute("REVOKE TEMPORARY ON DATABASE " + databases.NAME + " FROM steady_web")
        with connection.cursor() as cursor:
            assert not walls.may_make_temporary_tables(cursor)


def test_an_update_that_changes_nothing_is_not_recorded(house: House) -> None:
    before = len(recorded())
    house.mine.patient.save()
    assert len(recorded()) == before


@pytest.mark.parametrize("model", [model for model in apps.get_models() if issubclass(model, Immutable)], ids=lambda model: model.__name__)
def test_python_refuses_with_a_sentence(model: type[models.Model]) -> None:
    row = model()
    row._state.adding = False
    with pytest.raises(TypeError, match="never changed or removed"):
        row.save()
    with pytest.raises(TypeError, match="never changed or removed"):
        row.delete()
