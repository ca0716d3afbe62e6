"""The life of a flag: what somebody did about it holds for the inputs it was done about, and every step stays readable."""

import datetime
import re
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from clinic.models import AccessEvent, Episode, Program, User
from clinic.transaction import acting
from intake import actions
from intake.answers import parse_answer
from intake.content_files import ContentError, questionnaire
from intake.flag_reasons import reasons
from intake.flags import what_changed
from intake.interactions import by_medicine
from intake.models import Flag, FlagEvent, Instrument
from tests.clinic.test_pages import client_of, page_of, words
from tests.intake.test_actions import DAYS, acknowledge, answered, fill, save, standing, submit
from tests.intake.test_pages import section
from tests.people import House, make_house, make_user, recorded

ASKED_NO = dict.fromkeys("1234", "false")


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def today(days: int = 0) -> datetime.date:
    return timezone.localdate() + datetime.timedelta(days)


def high(house: House) -> Flag:
    """A flag of V5 that is not critical: naloxone today."""
    answered(house.staff["nurse"], house.mine, "V5")
    submit(house.staff["nurse"], house.mine)
    return standing(house.mine)["SF-06"]


def critical(house: House) -> Flag:
    save(house.staff["nurse"], house.mine, "phq9", {"9": DAYS[1]})
    return standing(house.mine)["SF-04"]


def override(by: User, flag: Flag, code: str = "already_managed", reason: str = "") -> Flag:
    with acting(by, "flag.override"):
        return actions.override(by=by, flag=flag, reason_code=code, reason=reason)


def snooze(by: User, flag: Flag, until: datetime.date, code: str = "next_visit") -> Flag:
    with acting(by, "flag.override"):
        return actions.snooze(by=by, flag=flag, reason_code=code, reason="", until=until)


def enter_in_error(by: User, flag: Flag, reason: str = "The form was another person's.") -> Flag:
    with acting(by, "flag.override"):
        return actions.enter_in_error(by=by, flag=flag, reason=reason)


def now(flag: Flag) -> Flag:
    return Flag.objects.get(pk=flag.pk)


def history(flag: Flag) -> list[tuple[str, str]]:
    return [(event.what, event.reason) for event in FlagEvent.objects.filter(flag=flag).order_by("id")]


# Other inputs


def test_an_acknowledgement_holds_for_the_value_it_was_given_for(house: House) -> None:
    flag = critical(house)
    acknowledge(house.staff["nurse"], house.mine, "SF-04")
    save(house.staff["nurse"], house.mine, "phq9", {"9": DAYS[3]})
    flag = now(flag)
    assert (flag.status, flag.acknowledged_by, flag.action_taken) == ("open", None, "")
    assert flag.opened_because == "PHQ-9 item 9 was 1, is 3" and flag.opened_at is not None
    assert history(flag) == [("acknowledged", "Talked it through."), ("reopened", "PHQ-9 item 9 was 1, is 3")]
    house.mine.refresh_from_db()
    assert house.mine.unacknowledged == 1


def test_it_holds_when_the_same_answer_is_given_on_another_day_or_submitted(house: House) -> None:
    nurse = house.staff["nurse"]
    flag = critical(house)
    acknowledge(nurse, house.mine, "SF-04")
    submit(nurse, house.mine)
    before = now(flag).proof["inputs"]
    with acting(nurse, "setup"):
        Flag.objects.filter(pk=flag.pk).update(proof=flag.proof | {"inputs": [row | {"origin": "PHQ-9, 1 Jan 2026"} for row in before]})
    save(nurse, house.mine, "phq9", {"9": DAYS[1]})
    assert now(flag).status == "acknowledged" and now(flag).inputs == before


@pytest.mark.parametrize("done", ["overridden", "snoozed"])
def test_an_override_and_a_snooze_end_when_an_input_changes(house: House, done: str) -> None:
    nurse = house.staff["nurse"]
    flag = high(house)
    steps: dict[str, Callable[[], Flag]] = {
        "overridden": lambda: override(nurse, flag), "snoozed": lambda: snooze(nurse, flag, today(3)),
    }  # fmt: skip
    assert steps[done]().status == done
    save(nurse, house.mine, "medhx", {"overdose_12m": "true"})
    submit(nurse, house.mine)
    again = now(flag)
    assert (again.status, again.decided_by, again.reason_code, again.snoozed_until) == ("open", None, "", None)
    assert again.opened_because and history(flag)[-1] == ("reopened", again.opened_because)


def test_what_changed_is_said_for_values_and_for_what_came_or_went() -> None:
    was = [{"label": "COWS", "value": "9", "origin": "1 Jan"}, {"label": "Alcohol", "value": "yes", "origin": ""}]
    is_ = [{"label": "COWS", "value": "14", "origin": "2 Jan"}, {"label": "Age", "value": "17", "origin": ""}]
    assert what_changed(was, is_) == ["COWS was 9, is 14", "Alcohol (yes) counts no longer", "Age is new: 17"]
    assert what_changed(was, [row | {"origin": "another day"} for row in reversed(was)]) == []


# Overridden


def test_an_overridden_flag_stands_with_its_reason_and_asks_no_more(house: House) -> None:
    counsellor = house.staff["counsellor"]
    flag = high(house)
    asking = Episode.objects.get(pk=house.mine.pk).unacknowledged
    flag = override(counsellor, flag, "other", "Has three kits at home already")
    assert (flag.status, flag.decided_by, flag.reason_code, flag.acknowledged_by) == ("overridden", counsellor, "other", None)
    assert standing(house.mine)["SF-06"] == flag
    assert Episode.objects.get(pk=house.mine.pk).unacknowledged == asking - 1
    [event] = FlagEvent.objects.filter(flag=flag)
    assert (event.what, event.by, event.reason_code, event.inputs) == ("overridden", counsellor, "other", flag.inputs)


def test_a_critical_flag_is_overridden_only_once_it_is_acknowledged(house: House) -> None:
    nurse = house.staff["nurse"]
    flag = critical(house)
    with pytest.raises(actions.NotNow, match="acknowledged by a clinician first"):
        override(nurse, flag)
    acknowledge(nurse, house.mine, "SF-04")
    flag = override(nurse, flag)
    assert (flag.status, flag.acknowledged_by, flag.action_taken) == ("overridden", nurse, "Talked it through.")


def test_an_override_never_takes_away_the_hold(house: House) -> None:
    nurse = house.staff["nurse"]
    fill(nurse, house.mine, "V4", "asq")
    acknowledge(nurse, house.mine, "SF-01")
    flag = override(nurse, standing(house.mine)["SF-01"])
    assert list(Flag.objects.filter(episode=house.mine).holding()) == [flag]
    with pytest.raises(actions.NotNow, match="emergency evaluation is recorded first"):
        enter_in_error(nurse, flag)


def test_the_other_name_of_a_finding_is_overridden_with_it(house: House) -> None:
    flag = high(house)
    override(house.staff["nurse"], standing(house.mine)["IX-12"])
    assert {rule for rule, one in standing(house.mine).items() if one.status == "overridden"} == {"IX-12", "SF-10"}
    assert now(flag).status == "open"


@pytest.mark.parametrize("answer", ["overridden", "acknowledged"])
def test_what_somebody_acted_on_is_resolved_when_it_fires_no_longer(house: House, answer: str) -> None:
    nurse = house.staff["nurse"]
    flag = critical(house)
    acknowledge(nurse, house.mine, "SF-04")
    if answer == "overridden":
        override(nurse, flag)
    save(nurse, house.mine, "phq9", {"9": DAYS[0]})
    assert now(flag).status == "resolved" and history(flag)[-1][0] == "resolved"


# Put off


def test_a_flag_is_put_off_and_asks_again_by_itself_on_its_day(house: House) -> None:
    flag = snooze(house.staff["nurse"], high(house), today(2))
    assert not flag.asks and standing(house.mine)["SF-06"] == flag
    with acting(house.staff["nurse"], "setup"):
        Flag.objects.filter(pk=flag.pk).update(snoozed_until=today())
    assert now(flag).asks


def test_what_is_put_off_is_counted_among_what_nobody_has_acted_on(house: House) -> None:
    """So that the number of the caseload is right on the day it ends, when nobody writes anything."""
    flag = high(house)
    before = Episode.objects.get(pk=house.mine.pk).unacknowledged
    snooze(house.staff["nurse"], flag, today(2))
    assert Episode.objects.get(pk=house.mine.pk).unacknowledged == before
    acknowledge(house.staff["nurse"], house.mine, "SF-06")
    assert Episode.objects.get(pk=house.mine.pk).unacknowledged == before - 1
    assert (now(flag).status, now(flag).snoozed_until, now(flag).decided_by) == ("acknowledged", None, None)


@pytest.mark.parametrize("days", [-1, 0, 8])
def test_nothing_is_put_off_for_longer_than_a_week(house: House, days: int) -> None:
    flag = high(house)
    with pytest.raises(ValueError, match="1 to 7 days"):
        snooze(house.staff["nurse"], flag, today(days))
    assert snooze(house.staff["nurse"], flag, today(7)).snoozed_until == today(7)


def test_a_critical_flag_is_never_put_off(house: House) -> None:
    flag = critical(house)
    with pytest.raises(actions.NotNow, match="cannot be put off"):
        snooze(house.staff["nurse"], flag, today(1))
    with pytest.raises(IntegrityError), transaction.atomic(), acting(house.staff["nurse"], "setup"):
        Flag.objects.filter(pk=flag.pk).update(
            status="snoozed", snoozed_until=today(1), decided_at=timezone.now(), decided_by=house.staff["nurse"]
        )


def test_nothing_is_put_off_for_ever(house: House) -> None:
    flag = snooze(house.staff["nurse"], high(house), today(1))
    with acting(house.staff["nurse"], "setup"):
        Flag.objects.filter(pk=flag.pk).update(snoozed_until=today(-1))
    assert "once for the same answers" in now(flag).refuses(Flag.Status.SNOOZED)
    assert now(flag).refuses(Flag.Status.OVERRIDDEN) == ""


def test_what_was_put_off_asks_again_when_it_fires_no_longer(house: House) -> None:
    nurse = house.staff["nurse"]
    save(nurse, house.mine, "phq9", {"9": DAYS[1]})
    save(nurse, house.mine, "asq", ASKED_NO)
    flag = snooze(nurse, standing(house.mine)["SF-04"], today(2))
    save(nurse, house.mine, "phq9", {"9": DAYS[0]})
    assert (now(flag).status, now(flag).still_fires, now(flag).opened_because) == ("open", False, "It no longer fires")


# Entered in error


def test_what_was_entered_in_error_stands_no_longer_and_stays_readable(house: House) -> None:
    nurse = house.staff["nurse"]
    flag = critical(house)
    with pytest.raises(ValueError, match="at least 10 characters"):
        enter_in_error(nurse, flag, "wrong")
    enter_in_error(nurse, flag)
    assert standing(house.mine) == {} and now(flag).reason == "The form was another person's."
    assert Episode.objects.get(pk=house.mine.pk).acuity == 0
    assert history(flag) == [("in error", "The form was another person's.")]


def test_it_comes_back_from_other_inputs_and_not_from_the_same(house: House) -> None:
    nurse = house.staff["nurse"]
    flag = critical(house)
    enter_in_error(nurse, flag)
    save(nurse, house.mine, "phq9", {"8": DAYS[1]})
    submit(nurse, house.mine)
    assert "SF-04" not in standing(house.mine)
    save(nurse, house.mine, "phq9", {"9": DAYS[2]})
    again = standing(house.mine)["SF-04"]
    assert (again.pk, again.status, again.opened_because) == (flag.pk, "open", "PHQ-9 item 9 was 1, is 2")


def test_it_comes_back_when_it_was_gone_in_between(house: House) -> None:
    nurse = house.staff["nurse"]
    flag = critical(house)
    enter_in_error(nurse, flag)
    save(nurse, house.mine, "phq9", {"9": DAYS[0]})
    assert (now(flag).status, now(flag).still_fires) == ("in error", False)
    save(nurse, house.mine, "phq9", {"9": DAYS[1]})
    assert (now(flag).status, now(flag).opened_because) == ("open", "It fires again")


# Who, and what is written


DECISIONS: dict[str, Callable[[User, Flag], Flag]] = {
    "override": override, "snooze": lambda by, flag: snooze(by, flag, today(1)), "enter_in_error": enter_in_error,
}  # fmt: skip


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_decision_is_a_clinicians_and_is_recorded_once(house: House, decision: str) -> None:
    flag = high(house)
    with pytest.raises(actions.NotForYou):
        DECISIONS[decision](house.staff["case_manager"], flag)
    last = recorded()[-1].pk
    for _ in range(2):
        DECISIONS[decision](house.staff["nurse"], flag)
    rows = recorded(id__gt=last)
    assert [row.table for row in rows if row.table != "clinic_episode"] == ["intake_flag", "intake_flagevent"]
    assert {(row.user, row.action, row.patient_id) for row in rows} == {(house.staff["nurse"], "flag.override", house.mine.patient_id)}


@pytest.mark.parametrize(("code", "words"), [("made_up", ""), ("next_visit", ""), ("other", "short")])
def test_the_reason_of_an_override_is_one_of_the_list(house: House, code: str, words: str) -> None:
    flag = high(house)
    with pytest.raises(ValueError, match="reason"):
        override(house.staff["nurse"], flag, code, words)
    assert now(flag).status == "open"


def test_the_emergency_evaluation_is_in_the_history(house: House) -> None:
    nurse = house.staff["nurse"]
    fill(nurse, house.mine, "V4", "asq")
    flag = standing(house.mine)["SF-01"]
    with acting(nurse, "flag.acknowledge"):
        actions.record_evaluation(by=nurse, flag=flag, evaluation="Seen and admitted.")
    assert history(flag) == [("evaluated", "Seen and admitted.")]


def test_an_event_is_never_changed(house: House) -> None:
    acknowledge(house.staff["nurse"], house.mine, critical(house).rule_id)
    event = FlagEvent.objects.get()
    with pytest.raises(TypeError, match="never changed"):
        event.save()


def test_a_list_of_reasons_that_cannot_be_used_is_refused(tmp_path: Any) -> None:
    assert {code for code, reason in reasons().items() if reason.words} == {"other"}
    header = "source: x\nlicence: x\nauthor: x\nchecker: null\nlast_reviewed: null\nreview_date: null\nversion: '1'\nreasons:\n"
    row = "  - {code: a, label: A, for: [override]}\n"
    for number, (rows, word) in enumerate([(row * 2, "twice"), (row.replace("override", "ignore"), "must name")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "flag_reasons.yaml").write_text(header + rows)
        with pytest.raises(ContentError, match=word):
            reasons(folder)


# The pages


def at(name: str, flag: Flag) -> str:
    return reverse(name, kwargs={"episode_id": flag.episode.public_id, "flag_id": flag.public_id})


def seen(house: House, role: str, address: str) -> str:
    return words(client_of(house.staff[role]).get(address).content.decode())


def test_a_flag_is_overridden_on_its_page_for_a_reason_of_the_list(house: House) -> None:
    flag, client = high(house), client_of(house.staff["counsellor"])
    assert at("override", flag) in client.get(at("flag", flag)).content.decode()
    assert "not yet clinically reviewed" in words(client.get(at("override", flag)).content.decode())
    assert client.post(at("override", flag), {"reason_code": "other", "reason": ""}).status_code == 422
    assert client.post(at("override", flag), {"reason_code": "next_visit", "reason": ""}).status_code == 422
    assert now(flag).status == "open"
    assert client.post(at("override", flag), {"reason_code": "already_managed", "reason": "Kit given"})["Location"] == at("flag", flag)
    page = words(client.get(at("flag", flag)).content.decode())
    assert re.search(r"Overridden by Counsellor Tester, [^:]*:\d\d: It is managed already: “Kit given”", page), page
    chart = words(client.get(page_of("chart", house.mine)).content.decode())
    assert f"1 overridden : {flag.name}" in chart


def test_a_flag_is_put_off_on_its_page_until_a_day_of_the_next_seven(house: House) -> None:
    flag, client = high(house), client_of(house.staff["nurse"])
    far = client.post(at("snooze", flag), {"until": today(8), "reason_code": "next_visit", "reason": ""})
    assert far.status_code == 422 and "at the latest" in far.content.decode()
    assert client.post(at("snooze", flag), {"until": today(3), "reason_code": "next_visit", "reason": ""}).status_code == 302
    assert f"1 put off : {flag.name}" in words(client.get(page_of("chart", house.mine)).content.decode())
    with acting(house.staff["nurse"], "setup"):
        Flag.objects.filter(pk=flag.pk).update(snoozed_until=today())
    assert "put off :" not in words(client.get(page_of("chart", house.mine)).content.decode())


def test_where_a_decision_cannot_be_made_a_sentence_says_why(house: House) -> None:
    flag, client = critical(house), client_of(house.staff["nurse"])
    page = words(client.get(at("flag", flag)).content.decode())
    assert "Put off: A critical flag cannot be put off." in page and at("snooze", flag) not in client.get(at("flag", flag)).content.decode()
    answer = client.post(at("snooze", flag), {"until": today(1), "reason_code": "next_visit", "reason": ""})
    assert answer.status_code == 409 and "cannot be put off" in answer.content.decode()
    assert "<textarea" not in client.get(at("override", flag)).content.decode()


def test_an_open_flag_says_what_changed_since_somebody_acted(house: House) -> None:
    nurse = house.staff["nurse"]
    flag = critical(house)
    acknowledge(nurse, house.mine, "SF-04")
    save(nurse, house.mine, "phq9", {"9": DAYS[3]})
    assert "Open again: PHQ-9 item 9 was 1, is 3." in seen(house, "nurse", page_of("chart", house.mine))
    page = seen(house, "nurse", at("flag", flag))
    told = r"Opened again by Nurse Tester, .* Acknowledged by Nurse Tester, .* Raised by Nurse Tester"
    assert re.search(told, page.partition("History")[2])


@pytest.mark.parametrize(("role", "reads"), [("intake", False), ("peer", False), ("case_manager", False), ("supervisor", True)])
def test_the_history_is_read_as_far_as_the_answers_are(house: House, role: str, reads: bool) -> None:
    flag = critical(house)
    acknowledge(house.staff["nurse"], house.mine, "SF-04")
    save(house.staff["nurse"], house.mine, "phq9", {"9": DAYS[3]})
    page = seen(house, role, at("flag", flag))
    assert "Acknowledged by Nurse Tester" in page
    assert ("was 1, is 3" in page) is reads
    assert ("What it rested on then" in page) is reads
    assert ("Talked it through." in page) is (role not in ("intake", "peer"))
    assert ("Other steps" in page) is (role == "supervisor")


def test_what_was_entered_in_error_is_off_the_chart_and_on_its_page(house: House) -> None:
    flag, client = critical(house), client_of(house.staff["nurse"])
    assert client.post(at("enter_in_error", flag), {"reason": "wrong"}).status_code == 422
    assert client.post(at("enter_in_error", flag), {"reason": "Typed into the wrong chart"}).status_code == 302
    page = words(client.get(at("flag", flag)).content.decode())
    assert flag.name not in words(client.get(page_of("chart", house.mine)).content.decode())
    assert "Typed into the wrong chart" in page and "does not stand any more" in page


# The clock of a critical flag


def waits(flag: Flag, minutes: int) -> None:
    """As if it had been raised that long ago."""
    with acting(flag.raised_by, "setup"):
        Flag.objects.filter(pk=flag.pk).update(raised_at=timezone.now() - datetime.timedelta(minutes=minutes))


def escalated(house: House, role: str = "supervisor") -> str:
    return seen(house, role, reverse("escalated"))


def test_a_critical_flag_says_by_when_it_is_to_be_acknowledged_and_then_whom_it_is_escalated_to(house: House) -> None:
    flag, chart = critical(house), page_of("chart", house.mine)
    waits(flag, 29)
    page = seen(house, "nurse", chart)
    assert f"To be acknowledged by {timezone.localtime(now(flag).due_at):%H:%M}." in page and "Not acknowledged" not in page
    waits(flag, 42)
    for role in ("nurse", "peer"):
        assert "Not acknowledged for 42 min. Supervisor: Supervisor Tester, X." in seen(house, role, chart), role
    for name in ("flag", "override", "snooze", "enter_in_error", "acknowledge"):
        assert "Supervisor: Supervisor Tester, X." in seen(house, "nurse", at(name, flag)), name
    assert "(not acknowledged for 42 min)" in seen(house, "nurse", section(house.mine, "gad7"))
    acknowledge(house.staff["nurse"], house.mine, "SF-04")
    assert "Not acknowledged" not in seen(house, "nurse", chart)


def test_the_program_says_how_long_it_may_take(house: House) -> None:
    flag = critical(house)
    waits(flag, 42)
    with acting(house.staff["supervisor"], "setup"):
        Program.objects.filter(pk=house.program.pk).update(acknowledge_minutes=45)
    assert "Nothing waits too long" in escalated(house) and "Not acknowledged" not in seen(house, "nurse", page_of("chart", house.mine))
    field = Program._meta.get_field("acknowledge_minutes")
    for minutes, allowed in ((4, False), (5, True), (240, True), (241, False)):
        with nullcontext() if allowed else pytest.raises(ValidationError):
            field.run_validators(minutes)


def test_the_supervisor_reads_what_waits_too_long_and_opens_the_chart(house: House) -> None:
    flag = critical(house)
    assert "Nothing waits too long" in escalated(house)
    waits(flag, 185)
    html = client_of(house.staff["supervisor"]).get(reverse("escalated")).content.decode()
    assert page_of("chart", house.mine) in html and "3 h 5 min" in words(html) and flag.name in words(html)
    assert re.search(r'Escalated <span class="st-chip">1<', html)
    event = AccessEvent.objects.filter(view="escalated").latest("id")
    assert event.patients == [house.mine.patient_id]
    acknowledge(house.staff["nurse"], house.mine, "SF-04")
    html = client_of(house.staff["supervisor"]).get(reverse("escalated")).content.decode()
    assert "Nothing waits too long" in html and 'Escalated <span class="st-chip">' not in html


def test_it_is_for_the_supervisors_of_the_program_alone(house: House) -> None:
    waits(critical(house), 42)
    assert client_of(house.staff["nurse"]).get(reverse("escalated")).status_code == 403
    assert "Escalated" not in client_of(house.staff["nurse"]).get(reverse("caseload")).content.decode()
    with acting(house.staff["supervisor"], "setup"):
        elsewhere = make_user("far", ("supervisor", house.elsewhere))
    assert "Minecanary" not in client_of(elsewhere).get(reverse("escalated")).content.decode()


def test_the_clock_starts_anew_when_a_flag_is_opened_again_or_becomes_critical(house: House) -> None:
    nurse = house.staff["nurse"]
    flag = critical(house)
    acknowledge(nurse, house.mine, "SF-04")
    waits(flag, 100)
    save(nurse, house.mine, "phq9", {"9": DAYS[3]})
    assert now(flag).asks and not now(flag).overdue
    save(nurse, house.mine, "asq", ASKED_NO)
    with acting(nurse, "setup"):
        Flag.objects.filter(pk=flag.pk).update(opened_at=timezone.now() - datetime.timedelta(minutes=99))
    assert now(flag).due_at is None, "high since it was asked about"
    save(nurse, house.mine, "asq", {"1": ""})
    assert now(flag).severity == Flag.Severity.CRITICAL and not now(flag).overdue


def test_the_list_costs_the_same_for_one_flag_and_for_many(house: House) -> None:
    supervisor = house.staff["supervisor"]
    client, counts = client_of(supervisor), []
    for episode in (house.mine, house.other):
        save(house.staff["intake"], episode, "phq9", {"9": DAYS[1]})
        save(house.staff["intake"], episode, "social", {"unsafe": "true"})
        for flag in Flag.objects.filter(episode=episode):
            waits(flag, 42)
        with CaptureQueriesContext(connection) as queries:
            page = client.get(reverse("escalated")).content.decode()
        counts.append(len(queries))
    assert page.count("42 min</strong>") == 4 and counts[0] == counts[1]


# Interactions that rest on the same medicine


def tick(house: House, medicines: dict[str, tuple[str, ...]]) -> None:
    """A kratom user with these medicines (name: classes), submitted."""
    nurse, episode = house.staff["nurse"], house.mine
    fill(nurse, episode, "V5", "kuh")
    form = questionnaire("medicines")
    given = {("any_medicines", ""): parse_answer(form.by_id["any_medicines"], ["true"], False)}
    for row, (name, classes) in enumerate(medicines.items(), 1):
        given["medicines.name", str(row)] = parse_answer(form.by_id["medicines.name"], [name], False)
        given["medicines.classes", str(row)] = parse_answer(form.by_id["medicines.classes"], list(classes), False)
    with acting(nurse, "intake.edit"):
        actions.save_answers(
            by=nurse, episode=episode, instrument=Instrument.objects.get(code="medicines", active=True), answers=given, versions={},
            basis=actions.basis_of(episode, "medicines", None),
        )  # fmt: skip
    submit(nurse, episode)


def test_rules_stand_under_the_medicine_that_most_of_them_share() -> None:
    assert by_medicine({"IX-08": ["a", "b"], "IX-09": ["b"], "IX-10": ["b"], "IX-13": ["a"]}) == {"b": ["IX-08", "IX-09", "IX-10"]}
    two = {"IX-08": ["a"], "IX-09": ["a"], "IX-10": ["b"], "IX-13": ["b"]}
    assert by_medicine(two) == {"a": ["IX-08", "IX-09"], "b": ["IX-10", "IX-13"]}
    assert by_medicine({"IX-08": ["a"], "IX-09": ["b"], "SF-06": ["a"], "IX-01": []}) == {}


def test_a_flag_names_the_medicines_it_rests_on_and_a_person_reads_them_under_one_heading(house: House) -> None:
    tick(house, {"Venlafaxine": ("serotonergic", "cyp2d6_substrate"), "Pregabalin": ("gabapentinoid",)})
    assert standing(house.mine)["IX-09"].medicines == ["Venlafaxine"] and standing(house.mine)["IX-05"].medicines == ["Pregabalin"]
    page = seen(house, "nurse", page_of("chart", house.mine))
    assert "Venlafaxine: IX-08, IX-09" in page and "Pregabalin:" not in page
    assert "Venlafaxine" not in seen(house, "case_manager", page_of("chart", house.mine)), "who does not read the answers"


def test_they_are_acknowledged_together_with_the_same_words(house: House) -> None:
    tick(house, {"Venlafaxine": ("serotonergic", "cyp2d6_substrate"), "Pregabalin": ("gabapentinoid",)})
    client, flags = client_of(house.staff["nurse"]), standing(house.mine)
    chart = client.get(page_of("chart", house.mine)).content.decode()
    assert f"{at('acknowledge', flags['IX-08'])}?together=1" in chart
    alone = client.get(at("acknowledge", flags["IX-08"])).content.decode()
    html = client.get(at("acknowledge", flags["IX-08"]) + "?together=1").content.decode()
    assert flags["IX-09"].name in html and flags["IX-05"].name not in html
    assert html.count("checked") == 1 and "checked" not in alone
    sent = {"action_taken": "Pharmacist asked", "together": [str(flags["IX-09"].public_id)]}
    assert client.post(at("acknowledge", flags["IX-08"]), sent).status_code == 302
    done = {rule for rule, flag in standing(house.mine).items() if flag.status == "acknowledged"}
    assert done == {"IX-08", "IX-09"} and now(flags["IX-09"]).action_taken == "Pharmacist asked"
    assert [event for flag in (flags["IX-08"], flags["IX-09"]) for event in history(flag)] == [("acknowledged", "Pharmacist asked")] * 2


def test_what_was_not_offered_is_not_acknowledged_with_it(house: House) -> None:
    tick(house, {"Venlafaxine": ("serotonergic", "cyp2d6_substrate"), "Pregabalin": ("gabapentinoid",)})
    flags = standing(house.mine)
    sent = {"action_taken": "Pharmacist asked", "together": [str(flags["IX-05"].public_id)]}
    assert client_of(house.staff["nurse"]).post(at("acknowledge", flags["IX-08"]), sent).status_code == 422
    assert {now(flag).status for flag in flags.values()} == {"open"}


def test_a_critical_one_among_them_needs_a_clinician_and_all_are_of_one_episode(house: House) -> None:
    tick(house, {"Venlafaxine": ("serotonergic", "cyp2d6_substrate")})
    flags, case_manager = standing(house.mine), house.staff["case_manager"]
    with acting(house.staff["nurse"], "setup"):
        Flag.objects.filter(pk=flags["IX-09"].pk).update(severity=Flag.Severity.CRITICAL)
    with pytest.raises(actions.NotForYou), acting(case_manager, "flag.acknowledge"):
        actions.acknowledge(by=case_manager, flag=flags["IX-08"], action_taken="Seen", together=[flags["IX-09"]])
    save(house.staff["intake"], house.other, "phq9", {"9": DAYS[1]})
    elsewhere = Flag.objects.get(episode=house.other)
    supervisor = house.staff["supervisor"]
    with pytest.raises(ValueError, match="two episodes"), acting(supervisor, "flag.acknowledge"):
        actions.acknowledge(by=supervisor, flag=flags["IX-08"], action_taken="Seen", together=[elsewhere])
    assert {now(flag).status for flag in (*flags.values(), elsewhere)} == {"open"}
