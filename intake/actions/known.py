"""What is known about an episode when something is written: its lock, its settings, its answers."""

import datetime
from collections.abc import Mapping

from clinic.models import Episode
from intake import answers as typed
from intake.answers import Key, State
from intake.branching import evaluate
from intake.evaluation import Filled, Person, Settings
from intake.models import Answer, Medicine, Response, RuleSetting
from intake.packet import packet
from intake.parameters import Parameters
from intake.responses import from_response

Known = Mapping[str, tuple[Response, Filled]]


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


def filled_drafts(episode: Episode) -> list[tuple[Response, Filled]]:
    """The drafts that hold at least one answer, given or declined."""
    drafts = Response.objects.drafts_of(episode)
    rows: dict[int, dict[Key, typed.Answer]] = {}
    by_id = {draft.pk: draft for draft in drafts}
    for row in Answer.objects.filter(response__in=by_id).exclude(state=State.MISSING):
        item = by_id[row.response_id].instrument.questionnaire.by_id[row.link_id]
        rows.setdefault(row.response_id, {})[row.link_id, row.instance] = typed.from_json(item, State(row.state), row.value)
    return [
        (draft, Filled(draft.instrument.questionnaire, rows[draft.pk], draft.saved_at or draft.started_at))
        for draft in by_id.values()
        if draft.pk in rows
    ]


def submitted(episode: Episode) -> dict[str, tuple[Response, Filled]]:
    """The latest submitted response of each instrument."""
    known = {}
    for response in Response.objects.latest_of(episode):
        questionnaire = response.instrument.questionnaire
        answers = from_response(questionnaire, response.document)
        known[response.code] = (response, Filled(questionnaire, answers, response.completed_at or response.started_at))
    return known


def document(response: Response, filled: Filled, at: datetime.datetime) -> dict:
    document = evaluate(filled.questionnaire, filled.answers).response()
    return document | {"status": "completed", "authored": at.isoformat(), "identifier": {"value": str(response.public_id)}}
