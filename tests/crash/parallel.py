"""Twenty parallel posts with one key, again and again: python -m tests.crash.parallel [--register N] [--submit N] ...

Against gunicorn as bin/run starts it. Of each twenty exactly one record comes to be, and all twenty get the same answer. Prints one line
of JSON last; ends with 0 when it is so for every action.
"""

import argparse
import json
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.crash.house import House, opened

TWENTY = 20
# How many times twenty for each action, unless told otherwise.
TIMES = {"register": 200, "submit": 20, "acknowledge": 20, "plan": 20, "part": 20, "sign": 20}
RECORDS = {
    "register": "clinic_patient", "submit": "intake_assessment", "acknowledge": "intake_flag WHERE acknowledged_at IS NOT NULL",
    "plan": "plans_plan", "part": "plans_problem", "sign": "plans_signedplan",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.parallel", description=__doc__.splitlines()[0])
    for name, times in TIMES.items():
        parser.add_argument(f"--{name}", type=int, default=times)
    options = vars(parser.parse_args())
    with opened(1) as house:
        result = Twenty(house).run(options)
    print(json.dumps(result))
    sys.exit(0 if all(row["records"] == row["times"] and not row["unlike"] for row in result.values()) else 1)


class Twenty:
    """One person at twenty keyboards: the same session, the same form, at the same moment."""

    def __init__(self, house: House) -> None:
        from tests.crash.browser import Browser
        from tests.crash.journey import Client, Journal

        self.house, self.browser = house, Browser(house, house.names[0], patience=120)
        self.way = Client(self.browser, Journal(house.folder / "journal.jsonl"), threading.Event(), 1)
        self.pool, self.again = ThreadPoolExecutor(TWENTY), 0
        self.browser.log_in()

    def run(self, times: dict[str, int]) -> dict[str, dict[str, Any]]:
        """For every action: how often it was sent twenty times, how many records came of it, and the answers that were not alike."""
        result = {}
        for name, wanted in times.items():
            unlike, records, prepared, self.again = [], 0, self._prepared(name), 0
            for _ in range(wanted):
                path, form = next(prepared)
                before = self._count(name)
                answers = self._together(path, form)
                records += self._count(name) - before
                if len(answers) > 1 or not all(status == 302 for status, _ in answers):
                    unlike.append(sorted(answers))
            result[name] = {"times": wanted, "records": records, "unlike": unlike[:3], "asked to come again": self.again}
            print(f"{name}: {wanted} times {TWENTY} posts, {records} records, {len(unlike)} with unlike answers", flush=True)
        return result

    def _together(self, path: str, form: dict[str, Any]) -> set[tuple[int, str]]:
        barrier = threading.Barrier(TWENTY)

        def post(_: int) -> tuple[int, str]:
            barrier.wait()
            answer = self.browser.ask(path, form)
            while answer.status == 503 and answer.retry_after:  # as it asks to
                self.again += 1
                time.sleep(1)
                answer = self.browser.ask(path, form)
            return answer.status, answer.location

        return set(self.pool.map(post, range(TWENTY)))

    def _count(self, name: str) -> int:
        return int(self.house.query(f"SELECT count(*) FROM {RECORDS[name]}")[0][0])

    def _prepared(self, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Addresses and forms, each with a key that was never used, and the person brought so far as the action asks."""
        form: Callable[[], tuple[str, dict[str, Any]]] = getattr(self, f"_{name}")
        while True:
            yield form()

    def _register(self) -> tuple[str, dict[str, Any]]:
        return "/patients/register/", self.way.registration()

    def _submit(self) -> tuple[str, dict[str, Any]]:
        self.episode = self.way.register()
        for item in ("1", "9"):
            self.way.answer(self.episode, item)
        return f"/episodes/{self.episode}/intake/review/", {"key": str(uuid.uuid4()), "seen": "1"}

    def _submitted(self) -> str:
        self._submit()
        self.way.submit(self.episode)
        return self.episode

    def _acknowledge(self) -> tuple[str, dict[str, Any]]:
        episode = self._submitted()
        return f"/episodes/{episode}/flags/{self.way.flags(episode)[0]}/acknowledge/", {"action_taken": "Talked it through."}

    def _plan(self) -> tuple[str, dict[str, Any]]:
        return f"/episodes/{self._submitted()}/plan/start/", {"key": str(uuid.uuid4())}

    def _part(self) -> tuple[str, dict[str, Any]]:
        path, form = self._plan()
        self.way.step("plan", path, form)
        values = {"title": "Sleep", "source": "Own words", "version": "0", "key": str(uuid.uuid4())}
        return f"/episodes/{self.episode}/plan/parts/problem/add/", values

    def _sign(self) -> tuple[str, dict[str, Any]]:
        episode = self._submitted()
        self.way.plan(episode)
        return f"/episodes/{episode}/plan/sign/", self.way.to_sign(episode)


if __name__ == "__main__":
    main()
