"""Hostile questionnaires through the loader: each is loaded or refused by name within bounds of time and memory, and nothing is fetched."""

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.questionnaires import cases

CPU_SECONDS, BYTES = 2, 200 * 2**20
CASES = list(cases())
# A process of its own for each file, because what hangs in C holds the interpreter. The kernel counts its time and its memory.
LOADER = f"SECONDS, BYTES = {CPU_SECONDS}, {BYTES}" + """
import resource, socket, sys
from clinic.cleaning import Unclean
from intake.questionnaire import UnsupportedQuestionnaire, load
import intake.compiling

def none(*args, **kwargs):
    sys.exit("it went out")
socket.socket = socket.create_connection = socket.getaddrinfo = none
data = sys.stdin.buffer.read()
used = resource.getrusage(resource.RUSAGE_SELF).ru_utime
resource.setrlimit(resource.RLIMIT_CPU, (int(used) + 1 + SECONDS,) * 2)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + BYTES,) * 2)
try:
    form = load(data)
    wrong = [item.pattern.fullmatch("a" * 50_000 + "!") for item in form.by_id.values() if item.pattern]
    form.deciding_order, form.repeating_above
    print("loaded")
except (Unclean, UnsupportedQuestionnaire) as problem:
    print(problem)
"""


def test_there_are_many_and_each_is_another() -> None:
    assert len(CASES) >= 60 and len({name for name, _, _ in CASES}) == len(CASES)


@pytest.mark.thorough
@pytest.mark.parametrize(("data", "word"), [case[1:] for case in CASES], ids=[case[0].encode("unicode_escape").decode() for case in CASES])
def test_a_hostile_questionnaire_is_loaded_or_refused_by_name(data: str | bytes, word: str | None) -> None:
    raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    done = subprocess.run([sys.executable, "-c", LOADER], input=raw, capture_output=True, cwd=Path(__file__).parents[2], check=False)
    said = done.stdout.decode().strip()
    assert done.returncode == 0, f"{done.returncode}: {done.stderr.decode()[-500:]}"
    if word is None:
        assert said == "loaded"
    else:
        assert said != "loaded" and re.search(word, said), said[:300]


@pytest.mark.thorough
@pytest.mark.parametrize("code", ["while True: pass", "x = 'x' * 2**30", "import socket; socket.socket()"])
def test_the_bounds_hold(code: str) -> None:
    """What runs on, takes too much or goes out does not end well in that process: else the tests above would prove nothing."""
    bounded = LOADER.partition("try:")[0] + code
    done = subprocess.run([sys.executable, "-c", bounded], input=b"", capture_output=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode != 0


@pytest.mark.parametrize("name", ["a circle of 1,000", "two linkIds that look the same", "100,000 brackets", "a text turned around"])
def test_some_of_them_here(name: str) -> None:
    """A slice for every run."""
    from clinic.cleaning import Unclean
    from intake.questionnaire import UnsupportedQuestionnaire, load

    data, word = next((data, word) for case, data, word in CASES if case == name)
    with pytest.raises((Unclean, UnsupportedQuestionnaire), match=word):
        load(data)


def test_the_kernel_counts() -> None:
    assert hasattr(resource, "RLIMIT_AS") and json.loads(CASES[0][1])
