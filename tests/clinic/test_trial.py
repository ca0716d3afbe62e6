"""What bin/run says when it cannot start, and how it stops. It serves nothing here: .ci/run's browsers see it serve."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clinic import database, trial
from clinic.database import CHECKOUT, DatabaseProblem


def run(*arguments: str, **changes: str) -> tuple[int, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("STEADY_", "DATABASE_"))}
    done = subprocess.run(
        [sys.executable, "-m", "clinic.trial", *arguments],
        cwd=CHECKOUT, env=plain | changes, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind((trial.HOST, 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize(("port", "another"), [(80, 8000), (1023, 8000), (1024, 1025), (8000, 8001), (65535, 8000)])
def test_another_port_is_one_worth_trying(port: int, another: int) -> None:
    assert trial._another(port) == another


def test_what_stands_in_the_way_is_one_sentence(taken: int, tmp_path: Path) -> None:
    free = ["--port", "0"]
    assert run(*free)[0] == 2
    code, said = run("--port", str(taken), STEADY_DATA=str(tmp_path / "new"))
    assert code == 1 and said == f"Port {taken} is taken. Choose another one: bin/run --port {trial._another(taken)}\n"
    code, said = run(STEADY_ENV="production")
    assert code == 1 and said.startswith("bin/run is for trial") and said.count("\n") == 1
    code, said = run("--port", str(_free()), DATABASE_URL="garbage", STEADY_DATA=str(tmp_path / "new"))
    assert code == 1 and said.splitlines()[-1].startswith("DATABASE_URL is no address") and "Traceback" not in said


def _free() -> int:
    with socket.socket() as probe:
        probe.bind((trial.HOST, 0))
        return probe.getsockname()[1]


def test_the_key_is_made_once_where_there_is_no_folder_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADY_DATA", str(tmp_path / "not" / "there"))
    key = trial._secret_key()
    assert len(key) > 50 and trial._secret_key() == key
    assert (tmp_path / "not/there/secret-key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_stops_once_however_often_it_is_asked(number: int) -> None:
    code = """
import os, signal, sys
from clinic import trial
def serve(port, demo):
    try: os.kill(os.getpid(), int(sys.argv.pop())); signal.pause()
    finally:
        for each in trial.STOPPING: os.kill(os.getpid(), each)
        print('tidied', flush=True)
trial._serve = serve
number = sys.argv[-1]
trial._options = lambda: __import__('argparse').Namespace(port=1, demo=True)
trial.main()
"""
    done = subprocess.run([sys.executable, "-c", code, str(int(number))], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "tidied\n\nStopped.\n", "")


def test_a_database_that_died_is_started_again_and_said_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Also when what it left behind keeps the first tries from it: that is said once."""
    tries = iter([DatabaseProblem("not yet"), DatabaseProblem("not yet"), True, False])

    def revive() -> bool:
        found = next(tries)
        if isinstance(found, DatabaseProblem):
            raise found
        return found

    class Server:
        def wait(self, seconds: float) -> int:
            if tries.__length_hint__():
                raise subprocess.TimeoutExpired("gunicorn", seconds)
            return 3

    monkeypatch.setattr(database, "revive", revive)
    assert trial._watch(Server()) == 3  # type: ignore[arg-type]
    assert capsys.readouterr().out == "not yet\nThe database had stopped and was started again. Nothing that was saved is lost.\n"


def test_a_command_on_a_full_disk_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial.subprocess, "run", lambda *args, **kwargs: subprocess.CompletedProcess(args, 1, "could not extend file"))
    with pytest.raises(trial.TrialProblem, match=database.DISK_FULL):
        trial._manage("set_up")
