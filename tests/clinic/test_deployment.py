"""docs/deployment.md says what the code reads and writes: every variable, every command, every line of the log."""

import re

import pytest
from django.core.management import get_commands

from clinic.database import CHECKOUT

PAGE = (CHECKOUT / "docs/deployment.md").read_text()
TABLE = set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE))
# Said by the program to itself.
OWN = {"STEADY_DATABASE_ROLE", "STEADY_SERVES"}
# A variable that is read: os.environ, env.str and the like, or a name handed to a helper of the settings.
READ = re.compile(r'"((?:STEADY|DATABASE)_[A-Z_]+)"')


def test_every_variable_is_in_the_table() -> None:
    sources = [CHECKOUT / "manage.py", *(file for app in ("clinic", "intake", "plans") for file in (CHECKOUT / app).rglob("*.py"))]
    assert {name for source in sources for name in READ.findall(source.read_text())} - OWN == TABLE


def test_every_variable_it_sets_is_one() -> None:
    assert set(re.findall(r"\b(?:STEADY|DATABASE)_[A-Z_]+(?==)", PAGE)) <= TABLE


@pytest.mark.parametrize(
    "pattern", [r"manage\.py ([a-z_]+)", r"`((?:verify|backup|set|load)_[a-z_]+)`", r"steady@([a-z_]+)\.(?:timer|service)"]
)
def test_every_command_is_one(pattern: str) -> None:
    named = set(re.findall(pattern, PAGE))
    assert named and named <= set(get_commands())


def test_every_message_and_every_problem_is_said_somewhere() -> None:
    messages = re.findall(r"^\| `([^`]+)`, `(steady\.[a-z]+)`", PAGE, re.MULTILINE)
    source = "".join(file.read_text() for file in (CHECKOUT / "clinic").glob("*.py"))
    assert len(messages) == 3
    for message, logger in messages:
        assert f'"{message}"' in source and f'getLogger("{logger}")' in source
    named = re.search(r"stands in the way: (.*?) \|", PAGE)
    assert named and set(re.findall(r'yield "(\w+)", ', source)) | {"database"} == set(re.findall(r"`(\w+)`", named[1]))
