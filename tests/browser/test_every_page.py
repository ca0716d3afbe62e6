"""Every page of the demo clinic, in light and dark, wide and narrow: axe finds nothing, and nothing sticks out sideways."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from axe_playwright_python.sync_playwright import Axe
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from clinic.accounts import DEMO_SUFFIX
from clinic.checks import patterns
from clinic.models import BreakGlass, Episode, Program, User
from intake.models import Assessment, Flag, Instrument, LevelDecision
from intake.results import groups
from plans.models import Plan
from plans.thread import gaps
from plans.tree import plan_view, read
from tests.browser.desk import sit_down
from tests.clinic.test_access import logged_in
from tests.clinic.test_accounts import code_of, with_factor
from tests.intake.test_actions import record
from tests.intake.test_gated import open_gate
from tests.people import PASSWORD, everything, make_user

pytestmark = pytest.mark.browser
SCHEMES = {"light": (1280, 900), "dark": (390, 844)}
DOOR = "see test_every_door_is_accessible_and_fits"
NO_PAGE = {
    "front_door": "leads on to the page a role begins with",
    "first_visit": DOOR,
    "healthz": "for machines",
    "readyz": "for machines",
    "add_finding": "is posted to",
    "certify": "is posted to",
    "give_handout": "is posted to",
    "lock": "is posted to",
    "touched": "for scripts",
    "unlock": "a page of its own in tests/browser/test_lock.py",
    "plan_start": "is posted to",
    "refresh": "is posted to",
    "plan_pdf": "a PDF; see tests/plans/test_pdf.py",
    "account_reset_password_from_key": DOOR,
    "mfa_authenticate": DOOR,
    "mfa_reauthenticate": DOOR,
    "mfa_deactivate_totp": DOOR,
    "mfa_view_recovery_codes": DOOR,
    "mfa_generate_recovery_codes": DOOR,
    "mfa_download_recovery_codes": "a text file",
}
STICKS_OUT = """() => document.documentElement.scrollWidth <= window.innerWidth ? [] : [...document.querySelectorAll("body *")]
    .filter(element => element.getBoundingClientRect().right > window.innerWidth + 1)
    .map(element => element.outerHTML.slice(0, 90)).slice(0, 5)"""
ADMIN = {  # who sees which table of the configuration
    "sys-admin": ("clinic_user", "clinic_program", "intake_medicine"),
    "content-editor": ("intake_medicine", "intake_instrument"),
    "supervisor": ("intake_instrument", "intake_rulesetting", "plans_componentsetting"),
}


@dataclass
class Demo:
    """Four people of the demo clinic, each at another stage."""

    filling: Episode
    submitted: Episode
    planning: Episode
    signed: Episode


@pytest.fixture
def demo(served: Any, settings: Any) -> Demo:
    settings.DEMO = True
    call_command("load_demo", stdout=io.StringIO())
    with everything():
        named = {episode.patient.legal_first_name: episode for episode in Episode.objects.select_related("patient")}
        _decide_on_level(named["Maya"])
    open_gate(User.objects.get(username=f"supervisor{DEMO_SUFFIX}"))  # what is gated is asked too, with invented words
    return Demo(filling=named["Marcus"], submitted=named["Maya"], planning=named["Jordan"], signed=named["Denise"])


def _decide_on_level(episode: Episode) -> None:
    """A decision that waits for a co-signature, on the plainest of the four."""
    by, assessment = User.objects.get(username=f"nurse{DEMO_SUFFIX}"), Assessment.objects.latest_of(episode)
    assert assessment is not None
    needs = [{"id": "N3", "name": "Mental health and cognition", "computed": 1, "rating": 2, "reason": "She hardly sleeps."}]
    LevelDecision.objects.create(
        program_id=episode.program_id, patient_id=episode.patient_id, episode=episode, assessment=assessment, suggested="1.5",
        rule="L13", needs=needs, level="0.5", label="Early help", reason_code="payer", reason="Payer decision",
        explanation="Nothing else is paid for this year.", needs_cosignature=True, by=by, at=timezone.now(),
    )  # fmt: skip


def places(demo: Demo) -> list[tuple[str, str, str]]:
    """(role, url name, address): every page, every section of every questionnaire, every form of a plan."""
    with everything():
        return list(_places(demo))


def _places(demo: Demo) -> Iterator[tuple[str, str, str]]:
    plan = Plan.objects.get(episode=demo.planning)
    problem = plan.problems.first()
    flag = Flag.objects.filter(episode=demo.filling, status=Flag.Status.OPEN).first()
    finding = next(gap.mark for gap in gaps(plan_view(plan, read(plan))) if not gap.stops)
    assert problem and flag

    def at(role: str, name: str, episode: Episode | None = None, **kwargs: Any) -> tuple[str, str, str]:
        return role, name, reverse(name, kwargs=kwargs | ({"episode_id": episode.public_id} if episode else {}))

    yield at("nurse", "caseload")
    yield at("nurse", "search")
    yield at("intake", "register")
    yield at("intake", "demographics", demo.signed)
    yield at("case-manager", "care_team", demo.signed)
    yield at("supervisor", "trail", demo.signed)
    yield at("case-manager", "restrictions", demo.signed)
    yield at("night-nurse", "break_glass", demo.signed)
    yield at("night-nurse", "chart", demo.filling)  # under the banner of an emergency
    yield at("nurse", "break_glass", demo.signed)  # who can open it anyway
    for role in ("supervisor", "privacy-auditor"):
        yield at(role, "break_glass_reviews")
        yield at(role, "break_glass_review", opened_id=BreakGlass.objects.get().public_id)
    for role, episode in (("nurse", demo.filling), ("intake", demo.submitted), ("counsellor", demo.planning)):
        yield at(role, "intake", episode)
        yield at(role, "chart", episode)
    for role in ("peer", "case-manager", "prescriber"):
        yield at(role, "chart", demo.signed)
    yield at("nurse", "review", demo.filling)
    for instrument in Instrument.objects.filter(active=True):
        for number, _ in enumerate(instrument.questionnaire.sections(), 1):
            yield at("nurse", "section", demo.filling, code=instrument.code, number=number)
    yield at("nurse", "level", demo.submitted)
    decision = LevelDecision.objects.get(episode=demo.submitted)
    for role in ("nurse", "supervisor"):  # who made it, and who may co-sign it
        yield at(role, "cosign_level", demo.submitted, decision_id=decision.public_id)
    for role in ("nurse", "peer"):
        yield at(role, "assessment", demo.submitted)
        yield at(role, "plan", demo.planning)
    for name in ("acknowledge", "flag", "override", "snooze", "enter_in_error"):
        yield at("nurse", name, demo.filling, flag_id=flag.public_id)
    yield at("supervisor", "escalated")
    nurse = User.objects.get(username="nurse.demo")
    record(nurse, demo.submitted, spo2="97", bp_systolic="124", bp_diastolic="78")
    (result,) = record(nurse, demo.submitted, oh7="not_detected", source="Quest, LC-MS")
    yield at("nurse", "results", demo.submitted)
    for group in groups():
        yield at("nurse", "record_results", demo.submitted, group=group)
    for name in ("correct_result", "withdraw_result"):
        yield at("nurse", name, demo.submitted, result_id=result.public_id)
    for episode in (demo.submitted, demo.filling):
        yield at("prescriber", "plan", episode)
    yield at("nurse", "record_evaluation", demo.filling, flag_id=Flag.objects.holding().get(episode=demo.filling).public_id)
    yield at("prescriber", "add_component", demo.planning)
    for component in plan.components.order_by("pk")[:2]:
        yield at("prescriber", "decide", demo.planning, component_id=component.public_id)
    yield at("prescriber", "details", demo.planning)
    yield at("prescriber", "give_reason", demo.planning, finding=finding)
    yield at("prescriber", "add_part", demo.planning, kind="problem")
    yield at("prescriber", "add_part", demo.planning, kind="goal", parent_id=problem.public_id)
    yield at("prescriber", "edit_part", demo.planning, kind="problem", part_id=problem.public_id)
    yield at("prescriber", "sign", demo.planning)
    yield at("prescriber", "versions", demo.signed)
    yield at("prescriber", "signed_plan", demo.signed, number=1)
    yield at("peer", "handouts", demo.signed)
    yield at("nurse", "handout", demo.signed, slug="hard-day")
    for name in ("reauthenticate", "change_password", "logout"):
        yield at("nurse", f"account_{name}")
    yield at("nurse", "mfa_index")
    yield at("nurse", "mfa_activate_totp")
    for name in ("login", "reset_password", "reset_password_done"):
        yield at("", f"account_{name}")
    for role, tables in ADMIN.items():
        yield at(role, "admin:index")
        for table in tables:
            yield at(role, f"admin:{table}_changelist")
    gated = Instrument.objects.get(code="cssrs", active=True)
    yield at("supervisor", "admin:intake_instrument_wording", object_id=gated.pk)
    yield "nurse", "404", "/nowhere/"
    yield "sys-admin", "403", reverse("caseload")


def test_every_page_of_the_urls_is_looked_at_or_says_why_not(demo: Demo) -> None:
    named = {pattern.name for _, pattern in patterns()}
    looked_at = {name for _, name, _ in places(demo) if name in named}
    assert looked_at | set(NO_PAGE) == named
    assert not looked_at & set(NO_PAGE)


def test_every_link_leads_somewhere(demo: Demo) -> None:
    """A link without an address reloads the page, and looks like the way back while it does."""
    nowhere = []
    for role, name, address in places(demo):
        client = logged_in(User.objects.get(username=f"{role}{DEMO_SUFFIX}")) if role else Client()
        for link in re.findall(r"<a\b[^>]*>", client.get(address).content.decode()):
            if not re.search(r'\bhref="[^"]', link):
                nowhere.append(f"{name} as {role} {address}: {link}")
    assert not nowhere, "\n".join(nowhere)


def enter(context: BrowserContext, url: str, role: str) -> None:
    """As this person of the demo clinic."""
    sit_down(context, url, User.objects.get(username=f"{role}{DEMO_SUFFIX}") if role else None)


def dressed(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size(dict(zip(("width", "height"), SCHEMES[scheme], strict=True)))  # type: ignore[arg-type]


def problems(page: Page, what: str) -> Iterator[str]:
    """What axe finds on the page that is open, and what sticks out of it sideways."""
    if wide := page.evaluate(STICKS_OUT):
        yield f"{what}: wider than the window: {wide}"
    # Without axe's own reading of imported style sheets, which writes inline styles: the policy refuses them, rightly.
    for violation in Axe().run(page, options={"preload": False}).response["violations"]:
        nodes = "; ".join(node["html"][:140] for node in violation["nodes"][:3])
        yield f"{what}: {violation['id']}: {nodes}"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_page_is_accessible_and_fits(page: Page, demo: Demo, served: Any, scheme: str) -> None:
    dressed(page, scheme)
    found, inside = [], ""
    for role, name, address in places(demo):
        if role != inside:
            enter(page.context, served.url, role)
            inside = role
        response = page.goto(address)
        assert response is not None
        shown = page.url.removeprefix(served.url)
        if shown != address or response.status != {"404": 404, "403": 403}.get(name, 200):
            found.append(f"{name} as {role}: {response.status} at {shown} instead of {address}")
        found += problems(page, f"{name} as {role} {address}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_door_is_accessible_and_fits(page: Page, served: Any, settings: Any, scheme: str) -> None:
    """The pages one meets on the way in: the first visit, the second factor, a new password."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    dressed(page, scheme)
    page.goto("/")
    found = [*problems(page, "first_visit")]
    assert page.url.endswith("/first-visit/")
    nadia = make_user("nadia", ("nurse", Program.objects.create(name="Riverside outpatient")))
    secret = with_factor(nadia)
    RecoveryCodes.activate(nadia)

    page.goto("/accounts/login/")
    page.fill("#id_login", "nadia")
    page.fill("#id_password", PASSWORD)
    page.click("main button[type=submit]")
    found += problems(page, "mfa_authenticate")
    page.fill("#id_code", code_of(secret))
    page.click("main button[type=submit]")
    expect(page.locator("h1")).to_have_text("Caseload")
    for name in ("mfa_index", "mfa_view_recovery_codes", "mfa_reauthenticate", "account_reauthenticate"):
        page.goto(reverse(name))
        found += problems(page, name)
    page.fill("#id_password", PASSWORD)
    page.click("main button[type=submit]")
    for name in ("mfa_view_recovery_codes", "mfa_generate_recovery_codes", "mfa_deactivate_totp"):
        page.goto(reverse(name))
        assert page.url == served.url + reverse(name)
        found += problems(page, name)

    page.context.clear_cookies()
    page.goto(reverse("account_reset_password"))
    page.fill("#id_email", "nadia@example.org")
    page.click("main button[type=submit]")
    (letter,) = mail.outbox
    link = re.search(r"/accounts/password/reset/key/\S+", letter.body)
    assert link
    page.goto(link[0])
    expect(page.locator("#id_password1")).to_be_visible()
    found += problems(page, "account_reset_password_from_key")
    page.goto("/accounts/password/reset/key/1-worn-out/")
    found += problems(page, "a worn-out link")
    assert not found, "\n".join(found)
