"""Stored responses scored again in bulk: from the text of a frozen QuestionnaireResponse, as the database hands it over, to its Score.

    bin/python -m tests.bench.rescore [--rounds 5]

Every scored questionnaire of the specification's six people, in a second of one core's time; what each step takes, in microseconds.
"""

import argparse
import datetime
import json
from collections.abc import Callable, Iterator
from time import process_time
from typing import Any

from tests.bench import clinic  # noqa: F401  isort: skip  first: it sets Django up
from clinic.exact_json import ExactDecoder, ExactEncoder
from intake.content_files import questionnaire
from intake.responses import from_response, to_response
from intake.scoring import Score, score, score_definitions
from plans.people import people
from tests.bench.report import finish, goal, interleaved, medians

TIMES = 60
GOAL = 10_000
AT = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)
Stored = tuple[str, str]  # the questionnaire's code, and the text of the response


def stored() -> Iterator[Stored]:
    for person in people().values():
        for code in score_definitions().keys() & person.answers.keys():
            form, answers = questionnaire(code), person.filled(code, AT)
            yield code, json.dumps(to_response(form, answers, answers.keys(), datetime.UTC), cls=ExactEncoder)


def rescored(code: str, text: str) -> Score:
    """As a row of the database becomes a score: ExactJSONField reads the text in the same way."""
    form = questionnaire(code)
    return score(score_definitions()[code], form, from_response(form, json.loads(text, cls=ExactDecoder)))


def steps(responses: list[Stored]) -> dict[str, float]:
    """Microseconds for each response: read as JSON, as answers, scored; and how many of all that in a second."""
    documents = [(code, json.loads(text, cls=ExactDecoder)) for code, text in responses]
    answers = [(code, from_response(questionnaire(code), document)) for code, document in documents]
    each = {
        "json": _microseconds(lambda row: json.loads(row[1], cls=ExactDecoder), responses),
        "answers": _microseconds(lambda row: from_response(questionnaire(row[0]), row[1]), documents),
        "score": _microseconds(lambda row: score(score_definitions()[row[0]], questionnaire(row[0]), row[1]), answers),
    }
    return each | {"a second": 1e6 / _microseconds(lambda row: rescored(*row), responses)}


def _microseconds(step: Callable[[Any], object], rows: list[Any]) -> float:
    """Of processor time for one row; nothing is kept, so that the collector has no more to do than in a real run."""
    begun = process_time()
    for _ in range(TIMES):
        for row in rows:
            step(row)
    return 1e6 * (process_time() - begun) / (TIMES * len(rows))


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench.rescore", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds, responses = parser.parse_args().rounds, list(stored())
    for code, text in responses:
        assert rescored(code, text).code == code  # everything is loaded, and every response is one that scores
    found = interleaved({"all": lambda: steps(responses)}, rounds)
    middle = medians(found["all"])
    goals = {"responses a second": goal(middle["a second"], at_least=GOAL)}
    finish("rescore", responses=len(responses), medians=middle, goals=goals, rounds=found)


if __name__ == "__main__":
    main()
