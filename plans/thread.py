"""The golden thread: every link from a finding to what is done about it, and the sentence for each that is missing.

Rules PV-1 to PV-7 of the clinical content specification, section 6.1. Documentation gaps (PV-2, 3, 5, 7) stop a
signature; clinical findings (PV-1, 4, 6) take a documented reason and never stop it. "assessment" is no rule of the
specification: what is signed rests on the newest assessment there is.
"""

import datetime
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from intake.rules import condition
from plans.components import ACTION, Answered, answered_by, load_components

ASSESSMENT = "assessment"
STOPS = {ASSESSMENT: True, "PV-1": False, "PV-2": True, "PV-3": True, "PV-4": False, "PV-5": True, "PV-6": False, "PV-7": True}
SEVERE = ("CRITICAL", "HIGH")
TWO_DISCIPLINES = "sud_count >= 2 and (phq9_low >= 10 or gad7_low >= 10 or pcptsd5_pos)"  # PV-4


@dataclass(frozen=True)
class Intervention:
    """What somebody does, how often and for how long. `left`: the name of a responsible person who no longer works here."""

    id: str
    text: str
    discipline: str = ""
    frequency: str = ""
    duration: str = ""
    left: str = ""


@dataclass(frozen=True)
class Objective:
    id: str
    text: str
    interventions: tuple[Intervention, ...] = ()


@dataclass(frozen=True)
class Goal:
    """`template_text` is the library's wording, empty for a goal of one's own."""

    id: str
    text: str
    patient_words: str = ""
    template_text: str = ""
    baseline: Decimal | None = None
    target: Decimal | None = None
    target_date: datetime.date | None = None
    objectives: tuple[Objective, ...] = ()


@dataclass(frozen=True)
class Problem:
    id: str
    title: str
    source: str = ""
    goals: tuple[Goal, ...] = ()


@dataclass(frozen=True)
class Flag:
    """A safety flag or interaction of the episode. `action`: a clinician's action is recorded on the flag itself."""

    rule: str
    name: str
    severity: str
    open: bool = True
    action: bool = False


@dataclass(frozen=True)
class Decision:
    """A component in the plan, suggested or added by hand; `accepted` is what answers a flag."""

    component_id: str
    accepted: bool


@dataclass(frozen=True)
class Deferral:
    """A documented reason for a clinical finding; `subject` is the flag's rule for PV-1, else empty."""

    rule: str
    reason: str
    subject: str = ""


@dataclass(frozen=True)
class Settings:
    """The program's settings that the thread looks at. `review_days` in days from the day of signing."""

    review_days: int = 90
    patient_signature_required: bool = True


@dataclass(frozen=True)
class PlanView:
    """A plan as the thread sees it. `today` is the clinic's date on which it would be signed (no clock here)."""

    today: datetime.date
    problems: tuple[Problem, ...] = ()
    flags: tuple[Flag, ...] = ()
    decisions: tuple[Decision, ...] = ()
    deferrals: tuple[Deferral, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    discharge_criteria: str = ""
    review_on: datetime.date | None = None
    patient_signature: str = ""  # "" not asked, "signed", "declined", "absent"
    patient_signature_reason: str = ""
    changed_since_patient_signed: bool = False
    newer_assessment: datetime.date | None = None  # of an assessment that the plan does not rest on yet
    settings: Settings = Settings()


@dataclass(frozen=True)
class Gap:
    """One missing link. `anchor` is (kind, id) of what mends it: kind problem, goal, objective or intervention (to change),
    add goal, add objective or add intervention (under that part), component, or plan.
    """

    rule: str
    stops: bool
    sentence: str
    anchor: tuple[str, str]
    subject: str = ""  # what a Deferral of this finding must carry as its subject

    @property
    def mark(self) -> str:
        """Names the gap in an address without saying what it is."""
        return hashlib.sha256(f"{self.rule} {self.subject}".encode()).hexdigest()[:16]


def gaps(plan: PlanView) -> tuple[Gap, ...]:
    """Every missing link, those that stop a signature first. A finding with a documented reason is no longer open."""
    reasons = {(d.rule, d.subject) for d in plan.deferrals if d.reason.strip()}
    stopping = [*_assessment(plan), *_goals(plan), *_interventions(plan), *_discharge(plan), *_patient(plan)]
    found = [*stopping, *_flags(plan), *_disciplines(plan), *_review(plan)]
    return tuple(gap for gap in found if gap.stops or (gap.rule, gap.subject) not in reasons)


def left_open(plan: PlanView) -> Iterator[Gap]:
    """The clinical findings that the plan does not answer, with a reason or without one, under each of their names."""
    for gap in gaps(replace(plan, deferrals=())):
        if gap.stops:
            continue
        yield gap
        answer = answered_by(gap.subject, plan.facts) if gap.subject else None
        if answer and answer.same_as:
            yield replace(gap, subject=answer.same_as)


def findings_of(plan: PlanView) -> frozenset[str]:
    """The marks of every finding that this plan could leave open, whether it does or not."""
    subjects = [("PV-4", ""), ("PV-6", ""), *(("PV-1", flag.rule) for flag in plan.flags)]
    return frozenset(Gap(rule, False, "", ("", ""), subject).mark for rule, subject in subjects)


def stops(found: Sequence[Gap]) -> bool:
    """Whether any of these gaps stops a signature."""
    return any(gap.stops for gap in found)


def same_text(a: str, b: str) -> bool:
    """Whether two texts are the same wording, whatever their capitals, spaces and final stop."""
    return _words(a) == _words(b)


def _words(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip(" .").casefold()


def _gap(rule: str, sentence: str, anchor: tuple[str, str], subject: str = "") -> Gap:
    return Gap(rule, STOPS[rule], sentence, anchor, subject)


def _short(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    return f"“{text if len(text) <= 60 else text[:57].rstrip() + '...'}”"


def _day(day: datetime.date) -> str:
    return f"{day.day} {day:%b %Y}"


def _assessment(plan: PlanView) -> Iterator[Gap]:
    if day := plan.newer_assessment:
        yield _gap(ASSESSMENT, f"A newer assessment from {_day(day)} is there: bring the draft up to date.", ("plan", ASSESSMENT))


def _goals(plan: PlanView) -> Iterator[Gap]:
    """PV-2: the patient's words, a baseline, a numeric target, a date, and a text that is not the template's."""
    if not plan.problems:
        yield _gap("PV-2", "The plan has no problem and no goal yet.", ("plan", ""))
    for problem in plan.problems:
        if not problem.goals:
            yield _gap("PV-2", f"The problem {_short(problem.title)} has no goal yet.", ("add goal", problem.id))
        for goal in problem.goals:
            if missing := list(_goal_lacks(goal, plan.today)):
                yield _gap("PV-2", f"The goal {_short(goal.text)} still needs {_list(missing)}.", ("goal", goal.id))


def _goal_lacks(goal: Goal, today: datetime.date) -> Iterator[str]:
    words, text = goal.patient_words.strip(), goal.text.strip()
    if not words:
        yield "the patient's own words"
    elif goal.template_text and same_text(words, goal.template_text):
        yield "the patient's own words in place of the library's"
    if goal.baseline is None:
        yield "a baseline number"
    if goal.target is None:
        yield "a target number"
    if goal.target_date is None:
        yield "a target date"
    elif goal.target_date < today:
        yield f"a new target date ({_day(goal.target_date)} has passed)"
    if not text:
        yield "a text"
    elif goal.template_text and same_text(text, goal.template_text):
        yield "a wording of its own: it is still the library's text"
    elif re.search(r"\{\w+\}", text):
        yield "its blanks filled in"


def _interventions(plan: PlanView) -> Iterator[Gap]:
    """PV-3: every goal leads to something somebody does, with discipline, frequency and duration."""
    for goal in (goal for problem in plan.problems for goal in problem.goals):
        if not goal.objectives:
            yield _gap("PV-3", f"The goal {_short(goal.text)} has no objective yet.", ("add objective", goal.id))
        for objective in goal.objectives:
            if not objective.interventions:
                yield _gap("PV-3", f"The objective {_short(objective.text)} has no intervention yet.", ("add intervention", objective.id))
            for row in objective.interventions:
                parts = {"a text": row.text, "a discipline": row.discipline, "a frequency": row.frequency, "a duration": row.duration}
                if missing := [name for name, value in parts.items() if not value.strip()]:
                    sentence = f"The intervention {_short(row.text)} still needs {_list(missing)}."
                    yield _gap("PV-3", sentence, ("intervention", row.id))
                if row.left:
                    sentence = f"The intervention {_short(row.text)} needs another responsible person: {row.left} is no longer active here."
                    yield _gap("PV-3", sentence, ("intervention", row.id))


def _discharge(plan: PlanView) -> Iterator[Gap]:
    if not plan.discharge_criteria.strip():
        yield _gap("PV-5", "The plan does not say yet when the person is ready for discharge or transfer.", ("plan", "discharge_criteria"))


def _patient(plan: PlanView) -> Iterator[Gap]:
    """PV-7, the patient's part; the author's signature is what this list stands in front of."""
    if not plan.settings.patient_signature_required or plan.patient_signature == "signed":
        return
    if plan.patient_signature == "" and plan.changed_since_patient_signed:
        sentence = "The plan was changed after the patient signed it: please ask for the signature again."
        yield _gap("PV-7", sentence, ("plan", "patient_signature"))
    elif plan.patient_signature == "":
        yield _gap("PV-7", "The patient has not been asked to sign yet.", ("plan", "patient_signature"))
    elif not plan.patient_signature_reason.strip():
        yield _gap("PV-7", "The patient has not signed, and the reason is not written down yet.", ("plan", "patient_signature_reason"))


def _flags(plan: PlanView) -> Iterator[Gap]:
    """PV-1: each open CRITICAL or HIGH flag has what answers it. A flag that is another's name is said once."""
    accepted = frozenset(d.component_id for d in plan.decisions if d.accepted)
    deferred = {d.subject for d in plan.deferrals if d.rule == "PV-1" and d.reason.strip()}
    severe = {flag.rule: flag for flag in plan.flags if flag.open and flag.severity in SEVERE}
    answers = {rule: answered_by(rule, plan.facts) for rule in severe}
    twins = {answer.same_as for answer in answers.values() if answer and answer.same_as}
    for rule, flag in severe.items():
        answer = answers[rule]
        if answer is None or rule in twins or answer.same_as in deferred:
            continue
        actions = {ACTION} if flag.action or _twin_action(answer, severe) else set()
        if missing := answer.missing(accepted | actions):
            sentence = f"{flag.rule} ({flag.name}) is not answered yet: {_wanted(missing)}, or a reason."
            yield _gap("PV-1", sentence, ("component", min(missing[0] - {ACTION}, default="")), rule)


def _twin_action(answer: Answered, severe: Mapping[str, Flag]) -> bool:
    twin = severe.get(answer.same_as) if answer.same_as else None
    return twin is not None and twin.action


def _wanted(groups: Sequence[frozenset[str]]) -> str:
    return "it asks for " + _list([" or ".join(_name(member) for member in sorted(group)) for group in groups])


def _name(member: str) -> str:
    return "a recorded action" if member == ACTION else f"{member} {load_components()[member].name}"


def _disciplines(plan: PlanView) -> Iterator[Gap]:
    """PV-4: two disciplines when substance use and mood, anxiety or trauma stand together."""
    both = condition(TWO_DISCIPLINES, "PV-4").evaluate(plan.facts).truth
    rows = (row for p in plan.problems for g in p.goals for o in g.objectives for row in o.interventions)
    used = {row.discipline for row in rows if row.discipline}
    if both is True and len(used) < 2:
        sentence = "Substance use and mood, anxiety or trauma stand together: plan work of at least two disciplines, or give a reason."
        yield _gap("PV-4", sentence, ("plan", "disciplines"))


def _review(plan: PlanView) -> Iterator[Gap]:
    """PV-6: the review lies in the future and within the program's interval."""
    last = plan.today + datetime.timedelta(days=plan.settings.review_days)
    limit = f"the program's limit is {plan.settings.review_days} days, {_day(last)}"
    if plan.review_on is None:
        yield _gap("PV-6", f"The plan has no review date yet: {limit}.", ("plan", "review_on"))
    elif plan.review_on < plan.today:
        yield _gap("PV-6", "The review date has already passed.", ("plan", "review_on"))
    elif plan.review_on > last:
        yield _gap("PV-6", f"The review comes too late: {limit}.", ("plan", "review_on"))


def _list(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
