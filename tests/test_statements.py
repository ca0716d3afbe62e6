"""What the requests that are made most say to the database: the numbers may fall, and rise only on purpose."""

import pytest

from tests.people import make_house
from tests.statements import statements_of

COUNTS = {"save": 16, "submit": 15, "caseload": 5, "chart": 11, "sign": 52}


@pytest.mark.usefixtures("db")
def test_statements_do_not_creep() -> None:
    said = statements_of(make_house())
    counts = {name: len(statements) for name, statements in said.items()}
    assert counts == COUNTS, "\n".join(f"{name}: {sql[:150]}" for name, statements in said.items() for sql in statements)
