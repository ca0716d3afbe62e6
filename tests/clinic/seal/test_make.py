"""Sealing: what is final and nothing else, once, in a chain; broken off anywhere it goes on."""

import datetime
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from clinic.seal import SealProblem, clock, make, outside
from clinic.seal.verify import Verification
from tests import databases
from tests.clinic.seal.conftest import NAME, Record


def rows_under(documents: list) -> int:
    return sum(part.rows for document in documents for part in document.parts)


def test_everything_is_sealed_once_and_then_there_is_nothing(record: Record) -> None:
    assert record.seal() == [] and not record.copy.exists()
    record.work(1)
    first = record.seal()
    assert [(document.number, rows_under([document])) for document in first] == [(1, 7)]
    assert record.seal() == []
    record.work(2)
    (second,) = record.seal()
    assert second.number == 2 and second.parts[0].start == first[0].parts[0].end
    assert record.problems() == []
    assert len(record.copy.read_text().splitlines()) == 2


def test_many_rows_take_several_seals_and_each_row_stands_under_one(record: Record) -> None:
    for turn in range(1, 6):
        record.work(turn)
    assert [rows_under([document]) for document in record.seal(batch=3)] == [6, 6, 6, 6, 6, 3, 2]
    assert record.problems() == []


def test_rows_whose_transaction_may_have_companions_wait(record: Record) -> None:
    """A transaction that began first and commits last would slip in between what was sealed already."""
    record.work(1)
    with databases.admin(NAME) as late, late.transaction():
        late.execute("SELECT set_config('steady.user_id', '72', true)")
        late.execute("INSERT INTO clinic_accessevent (at, user_id, roles, action, view, patients, outcome, reason)"
                     " VALUES (now(), 72, '{}', 'a', 'late', '{}', 'allowed', '')")  # fmt: skip
        record.work(2)
        sealed = make.seal(record.database, key_file=record.key_file, copy=record.copy)
        assert rows_under(sealed) <= 7, "nothing from after the open transaction, whatever other tests run at this moment"
    record.seal()
    assert record.problems() == []
    counted = record.database.execute("SELECT count(*) FROM clinic_accessevent").fetchone()
    assert counted == (9,) and Verification(record.database, record.copy).counts.unsealed == 0


def test_two_at_once_make_one_chain(record: Record) -> None:
    for turn in range(1, 7):
        record.work(turn)

    def run(_: int) -> int:
        with databases.admin(NAME) as own:
            return rows_under(record._replace(database=own).seal(batch=2))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(run, range(4))) == 42
    assert record.problems() == []


def test_existing_rows_of_an_upgraded_database_come_first(record: Record) -> None:
    record.database.execute("ALTER TABLE clinic_accessevent DISABLE TRIGGER steady_stamp")
    record.database.execute("INSERT INTO clinic_accessevent (at, roles, action, view, patients, outcome, reason)"
                            " SELECT '2026-01-01', '{}', 'old', 'old', '{}', 'allowed', '' FROM generate_series(1, 5)")  # fmt: skip
    record.database.execute("ALTER TABLE clinic_accessevent ENABLE TRIGGER steady_stamp")
    record.work(1)
    (document,) = record.seal()
    assert rows_under([document]) == 12 and record.problems() == []
    record.database.execute("UPDATE clinic_accessevent SET reason = 'x' WHERE id = 2")
    assert record.problems() == ["Access 2: changed since seal 1."]


def test_a_database_that_was_moved_goes_on_with_higher_numbers(record: Record) -> None:
    """As after a restore on another server, whose own counter is lower than what the rows bring along."""
    record.work(1)
    record.seal()
    for table in ("clinic_accessevent", "clinic_change"):
        record.database.execute(f"UPDATE {table} SET transaction = transaction + 5000000")
    record.database.execute("DELETE FROM clinic_seal")
    record.copy.unlink()
    with record.database.cursor() as cursor:
        era = clock.keep_ahead(cursor)  # type: ignore[arg-type]
        assert clock.keep_ahead(cursor) == era > 4_000_000, "once is enough"
    record.work(2)
    later = "SELECT min(transaction) FILTER (WHERE id > 4) > max(transaction) FILTER (WHERE id < 5) FROM clinic_accessevent"
    assert record.database.execute(later).fetchone() == (True,)
    assert rows_under(record.seal()) == 14 and record.problems() == []


def test_a_moved_database_is_not_sealed_before_it_was_put_right(record: Record) -> None:
    record.work(1)
    record.seal()
    record.database.execute("CREATE OR REPLACE FUNCTION steady_era() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT -100000::bigint'")
    record.work(2)
    with pytest.raises(SealProblem, match="numbered from anew"):
        record.seal()
    with record.database.cursor() as cursor:
        assert clock.keep_ahead(cursor) > -100000  # type: ignore[arg-type]


# Broken off


def test_a_seal_that_did_not_reach_the_copy_is_added_by_the_next_run(record: Record) -> None:
    record.work(1)
    record.seal()
    record.work(2)
    record.seal()
    whole = record.copy.read_bytes()
    line = whole.splitlines(keepends=True)[1]
    for piece in (b"", line[:1], line[:200], line[:-1]):
        record.copy.write_bytes(whole[: -len(line)] + piece)
        assert any("Seal 2 is not in the copy" in sentence for sentence in record.problems())
        assert record.seal() == [] and record.copy.read_bytes() == whole
    assert record.problems() == []


SLOWER = [pytest.param(where, marks=pytest.mark.thorough) for where in ("before the copy", "before the commit")]


@pytest.mark.parametrize("where", ["in the copy", *SLOWER])
def test_killed_and_run_again(record: Record, where: str) -> None:
    """The whole process ends by kill -9 in the middle of a run of several seals."""
    for turn in range(1, 4):
        record.work(turn)
    arguments = [where, str(record.key_file), str(record.copy), databases.address(NAME)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert killed.returncode == -signal.SIGKILL
    left = record.database.execute("SELECT count(*) FROM clinic_seal").fetchone()
    assert left == ((1,) if where == "before the commit" else (2,))
    record.seal()
    assert record.problems() == []
    assert Verification(record.database, record.copy).counts.unsealed == 0


KILLED = """
import os, signal, sys
from pathlib import Path
import psycopg
from clinic.seal import make, outside
from clinic.seal.clock import NEXT

where, key_file, copy, address = sys.argv[1:]
append, store, calls = outside.append, make._store, []

def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)

def second(stock, instead):
    def call(*args):
        calls.append(1)
        return stock(*args) if len(calls) < 2 else instead(*args)
    return call

def half(copy, seals):
    with open(copy, "ab") as handle:
        handle.write(next(iter(seals)).line()[:99])
    die()

if where == "before the commit":
    make._store = second(store, die)
else:
    outside.append = second(append, half if where == "in the copy" else die)
with psycopg.connect(address, autocommit=True) as database:
    horizon = database.execute("SELECT " + NEXT).fetchone()[0]
    make.seal(database, key_file=Path(key_file), copy=Path(copy), batch=2, horizon=horizon)
"""


# The copy


def lines_of(record: Record) -> list[str]:
    return record.copy.read_text().splitlines(keepends=True)


@pytest.fixture
def three(record: Record) -> Record:
    for turn in range(1, 4):
        record.work(turn)
        record.seal()
    record.work(4)
    return record


def test_a_copy_that_lost_lines_stops_sealing(three: Record) -> None:
    three.copy.write_text("".join(lines_of(three)[:1]))
    with pytest.raises(SealProblem, match="The database has 3 seals and .* has 1: lines of it were removed"):
        three.seal()
    three.copy.unlink()
    with pytest.raises(SealProblem, match="has 0: lines of it were removed"):
        three.seal()


def test_a_database_that_lost_seals_stops_sealing(three: Record) -> None:
    three.database.execute("DELETE FROM clinic_seal WHERE number = 3")
    with pytest.raises(SealProblem, match="has 3 seals and the database 2: some were removed, or an older backup restored"):
        three.seal()


def test_a_last_line_that_is_another_stops_sealing(three: Record) -> None:
    lines = lines_of(three)
    three.copy.write_text("".join([*lines[:2], lines[0]]))
    with pytest.raises(SealProblem, match="Seal 3 in .* is not seal 3 in the database"):
        three.seal()
    three.copy.write_text("".join(lines[:2]) + "something else")
    with pytest.raises(SealProblem, match="somebody else has written in it"):
        three.seal()


def test_a_broken_seal_in_the_database_stops_sealing(three: Record) -> None:
    three.copy.unlink()
    three.database.execute("UPDATE clinic_seal SET document = 'null' WHERE number = 3")
    with pytest.raises(SealProblem, match="Seal 3 in the database is broken"):
        three.seal(renew_copy=True)


def test_a_new_copy_is_begun_on_purpose_only(three: Record) -> None:
    before = lines_of(three)
    three.copy.rename(three.copy.with_suffix(".old"))
    assert len(three.seal(renew_copy=True)) == 1
    assert lines_of(three)[:3] == before and three.problems() == []


def test_a_key_that_was_replaced_stops_sealing(three: Record) -> None:
    from clinic.seal import keys

    os.remove(three.key_file)
    keys.make(three.key_file, three.key_file.with_suffix(".pub"))
    with pytest.raises(SealProblem, match="one of them was replaced"):
        three.seal()


def test_sealing_streams_what_was_written(record: Record) -> None:
    """Texts with everything that JSON and COPY write in another way come back as the same bytes."""
    hostile = "\\ \\\\ \\n \n \t \r \b \f \v \x01 \x7f \" ' é 中 \U0001f600 \u2028 \\."
    record.database.execute("SELECT set_config('steady.user_id', '71', false)")
    record.database.execute(
        "INSERT INTO clinic_accessevent (at, user_id, roles, action, view, patients, outcome, reason)"
        " VALUES (now(), 71, '{}', 'a', 'v', '{}', 'allowed', %s)", [hostile],
    )  # fmt: skip
    (document,) = record.seal()
    text = record.database.execute(
        "SELECT json_build_array(id, reason)::text FROM clinic_accessevent WHERE reason = %s", [hostile]
    ).fetchone()
    from clinic.seal import merkle, rows

    part = document.parts[0]
    narrow = part.__class__(part.table, ("id", "reason"), part.start, part.end, 1, 1)
    now = datetime.datetime.now(datetime.UTC)
    with record.database.transaction():
        (row,) = rows.read(record.database, narrow, rows.Times(0, now, now))
    assert row.hash == merkle.leaf(b"clinic_accessevent\n" + text[0].encode())  # type: ignore[index]
    assert record.problems() == []


def test_the_lock_of_a_run_is_let_go(record: Record) -> None:
    with outside.locked(record.copy):
        pass
    with databases.admin(NAME) as other, record.database.transaction():
        record.database.execute(make.LOCK)
        other.execute("SET statement_timeout = '50ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            other.execute(make.LOCK)
    record.work(1)
    assert len(record.seal()) == 1


def test_every_file_is_where_it_was_said(record: Record, tmp_path: Path) -> None:
    record.work(1)
    record.seal()
    there = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert there == ["audit-key.pem", "seals/seals.jsonl", "seals/seals.jsonl.lock", "seals/seals.jsonl.pub"]
