"""What is known about an episode when something is written: its lock, its settings, its answers."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from django.utils import timezone

from clinic.models import Episode, Program
from clinic.permissions import clinicians_of
from intake import answers as typed
from intake.answers import Key, State
from intake.branching import evaluate
from intake.evaluation import Filled, Person, Settings
from intake.facts.results import Measured, Told, told_by
from intake.facts.suicide import INSTRUMENTS
from intake.models import Answer, Medicine, Response, Result, RuleSetting
from intake.packet import packet
from intake.parameters import Parameters
from intake.responses import from_response
from intake.results import plain

SUICIDE_SCREENS = frozenset(INSTRUMENTS)
# Beside a result it matters when each of their answers was given.
TIMED = frozenset({"medhx", "observed"})
Known = Mapping[str, tuple[Response, Filled]]
Drafts = Iterable[tuple[Response, Filled]]


def lock_episode(episode: Episode) -> Episode:
    """The episode's row, locked until the transaction ends: whatever changes answers, flags or plans takes turns here."""
    return Episode.objects.select_for_update(of=("self",), no_key=True).select_related("patient", "program").get(pk=episode.pk)


def effective_settings(program: Program) -> Settings:
    """What the clinic has set by now: numbers, rules switched off, the questionnaires of the program's intake, its formulary."""
    rows = RuleSetting.objects.current()
    values = {rule_id: row.values["value"] for rule_id, row in rows.items() if "value" in row.values}
    return Settings(Parameters(values=values), _off(rows), tuple(packet(program.packet)), Medicine.objects.formulary())


def rules_off() -> frozenset[str]:
    """The rules and components that the clinic has switched off."""
    return _off(RuleSetting.objects.current())


def _off(rows: Mapping[str, RuleSetting]) -> frozenset[str]:
    return frozenset(rule_id for rule_id, row in rows.items() if not row.enabled)


def person(episode: Episode) -> Person:
    return Person(age=episode.patient.age, sex=episode.patient.sex_at_birth)


@dataclass
class Reading:
    """The answers of an episode as they stand under its lock. drafts, submitted: by code; rows: by response, of the drafts, the
    suicide screens and TIMED. screened: the suicide screens that were submitted before.
    """

    episode: Episode
    drafts: dict[str, Response]
    submitted: dict[str, Response]
    rows: dict[int, dict[Key, Answer]]
    screened: frozenset[str]


def read_answers(episode: Episode) -> Reading:
    """Everything answered in the episode so far, in two queries."""
    drafts: dict[str, Response] = {}
    submitted: dict[str, Response] = {}
    for response in Response.objects.standing_of(episode):
        (drafts if response.status == Response.Status.IN_PROGRESS else submitted)[response.code] = response
    besides = [submitted[code] for code in (SUICIDE_SCREENS | TIMED) & submitted.keys()]
    rows: dict[int, dict[Key, Answer]] = {response.pk: {} for response in (*drafts.values(), *besides)}
    for row in Answer.objects.filter(response__in=rows).by_whom(clinicians_of(episode.program_id)):
        rows[row.response_id][row.link_id, row.instance] = row
    return Reading(episode, drafts, submitted, rows, SUICIDE_SCREENS & submitted.keys())


def filled_drafts(reading: Reading) -> list[tuple[Response, Filled]]:
    """The drafts that hold at least one answer, given or declined."""
    filled = [(draft, _filled(draft, _given(reading, draft))) for draft in reading.drafts.values()]
    return [(draft, form) for draft, form in filled if form.answers]


def _given(reading: Reading, response: Response) -> dict[Key, Answer]:
    return {key: row for key, row in reading.rows[response.pk].items() if row.state != State.MISSING}


def _filled(draft: Response, rows: Mapping[Key, Answer]) -> Filled:
    form = draft.instrument.questionnaire
    answers = {key: typed.from_json(form.by_id[key[0]], State(row.state), row.value) for key, row in rows.items()}
    return Filled(form, answers, timezone.localtime(max((row.at for row in rows.values()), default=draft.started_at)))


def known(reading: Reading, drafts: Drafts = ()) -> Known:
    """The latest of each instrument: its draft where one is given, else what was submitted last."""
    found = {code: (response, _submitted(response)) for code, response in reading.submitted.items()}
    found |= {response.code: (response, filled) for response, filled in drafts}
    for code in SUICIDE_SCREENS & found.keys():
        found[code] = _with_history(reading, *found[code])
    for code in TIMED & found.keys():
        found[code] = _with_times(reading, *found[code])
    return found


def told(episode: Episode, forms: Mapping[str, Filled], at: datetime.datetime) -> Told:
    """What the episode's results say beside the filled questionnaires, in one query."""
    standing = [_measured(row) for row in Result.objects.standing_of(episode)]
    return told_by(person(episode), forms, standing, at)


def _measured(row: Result) -> Measured:
    value = None if row.value is None else Decimal(plain(row.value))
    return Measured(row.code, value, row.choice, timezone.localtime(row.taken_at), row.entered_at, str(row.by))


def _with_times(reading: Reading, response: Response, filled: Filled) -> tuple[Response, Filled]:
    return response, replace(filled, times={key: timezone.localtime(row.at) for key, row in _given(reading, response).items()})


def _with_history(reading: Reading, response: Response, filled: Filled) -> tuple[Response, Filled]:
    """A suicide screen with those before it, because one that is not complete does not take back what they found."""
    completed = Response.objects.completed_of(reading.episode, response.code) if response.code in reading.screened else ()
    earlier = tuple(_submitted(one) for one in completed if one != response)
    by_clinicians = all(row.by_clinician for row in _given(reading, response).values())
    return response, replace(filled, earlier=earlier, by_clinicians=by_clinicians)


def _submitted(response: Response) -> Filled:
    document = response.document
    answers = from_response(response.instrument.questionnaire, document)
    return Filled(response.instrument.questionnaire, answers, timezone.localtime(datetime.datetime.fromisoformat(document["authored"])))


def document(response: Response, filled: Filled) -> dict:
    """The frozen QuestionnaireResponse; `authored` is when the answers were last given."""
    document = evaluate(filled.questionnaire, filled.answers).response(timezone.get_current_timezone())
    return document | {"status": "completed", "authored": filled.at.isoformat(), "identifier": {"value": str(response.public_id)}}
