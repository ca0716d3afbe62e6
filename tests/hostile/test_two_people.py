"""Two clinicians at one episode, with stale pages, keys that come again and hostile text, from registration to the amended plan.

Driven through the views. After every step: nothing acknowledged is lost, what was refused changed nothing, acuity is the worst flag that
stands, signed documents are as they were signed, and the record names who changed what.
"""

import datetime
import html
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from clinic.cleaning import clean_text
from clinic.models import Change, Episode, Program, User
from clinic.transaction import set_actor
from intake.models import Answer, Assessment, Flag, Response
from plans import document
from plans.models import Component, Goal, Objective, Plan, Problem, SignedPlan
from tests.clinic.test_access import logged_in
from tests.clinic.test_pages import REGISTRATION
from tests.hostile.corpus import corpus, encoded
from tests.hostile.pages import Form, Page
from tests.hostile.test_every_field import SEED
from tests.hostile.visitor import NOTHING_KEPT, last_change
from tests.intake.test_actions import DAYS, stored
from tests.intake.test_pages import Sheet
from tests.people import make_user, recorded

EXAMPLES, STEPS = 6, 16
SAID = dict(zip(DAYS, ("Not at all", "Several days", "More than half the days", "Nearly every day"), strict=True))
WHO = st.sampled_from(["ann", "ben"])
CODE, ITEM = st.sampled_from(["phq9", "gad7"]), st.integers(1, 3)
HOSTILE = st.sampled_from([text for text in corpus()["texts"] if len(text) < 3000])
TEXT = st.sampled_from(["Kratom use", "Sleep", "Pain in the back"]) | HOSTILE
DAY = st.sampled_from(DAYS) | HOSTILE
OFTEN = st.integers(0, 3).map(bool)  # mostly true


class TwoPeople(RuleBasedStateMachine):
    program: ClassVar[Program]
    staff: ClassVar[dict[str, User]]
    begun: ClassVar[bool]  # whether the walk begins at a plan with two problems that both have open

    def __init__(self) -> None:
        super().__init__()
        self.undone = transaction.atomic()
        self.undone.__enter__()
        set_actor(self.staff["ann"], "")  # who looks at the rows between the steps
        self.clients = {name: logged_in(user) for name, user in self.staff.items()}
        self.sheets: dict[tuple[str, str], Sheet] = {}
        self.open: dict[tuple[str, str], Form] = {}
        self.keys: list[str] = []
        self.answers: dict[tuple[str, str], str] = {}
        self.assessments: dict[int, Any] = {}
        self.acknowledged: dict[int, str] = {}
        self.problems: dict[uuid.UUID, tuple[str, str]] = {}
        self.decided: dict[uuid.UUID, tuple[str, str]] = {}
        self.signed: dict[int, tuple[str, str]] = {}

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undone.__exit__(None, None, None)

    # How a step is done and looked at

    @contextmanager
    def step(self, who: str) -> Iterator[list[Change]]:
        """What the step wrote into the record; all of it is by who did it."""
        before = last_change()
        written: list[Change] = []
        yield written
        written += recorded(pk__gt=before)
        assert {change.user_id for change in written} <= {self.staff[who].pk}

    def post(self, who: str, url: str, fields: dict[str, list[str]]) -> HttpResponse:
        with self.step(who) as written:
            response: Any = self.clients[who].generic("POST", url, encoded(fields), "application/x-www-form-urlencoded")
        assert response.status_code < 500, (url, fields)
        if response.status_code in NOTHING_KEPT:
            assert not written
        self.written = written
        return response  # type: ignore[no-any-return]

    def at(self, name: str, **more: Any) -> str:
        return reverse(name, kwargs={"episode_id": self.episode.public_id} | more)

    def form(self, who: str, url: str, *, fresh: bool = False) -> Form | None:
        """The form of a page as this person has it open: read now, or some steps ago."""
        if fresh or (who, url) not in self.open:
            page = self.clients[who].get(url)
            assert page.status_code < 500
            posted = Page(page.content.decode(), url).to_send if page.status_code == 200 else []
            forms = [form for form in posted if form.url.startswith(url)]
            if not forms:
                return None
            self.open[who, url] = forms[-1]
        return self.open[who, url]

    # Registered

    @initialize(who=WHO)
    def register(self, who: str) -> None:
        form = REGISTRATION | {"program": str(self.program.pk), "key": str(uuid.uuid4())}
        for _ in range(2):  # a double click
            assert self.post(who, "/patients/register/", {name: [value] for name, value in form.items()}).status_code == 302
        self.episode = Episode.objects.get(program=self.program)
        if self.begun:
            self.answer(who, "phq9", 1, DAYS[3], True)
            self.submit(who, False)
            self.start_plan(who)
            for title in ("Kratom use", "Sleep"):
                self.add_problem(who, title, "As told")
            for part in self.problems:
                for reader in self.staff:
                    self.form(reader, self.at("edit_part", kind="problem", part_id=part))

    # The intake

    @rule(who=WHO, code=CODE, item=ITEM, day=DAY, fresh=OFTEN)
    def answer(self, who: str, code: str, item: int, day: str, fresh: bool) -> None:
        """One autosave. What did not collide and could be read is acknowledged; of what collided both words are shown."""
        if fresh or (who, code) not in self.sheets:
            self.sheets[who, code] = Sheet(self.clients[who], self.episode, code)
        sheet = self.sheets[who, code]
        if any("\ud800" <= char <= "\udfff" for char in day):
            day = day.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        marks = {number: sheet.sent.get(f"v-a-{number}", [""])[0] for number in "123"}
        rows = Answer.objects.of(Response.objects.draft_of(self.episode, code))
        versions = {link_id: str(row.version) for (link_id, _), row in rows.items()}
        with self.step(who) as written:
            response = sheet.type(**{str(item): day})
        text = response.content.decode()
        assert response.status_code in (200, 409, 422), (day, text[:200])
        if "submitted since" in text:
            assert not written
            del self.sheets[who, code]
            return
        for number in "123":
            (chosen,) = sheet.sent.get(f"a-{number}", [""])
            stale = number in versions and versions[number] != marks[number] and self.answers.get((code, number)) != SAID.get(chosen)
            assert not stale or chosen not in ("", *SAID) or f'name="c-a-{number}"' in text, "written over without a word"
            if f'name="c-a-{number}"' in text:
                theirs = self.answers.get((code, number), "")
                assert theirs in text and SAID.get(chosen, "") in text
                del self.sheets[who, code]  # compares, and opens the page again
                return
            if chosen in SAID:
                self.answers[code, number] = SAID[chosen]

    @rule(who=WHO, again=st.booleans())
    def submit(self, who: str, again: bool) -> None:
        key = self.keys[-1] if again and self.keys else str(uuid.uuid4())
        response = self.post(who, self.at("review"), {"key": [key], "seen": ["1"]})
        if response.status_code == 302 and key not in self.keys:
            assert self.written
            self.keys.append(key)
            made = Assessment.objects.order_by("-pk")[0]
            assert {code for code, _ in self.answers} <= set(made.responses)
            self.assessments[made.pk] = (made.responses, made.facts, made.result)
            self.answers = {}
        elif response.status_code == 302:
            assert not self.written
        else:
            assert response.status_code == 422 and not self.answers

    @precondition(lambda self: self.answers or self.assessments)
    @rule(who=WHO, place=st.integers(0, 3), text=TEXT)
    def acknowledge(self, who: str, place: int, text: str) -> None:
        flags = list(Flag.objects.filter(episode=self.episode).standing())
        if not flags:
            return
        flag = flags[place % len(flags)]
        was_open = flag.status == Flag.Status.OPEN
        response = self.post(who, self.at("acknowledge", flag_id=flag.public_id), {"action_taken": [text]})
        flag.refresh_from_db()
        if response.status_code == 302 and was_open:
            assert flag.action_taken == cleaned(text) and flag.acknowledged_by == self.staff[who]
            self.acknowledged[flag.pk] = flag.action_taken
        else:
            assert not self.written

    # The plan

    @precondition(lambda self: self.assessments or self.answers)
    @rule(who=WHO)
    def start_plan(self, who: str) -> None:
        """Begun, or, after a signature, the next version of it, with everything carried over."""
        before = sorted(self.problems.values())
        known = set(Assessment.objects.values_list("pk", flat=True))
        assert self.post(who, self.at("plan_start"), {"key": [str(uuid.uuid4())]}).status_code == 302
        for made in Assessment.objects.exclude(pk__in=known):
            self.assessments[made.pk] = (made.responses, made.facts, made.result)
        self.problems = {row.public_id: (row.title, row.source) for row in Problem.objects.filter(plan=self.plan, removed=False)}
        assert sorted(self.problems.values()) == before
        decided = Component.objects.filter(plan=self.plan).exclude(decision="open")
        self.decided = {row.public_id: (row.decision, row.note) for row in decided}

    @property
    def plan(self) -> Plan | None:
        return Plan.objects.open_of(self.episode)

    @precondition(lambda self: self.plan)
    @rule(who=WHO, title=TEXT, source=TEXT)
    def add_problem(self, who: str, title: str, source: str) -> None:
        response = self.post(who, self.at("add_part", kind="problem"), {"title": [title], "source": [source], "version": ["0"]})
        if response.status_code == 302:
            made = Problem.objects.order_by("-pk")[0]
            self.problems[made.public_id] = (cleaned(title), cleaned(source))
        else:
            assert response.status_code == 422 and not self.written

    @precondition(lambda self: self.problems)
    @rule(who=WHO, place=st.integers(0, 5), title=TEXT, remove=OFTEN, fresh=st.booleans())
    def edit_problem(self, who: str, place: int, title: str, remove: bool, fresh: bool) -> None:
        part = sorted(self.problems)[place % len(self.problems)]
        url = self.at("edit_part", kind="problem", part_id=part)
        form = self.form(who, url, fresh=fresh)
        if form is None:  # signed since
            return
        button = {} if remove else {"remove": ["1"]}
        stale = form.sent["version"] != [str(Problem.objects.get(public_id=part).version)]
        response = self.post(who, url, form.sent | {"title": [title]} | button)
        assert not stale or response.status_code != 302, "written over without a word"
        if response.status_code == 302:
            self.problems[part] = (cleaned(title), form.sent["source"][0])
            if button:
                del self.problems[part]
            del self.open[who, url]
        else:
            self.refused_with_both(response, self.problems[part][0], cleaned(title))

    @precondition(lambda self: self.plan)
    @rule(who=WHO, place=st.integers(0, 9), decision=st.sampled_from(["accepted", "declined", "not now"]), note=TEXT, fresh=st.booleans())
    def decide(self, who: str, place: int, decision: str, note: str, fresh: bool) -> None:
        rows = list(Component.objects.filter(plan=self.plan).order_by("pk"))
        row = rows[place % len(rows)]
        url = self.at("decide", component_id=row.public_id)
        form = self.form(who, url, fresh=fresh)
        if form is None:
            return
        typed = {"decision": [decision], "note": [note], "reason": ["Not at this time"]}
        stale = form.sent["version"] != [str(row.version)]
        response = self.post(who, url, form.sent | typed)
        assert not stale or response.status_code != 302, "written over without a word"
        if response.status_code == 302:
            self.decided[row.public_id] = (decision, cleaned(note))
            del self.open[who, url]
        else:
            self.refused_with_both(response, row.note, cleaned(note))

    def refused_with_both(self, response: HttpResponse, saved: str, typed: str) -> None:
        """Nothing was written; where somebody else was faster, what is saved and what was typed both stand on the page."""
        assert response.status_code in (403, 404, 409, 422) and not self.written
        text = html.unescape(response.content.decode())
        if response.status_code == 409 and "Saved now" in text and saved != typed:
            assert (saved or "(empty)") in text and (typed or "(empty)") in text

    @precondition(lambda self: self.plan and Component.objects.filter(plan=self.plan).exists())
    @rule(who=WHO)
    def write_the_rest(self, who: str) -> None:
        """Everything a signature asks for, by the pages."""
        title = f"Kratom use {len(self.problems)}"
        self.add_problem(who, title, "SUD-11: 5")
        problem = Problem.objects.order_by("-pk")[0]
        goal = {
            "text": "Half of it by spring", "patient_words": "I want my mornings back", "measure": "Leaf, g a day", "baseline": "32",
            "target": "0", "target_date": str(timezone.localdate() + datetime.timedelta(days=90)),
        }  # fmt: skip
        self.must(who, self.at("add_part", kind="goal", parent_id=problem.public_id), goal)
        self.must(who, self.at("add_part", kind="objective", parent_id=Goal.objects.order_by("-pk")[0].public_id), {"text": "Weigh it"})
        parent = Objective.objects.order_by("-pk")[0].public_id
        for discipline in ("nurse", "therapist"):
            step = {"text": "Taper card", "discipline": discipline, "frequency": "weekly", "duration": "12 weeks"}
            self.must(who, self.at("add_part", kind="intervention", parent_id=parent), step)
        for row in Component.objects.filter(plan=self.plan, suggestion__answers_flags__0__isnull=False):
            self.must(who, self.at("decide", component_id=row.public_id), {"decision": "accepted", "version": str(row.version)})
            self.decided[row.public_id] = ("accepted", "")
        plan = self.plan
        assert plan is not None
        details = {
            "discharge_criteria": "Four weeks without", "review_on": str(timezone.localdate() + datetime.timedelta(days=28)),
            "patient_signature": "signed", "copy_offered": "on", "version": str(plan.version),
        }  # fmt: skip
        self.must(who, self.at("details"), details)

    def must(self, who: str, url: str, fields: dict[str, str]) -> None:
        response = self.post(who, url, {name: [value] for name, value in ({"version": "0"} | fields).items()})
        assert response.status_code == 302, (url, response.status_code, Page(response.content.decode(), url).alerts)

    @precondition(lambda self: self.plan)
    @rule(who=WHO, fresh=st.booleans(), again=st.booleans())
    def sign(self, who: str, fresh: bool, again: bool) -> None:
        url, plan = self.at("sign"), self.plan
        form = self.form(who, url, fresh=fresh)
        if form is None or plan is None:
            return
        for _ in range(1 + again):
            response = self.post(who, url, form.sent | {"read": ["on"]})
            if response.status_code == 302 and plan.number not in self.signed:
                made = SignedPlan.objects.get(episode=self.episode, number=plan.number)
                self.signed[made.number] = (made.sha256, made.document)
            else:
                assert not self.written
        del self.open[who, url]

    # What holds after every step

    @invariant()
    def nothing_acknowledged_is_lost(self) -> None:
        if not hasattr(self, "episode"):
            return
        held = {(code, item): words for code in ("phq9", "gad7") for item, words in stored(self.episode, code).items() if item in "123"}
        assert held == self.answers
        rows = {row.pk: (row.responses, row.facts, row.result) for row in Assessment.objects.filter(episode=self.episode)}
        assert rows == self.assessments
        for flag in Flag.objects.filter(pk__in=self.acknowledged).exclude(status=Flag.Status.OPEN):
            assert flag.action_taken == self.acknowledged[flag.pk]
        if self.plan:
            problems = Problem.objects.filter(plan=self.plan, removed=False)
            assert {row.public_id: (row.title, row.source) for row in problems} == self.problems
            decided = Component.objects.filter(plan=self.plan).exclude(decision="open")
            assert {row.public_id: (row.decision, row.note) for row in decided} == self.decided

    @invariant()
    def acuity_is_the_worst_flag_that_stands(self) -> None:
        if hasattr(self, "episode"):
            worst = max((flag.severity for flag in Flag.objects.filter(episode=self.episode).standing()), default=0)
            assert Episode.objects.get(pk=self.episode.pk).acuity == worst

    @invariant()
    def what_was_signed_is_as_it_was_signed(self) -> None:
        rows = SignedPlan.objects.filter(episode__program=self.program)
        assert {row.number: (row.sha256, row.document) for row in rows} == self.signed
        assert all(document.verify(text.encode(), sha256) for sha256, text in self.signed.values())


def cleaned(text: str) -> str:
    """As a form keeps it."""
    return clean_text(text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")).strip()


def walk(examples: int, steps: int, *, begun: bool) -> None:
    program = Program.objects.create(name="Riverside")
    roles = {"ann": "nurse", "ben": "prescriber"}
    staff = {name: make_user(name, (role, program), ("intake", program)) for name, role in roles.items()}
    program.duty_team.set(staff.values())
    machine = type("TwoPeople", (TwoPeople,), {"program": program, "staff": staff, "begun": begun})
    with_seed = seed(SEED)(machine)
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    bounds = settings(max_examples=examples, stateful_step_count=steps, database=None, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(with_seed, settings=bounds)


@pytest.mark.thorough
@pytest.mark.parametrize("begun", [False, True])
def test_two_people_at_one_episode(db: None, begun: bool) -> None:
    walk(EXAMPLES, STEPS, begun=begun)
