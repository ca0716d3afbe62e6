"""The lock in a browser: laid over a half-filled questionnaire, nothing readable behind it, opened in place with everything still there."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from clinic import lock
from tests.browser.hands import Keyboard
from tests.browser.test_every_page import dressed, problems
from tests.browser.test_intake import enter, saved, section
from tests.intake.test_actions import stored
from tests.people import PASSWORD, House, everything

pytestmark = pytest.mark.browser
MINUTE = 60
# Words of the page that a person could still reach: drawn, spoken, or found by the browser's search.
SEEN = """() => [...document.querySelectorAll("body *")].filter(each => !each.closest("#st-lock")
    && each.checkVisibility({visibilityProperty: true})).map(each => each.outerHTML.slice(0, 80))"""


@pytest.fixture
def later(page: Page, monkeypatch: pytest.MonkeyPatch, forgiven: list[str]) -> Callable[[float], None]:
    """Moves the clocks of the server and of every tab on by some seconds."""
    forgiven += ["423 (", "Code 423", "403 (", "htmx:afterRequest", "htmx:sendError", "ERR_FAILED"]
    moved = [0.0]
    stock = lock.now
    monkeypatch.setattr(lock, "now", lambda: stock() + moved[0])
    page.context.clock.install()

    def move(seconds: float) -> None:
        moved[0] += seconds
        page.context.clock.fast_forward(int(seconds * 1000))

    return move


def kept(house: House) -> dict[str, str]:
    with everything():
        return stored(house.mine, "strengths")


def locked(page: Page) -> None:
    expect(page.locator("#st-lock")).to_be_visible()
    expect(page).to_have_title("Locked – Steady")
    expect(page.locator("#st-lock-password")).to_be_focused()


def unlock(page: Page, password: str = PASSWORD) -> None:
    page.locator("#st-lock-password").fill(password)
    page.get_by_role("button", name="Unlock").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_half_filled_page_is_locked_and_opened_in_place(
    page: Page, served: Any, house: House, later: Callable[[float], None], scheme: str
) -> None:
    dressed(page, scheme)
    enter(page, served, house)
    here = section(house.mine, "strengths")
    page.goto(here)
    page.locator("[name=a-goals]").fill("Keep my job")
    saved(page)
    page.route("**/intake/**", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    page.locator("[name=a-goals]").press_sequentially(" and my flat")  # no line: the server has not got it
    top = page.evaluate("window.scrollTo({top: 300, behavior: 'instant'}), window.scrollY")
    later(15 * MINUTE + 2)
    locked(page)
    assert page.evaluate(SEEN) == []
    assert "Minecanary" not in page.locator("body").aria_snapshot() and "Minecanary" not in page.locator("body").inner_text()
    assert not page.evaluate("window.find('Minecanary') || window.find('Keep my job')")
    assert not list(problems(page, "locked"))
    for _ in range(8):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "!document.activeElement || document.activeElement === document.body || !!document.activeElement.closest('#st-lock')"
        )
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    locked_again = page.locator("#st-lock")
    expect(locked_again).to_be_visible()

    unlock(page, "wrong")
    expect(page.locator("#st-lock-problem")).to_contain_text("does not fit")
    expect(locked_again).to_be_visible()
    page.unroute("**/intake/**")
    keyboard = Keyboard(page)
    keyboard.write("#st-lock-password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#st-lock")).to_be_hidden()
    assert page.locator("[name=a-goals]").input_value() == "Keep my job and my flat"
    assert page.evaluate("window.scrollY") == top and page.url.endswith(here)
    expect(page).not_to_have_title(re.compile("Locked"))
    page.clock.run_for(5000)
    saved(page)
    assert kept(house)["goals"] == "Keep my job and my flat"


def test_an_autosave_that_meets_the_lock_is_sent_after_it(page: Page, served: Any, house: House, later: Callable[[float], None]) -> None:
    enter(page, served, house)
    page.goto(section(house.mine, "strengths"))
    # Only the server knows that it is locked: this tab has not noticed yet.
    page.evaluate("""() => fetch("/accounts/lock/", {method: "POST", headers: {"X-Requested-With": "test"},
        body: new URLSearchParams({csrfmiddlewaretoken: document.querySelector("[name=csrfmiddlewaretoken]").value})})""")
    page.locator("[name=a-goals]").fill("Keep my job")
    page.clock.run_for(2000)
    locked(page)
    assert "goals" not in kept(house)
    unlock(page)
    expect(page.locator("#st-lock")).to_be_hidden()
    page.clock.run_for(5000)
    saved(page)
    assert kept(house)["goals"] == "Keep my job"


def test_two_tabs_lock_and_open_together_and_work_in_one_keeps_the_other_open(
    page: Page, served: Any, house: House, later: Callable[[float], None]
) -> None:
    enter(page, served, house)
    page.goto("/caseload/")
    other = page.context.new_page()
    other.goto(section(house.mine, "strengths"))
    for _ in range(3):
        later(8 * MINUTE)
        with other.expect_response("**/touched/"):
            other.locator("[name=a-goals]").press("a")
        expect(page.locator("#st-lock")).to_be_hidden()
    assert page.locator("h1").inner_text() == "Caseload"
    later(15 * MINUTE + 2)
    locked(other)
    expect(page.locator("#st-lock")).to_be_visible()
    unlock(other)
    expect(other.locator("#st-lock")).to_be_hidden()
    expect(page.locator("#st-lock")).to_be_hidden()
    assert other.locator("[name=a-goals]").input_value() == "aaa"


def test_after_a_log_off_nothing_is_shown_in_other_tabs_or_by_the_back_button(
    page: Page, served: Any, house: House, forgiven: list[str]
) -> None:
    enter(page, served, house)
    page.goto(section(house.mine, "strengths"))
    other = page.context.new_page()
    other.goto(section(house.mine, "strengths"))
    page.locator(".st-menu summary").click()
    page.locator(".st-menu button", has_text="Log out").click()
    expect(page.locator("h1")).to_have_text("Log in")
    expect(other.locator("#st-lock")).to_be_visible()
    expect(other.get_by_role("link", name="Log in in another tab")).to_be_visible()
    assert "Minecanary" not in other.locator("body").inner_text()
    page.go_back()
    expect(page.locator("h1")).to_have_text("Log in")
    assert "Minecanary" not in page.content()


def test_the_button_of_the_menu_locks_the_page_in_place(page: Page, served: Any, house: House) -> None:
    enter(page, served, house)
    page.goto("/caseload/")
    page.locator(".st-menu summary").click()
    with page.expect_response("**/lock/"):
        page.locator(".st-menu button", has_text="Lock").click()
    locked(page)
    page.goto("/patients/")
    assert "/accounts/unlock/" in page.url
    assert not list(problems(page, "unlock"))
    page.fill("#id_password", PASSWORD)
    page.click("main button[type=submit]")
    expect(page).to_have_url(re.compile("/patients/"))


def test_a_page_of_the_administration_is_locked_too(page: Page, served: Any, house: House, later: Callable[[float], None]) -> None:
    enter(page, served, house, "sys_admin")
    page.goto("/admin/clinic/program/add/")
    page.fill("#id_name", "Lakeside")
    later(15 * MINUTE + 2)
    locked(page)
    assert page.evaluate(SEEN) == [] and not list(problems(page, "admin locked"))
    unlock(page)
    expect(page.locator("#st-lock")).to_be_hidden()
    assert page.locator("#id_name").input_value() == "Lakeside"


def test_without_scripts_a_form_sent_too_late_goes_on_after_the_password(
    chromium: Any, served: Any, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = chromium.new_context(base_url=served.url, java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()
    enter(page, served, house, "intake")
    page.goto(f"/episodes/{house.mine.public_id}/demographics/")
    page.locator("[name=preferred_name]").fill("Anita")
    stock = lock.now
    monkeypatch.setattr(lock, "now", lambda: stock() + 16 * MINUTE)
    page.locator("main form button[type=submit]").last.click()
    expect(page.locator("h1")).to_have_text("Locked")
    assert "Anita" not in page.content()
    page.fill("#id_password", PASSWORD)
    page.get_by_role("button", name="Unlock").click()
    page.get_by_role("button", name="Send it on").click()
    with everything():
        house.mine.patient.refresh_from_db()
    assert house.mine.patient.preferred_name == "Anita"
    context.close()
