"""The second wall by itself: what the database shows to each role, to nobody, and to somebody whose roles have ended."""

import datetime
import uuid
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, models, transaction
from django.utils import timezone

from clinic import audit, database
from clinic.access_table import ROLES, TABLE
from clinic.models import (
    AccessEvent,
    BreakGlass,
    CareTeamMember,
    Change,
    ChartRestriction,
    ClinicalModel,
    Disclosure,
    Episode,
    Patient,
)  # fmt: skip
from clinic.models.access import EMERGENCY_LASTS
from clinic.row_security import FUNCTIONS, KIND_OF, KINDS, clinical_models, walled_tables
from clinic.transaction import acting
from intake.models import Flag
from tests import databases
from tests.people import House, everything, make_house

# The tests' own copy of what each role reaches in each kind of table: intake, peer, case manager, counsellor, nurse, prescriber,
# supervisor, privacy auditor, content editor, system administrator.
EXPECTED = {
    "register":  "P T P P P P P A - -",
    "record":    "P T T T T T P - - -",
    "oversight": "P T T T T T P A - -",
    "trail":     "- - - - - - P A - -",
}  # fmt: skip
# Actions that show nobody's rows: settings, people, content; what is counted is not shown row by row; notes have no table yet.
WITHOUT_ROWS = {
    "break_glass.invoke", "counselling_note.view", "counselling_note.write", "dashboard.view", "formulary.edit", "formulary.propose",
    "questionnaire.import", "questionnaire.publish", "settings.approve", "settings.propose", "user.edit", "user.view",
}  # fmt: skip
CANARIES = ("mine", "other", "foreign")


@pytest.fixture
def house(db: None) -> House:
    """With a flag, a disclosure and an access of each of the three patients."""
    house = make_house()
    with everything():
        for name in CANARIES:
            episode = getattr(house, name)
            common: dict[str, Any] = {"program_id": episode.program_id, "patient_id": episode.patient_id}
            by, now = house.staff["nurse"], timezone.now()
            Flag.objects.create(**common, episode=episode, rule_id="SF-02", severity=2, proof={}, raised_at=now, raised_by=by)
            Disclosure.objects.create(**common, at=now, by=by, what="a copy", sha256="0" * 64, recipient="x", basis="patient copy")
            with acting(None, ""):
                AccessEvent.objects.create(at=now, user=None, action="chart.view", view="chart", patients=[episode.patient_id])
    return house


def in_reach(house: House, scope: str) -> set[str]:
    return set({"A": CANARIES, "P": CANARIES[:2], "T": CANARIES[:1], "-": ()}[scope])


def whose(house: House, model: type[models.Model]) -> set[str]:
    """Whose rows of a table are seen now, with no filter of the application's in front."""
    rows = {
        Patient: lambda: Patient.objects.values_list("pk", flat=True),
        AccessEvent: lambda: [patient for row in AccessEvent.objects.filter(user=None) for patient in row.patients],
    }.get(model, lambda: model._default_manager.values_list("patient_id", flat=True))()
    names = {getattr(house, name).patient_id: name for name in CANARIES}
    return {names[patient] for patient in rows if patient}


def test_every_table_that_is_about_a_patient_has_row_security(db: None) -> None:
    """Asked of the database's own catalogue: a new table, or one made by hand, fails here by name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT c.relname, c.relrowsecurity, EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid) FROM pg_class c"
            " JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_constraint f ON f.conrelid = c.oid AND f.contype = 'f'"
            " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND (c.relname = 'clinic_patient'"
            " OR a.attname IN ('patient_id', 'patients', 'episode_id') OR f.confrelid = ANY (%s::regclass[]))",
            [[model._meta.db_table for model in clinical_models()]],
        )
        found = {name: walled and policy for name, walled, policy in cursor.fetchall()}
    assert all(found.values()), found
    assert set(found) == {table for table, _ in walled_tables()}
    assert {model for model in apps.get_models() if issubclass(model, ClinicalModel)} <= set(clinical_models())


def test_every_action_has_its_kind_of_table_or_none() -> None:
    assert {action for actions in KINDS.values() for action in actions} | WITHOUT_ROWS == set(TABLE)
    assert not WITHOUT_ROWS & {action for actions in KINDS.values() for action in actions}


@pytest.mark.parametrize("role", list(ROLES))
def test_each_role_sees_the_rows_its_widest_scope_reaches(house: House, role: str) -> None:
    tables = {"register": (Patient, Episode), "record": (Flag,), "oversight": (Disclosure,), "trail": (AccessEvent, Change)}
    with acting(house.staff[role], "chart.view"):
        for kind, scopes in EXPECTED.items():
            scope = scopes.split()[list(ROLES).index(role)]
            for model in tables[kind]:
                assert whose(house, model) == in_reach(house, scope), (model, scope)


def test_what_is_not_named_otherwise_is_the_record() -> None:
    assert {KIND_OF.get(model._meta.label, "record") for model in clinical_models()} == {"register", "record", "oversight"}
    assert set(KIND_OF) <= {model._meta.label for model in clinical_models()}


def nothing_is_seen(house: House) -> bool:
    return not any(whose(house, model) for model in [*clinical_models(), Change, AccessEvent])


def test_nobody_sees_nothing(house: House) -> None:
    with acting(None, ""):
        assert nothing_is_seen(house)
        assert not AccessEvent.objects.exists() and not Change.objects.exists()


@pytest.mark.parametrize("role", ["nurse", "supervisor", "privacy_auditor"])
def test_who_is_disabled_or_has_no_role_any_more_sees_nothing(house: House, role: str) -> None:
    user = house.staff[role]
    with acting(user, "chart.view"):
        assert not nothing_is_seen(house)
        user.is_active = False
        user.save()
        assert nothing_is_seen(house)
        user.is_active = True
        user.save()
        user.memberships.all().delete()
        assert nothing_is_seen(house)


def test_who_left_the_team_sees_the_record_no_more(house: House) -> None:
    nurse = house.staff["nurse"]
    with acting(house.staff["supervisor"], "care_team.assign"):
        CareTeamMember.objects.filter(user=nurse).update(ended_at=timezone.now(), ended_by=house.staff["supervisor"])
    with acting(nurse, "chart.view"):
        assert not Flag.objects.exists()


def test_a_team_of_another_program_than_the_role_gives_nothing(house: House) -> None:
    """Somebody moved: still on a care team here, and with a role elsewhere only."""
    nurse = house.staff["nurse"]
    nurse.memberships.update(program=house.elsewhere)
    with acting(nurse, "chart.view"):
        assert not Flag.objects.exists() and set(Patient.objects.all()) == {house.foreign.patient}


OVERSEEN = {"oversight", "register", "trail"}


@pytest.mark.parametrize(("role", "stays"), [("nurse", set()), ("supervisor", set()), ("privacy_auditor", OVERSEEN)])
def test_a_chart_closed_to_all_but_its_team_is_closed_here_too(house: House, role: str, stays: set[str]) -> None:
    """Also to a supervisor of the program; who oversees the whole organisation goes on seeing what they oversee."""
    with everything(), acting(house.staff["supervisor"], "care_team.assign"):
        on_team = CareTeamMember.objects.filter(patient=house.mine.patient, user=house.staff[role])
        on_team.update(ended_at=timezone.now(), ended_by=house.staff["supervisor"])
        restricted(house.mine, kind="team only")
    with acting(house.staff[role], "chart.view"):
        for kind, model in {"register": Patient, "record": Flag, "oversight": Disclosure, "trail": AccessEvent}.items():
            assert ("mine" in whose(house, model)) == (kind in stays), model
        assert named("minecanary") == ([house.mine.patient_id] if "register" in stays else [])
    with acting(house.staff["counsellor"], "chart.view"):
        assert "mine" in whose(house, Flag) & whose(house, Patient)


@pytest.mark.parametrize("role", ["nurse", "supervisor", "privacy_auditor"])
def test_ones_own_chart_is_closed_whatever_the_role(house: House, role: str) -> None:
    with everything(), acting(house.staff["supervisor"], "care_team.assign"):
        restriction = restricted(house.mine, kind="own chart", user=house.staff[role])
    with acting(house.staff[role], "chart.view"):
        assert not any("mine" in whose(house, model) for model in [*clinical_models(), Change, AccessEvent])
        assert named("minecanary") == []
    with everything():
        ChartRestriction.objects.filter(pk=restriction.pk).update(
            ended_at=timezone.now(), ended_by=house.staff["supervisor"], ended_reason="A mistake"
        )
    with acting(house.staff[role], "chart.view"):
        assert "mine" in whose(house, Patient)


def restricted(episode: Episode, **values: Any) -> ChartRestriction:
    by = episode.opened_by
    return ChartRestriction.objects.create(program_id=episode.program_id, patient_id=episode.patient_id, by=by, reason="x", **values)


@pytest.mark.parametrize(("role", "hours_ago", "opens"), [("nurse", 0, True), ("nurse", 5, False), ("case_manager", 0, False)])
def test_an_emergency_opens_the_record_to_a_clinician_for_its_hours(house: House, role: str, hours_ago: int, opens: bool) -> None:
    at = timezone.now() - datetime.timedelta(hours=hours_ago)
    with everything(), acting(house.staff[role], "break_glass.invoke"):
        for episode in (house.other, house.foreign):
            BreakGlass.objects.create(
                program_id=episode.program_id, patient_id=episode.patient_id, episode=episode, user=house.staff[role], category="crisis",
                reason="Nobody of the team answers", at=at, until=at + EMERGENCY_LASTS,
            )  # fmt: skip
    with acting(house.staff[role], "chart.view"):
        assert whose(house, Flag) == ({"mine", "other"} if opens else {"mine"})
        assert "foreign" not in whose(house, Patient)


def test_nothing_is_written_where_it_could_not_be_read(house: House) -> None:
    clerk, foreign = house.staff["intake"], house.foreign
    with acting(clerk, "patient.edit"):
        assert Patient.objects.filter(pk=foreign.patient_id).update(phone="555 0000") == 0
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            Episode.objects.create(program=house.elsewhere, patient=foreign.patient, opened_by=clerk, referral_source="self")
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            Patient.objects.filter(pk=house.mine.patient_id).update(program=house.elsewhere)


TAKING_DOWN = (
    "ALTER TABLE clinic_patient DISABLE ROW LEVEL SECURITY", "ALTER ROLE steady_web BYPASSRLS", "DROP POLICY steady_all ON clinic_patient",
)  # fmt: skip


@pytest.mark.parametrize("statement", TAKING_DOWN)
def test_the_web_role_does_not_take_its_walls_down(db: None, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="must be owner|permission denied"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_web_role_that_logged_in_itself_becomes_nobody_else(db: None) -> None:
    """What `everything` does in tests is the right of the tests' own log-in."""
    if databases.address("x") != database.cluster("test").url(database.SUPERUSER, "x"):
        pytest.skip("the passwords of this server are not ours")
    with psycopg.connect(database.cluster("test").url(database.WEB, databases.NAME), autocommit=True) as web:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied to set role"):
            web.execute(f"SET ROLE {database.OWNER}")
        web.execute("SET row_security = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="would be affected by row-level security"):
            web.execute("SELECT * FROM clinic_patient")


def asked(function: str, value: object) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}", [value])
        return [row[0] for row in cursor.fetchall()]


def named(beginning: str) -> list[int]:
    return asked("steady_patients_named(%s::text, NULL, NULL)", beginning)


def test_the_owners_functions_give_only_what_is_in_reach(house: House) -> None:
    trail = "steady_accesses_of(%s, 'allowed', NULL, NULL, NULL, NULL, 9)"
    with acting(house.staff["peer"], "patient.search"):
        assert named("m") == [house.mine.patient_id] and named("othercanary") == named("foreigncanary") == []
    with acting(house.staff["intake"], "patient.search"):
        assert named("othercanary") == [house.other.patient_id] and named("foreigncanary") == []
        assert asked(trail, house.mine.patient_id) == []
    with acting(house.staff["supervisor"], "audit.view"):
        assert asked(trail, house.mine.patient_id) and not asked(trail, house.foreign.patient_id)
    with acting(None, ""):
        assert named("m") == []
        assert asked("steady_patient_of(%s)", uuid.uuid4()) == [None]


def test_the_functions_are_the_web_roles_alone(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname, prosecdef, array_to_string(proconfig, ' ') LIKE '%search_path=pg_catalog, pg_temp%',"
            " array_to_string(proacl, ' ') ~ '(^| )=X' FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
            " AND prorettype <> 'trigger'::regtype"
        )
        functions = cursor.fetchall()
    assert {row[0] for row in functions} == {function.partition("(")[0] for function in FUNCTIONS}
    assert all(row[1:] == (True, True, False) for row in functions), functions


def test_the_record_is_read_back_by_whoever_wrote_it_and_by_nobody_else(house: House) -> None:
    with acting(house.staff["nurse"], "chart.view"):
        event = audit.record(house.staff["nurse"], action="chart.view", view="chart", patients=[house.foreign.patient_id])
        assert AccessEvent.objects.filter(pk=event.pk).exists()
    with acting(house.staff["supervisor"], "audit.view"):
        assert not AccessEvent.objects.filter(pk=event.pk).exists()


def test_a_check_of_every_signature_refuses_to_look_through_the_wall(db: None) -> None:
    with pytest.raises(CommandError, match="the owner sees every one"):
        call_command("verify_signatures")
