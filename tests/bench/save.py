"""The save of one answer against an empty logged-in page: processor time of web server and database.

    bin/python -m tests.bench.save [--rounds 7] [--times 60]

A save is the autosave of a PHQ-9 page of whose questionnaires 36 answers are given: the whole form is sent, one answer is another one,
draft flags are looked at again, what changed on the page comes back.
"""

from tests.bench.clinic import serving  # isort: skip  first: it sets Django up
from tests.bench.load import Client
from tests.bench.made_up import make_clinic, make_drafts, session
from tests.bench.pages import cost, empty, options
from tests.bench.report import finish, goal, interleaved, medians, ratio
from tests.bench.sheet import Sheet

NAME = "bench_save"


def main() -> None:
    chosen = options("tests.bench.save", __doc__)
    make_clinic(NAME, 2000)
    (draft,) = make_drafts(NAME, 1)
    with serving(NAME) as server:
        client = Client(server, session("clerk"))
        sheet = Sheet(client, draft)
        cases = {
            "empty": lambda: cost(server, lambda: empty(client), chosen.times),
            "save": lambda: cost(server, lambda: sheet.save(client), chosen.times),
        }
        interleaved(cases, 1)  # warm
        found = interleaved(cases, chosen.rounds)
    goals = {
        "save, ms (the load of 500 staff leaves 8)": goal(medians(found["save"])["cpu_ms"], at_most=8),
    }
    against_empty = ratio(found, "save", "empty", "cpu_ms")
    middle = {name: medians(rounds) for name, rounds in found.items()}
    finish("save", goals=goals, against_empty=against_empty, medians=middle, rounds=found)


if __name__ == "__main__":
    main()
