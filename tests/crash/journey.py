"""The way of one person from registration to the signed plan, over HTTP, each step until it is acknowledged; and a journal of it.

A step that got no answer may have been carried out: it is sent again with the same key, as a person presses the button again.
"""

import contextlib
import datetime
import json
import random
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.crash.browser import NOBODY, Answer, Browser

PHQ9 = [str(number) for number in range(1, 10)]
CHOICES = ("LA6568-5", "LA6569-3", "LA6570-1", "LA6571-9")
SOON = (datetime.date.today() + datetime.timedelta(days=28)).isoformat()
AGAIN_SECONDS = 0.3


class Journal:
    """What was acknowledged, one line each, written by the clients alone; and how every request was answered."""

    def __init__(self, file: Path) -> None:
        self.lines: list[dict[str, Any]] = []
        self.answers: Counter[str] = Counter()
        self.strange: list[str] = []
        self.slowest = 0.0
        self._file, self._lock = file.open("a"), threading.Lock()

    def saw(self, what: str, answer: Answer) -> None:
        """Counts an answer. Whatever is neither an acknowledgement nor a 503 with Retry-After nor a broken connection is strange."""
        kind = "nobody answered" if answer.status == NOBODY else str(answer.status)
        with self._lock:
            self.answers[kind] += 1
            self.slowest = max(self.slowest, answer.seconds)
            honest = (answer.status == 503 and answer.retry_after) or answer.location.startswith("/accounts/reauthenticate/")
            asked = what == "register" and answer.status == 409
            if not (answer.done or honest or asked or answer.status == NOBODY) and len(self.strange) < 50:
                self.strange.append(f"{what}: {answer.status} {answer.location} {_heading(answer.body)}")

    def acknowledged(self, **line: Any) -> None:
        with self._lock:
            self.lines.append(line)
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def of(self, what: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["what"] == what]


def _heading(html: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", html)
    return found[1] if found else html[:80].replace("\n", " ")


class GivenUp(Exception):
    """The load is over."""


class SoundsAlike(Exception):
    """The page asks whether this person is another one, whose name sounds alike: nobody was registered."""


class Client(threading.Thread):
    """One member of staff at work, one patient after the other, until `enough` says so."""

    def __init__(self, browser: Browser, journal: Journal, enough: threading.Event, seed: int) -> None:
        super().__init__(daemon=True)
        self.browser, self.journal, self.enough, self.dice = browser, journal, enough, random.Random(seed)  # noqa: S311
        self.program = str(browser.house.query("SELECT id FROM clinic_program")[0][0])
        self.versions: dict[str, str] = {}
        self.basis = ""

    def run(self) -> None:
        try:
            while not self.browser.log_in().done:
                self._pause()
            while not self.enough.is_set():
                self.journey()
        except GivenUp:
            pass
        except Exception as error:  # a page that was not as it should be, or a mistake in here
            self.journal.strange.append(f"{self.browser.name}: {error!r}")

    def journey(self) -> None:
        episode = self.register()
        for _ in range(14):
            self.answer(episode)
        self.submit(episode)
        self.acknowledge(episode)
        self.look(episode)
        if self.dice.random() < 0.5:
            self.plan(episode)
            self.sign(episode)

    # Each step

    def step(self, what: str, path: str, form: Mapping[str, Any] | None = None, *, htmx: bool = False, **line: Any) -> Answer:
        """Sent until it is acknowledged, then written into the journal."""
        while True:
            answer = self.browser.ask(path, form, htmx=htmx)
            self.journal.saw(what, answer)
            if answer.done:
                self.journal.acknowledged(what=what, by=self.browser.name, location=answer.location, **line)
                return answer
            if answer.status == 409 and what == "register":
                raise SoundsAlike
            if answer.status in (404, 409, 422, 500):
                raise GivenUp  # the journal has it among the strange answers
            if answer.location.startswith("/accounts/") or answer.status == 403:
                self.browser.log_in()
                self.identified()
            self._pause()

    def identified(self) -> None:
        """Say again who it is; also after a log-in of which the answer was lost with the worker."""
        while not self.browser.confirm().done:
            self._pause()
            self.browser.log_in()

    def _pause(self) -> None:
        if self.enough.is_set() and self.dice.random() < 0.02:
            raise GivenUp
        time.sleep(AGAIN_SECONDS * (0.5 + self.dice.random()))

    def register(self) -> str:
        while True:
            form = self.registration()
            with contextlib.suppress(SoundsAlike):
                answer = self.step("register", "/patients/register/", form, key=form["key"])
                break
        self.versions, self.basis = {}, ""
        return answer.location.split("/")[2]

    def registration(self) -> dict[str, str]:
        return {
            "legal_first_name": self._letters(), "legal_last_name": self._letters(), "birth_date": self._birthday(), "sex_at_birth": "F",
            "language": "English", "preferred_contact": "phone", "referral_source": "self", "presenting_reason": "Would like help.",
            "program": self.program, "key": str(uuid.uuid4()),
        }  # fmt: skip

    def _letters(self) -> str:
        return "".join(self.dice.choices("abcdefghijklmnopqrstuvwxyz", k=14)).capitalize()

    def _birthday(self) -> str:
        return (datetime.date(1950, 1, 1) + datetime.timedelta(days=self.dice.randrange(18_000))).isoformat()

    def answer(self, episode: str, item: str = "") -> None:
        """One question of the PHQ-9 answered, or answered otherwise, and saved by itself."""
        item, choice = item or self.dice.choice(PHQ9), self.dice.choice(CHOICES[1:])
        form = {"basis": self.basis, "shown": [f"a-{item}"], f"a-{item}": choice, f"v-a-{item}": self.versions.get(item, "0")}
        answer = self.step("answer", f"/episodes/{episode}/intake/phq9/1/", form, htmx=True, episode=episode, item=item, value=choice)
        self.versions |= dict(re.findall(r'id="v-a-(\w+)" value="(\d+)"', answer.body))
        self.basis = re.search(r'name="basis"[^>]* value="([^"]*)"', answer.body)[1]  # type: ignore[index]

    def submit(self, episode: str) -> None:
        key = str(uuid.uuid4())
        self.step("submit", f"/episodes/{episode}/intake/review/", {"key": key, "seen": "1"}, episode=episode, key=key)

    def acknowledge(self, episode: str) -> None:
        if flags := self.flags(episode):
            form = {"action_taken": "Talked it through."}
            self.step("acknowledge", f"/episodes/{episode}/flags/{flags[0]}/acknowledge/", form, episode=episode, flag=flags[0])

    def flags(self, episode: str) -> list[str]:
        page = self.step("look", f"/episodes/{episode}/assessment/", view="assessment", episode=episode)
        return re.findall(rf"/episodes/{episode}/flags/([0-9a-f-]+)/acknowledge/", page.body)

    def look(self, episode: str) -> None:
        self.step("look", f"/episodes/{episode}/chart/", view="chart", episode=episode)

    def plan(self, episode: str) -> None:
        at = f"/episodes/{episode}/plan/"
        self.step("plan", f"{at}start/", {"key": str(uuid.uuid4())}, episode=episode)
        page = self.step("look", at, view="plan", episode=episode)
        for component in re.findall(rf"{at}components/([0-9a-f-]{{36}})/", page.body)[:2]:
            form = {"decision": "accepted", "note": "Weekly", "version": "1"}
            self.step("decide", f"{at}components/{component}/", form, episode=episode, component=component)
        problem = self.part(episode, "problem", "", title="Kratom use disorder", source="SUD-11")
        goal = self.part(
            episode, "goal", problem, text="None by spring, step by step", patient_words="I want my mornings back, without counting.",
            measure="Leaf, g a day", baseline="32", target="0", target_date=SOON,
        )  # fmt: skip
        objective = self.part(episode, "objective", goal, text="Weigh every dose")
        for discipline, text in (("nurse", "Taper card"), ("therapist", "CBT for cravings")):
            self.part(episode, "intervention", objective, text=text, discipline=discipline, frequency="weekly", duration="12 weeks")
        form = {"discharge_criteria": "Four weeks without", "review_on": SOON, "patient_signature": "signed", "copy_offered": "on"}
        version = self.step("look", f"{at}details/", view="details", episode=episode).body
        form["version"] = re.search(r'name="version" value="(\d+)"', version)[1]  # type: ignore[index]
        self.step("details", f"{at}details/", form, episode=episode)

    def part(self, episode: str, kind: str, parent: str, **values: str) -> str:
        """Added once, whatever happens; its id, which stands in the address that is led to."""
        key = str(uuid.uuid4())
        path = f"/episodes/{episode}/plan/parts/{kind}/add/{parent + '/' if parent else ''}"
        answer = self.step("part", path, values | {"version": "0", "key": key}, episode=episode, kind=kind)
        return answer.location.rpartition("#part-")[2]

    def sign(self, episode: str) -> None:
        form = self.to_sign(episode)
        self.step("sign", f"/episodes/{episode}/plan/sign/", form, episode=episode, key=form["key"])

    def to_sign(self, episode: str) -> dict[str, str]:
        """The form of the page on which the plan is read, identity confirmed."""
        self.identified()
        page = self.step("look", f"/episodes/{episode}/plan/sign/", view="sign", episode=episode)
        return dict(re.findall(r'name="(key|seen)" value="([^"]+)"', page.body)) | {"read": "on"}
