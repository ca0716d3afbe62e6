"""Whatever is done to the sealed record is found, and named. The table of what is done: tampering.yaml."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from clinic.seal import SealProblem, keys, outside, standing, verify
from clinic.seal.verify import Verification
from tests.clinic.seal.conftest import Record

TABLE = yaml.safe_load((Path(__file__).parent / "tampering.yaml").read_text())
CASES = {f"{place}: {case['says']}": case for place, cases in TABLE.items() for case in cases}
SNEAK = "SET LOCAL session_replication_role = replica; "


@contextmanager
def tampered(record: Record, case: dict) -> Iterator[Record]:
    """As the superuser, until the end of the block."""
    with record.database.transaction(force_rollback=True):
        record.database.execute(SNEAK * case.get("sneak", False) + case["sql"])
        yield record


def test_a_record_that_nobody_touched_has_no_problem(sealed: Record) -> None:
    walk = Verification(sealed.database, sealed.copy)
    assert list(walk.problems()) == []
    assert (walk.counts.seals, walk.counts.rows, walk.counts.unsealed) == (3, 28, 7)
    assert walk.counts.oldest is not None
    assert sealed.problems() == []


def test_there_are_as_many_ways_as_were_promised() -> None:
    assert len(CASES) >= 50 and len({case["sql"] for case in CASES.values()}) == sum(map(len, TABLE.values()))


@pytest.mark.parametrize("name", CASES)
def test_tampering_is_found_and_named(sealed: Record, name: str) -> None:
    with tampered(sealed, CASES[name]) as record:
        found = record.problems()
    assert found, "nothing was found"
    assert any(re.match(CASES[name]["named"], sentence) for sentence in found), found


CHECKS: dict[str, tuple[object, str]] = {
    "rows under a seal": (Verification, "_rows"),
    "rows after the last seal": (Verification, "_not_sealed"),
    "strange numbers of seals": (Verification, "_numbers"),
    "the columns of a seal": (verify, "_columns"),
    "the triggers": (standing, "_triggers"),
    "the functions of the triggers": (standing, "_functions"),
    "the web role's privileges": (standing, "_privileges"),
    "plain tables": (standing, "_tables"),
    "the counters": (standing, "_counters"),
    "what is written once": (standing, "_held_to_its_change"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("check", CHECKS)
def test_without_a_check_something_goes_by_unseen(sealed: Record, check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*CHECKS[check], lambda *args: iter(()))
    assert any(not problems_of(sealed, case) for case in CASES.values())


def problems_of(record: Record, case: dict) -> list[str]:
    with tampered(record, case):
        return record.problems()


def test_without_the_rows_most_goes_by_unseen(sealed: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Verification, "_rows", lambda *args: iter(()))
    assert problems_of(sealed, CASES["access: one is removed"]) == []


# The files outside


def swap(line: str, name: str, value: int, other: int) -> str:
    return line.replace(rf'\"{name}\":{value}', rf'\"{name}\":{other}')


Lines = list[str]
COPIES: dict[str, tuple[Callable[[Lines], Lines], str]] = {
    "the last seal is cut off": (lambda lines: lines[:-1], "Seal 3 is not in the copy"),
    "the first is cut off": (lambda lines: lines[1:], "Seal 1 in the copy: seal 2 stands in its place"),
    "it is emptied": (lambda lines: [], "Seal 1 is not in the copy"),
    "two change places": (lambda lines: [lines[1], lines[0], lines[2]], "Seal 1 in the copy: seal 2 stands in its place"),
    "one stands twice": (lambda lines: [*lines, lines[-1]], "Seal 4 in the copy: seal 3 stands in its place"),
    "a count is altered": (lambda lines: [swap(lines[0], "rows", 8, 9), *lines[1:]], "Seal 1 in the copy: it was not signed"),
    "a line is none": (lambda lines: [lines[0], "{}\n", lines[2]], "Seal 2 is not in the copy"),
    "the last line is broken off": (lambda lines: [*lines[:2], lines[2][:70]], "Seal 3 is not in the copy"),
    "it has one more": (lambda lines: [*lines, swap(lines[0], "number", 1, 4)], "Seal 4 in the copy: it was not signed"),
}


def files_of(record: Record, folder: Path) -> Record:
    """The same database with files of one's own."""
    shutil.copytree(record.copy.parent, folder / "seals")
    return record._replace(copy=folder / "seals" / record.copy.name)


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_that_was_altered_is_found(sealed: Record, tmp_path: Path, name: str) -> None:
    record = files_of(sealed, tmp_path)
    alter, named = COPIES[name]
    record.copy.write_text("".join(alter(record.copy.read_text().splitlines(keepends=True))))
    found = record.problems()
    assert any(sentence.startswith(named) for sentence in found), found


def resign(record: Record, folder: Path) -> Record:
    """Every seal again, with a key of the attacker's own, in the database and in the copy; the public key stays."""
    key_file = folder / "theirs.pem"
    keys.make(key_file, folder / "theirs.pub")
    key = keys._load(key_file)
    lines = []
    for line in outside.read(record.copy):
        assert line is not None
        forged = outside.Sealed(line.document, key.sign(line.document).hex())
        lines.append(forged.line())
        number = json.loads(line.document)["number"]
        record.database.execute("UPDATE clinic_seal SET signature = %s WHERE number = %s", [forged.signature, number])
    record.copy.write_bytes(b"".join(lines))
    return record


def test_a_chain_signed_with_another_key_is_found(sealed: Record, tmp_path: Path) -> None:
    with sealed.database.transaction(force_rollback=True):
        found = resign(files_of(sealed, tmp_path), tmp_path).problems()
    assert found[0].startswith("Seal 1 in the copy: it was not signed with the key")


def test_a_public_key_that_was_replaced_is_found(sealed: Record, tmp_path: Path) -> None:
    record = files_of(sealed, tmp_path)
    outside.public_file(record.copy).unlink()
    keys.make(tmp_path / "theirs.pem", outside.public_file(record.copy))
    assert "Seal 1 in the copy: it was not signed" in record.problems()[0]
    outside.public_file(record.copy).unlink()
    with pytest.raises(SealProblem, match="nobody can tell who signed"):
        record.problems()


def test_times_are_held_to_the_seals_around_them(sealed: Record) -> None:
    """What was dated back before it was sealed is found by the time of the seal before it."""
    with sealed.database.transaction(force_rollback=True):
        sealed.database.execute("UPDATE clinic_accessevent SET at = at - interval '2 days' WHERE id = 18")
        record = sealed._replace(copy=sealed.copy)
        assert record.problems() == ["Access 18: its time is not the time it was written at; it is not sealed yet."]
