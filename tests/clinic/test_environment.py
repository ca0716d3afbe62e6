"""bin/environment.py: what is installed is not installed again, and a Ctrl-C says one word."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from clinic.database import CHECKOUT


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("environment", CHECKOUT / "bin/environment.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, path in {"CHECKOUT": tmp_path, "VENV": tmp_path / ".venv", "PYTHON": tmp_path / ".venv/bin/python"}.items():
        monkeypatch.setattr(module, name, path)
    (tmp_path / "requirements.txt").write_text("one==1\n")
    monkeypatch.setattr(sys, "argv", ["environment.py", "x.py"])
    return module


def test_installed_is_this_very_text_and_an_interpreter(environment: ModuleType) -> None:
    environment.PYTHON.parent.mkdir(parents=True)
    (environment.VENV / "installed-requirements.txt").write_text(environment._wanted("requirements.txt"))
    assert not environment._installed("requirements.txt")
    environment.PYTHON.touch()
    assert environment._installed("requirements.txt")
    (environment.CHECKOUT / "requirements.txt").write_text("one==2\n")
    assert not environment._installed("requirements.txt")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [(KeyboardInterrupt(), "Stopped."), (OSError(28, "No space left on device", "/x"), r"could not be made: No space .* \(/x\)")],
)
def test_what_interrupts_it_is_a_sentence(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, error: BaseException, sentence: str
) -> None:
    def fail(file: str) -> None:
        raise error

    monkeypatch.setattr(environment, "_install", fail)
    with pytest.raises(SystemExit, match=sentence):
        environment.main()


def test_pip_does_not_outlive_a_ctrl_c(environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would go on writing into an environment that another start has begun to make."""
    started: list[subprocess.Popen] = []

    class Pip(subprocess.Popen):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__([sys.executable, "-c", "print('Collecting one', flush=True); import time; time.sleep(60)"], **kwargs)
            started.append(self)

    def interrupt(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "_make_venv", lambda: None)
    monkeypatch.setattr(environment.subprocess, "Popen", Pip)
    monkeypatch.setattr(environment, "print", interrupt, raising=False)
    monkeypatch.setattr(environment, "_say", lambda sentence: None)
    with pytest.raises(KeyboardInterrupt):
        environment._install("requirements.txt")
    assert started[0].poll() is not None
