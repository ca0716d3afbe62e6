"""A real browser: Debian's Chromium, one page for each test, nothing fetched from outside."""

import importlib.util
import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

# Without the packages of requirements-dev.txt the plain tests still pass; `-m browser` then finds no test, which is a failure.
collect_ignore_glob = [] if importlib.util.find_spec("playwright") else ["test_*.py"]
CHROMIUM = Path("/usr/bin/chromium")
# Playwright's own loop runs in this thread, which Django would take for an asynchronous caller.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


# What the policy refused, with the script and the line that tried.
REPORTS = """document.addEventListener("securitypolicyviolation", event => console.error(
    `refused by the policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sample} in ${event.sourceFile}:${event.lineNumber}`))"""


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    if not CHROMIUM.exists():
        pytest.skip(f"There is no Chromium at {CHROMIUM}: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A browser test that is skipped, for whatever reason, is a failure where CI=true: there nobody would notice."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"skipped, and nothing may be skipped here: {report.longrepr}"
    return report


def speaks_of_trouble(message: Any, page: Any) -> bool:
    """An error of the console; that the page itself is a 403 or 404 is what a test may have come for."""
    return message.type == "error" and not (message.location["url"] == page.url and re.search(r"status of 40[34]", message.text))


@pytest.fixture
def house(served: Any) -> Any:
    """Two programs with their people (tests/people.py); the nurse is on duty."""
    # Imported late: models are read once Django is set up.
    from clinic.transaction import acting
    from tests.people import make_house

    house = make_house()
    with acting(house.staff["supervisor"], "setup"):
        house.program.duty_team.set([house.staff["nurse"]])
    return house


@pytest.fixture
def forgiven() -> list[str]:
    """What a test that takes the server away expects to read in the console."""
    return []


@pytest.fixture
def page(chromium, served, forgiven) -> Iterator[object]:  # type: ignore[no-untyped-def]
    """A page of a fresh browser profile; an error in its console or a policy report fails the test."""
    context = chromium.new_context(base_url=served.url, viewport={"width": 1280, "height": 900}, locale="en-US")
    context.set_default_timeout(10_000)
    context.add_init_script(REPORTS)
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if speaks_of_trouble(message, page) else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    expected = (
        *forgiven,
        "409 (", "422 (",  # a conflict or an unreadable answer is an answer
        # Bootstrap's own arrow of a menu, refused until the next sheet of the page (bootstrap-fit.css) has loaded and removed it.
        "Loading the image 'data:image/svg+xml,%3csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'",
        "refused by the policy: img-src data",
    )  # fmt: skip
    assert not [text for text in problems if not any(word in text for word in expected)]
