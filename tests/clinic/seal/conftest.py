"""A small record of its own, sealed three times and gone on with: what the tests of this folder tamper with."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from clinic.seal import keys, make, outside, standing
from clinic.seal.clock import ERA, NEXT
from clinic.seal.verify import Verification
from tests import databases

NAME = f"{databases.NAME}_sealed"
# Rows need no whole clinic around them here, and the record begins empty.
EMPTY = f"""
TRUNCATE clinic_change, clinic_accessevent, clinic_seal, clinic_disclosure, plans_signedplan, plans_signature,
    clinic_program, intake_rulesetting RESTART IDENTITY CASCADE;
{ERA.format(0)}
"""
LONELY = """
DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT conrelid::regclass AS place, conname FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
    LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.place, one.conname); END LOOP;
END $$
"""
PATIENT, OTHER_PATIENT, NURSE, DOCTOR = 501, 502, 71, 72
ACCESSES = """
INSERT INTO clinic_accessevent (at, user_id, roles, action, view, patients, outcome, reason)
SELECT now(), {who}, '{{nurse}}', 'chart.view', 'chart', ARRAY[{patient}], CASE WHEN n = 2 THEN 'denied' ELSE 'allowed' END, 'it''s "so\\'
FROM generate_series(1, 4) AS n
"""
DISCLOSURE = """
INSERT INTO clinic_disclosure (program_id, patient_id, at, by_id, what, sha256, recipient, basis)
VALUES (1, {patient}, now(), {who}, 'Treatment plan, version 1', repeat('a', 64), 'The patient', 'patient copy')
"""
SIGNED = """
INSERT INTO plans_signedplan (program_id, patient_id, public_id, plan_id, episode_id, number, document, sha256, signed_at, key)
VALUES (1, {patient}, gen_random_uuid(), {n}, {n}, 1, '{{"goals":["none by spring"]}}', repeat('b', 64), now(), gen_random_uuid())
"""
SIGNATURE = """
INSERT INTO plans_signature (program_id, patient_id, signed_plan_id, user_id, name, credential, discipline, meaning, at, sha256)
VALUES (1, {patient}, {n}, {who}, 'Sam', 'MD', 'physician', 'author', now(), repeat('c', 64))
"""


class Record(NamedTuple):
    """The superuser's connection, and the files: the key, the copy of the seals."""

    database: psycopg.Connection
    key_file: Path
    copy: Path

    def work(self, n: int) -> None:
        """A little of everything that is recorded, as `n`-th turn: 4 accesses, 3 changes; each statement commits by itself."""
        who, patient = (NURSE, PATIENT) if n % 2 else (DOCTOR, OTHER_PATIENT)
        self.database.execute(f"SELECT set_config('steady.user_id', '{who}', false), set_config('steady.action', 'chart.view', false)")
        for statement in (ACCESSES, DISCLOSURE, SIGNED, SIGNATURE):
            self.database.execute(statement.format(who=who, patient=patient, n=n))

    def seal(self, **options: object) -> list:
        """Other tests' transactions run on this server too, and none of them writes here: what is committed is final."""
        horizon = self.database.execute(f"SELECT {NEXT}").fetchone()[0]  # type: ignore[index]
        return make.seal(self.database, key_file=self.key_file, copy=self.copy, horizon=horizon, **options)  # type: ignore[arg-type]

    def problems(self) -> list[str]:
        return [*Verification(self.database, self.copy).problems(), *standing.problems(self.database)]


@pytest.fixture(scope="module")
def beside(django_db_setup: None) -> Iterator[psycopg.Connection]:
    """A database beside the worker's, and its superuser's connection."""
    with databases.another(NAME) as database:
        database.execute(LONELY)
        yield database


@pytest.fixture
def record(beside: psycopg.Connection, tmp_path: Path) -> Record:
    """An empty record with a key, in a database of its own."""
    beside.execute(EMPTY)
    files = tmp_path / "audit-key.pem", tmp_path / "seals" / "seals.jsonl"
    keys.make(files[0], outside.public_file(files[1]))
    return Record(beside, *files)


@pytest.fixture(scope="module")
def sealed(beside: psycopg.Connection, tmp_path_factory: pytest.TempPathFactory) -> Record:
    """Three seals (the second and third made in one run, of at most six rows of each table), and a turn that is not sealed yet.

    Whoever tampers with it does so in a transaction that is rolled back, and with files of their own.
    """
    folder = tmp_path_factory.mktemp("sealed")
    beside.execute(EMPTY)
    record = Record(beside, folder / "audit-key.pem", folder / "seals" / "seals.jsonl")
    keys.make(record.key_file, outside.public_file(record.copy))
    for turn in (1, 2):
        record.work(turn)
    record.seal()
    for turn in (3, 4):
        record.work(turn)
    record.seal(batch=6)
    record.work(5)
    assert beside.execute("SELECT count(*) FROM clinic_seal").fetchone() == (3,)
    return record
