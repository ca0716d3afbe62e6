"""The caseload of a clinic of a million patients against one of ten thousand, and the search by name beside it.

    bin/python -m tests.bench.scale [--rounds 3] [--fresh]

The clinics are made once, which takes minutes, and kept in the benchmark's own cluster for the next run; --fresh makes them anew.
"""

import argparse
import contextlib
import re
import time
from collections.abc import Callable
from typing import Any

from tests.bench.clinic import Server, admin, drop, exists, manage, rename, say, serving, use  # isort: skip  first: it sets Django up
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.models import Episode, User
from clinic.transaction import acting
from clinic.views.caseload import PAGE
from tests.bench.load import Client, expect, percentile
from tests.bench.made_up import make_clinic, session
from tests.bench.report import finish, goal, interleaved, medians, ratio

SIZES = {"small": 10_000, "middle": 100_000, "large": 1_000_000}
READERS = ("counsellor", "supervisor", "floater")
ASKED = 40  # pages in one round
# Begins as many do, begins as few do, one slip of the fingers, the other way round, and sounds alike.
NAMES = ("mar", "garc", "Rodrigez", "Smith John", "Jonson", "Stenberg", "Katheryn", "ramirez an", "Dorvale", "patel w")


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench.scale", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fresh", action="store_true", help="make the clinics anew")
    options = parser.parse_args()
    names = {size: _clinic(patients, fresh=options.fresh) for size, patients in SIZES.items()}
    plans = {size: {reader: _plan(name, reader) for reader in READERS} for size, name in names.items()}
    with contextlib.ExitStack() as stack:
        servers = {size: stack.enter_context(serving(name)) for size, name in names.items()}
        pages = {f"{size} {reader}": _pages(names[size], servers[size], reader) for size in ("small", "large") for reader in READERS}
        found = interleaved(pages, options.rounds)
        searches = interleaved({size: _searches(names[size], servers[size]) for size in SIZES}, options.rounds)
    _report(plans, found, searches)


def _clinic(patients: int, *, fresh: bool) -> str:
    """The name of the database with that many patients, made unless it is there. It gets its name when it is whole."""
    name = f"bench_{patients}"
    if fresh or not exists(name):
        say(f"Making a clinic of {patients:,} patients ...")
        begin = time.monotonic()
        make_clinic("bench_making", patients)
        use("postgres")
        drop(name)
        rename("bench_making", name)
        say(f"  made in {time.monotonic() - begin:.0f} s")
    manage("migrate", name)  # and raise its walls: it may have been made by an earlier checkout
    return name


def _plan(name: str, reader: str) -> dict[str, int]:
    """Buffers that the caseload's statement touches, warm, and the statements of the reader's page."""
    use(name)
    user = User.objects.get(username=reader)
    with acting(user, "chart.view"):
        sql, params = Episode.objects.caseload(user, PAGE + 1)[: PAGE + 1].query.sql_with_params()
        with connection.cursor() as cursor:
            for _ in range(2):
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", params)
                text = "\n".join(line for (line,) in cursor.fetchall())
    return {"buffers": _buffers(text), "statements": _statements(reader)}


def _buffers(plan: str) -> int:
    """Of the topmost node: what the whole statement touched."""
    line = re.search(r"Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?", plan)
    return sum(int(count or 0) for count in line.groups()) if line else 0


def _statements(reader: str) -> int:
    """What one caseload page asks the database, session and user included; beginning and end of the transaction are not counted."""
    from django.test import Client as Browser

    browser = Browser()
    browser.cookies["steady_session"] = session(reader)
    browser.get("/caseload/")
    with CaptureQueriesContext(connection) as queries:
        assert browser.get("/caseload/").status_code == 200
    return sum(query["sql"] not in ("BEGIN", "COMMIT") for query in queries)


def _pages(name: str, server: Server, reader: str) -> Callable[[], dict[str, float]]:
    use(name)
    client = Client(server, session(reader))

    def measure() -> dict[str, float]:
        times = []
        for _ in range(ASKED):
            begin = time.monotonic()
            expect(client.get("/caseload/"), 200, b"Why now")
            times.append(time.monotonic() - begin)
        return {"p50_ms": 1000 * percentile(times, 0.5), "p95_ms": 1000 * percentile(times, 0.95)}

    measure()
    return measure


def _searches(name: str, server: Server) -> Callable[[], dict[str, float]]:
    """By name in several ways, and by the exact record number."""
    use(name)
    client = Client(server, session("supervisor"))
    with admin(name) as connected:
        some = "SELECT record_number FROM clinic_patient WHERE program_id = (SELECT min(id) FROM clinic_program) ORDER BY id LIMIT 20"
        numbers = [number for (number,) in connected.execute(some).fetchall()]

    def timed(text: str) -> float:
        begin = time.monotonic()
        expect(client.post("/patients/", {"q": text}), 200)
        return 1000 * (time.monotonic() - begin)

    def measure() -> dict[str, float]:
        named = [timed(text) for _ in range(3) for text in NAMES]
        return {"name_p95_ms": percentile(named, 0.95), "number_p95_ms": percentile([timed(number) for number in numbers], 0.95)}

    measure()
    return measure


def _report(plans: dict[str, Any], found: dict[str, Any], searches: dict[str, Any]) -> None:
    goals = {}
    for reader in READERS:
        goals[f"{reader}: 1,000,000 against 10,000"] = goal(ratio(found, f"large {reader}", f"small {reader}", "p50_ms"), at_most=1.2)
        goals[f"{reader}: buffers at 1,000,000"] = goal(plans["large"][reader]["buffers"], at_most=40)
        goals[f"{reader}: statements at 1,000,000"] = goal(plans["large"][reader]["statements"], at_most=6)
    by_name = {size: medians(rounds) for size, rounds in searches.items()}
    goals["search by name at 1,000,000 against the record number"] = goal(
        by_name["large"]["name_p95_ms"] / by_name["large"]["number_p95_ms"], at_most=5
    )
    goals["search by name at 1,000,000 against 10,000"] = goal(by_name["large"]["name_p95_ms"] / by_name["small"]["name_p95_ms"], at_most=4)
    medians_ = {name: medians(rounds) for name, rounds in found.items()}
    finish("scale", goals=goals, plans=plans, pages=medians_, searches=by_name, rounds=found)


if __name__ == "__main__":
    main()
