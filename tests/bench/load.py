"""Clients: each a thread with an open connection and a session that is logged in, asking as fast as it is answered, or by a clock."""

import http.client
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.bench.clinic import HOST, Server

TOKEN = "b" * 32
IDLE_SECONDS = 1.5  # gunicorn closes a connection after two


class Client:
    """A browser of one member of staff, without the browser."""

    def __init__(self, server: Server, session: str) -> None:
        self.connection = http.client.HTTPConnection(HOST, server.port, timeout=60)
        self.used = 0.0
        self.headers = {"Cookie": f"steady_session={session}; csrftoken={TOKEN}", "X-CSRFToken": TOKEN}

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        return self._ask("GET", path, None, headers)

    def post(self, path: str, data: Mapping[str, Any], **headers: str) -> tuple[int, bytes]:
        return self._ask("POST", path, urlencode(data, doseq=True), {"Content-Type": "application/x-www-form-urlencoded"} | headers)

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        if time.monotonic() - self.used > IDLE_SECONDS:
            self.connection.close()
        self.connection.request(method, path, body, self.headers | headers)
        response = self.connection.getresponse()
        content = response.read()
        self.used = time.monotonic()
        return response.status, content


Job = Callable[[Client], None]  # raises Failed for an answer that is not the one expected


class Failed(Exception):
    """An answer was not the one expected."""


def expect(answer: tuple[int, bytes], status: int, text: bytes = b"") -> bytes:
    if answer[0] != status or text not in answer[1]:
        raise Failed(f"{answer[0]} instead of {status}: {answer[1][:300]!r}")
    return answer[1]


@dataclass
class Tally:
    """What a stretch of load came to. seconds: how long each answer took, from when it was due."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    lasted: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.seconds) / self.lasted

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        return 1000 * percentile(self.seconds, share)


def percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def flat_out(clients: list[Client], job: Job, seconds: float) -> Tally:
    """Every client asks again as soon as it is answered."""
    tally, until = Tally(), time.monotonic() + seconds

    def ask(client: Client) -> None:
        while time.monotonic() < until:
            _timed(tally, client, job, time.monotonic())

    _together([threading.Thread(target=ask, args=(client,)) for client in clients], tally)
    return tally


def paced(clients: list[Client], job: Job, rate: float, seconds: float, tally: Tally) -> list[threading.Thread]:
    """Threads that ask at moments drawn beforehand, on average `rate` a second for all: an answer that is late delays nobody's clock."""
    begin = time.monotonic() + 0.5

    def ask(client: Client, due: float) -> None:
        while (due := due + random.expovariate(rate / len(clients))) < begin + seconds:
            time.sleep(max(0.0, due - time.monotonic()))
            _timed(tally, client, job, due)

    return [threading.Thread(target=ask, args=(client, begin)) for client in clients]


def _timed(tally: Tally, client: Client, job: Job, due: float) -> None:
    try:
        job(client)
        tally.seconds.append(time.monotonic() - due)
    except (Failed, OSError, http.client.HTTPException) as failure:
        tally.failures.append(f"{type(failure).__name__}: {failure}")
        client.connection.close()


def _together(threads: list[threading.Thread], *tallies: Tally) -> None:
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for tally in tallies:
        tally.lasted = time.monotonic() - begin


def all_at_once(threads: list[threading.Thread], tallies: Iterable[Tally]) -> None:
    """Run the threads of several paced loads until the last has ended."""
    _together(threads, *tallies)
