"""Two clinicians at one episode, with stale pages, keys that come again and hostile text, from registration to the amended plan.

Driven through the views. After every step: nothing acknowledged is lost, what was refused changed nothing, acuity is the worst flag that
stands, signed documents are as they were signed, and the record names who changed what. A walk begins at a registration, at a plan or at a
signed plan, and there the two meet at once at every thing both may write: each has it open, one saves, then the other.
"""

import datetime
import html
import uuid
from typing import Any, ClassVar

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from clinic.models import Episode, Program
from intake.models import Answer, Assessment, Flag, Response
from plans import document
from plans.models import Component, Goal, Objective, Plan, Problem, SignedPlan
from tests.clinic.test_pages import REGISTRATION
from tests.hostile.corpus import corpus
from tests.hostile.desks import OTHER, Desks, cleaned
from tests.hostile.test_every_field import SEED
from tests.intake.test_actions import DAYS, stored
from tests.intake.test_pages import Sheet
from tests.people import make_user

EXAMPLES, STEPS = 3, 10
CODES, ITEMS = ("phq9", "gad7"), "123"
SAID = dict(zip(DAYS, ("Not at all", "Several days", "More than half the days", "Nearly every day"), strict=True))
PLAIN = ("Kratom use", "Sleep", "Pain in the back")
DECISIONS = {"accepted": "Accepted", "declined": "Declined", "not now": "Not now"}
WHO = st.sampled_from(sorted(OTHER))
CODE, ITEM = st.sampled_from(CODES), st.sampled_from(ITEMS)
HOSTILE = st.sampled_from([text for text in corpus()["texts"] if len(text) < 3000])
TEXT = st.sampled_from(PLAIN) | HOSTILE
DAY = st.sampled_from(DAYS) | HOSTILE
OFTEN = st.integers(0, 3).map(bool)  # mostly true


class TwoPeople(Desks):
    begins: ClassVar[str]  # at which of BEGINNINGS a walk begins

    def __init__(self) -> None:
        super().__init__()
        self.sheets: dict[tuple[str, str], Sheet] = {}
        self.keys: list[str] = []
        self.assessments: dict[int, Any] = {}
        self.acknowledged: dict[int, str] = {}
        self.problems: list[uuid.UUID] = []  # in the order in which they came, so that a walk can be repeated
        self.signed: dict[int, tuple[str, str]] = {}
        self.frozen: dict[int, list[Any]] = {}
        self.read: dict[str, Any] = {}

    # Begun

    @initialize(who=WHO, titles=st.permutations(PLAIN), days=st.permutations(DAYS))
    def begin(self, who: str, titles: list[str], days: list[str]) -> None:
        self.register(who)
        if self.begins == "registered":
            return
        self.both_answer(who, "phq9", "1", days)
        self.submit(who, False)
        self.start_plan(who)
        for title in titles[:2]:
            self.add_problem(who, title, "As told")
        self.both_edit_a_problem(who, 0, titles[1:])
        self.both_decide(who, 0, titles)
        if self.begins == "signed":
            self.one_edits_what_the_other_signs(who, 0, titles[0])
            self.amend(who, titles[2])

    def register(self, who: str) -> None:
        form = REGISTRATION | {"program": str(self.program.pk), "key": str(uuid.uuid4())}
        for _ in range(2):  # a double click
            assert self.post(who, "/patients/register/", {name: [value] for name, value in form.items()}).status_code == 302
        self.episode = Episode.objects.get(program=self.program)

    # The intake

    def sheet(self, who: str, code: str, *, fresh: bool = False) -> Sheet:
        """The questionnaire as this person has it open."""
        if fresh or (who, code) not in self.sheets:
            self.sheets[who, code] = Sheet(self.clients[who], self.episode, code)
            for item in ITEMS:
                self.told.reads(who, (code, item))
        return self.sheets[who, code]

    @rule(who=WHO, code=CODE, item=ITEM, day=DAY, fresh=OFTEN)
    def answer(self, who: str, code: str, item: str, day: str, fresh: bool) -> None:
        if any("\ud800" <= char <= "\udfff" for char in day):
            day = day.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        self.sheet(who, code, fresh=fresh)
        if self.autosave(who, code, item, day):
            del self.sheets[who, code]  # compares, and opens the page again

    def autosave(self, who: str, code: str, item: str, day: str, **choice: str) -> set[str]:
        """One autosave; the questions at which both words are shown. What did not collide and could be read is acknowledged."""
        sheet = self.sheet(who, code)
        with self.step(who) as written:
            response = sheet.type(**{item: day}, **choice)
        text = html.unescape(response.content.decode())
        assert response.status_code in (200, 409, 422), (day, text[:200])
        if "submitted since" in text:
            assert not written
            return set(ITEMS)
        collided = {number for number in ITEMS if f'name="c-a-{number}"' in text}
        for number in ITEMS:
            (chosen,) = sheet.sent.get(f"a-{number}", [""])
            self.answered(who, (code, number), SAID.get(chosen), text, collided=number in collided, chosen=f"c-a-{number}" in choice)
        return collided

    def answered(self, who: str, thing: tuple[str, str], words: str | None, text: str, *, collided: bool, chosen: bool) -> None:
        """What this person was told about one question of the page; None: no words that can be read stand there."""
        saved, seen = self.told.now(thing), self.told.seen.get((who, thing))
        if collided:
            assert seen != saved, f"{who} was asked to compare with what they had read"
            assert (saved.value or "") in text and (words or "") in text
        elif words and seen and words != seen.value:  # typed here; what was not touched must stand as it is saved
            assert chosen or not self.told.would_overwrite(who, thing, words), f"{who} wrote {words} over {saved.value} without a word"
            if words != saved.value:
                self.told.acknowledged(who, thing, words)
            self.told.reads(who, thing)

    @rule(first=WHO, code=CODE, item=ITEM, days=st.permutations(DAYS))
    def both_answer(self, first: str, code: str, item: str, days: list[str]) -> None:
        """Both have the page open; one answers, the other answers otherwise, compares and keeps their own."""
        second, thing = OTHER[first], (code, item)
        for who in (first, second):
            self.sheet(who, code, fresh=True)
        before = self.told.now(thing).value
        one, two = [day for day in days if SAID[day] != before][:2]
        assert not self.autosave(first, code, item, one)
        assert self.autosave(second, code, item, two) == {item}, "two answers, and nobody was asked which one stands"
        version = str(self.versions(code)[item])
        assert not self.autosave(second, code, item, two, **{f"c-a-{item}": "mine", f"cv-a-{item}": version})
        assert self.told.now(thing).value == SAID[two]

    def versions(self, code: str) -> dict[str, int]:
        return {link_id: row.version for (link_id, _), row in Answer.objects.of(Response.objects.draft_of(self.episode, code)).items()}

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
            for thing in self.answers:
                self.told.forget(thing)
        elif response.status_code == 302:
            assert not self.written
        else:
            assert response.status_code == 422 and not self.answers

    @property
    def answers(self) -> dict[Any, str]:
        """What was acknowledged and not submitted yet."""
        return self.told.values(*((code, item) for code in CODES for item in ITEMS))

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
        standing, known = self.plan, set(Assessment.objects.values_list("pk", flat=True))
        before, decided = sorted(self.told.values(*self.problems).values()), self.decided
        assert self.post(who, self.at("plan_start"), {"key": [str(uuid.uuid4())]}).status_code == 302
        for made in Assessment.objects.exclude(pk__in=known):
            self.assessments[made.pk] = (made.responses, made.facts, made.result)
        plan = self.plan
        assert plan is not None and plan.number == len(self.signed) + 1
        if standing is not None:
            return
        self.problems = []
        for row in Problem.objects.filter(plan=plan, removed=False).order_by("position", "pk"):
            self.problems.append(row.public_id)
            self.told.acknowledged(who, row.public_id, (row.title, row.source))
        assert sorted(self.told.values(*self.problems).values()) == before
        for row in plan.components.exclude(decision="open"):
            assert decided[row.component_id] == said(row)
            self.told.acknowledged(who, row.public_id, said(row))
        assert set(decided) <= set(plan.components.exclude(decision="open", reopened="").values_list("component_id", flat=True))

    @property
    def decided(self) -> dict[str, tuple[str, str]]:
        """component: what was acknowledged as decided in the newest plan."""
        newest = Component.objects.filter(plan=Plan.objects.filter(episode=self.episode).order_by("number").last())
        rows = {row.component_id: self.told.now(row.public_id).value for row in newest}
        return {component_id: value for component_id, value in rows.items() if value}

    @precondition(lambda self: self.plan)
    @rule(who=WHO, title=TEXT, source=TEXT)
    def add_problem(self, who: str, title: str, source: str) -> None:
        response = self.post(who, self.at("add_part", kind="problem"), {"title": [title], "source": [source], "version": ["0"]})
        if response.status_code == 302:
            made = Problem.objects.order_by("-pk")[0]
            self.problems.append(made.public_id)
            self.told.acknowledged(who, made.public_id, (cleaned(title), cleaned(source)))
        else:
            assert response.status_code == 422 and not self.written

    def problem_at(self, place: int) -> tuple[uuid.UUID, str]:
        """One of the problems, and the address of its page."""
        part = self.problems[place % len(self.problems)]
        return part, self.at("edit_part", kind="problem", part_id=part)

    @precondition(lambda self: self.plan and self.problems)
    @rule(who=WHO, place=st.integers(0, 5), title=TEXT, remove=st.integers(0, 5).map(lambda dice: not dice), fresh=st.booleans())
    def edit_problem(self, who: str, place: int, title: str, remove: bool, fresh: bool) -> None:
        self.problem_saved(who, place, title, remove=remove, fresh=fresh)

    def problem_saved(self, who: str, place: int, title: str, *, remove: bool = False, fresh: bool = False) -> bool:
        """Sent from the page as this person has it open, or from a fresh one."""
        part, url = self.problem_at(place)
        form = self.form(who, url, part, fresh=fresh)
        assert form is not None
        value = None if remove else (cleaned(title), cleaned(form.sent["source"][0]))
        saved = self.save(who, url, part, value, {"title": [title]} | ({"remove": ["1"]} if remove else {}))
        if saved and remove:
            self.problems.remove(part)
        return saved

    @precondition(lambda self: self.plan and self.problems)
    @rule(first=WHO, place=st.integers(0, 5), titles=st.permutations(PLAIN))
    def both_edit_a_problem(self, first: str, place: int, titles: list[str]) -> None:
        """Both have the page open; one saves, the other saves otherwise, compares and saves again."""
        second, (part, url) = OTHER[first], self.problem_at(place)
        before = self.told.now(part).value[0]
        one, two = [title for title in titles if title != before][:2] if len(titles) > 2 else titles
        for who in (first, second):
            self.form(who, url, part, fresh=True)
        assert self.problem_saved(first, place, one)
        assert not self.problem_saved(second, place, two), "two texts, and nobody was asked which one stands"
        assert self.problem_saved(second, place, two)

    def component_at(self, place: int) -> tuple[uuid.UUID, str]:
        """One of the components, and the address of its page."""
        rows = list(Component.objects.filter(plan=self.plan).order_by("pk"))
        row = rows[place % len(rows)]
        return row.public_id, self.at("decide", component_id=row.public_id)

    @precondition(lambda self: self.plan)
    @rule(who=WHO, place=st.integers(0, 9), decision=st.sampled_from(sorted(DECISIONS)), note=TEXT, fresh=st.booleans())
    def decide(self, who: str, place: int, decision: str, note: str, fresh: bool) -> None:
        self.decision_saved(who, place, decision, note, fresh=fresh)

    def decision_saved(self, who: str, place: int, decision: str, note: str, *, fresh: bool = False) -> bool:
        """Sent from the page as this person has it open, or from a fresh one."""
        component, url = self.component_at(place)
        form = self.form(who, url, component, fresh=fresh)
        assert form is not None
        typed = {"decision": [decision], "note": [note], "reason": ["Not at this time"]}
        return self.save(who, url, component, (DECISIONS[decision], cleaned(note)), typed)

    @precondition(lambda self: self.plan)
    @rule(first=WHO, place=st.integers(0, 9), notes=st.permutations(PLAIN))
    def both_decide(self, first: str, place: int, notes: list[str]) -> None:
        """Both have the page open; one decides, the other decides otherwise, compares and decides again."""
        second, (component, url) = OTHER[first], self.component_at(place)
        for who in (first, second):
            self.form(who, url, component, fresh=True)
        assert self.decision_saved(first, place, "accepted", notes[0])
        assert not self.decision_saved(second, place, "not now", notes[1]), "two decisions, and nobody was asked which one stands"
        assert self.decision_saved(second, place, "not now", notes[1])

    @precondition(lambda self: self.plan)
    @rule(who=WHO)
    def write_the_rest(self, who: str) -> None:
        """Everything a signature asks for, by the pages."""
        if not self.problems:
            self.add_problem(who, "Kratom use", "SUD-11: 5")
        for problem in Problem.objects.filter(plan=self.plan, removed=False, goals=None):
            self.write_goal(who, problem)
        for row in Component.objects.filter(plan=self.plan, decision="open", suggestion__answers_flags__0__isnull=False):
            self.must(who, self.at("decide", component_id=row.public_id), {"decision": "accepted", "version": str(row.version)})
            self.told.acknowledged(who, row.public_id, ("Accepted", ""))
        plan = self.plan
        assert plan is not None
        details = {
            "discharge_criteria": "Four weeks without", "review_on": str(timezone.localdate() + datetime.timedelta(days=28)),
            "patient_signature": "signed", "copy_offered": "on", "version": str(plan.version),
        }  # fmt: skip
        self.must(who, self.at("details"), details)

    def write_goal(self, who: str, problem: Problem) -> None:
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

    # The signature

    def as_told(self) -> Any:
        """The plan as everybody was told that it is saved."""
        return sorted(self.told.values(*self.problems).values()), self.decided

    def reads_to_sign(self, who: str, *, fresh: bool) -> bool:
        """Whether this person has the page open on which the plan is signed."""
        url, was = self.at("sign"), self.open.get((who, self.at("sign")))
        form = self.form(who, url, fresh=fresh)
        if form is not None and form is not was:
            self.read[who] = self.as_told()
        return form is not None

    @precondition(lambda self: self.plan)
    @rule(who=WHO, fresh=st.booleans(), again=st.booleans())
    def sign(self, who: str, fresh: bool, again: bool) -> None:
        self.is_signed(who, fresh=fresh, again=again)

    def is_signed(self, who: str, *, fresh: bool = False, again: bool = False) -> bool:
        """Sent, once or `again`, from the page as this person has it open, or from a fresh one."""
        url, plan = self.at("sign"), self.plan
        if not self.reads_to_sign(who, fresh=fresh):
            return False
        assert plan is not None
        form = self.open.pop((who, url))
        for _ in range(1 + again):
            response = self.post(who, url, form.sent | {"read": ["on"]})
            if response.status_code == 302 and plan.number not in self.signed:
                assert self.read[who] == self.as_told(), f"{who} signed what they had not read"
                self.keep_signed(plan)
            else:
                assert not self.written
        return plan.number in self.signed

    def keep_signed(self, plan: Plan) -> None:
        made = SignedPlan.objects.get(episode=self.episode, number=plan.number)
        assert [problem["title"] for problem in document.load(made.document.encode())["problems"]] == [row[1] for row in rows_of(plan)]
        assert (made.supersedes.number if made.supersedes else 0) == plan.number - 1
        self.signed[made.number] = (made.sha256, made.document)
        self.frozen[made.number] = rows_of(plan)

    @precondition(lambda self: self.plan)
    @rule(signer=WHO, place=st.integers(0, 5), title=st.sampled_from(PLAIN))
    def one_edits_what_the_other_signs(self, signer: str, place: int, title: str) -> None:
        """Read by one, changed by the other, then signed by who read it: refused, until the plan is read as it is by now."""
        other = OTHER[signer]
        self.write_the_rest(signer)
        assert self.reads_to_sign(signer, fresh=True), "nothing is missing, and it cannot be signed"
        before = self.as_told()
        self.problem_saved(other, place, f"{title}, as told", fresh=True)
        self.write_the_rest(other)  # the patient is asked again
        if before != self.as_told():
            assert not self.is_signed(signer)
        assert self.is_signed(signer, fresh=True, again=True)

    @precondition(lambda self: self.signed and not self.plan)
    @rule(who=WHO, title=TEXT)
    def amend(self, who: str, title: str) -> None:
        """The next version, with another text and a signature of its own. The one before stays: see the invariants."""
        self.start_plan(who)
        if self.problems and self.problem_saved(who, 0, title, fresh=True):
            self.write_the_rest(OTHER[who])
            assert self.is_signed(OTHER[who], fresh=True)

    # What holds after every step

    @invariant()
    def nothing_acknowledged_is_lost(self) -> None:
        if not hasattr(self, "episode"):
            return
        held = {(code, item): words for code in CODES for item, words in stored(self.episode, code).items() if item in ITEMS}
        assert held == self.answers
        rows = {row.pk: (row.responses, row.facts, row.result) for row in Assessment.objects.filter(episode=self.episode)}
        assert rows == self.assessments
        for flag in Flag.objects.filter(pk__in=self.acknowledged).exclude(status=Flag.Status.OPEN):
            assert flag.action_taken == self.acknowledged[flag.pk]
        if self.plan:
            problems = Problem.objects.filter(plan=self.plan, removed=False)
            assert {row.public_id: (row.title, row.source) for row in problems} == self.told.values(*self.problems)
            decided = Component.objects.filter(plan=self.plan).exclude(decision="open")
            assert {row.component_id: said(row) for row in decided} == self.decided

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
        plans = Plan.objects.filter(episode__program=self.program, number__in=self.frozen)
        assert {plan.number: rows_of(plan) for plan in plans} == self.frozen


def said(row: Component) -> tuple[str, str]:
    """What is decided, in the words of the page, and the note."""
    return str(row.get_decision_display()), row.note


def rows_of(plan: Plan) -> list[Any]:
    """The problems of a plan as they stand, in the order of the document."""
    return list(plan.problems.filter(removed=False).order_by("position", "pk").values_list("public_id", "title", "source", "version"))


def walk(examples: int, steps: int, *, begins: str) -> None:
    program = Program.objects.create(name="Riverside")
    roles = {"ann": "nurse", "ben": "prescriber"}
    staff = {name: make_user(name, (role, program), ("intake", program)) for name, role in roles.items()}
    program.duty_team.set(staff.values())
    machine = type("TwoPeople", (TwoPeople,), {"program": program, "staff": staff, "begins": begins})
    with_seed = seed(SEED)(machine)
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    bounds = settings(
        max_examples=examples, stateful_step_count=steps, database=None, deadline=None, suppress_health_check=checks,
        phases=[Phase.generate],  # a walk is told as it was found: to shorten it takes minutes
    )  # fmt: skip
    run_state_machine_as_test(with_seed, settings=bounds)


@pytest.mark.thorough
@pytest.mark.parametrize("begins", ["registered", "planned", "signed"])
def test_two_people_at_one_episode(db: None, begins: str) -> None:
    walk(EXAMPLES, STEPS, begins=begins)
