"""The answers of submitted questionnaires as they are read: in order, rows numbered, dates and units in words."""

import datetime
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django.utils import timezone

from clinic.access_table import OWN_ANSWERS_HOURS
from clinic.models import Episode, User
from clinic.permissions import may
from clinic.views.reach import in_full, within
from intake.answers import Answer, Key, State, from_json, to_words
from intake.branching import evaluate
from intake.models import Answer as Row
from intake.models import Response
from intake.packet import instruments, packet
from intake.questionnaire import Item, Questionnaire
from intake.responses import Rows, from_response, rows_of

Line = dict[str, str]  # title, or text, words and state


def submitted(user: User, episode: Episode) -> list[dict[str, Any]]:
    """Each submitted questionnaire; its answers for those who may read them: the minimum is only that it was filled.

    Whoever may not read them all reads for a day after the submit what they have answered themselves.
    """
    if not may(user, "intake.view") or not within(user, "intake.view", [episode]):
        return []
    order = list(packet(episode.program.packet))
    listed = sorted(Response.objects.latest_of(episode), key=lambda row: order.index(row.code) if row.code in order else len(order))
    full = in_full(user, "intake.view", episode)
    own = {} if full else _authored(user, listed)
    return [
        {
            "title": response.instrument.title,
            "completed_at": response.completed_at,
            "completed_by": response.completed_by,
            "credit": response.instrument.credit_line,
            "own": not full and response.pk in own,
            "answers": _all(response) if full else own.get(response.pk, []),
        }
        for response in listed
    ]


def _all(response: Response) -> list[Line]:
    questionnaire = response.instrument.readable
    answers = from_response(questionnaire, response.document or {})
    return lines(response.code, questionnaire, answers, answers)


def _authored(user: User, listed: list[Response]) -> dict[int, list[Line]]:
    """By response: the answers this person gave, of what was submitted in the last hours; nothing of a colleague's."""
    since = timezone.now() - datetime.timedelta(hours=OWN_ANSWERS_HOURS)
    fresh = {response.pk: response for response in listed if response.completed_at and response.completed_at >= since}
    rows: dict[int, dict[Key, Answer]] = {pk: {} for pk in fresh}
    mine: dict[int, set[Key]] = {pk: set() for pk in fresh}
    for row in Row.objects.filter(response__in=fresh):
        key = (row.link_id, row.instance)
        item = fresh[row.response_id].instrument.questionnaire.by_id[row.link_id]
        rows[row.response_id][key] = from_json(item, State(row.state), row.value)
        if row.by_id == user.pk:
            mine[row.response_id].add(key)
    found = {}
    for pk, response in fresh.items():
        questionnaire = response.instrument.readable
        found[pk] = lines(response.code, questionnaire, rows[pk], mine[pk] & evaluate(questionnaire, rows[pk]).enabled)
    return {pk: said for pk, said in found.items() if said}


def lines(code: str, questionnaire: Questionnaire, answers: Mapping[Key, Answer], shown: Collection[Key]) -> list[Line]:
    """The answers among `shown` in the order of the questionnaire, under the titles of their sections and rows."""
    observed = code in instruments() and instruments()[code].observed
    rows = rows_of(questionnaire, answers)
    return [line for item in questionnaire.items for line in _lines(item, "", answers, rows, shown, observed)]


def _lines(
    item: Item, outer: str, answers: Mapping[Key, Answer], rows: Rows, shown: Collection[Key], observed: bool
) -> Iterator[Line]:
    if item.type == "group":
        for place, instance in enumerate(rows.filled(item.link_id, outer) if item.repeats else [outer], 1):
            inside = [line for child in item.children for line in _lines(child, instance, answers, rows, shown, observed)]
            title = f"{item.text} {place}" if item.repeats else item.text
            yield from [{"title": title}] if inside and title else []
            yield from inside
        return
    answer = answers.get((item.link_id, outer))
    if answer is not None and answer.state is not State.MISSING and (item.link_id, outer) in shown:
        yield {"text": item.text, "words": answer_words(item, answer, observed=observed), "state": answer.state.value}
    for child in item.children:
        yield from _lines(child, outer, answers, rows, shown, observed)


def answer_words(item: Item, answer: Answer, *, observed: bool = False) -> str:
    """An answer with its unit; what a clinician rates is not declined but not assessed."""
    if answer.state is State.DECLINED and observed:
        return "Not assessed"
    unit = f" {item.unit}" if item.unit and answer.state is State.GIVEN and item.type in ("integer", "decimal", "quantity") else ""
    return to_words(answer) + unit
