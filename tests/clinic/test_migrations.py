"""Migrations that people can work through: none of ours keeps a table to itself for long, and none breaks the version that still serves."""

import io
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from clinic.database import CHECKOUT, OWNER, WEB
from clinic.management.commands import migrate
from clinic.walls import OUR_APPS
from tests import databases
from tests.clinic.test_backup import as_owner, empty_database

# What a statement does to people who work meanwhile, on a table that was there before.
OFFENCES = {
    r"CREATE (UNIQUE )?INDEX (?!CONCURRENTLY)": "builds an index and keeps writers out: AddIndexWhileServing, with atomic = False",
    r"ADD CONSTRAINT .* (UNIQUE|EXCLUDE|PRIMARY KEY)\b": "builds an index and keeps everybody out: a unique index built while serving",
    r"ADD CONSTRAINT .* (CHECK|FOREIGN KEY)(?!.*NOT VALID)": "reads all rows and keeps everybody out: AddConstraintNotValid, "
    "then ValidateConstraint",
    r"ALTER COLUMN .* SET NOT NULL": "reads all rows and keeps everybody out: a NOT VALID check first",
    r"ALTER COLUMN .* TYPE ": "may write all rows anew: a new column, filled in pieces",
    r"ADD COLUMN .* (GENERATED|gen_random_uuid|clock_timestamp|nextval)": "writes all rows anew: a nullable column, filled in pieces",
    r"ALTER COLUMN .* DROP DEFAULT": "a column that the serving version does not fill: db_default, or null=True",
    r"DROP COLUMN|RENAME": "takes away what the serving version still reads: a release later",
}
# Released before there was this rule. Nothing is added here.
RELEASED = {
    "intake.0003_emergency_evaluation": {"builds an index", "reads all rows", "a column that the serving version does not fill"},
    "plans.0003_kept_up_to_date": {"a column that the serving version does not fill"},
    "plans.0004_holds_are_told": {"takes away what the serving version still reads"},
}
TABLE = re.compile(r'(?:ALTER TABLE|INDEX [^(]*? ON)(?: ONLY)? "([^"]+)"')
CREATED = re.compile(r'CREATE TABLE "([^"]+)"')


def ours() -> Iterator[tuple[Migration, ProjectState]]:
    """Every migration of ours but the first of each app, in which every table is new; and the state of the models before it."""
    loader, state = MigrationLoader(None), ProjectState()
    for key in loader.graph._generate_plan(loader.graph.leaf_nodes(), at_end=True):
        migration = loader.get_migration(*key)
        if migration.app_label in OUR_APPS and not migration.initial:
            yield migration, state.clone()
        state = migration.mutate_state(state, preserve=False)


def statements(migration: Migration, state: ProjectState) -> list[str]:
    with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
        migration.apply(state, editor, collect_sql=True)
    return [sql for sql in editor.collected_sql if not sql.startswith("--")]


def offences(sqls: list[str]) -> set[str]:
    new = {found[1] for sql in sqls if (found := CREATED.match(sql))}
    return {
        sentence
        for sql in sqls
        if (table := TABLE.search(sql)) and table[1] not in new
        for pattern, sentence in OFFENCES.items()
        if re.search(pattern, sql)
    }


@pytest.mark.thorough
def test_people_can_work_through_every_migration(real_transactions: None) -> None:
    for migration, state in ours():
        name = f"{migration.app_label}.{migration.name}"
        found = {sentence.split(":")[0].split(" and keeps")[0] for sentence in offences(statements(migration, state))}
        stock = {type(operation).__name__ for operation in migration.operations} & {"AddIndexConcurrently", "RemoveIndexConcurrently"}
        assert not stock, f"{name}: {stock} cannot be restored nor tried again; use clinic/postgres/operations.py"
        if name in RELEASED:
            assert found == RELEASED[name], name
        else:
            assert not found, f"{name}: {sorted(offences(statements(migration, state)))}"


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ('CREATE INDEX "x" ON "clinic_patient" ("phone");', "AddIndexWhileServing"),
        ('CREATE UNIQUE INDEX "x" ON "clinic_patient" ("phone");', "AddIndexWhileServing"),
        ('CREATE INDEX CONCURRENTLY "x" ON "clinic_patient" ("phone");', ""),
        ('ALTER TABLE "clinic_patient" ADD CONSTRAINT "x" UNIQUE ("phone");', "unique index"),
        ('ALTER TABLE "clinic_patient" ADD CONSTRAINT "x" CHECK ("version" > 0);', "ValidateConstraint"),
        ('ALTER TABLE "clinic_patient" ADD CONSTRAINT "x" CHECK ("version" > 0) NOT VALID;', ""),
        ('ALTER TABLE "clinic_patient" ADD CONSTRAINT "x" FOREIGN KEY ("a") REFERENCES "b" ("id");', "ValidateConstraint"),
        ('ALTER TABLE "clinic_patient" ALTER COLUMN "phone" TYPE text USING "phone"::text;', "filled in pieces"),
        ('ALTER TABLE "clinic_patient" ALTER COLUMN "phone" SET NOT NULL;', "NOT VALID check"),
        ('ALTER TABLE "clinic_patient" ADD COLUMN "x" uuid DEFAULT gen_random_uuid() NOT NULL;', "filled in pieces"),
        ('ALTER TABLE "clinic_patient" ALTER COLUMN "phone" DROP DEFAULT;', "db_default"),
        ('ALTER TABLE "clinic_patient" DROP COLUMN "phone" CASCADE;', "a release later"),
        ('ALTER TABLE "clinic_patient" RENAME COLUMN "phone" TO "x";', "a release later"),
        ('ALTER TABLE "clinic_patient" ADD COLUMN "x" text NULL;', ""),
        ("ALTER TABLE \"clinic_patient\" ADD COLUMN \"x\" text DEFAULT '' NOT NULL;", ""),
    ],
)
def test_what_would_hold_people_up_is_named(sql: str, word: str) -> None:
    found = offences([sql])
    assert (len(found) == 1 and word in found.pop()) if word else not found
    assert not offences(['CREATE TABLE "clinic_patient" ("id" bigint);', sql]), "nobody waits for a new table"


# Waiting for a table


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "30ms")
    monkeypatch.setattr(migrate, "ATTEMPTS", 2)


def test_a_migration_lets_others_pass_and_tries_again(real_transactions: None, hurried: None, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    with databases.admin(databases.NAME) as other, as_owner(databases.NAME):
        other.execute("BEGIN; LOCK TABLE clinic_patient IN ROW EXCLUSIVE MODE")
        monkeypatch.setattr(time, "sleep", lambda seconds: other.execute("COMMIT"))
        call_command("migrate", verbosity=0, stderr=said)
    assert said.getvalue().startswith("Somebody is using the walls that are to be changed; trying again")


def test_a_table_that_stays_in_use_ends_it_with_a_sentence(real_transactions: None, hurried: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with databases.admin(databases.NAME) as other, as_owner(databases.NAME):
        other.execute("BEGIN; LOCK TABLE clinic_patient IN ROW EXCLUSIVE MODE")
        with pytest.raises(CommandError, match="were in use for .* What was finished stays; run this again"):
            call_command("migrate", verbosity=0, stderr=io.StringIO())


# With people at work

FIRST_RELEASE = {"clinic": "0001_initial", "intake": "0002_rule_names", "plans": "0002_component_setting"}
PATIENTS = 20_000
# A row whose columns have some value each, whatever columns the first release had; those of `more` are given.
ROW = """
INSERT INTO {table} SELECT r.* FROM (
  SELECT jsonb_object_agg(column_name, CASE data_type WHEN 'boolean' THEN 'false' WHEN 'uuid' THEN to_jsonb(gen_random_uuid())
    WHEN 'date' THEN '"1990-02-03"' WHEN 'timestamp with time zone' THEN '"2026-01-01"' WHEN 'character varying' THEN '""'
    WHEN 'text' THEN '""' WHEN 'ARRAY' THEN '[]' WHEN 'jsonb' THEN '{{}}' ELSE '1' END) AS filled
  FROM information_schema.columns WHERE table_name = '{table}'
) d, LATERAL jsonb_populate_record(NULL::{table}, filled || '{more}') r
"""
ROWS = [
    ROW.format(table="clinic_program", more="{}"),
    ROW.format(table="clinic_user", more='{"username": "clerk"}'),
    ROW.format(table="clinic_patient", more='{"sex_at_birth": "F", "record_number": "1"}'),
    f"""
    INSERT INTO clinic_patient SELECT r.* FROM clinic_patient p, generate_series(2, {PATIENTS}) n, LATERAL jsonb_populate_record(p,
      jsonb_build_object('id', n, 'record_number', n, 'public_id', gen_random_uuid(), 'registration_key', gen_random_uuid(),
      'legal_last_name', 'Name' || md5(n::text), 'legal_first_name', 'First' || n % 1000)) r
    """,
]


class Clerk(threading.Thread):
    """Somebody who reads a patient, changes a number and leaves a record of it, again and again; keeps what failed and how long it took."""

    def __init__(self, name: str, first: int) -> None:
        super().__init__()
        self.address, self.patient, self.over = databases.address(name, WEB), first, threading.Event()
        self.failed: list[str] = []
        self.seconds: list[float] = []

    def run(self) -> None:
        with psycopg.connect(self.address, autocommit=True) as connection:
            while not self.over.is_set():
                began = time.monotonic()
                try:
                    with connection.transaction():
                        self.work(connection)
                except psycopg.Error as error:
                    self.failed.append(repr(error))
                self.seconds.append(time.monotonic() - began)
                time.sleep(0.005)

    def work(self, connection: psycopg.Connection) -> None:
        self.patient = self.patient % PATIENTS + 1
        connection.execute("SELECT set_config('steady.user_id', '1', true)")
        connection.execute("SELECT * FROM clinic_patient WHERE id = %s", [self.patient])
        connection.execute("UPDATE clinic_patient SET phone = %s WHERE id = %s", [str(time.time())[:12], self.patient])
        connection.execute(
            "INSERT INTO clinic_accessevent (at, user_id, roles, action, view, patients, outcome, reason)"
            " VALUES (now(), 1, '{}', 'chart.view', 'chart', ARRAY[%s]::bigint[], 'allowed', '')", [self.patient],
        )  # fmt: skip


@pytest.mark.thorough
def test_people_work_while_every_migration_goes_forward(real_transactions: None) -> None:
    """From the first release to this one, with twenty thousand patients: nothing fails, nobody waits for two seconds."""
    with empty_database() as name:
        with as_owner(name):
            executor = MigrationExecutor(connection)
            leaves = {app: migration for app, migration in executor.loader.graph.leaf_nodes()}
            executor.migrate(sorted((leaves | FIRST_RELEASE).items()))
        with databases.admin(name) as admin:
            for rows in ROWS:
                admin.execute(rows)
            admin.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {WEB}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {WEB}")
            admin.execute("ANALYZE")
        clerks = [Clerk(name, first) for first in (1, 7_000, 14_000)]
        for clerk in clerks:
            clerk.start()
        addresses = {"DATABASE_URL": databases.address(name, WEB), "DATABASE_OWNER_URL": databases.address(name, OWNER)}
        command = [sys.executable, str(CHECKOUT / "manage.py"), "migrate", "--verbosity", "0"]
        done = subprocess.run(command, env=os.environ | addresses, capture_output=True, text=True, check=False)
        for clerk in clerks:
            clerk.over.set()
            clerk.join()
        with databases.admin(name) as admin:
            invalid = admin.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone()
            changes = admin.execute("SELECT count(*) FROM clinic_change").fetchone()
    assert done.returncode == 0, done.stderr
    assert [failure for clerk in clerks for failure in clerk.failed] == []
    assert max(max(clerk.seconds) for clerk in clerks) < 2 and min(len(clerk.seconds) for clerk in clerks) > 20
    assert invalid == (0,) and changes[0] > 0, "the walls stood while people worked"
