"""From the first call to a signed plan: the whole way of one invented person, as the people of a clinic walk it."""

import datetime
import io
import re
from collections.abc import Iterator
from typing import Any

import pypdf
import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Page, expect

from clinic.models import Program
from clinic.transaction import acting
from intake.answers import State, posted_value
from intake.models import Instrument
from intake.packet import packet
from plans.people import people
from tests.browser.hands import Keyboard, Mouse
from tests.people import PASSWORD, make_user

pytestmark = pytest.mark.browser
DENISE = people()["V5"]
OBSERVED = [code for code, listed in packet().items() if listed.filled_by == "clinician"]


@pytest.fixture
def clinic(served: Any) -> Program:
    program = Program.objects.create(name="Riverside outpatient")
    clerk = make_user("ines", ("intake", program))
    nurse, prescriber = make_user("nora", ("nurse", program)), make_user("priya", ("prescriber", program))
    with acting(clerk, "setup"):
        program.duty_team.set([nurse, prescriber])
    return program


class Journey:
    """One browser, whoever sits at it, and an accessibility check of every page on the way."""

    def __init__(self, page: Page, hand: type[Mouse], *, checked: bool) -> None:
        self.page, self.hand, self.checked = page, hand(page), checked
        self.found: list[str] = []
        self.seen: set[str] = set()

    def look(self) -> None:
        """Axe on each kind of page once."""
        place = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "<id>", self.page.url)
        if not self.checked or place in self.seen:
            return
        self.seen.add(place)
        for violation in Axe().run(self.page).response["violations"]:
            nodes = "; ".join(node["html"][:120] for node in violation["nodes"][:3])
            self.found.append(f"{place}: {violation['id']}: {nodes}")

    def log_in(self, name: str) -> None:
        self.page.context.clear_cookies()
        self.page.goto("/accounts/login/")
        self.look()
        self.hand.write("#id_login", name)
        self.hand.write("#id_password", PASSWORD)
        self.hand.press("main button[type=submit]")
        expect(self.page.locator("h1")).to_have_text("Caseload")
        self.look()

    def open_chart(self) -> str:
        self.hand.press('main a:has-text("Denise Halloran")')
        expect(self.page.locator("h1")).to_have_text("Chart")
        self.look()
        return self.page.url.removesuffix("chart/")

    def go(self, url: str, title: str) -> None:
        self.page.goto(url)
        expect(self.page.locator("h1")).to_contain_text(title)
        self.look()

    def register(self) -> None:
        self.hand.press('a:has-text("Register")')
        expect(self.page.locator("h1")).to_contain_text("Register")
        self.look()
        for name, value in {
            "presenting_reason": DENISE.person["reason"], "legal_first_name": "Denise", "legal_last_name": "Halloran",
        }.items():  # fmt: skip
            self.hand.pick("#id_referral_source", "primary care") if name == "presenting_reason" else None
            self.hand.write(f"#id_{name}", value)
        self.hand.write("#id_birth_date", f"{timezone.localdate().year - 52}-01-05")
        self.hand.pick("#id_sex_at_birth", "F")
        self.hand.press('main button[type=submit]:has-text("Register")')
        expect(self.page.locator("h1")).to_have_text("Chart")

    def fill(self, base: str, code: str) -> None:
        """Every section of one questionnaire, answer by answer, then the button that goes on."""
        questionnaire = Instrument.objects.get(code=code, active=True).questionnaire
        answers = DENISE.filled(code, timezone.localtime())
        for number, section in enumerate(questionnaire.sections(), 1):
            inside = {item.link_id: item for item in section.walk()}
            self.go(f"{base}intake/{code}/{number}/", questionnaire.title)
            order = list(inside)
            keys = sorted((key for key in answers if key[0] in inside), key=lambda key: (key[1], order.index(key[0])))
            row = ""
            for key in keys:
                if key[1] != row and row:
                    self.add_row()
                row = key[1]
                self.answer(inside[key[0]], key, answers[key])
            here = self.page.url
            self.hand.press("button[data-next]")
            expect(self.page).not_to_have_url(here, timeout=20_000)

    def add_row(self) -> None:
        self.hand.press("button[name=add]")
        self.page.wait_for_load_state()

    def answer(self, item: Any, key: tuple[str, str], answer: Any) -> None:
        name = f"a-{key[0]}~{key[1]}" if key[1] else f"a-{key[0]}"
        if answer.state is not State.GIVEN:
            return
        for value in answer.values:
            text = posted_value(value)
            target = self.page.locator(f'[name="{name}"]').first
            target.wait_for(state="attached")
            kind = target.evaluate("element => element.type")
            if kind in ("radio", "checkbox"):
                self.hand.choose(name, text)
            elif kind == "select-one":
                self.hand.pick(f'select[name="{name}"]', text)
            else:
                self.hand.write(f'[name="{name}"]', text)

    def submit(self, base: str) -> None:
        self.go(f"{base}intake/review/", "Review and submit")
        self.hand.tick("#seen")
        self.hand.press('button:has-text("Submit the intake")')
        expect(self.page.locator("h1")).to_have_text("Assessment")
        self.look()

    def confirm_identity(self) -> None:
        """Signing and printing ask for the password again."""
        self.look()
        self.hand.write("#id_password", PASSWORD)
        self.hand.press("main button[type=submit]")


ACCEPTED = ("DTX-05", "MED-05", "MED-04", "DTX-01", "CBT-01")
COMPONENTS = [
    "EDU-01", "DTX-01", "DTX-02", "DTX-05", "CBT-01", "CBT-02", "CBT-03", "CBT-04", "CBT-05", "OTH-01", "OTH-06", "PEER-01",
    "PEER-02", "MED-01", "MED-03", "MED-04", "MED-05", "PAIN-01",
    "CMP-01", "CMP-02", "CMP-03", "CMP-04", "CMP-05", "AFT-01", "AFT-02", "AFT-03",
]  # fmt: skip


@pytest.mark.parametrize("hand", [Mouse, Keyboard])
def test_from_the_first_call_to_a_signed_plan(page: Page, clinic: Program, hand: type[Mouse]) -> None:
    journey = Journey(page, hand, checked=hand is Mouse)

    # The front desk registers Denise and fills everything but what a clinician must see.
    journey.log_in("ines")
    journey.register()
    base = page.url.removesuffix("chart/")
    journey.go(f"{base}intake/", "Intake")
    for code in packet():
        if code not in OBSERVED:
            journey.fill(base, code)

    # The nurse asks for the signs of dependence, measures, rates the withdrawal and submits.
    journey.log_in("nora")
    assert journey.open_chart() == base
    for code in OBSERVED:
        journey.fill(base, code)
    journey.submit(base)
    reads_the_assessment(page)

    # The prescriber writes the plan.
    journey.log_in("priya")
    journey.open_chart()
    journey.go(f"{base}plan/", "Treatment plan")
    journey.hand.press('button:has-text("Begin the plan")')
    expect(page.locator("h1")).to_contain_text("version 1")
    journey.look()
    suggested = [article.get_attribute("id") for article in page.locator("article.st-suggestion").all()]
    assert sorted(suggested) == sorted(COMPONENTS)
    writes_the_plan(journey, base)
    signs(journey, base)
    reads_the_pdf(page, base)
    assert journey.found == []


def reads_the_assessment(page: Page) -> None:
    text = page.locator("main").inner_text()
    assert re.search(r"1\.7\s+Outpatient with medical management\s+\(rule L10\)", text), text
    ratings = [row.locator("span.st-nowrap").inner_text() for row in page.locator("section[aria-labelledby=level-title] tbody tr").all()]
    assert ratings == ["1", "2", "1", "2", "0"]
    assert {flag.get_attribute("id") for flag in page.locator("article.st-flag").all()} == {
        "flag-SF-06", "flag-SF-10", "flag-IX-05", "flag-IX-12", "flag-IX-18",
    }  # fmt: skip
    for score in ("5, moderate", "4, none/minimal", "13, moderate", "8, mild", "1, negative", "7.3, severe", "0, negative"):
        assert score in text


def writes_the_plan(journey: Journey, base: str) -> None:
    page, hand = journey.page, journey.hand
    hand.press('button[value^="Kratom use disorder"]')
    expect(page.locator(".st-problem-node")).to_contain_text("Kratom use disorder, moderate")
    for component in ACCEPTED:
        hand.press(f'#{component} a:has-text("Decide")')
        expect(page.locator("h1")).to_be_visible()
        journey.look()
        hand.choose("decision", "accepted")
        hand.press('button:has-text("Save the decision")')
        expect(page.locator(f"#{component} .st-chip")).to_have_text("Accepted")
    today = timezone.localdate()
    write_part(journey, 'a:has-text("Add a goal")', {
        "text": "From 32 g a day to none by spring", "patient_words": DENISE.answers["strengths"]["goals"],
        "measure": "Leaf, g a day", "baseline": "32", "target": "0", "target_date": str(today + datetime.timedelta(days=90)),
    })  # fmt: skip
    write_part(journey, 'a:has-text("Add an objective")', {"text": "Weigh every dose and keep to the steps"})
    for discipline, text in (("nurse", "Taper card and weekly check"), ("therapist", "CBT for cravings and pain")):
        write_part(
            journey, 'a:has-text("Add an intervention")',
            {"text": text, "discipline": discipline, "frequency": "weekly", "duration": "12 weeks"},
        )  # fmt: skip
    journey.go(f"{base}plan/details/", "Review, discharge and signatures")
    hand.write("#id_discharge_criteria", "Four weeks without kratom and an aftercare visit booked")
    hand.write("#id_review_on", str(today + datetime.timedelta(days=28)))
    hand.pick("#id_patient_signature", "signed")
    hand.press('button:has-text("Save")')
    expect(page.locator("h1")).to_contain_text("version 1")
    expect(page.locator(".st-gaps")).to_have_count(0)


def write_part(journey: Journey, link: str, values: dict[str, str]) -> None:
    journey.hand.press(link)
    expect(journey.page.locator("form.st-card")).to_be_visible()
    journey.look()
    for name, value in values.items():
        if name == "discipline":
            journey.hand.pick(f"#id_{name}", value)
        else:
            journey.hand.write(f"#id_{name}", value)
    journey.hand.press('form.st-card button:has-text("Save")')
    expect(journey.page.locator("h1")).to_contain_text("version 1")


def signs(journey: Journey, base: str) -> None:
    page, hand = journey.page, journey.hand
    hand.press('a:has-text("Read and sign")')
    expect(page.locator("#id_password")).to_be_visible()
    journey.confirm_identity()
    expect(page.locator("h1")).to_contain_text("Read and sign version 1")
    journey.look()
    hand.tick("#id_read")
    hand.press('button:has-text("Sign version 1")')
    expect(page.locator("h1")).to_have_text("Treatment plan, version 1")
    expect(page.locator("main")).to_contain_text("it is what was signed")
    journey.look()
    journey.go(f"{base}plan/versions/", "Signed plans")


def reads_the_pdf(page: Page, base: str) -> None:
    prints = [page.request.get(f"{base}plan/versions/1/clinic.pdf") for _ in range(2)]
    assert [response.status for response in prints] == [200, 200]
    assert prints[0].body() == prints[1].body()
    text = "\n".join(_pages(prints[0].body()))
    flat = re.sub(r"\s+", " ", text)
    for words in (
        "Treatment plan, version 1", "Denise Halloran", "Kratom use disorder, moderate", "Taper card and weekly check",
        "1.7: Outpatient with medical management", "rule L10",
        "Priya Tester", "SF-06 Overdose risk", "SF-10 Liver", "IX-05 Kratom and a gabapentinoid",
        "IX-12 Kratom and the liver", "IX-18 Daily kratom and a blood-pressure medicine", "5, moderate", "13, moderate", "8, mild",
        "4, none/minimal", "1, negative",
    ):  # fmt: skip
        assert words in flat, words
    assert re.findall(r"\bN([1-5]) [A-Z][^0-9]+ ([0-4]) ", flat) == [("1", "1"), ("2", "2"), ("3", "1"), ("4", "2"), ("5", "0")]
    accepted = flat.partition("Components accepted")[2].partition("Cannot be told yet")[0]
    assert set(re.findall(r"\b[A-Z]{2,4}-\d\d\b(?= Because)", accepted)) == set(ACCEPTED)
    sha256 = re.search(r"[0-9a-f]{64}", re.sub(r"\s", "", text))
    assert sha256 is not None


def _pages(body: bytes) -> Iterator[str]:
    for number, sheet in enumerate(pypdf.PdfReader(io.BytesIO(body)).pages, 1):
        text = sheet.extract_text()
        assert re.search(rf"\b{number} of \d+", text), text[-200:]
        yield text
