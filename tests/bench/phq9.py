"""One PHQ-9 scored with its band, the answer to item 9 and the rule for unanswered items: how many in a second of one core's time.

    bin/python -m tests.bench.phq9 [--rounds 5]

The goal is 10 times what was measured of fhirpath.js `sum()`, 2,500 a second; that needs Node, which Steady does not.
"""

import argparse
import datetime
import timeit
from time import process_time

from tests.bench import clinic  # noqa: F401  isort: skip  first: it sets Django up
from intake.content_files import questionnaire
from intake.scoring import score, score_definitions
from plans.people import people
from tests.bench.report import finish, goal, interleaved, medians

TIMES = 5000
GOAL = 25_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench.phq9", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    form, definition = questionnaire("phq9"), score_definitions()["phq9"]
    whole = people()["V1"].filled("phq9", datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC))
    short = {key: answer for key, answer in whole.items() if key[0] not in ("1", "2")}

    def once(answers: dict) -> int | None:
        found = score(definition, form, answers)
        value = answers["9", ""].values[0]
        return None if found.band is None else int(form.by_id["9"].weight_of(value) or 0)

    def case(answers: dict) -> dict[str, float]:
        return {"a second": TIMES / timeit.timeit(lambda: once(answers), number=TIMES, timer=process_time)}

    found = interleaved({"whole": lambda: case(whole), "two unanswered": lambda: case(short)}, parser.parse_args().rounds)
    middle = {name: medians(rounds) for name, rounds in found.items()}
    goals = {name: goal(figures["a second"], at_least=GOAL) for name, figures in middle.items()}
    finish("phq9", medians=middle, goals=goals, rounds=found)


if __name__ == "__main__":
    main()
