"""What the intake came to: safety first, interactions, level of care, scores, strengths, and every answer."""

import datetime
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from clinic.access_table import OWN_ANSWERS_HOURS
from clinic.models import Episode, User
from clinic.permissions import may, requires
from clinic.views.reach import about, in_full, open_episode, within
from intake.answers import State
from intake.models import Assessment, Response
from intake.packet import packet
from intake.responses import said
from intake.views.flags import safety

OWN_WORDS = ("strengths", "goals", "coping", "culture_faith", "hobbies", "work", "preferences")


@requires("scores.view")
def assessment(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    latest = Assessment.objects.latest_of(episode)
    full = in_full(request.user, "scores.view", episode)  # type: ignore[arg-type]
    context = about(request.user, episode) | safety(request.user, episode) | {  # type: ignore[arg-type]
        "assessment": latest,
        "full": full,
        "may_plan": bool(within(request.user, "plan.edit", [episode])),  # type: ignore[arg-type]
        "may_answer": bool(within(request.user, "intake.edit", [episode])),  # type: ignore[arg-type]
        "responses": _responses(request.user, episode),  # type: ignore[arg-type]
    }
    if latest and full:
        context |= {"result": latest.result, "levels": _bars(latest.result)}
        if in_full(request.user, "intake.view", episode):  # type: ignore[arg-type]
            context["own_words"] = list(_own_words(latest))
    return render(request, "intake/assessment.html", context)


def _bars(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The five needs as rating components: five boxes each."""
    return [need | {"boxes": [place <= need["rating"] for place in range(1, 5)]} for need in result["needs"]]


def _own_words(latest: Assessment) -> Iterator[tuple[str, str]]:
    """What the person said in their own words, from the strengths questionnaire."""
    for item in _items(latest.responses.get("strengths", {}).get("item", [])):
        if item["linkId"] in OWN_WORDS:
            state, words = said(item)
            if state == State.GIVEN:
                yield item["text"], words


def _items(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        yield item
        yield from _items(item.get("item", []))


def _responses(user: User, episode: Episode) -> list[dict[str, Any]]:
    """Each submitted questionnaire; its answers for those who may read them: the minimum is only that it was filled."""
    if not may(user, "intake.view") or not within(user, "intake.view", [episode]):
        return []
    full = in_full(user, "intake.view", episode)
    order = list(packet())
    listed = sorted(Response.objects.latest_of(episode), key=lambda row: order.index(row.code) if row.code in order else len(order))
    return [
        {
            "title": response.instrument.title,
            "completed_at": response.completed_at,
            "completed_by": response.completed_by,
            "credit": response.instrument.credit_line,
            "answers": list(_answers(response)) if full or _own(user, response) else [],
        }
        for response in listed
    ]


def _own(user: User, response: Response) -> bool:
    """Whoever submitted an intake may read its answers for a day."""
    if response.completed_by_id != user.pk or response.completed_at is None:
        return False
    return timezone.now() - response.completed_at <= datetime.timedelta(hours=OWN_ANSWERS_HOURS)


def _answers(response: Response) -> Iterator[dict[str, str]]:
    for item in _items((response.document or {}).get("item", [])):
        if "answer" in item or "extension" in item:
            state, words = said(item)
            yield {"text": item.get("text", ""), "words": words, "state": state}


