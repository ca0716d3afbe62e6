"""The SQL statements of a save, a submit, a caseload, a chart and a signature, session and user included; the same as the test counts.

    bin/python -m tests.bench.statements
"""

from tests.bench.clinic import create, use  # isort: skip  first: it sets Django up
from django.db import transaction

from tests.bench import made_up
from tests.bench.report import finish, goal
from tests.people import make_house
from tests.statements import statements_of

NAME = "bench_statements"


def main() -> None:
    create(NAME)
    use(NAME)
    house = make_house()
    made_up.give_second_factor(house.staff.values())
    with transaction.atomic():  # as in a test: what a request said about who acts stays said
        said = statements_of(house)
    goals = {
        "submit": goal(len(said["submit"]), at_most=10),
        "caseload": goal(len(said["caseload"]), at_most=6),
    }
    shown = {name: [statement[:120] for statement in statements] for name, statements in said.items()}
    finish("statements", goals=goals, counts={name: len(statements) for name, statements in said.items()}, statements=shown)


if __name__ == "__main__":
    main()
