"""Writing an intake: two people on one draft, submits that happen once, flags that stand until somebody acts, a record of it all."""

import datetime
import itertools
import threading
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clinic import workflow
from clinic.actions import update_summary
from clinic.models import Episode, User
from clinic.transaction import acting
from intake import actions
from intake.answers import Answer as Given
from intake.answers import AnswerProblem, Key, State, from_json, parse_answer, to_json, to_words
from intake.content_files import questionnaire
from intake.flags import flags
from intake.models import Answer, Assessment, Flag, Instrument, Response, Result, Score
from intake.results import kinds
from plans.people import people
from tests.people import House, everything, make_house, recorded

DAYS = ("LA6568-5", "LA6569-3", "LA6570-1", "LA6571-9")  # not at all, several days, more than half the days, nearly every day


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def key_of(name: str) -> Key:
    link_id, _, instance = name.partition("~")
    return link_id, instance


def typed(code: str, given: Mapping[str, str]) -> dict[Key, Given]:
    """{"9": "LA6569-3"} as typed answers; "" takes an answer back, "declined" declines it."""
    form = questionnaire(code)
    answers = {}
    for name, text in given.items():
        key = key_of(name)
        answers[key] = parse_answer(form.by_id[key[0]], [text], text == "declined")
    return answers


class Page:
    """A questionnaire that somebody has open: it knows the draft and the versions it has read, as the browser's page does."""

    def __init__(self, by: User, episode: Episode, code: str) -> None:
        self.by, self.episode, self.code = by, episode, code
        self.basis = ""
        self.versions: dict[Key, int] = {}
        self.read()

    def read(self) -> None:
        with acting(self.by, "intake.edit"):
            draft = Response.objects.draft_of(self.episode, self.code)
            self.basis = actions.basis_of(self.episode, self.code, draft)
            self.versions = {key: row.version for key, row in Answer.objects.of(draft).items()}

    def save(self, given: Mapping[str, str], *, asked_again: bool = False) -> actions.Saved:
        instrument = Instrument.objects.get(code=self.code, active=True)
        with acting(self.by, "intake.edit"):
            saved = actions.save_answers(
                by=self.by, episode=self.episode, instrument=instrument, answers=typed(self.code, given), versions=self.versions,
                basis=self.basis, asked_again=asked_again,
            )  # fmt: skip
        collided = {conflict.key for conflict in saved.conflicts}
        self.basis = str(saved.response.public_id)
        self.versions = self.versions | {key: version for key, version in saved.versions.items() if key not in collided}
        return saved


def save(by: User, episode: Episode, code: str, given: Mapping[str, str]) -> actions.Saved:
    """Open the questionnaire and save at once."""
    return Page(by, episode, code).save(given)


def fill(by: User, episode: Episode, person: str, *codes: str) -> None:
    """Everything one of the six invented people answers, or the questionnaires named."""
    invented = people()[person]
    for code in codes or invented.answers:
        with acting(by, "intake.edit"):
            actions.save_answers(
                by=by, episode=episode, instrument=Instrument.objects.get(code=code, active=True), versions={},
                answers=invented.filled(code, timezone.localtime()),
                basis=actions.basis_of(episode, code, Response.objects.draft_of(episode, code)),
            )  # fmt: skip


def answered(by: User, episode: Episode, person: str) -> None:
    """The drafts of one of the six as the saves leave them, written at once: for tests that begin with a submit."""
    now, invented = timezone.now(), people()[person]
    about = {"program_id": episode.program_id, "patient_id": episode.patient_id}
    with acting(by, "intake.edit"):
        asked = Instrument.objects.current().filter(code__in=invented.answers)
        drafts = Response.objects.bulk_create(
            Response(**about, episode=episode, instrument=one, code=one.code, started_at=now, started_by=by, saved_at=now, saved_by=by)
            for one in asked
        )
        Answer.objects.bulk_create(
            Answer(
                **about, response=draft, link_id=link_id, instance=instance, state=answer.state, value=to_json(answer), by=by, at=now
            )
            for draft in drafts
            for (link_id, instance), answer in invented.filled(draft.code, timezone.localtime(now)).items()
        )  # fmt: skip
        update_summary(episode=episode, stage=workflow.INTAKE, due=(timezone.localdate(), "Finish the intake"))


def submit(by: User, episode: Episode, key: uuid.UUID | None = None) -> Assessment:
    with acting(by, "intake.submit"):
        return actions.submit(by=by, episode=episode, key=key or uuid.uuid4())


def record(by: User, episode: Episode, key: uuid.UUID | None = None, **given: Any) -> list[Result]:
    """record(nurse, episode, alt="6"): numbers are turned into numbers; taken just now, unless said otherwise."""
    about = {name: given.pop(name) for name in ("taken_at", "source", "name") if name in given}
    readings = {code: value if kinds()[code].choices else Decimal(value) for code, value in given.items()}
    with acting(by, "observation.enter"):
        return actions.record_results(
            by=by, episode=episode, readings=readings, key=key or uuid.uuid4(), **{"taken_at": timezone.now()} | about
        )  # fmt: skip


def acknowledge(by: User, episode: Episode, rule_id: str) -> Flag:
    with acting(by, "flag.acknowledge"):
        return actions.acknowledge(by=by, flag=standing(episode)[rule_id], action_taken="Talked it through.")


def standing(episode: Episode) -> dict[str, Flag]:
    return {flag.rule_id: flag for flag in Flag.objects.filter(episode=episode).standing()}


def stored(episode: Episode, code: str) -> dict[str, str]:
    """What the draft says now, in words."""
    form = questionnaire(code)
    rows = Answer.objects.of(Response.objects.draft_of(episode, code))
    return {key[0]: to_words(from_json(form.by_id[key[0]], State(row.state), row.value)) for key, row in rows.items()}


def together(*steps: Callable[[], Any]) -> list[Any]:
    """Each step in a thread with a connection of its own, all at once; what each gave back, or the exception it ended with."""
    barrier, results = threading.Barrier(len(steps)), [None] * len(steps)

    def run(place: int, step: Callable[[], Any]) -> None:
        try:
            barrier.wait(5)
            results[place] = step()
        except Exception as problem:
            results[place] = problem
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place, step)) for place, step in enumerate(steps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return results


# Two people on one draft


def test_the_same_question_answered_by_two_is_reported_with_both_answers_and_neither_is_lost(house: House) -> None:
    clerk, nurse = house.staff["intake"], house.staff["nurse"]
    one, two = Page(clerk, house.mine, "strengths"), Page(nurse, house.mine, "strengths")
    assert not two.save({"goals": "Sleep through a night"}).conflicts
    (conflict,) = one.save({"goals": "Keep my job"}).conflicts
    assert (conflict.key, to_words(conflict.mine), conflict.theirs.by) == (("goals", ""), "Keep my job", nurse)
    assert stored(house.mine, "strengths") == {"goals": "Sleep through a night"}


def test_what_does_not_collide_is_saved_although_something_else_did(house: House) -> None:
    clerk, nurse = house.staff["intake"], house.staff["nurse"]
    one, two = Page(clerk, house.mine, "strengths"), Page(nurse, house.mine, "strengths")
    two.save({"goals": "Sleep through a night", "hobbies": "Fishing"})
    saved = one.save({"goals": "Keep my job", "work": "Roofer"})
    assert [conflict.key[0] for conflict in saved.conflicts] == ["goals"]
    assert stored(house.mine, "strengths") == {"goals": "Sleep through a night", "hobbies": "Fishing", "work": "Roofer"}
    authors = {key[0]: row.by for key, row in Answer.objects.of(saved.response).items()}
    assert authors == {"goals": nurse, "hobbies": nurse, "work": clerk}


def test_the_same_answer_from_two_is_no_conflict_and_no_second_version(house: House) -> None:
    one, two = Page(house.staff["intake"], house.mine, "gad7"), Page(house.staff["nurse"], house.mine, "gad7")
    two.save({"1": DAYS[2]})
    saved = one.save({"1": DAYS[2]})
    assert not saved.conflicts
    assert saved.versions == {("1", ""): 1}


STEPS = ("A reads", "A writes", "B reads", "B writes")
ORDERS = [order for order in itertools.permutations(STEPS) if order.index("A reads") < order.index("A writes")]
ORDERS = [order for order in ORDERS if order.index("B reads") < order.index("B writes")]


@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
def test_no_order_of_two_peoples_steps_loses_an_answer_silently(house: House, order: tuple[str, ...]) -> None:
    who = {"A": house.staff["intake"], "B": house.staff["nurse"]}
    pages: dict[str, Page] = {}
    written, reported = [], []
    for step in order:
        name, _, what = step.partition(" ")
        if what == "reads":
            pages[name] = Page(who[name], house.mine, "strengths")
        else:
            saved = pages[name].save({"goals": f"words of {name}"})
            (reported if saved.conflicts else written).append(name)
    second = order[3][0]
    had_read_the_first = order.index(f"{second} reads") > order.index(f"{'B' if second == 'A' else 'A'} writes")
    assert reported == ([] if had_read_the_first else [second])
    assert stored(house.mine, "strengths")["goals"] == f"words of {written[-1]}"


def test_two_connections_saving_one_question_at_the_same_time_one_wins_and_one_is_told(real_transactions: None) -> None:
    house = make_house()
    staff = [house.staff["intake"], house.staff["nurse"], house.staff["counsellor"]]
    for link_id in ("1", "2", "3"):
        pages = [Page(user, house.mine, "gad7") for user in staff]
        steps = [lambda page=page, answer={link_id: DAYS[place]}: page.save(answer) for place, page in enumerate(pages)]
        results = together(*steps)
        winners = [place for place, saved in enumerate(results) if not saved.conflicts]
        assert len(winners) == 1
        assert all(saved.conflicts[0].theirs.by == staff[winners[0]] for saved in results if saved.conflicts)
        with everything():
            row = Answer.objects.of(Response.objects.draft_of(house.mine, "gad7"))[link_id, ""]
            assert (row.by, row.version) == (staff[winners[0]], 1)
    with everything():
        assert Response.objects.filter(episode=house.mine).count() == 1


def test_an_answer_taken_back_keeps_its_row_and_its_versions(house: House) -> None:
    page = Page(house.staff["nurse"], house.mine, "gad7")
    page.save({"1": DAYS[3]})
    page.save({"1": ""})
    saved = page.save({"1": "declined"})
    row = Answer.objects.of(saved.response)["1", ""]
    assert (row.state, row.value, row.version) == ("declined", [], 3)


def test_an_answer_outside_the_list_is_a_sentence() -> None:
    with pytest.raises(AnswerProblem, match="Please choose one of the answers shown"):
        typed("gad7", {"1": "LA0-0"})


# Submitting


def test_the_same_submit_twice_is_one_assessment(house: House) -> None:
    nurse, key = house.staff["nurse"], uuid.uuid4()
    fill(nurse, house.mine, "V5", "phq9", "asq")
    first, second = (submit(nurse, house.mine, key) for _ in range(2))
    assert first == second
    assert (Assessment.objects.filter(episode=house.mine).count(), Score.objects.filter(episode=house.mine).count()) == (1, 1)
    assert actions.was_submitted(house.mine, key)


def test_twenty_clicks_at_once_are_one_assessment(real_transactions: None) -> None:
    house = make_house()
    nurse, key = house.staff["nurse"], uuid.uuid4()
    fill(nurse, house.mine, "V5", "phq9", "asq", "gad7")
    results = together(*[lambda: submit(nurse, house.mine, key).pk] * 20)
    with everything():
        assert set(results) == {Assessment.objects.get(episode=house.mine).pk}
        assert Response.objects.filter(episode=house.mine, status="completed").count() == 3
        assert Score.objects.filter(episode=house.mine).count() == 2


def test_a_second_submit_with_nothing_new_is_refused(house: House) -> None:
    nurse = house.staff["nurse"]
    with pytest.raises(actions.NothingToSubmit):
        submit(nurse, house.mine)
    save(nurse, house.mine, "gad7", {"1": DAYS[1]})
    submit(nurse, house.mine)
    with pytest.raises(actions.NothingToSubmit):
        submit(nurse, house.mine)


def test_only_answers_taken_back_are_nothing_to_submit(house: House) -> None:
    page = Page(house.staff["nurse"], house.mine, "gad7")
    page.save({"1": DAYS[1]})
    page.save({"1": ""})
    with pytest.raises(actions.NothingToSubmit):
        submit(house.staff["nurse"], house.mine)


def test_a_page_still_open_when_the_intake_is_submitted_writes_nothing_into_it(house: House) -> None:
    late = Page(house.staff["intake"], house.mine, "gad7")
    late.save({"1": DAYS[1]})
    assessment = submit(house.staff["nurse"], house.mine)
    before = len(recorded())
    with pytest.raises(actions.AlreadySubmitted):
        late.save({"1": DAYS[3], "2": DAYS[3]})
    assert len(recorded()) == before
    assert [item["linkId"] for item in items_of(assessment.responses["gad7"]) if "answer" in item] == ["1"]


def items_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for item in document.get("item", []):
        found += [item, *items_of(item)]
    return found


def test_an_autosave_racing_the_submit_is_in_the_document_or_is_told_never_neither(real_transactions: None) -> None:
    house = make_house()
    clerk, nurse = house.staff["intake"], house.staff["nurse"]
    for _ in range(4):
        page = Page(clerk, house.mine, "gad7")
        page.save({"1": DAYS[1]})
        assessment, saved = together(lambda: submit(nurse, house.mine), lambda page=page: page.save({"2": DAYS[2]}))
        answered = {item["linkId"] for item in items_of(assessment.responses["gad7"]) if "answer" in item}
        refused = isinstance(saved, actions.AlreadySubmitted)
        assert answered == ({"1"} if refused else {"1", "2"})
        assert refused or not saved.conflicts


def test_a_submit_freezes_everything_and_moves_the_episode_on(house: House) -> None:
    nurse = house.staff["nurse"]
    answered(nurse, house.mine, "V5")
    assessment = submit(nurse, house.mine)
    house.mine.refresh_from_db()
    assert set(assessment.responses) == set(people()["V5"].answers)
    assert not Response.objects.drafts_of(house.mine).exists()
    assert all(document["status"] == "completed" for document in assessment.responses.values())
    assert (house.mine.stage, house.mine.next_due_what) == (workflow.ASSESSED, "Write the plan")
    assert house.mine.score_summary["phq9"] == {"label": "PHQ-9", "value": "13", "band": "moderate"}
    texts = dict(Score.objects.filter(assessment=assessment).values_list("code", "text"))
    assert texts == {
        "sud11": "5, moderate", "cows": "4, none/minimal", "phq9": "13, moderate", "gad7": "8, mild", "auditc": "1, negative",
        "dwc": "8", "peg": "7.3, severe", "pcptsd5": "0, negative",
        "bam": "use 1 (stands out), risk 12 (stands out), protective 13, satisfaction 2",
    }  # fmt: skip


def test_a_day_is_the_clinics_day(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """At half past eight in the evening in New York it is tomorrow in Greenwich; the last drink was seven days ago all the same."""
    evening = datetime.datetime(2026, 11, 25, 1, 30, tzinfo=datetime.UTC)
    monkeypatch.setattr(timezone, "now", lambda: evening)
    nurse = house.staff["nurse"]
    save(nurse, house.mine, "auditc", {"1": "LA18929-2", "2": "LA18932-6", "3": "LA6270-8", "last_drink_date": "2026-11-17"})
    facts = submit(nurse, house.mine)
    assert facts.facts["last_drink_days"] == 7
    assert facts.origins["auditc_positive"].startswith("AUDIT-C, 24 Nov 2026")


def test_an_answer_whose_question_no_longer_applies_is_kept_in_the_draft_and_counts_for_nothing(house: House) -> None:
    page = Page(house.staff["nurse"], house.mine, "medhx")
    page.save({"overdose_12m": "true", "overdose_30d": "true"})
    page.save({"overdose_12m": "false"})
    assert stored(house.mine, "medhx")["overdose_30d"] == "Yes"
    assessment = submit(house.staff["nurse"], house.mine)
    assert (assessment.facts["overdose_12m"], assessment.facts["overdose_30d"]) == (False, False)
    assert "overdose_30d" not in [item["linkId"] for item in items_of(assessment.responses["medhx"]) if "answer" in item]


# Treatment that cannot wait


def test_a_provisional_assessment_keeps_the_drafts_open_and_says_that_it_is_provisional(house: House) -> None:
    nurse, key = house.staff["nurse"], uuid.uuid4()
    fill(nurse, house.mine, "V4", "asq", "phq9")
    with acting(nurse, "plan.edit"):
        first, second = (actions.assess_provisionally(by=nurse, episode=house.mine, key=key) for _ in range(2))
    assert first == second
    assert (first.kind, first.provisional) == (Assessment.Kind.PROVISIONAL, True)
    assert first.facts["cssrs"] == "HIGH"
    assert sorted(draft.code for draft in Response.objects.drafts_of(house.mine)) == ["asq", "phq9"]
    assert not save(house.staff["intake"], house.mine, "phq9", {"1": DAYS[0]}).conflicts
    assert submit(nurse, house.mine).facts["phq9_low"] == 21


def test_a_submit_with_much_unanswered_is_provisional_and_a_whole_one_is_not(house: House) -> None:
    nurse = house.staff["nurse"]
    fill(nurse, house.mine, "V1", "phq9")
    assert submit(nurse, house.mine).provisional
    answered(nurse, house.mine, "V1")
    assert not submit(nurse, house.mine).provisional


# Flags that cannot wait for the submit

AT_ONCE = [
    ("Asked whether he thinks of killing himself right now: yes", "asq", {"1": "true", "5": "true"}, {"SF-01": 4}),
    ("Wished to be dead, not thinking of it now", "asq", {"1": "true", "5": "false"}, {"SF-02": 4}),
    ("Prefers not to say whether he wished to be dead", "asq", {"1": "declined"}, {"SF-02": 4}),
    ("PHQ-9 item 9 on several days, not screened", "phq9", {"9": DAYS[1]}, {"SF-04": 4}),
    ("Is not safe at home", "social", {"unsafe": "true"}, {"SF-12": 4}),
    ("Breathes 8 times a minute", "observed", {"respiratory_rate": "8"}, {"SF-15": 4}),
    ("Oxygen saturation 84%", "observed", {"spo2": "84"}, {"SF-15": 4}),
]
LATER = [
    ("PHQ-9 item 9 not at all", "phq9", {"9": DAYS[0]}),
    ("Pregnant", "medhx", {"pregnant": "yes"}),
    ("Yellow skin", "medhx", {"jaundice": "true"}),
    ("An overdose this month", "medhx", {"overdose_12m": "true", "overdose_30d": "true"}),
    ("7-OH tablets", "kuh", {"use_status": "current", "days_30": "30", "products.form~1": "7oh_tablet"}),
    ("A sedative every day", "substances", {"sedative_30d": "true", "sedative_daily": "true"}),
]


def test_five_flags_and_no_others_may_come_from_an_unfinished_intake() -> None:
    assert [rule.id for rule in flags().values() if rule.draft] == ["SF-01", "SF-02", "SF-04", "SF-12", "SF-15"]


@pytest.mark.parametrize(("said", "code", "given", "expected"), AT_ONCE, ids=[case[0] for case in AT_ONCE])
def test_what_cannot_wait_is_raised_by_the_save_itself(
    house: House, said: str, code: str, given: dict[str, str], expected: dict[str, int]
) -> None:
    clerk = house.staff["intake"]
    save(clerk, house.mine, code, given)
    assert {rule_id: flag.severity for rule_id, flag in standing(house.mine).items()} == expected
    (flag,) = standing(house.mine).values()
    assert (flag.raised_by, flag.assessment, flag.status) == (clerk, None, "open")
    house.mine.refresh_from_db()
    assert (house.mine.acuity, house.mine.acuity_reason, house.mine.unacknowledged) == (4, flag.name, 1)


@pytest.mark.parametrize(("said", "code", "given"), LATER, ids=[case[0] for case in LATER])
def test_what_can_wait_is_not_raised_before_the_submit(house: House, said: str, code: str, given: dict[str, str]) -> None:
    save(house.staff["intake"], house.mine, code, given)
    assert standing(house.mine) == {}


def test_a_same_day_suicide_screen_lowers_the_flag_of_item_9(house: House) -> None:
    nurse = house.staff["nurse"]
    save(nurse, house.mine, "phq9", {"9": DAYS[1]})
    save(nurse, house.mine, "asq", {"1": "false", "2": "false", "3": "false", "4": "false"})
    assert {rule_id: flag.severity for rule_id, flag in standing(house.mine).items()} == {"SF-04": 3}


def test_a_flag_that_an_answer_leaves_as_it_is_is_not_written_again(house: House) -> None:
    nurse = house.staff["nurse"]
    save(nurse, house.mine, "asq", {"1": "true", "5": "true"})
    assert {"SF-01"} <= standing(house.mine).keys()
    with CaptureQueriesContext(connection) as queries:
        save(nurse, house.mine, "gad7", {"1": DAYS[1]})
    written = [query["sql"] for query in queries if query["sql"].startswith(("UPDATE", "INSERT"))]
    assert not [sql for sql in written if "intake_flag" in sql or "clinic_episode" in sql], written


# Flags stand until somebody acts


def test_a_flag_that_no_longer_fires_stands_until_somebody_acts(house: House) -> None:
    clerk, nurse = house.staff["intake"], house.staff["nurse"]
    save(clerk, house.mine, "social", {"unsafe": "true"})
    save(clerk, house.mine, "social", {"unsafe": "false"})
    flag = standing(house.mine)["SF-12"]
    assert (flag.status, flag.still_fires) == ("open", False)
    house.mine.refresh_from_db()
    assert (house.mine.acuity, house.mine.unacknowledged) == (4, 1)
    assert acknowledge(nurse, house.mine, "SF-12").status == "resolved"
    house.mine.refresh_from_db()
    assert (house.mine.acuity, house.mine.acuity_reason, house.mine.unacknowledged) == (0, "", 0)


def test_an_acknowledged_flag_is_resolved_when_the_answer_changes_and_raised_anew_when_it_comes_back(house: House) -> None:
    nurse = house.staff["nurse"]
    save(nurse, house.mine, "social", {"unsafe": "true"})
    first = acknowledge(nurse, house.mine, "SF-12")
    assert (first.status, first.acknowledged_by, first.action_taken) == ("acknowledged", nurse, "Talked it through.")
    save(nurse, house.mine, "social", {"unsafe": "false"})
    assert standing(house.mine) == {}
    save(nurse, house.mine, "social", {"unsafe": "true"})
    again = standing(house.mine)["SF-12"]
    assert again.pk != first.pk and again.status == "open"


def test_of_critical_flags_the_danger_to_the_person_stands_before_the_interaction(house: House) -> None:
    """Rob takes other opioids and sedatives and thinks of suicide: the caseload gives one reason, and it is the last."""
    clerk = house.staff["intake"]
    answered(clerk, house.mine, "V6")
    submit(clerk, house.mine)
    critical = [rule_id for rule_id, flag in standing(house.mine).items() if flag.severity == Flag.Severity.CRITICAL]
    assert critical == ["SF-02", "SF-04", "IX-01", "IX-02", "IX-03"]
    house.mine.refresh_from_db()
    assert house.mine.acuity_reason == standing(house.mine)["SF-02"].name


def test_a_flag_that_gets_worse_is_opened_again(house: House) -> None:
    nurse = house.staff["nurse"]
    save(nurse, house.mine, "asq", {"1": "false", "2": "false", "3": "false", "4": "false"})
    save(nurse, house.mine, "phq9", {"9": DAYS[1]})
    acknowledge(nurse, house.mine, "SF-04")
    save(nurse, house.mine, "asq", {"1": ""})  # no screen of this day any more
    flag = standing(house.mine)["SF-04"]
    assert (flag.severity, flag.status, flag.acknowledged_by, flag.action_taken) == (4, "open", None, "")


def test_a_flag_that_stays_the_same_stays_acknowledged(house: House) -> None:
    nurse = house.staff["nurse"]
    save(nurse, house.mine, "phq9", {"9": DAYS[1]})
    acknowledge(nurse, house.mine, "SF-04")
    save(nurse, house.mine, "phq9", {"9": DAYS[1], "1": DAYS[1]})
    flag = standing(house.mine)["SF-04"]
    assert (flag.status, flag.acknowledged_by) == ("acknowledged", nurse)


@pytest.mark.parametrize("person", list(people()))
def test_the_acuity_of_the_episode_is_its_worst_standing_flag(house: House, person: str) -> None:
    supervisor = house.staff["supervisor"]
    fill(supervisor, house.mine, person)
    submit(supervisor, house.mine)
    for acknowledged in range(3):
        flags_now = standing(house.mine)
        worst = max((flag.severity for flag in flags_now.values()), default=0)
        still_open = [flag for flag in flags_now.values() if flag.status == "open"]
        house.mine.refresh_from_db()
        assert (house.mine.acuity, house.mine.unacknowledged) == (worst, len(still_open)), acknowledged
        assert house.mine.acuity_reason in [flag.name for flag in flags_now.values() if flag.severity == worst] or not flags_now
        if still_open:
            acknowledge(supervisor, house.mine, still_open[0].rule_id)


def test_one_finding_with_two_names_is_acknowledged_once(house: House) -> None:
    """SF-10 (liver) is a name of IX-12 (kratom and the liver); the other flags of V5 wait for their own acknowledgement."""
    nurse = house.staff["nurse"]
    answered(nurse, house.mine, "V5")
    submit(nurse, house.mine)
    acknowledge(nurse, house.mine, "IX-12")
    done = {rule_id for rule_id, flag in standing(house.mine).items() if flag.status == Flag.Status.ACKNOWLEDGED}
    assert done == {"IX-12", "SF-10"}
    assert Episode.objects.get(pk=house.mine.pk).unacknowledged == 3


def test_the_lesser_name_of_a_finding_does_not_acknowledge_the_graver_one(house: House) -> None:
    nurse = house.staff["nurse"]
    answered(nurse, house.mine, "V5")
    submit(nurse, house.mine)
    Flag.objects.filter(rule_id="SF-10").update(severity=Flag.Severity.CRITICAL)  # as a later version of the rules may say
    acknowledge(house.staff["case_manager"], house.mine, "IX-12")
    assert standing(house.mine)["SF-10"].status == Flag.Status.OPEN


def test_a_critical_flag_is_for_a_clinician_and_a_high_one_also_for_a_case_manager(house: House) -> None:
    case_manager, counsellor = house.staff["case_manager"], house.staff["counsellor"]
    save(counsellor, house.mine, "phq9", {"9": DAYS[1]})
    with pytest.raises(actions.NotForYou):
        acknowledge(case_manager, house.mine, "SF-04")
    assert standing(house.mine)["SF-04"].status == "open"
    save(counsellor, house.mine, "asq", {"1": "false", "2": "false", "3": "false", "4": "false"})
    assert acknowledge(case_manager, house.mine, "SF-04").acknowledged_by == case_manager


def test_a_clinician_of_another_program_does_not_count(house: House) -> None:
    save(house.staff["nurse"], house.mine, "social", {"unsafe": "true"})
    stranger = User.objects.get(username="stranger")
    with everything(), pytest.raises(actions.NotForYou):  # the action by itself: row security would not even show the flag
        acknowledge(stranger, house.mine, "SF-12")


def test_the_first_answers_of_a_new_screen_do_not_settle_what_the_last_whole_one_found(house: House) -> None:
    nurse = house.staff["nurse"]
    fill(nurse, house.mine, "V4", "asq")
    submit(nurse, house.mine)
    acknowledge(nurse, house.mine, "SF-01")
    save(house.staff["intake"], house.mine, "asq", {"1": "false"})
    assert standing(house.mine)["SF-01"].status == "acknowledged"


def test_two_who_acknowledge_at_the_same_time_are_one_acknowledgement(real_transactions: None) -> None:
    house = make_house()
    save(house.staff["nurse"], house.mine, "social", {"unsafe": "true"})
    two = [house.staff["nurse"], house.staff["counsellor"]]
    results = together(*[lambda user=user: acknowledge(user, house.mine, "SF-12").acknowledged_by for user in two])
    assert results[0] == results[1] and results[0] in two
    assert len(recorded(table="intake_flag", operation="UPDATE")) == 1


# The record

WRITES: list[tuple[str, str, set[str]]] = [
    ("save", "intake.edit", {"intake_response", "intake_answer", "intake_flag", "clinic_episode"}),
    ("submit", "intake.submit", {"intake_response", "intake_assessment", "intake_score", "intake_flag", "clinic_episode"}),
    ("provisional", "plan.edit", {"intake_assessment", "intake_score", "intake_flag", "clinic_episode"}),
    ("acknowledge", "flag.acknowledge", {"intake_flag", "intake_flagevent", "clinic_episode"}),
]


@pytest.mark.parametrize(("write", "action", "tables"), WRITES, ids=[case[0] for case in WRITES])
def test_every_write_is_recorded_with_who_and_why(house: House, write: str, action: str, tables: set[str]) -> None:
    nurse = house.staff["nurse"]

    def provisional() -> None:
        with acting(nurse, "plan.edit"):
            actions.assess_provisionally(by=nurse, episode=house.mine, key=uuid.uuid4())

    steps: dict[str, Callable[[], Any]] = {
        "save": lambda: save(nurse, house.mine, "phq9", {"9": DAYS[1]}),
        "submit": lambda: submit(nurse, house.mine),
        "provisional": provisional,
        "acknowledge": lambda: acknowledge(nurse, house.mine, "SF-04"),
    }
    if write != "save":
        steps["save"]()
    before = recorded()[-1].pk
    steps[write]()
    rows = recorded(id__gt=before)
    assert {row.table for row in rows} == tables
    assert {(row.user, row.action, row.patient_id, row.program_id) for row in rows} == {
        (nurse, action, house.mine.patient_id, house.program.pk)
    }


def test_the_record_keeps_what_an_answer_was_before(house: House) -> None:
    save(house.staff["intake"], house.mine, "strengths", {"goals": "Keep my job"})
    saved = save(house.staff["nurse"], house.mine, "strengths", {"goals": "Sleep"})
    row = Answer.objects.of(saved.response)["goals", ""]
    [change] = recorded(table="intake_answer", row=row.pk, operation="UPDATE")
    assert change.before is not None and change.after is not None
    assert (change.before["value"], change.after["value"]) == ([{"valueString": "Keep my job"}], [{"valueString": "Sleep"}])
    assert (change.before["by_id"], change.after["by_id"]) == (house.staff["intake"].pk, house.staff["nurse"].pk)


def test_saving_what_is_there_already_writes_nothing(house: House) -> None:
    page = Page(house.staff["nurse"], house.mine, "phq9")
    page.save({"9": DAYS[1], "1": DAYS[0]})
    before = len(recorded())
    page.save({"9": DAYS[1], "1": DAYS[0]})
    assert len(recorded()) == before


# The suicide screen again


def test_a_new_screen_that_was_only_begun_takes_nothing_back(house: House) -> None:
    """Marcus is HIGH; somebody answers one question of a second screen and treatment cannot wait."""
    nurse = house.staff["nurse"]
    answered(nurse, house.mine, "V4")
    submit(nurse, house.mine)
    acknowledge(nurse, house.mine, "SF-01")
    save(nurse, house.mine, "asq", {"1": "false"})
    assert standing(house.mine)["SF-01"].still_fires
    with acting(nurse, "intake.submit"):
        provisional = actions.assess_provisionally(by=nurse, episode=house.mine, key=uuid.uuid4())
    assert (provisional.facts["cssrs"], provisional.result["level"]["level"]) == ("HIGH", "4")
    again = submit(nurse, house.mine)
    assert again.facts["cssrs"] == "HIGH" and "SF-01" in standing(house.mine) and "SF-05" in standing(house.mine)
    save(nurse, house.mine, "asq", dict.fromkeys("1234", "false"))
    assert submit(nurse, house.mine).facts["cssrs"] == "NONE"
    assert "SF-01" not in standing(house.mine)


def test_a_screen_lowers_item_9_only_when_clinicians_asked_it(house: House) -> None:
    clerk, nurse = house.staff["intake"], house.staff["nurse"]
    save(clerk, house.mine, "phq9", {"9": DAYS[1]})
    save(clerk, house.mine, "asq", dict.fromkeys("1234", "false"))
    assert standing(house.mine)["SF-04"].severity == Flag.Severity.CRITICAL
    page = Page(nurse, house.mine, "asq")
    page.save(dict.fromkeys("1234", "true"))
    page.save(dict.fromkeys("1234", "false"))
    assert standing(house.mine)["SF-04"].severity == Flag.Severity.HIGH
    assert submit(nurse, house.mine).facts["suicide_screened_today"] is True


def test_a_clinician_who_asks_again_and_hears_the_same_becomes_the_author(house: House) -> None:
    clerk, nurse = house.staff["intake"], house.staff["nurse"]
    save(clerk, house.mine, "phq9", {"9": DAYS[1]})
    save(clerk, house.mine, "asq", dict.fromkeys("1234", "false"))
    page = Page(nurse, house.mine, "asq")
    page.save(dict.fromkeys("1234", "false"))
    assert standing(house.mine)["SF-04"].severity == Flag.Severity.CRITICAL  # saved unchanged is not asked
    page.save(dict.fromkeys("1234", "false") | {"5": ""}, asked_again=True)
    assert standing(house.mine)["SF-04"].severity == Flag.Severity.HIGH
    rows = Answer.objects.of(Response.objects.draft_of(house.mine, "asq"))
    assert {(key[0], row.by, row.version) for key, row in rows.items()} == {(item, nurse, 2) for item in "1234"}


# The emergency evaluation


def test_the_emergency_evaluation_is_recorded_once_by_a_clinician(house: House) -> None:
    nurse = house.staff["nurse"]
    save(nurse, house.mine, "asq", {"1": "true", "2": "false", "3": "false", "4": "false"})
    save(nurse, house.mine, "asq", {"5": "true"})
    flag = standing(house.mine)["SF-01"]
    assert list(Flag.objects.filter(episode=house.mine).holding()) == [flag]
    acknowledge(nurse, house.mine, "SF-01")
    assert Flag.objects.filter(episode=house.mine).holding().exists()  # to have seen it is not to have evaluated
    with pytest.raises(actions.NotForYou), acting(house.staff["case_manager"], "flag.acknowledge"):
        actions.record_evaluation(by=house.staff["case_manager"], flag=flag, evaluation="Looked fine to me")
    for said in ("Seen by the on-call psychiatrist, admitted.", "Something else"):
        with acting(nurse, "flag.acknowledge"):
            actions.record_evaluation(by=nurse, flag=flag, evaluation=said)
    flag = standing(house.mine)["SF-01"]
    assert (flag.evaluated_by, flag.evaluation) == (nurse, "Seen by the on-call psychiatrist, admitted.")
    assert not Flag.objects.filter(episode=house.mine).holding().exists()


def test_no_other_flag_asks_for_an_evaluation(house: House) -> None:
    nurse = house.staff["nurse"]
    save(nurse, house.mine, "phq9", {"9": DAYS[1]})
    with pytest.raises(ValueError, match="SF-04 asks for no emergency evaluation"), acting(nurse, "flag.acknowledge"):
        actions.record_evaluation(by=nurse, flag=standing(house.mine)["SF-04"], evaluation="Nothing to evaluate")
