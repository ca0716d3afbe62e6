"""The caseload page, fifty lines, against an empty logged-in page: processor time of web server and database.

bin/python -m tests.bench.caseload [--rounds 7] [--times 60]
"""

from tests.bench.clinic import serving  # isort: skip  first: it sets Django up
from tests.bench.load import Client, expect
from tests.bench.made_up import make_clinic, session
from tests.bench.pages import cost, empty, options
from tests.bench.report import finish, goal, interleaved, medians, ratio

NAME = "bench_caseload"


def main() -> None:
    chosen = options("tests.bench.caseload", __doc__)
    make_clinic(NAME, 10_000)
    with serving(NAME) as server:
        client = Client(server, session("supervisor"))
        cases = {
            "empty": lambda: cost(server, lambda: empty(client), chosen.times),
            "caseload": lambda: cost(server, lambda: expect(client.get("/caseload/"), 200, b"Why now"), chosen.times),
        }
        interleaved(cases, 1)  # warm
        found = interleaved(cases, chosen.rounds)
    goals = {"caseload against an empty page": goal(ratio(found, "caseload", "empty", "cpu_ms"), at_most=1.6)}
    finish("caseload", goals=goals, medians={name: medians(rounds) for name, rounds in found.items()}, rounds=found)


if __name__ == "__main__":
    main()
