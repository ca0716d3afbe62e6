"""The intake of one episode: which questionnaires, how far, and the review before it is submitted."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from clinic.cleaning import entry
from clinic.models import Episode
from clinic.permissions import requires
from clinic.views.reach import about, open_episode, within
from intake import actions
from intake.answers import Answer, Key, State, from_json
from intake.branching import Evaluation, evaluate
from intake.forms import id_of
from intake.models import Answer as Row
from intake.models import Instrument, Response
from intake.packet import may_fill, packet
from intake.questionnaire import Item, Questionnaire
from intake.views.flags import safety

SUBMITTED = "The intake is submitted."


@dataclass(frozen=True)
class Progress:
    """How many of the questions that apply have an answer, given or declined."""

    done: int
    total: int

    @property
    def whole(self) -> bool:
        return self.done == self.total

    @property
    def open(self) -> int:
        return self.total - self.done


def progress_of(
    questionnaire: Questionnaire, evaluation: Evaluation, stored: Mapping[Key, Answer], part: Item | None = None
) -> Progress:
    """Over one section, or the whole questionnaire. A list that applies and has no row yet counts as one question."""
    inside = {item.link_id for item in part.walk()} if part else set(questionnaire.by_id)
    open_ = sum(key[0] in inside for key in (*evaluation.unanswered, *without_rows(questionnaire, evaluation)))
    done = sum(
        key[0] in inside and key in evaluation.enabled and answer.state is not State.MISSING for key, answer in stored.items()
    )
    return Progress(done, done + open_)


def without_rows(questionnaire: Questionnaire, evaluation: Evaluation) -> list[Key]:
    """The repeating groups that apply and in which nothing is listed yet."""
    above = {
        link_id: len(questionnaire.repeating_above[link_id])
        for link_id, item in questionnaire.by_id.items()
        if item.type == "group" and item.repeats
    }
    return sorted(key for key in evaluation.enabled if key[0] in above and _depth(key[1]) == above[key[0]])


def _depth(instance: str) -> int:
    return len(instance.split(".")) if instance else 0


def waits(evaluation: Evaluation, part: Item) -> bool:
    """Whether what applies in a section still depends on an answer that nobody has given."""
    asked = {condition.question for item in part.walk() for condition in item.enable_when}
    return any(key[0] in asked for key in evaluation.unanswered)


@dataclass(frozen=True)
class Entry:
    """One questionnaire in this episode."""

    code: str
    title: str
    filled_by: str
    minutes: int
    url: str
    refusal: str
    progress: Progress
    unanswered: list[dict[str, str]]
    draft: Response | None
    submitted: Response | None


def entries(request: HttpRequest, episode: Episode) -> list[Entry]:
    """Every questionnaire of the packet in order, then what was asked besides, in a constant number of queries."""
    drafts = {draft.code: draft for draft in Response.objects.drafts_of(episode).select_related("saved_by")}
    submitted = {response.code: response for response in Response.objects.latest_of(episode)}
    active = {instrument.code: instrument for instrument in Instrument.objects.current()}
    rows: dict[int, dict[Key, Row]] = {}
    for row in Row.objects.filter(response__in=drafts.values()):
        rows.setdefault(row.response_id, {})[row.link_id, row.instance] = row
    observes = _observes(request, episode)
    made = []
    asked = packet([*packet(episode.program.packet), *drafts, *submitted])
    for code, listed in asked.items():
        draft = drafts.get(code)
        instrument = draft.instrument if draft else active.get(code)
        if instrument is None:
            continue
        answers = rows.get(draft.pk, {}) if draft else {}
        made.append(_entry(episode, listed, instrument, draft, submitted.get(code), answers, fills=may_fill(code, observes=observes)))
    return made


def more(request: HttpRequest, episode: Episode, listed: list[Entry]) -> list[dict[str, str]]:
    """What this person may ask besides the packet: title and address. A gated questionnaire is none before its permission."""
    observes, there = _observes(request, episode), {entry.code for entry in listed}
    return [
        {"title": instrument.title, "url": _url(episode, instrument.code)}
        for instrument in Instrument.objects.current()
        if instrument.code not in there and instrument.may_show_items and may_fill(instrument.code, observes=observes)
    ]


def _observes(request: HttpRequest, episode: Episode) -> bool:
    return bool(within(request.user, "observation.enter", [episode]))  # type: ignore[arg-type]


def _url(episode: Episode, code: str, number: int = 1) -> str:
    return reverse("section", kwargs={"episode_id": episode.public_id, "code": code, "number": number})


def _entry(
    episode: Episode, listed: Any, instrument: Instrument, draft: Response | None, submitted: Response | None, rows: dict[Key, Row],
    *, fills: bool,
) -> Entry:  # fmt: skip
    questionnaire = instrument.questionnaire
    stored = {key: from_json(questionnaire.by_id[key[0]], State(row.state), row.value) for key, row in rows.items()}
    evaluation = evaluate(questionnaire, stored)
    progress, open_ = progress_of(questionnaire, evaluation, stored), _open_questions(episode, listed.code, questionnaire, evaluation)
    refusal = "" if fills else "Rated by a clinician."
    if not instrument.may_show_items:  # what may not be shown cannot be asked, so none of it is open
        refusal, progress, open_ = "Needs a recorded permission first.", Progress(progress.done, progress.done), []
    return Entry(
        listed.code, instrument.title, listed.filled_by, listed.minutes, _url(episode, listed.code), refusal, progress, open_, draft,
        submitted,
    )  # fmt: skip


def _open_questions(episode: Episode, code: str, questionnaire: Questionnaire, evaluation: Evaluation) -> list[dict[str, str]]:
    """The unanswered questions that apply, each with a link to where it is asked."""
    found = []
    for place, part in enumerate(questionnaire.sections(), 1):
        inside = {item.link_id for item in part.walk()}
        page = _url(episode, code, place)
        for key in evaluation.unanswered:
            if key[0] in inside:
                found.append({"text": questionnaire.by_id[key[0]].text, "url": f"{page}#{id_of(key)}"})
        for link_id, _ in without_rows(questionnaire, evaluation):
            if link_id in inside:
                found.append({"text": f"No {questionnaire.by_id[link_id].text.lower()} listed yet", "url": f"{page}#rows-{link_id}"})
    return found


@requires("intake.edit")
def intake(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    episode = open_episode(request, episode_id)
    listed = entries(request, episode)
    context = about(request.user, episode) | safety(request.user, episode) | {  # type: ignore[arg-type]
        "entries": listed,
        "whole": all(entry.progress.whole for entry in listed),
        "begun": any(entry.draft for entry in listed),
        "minutes": sum(entry.minutes for entry in listed if not entry.refusal and not entry.progress.whole and not entry.submitted),
        "more": more(request, episode, listed),
        "next": next((entry for entry in listed if not entry.refusal and not entry.progress.whole and not entry.submitted), None),
    }  # fmt: skip
    return render(request, "intake/intake.html", context)


@requires("intake.submit")
def review(request: HttpRequest, episode_id: uuid.UUID) -> HttpResponse:
    """What is still unanswered, asked once; then everything is frozen and assessed."""
    episode = open_episode(request, episode_id)
    problem = ""
    if request.method == "POST":
        problem = _submit(request, episode)
        if not problem:
            return _after_submit(request, episode)
    listed = _to_submit(request, episode)
    context = about(request.user, episode) | safety(request.user, episode) | {  # type: ignore[arg-type]
        "entries": listed,
        "unanswered": _unanswered(listed),
        "begun": any(entry.draft for entry in listed),
        "key": entry(request.POST, "key") or uuid.uuid4(),
        "problem": problem,
    }  # fmt: skip
    return render(request, "intake/review.html", context, status=422 if problem else 200)


def _to_submit(request: HttpRequest, episode: Episode) -> list[Entry]:
    return [entry for entry in entries(request, episode) if entry.draft or (not entry.submitted and entry.progress.total)]


def _unanswered(listed: list[Entry]) -> int:
    return sum(entry.progress.open for entry in listed)


def _submit(request: HttpRequest, episode: Episode) -> str:
    """Submit, or the sentence that says what is missing."""
    try:
        key = uuid.UUID(entry(request.POST, "key"))
    except ValueError:
        return "This page has lost its mark against double submits. Reload it and submit again."
    unanswered = 0 if entry(request.POST, "seen") == "1" else _unanswered(_to_submit(request, episode))
    if unanswered and not actions.was_submitted(episode, key):
        return f"Please say that you have seen the {unanswered} unanswered questions, or answer them first."
    try:
        actions.submit(by=request.user, episode=episode, key=key)  # type: ignore[arg-type]
    except actions.NothingToSubmit:
        return "Nothing has been answered yet, so there is nothing to submit."
    return ""


def _after_submit(request: HttpRequest, episode: Episode) -> HttpResponse:
    """The assessment, which says so itself: a message for the next page would be another write, of the session."""
    if within(request.user, "scores.view", [episode]):  # type: ignore[arg-type]
        return redirect(reverse("assessment", kwargs={"episode_id": episode.public_id}) + "?submitted=1")
    messages.success(request, SUBMITTED)
    return redirect("chart", episode_id=episode.public_id)
