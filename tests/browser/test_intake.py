"""What only a browser shows of the intake: where a flag is seen, what "Next" does without a server, what is asked before leaving."""

import io
import re
from typing import Any

import pypdf
import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from clinic.models import Episode
from intake.models import Flag
from tests.browser.desk import sit_down
from tests.browser.test_every_page import STICKS_OUT
from tests.intake import test_actions
from tests.intake.test_actions import DAYS, acknowledge, fill, save, submit
from tests.people import PASSWORD, House, everything

pytestmark = pytest.mark.browser
TROUBLE = ["htmx:afterRequest", "htmx:sendError", "ERR_INTERNET_DISCONNECTED", "403"]
PHONE = {"width": 390, "height": 844}


def stored(episode: Episode, code: str) -> dict[str, str]:
    """What the draft says now, read as the owner of the tables: nobody acts here."""
    with everything():
        return test_actions.stored(episode, code)



def enter(page: Page, served: Any, house: House, role: str = "nurse") -> None:
    sit_down(page.context, served.url, house.staff[role])


def section(episode: Episode, code: str, number: int = 1) -> str:
    return reverse("section", kwargs={"episode_id": episode.public_id, "code": code, "number": number})


def choose(page: Page, name: str, value: str) -> None:
    page.locator(f'label:has(input[name="{name}"][value="{value}"])').click()


def saved(page: Page) -> None:
    expect(page.locator("[data-saved]")).to_have_attribute("data-state", "saved")


# A critical flag


@pytest.mark.parametrize("size", [{"width": 1280, "height": 900}, PHONE])
@pytest.mark.parametrize("top", [True, False])
def test_a_new_critical_flag_is_in_sight_and_the_question_stays_under_the_hand(
    page: Page, served: Any, house: House, size: Any, top: bool
) -> None:
    enter(page, served, house)
    page.set_viewport_size(size)
    code, name, value = ("asq", "a-1", "true") if top else ("phq9", "a-9", DAYS[1])
    if top:
        save(house.staff["nurse"], house.mine, "asq", {"1": "false", "2": "false", "3": "false", "4": "false"})
    page.goto(section(house.mine, code))
    page.evaluate("top => window.scrollTo(0, top ? 0 : document.querySelector('#q-9').offsetTop - 200)", top)
    question = page.locator("[data-question]").filter(has=page.locator(f'input[name="{name}"]'))
    page.locator(f'input[name="{name}"][value="{value}"]').evaluate("element => element.focus({preventScroll: true})")
    before = question.bounding_box()
    page.locator(f'input[name="{name}"][value="{value}"]').evaluate("element => element.click()")
    alarm = page.locator("#alarm")
    expect(alarm).to_contain_text("Critical:")
    expect(alarm).to_be_in_viewport()
    expect(page.locator("#alerts")).to_contain_text("Critical")
    expect(page.locator("#alerts")).to_be_in_viewport()
    after = question.bounding_box()
    assert before and after and abs(before["y"] - after["y"]) <= 2, (before, after)
    alarm.get_by_role("link", name="What to do").click()
    expect(page.locator("#safety .st-flag").first).to_be_in_viewport()


def test_nobody_is_led_past_an_open_critical_flag_when_a_page_opens(page: Page, served: Any, house: House) -> None:
    save(house.staff["nurse"], house.mine, "phq9", {"9": DAYS[1]})
    enter(page, served, house)
    page.set_viewport_size(PHONE)
    page.goto(section(house.mine, "gad7"))
    expect(page.locator("#safety .st-crisis")).to_be_in_viewport()
    assert page.evaluate("window.scrollY") == 0
    acknowledge(house.staff["nurse"], house.mine, "SF-04")
    page.goto(section(house.mine, "gad7"))
    assert page.evaluate("document.activeElement.name") == "a-1"


# "Next" when the server does not take it


def test_next_without_a_connection_stays_and_goes_on_later(
    page: Page, served: Any, house: House, forgiven: list[str]
) -> None:
    forgiven += TROUBLE
    enter(page, served, house)
    page.goto(section(house.mine, "strengths"))
    page.locator("[name=a-goals]").fill("Keep my job")
    page.route("**/intake/**", lambda route: route.abort("internetdisconnected") if route.request.method == "POST" else route.continue_())
    page.locator("[data-next]").click()
    expect(page.locator("[data-saved]")).to_contain_text("Not saved: no connection")
    assert page.locator("[name=a-goals]").input_value() == "Keep my job"
    page.unroute("**/intake/**")
    page.locator("[data-next]").click()
    expect(page).to_have_url(re.compile("/strengths/2/"))
    assert stored(house.mine, "strengths")["goals"] == "Keep my job"


def test_next_after_a_log_out_says_what_to_do_and_goes_on_after_the_log_in(
    page: Page, served: Any, house: House, forgiven: list[str]
) -> None:
    forgiven += TROUBLE
    enter(page, served, house)
    here = section(house.mine, "strengths")
    page.goto(here)
    page.context.clear_cookies()
    page.locator("[name=a-goals]").fill("Keep my job")
    page.locator("[data-next]").click()
    words = page.locator("[data-saved]")
    expect(words).to_contain_text("Not saved: you were logged out. Log in in another tab, then press Next again.")
    assert page.url.endswith(here) and page.locator("[name=a-goals]").input_value() == "Keep my job"
    with page.context.expect_page() as opened:
        words.get_by_role("link").click()
    tab = opened.value
    tab.locator("#id_login").fill("nurse")
    tab.locator("#id_password").fill(PASSWORD)
    tab.locator("main button[type=submit]").click()
    tab.wait_for_url("**/caseload/")
    page.locator("[data-next]").click()
    expect(page).to_have_url(re.compile("/strengths/2/"))
    assert stored(house.mine, "strengths")["goals"] == "Keep my job"


def test_next_without_the_token_fetches_a_new_one_and_goes_on(
    page: Page, served: Any, house: House, forgiven: list[str]
) -> None:
    forgiven += TROUBLE
    enter(page, served, house)
    page.goto(section(house.mine, "strengths"))
    page.context.clear_cookies(name="csrftoken")
    page.locator("[name=a-goals]").fill("Keep my job")
    page.locator("[data-next]").click()
    expect(page).to_have_url(re.compile("/strengths/2/"))
    assert stored(house.mine, "strengths")["goals"] == "Keep my job"


def test_next_stops_at_a_question_that_the_last_answer_opened(page: Page, served: Any, house: House) -> None:
    enter(page, served, house)
    page.goto(section(house.mine, "medicines"))
    page.locator('input[name="a-any_medicines"][value="true"]').check()
    page.locator("[data-next]").click()
    expect(page.locator("[data-saved]")).to_contain_text("opened more questions")
    expect(page.locator('[name="a-medicines.name~1"]')).to_be_visible()
    assert page.url.endswith("/medicines/1/")


def test_what_cannot_be_read_is_named_and_the_rest_is_saved(page: Page, served: Any, house: House) -> None:
    enter(page, served, house)
    page.goto(section(house.mine, "observed"))
    page.locator("[name=a-pulse]").fill("88")
    page.locator("[name=a-temperature]").fill("warm")
    page.locator("[name=a-temperature]").blur()
    expect(page.locator("[data-saved]")).to_have_text(re.compile("^Saved, except: Temperature"))
    page.locator("[data-saved] a").click()
    expect(page.locator("#q-temperature")).to_be_in_viewport()
    assert stored(house.mine, "observed")["pulse"] == "88"


# Rows


def test_another_row_opens_with_its_first_field(page: Page, served: Any, house: House) -> None:
    save(house.staff["nurse"], house.mine, "medicines", {"any_medicines": "true", "medicines.name~1": "gabapentin"})
    enter(page, served, house)
    page.goto(section(house.mine, "medicines"))
    page.locator("button[name=add]").click()
    expect(page).to_have_url(re.compile("#row-medicines-2$"))
    expect(page.locator('[name="a-medicines.name~2"]')).to_be_focused()


# Leaving


@pytest.mark.parametrize("where", ["demographics", "acknowledge"])
def test_leaving_with_something_typed_asks_and_sending_it_does_not(page: Page, served: Any, house: House, where: str) -> None:
    save(house.staff["nurse"], house.mine, "phq9", {"9": DAYS[1]})
    with everything():
        flag = Flag.objects.get(episode=house.mine, rule_id="SF-04")
    kwargs = {"episode_id": house.mine.public_id} | ({"flag_id": flag.public_id} if where == "acknowledge" else {})
    enter(page, served, house)
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    field = "[name=action_taken]" if where == "acknowledge" else "[name=preferred_name]"
    page.goto(reverse(where, kwargs=kwargs))
    page.locator(field).click()
    page.goto("/caseload/")
    assert asked == [], "nothing typed"
    page.goto(reverse(where, kwargs=kwargs))
    page.locator(field).press_sequentially("Lee, as asked")
    page.goto("/caseload/")
    assert asked == ["beforeunload"]
    page.goto(reverse(where, kwargs=kwargs))
    page.locator(field).press_sequentially("Lee, as asked")
    page.locator("main form button[type=submit].btn-primary").click()
    page.wait_for_url("**/chart/")
    assert asked == ["beforeunload"]


# Look


def test_a_field_with_the_focus_is_seen(page: Page, served: Any, house: House) -> None:
    enter(page, served, house)
    page.goto(section(house.mine, "strengths"))
    page.locator("[name=a-goals]").focus()
    assert page.locator("[name=a-goals]").evaluate("element => getComputedStyle(element).outlineWidth") == "3px"


def test_on_a_phone_one_line_says_who_it_is_while_scrolling(page: Page, served: Any, house: House) -> None:
    enter(page, served, house)
    page.set_viewport_size(PHONE)
    page.goto(section(house.mine, "phq9"))
    page.evaluate("window.scrollTo(0, 1500)")
    line = page.locator(".st-patient-line")
    expect(line).to_be_in_viewport()
    box = line.bounding_box()
    assert box and box["height"] <= 48 and box["y"] == 0
    expect(line).to_contain_text("Minecanary")


def test_on_a_phone_neither_the_name_nor_the_alarm_is_cut_off(page: Page, served: Any, house: House) -> None:
    nurse = house.staff["nurse"]
    save(nurse, house.mine, "asq", {"1": "true"})
    enter(page, served, house)
    page.set_viewport_size(PHONE)
    page.goto(section(house.mine, "phq9"))
    cut = "element => element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight"
    for part in (".st-patient-name", "#alerts"):
        assert not page.locator(part).evaluate(cut), part
    expect(page.locator("#alerts")).to_contain_text("Critical")


def test_that_the_intake_is_submitted_is_said_once(page: Page, served: Any, house: House) -> None:
    fill(house.staff["nurse"], house.mine, "V1", "phq9")
    enter(page, served, house)
    page.goto(reverse("review", kwargs={"episode_id": house.mine.public_id}))
    page.locator("main input[type=checkbox]").check()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("The intake is submitted.")).to_be_visible()
    page.reload()
    expect(page.locator("h1")).to_have_text("Assessment")
    expect(page.get_by_text("The intake is submitted.")).to_have_count(0)


def test_the_printed_assessment_has_every_answer_and_says_on_every_sheet_who_it_is(page: Page, served: Any, house: House) -> None:
    fill(house.staff["nurse"], house.mine, "V5")
    submit(house.staff["nurse"], house.mine)
    enter(page, served, house)
    page.goto(reverse("assessment", kwargs={"episode_id": house.mine.public_id}))
    sheets = [sheet.extract_text() for sheet in pypdf.PdfReader(io.BytesIO(page.pdf())).pages]
    assert len(sheets) > 2
    patient = house.mine.patient
    assert all(f"{patient.display_name}, {patient.record_number}" in sheet for sheet in sheets)
    whole = " ".join(sheets)
    assert "I want my mornings back" in whole and "Product 1" in whole and "Why?" not in whole


@pytest.mark.parametrize("name", ["assessment", "intake", "review"])
def test_the_pages_of_the_intake_fit_a_very_narrow_phone(page: Page, served: Any, house: House, name: str) -> None:
    fill(house.staff["nurse"], house.mine, "V4")
    if name == "assessment":
        submit(house.staff["nurse"], house.mine)
    enter(page, served, house)
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(reverse(name, kwargs={"episode_id": house.mine.public_id}))
    assert page.evaluate(STICKS_OUT) == []
