"""Short runs of the harness, each in a process of its own; the long ones are commands (__main__.py, parallel.py)."""

import json
import subprocess
import sys
from typing import Any

import pytest

from clinic.database import CHECKOUT

pytestmark = pytest.mark.thorough


def run(module: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr[-2000:]
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def test_whatever_is_killed_nothing_acknowledged_is_lost_half_done_or_doubled() -> None:
    code, result = run("tests.crash", "--operations", "240", "--clients", "4", "--web-every", "60", "--database-every", "80")
    assert code == 0 and result["acknowledged"] >= 240, result
    assert (result["lost"], result["half"], result["doubled"], result["signatures"]) == (0, 0, 0, 0)
    assert result["killed"].get("web worker") and len(result["killed"]) > 1, "nothing was killed, so nothing was shown"


def test_a_server_that_says_saved_too_soon_is_found_out() -> None:
    """The harness can fail: with synchronous_commit=off a killed server takes acknowledged operations with it."""
    arguments = ("--operations", "60", "--clients", "4", "--web-every", "0", "--database-every", "100000", "--synchronous-commit", "off")
    code, result = run("tests.crash", *arguments)
    assert code == 1 and result["lost"] > 0, result


def test_of_twenty_posts_with_one_key_comes_one_record_and_one_answer() -> None:
    few = [word for name in ("register", "submit", "acknowledge", "plan", "part", "sign") for word in (f"--{name}", "2")]
    code, result = run("tests.crash.parallel", *few)
    assert code == 0, result


def test_whatever_the_database_suffers_a_page_says_so_in_three_seconds_and_comes_back() -> None:
    code, result = run("tests.crash.faults")
    assert code == 0, result
