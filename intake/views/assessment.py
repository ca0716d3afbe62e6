"""What the intake came to: safety first, interactions, level of care, scores, strengths, and every answer."""

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from clinic.permissions import requires
from clinic.views.reach import about, in_full, open_episode, within
from intake.answers import State
from intake.content_files import read
from intake.level_of_care import FILE as LEVELS
from intake.models import Assessment
from intake.responses import said
from intake.summary import TOXICOLOGY, kratom_lines
from intake.views.answers import submitted
from intake.views.flags import safety
from intake.views.level import level_of_care
from intake.views.overview import SUBMITTED
from intake.views.results import newest_of

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
        "may_enter": bool(within(request.user, "observation.enter", [episode])),  # type: ignore[arg-type]
        "may_answer": bool(within(request.user, "intake.edit", [episode])),  # type: ignore[arg-type]
        "responses": submitted(request.user, episode),  # type: ignore[arg-type]
        "said": SUBMITTED if "submitted" in request.GET else "",
    }
    if latest and full:
        result = latest.result
        context |= level_of_care(request.user, episode, latest)  # type: ignore[arg-type]
        context |= {"result": result, "levels": _bars(result), "addons": _addons(result), "waiting": _waiting(result)}
        context |= {"kratom": list(kratom_lines(latest.facts)), "toxicology": TOXICOLOGY, "medical_check": _medical_check(latest.facts)}
        if in_full(request.user, "intake.view", episode):  # type: ignore[arg-type]
            context |= {"own_words": list(_own_words(latest)), "results": newest_of(episode)}
    return render(request, "intake/assessment.html", context)


def _bars(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The five needs as rating components: five boxes each."""
    return [need | {"boxes": [place <= need["rating"] for place in range(1, 5)]} for need in result["needs"]]


def _addons(result: Mapping[str, Any]) -> list[str]:
    """What is added to the level, in words."""
    names = {row["code"]: row["name"] for row in read(LEVELS)["addons"]}
    return [names.get(code, code) for code in result["level"]["addons"]]


# What cannot be told yet

ASK = "Cannot tell yet: ask "
RULE = re.compile(r"^((?:SF|IX)-\d\d) \(rules\)$")


def _waiting(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rules that cannot be decided yet, each with what to ask."""
    asks = {row["rule_id"]: _asks(row["sentence"]) for row in result["undecided"]}
    return [row | {"ask": _followed(asks, row["rule_id"])} for row in result["undecided"]]


def _asks(sentence: str) -> list[str]:
    """What a sentence says to ask."""
    return sentence.partition(ASK)[2].removesuffix(".").split("; ")


def _followed(asks: Mapping[str, list[str]], rule_id: str, seen: frozenset[str] = frozenset()) -> list[str]:
    """What to ask for a rule; where it waits for another rule, what to ask for that one."""
    found: list[str] = []
    for part in asks.get(rule_id, []):
        other = RULE.match(part)
        if other is None:
            found.append(part)
        elif other[1] not in seen:
            found += _followed(asks, other[1], seen | {rule_id})
    return list(dict.fromkeys(found))


def _medical_check(facts: Mapping[str, Any]) -> bool:
    """Confusion nearly every day, or seen by the clinician: delirium, sedatives or a head injury come first (2.17)."""
    return facts.get("cmd_4") == 3 or facts.get("disorientation_observed") is True


# In their own words


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
