"""Steady on this machine for trial: what `bin/run` starts, and stops again.

The owner migrates, content and demo data are loaded, gunicorn serves as the web role. Needs no Django itself.
"""

import argparse
import contextlib
import ctypes
import errno
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from clinic import database, safe_files

HOST = "127.0.0.1"
START_SECONDS = 30
STOP_SECONDS = 10
WATCH_SECONDS = 1
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# The control socket lies in the home folder, where two trials would take it from each other.
SERVER = [
    "--worker-class", "gthread", "--workers", "2", "--threads", "4", "--timeout", "60", "--log-level", "warning", "--no-control-socket",
    "--preload",  # Django comes up once, and not in each worker
]  # fmt: skip


class TrialProblem(RuntimeError):
    """Steady cannot start; the message is a sentence for the person at the terminal."""


def main() -> None:
    options = _options()
    for number in STOPPING:
        signal.signal(number, _stop)
    try:
        _serve(options.port, demo=options.demo)
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # the terminal may be gone
            _say("\nStopped.")
    except (TrialProblem, database.DatabaseProblem) as problem:
        sys.exit(str(problem))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            sys.exit(database.DISK_FULL)
        raise


def _stop(number: int, frame: object) -> None:
    """Ctrl-C, a kill or a closed terminal, once: what is stopping already is not to be stopped half-way."""
    for each in STOPPING:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/run", description="Start Steady on this machine.")
    parser.add_argument("--port", type=int, default=8000, help="the port to serve on (default 8000)")
    parser.add_argument("--no-demo", dest="demo", action="store_false", help="an empty clinic of your own, without demo people")
    options = parser.parse_args()
    if not 1 <= options.port <= 65535:
        parser.error(f"--port {options.port}: choose a port between 1 and 65535.")
    return options


def _serve(port: int, *, demo: bool) -> None:
    if os.environ.get("STEADY_ENV") == "production":
        raise TrialProblem("bin/run is for trial, and STEADY_ENV is production. docs/deployment.md says how to serve.")
    _check_port(port)
    _say("Starting the database ...")
    database.ensure("demo" if demo else "own")
    database.check_addresses()
    database.check_durable()
    os.environ["STEADY_SECRET_KEY"] = os.environ.get("STEADY_SECRET_KEY") or _secret_key()
    os.environ["STEADY_DEMO"] = str(int(demo))
    # Two trials of one checkout may begin together.
    with database.locked(database.home() / "set-up.lock"):
        _say("Bringing tables, questionnaires and static files up to date ...")
        _say(_manage("set_up"))
    command = [sys.executable, "-m", "gunicorn", "clinic.wsgi", "--bind", f"{HOST}:{port}", *SERVER]
    server = subprocess.Popen(command, preexec_fn=_end_with_parent)
    try:
        _wait_until_ready(server, port)
        _say(f"\nSteady is ready: http://{HOST}:{port}/   (Ctrl-C stops it)")
        raise TrialProblem(f"The web server ended by itself (code {_watch(server)}).")
    finally:
        server.terminate()
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise TrialProblem(f"Port {port} {reason}. Choose another one: bin/run --port {_another(port)}") from None


def _another(port: int) -> int:
    """A port worth trying: those below 1024 are root's, and none lies above 65535."""
    return port + 1 if 1024 <= port < 65535 else 8000


def _secret_key() -> str:
    """The trial's own key, kept beside its data: log-ins and authenticator secrets outlive a restart."""
    file = database.home() / "secret-key"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            safe_files.write(file, secrets.token_urlsafe(64).encode())
            safe_files.leave_to_owner(file)
    return file.read_text()


def _manage(command: str) -> str:
    """What one management command says, in a process of its own."""
    arguments = [sys.executable, str(database.CHECKOUT / "manage.py"), command]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise TrialProblem(database.DISK_FULL if database.is_disk_full(done.stdout) else f"`manage.py {command}` failed:\n{done.stdout}")
    return done.stdout.rstrip()


def _wait_until_ready(server: subprocess.Popen, port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=2):
            return
        time.sleep(0.1)
    raise TrialProblem("The web server did not become ready; its own words are above.")


def _watch(server: subprocess.Popen) -> int:
    """Wait for the web server's end and give its code. A database of ours that dies meanwhile is started again."""
    failed = ""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return server.wait(WATCH_SECONDS)
        try:
            if database.revive():
                _say("The database had stopped and was started again. Nothing that was saved is lost.")
        except database.DatabaseProblem as problem:  # processes it left behind may need a moment to go
            if str(problem) != failed:
                failed = str(problem)
                _say(failed)


def _end_with_parent() -> None:
    """On Linux a kill -9 of this process ends the web server too, so that the port is free for the next start."""
    if Path("/proc/self").exists():
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _say(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    main()
