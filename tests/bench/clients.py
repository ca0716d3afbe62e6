"""Thirty-two clients against eight: pages and autosaves as fast as they are answered.

bin/python -m tests.bench.clients [--rounds 3] [--seconds 10]
"""

import argparse
import threading

from tests.bench.clinic import serving  # isort: skip  first: it sets Django up
from tests.bench.load import Client, expect, flat_out
from tests.bench.made_up import make_clinic, make_drafts, session
from tests.bench.report import finish, goal, interleaved, medians, ratio
from tests.bench.sheet import Sheet

NAME, MOST, FEW = "bench_clients", 32, 8


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench.clients", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    make_clinic(NAME, 2000)
    drafts = make_drafts(NAME, MOST)
    with serving(NAME) as server:
        clients = [Client(server, session("clerk")) for _ in range(MOST)]
        sheets = {client: Sheet(client, draft) for client, draft in zip(clients, drafts, strict=True)}
        turn = threading.local()

        def work(client: Client) -> None:
            """Two saves, then a page."""
            turn.number = getattr(turn, "number", 0) + 1
            if turn.number % 3:
                sheets[client].save(client)
            else:
                expect(client.get("/caseload/"), 200)

        def case(count: int) -> dict[str, float]:
            tally = flat_out(clients[:count], work, options.seconds)
            return {
                "rate": tally.rate, "failures": len(tally.failures), "p50_ms": tally.percentile(0.5), "p99_ms": tally.percentile(0.99),
            }  # fmt: skip

        case(FEW)  # warm
        found = interleaved({"8 clients": lambda: case(FEW), "32 clients": lambda: case(MOST)}, options.rounds)
    many = medians(found["32 clients"])
    goals = {
        "rate with 32 against 8": goal(ratio(found, "32 clients", "8 clients", "rate"), at_least=0.95),
        "errors": goal(sum(figures["failures"] for rounds in found.values() for figures in rounds), at_most=0),
        "p99 against p50 with 32": goal(many["p99_ms"] / many["p50_ms"], at_most=3),
    }
    finish("clients", goals=goals, medians={name: medians(rounds) for name, rounds in found.items()}, rounds=found)


if __name__ == "__main__":
    main()
