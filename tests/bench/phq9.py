"""One PHQ-9 scored with its band, the answer to item 9 and the rule for unanswered items: nanoseconds, one thread, no database.

    bin/python -m tests.bench.phq9 [--rounds 5]

The goal of 10 times fhirpath.js is not measured here: that needs Node, which Steady does not.
"""

import argparse
import datetime
import timeit

from tests.bench import clinic  # noqa: F401  isort: skip  first: it sets Django up
from intake.content_files import questionnaire
from intake.scoring import score, score_definitions
from plans.people import people
from tests.bench.report import finish, interleaved, medians

TIMES = 5000


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
        return {"ns": 1e9 * timeit.timeit(lambda: once(answers), number=TIMES) / TIMES}

    found = interleaved({"whole": lambda: case(whole), "two unanswered": lambda: case(short)}, parser.parse_args().rounds)
    finish("phq9", medians={name: medians(rounds) for name, rounds in found.items()}, rounds=found)


if __name__ == "__main__":
    main()
