"""Text that would run if a page took it for markup, through every text field of every form, looked at on every page: it never does."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.test_admin import pages as admin_pages
from tests.browser.test_every_page import Demo, demo, enter, places  # noqa: F401

pytestmark = pytest.mark.browser
CANARIES = [
    "<script>ran=1</script>", '"><img src=x onerror=ran=1>', "javascript:ran=1", "' onfocus=ran=1 autofocus='",
    "</textarea><svg onload=ran=1>",
    "{{ 7|add:7 }}{% now 'Y' %}", "${ran=1}`",
]  # fmt: skip
# Forms that would end what is looked at here: the session, the draft.
ENDS = re.compile(r"/(logout|lock|unlock|sign|certify|submit|review|password/change|2fa/.*|reauthenticate)/(\?.*)?$")
PLACE = "main form, #content form"
TEXT = "textarea, input[type=text], input[type=search], input[type=email], input[type=tel], input:not([type])"
FORMS = f"""() => [...document.querySelectorAll({PLACE!r})].map((form, index) => [index, form.method, new URL(form.action).pathname])
    .filter(([index, method, action]) => method === "post" && document.querySelectorAll({PLACE!r})[index].querySelector({TEXT!r}))
    .map(([index, method, action]) => [index, action])"""
SEND = """([index, canaries, offset]) => {
    const form = document.querySelectorAll("PLACE")[index];
    let filled = 0;
    for (const each of form.elements) {
        if (each.matches("TEXT")) {
            const canary = canaries[(offset + filled++) % canaries.length];
            each.value = each.maxLength > 0 ? canary.slice(0, each.maxLength) : canary;
        } else if (each.matches("select") && !each.value && each.options.length > 1) each.selectedIndex = 1;
        else if (each.type === "date" && !each.value) each.value = "1990-02-03";
        else if (each.type === "radio" && !form.querySelector(`[name="${each.name}"]:checked`)) each.checked = true;
    }
    const button = form.querySelector("button[name], input[type=submit][name]");
    if (button) form.append(Object.assign(document.createElement("input"), {type: "hidden", name: button.name, value: button.value}));
    HTMLFormElement.prototype.submit.call(form);
    return filled;
}""".replace("PLACE", PLACE).replace("TEXT", TEXT)
# What ran, and what became an element of the page, whether the policy let it run or not.
BECAME = """() => [...document.querySelectorAll("[onerror], [onload], [onfocus], script:not([src]), [href^='javascript:' i]")]
    .filter(each => each.type !== "application/json").map(each => each.outerHTML.slice(0, 120)).concat("ran" in window ? ["it ran"] : [])"""


def every_page(demo: Demo) -> list[tuple[str, str]]:  # noqa: F811
    own = [(role, address) for role, name, address in places(demo) if role and name not in ("404", "403")]
    return list(dict.fromkeys([*own, *((role, address) for role, address in admin_pages() if role == "sys-admin")]))


class Walk:
    """One browser on its way over many pages as whoever may see them; `found`: what became markup, `failed`: what was a fault."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url, self.inside = page, url, ""
        self.found: list[str] = []
        self.failed: list[str] = []
        page.on("response", lambda answer: self.failed.append(answer.url) if answer.status >= 500 else None)

    def open(self, role: str, address: str) -> None:
        if role != self.inside:
            enter(self.page.context, self.url, role)
            self.inside = role
        self.page.goto(address)
        self.look(f"{role} {address}")

    def look(self, what: str) -> None:
        self.found += [f"{what}: {each}" for each in self.page.evaluate(BECAME)]

    def send_every_form(self, role: str, address: str, offset: int) -> int:
        """Each form with text, filled in and sent from a fresh page; returns how many fields that were."""
        filled = 0
        for index, action in self.page.evaluate(FORMS):
            if ENDS.search(action) or index >= self.page.evaluate(f"document.querySelectorAll({PLACE!r}).length"):
                continue
            with self.page.expect_navigation(wait_until="load"):
                filled += self.page.evaluate(SEND, [index, CANARIES, offset + filled])
            self.look(f"{role} sent {action}")
            self.page.goto(address)
        return filled


def test_no_text_becomes_markup_on_any_page(page: Page, demo: Demo, served: Any, forgiven: list[str]) -> None:  # noqa: F811
    forgiven += ["the server responded with a status of 4"]  # a refusal shows what was typed again, which is the point
    walk, addresses, fields, shown = Walk(page, served.url), every_page(demo), 0, 0
    for role, address in addresses:
        walk.open(role, address)
        fields += walk.send_every_form(role, address, fields)
    for role, address in addresses:
        walk.open(role, address)
        shown += any(page.evaluate("text => document.body.textContent.includes(text)", canary) for canary in CANARIES)
    assert not walk.found, "\n".join(walk.found)
    assert not walk.failed, "\n".join(walk.failed)
    assert fields > 80 and shown > 10, f"{fields} fields were filled in, and {shown} pages show what was kept"
