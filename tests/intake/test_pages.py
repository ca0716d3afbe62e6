"""The pages of the intake as each person meets them: saved as they are typed, with and without JavaScript, by one or by two."""

import re
import uuid
from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse, QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from clinic.models import Episode
from clinic.transaction import acting
from intake.models import Answer, Assessment, Flag, Instrument, Response
from intake.packet import packet
from plans.people import people
from tests.clinic.test_pages import client_of, page_of, words
from tests.intake.test_actions import DAYS, answered, fill, save, standing, stored, submit
from tests.people import PASSWORD, House, make_house, make_user

NEVER, MONTHLY = "LA6270-8", "LA18926-8"


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def section(episode: Episode, code: str, number: int = 1) -> str:
    return reverse("section", kwargs={"episode_id": episode.public_id, "code": code, "number": number})


def house_item(code: str, link_id: str) -> Any:
    return Instrument.objects.get(code=code, active=True).questionnaire.by_id[link_id]


class Controls(HTMLParser):
    """What a browser would send of the form “answers”: every field with its value, choices only when they are ticked."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sent: dict[str, list[str]] = {}
        self.inside, self.area, self.menu = "<main" not in html, "", ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "form":
            self.inside = given.get("id") == "answers"
        elif not self.inside:
            return
        elif tag == "input" and (given.get("type") not in ("radio", "checkbox") or "checked" in given):
            self.sent.setdefault(name, []).append(given.get("value", ""))
        elif tag == "textarea":
            self.area = name
            self.sent.setdefault(name, []).append("")
        elif tag == "select":
            self.menu = name
        elif tag == "option" and "selected" in given:
            self.sent.setdefault(self.menu, []).append(given["value"])

    def handle_data(self, data: str) -> None:
        if self.area:
            self.sent[self.area][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.area = ""
        if tag == "form":
            self.inside = False


class Sheet:
    """One section open in a browser. `type` sends the whole form as an autosave, `press` as a button without JavaScript."""

    def __init__(self, client: Client, episode: Episode, code: str, number: int = 1) -> None:
        self.client, self.url = client, section(episode, code, number)
        self.html = client.get(self.url).content.decode()
        self.sent = Controls(self.html).sent

    def type(self, **given: Any) -> HttpResponse:
        """Autosave; its answer changes the marks of the page, as htmx would."""
        response = self._post(given, HTTP_HX_REQUEST="true")
        fresh = Controls(response.content.decode()).sent
        self.sent |= {name: values for name, values in fresh.items() if name == "basis" or name.startswith("v-")}
        self.sent.setdefault("shown", []).extend(set(fresh.get("shown", [])) - set(self.sent.get("shown", [])))
        return response

    def press(self, button: str = "next", value: str = "1", **given: Any) -> HttpResponse:
        """Send the form by a button; when the page comes back it is the one that is open now."""
        response = self._post(given | {button: value})
        if response.status_code in (409, 422):
            self.html = response.content.decode()
            self.sent = Controls(self.html).sent
        return response

    def _post(self, given: dict[str, Any], **headers: str) -> HttpResponse:
        changes = {self._name(name): value for name, value in given.items()}
        self.sent |= {name: [value] for name, value in changes.items() if name.startswith("a-")}
        return self.client.post(self.url, self.sent | changes, **headers)  # type: ignore[return-value, arg-type]

    @staticmethod
    def _name(name: str) -> str:
        buttons = ("next", "add", "remove", "ask_remove", "ask_decline", "decline_section", "asked_again")
        return name if "-" in name or name in buttons else f"a-{name}"


def marks(response: HttpResponse) -> dict[str, str]:
    """The version marks in an answer, by question."""
    return dict(re.findall(r'id="v-a-([^"]+)" value="(\d+)"', response.content.decode()))


# Saved as it is typed


def test_an_autosave_answers_with_the_versions_and_the_draft_and_no_page(house: House) -> None:
    sheet = Sheet(client_of(house.staff["intake"]), house.mine, "gad7")
    first = sheet.type(**{"1": DAYS[1]})
    assert first.status_code == 200 and "<html" not in first.content.decode()
    assert marks(first)["1"] == "1" and marks(first)["2"] == "0"
    assert sheet.sent["basis"] == [str(Response.objects.get(episode=house.mine).public_id)]
    second = sheet.type(**{"1": DAYS[2], "2": DAYS[0]})
    assert (marks(second)["1"], marks(second)["2"]) == ("2", "1")
    assert stored(house.mine, "gad7") == {"1": "More than half the days", "2": "Not at all"}


def test_an_autosave_shows_a_safety_flag_at_once_with_the_crisis_line(house: House) -> None:
    sheet = Sheet(client_of(house.staff["nurse"]), house.mine, "phq9")
    html = sheet.type(**{"9": DAYS[1]}).content.decode()
    assert "PHQ-9 item 9 positive" in html and "988" in html
    assert "PHQ-9 item 9 positive" not in sheet.html and "988 (Suicide" not in sheet.html


def test_an_answer_that_opens_a_question_brings_it_and_one_that_closes_it_takes_it_away(house: House) -> None:
    sheet = Sheet(client_of(house.staff["intake"]), house.mine, "asq")
    opened = sheet.type(**{"1": "true"}).content.decode()
    assert "Are you having thoughts of killing yourself right now?" in opened
    sheet.type(**{"5": "false"})
    closed = sheet.type(**{"1": "false"}).content.decode()
    assert '<div id="w-a-5" hx-swap-oob="true"></div>' in closed
    assert stored(house.mine, "asq") == {"1": "No", "5": "No"}, "the hidden answer is kept, and counts for nothing"
    assert 'name="a-5"' not in Sheet(client_of(house.staff["nurse"]), house.mine, "asq").html


def test_a_clinician_says_that_they_asked_the_suicide_screen_themselves(house: House) -> None:
    """The front desk typed it; nothing but the author changes, and only a clinician is offered to become it."""
    desk, nurse = client_of(house.staff["intake"]), client_of(house.staff["nurse"])
    Sheet(desk, house.mine, "asq").press(**dict.fromkeys("1234", "false"))
    assert "asked_again" not in Sheet(desk, house.mine, "asq").html
    sheet = Sheet(nurse, house.mine, "asq")
    assert "Intake Tester asked this." in words(sheet.html)
    answer = sheet.press("asked_again")
    assert answer.status_code == 302 and answer["Location"].endswith("#content")
    assert "asked_again" not in Sheet(nurse, house.mine, "asq").html
    Sheet(desk, house.mine, "asq").press("asked_again")
    assert set(Answer.objects.filter(response__code="asq").values_list("by__username", flat=True)) == {"nurse"}


def test_anyone_allowed_continues_the_draft_of_a_colleague(house: House) -> None:
    Sheet(client_of(house.staff["intake"]), house.mine, "strengths").type(goals="Keep my job")
    sheet = Sheet(client_of(house.staff["counsellor"]), house.mine, "strengths")
    assert sheet.sent["a-goals"] == ["Keep my job"]
    assert sheet.type(hobbies="Fishing").status_code == 200
    authors = {key[0]: row.by for key, row in Answer.objects.of(Response.objects.get(episode=house.mine)).items()}
    assert authors == {"goals": house.staff["intake"], "hobbies": house.staff["counsellor"]}


def test_what_the_page_did_not_show_cannot_be_written_or_wiped_by_a_post(house: House) -> None:
    client = client_of(house.staff["intake"])
    Sheet(client, house.mine, "gad7").type(**{"1": DAYS[1]})
    client.post(section(house.mine, "gad7"), {"a-1": "", "a-2": DAYS[3]})
    assert stored(house.mine, "gad7") == {"1": "Several days"}


# Without JavaScript


def test_without_javascript_the_button_saves_and_goes_on_to_the_next_questionnaire(house: House) -> None:
    response = Sheet(client_of(house.staff["intake"]), house.mine, "phq9").press(**{"1": DAYS[1]})
    assert (response.status_code, response["Location"]) == (302, section(house.mine, "gad7"))
    assert stored(house.mine, "phq9") == {"1": "Several days"}


def test_without_javascript_a_question_that_opened_is_asked_before_going_on(house: House) -> None:
    client = client_of(house.staff["intake"])
    sheet = Sheet(client, house.mine, "auditc")
    response = sheet.press(**{"1": MONTHLY})
    assert response["Location"] == section(house.mine, "auditc") + "?more=1"
    page = client.get(response["Location"]).content.decode()
    assert "One of them opened more questions below" in words(page) and 'name="a-2"' in page


@pytest.mark.parametrize(("role", "after_social"), [("intake", "strengths"), ("nurse", "observed")])
def test_the_next_questionnaire_is_one_that_this_person_may_fill(house: House, role: str, after_social: str) -> None:
    client = client_of(house.staff[role])
    assert Sheet(client, house.mine, "social", 2).press()["Location"] == section(house.mine, after_social)


def test_the_last_section_leads_to_the_review(house: House) -> None:
    client = client_of(house.staff["intake"])
    last = max(number for number in range(1, 9) if client.get(section(house.mine, "strengths", number)).status_code == 200)
    assert Sheet(client, house.mine, "strengths", last).press()["Location"] == page_of("review", house.mine)


# Two people, one answer


def two_answer(house: House, mine: str, theirs: str) -> Sheet:
    """My page is open; a colleague answers meanwhile and I have not seen it. Then I type `mine`, and something else."""
    me = Sheet(client_of(house.staff["intake"]), house.mine, "strengths")
    Sheet(client_of(house.staff["nurse"]), house.mine, "strengths").type(goals=theirs)
    me.sent |= {"a-goals": [mine], "a-hobbies": ["Fishing"]}
    return me


def test_without_javascript_a_conflict_is_a_page_with_both_answers_and_the_rest_is_saved(house: House) -> None:
    me = two_answer(house, "Keep my job", "Sleep through a night")
    assert me.press().status_code == 409
    page = words(me.html)
    assert re.search(r"Nurse Tester answered this at .*: Sleep through a night \. Here you answered: Keep my job \.", page)
    assert me.sent["a-goals"] == ["Keep my job"]
    assert stored(house.mine, "strengths") == {"goals": "Sleep through a night", "hobbies": "Fishing"}


def test_an_autosave_reports_a_conflict_with_both_answers_and_saves_the_rest(house: House) -> None:
    me = two_answer(house, "Keep my job", "Sleep through a night")
    response = me.type()
    html = response.content.decode()
    assert response.status_code == 409
    assert "Sleep through a night" in html and "Keep my job" in html and 'value="mine"' in html
    assert stored(house.mine, "strengths") == {"goals": "Sleep through a night", "hobbies": "Fishing"}


@pytest.mark.parametrize("javascript", [True, False])
def test_a_conflict_stays_one_until_somebody_has_chosen(house: House, javascript: bool) -> None:
    me = two_answer(house, "Keep my job", "Sleep through a night")
    send = me.type if javascript else me.press
    send()
    assert send(work="Roofer").status_code == 409
    assert stored(house.mine, "strengths") == {"goals": "Sleep through a night", "hobbies": "Fishing", "work": "Roofer"}


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize(("choice", "stands"), [("mine", "Keep my job"), ("theirs", "Sleep through a night")])
def test_choosing_settles_the_conflict(house: House, javascript: bool, choice: str, stands: str) -> None:
    me = two_answer(house, "Keep my job", "Sleep through a night")
    send = me.type if javascript else me.press
    seen = re.search(r'name="cv-a-goals" value="(\d+)"', send().content.decode())
    assert seen is not None and seen[1] == "1"
    assert send(**{"c-a-goals": choice, "cv-a-goals": seen[1]}).status_code in (200, 302)
    assert stored(house.mine, "strengths")["goals"] == stands


def test_a_conflict_names_its_question_and_whose_the_other_answer_is(house: House) -> None:
    me = two_answer(house, "Keep my job", "Sleep through a night")
    me.press()
    question = house_item("strengths", "goals").text
    card = me.html.partition("st-conflict")[2].partition("</label>")[0]
    assert question in card and "Nurse Tester" in card
    assert me.html.index('id="c-a-goals"') < me.html.index("st-conflict") < me.html.index('id="q-goals"'), "beside its question"


def test_two_tabs_of_one_person_are_not_somebody_else(house: House) -> None:
    client = client_of(house.staff["intake"])
    me, tab = Sheet(client, house.mine, "strengths"), Sheet(client, house.mine, "strengths")
    tab.type(goals="Sleep through a night")
    page = me.type(goals="Keep my job").content.decode()
    assert "You, in another tab, answered this" in page and "Intake Tester" not in page


def test_the_card_of_a_conflict_goes_once_chosen_and_the_question_shows_what_stands(house: House) -> None:
    me = two_answer(house, "Keep my job", "Sleep through a night")
    me.press()
    chosen = me.type(**{"c-a-goals": "theirs", "cv-a-goals": "1"}).content.decode()
    assert "st-conflict" not in chosen and '<div id="conflicts" hx-swap-oob="innerHTML"></div>' in chosen
    frame = chosen.partition('<div id="w-a-goals" hx-swap-oob="true">')[2].partition("</textarea>")[0]
    assert frame.endswith("Sleep through a night"), "else the next autosave would write the old words over it"


def test_choosing_mine_over_an_answer_that_was_changed_once_more_is_a_conflict_again(house: House) -> None:
    me = two_answer(house, "Keep my job", "Sleep through a night")
    me.press()
    Sheet(client_of(house.staff["counsellor"]), house.mine, "strengths").type(goals="Be there for my son")
    assert me.press(**{"c-a-goals": "mine", "cv-a-goals": "1"}).status_code == 409
    assert "Be there for my son" in words(me.html) and "Keep my job" in words(me.html)
    assert stored(house.mine, "strengths")["goals"] == "Be there for my son"


def test_after_a_conflict_ones_own_saved_answers_do_not_collide_with_oneself(house: House) -> None:
    me = two_answer(house, "Keep my job", "Sleep through a night")
    me.press()
    assert me.press(**{"c-a-goals": "theirs", "hobbies": "Fishing at night"}).status_code == 302
    assert stored(house.mine, "strengths")["hobbies"] == "Fishing at night"


def test_a_page_opened_before_anything_was_answered_is_told_that_somebody_has_submitted_since(house: House) -> None:
    nurse = house.staff["nurse"]
    early = Sheet(client_of(house.staff["counsellor"]), house.mine, "phq9")
    save(nurse, house.mine, "phq9", {"1": DAYS[1]})
    submit(nurse, house.mine)
    assert early.type(**{"1": DAYS[3]}).status_code == 409
    assert not Response.objects.drafts_of(house.mine).exists()
    again = Sheet(client_of(nurse), house.mine, "phq9")  # filled once more on purpose
    assert again.type(**{"1": DAYS[3]}).status_code == 200
    assert Response.objects.drafts_of(house.mine).count() == 1


@pytest.mark.parametrize("forged", ["5", "-1", "9" * 40, "x", ""])
def test_a_version_that_no_answer_has_had_is_no_failure_and_the_answer_is_kept(house: House, forged: str) -> None:
    sheet = Sheet(client_of(house.staff["nurse"]), house.mine, "gad7")
    assert sheet.press(**{"v-a-1": forged, "a-1": DAYS[1]}).status_code == 302
    assert stored(house.mine, "gad7") == {"1": "Several days"}


@pytest.mark.parametrize("forged", ["x", "00000000-0000-0000-0000-000000000007", "after x", "\x00"])
def test_a_page_that_began_from_nothing_we_know_writes_nothing(house: House, forged: str) -> None:
    save(house.staff["nurse"], house.mine, "phq9", {"1": DAYS[1]})
    answer = client_of(house.staff["nurse"]).post(section(house.mine, "phq9"), {"basis": forged, "shown": "a-2", "a-2": DAYS[1]})
    assert answer.status_code == 409 and stored(house.mine, "phq9") == {"1": "Several days"}


def test_a_page_of_a_submitted_questionnaire_says_so_and_writes_nothing(house: House) -> None:
    sheet = Sheet(client_of(house.staff["intake"]), house.mine, "gad7")
    sheet.type(**{"1": DAYS[1]})
    submit(house.staff["nurse"], house.mine)
    for response in (sheet.type(**{"2": DAYS[1]}), sheet.press()):
        assert response.status_code == 409
        assert "was submitted since you opened the page" in response.content.decode()
    assert not Response.objects.drafts_of(house.mine).exists()


# What cannot be read


@pytest.mark.parametrize("javascript", [True, False])
def test_what_cannot_be_read_is_kept_on_the_page_and_the_rest_is_saved(house: House, javascript: bool) -> None:
    sheet = Sheet(client_of(house.staff["intake"]), house.mine, "strengths", 3)
    given = {"importance": "eleven", "confidence": "4"}
    response = sheet.type(**given) if javascript else sheet.press(**given)
    assert response.status_code == 422
    assert "Please write a whole number" in response.content.decode()
    assert stored(house.mine, "strengths") == {"confidence": "4"}
    if not javascript:
        assert (sheet.sent["a-importance"], sheet.sent["a-confidence"]) == (["eleven"], ["4"])


def test_after_a_mistake_the_corrected_page_goes_through_also_where_more_was_changed(house: House) -> None:
    sheet = Sheet(client_of(house.staff["intake"]), house.mine, "strengths", 3)
    sheet.press(importance="11", confidence="4")
    assert sheet.press(importance="10", confidence="5").status_code == 302
    assert stored(house.mine, "strengths") == {"importance": "10", "confidence": "5"}


@pytest.mark.parametrize("text", ["\x00", "\ud800", "1e400", "NaN", "٣", "9" * 400, "' OR 1=1"])
def test_hostile_text_in_a_number_is_a_sentence_and_nothing_is_written(house: House, text: str) -> None:
    sheet = Sheet(client_of(house.staff["intake"]), house.mine, "strengths", 3)
    body = "&".join(f"shown={name}" for name in sheet.sent["shown"]) + "&a-importance="
    raw = body.encode() + "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass")).encode()
    response = sheet.client.post(sheet.url, raw, content_type="application/x-www-form-urlencoded")
    assert response.status_code == 422
    assert "Please" in words(response.content.decode())
    assert not Answer.objects.filter(response__episode=house.mine).exists()


def test_markup_in_an_answer_is_text(house: House) -> None:
    client = client_of(house.staff["intake"])
    Sheet(client, house.mine, "strengths").type(goals="</textarea><script>alert(1)</script>")
    html = client.get(section(house.mine, "strengths")).content.decode()
    assert "<script>alert(1)" not in html and "&lt;script&gt;alert(1)" in html


# Log-in lost in mid-form


@pytest.mark.parametrize("javascript", [True, False])
def test_a_session_that_ends_in_mid_form_loses_nothing_that_was_saved(house: House, javascript: bool) -> None:
    client = Client()
    assert client.login(username="intake", password=PASSWORD)
    sheet = Sheet(client, house.mine, "gad7")
    sheet.type(**{"1": DAYS[1]})
    client.logout()
    sheet.sent["a-2"] = [DAYS[2]]
    response = sheet.type() if javascript else sheet.press()
    page, _, query = response["Location"].partition("?")
    assert (response.status_code, page) == (302, "/accounts/login/")
    assert QueryDict(query).dict() == {"next": sheet.url, "unsaved": "1"}
    assert stored(house.mine, "gad7") == {"1": "Several days"}
    back = client.post(response["Location"], {"login": "intake", "password": PASSWORD})
    assert (back.status_code, back["Location"]) == (302, sheet.url)
    assert Controls(client.get(sheet.url).content.decode()).sent["a-1"] == [DAYS[1]]
    assert sheet.type().status_code == 200, "the page that stayed open saves by itself what was waiting"
    assert stored(house.mine, "gad7") == {"1": "Several days", "2": "More than half the days"}


# Buttons


def test_declining_the_rest_of_a_page_keeps_what_was_answered(house: House) -> None:
    sheet = Sheet(client_of(house.staff["intake"]), house.mine, "gad7")
    assert sheet.press("decline_section", **{"1": DAYS[1]}).status_code == 302
    rows = Answer.objects.of(Response.objects.get(episode=house.mine))
    assert {key[0]: row.state for key, row in rows.items()} == {"1": "given"} | dict.fromkeys("234567", "declined")


def test_rows_are_added_and_removed_and_the_others_keep_their_answers(house: House) -> None:
    client = client_of(house.staff["intake"])
    sheet = Sheet(client, house.mine, "medicines")
    assert "a-medicines.name~1" not in sheet.sent
    assert sheet.press(any_medicines="true")["Location"].endswith("?more=1")
    for place, name in enumerate(("gabapentin", "amlodipine"), 1):
        sheet = Sheet(client, house.mine, "medicines")
        response = sheet.press("add", "medicines", **{f"a-medicines.name~{place}": name})
        assert response["Location"] == section(house.mine, "medicines") + f"#row-medicines-{place + 1}"
    sheet = Sheet(client, house.mine, "medicines")
    assert [sheet.sent[f"a-medicines.name~{place}"] for place in (1, 2, 3)] == [["gabapentin"], ["amlodipine"], [""]]
    assert sheet.press("remove", "medicines~1").status_code == 302
    sheet = Sheet(client, house.mine, "medicines")
    assert "a-medicines.name~1" not in sheet.sent
    assert sheet.sent["a-medicines.name~2"] == ["amlodipine"]
    row = Answer.objects.of(Response.objects.get(episode=house.mine))["medicines.name", "1"]
    assert (row.state, row.version) == ("missing", 2)


def test_a_row_is_removed_by_a_second_press_and_a_row_just_begun_can_be_too(house: House) -> None:
    client, here = client_of(house.staff["intake"]), section(house.mine, "medicines")
    Sheet(client, house.mine, "medicines").press(any_medicines="true")
    sheet = Sheet(client, house.mine, "medicines")
    assert 'value="medicines~1">Remove' in sheet.html, "the first row can be removed at once"
    asked = sheet.press("ask_remove", "medicines~1", **{"a-medicines.name~1": "gabapentin"})
    assert asked["Location"] == here + "?remove=medicines~1#row-medicines-1"
    page = client.get(asked["Location"]).content.decode()
    assert "Remove medicine 1 with all its answers?" in words(page) and 'name="remove" value="medicines~1"' in page
    assert stored(house.mine, "medicines") == {"any_medicines": "Yes", "medicines.name": "gabapentin"}
    assert client.post(here, Controls(page).sent | {"remove": "medicines~1"})["Location"] == here + "#rows-medicines"
    assert stored(house.mine, "medicines") == {"any_medicines": "Yes", "medicines.name": "Not answered yet"}
    assert "Medicine removed." in words(client.get(here).content.decode())


def test_removing_a_row_takes_what_was_just_typed_into_it_and_an_empty_row_needs_no_question(house: House) -> None:
    client, here = client_of(house.staff["intake"]), section(house.mine, "medicines")
    Sheet(client, house.mine, "medicines").press(any_medicines="true")
    sheet = Sheet(client, house.mine, "medicines")
    assert sheet.press("ask_remove", "medicines~1")["Location"] == here + "#row-medicines-1"
    assert sheet.press("remove", "medicines~1", **{"a-medicines.name~1": "gabapentin"}).status_code == 302
    assert stored(house.mine, "medicines") == {"any_medicines": "Yes"}


def test_declining_the_rest_of_a_page_asks_first(house: House) -> None:
    client, here = client_of(house.staff["intake"]), section(house.mine, "gad7")
    asked = Sheet(client, house.mine, "gad7").press("ask_decline", **{"1": DAYS[1]})
    assert asked["Location"] == here + "?decline=1#decline"
    page = client.get(asked["Location"]).content.decode()
    assert "Decline every question of this page that has no answer?" in words(page) and 'name="decline_section"' in page
    assert stored(house.mine, "gad7") == {"1": "Several days"}


def test_what_a_clinician_rates_is_assessed_or_not_and_nobody_declines_it(house: House) -> None:
    client = client_of(house.staff["nurse"])
    for code, number, observed in (("cows", 1, True), ("observed", 1, True), ("sud11", 1, False), ("medhx", 1, False), ("gad7", 1, False)):
        page = words(client.get(section(house.mine, code, number)).content.decode())
        assert ("Not assessed" in page, "refer not to answer" in page) == (observed, not observed), (code, number)


# COWS is observed


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_front_desk_does_not_rate_withdrawal(house: House, method: str) -> None:
    client = client_of(house.staff["intake"])
    response = getattr(client, method)(section(house.mine, "cows"), {"shown": "a-1", "a-1": "0"})
    assert response.status_code == 403
    assert "COWS is rated by a clinician." in response.content.decode()
    assert not Response.objects.filter(episode=house.mine).exists()
    listed = client.get(page_of("intake", house.mine)).content.decode()
    assert "Rated by a clinician." in words(listed) and section(house.mine, "cows") not in listed


def test_a_nurse_rates_withdrawal(house: House) -> None:
    client = client_of(house.staff["nurse"])
    assert section(house.mine, "cows") in client.get(page_of("intake", house.mine)).content.decode()
    assert Sheet(client, house.mine, "cows").type().status_code == 200


@pytest.mark.parametrize(("code", "number"), [("pcl5", 1), ("gad7", 0), ("gad7", 2)])
def test_a_questionnaire_or_section_that_there_is_not_is_not_found(house: House, code: str, number: int) -> None:
    assert client_of(house.staff["nurse"]).get(section(house.mine, code, number)).status_code == 404


# Review and submit


def test_the_review_lists_what_is_unanswered_with_links_and_asks_once(house: House) -> None:
    clerk = house.staff["intake"]
    client, address = client_of(clerk), page_of("review", house.mine)
    fill(clerk, house.mine, "V5", "phq9")
    save(clerk, house.mine, "gad7", {"1": DAYS[1]})
    html = client.get(address).content.decode()
    assert f'href="{section(house.mine, "gad7")}#q-2"' in html
    assert f'href="{section(house.mine, "phq9")}#q-9"' not in html
    count = re.search(r"(\d+) questions not answered yet", words(html))
    key = re.search(r'name="key" value="([^"]+)"', html)
    assert count is not None and key is not None
    asked = client.post(address, {"key": key[1]})
    assert asked.status_code == 422
    assert f"you have seen the {count[1]} unanswered questions" in words(asked.content.decode())
    assert key[1] in asked.content.decode()
    assert not Assessment.objects.filter(episode=house.mine).exists()
    for _ in range(2):  # a double click
        done = client.post(address, {"key": key[1], "seen": "1"})
        assert (done.status_code, done["Location"]) == (302, page_of("assessment", house.mine) + "?submitted=1")
        assert "The intake is submitted." in words(client.get(done["Location"]).content.decode())
    assert "The intake is submitted." not in words(client.get(page_of("assessment", house.mine)).content.decode())
    assert Assessment.objects.filter(episode=house.mine).count() == 1


def test_a_whole_intake_is_submitted_without_being_asked(house: House) -> None:
    nurse = house.staff["nurse"]
    answered(nurse, house.mine, "V5")
    client, address = client_of(nurse), page_of("review", house.mine)
    for code, number in set(re.findall(r"intake/(\w+)/(\d)/#q-", client.get(address).content.decode())):
        Sheet(client, house.mine, code, int(number)).press("decline_section")
    assert "Every question has an answer" in words(client.get(address).content.decode())
    assert client.post(address, {"key": uuid.uuid4()}).status_code == 302


@pytest.mark.parametrize("key", ["", "x", "0" * 40])
def test_a_submit_without_its_mark_is_refused_with_a_sentence(house: House, key: str) -> None:
    save(house.staff["nurse"], house.mine, "gad7", {"1": DAYS[1]})
    response = client_of(house.staff["nurse"]).post(page_of("review", house.mine), {"key": key, "seen": "1"})
    assert response.status_code == 422
    assert "lost its mark against double submits" in words(response.content.decode())
    assert not Assessment.objects.filter(episode=house.mine).exists()


@pytest.mark.parametrize("role", ["intake", "nurse"], ids=["in reach", "out of reach"])
def test_the_key_of_another_patients_form_submits_nothing(house: House, role: str) -> None:
    clerk, key = house.staff["intake"], uuid.uuid4()
    save(clerk, house.other, "phq9", {"1": DAYS[0]})
    submit(clerk, house.other, key)
    save(clerk, house.mine, "phq9", {"1": DAYS[0]})
    answer = client_of(house.staff[role]).post(page_of("review", house.mine), {"key": key, "seen": "1"})
    assert answer.status_code == 400 and not Assessment.objects.filter(episode=house.mine).exists()


def test_nothing_answered_is_nothing_to_submit(house: House) -> None:
    client, address = client_of(house.staff["nurse"]), page_of("review", house.mine)
    assert "Nothing to submit yet" in words(client.get(address).content.decode())
    response = client.post(address, {"key": uuid.uuid4(), "seen": "1"})
    assert response.status_code == 422
    assert "nothing to submit" in words(response.content.decode())


# Who reads the answers

WORDS = "I want my mornings back"
READS = {  # after the nurse submitted: everybody else by their row of the access table
    "intake": False, "peer": False, "case_manager": False, "counsellor": True, "nurse": True, "prescriber": True, "supervisor": True,
}  # fmt: skip


@pytest.mark.parametrize("role", READS)
def test_answers_after_the_submit_are_for_those_whose_role_reads_them(house: House, role: str) -> None:
    answered(house.staff["nurse"], house.mine, "V5")
    submit(house.staff["nurse"], house.mine)
    page = words(client_of(house.staff[role]).get(page_of("assessment", house.mine)).content.decode())
    assert "Strengths and readiness" in page, "that it was filled is for everybody who may see the page"
    assert (WORDS in page) is READS[role]


def test_who_submitted_reads_the_answers_for_a_day(house: House) -> None:
    clerk = house.staff["intake"]
    fill(clerk, house.mine, "V5", "strengths")
    submit(clerk, house.mine)
    client, address = client_of(clerk), page_of("assessment", house.mine)
    assert WORDS in words(client.get(address).content.decode())
    Response.objects.filter(episode=house.mine).update(completed_at=timezone.now() - timezone.timedelta(hours=25))
    assert WORDS not in words(client.get(address).content.decode())


def test_a_clerk_who_only_submits_does_not_read_what_a_nurse_answered(house: House) -> None:
    nurse, clerk = house.staff["nurse"], house.staff["intake"]
    fill(nurse, house.mine, "V5", "cows")
    save(nurse, house.mine, "strengths", {"goals": "What the nurse wrote"})
    Sheet(client_of(clerk), house.mine, "strengths").type(hobbies="What the clerk wrote")
    submit(clerk, house.mine)
    page = words(client_of(clerk).get(page_of("assessment", house.mine)).content.decode())
    assert "What the clerk wrote" in page and "What the nurse wrote" not in page
    assert "COWS" in page and "Resting pulse" not in page


def test_answers_are_read_with_dates_and_units_and_rows_have_numbers(house: House) -> None:
    nurse = house.staff["nurse"]
    answered(nurse, house.mine, "V5")
    save(nurse, house.mine, "kuh", {"last_use_datetime": "2026-11-23T14:30", "days_30": "30"})
    submit(nurse, house.mine)
    page = words(client_of(nurse).get(page_of("assessment", house.mine)).content.decode())
    assert "23 Nov 2026, 14:30" in page and "2026-11-23T" not in page
    assert "30 days" in page and "Product 1" in page


def test_the_assessment_says_in_words_what_is_added_and_what_to_ask(house: House) -> None:
    nurse = house.staff["nurse"]
    fill(nurse, house.mine, "V4", *packet().keys() - {"peg", "kuh"})
    submit(nurse, house.mine)
    page = words(client_of(nurse).get(page_of("assessment", house.mine)).content.decode())
    assert not re.findall(r"[A-Z]+_[A-Z]+|\(rules\)|<=|>=|&lt;=|&gt;=", page)
    assert "Cannot tell yet: ask" in page and "PEG (PEG pain scale)" in page
    assert re.search(r"IX-04 [^:]+ : ask Kratom or 7-OH in the last 30 days \(kratom use history\)", page)


def test_messages_stand_above_the_safety_banner(house: House) -> None:
    save(house.staff["nurse"], house.mine, "phq9", {"9": DAYS[1]})
    client, here = client_of(house.staff["nurse"]), page_of("chart", house.mine)
    client.post(flag_page(house, standing(house.mine)["SF-04"]), {"action_taken": "Asked in private", "next": here})
    html = client.get(here).content.decode()
    assert html.index("PHQ-9 item 9 positive: acknowledged.") < html.index('class="st-banner"')


# Flags


def test_a_critical_flag_is_acknowledged_by_a_clinician_in_words(house: House) -> None:
    save(house.staff["intake"], house.mine, "phq9", {"9": DAYS[1]})
    flag = standing(house.mine)["SF-04"]
    address = reverse("acknowledge", kwargs={"episode_id": house.mine.public_id, "flag_id": flag.public_id})
    refused = client_of(house.staff["case_manager"]).post(address, {"action_taken": "Told the nurse"})
    assert refused.status_code == 403 and "acknowledged by a clinician" in refused.content.decode()
    nurse = client_of(house.staff["nurse"])
    assert nurse.post(address, {"action_taken": ""}).status_code == 422
    assert Flag.objects.get(pk=flag.pk).status == "open"
    done = nurse.post(address, {"action_taken": "Asked in private, no plan, safety plan begun"})
    assert (done.status_code, done["Location"]) == (302, page_of("chart", house.mine))
    flag = Flag.objects.get(pk=flag.pk)
    assert (flag.status, flag.acknowledged_by) == ("acknowledged", house.staff["nurse"])


@pytest.mark.parametrize(("role", "reads"), [("intake", False), ("peer", False), ("case_manager", False), ("nurse", True)])
def test_a_flag_and_what_to_do_are_for_all_the_answers_it_rests_on_for_those_who_read_both(house: House, role: str, reads: bool) -> None:
    save(house.staff["nurse"], house.mine, "phq9", {"9": DAYS[1]})
    client = client_of(house.staff[role])
    page = words(client.get(page_of("chart", house.mine)).content.decode())
    assert standing(house.mine)["SF-04"].action in page
    assert ("What would clear it" in page) is reads


def test_the_page_of_the_emergency_evaluation(house: House) -> None:
    nurse = house.staff["nurse"]
    fill(nurse, house.mine, "V4", "asq")
    flag = standing(house.mine)["SF-01"]
    address = reverse("record_evaluation", kwargs={"episode_id": house.mine.public_id, "flag_id": flag.public_id})
    client = client_of(nurse)
    assert address in client.get(page_of("chart", house.mine)).content.decode()
    assert client_of(house.staff["case_manager"]).get(address).status_code == 403
    assert client.post(address, {"evaluation": "seen"}).status_code == 422
    assert client.post(address, {"evaluation": "Seen by the on-call psychiatrist at 14:20, admitted."}).status_code == 302
    assert address not in client.get(page_of("chart", house.mine)).content.decode()
    assert client.get(address).status_code == 404  # recorded; there is nothing more to record


def flag_page(house: House, flag: Flag, came_from: str = "") -> str:
    address = reverse("acknowledge", kwargs={"episode_id": house.mine.public_id, "flag_id": flag.public_id})
    return address + (f"?next={came_from}" if came_from else "")


def test_a_new_critical_flag_is_said_where_one_is_typing_and_only_when_it_is_news(house: House) -> None:
    sheet = Sheet(client_of(house.staff["nurse"]), house.mine, "phq9")
    html = sheet.type(**{"9": DAYS[1]}).content.decode()
    alarm = html.partition('<div id="alarm" hx-swap-oob="innerHTML">')[2].partition("</div>")[0]
    assert words(f"<main>{alarm}").endswith("Critical: PHQ-9 item 9 positive. What to do ") and 'href="#safety"' in alarm
    header = html.partition('<div id="alerts" hx-swap-oob="innerHTML">')[2].partition("</div>")[0]
    assert "Critical" in header and "1 flag" in header
    sheet.sent["safety"] = re.findall(r'id="safety-mark" value="(\w+)"', html)
    again = sheet.type(**{"8": DAYS[1]}).content.decode()
    assert 'id="safety"' not in again and 'id="alarm"' not in again, "a live region speaks at every change"
    assert 'id="alarm" role="alert"' in Sheet(sheet.client, house.mine, "gad7").html


def test_a_critical_flag_that_was_acknowledged_and_still_fires_keeps_its_action_and_the_crisis_line(house: House) -> None:
    nurse = house.staff["nurse"]
    save(nurse, house.mine, "asq", {"1": "true", "2": "false", "3": "false", "4": "false"})
    save(nurse, house.mine, "asq", {"5": "true"})
    flags, client = standing(house.mine), client_of(nurse)
    assert not flags["SF-02"].still_fires
    client.post(flag_page(house, flags["SF-01"]), {"action_taken": "Walked over to the emergency room"})
    html = client.get(section(house.mine, "gad7")).content.decode()
    sight = words("<main>" + re.sub(r"</summary>.*?</details>", "", html.partition('id="safety"')[2], flags=re.DOTALL))
    assert "Do not leave alone" in sight and "988" in sight
    assert "1 no longer firing : Suicide risk moderate" in sight
    assert "Risk assessment this visit" not in sight, "what no longer fires is folded"


@pytest.mark.parametrize("role", ["intake", "case_manager"])
def test_who_may_not_acknowledge_reads_whom_to_call(house: House, role: str) -> None:
    save(house.staff["nurse"], house.mine, "phq9", {"9": DAYS[1]})
    client, address = client_of(house.staff[role]), page_of("chart" if role == "case_manager" else "intake", house.mine)
    assert "find the supervisor now" in client.get(address).content.decode()
    with acting(house.staff["supervisor"], "setup"):
        house.program.duty_team.set([house.staff["nurse"], house.staff["prescriber"]])
    page = words(client.get(address).content.decode())
    assert re.search(r"On duty: .*Nurse Tester.*Prescriber Tester.*\. Find one of them now\.", page)
    assert "Acknowledge :" not in page


def test_an_info_flag_asks_for_no_acknowledgement(house: House) -> None:
    save(house.staff["nurse"], house.mine, "gad7", {"1": DAYS[1]})
    submit(house.staff["nurse"], house.mine)
    html = client_of(house.staff["nurse"]).get(page_of("assessment", house.mine)).content.decode()
    card = html.partition('id="flag-SF-14"')[2].partition("</article>")[0]
    assert "Incomplete data" in card and "Acknowledge" not in card
    assert "Acknowledge" in html.partition('id="flag-SF-05"')[2].partition("</article>")[0]


def test_acknowledging_leads_back_to_where_one_was_and_never_elsewhere(house: House) -> None:
    save(house.staff["nurse"], house.mine, "phq9", {"9": DAYS[1]})
    flag, client, here = standing(house.mine)["SF-04"], client_of(house.staff["nurse"]), section(house.mine, "gad7")
    assert flag_page(house, flag, here) in client.get(here).content.decode().replace("%2F", "/")
    html = client.get(flag_page(house, flag, here)).content.decode()
    assert f'name="next" value="{here}"' in html and "988" in html.partition("<main")[2].partition("</main>")[0] and "autofocus" in html
    for evil in ("https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)", "/\\elsewhere.example"):
        assert "elsewhere" not in client.get(flag_page(house, flag, evil)).content.decode()
    assert client.post(flag_page(house, flag), {"action_taken": "Asked in private", "next": here})["Location"] == here
    assert f'href="{here}">Go on' in client.get(flag_page(house, flag, here)).content.decode()


def test_the_front_desk_reads_that_there_are_flags_and_what_a_critical_one_asks_for(house: House) -> None:
    nurse, clerk = house.staff["nurse"], client_of(house.staff["intake"])
    answered(nurse, house.mine, "V4")
    submit(nurse, house.mine)
    flags = standing(house.mine)
    high = next(flag for flag in flags.values() if flag.severity == Flag.Severity.HIGH)
    page = words(clerk.get(page_of("assessment", house.mine)).content.decode())
    assert high.name in page and high.action not in page and high.message not in page
    assert flags["SF-01"].action.partition(" (")[0] in page and flags["SF-01"].message in page
    for flag in flags.values():
        if Flag.objects.get(pk=flag.pk).status == "open":
            client_of(nurse).post(flag_page(house, flag), {"action_taken": "Colleague's own words"})
    for name in ("assessment", "intake"):
        page = words(clerk.get(page_of(name, house.mine)).content.decode())
        assert high.name in page and "Colleague" not in page, name
    page = words(clerk.get(page_of("assessment", house.mine)).content.decode())
    assert f"{len(flags)} flags, all acknowledged" in page and "No safety flag" not in page


def test_a_list_that_applies_and_is_empty_is_a_question_not_answered(house: House) -> None:
    nurse = house.staff["nurse"]
    client, kratom = client_of(nurse), section(house.mine, "kuh")
    assert "depends on the first answer" in words(client.get(kratom).content.decode())
    save(nurse, house.mine, "kuh", {"use_status": "current"})
    assert "depends on the first answer" not in words(client.get(kratom).content.decode())
    review = client.get(page_of("review", house.mine)).content.decode()
    assert f'<a href="{section(house.mine, "kuh", 2)}#rows-products">No product listed yet</a>' in review
    before = words(client.get(kratom).content.decode())
    assert re.search(r"Products 0/1\b", before), before
    save(nurse, house.mine, "kuh", {"products.form~1": "leaf_powder"})
    assert "No product listed yet" not in client.get(page_of("review", house.mine)).content.decode()


def test_a_flag_of_another_patient_is_not_found(house: House) -> None:
    save(house.staff["intake"], house.other, "phq9", {"9": DAYS[1]})
    flag = standing(house.other)["SF-04"]
    address = reverse("acknowledge", kwargs={"episode_id": house.mine.public_id, "flag_id": flag.public_id})
    assert client_of(house.staff["nurse"]).post(address, {"action_taken": "Seen"}).status_code == 404


# No patient data where it would be seen or logged


def test_no_title_and_no_address_of_the_intake_says_who(house: House) -> None:
    nurse = house.staff["nurse"]
    client = client_of(nurse)
    answered(nurse, house.mine, "V4")
    pages = [page_of("intake", house.mine), page_of("review", house.mine), section(house.mine, "asq"), section(house.mine, "kuh", 2)]
    submit(nurse, house.mine)
    pages += [page_of("assessment", house.mine), page_of("chart", house.mine)]
    pages += [
        reverse("acknowledge", kwargs={"episode_id": house.mine.public_id, "flag_id": flag.public_id})
        for flag in standing(house.mine).values()
    ]
    patient = house.mine.patient
    private = [patient.legal_last_name, patient.legal_first_name, patient.record_number, "SF-01", "IX-04"]
    for address in pages:
        html = client.get(address).content.decode()
        title = html.partition("<title>")[2].partition("</title>")[0]
        assert title and "canary" in html, address
        assert not [word for word in private if word in title or word in address], (address, title)


def test_the_list_of_questionnaires_costs_the_same_however_much_is_answered(house: House) -> None:
    client, address = client_of(house.staff["nurse"]), page_of("intake", house.mine)
    counted = []
    for codes in (["gad7"], [code for code in people()["V1"].answers if code != "gad7"]):
        fill(house.staff["nurse"], house.mine, "V1", *codes)
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        counted.append(len(queries))
    assert counted[0] == counted[1]


def test_a_colleague_elsewhere_finds_nothing(house: House) -> None:
    stranger = client_of(make_user("elsewhere", ("nurse", house.elsewhere)))
    for address in (page_of("intake", house.mine), page_of("review", house.mine), section(house.mine, "gad7")):
        assert (stranger.get(address).status_code, stranger.post(address, {}).status_code) == (404, 404)
