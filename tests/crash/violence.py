"""kill -9, at random moments: of a worker of the web server, of one process of the database, of the database as a whole."""

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter

from clinic.database import DatabaseProblem
from tests.crash.house import House
from tests.crash.journey import Journal


class Killer(threading.Thread):
    """Kills one kind of thing after every so many acknowledged operations, until `enough`: on a slow machine no more often."""

    def __init__(self, house: House, journal: Journal, enough: threading.Event, every: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.house, self.journal, self.enough, self.every = house, journal, enough, every
        self.dice = random.Random(seed)  # noqa: S311
        self.kills: Counter[str] = Counter()
        self.slowest_start = 0.0

    def run(self) -> None:
        while not self.enough.is_set():
            until = len(self.journal.lines) + self.dice.uniform(0.5, 1.5) * self.every
            while len(self.journal.lines) < until and not self.enough.wait(0.02):
                pass
            self.enough.wait(self.dice.uniform(0, 0.5))  # not only where an operation has just ended
            if not self.enough.is_set():
                self.kill()

    def kill(self) -> None:
        raise NotImplementedError

    def shoot(self, name: str, pids: list[int]) -> None:
        if pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.dice.choice(pids), signal.SIGKILL)
                self.kills[name] += 1


class WebKiller(Killer):
    def kill(self) -> None:
        self.shoot("web worker", self.house.workers())


class DatabaseKiller(Killer):
    """In turn one backend, after which the server ends all the others and recovers by itself, and the server as a whole."""

    def kill(self) -> None:
        if self.dice.random() < 0.4:
            with contextlib.suppress(OSError):
                self.shoot("one backend", self.house.backends())
            return
        self.house.kill_server()
        self.kills["whole server"] += 1
        began = time.monotonic()
        revive(self.house)
        self.slowest_start = max(self.slowest_start, time.monotonic() - began)


def revive(house: House, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            house.revive()
            house.query("SELECT 1")
            return
        except Exception as error:
            if time.monotonic() > until or (not isinstance(error, DatabaseProblem | OSError) and "psycopg" not in type(error).__module__):
                raise
            time.sleep(0.2)
