"""500 members of staff at work: how much of their load these cores hold, clients included.

    bin/python -m tests.bench.mixed [--seconds 60] [--shares 0.1,0.2,0.4]

The whole load is 100 autosaves, 25 pages, 8 polls and 1.5 submits a second. Each share of it is held for that long; the load held is the
largest share without an error, p95 at most 300 ms and p99 at most 1 s, counted from the moment the answer was due to be asked for.
"""

import argparse
import itertools
import random
import uuid
from collections.abc import Callable

from tests.bench.clinic import Server, say, serving  # isort: skip  first: it sets Django up
from tests.bench.load import Client, Tally, all_at_once, expect, paced, percentile
from tests.bench.made_up import make_clinic, make_drafts, session
from tests.bench.report import finish, goal
from tests.bench.sheet import Sheet

NAME, DRAFTS, WRITERS = "bench_mixed", 4000, 48
WHOLE = {"save": 100.0, "page": 25.0, "poll": 8.0, "submit": 1.5}  # a second
P95_MS, P99_MS = 300, 1000
PAGES = ("/caseload/", "/episodes/{}/chart/", "/episodes/{}/intake/phq9/1/", "/episodes/{}/intake/")


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench.mixed", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--shares", default="0.1,0.15,0.2,0.3,0.5")
    options = parser.parse_args()
    make_clinic(NAME, 10_000)
    drafts = make_drafts(NAME, DRAFTS)
    with serving(NAME) as server:
        jobs = _jobs(server, drafts)
        _hold(jobs, 0.05, 5)  # warm
        found = {}
        for share in map(float, options.shares.split(",")):
            before = server.resident()
            found[share] = _hold(jobs, share, options.seconds) | {"memory_growth": server.resident() / before - 1}
            say(f"  {share:.0%} of the load: " + ", ".join(f"{key} {value:.4g}" for key, value in found[share].items()))
            if not _held(found[share]):
                break
    held = max((share for share, figures in found.items() if _held(figures)), default=0.0)
    goals = {
        "share of the load of 500 staff that is held": goal(held, at_least=1),
        "memory growth at that share": goal(found.get(held, {}).get("memory_growth", 0.0), at_most=0.05),
    }
    finish("mixed", goals=goals, whole_load_a_second=WHOLE, seconds=options.seconds, shares=found)


Job = tuple[list[Client], Callable[[Client], None]]


def _jobs(server: Server, drafts: list[uuid.UUID]) -> dict[str, Job]:
    """Who does what, each kind with connections of its own."""
    writers = [Client(server, session("clerk")) for _ in range(WRITERS)]
    sheets = {client: Sheet(client, draft) for client, draft in zip(writers, drafts, strict=False)}
    waiting, seen = iter(drafts[WRITERS:]), itertools.cycle(drafts[:WRITERS])

    def page(client: Client) -> None:
        expect(client.get(random.choice(PAGES).format(next(seen))), 200)  # noqa: S311 no secret

    def submit(client: Client) -> None:
        expect(client.post(f"/episodes/{next(waiting)}/intake/review/", {"key": str(uuid.uuid4()), "seen": "1"}), 302)

    def clients(count: int, name: str) -> list[Client]:
        return [Client(server, session(name)) for _ in range(count)]

    return {
        "save": (writers, lambda client: sheets[client].save(client)),
        "page": (clients(16, "nurse"), page),
        "poll": (clients(8, "clerk"), lambda client: expect(client.get("/patients/"), 200) and None),
        "submit": (clients(4, "clerk"), submit),
    }


def _hold(jobs: dict[str, Job], share: float, seconds: float) -> dict[str, float]:
    tallies = {name: Tally() for name in jobs}
    threads = [
        thread for name, (clients, job) in jobs.items() for thread in paced(clients, job, share * WHOLE[name], seconds, tallies[name])
    ]
    all_at_once(threads, tallies.values())
    every = [second for tally in tallies.values() for second in tally.seconds]
    failures = [failure for tally in tallies.values() for failure in tally.failures]
    for failure in failures[:3]:
        say(f"  {failure}")
    return {
        "asked_a_second": len(every) / seconds, "failures": len(failures), "p50_ms": 1000 * percentile(every, 0.5),
        "p95_ms": 1000 * percentile(every, 0.95), "p99_ms": 1000 * percentile(every, 0.99),
        "save_p95_ms": tallies["save"].percentile(0.95), "page_p95_ms": tallies["page"].percentile(0.95),
    }  # fmt: skip


def _held(figures: dict[str, float]) -> bool:
    return not figures["failures"] and figures["p95_ms"] <= P95_MS and figures["p99_ms"] <= P99_MS


if __name__ == "__main__":
    main()
