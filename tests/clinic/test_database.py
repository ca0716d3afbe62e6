"""The embedded database: one starter at a time, other people's files left alone, a sentence for whoever sits at the terminal."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clinic import database
from clinic.database import DURABLE, Cluster, DatabaseProblem


def cluster(folder: Path) -> Cluster:
    return Cluster(folder / "postgres-test", tuple(DURABLE.items()))


def test_a_socket_path_fits_however_deep_the_checkout_lies(tmp_path: Path) -> None:
    deep = cluster(tmp_path / ("a long folder name " * 20))
    assert len(str(deep.socket_folder / ".s.PGSQL.5432")) < 107
    assert deep.socket_folder != cluster(tmp_path).socket_folder


def test_the_server_of_another_user_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = cluster(tmp_path)
    theirs.data.mkdir()
    monkeypatch.setattr(database, "_server_ids", lambda: (theirs.data.stat().st_uid + 1, 0))
    with pytest.raises(DatabaseProblem, match=r"belongs to .* Start Steady as the user who made it, or set STEADY_DATA"):
        database.start(theirs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["postgres-test", "postgres-test.lock"]


def test_variables_about_another_server_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_check_owner", lambda server: pytest.fail("far enough") if "PGPORT" in os.environ else _stop())
    monkeypatch.setenv("PGPORT", "1234")
    monkeypatch.setenv("PGSERVICE", "elsewhere")
    with pytest.raises(StopIteration):
        database.start(cluster(tmp_path))
    assert not [name for name in os.environ if name.startswith("PG")]


def _stop() -> None:
    raise StopIteration


@pytest.mark.parametrize("said", ["initdb: could not write: No space left on device", "could not extend file base/1: ..."])
def test_a_full_disk_is_told_as_one(said: str) -> None:
    with pytest.raises(OSError, match="No space left") as full:
        database._refuse_full_disk(said)
    assert full.value.errno == errno.ENOSPC
    database._refuse_full_disk("something else went wrong")


def test_what_is_no_server_is_not_taken_for_one(tmp_path: Path) -> None:
    """After a kill -9 the pid in the file may be anybody's."""
    dead = cluster(tmp_path)
    dead.data.mkdir()
    (dead.data / "postmaster.pid").write_text(f"{os.getpid()}\n{dead.data}\n")
    assert not database.running(dead)
    (dead.data / "postmaster.pid").write_text("not a number\n")
    assert not database.running(dead)


def test_setting_up_takes_turns(tmp_path: Path) -> None:
    """Two that begin together: the second waits until the first is done."""
    log = tmp_path / "log"
    script = (
        f"import pathlib, time\nfrom clinic import database\nlog = pathlib.Path({str(log)!r})\n"
        "with database.setting_up():\n    log.open('a').write('in ')\n    time.sleep(0.3)\n    log.open('a').write('out ')\n"
    )
    environment = os.environ | {"STEADY_DATA": str(tmp_path)}
    both = [subprocess.Popen([sys.executable, "-c", script], env=environment, cwd=database.CHECKOUT) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert log.read_text() == "in out in out "
