"""Make .venv from the pinned requirements, once for each change of them, then run the arguments with its Python.

Runs on the machine's own Python and needs nothing but its standard library.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv"
PYTHON = VENV / "bin" / "python"
NEEDED_MB = 900


def main() -> None:
    arguments = sys.argv[1:]
    dev = arguments[:1] == ["--dev"]
    files = ["requirements.txt", "requirements-dev.txt"] if dev else ["requirements.txt"]
    try:
        # Whoever may only read this checkout can use what is installed.
        if not all(map(_installed, files)):
            with open(CHECKOUT / ".venv.lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                for file in files:
                    if not _installed(file):
                        _install(file)
        os.chdir(CHECKOUT)
        os.execv(PYTHON, [str(PYTHON), *arguments[dev:]])
    except OSError as error:
        sys.exit(f"The environment could not be made: {error.strerror} ({error.filename}).")
    except KeyboardInterrupt:
        sys.exit("\nStopped.")


def _wanted(file: str) -> str:
    return hashlib.sha256(sys.version.encode() + (CHECKOUT / file).read_bytes()).hexdigest()


def _installed(file: str) -> bool:
    """Whether this very text of a requirements file is installed."""
    stamp = VENV / f"installed-{file}"
    return stamp.exists() and stamp.read_text() == _wanted(file) and PYTHON.exists()


def _install(file: str) -> None:
    _make_venv()
    _say(f"Installing {file} (once; about a minute) ...")
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", "-r", str(CHECKOUT / file)]
    with subprocess.Popen(pip, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout or ():
                if line.startswith("Collecting"):
                    print("  " + line.split()[1], flush=True)
        except KeyboardInterrupt:  # pip must not go on without the lock
            process.terminate()
            process.wait()
            raise
    if process.returncode:
        sys.exit("The packages could not be installed; pip's own words are above. Check the network and the free disk space.")
    (VENV / f"installed-{file}").write_text(_wanted(file))


def _make_venv() -> None:
    """A fresh environment, unless there is a whole one of this Python: a half-made one carries no stamp."""
    if PYTHON.exists() and (VENV / f"made-by-{sys.version_info.major}.{sys.version_info.minor}").exists():
        return
    try:
        import ensurepip  # noqa: F401
        import venv
    except ImportError:
        sys.exit("This Python has no venv module. On Debian and Ubuntu: apt install python3-venv")
    free = shutil.disk_usage(CHECKOUT).free // 2**20
    if free < NEEDED_MB:
        sys.exit(f"The disk is full: Steady needs {NEEDED_MB} MB here and {free} MB are free.")
    _say("Making the environment in .venv ...")
    venv.create(VENV, clear=True, with_pip=True)
    (VENV / f"made-by-{sys.version_info.major}.{sys.version_info.minor}").touch()


def _say(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    main()
