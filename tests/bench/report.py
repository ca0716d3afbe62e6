"""How a benchmark ends: one JSON object with the machine, the versions, every round, the medians, and whether the goal is met."""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

import django
import psycopg

from clinic import database
from tests.bench.clinic import CLUSTER, admin, say


def interleaved(cases: Mapping[str, Callable[[], dict[str, float]]], rounds: int) -> dict[str, list[dict[str, float]]]:
    """Every case once a round, in turns, so that a machine that is busy for a while is busy for all of them."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    for number in range(1, rounds + 1):
        for name, case in cases.items():
            figures = case()
            found[name].append(figures)
            say(f"  round {number} of {rounds}, {name}: " + ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))
    return found


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(figures[key] for figures in rounds) for key in rounds[0]}


def ratio(found: dict[str, list[dict[str, float]]], over: str, under: str, key: str) -> float:
    """The median of the rounds' own ratios."""
    return statistics.median(a[key] / b[key] for a, b in zip(found[over], found[under], strict=True))


def goal(value: float, *, at_most: float | None = None, at_least: float | None = None) -> dict[str, Any]:
    met = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
    wanted = f"<= {at_most:g}" if at_most is not None else f">= {at_least:g}"
    return {"value": round(value, 3), "goal": wanted, "met": met}


def finish(name: str, **content: Any) -> None:
    """Print the JSON object."""
    found = {"benchmark": name, "machine": machine(), **content}
    print(json.dumps(found, indent=2, default=lambda value: round(float(value), 4)))


def machine() -> dict[str, Any]:
    with admin() as connection:
        server = connection.execute("SHOW server_version").fetchone()
        durable = {key: connection.execute(f"SHOW {key}").fetchone()[0] for key in database.DURABLE}  # type: ignore[index]
    describe = ["git", "-C", str(database.CHECKOUT), "describe", "--always", "--dirty"]
    commit = subprocess.run(describe, capture_output=True, text=True, check=False)
    return {
        "cores": os.cpu_count(), "load_before": os.getloadavg()[0], "system": platform.platform(), "python": platform.python_version(),
        "django": django.__version__, "psycopg": psycopg.__version__, "postgresql": server[0] if server else "", "durable": durable,
        "commit": commit.stdout.strip(), "cluster": CLUSTER.data.name,
    }  # fmt: skip
