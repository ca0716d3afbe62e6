"""What is known about an episode when something is written: its lock, its settings, its answers."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import replace

from django.utils import timezone

from clinic.models import Episode
from clinic.permissions import clinicians_of
from intake import answers as typed
from intake.answers import Key, State
from intake.branching import evaluate
from intake.evaluation import Filled, Person, Settings
from intake.models import Answer, Medicine, Response, RuleSetting
from intake.packet import packet
from intake.parameters import Parameters
from intake.responses import from_response

Known = Mapping[str, tuple[Response, Filled]]
Drafts = Iterable[tuple[Response, Filled]]
SUICIDE_SCREEN = "asq"


def lock_episode(episode: Episode) -> Episode:
    """The episode's row, locked until the transaction ends: whatever changes answers, flags or plans takes turns here."""
    return Episode.objects.select_for_update(of=("self",), no_key=True).select_related("patient").get(pk=episode.pk)


def effective_settings() -> Settings:
    """What the clinic has set by now: numbers, rules switched off, the questionnaires of its intake, its formulary."""
    rows = RuleSetting.objects.current()
    values = {rule_id: row.values["value"] for rule_id, row in rows.items() if "value" in row.values}
    off = frozenset(rule_id for rule_id, row in rows.items() if not row.enabled)
    return Settings(Parameters(values=values), off, tuple(packet()), Medicine.objects.formulary())


def person(episode: Episode) -> Person:
    return Person(age=episode.patient.age, sex=episode.patient.sex_at_birth)


def known(episode: Episode, drafts: Drafts = ()) -> Known:
    """The latest of each instrument: its draft where one is given, else what was submitted last."""
    found = {response.code: (response, _submitted(response)) for response in Response.objects.latest_of(episode)}
    before = found.get(SUICIDE_SCREEN)
    found |= {response.code: (response, filled) for response, filled in drafts}
    if SUICIDE_SCREEN in found:
        found[SUICIDE_SCREEN] = _with_history(episode, *found[SUICIDE_SCREEN], asked_before=before is not None)
    return found


def _with_history(episode: Episode, response: Response, filled: Filled, *, asked_before: bool) -> tuple[Response, Filled]:
    """A suicide screen with those before it, because one that is not complete does not take back what they found."""
    completed = Response.objects.completed_of(episode, SUICIDE_SCREEN) if asked_before else ()
    earlier = tuple(_submitted(one) for one in completed if one != response)
    others = Answer.objects.filter(response=response).exclude(state=State.MISSING).exclude(by__in=clinicians_of(episode.program_id))
    return response, replace(filled, earlier=earlier, by_clinicians=not others.exists())


def _submitted(response: Response) -> Filled:
    document = response.document
    answers = from_response(response.instrument.questionnaire, document)
    return Filled(response.instrument.questionnaire, answers, datetime.datetime.fromisoformat(document["authored"]))


def filled_drafts(episode: Episode) -> list[tuple[Response, Filled]]:
    """The drafts that hold at least one answer, given or declined."""
    drafts = {draft.pk: draft for draft in Response.objects.drafts_of(episode)}
    answers: dict[int, dict[Key, typed.Answer]] = {}
    last: dict[int, datetime.datetime] = {}
    for row in Answer.objects.filter(response__in=drafts).exclude(state=State.MISSING):
        item = drafts[row.response_id].instrument.questionnaire.by_id[row.link_id]
        answers.setdefault(row.response_id, {})[row.link_id, row.instance] = typed.from_json(item, State(row.state), row.value)
        last[row.response_id] = max(row.at, last.get(row.response_id, row.at))
    return [
        (draft, Filled(draft.instrument.questionnaire, answers[draft.pk], last[draft.pk]))
        for draft in drafts.values()
        if draft.pk in answers
    ]


def document(response: Response, filled: Filled) -> dict:
    """The frozen QuestionnaireResponse; `authored` is when the answers were last given."""
    document = evaluate(filled.questionnaire, filled.answers).response(timezone.get_current_timezone())
    return document | {"status": "completed", "authored": filled.at.isoformat(), "identifier": {"value": str(response.public_id)}}
