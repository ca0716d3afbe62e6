"""The submit of an intake over HTTP against raw psycopg that writes one JSONB row and ten score rows.

    bin/python -m tests.bench.submit [--rounds 5] [--seconds 6] [--clients 4]

A submit: logged in with a second factor, 36 answers of five questionnaires frozen, five scores, flags, interactions, level of care,
assessment, the caseload's summary, the access and every change recorded. Raw: two statements and a commit, as many threads in one process.
"""

import argparse
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator

from tests.bench.clinic import CLUSTER, Server, admin, database_cpu, serving  # isort: skip  first: it sets Django up
from clinic.database import CHECKOUT
from tests.bench.load import Client, Failed, Tally, expect, flat_out
from tests.bench.made_up import ASKED, make_clinic, make_drafts, session
from tests.bench.report import finish, goal, interleaved, medians, ratio

NAME, DRAFTS = "bench_submit", 12_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench.submit", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--clients", type=int, default=4)
    options = parser.parse_args()
    make_clinic(NAME, 2000)
    drafts = iter(make_drafts(NAME, DRAFTS))
    with serving(NAME) as server:
        clients = [Client(server, session("clerk")) for _ in range(options.clients)]
        _submits(server, clients, drafts, 2)  # warm: questionnaires compiled, connections open
        document = _document()
        found = interleaved(
            {
                "raw": lambda: _raw(document, options.clients, options.seconds),
                "submit": lambda: _submits(server, clients, drafts, options.seconds),
            },
            options.rounds,
        )
    goals = {
        "rate against raw": goal(ratio(found, "submit", "raw", "rate"), at_least=0.3),
        "processor time against raw": goal(ratio(found, "submit", "raw", "cpu_ms"), at_most=4.5),
    }
    finish("submit", goals=goals, medians={name: medians(rounds) for name, rounds in found.items()}, clients=options.clients, rounds=found)


def _submits(server: Server, clients: list[Client], drafts: Iterator[uuid.UUID], seconds: float) -> dict[str, float]:
    def job(client: Client) -> None:
        address = f"/episodes/{next(drafts)}/intake/review/"
        expect(client.post(address, {"key": str(uuid.uuid4()), "seen": "1"}), 302)

    before = server.cpu()
    tally = flat_out(clients, job, seconds)
    return _figures(tally, server.cpu() - before)


def _figures(tally: Tally, cpu: float) -> dict[str, float]:
    if tally.failures:
        raise Failed(tally.failures[0])
    count = len(tally.seconds)
    return {"rate": tally.rate, "cpu_ms": 1000 * cpu / count, "p50_ms": tally.percentile(0.5), "p95_ms": tally.percentile(0.95)}


def _raw(document: str, clients: int, seconds: float) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.raw", CLUSTER.conninfo(database=NAME), str(clients), str(seconds)]
    before = database_cpu()
    done = subprocess.run(command, input=document, capture_output=True, text=True, check=True, cwd=CHECKOUT)
    count, lasted, own = map(float, done.stdout.split())
    return {"rate": count / lasted, "cpu_ms": 1000 * (own + database_cpu() - before) / count}


def _document() -> str:
    """The frozen answers of one submit, all five questionnaires, as the raw row holds them."""
    frozen = "SELECT document FROM intake_response WHERE status = 'completed' ORDER BY completed_at, code LIMIT %s"
    with admin(NAME) as connection:
        documents = [document for (document,) in connection.execute(frozen, [len(ASKED)]).fetchall()]
    return json.dumps(documents)


if __name__ == "__main__":
    main()
