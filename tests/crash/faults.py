"""The database away, hung, without a connection left, locked or full, under the real server: python -m tests.crash.faults

While it lasts every page must end in a 503 with a sentence and Retry-After, within SECONDS; afterwards the next pages must be there
again by themselves. The full disk is the server's own error (53100) raised by a trigger: to fill a real disk needs one to spare.
Prints each fault and, last, one line of JSON; ends with 0 when all of that held.
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg

from clinic import database
from tests.crash.house import House, children, opened

if TYPE_CHECKING:  # they read the settings, which `opened` sets first
    from tests.crash.browser import Answer, Browser

SECONDS = 3.0
SENTENCE = "The records do not answer right now"
AT_ONCE = 4  # a worker's threads: whoever waits for a thread waits longer (docs/adr/0022)
EACH = 8  # rounds of all browsers while it lasts
FULL = """
CREATE FUNCTION steady_full() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no space is left' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON clinic_accessevent FOR EACH ROW EXECUTE FUNCTION steady_full();
"""
ENDED = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{database.WEB}' AND application_name <> 'taken'"
ROOM_AGAIN = "DROP TRIGGER full_disk ON clinic_accessevent; DROP FUNCTION steady_full();"


@contextmanager
def away(house: House) -> Iterator[None]:
    from tests.crash.violence import revive

    house.kill_server()
    yield
    revive(house)


@contextmanager
def hung(house: House) -> Iterator[None]:
    """Every process of the server stands still; its sockets stay open."""
    processes = [house.postmaster(), *children(house.postmaster())]
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@contextmanager
def no_connection_left(house: House) -> Iterator[None]:
    """Those of the web server are ended, and others take every place there is for its role."""
    where = house.cluster.conninfo(database.WEB, database.DATABASE)
    with contextlib.ExitStack() as taken:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                taken.enter_context(psycopg.connect(where, application_name="taken"))
        house.query(ENDED)
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                taken.enter_context(psycopg.connect(where, application_name="taken"))
        yield


@contextmanager
def locked(house: House) -> Iterator[None]:
    """Somebody holds the record of accesses for themselves."""
    with psycopg.connect(house.cluster.conninfo(database=database.DATABASE)) as connection:
        connection.execute("LOCK TABLE clinic_accessevent IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


@contextmanager
def full(house: House) -> Iterator[None]:
    with psycopg.connect(house.cluster.conninfo(database=database.DATABASE), autocommit=True) as connection:
        connection.execute(FULL)
        yield
        connection.execute(ROOM_AGAIN)


FAULTS: dict[str, Callable[[House], contextlib.AbstractContextManager]] = {
    "away": away, "hung": hung, "no connection left": no_connection_left, "locked": locked, "full disk": full,
}  # fmt: skip


def at_once(browsers: "list[Browser]") -> "list[Answer]":
    with ThreadPoolExecutor(len(browsers)) as pool:
        return list(pool.map(lambda browser: browser.ask("/caseload/"), browsers))


def suffer(house: House, browsers: "list[Browser]", name: str) -> dict[str, Any]:
    """One fault: what everybody was answered while it lasted, and how long afterwards all of them had their page again."""
    with FAULTS[name](house):
        answers = [answer for _ in range(EACH) for answer in at_once(browsers)]
    began = time.monotonic()
    while not all(answer.status == 200 for answer in at_once(browsers)) and time.monotonic() < began + 60:
        time.sleep(0.2)
    told = all(answer.status == 503 and answer.retry_after and SENTENCE in answer.body for answer in answers)
    slowest, recovered = max(answer.seconds for answer in answers), time.monotonic() - began
    return {
        "answers": dict(Counter(answer.status for answer in answers)), "slowest, s": round(slowest, 2),
        "all there again after, s": round(recovered, 2), "passed": told and slowest <= SECONDS and recovered < 60,
    }  # fmt: skip


def main() -> None:
    with opened(AT_ONCE) as house:
        from tests.crash.browser import Browser

        browsers = [Browser(house, name) for name in house.names]
        assert all(browser.log_in().done for browser in browsers)
        result = {}
        for name in FAULTS:
            result[name] = suffer(house, browsers, name)
            print(f"{name}: {result[name]}", flush=True)
        log = (house.folder / "web.log").read_text(errors="replace")
    stuck = log.count("WORKER TIMEOUT")
    passed = all(found["passed"] for found in result.values()) and not stuck
    print(json.dumps(result | {"workers stuck": stuck, "passed": passed}))
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
