"""A whole case assessed: facts, scores, flags, interactions, needs, level, components; milliseconds of one core, after the start.

    bin/python -m tests.bench.assess [--rounds 5]

The cases are the specification's six people in the notation of its section 7, as `manage.py assess` reads them.
"""

import argparse
import timeit
from time import process_time

from django.utils import timezone

from tests.bench import clinic  # noqa: F401  isort: skip  first: it sets Django up
from intake.evaluation import Settings
from plans.cases import assess
from plans.components import read
from tests.bench.report import finish, goal, interleaved, medians

TIMES = 20
GOAL = 10


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench.assess", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds, at = parser.parse_args().rounds, timezone.localtime()
    cases = {name: row["given"] for name, row in read("vignettes.yaml")["people"].items()}

    def milliseconds(case: dict) -> dict[str, float]:
        return {"ms": 1e3 * timeit.timeit(lambda: assess(case, Settings(), at), number=TIMES, timer=process_time) / TIMES}

    for case in cases.values():
        assess(case, Settings(), at)  # what is read once a process is read
    found = interleaved({name: lambda case=case: milliseconds(case) for name, case in cases.items()}, rounds)
    middle = {name: medians(figures) for name, figures in found.items()}
    goals = {"the slowest, ms": goal(max(figures["ms"] for figures in middle.values()), at_most=GOAL)}
    finish("assess", medians=middle, goals=goals, rounds=found)


if __name__ == "__main__":
    main()
