"""One page or save against an empty logged-in page, by processor time. Shared by tests.bench.save and tests.bench.caseload."""

import argparse
from collections.abc import Callable

from tests.bench.clinic import Server
from tests.bench.load import Client, expect

EMPTY = "/patients/"  # the search before anything is looked for: session, user, transaction and the frame of a page


def options(name: str, description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=name, description=description)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--times", type=int, default=60, help="how often in one round")
    return parser.parse_args()


def cost(server: Server, ask: Callable[[], object], times: int) -> dict[str, float]:
    """Milliseconds of processor time of web server and database for one answer, one client asking."""
    before = server.cpu()
    for _ in range(times):
        ask()
    return {"cpu_ms": 1000 * (server.cpu() - before) / times}


def empty(client: Client) -> None:
    expect(client.get(EMPTY), 200)
