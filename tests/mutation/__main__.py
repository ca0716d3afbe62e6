"""Mutation testing of the pure modules: each is changed in one small way after another, and some test must fail each time.

    bin/python --dev -m tests.mutation [intake/scoring.py ...] [--minutes 30] [--children 2]

Works in a copy of what git knows, in a temporary folder. Prints mutmut's progress, then each change that no test minded, with its line,
and one line of counts for each module; changes that the minutes did not reach are counted apart. Ends with 1 when something survived.
"""

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from clinic import database
from clinic.database import CHECKOUT

MODULES = (
    "intake/scoring.py", "intake/level_of_care.py", "intake/conditions.py", "intake/rules.py", "intake/facts", "plans/suggest.py",
)  # fmt: skip
# The tests that need no database.
TESTS = (
    "tests/intake/test_scoring.py", "tests/intake/test_level_of_care.py", "tests/intake/test_conditions.py", "tests/intake/test_rules.py",
    "tests/intake/test_facts.py", "tests/intake/test_responses.py", "tests/plans/test_suggest.py", "tests/plans/test_cases.py",
)  # fmt: skip
LIST = ["git", "-C", str(CHECKOUT), "ls-files", "-z"]
SURVIVED, UNTESTED, NOT_TRIED = 0, 33, None  # mutmut's codes; of any other a test failed, or took too long
WORDS = {SURVIVED: "survived", UNTESTED: "no test comes here", NOT_TRIED: "not tried"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.mutation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", default=MODULES)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--children", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy(folder, options.modules)
        run(folder, options.children, options.minutes)
        return report(folder)


def copy(folder: Path, modules: list[str]) -> None:
    """What git knows, and what mutmut is to do with it."""
    listed = subprocess.run(LIST, capture_output=True, check=True, text=True)
    for file in filter(None, listed.stdout.split("\0")):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / file, folder / file)
    also = sorted({file.split("/")[0] for file in listed.stdout.split("\0") if file} - {".ci", ".gitignore"})
    settings = {
        "source_paths": list(modules), "also_copy": also, "pytest_add_cli_args_test_selection": list(TESTS),
        "pytest_add_cli_args": ["-p", "tests.mutation.fresh", "-p", "no:cacheprovider"],
    }  # fmt: skip
    with (folder / "pyproject.toml").open("a") as file:
        file.write("\n[tool.mutmut]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))


def run(folder: Path, children: int, minutes: float) -> None:
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(children)]
    # The server of the tests' databases is the checkout's: it outlives the folder.
    process = subprocess.Popen(command, cwd=folder, env=os.environ | {"STEADY_DATA": str(database.home())})
    try:
        process.wait(60 * minutes)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
        print(f"\nStopped after {minutes:g} minutes.")


def report(folder: Path) -> int:
    """Print what survived, and the counts. 1 when there is any."""
    survivors = 0
    for meta in sorted((folder / "mutants").rglob("*.py.meta")):
        file = str(meta.relative_to(folder / "mutants")).removesuffix(".meta")
        codes = json.loads(meta.read_text())["exit_code_by_key"]
        for name in (name for name, code in codes.items() if code in (SURVIVED, UNTESTED)):
            print(said(folder, file, name, WORDS[codes[name]]))
            survivors += 1
        counts = Counter(WORDS.get(code, "killed") for code in codes.values())
        print(f"{file}: {', '.join(f'{number} {word}' for word, number in sorted(counts.items()))}")
    return int(survivors > 0)


def said(folder: Path, file: str, name: str, word: str) -> str:
    """file:line: what stood there, and what stood there instead."""
    shown = subprocess.run([sys.executable, "-m", "mutmut", "show", name], cwd=folder, capture_output=True, text=True, check=False)
    lines = shown.stdout.splitlines()
    at = next(number for number, text in enumerate(lines) if text.startswith("@@"))
    changed = next(number for number, text in enumerate(lines) if number > at and text[:1] in "-+")
    line = begins(folder / file, name) + int(lines[at].split()[1][1:].partition(",")[0]) - 1 + changed - at - 1
    removed, added = (next((text[1:].strip() for text in lines[changed:] if text.startswith(sign)), "") for sign in "-+")
    return f"{file}:{line}: {word}: {removed}  ->  {added}"


def begins(file: Path, name: str) -> int:
    """The line of the function a change is in: module.x_function__mutmut_1, module.xǁClassǁmethod__mutmut_1."""
    own = name.rpartition(".")[2].rpartition("__mutmut_")[0]
    *owner, wanted = own.split("ǁ")[1:] if "ǁ" in own else [own.removeprefix("x_")]
    return next(line for inside, function, line in functions(file) if function == wanted and inside == (owner[0] if owner else ""))


def functions(file: Path) -> Iterator[tuple[str, str, int]]:
    """(class or "", function, line) of a module."""
    for node in ast.parse(file.read_text()).body:
        for part in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(part, ast.FunctionDef):
                yield node.name if isinstance(node, ast.ClassDef) else "", part.name, part.lineno


if __name__ == "__main__":
    sys.exit(main())
