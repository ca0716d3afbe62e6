"""People for tests: two programs, one person of every role in each, and patients on and off their care teams."""

import datetime
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from django.contrib.auth.hashers import make_password
from django.db import connection

from clinic import actions, database
from clinic.access_table import ROLES
from clinic.models import CareTeamMember, Change, Episode, Membership, Program, User
from clinic.row_security import walled_tables
from clinic.transaction import acting

PASSWORD = "a quiet river bend"
DISCIPLINES = {
    "intake": "front desk", "peer": "peer specialist", "case_manager": "case manager", "counsellor": "counsellor",
    "nurse": "nurse", "prescriber": "prescriber", "supervisor": "physician",
}  # fmt: skip


@contextmanager
def everything() -> Iterator[None]:
    """Every row, as the owner of the tables sees it: for what a test looks at, never around what it puts to the test.

    The web role cannot do this: here it was taken on by the log-in that made the test's database (tests/databases.py).
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        [before] = cursor.fetchone()
        cursor.execute(f"SET ROLE {database.OWNER}")
        try:
            yield
        finally:
            cursor.execute(f"SET ROLE {before}")


@contextmanager
def without_row_security() -> Iterator[None]:
    """The first wall alone: as if nobody had raised the second one. Undone with the test's transaction at the latest."""
    _switch("DISABLE")
    try:
        yield
    finally:
        _switch("ENABLE")


def _switch(verb: str) -> None:
    with everything(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with checks outstanding is not altered
        for table, _ in walled_tables():
            cursor.execute(f'ALTER TABLE "{table}" {verb} ROW LEVEL SECURITY')


def recorded(**lookups: object) -> list[Change]:
    """The record of changes, oldest first, whoever acts."""
    with everything():
        return list(Change.objects.filter(**lookups).order_by("id"))


TEAM = ("peer", "case_manager", "counsellor", "nurse", "prescriber")
Roles = Sequence[tuple[str, Program]]


def make_user(name: str, *roles: tuple[str, Program]) -> User:
    """A member of staff with these (role, program) pairs; log in with PASSWORD."""
    return make_staff({name: roles})[name]


def make_staff(roles: Mapping[str, Roles]) -> dict[str, User]:
    """Members of staff by name, all written at once: most tests begin with eleven of them."""
    users = {name: _user(name, held) for name, held in roles.items()}
    User.objects.bulk_create(users.values())
    Membership.objects.bulk_create(
        Membership(user=users[name], program=program, role=role) for name, held in roles.items() for role, program in held
    )
    return users


@cache
def _hash() -> str:
    return make_password(PASSWORD)


def _user(name: str, roles: Roles) -> User:
    discipline = next((DISCIPLINES[role] for role, _ in roles if role in DISCIPLINES), "administration")
    return User(
        username=name, email=f"{name}@example.org", password=_hash(), first_name=name.title(), last_name="Tester",
        discipline=discipline, credential="X", is_staff=any(role in {"sys_admin", "content_editor"} for role, _ in roles),
    )  # fmt: skip


def make_episode(by: User, program: Program, last_name: str = "Rivera", first_name: str = "Ana", **patient: object) -> Episode:
    """A registered person with an open episode; the program's duty team is on the care team."""
    values = {
        "legal_first_name": first_name, "legal_last_name": last_name, "birth_date": datetime.date(1990, 2, 3), "sex_at_birth": "F",
    } | patient  # fmt: skip
    with acting(by, "patient.register"):
        return actions.register_patient(
            by=by, program=program, patient=values, key=uuid.uuid4(),
            episode={"referral_source": "self", "presenting_reason": "Would like help to stop."},
        )  # fmt: skip


@dataclass
class House:
    """Two programs; `staff[role]` works in `program` and is on the team of `mine`, not of `other`; `foreign` is elsewhere."""

    program: Program
    elsewhere: Program
    staff: dict[str, User] = field(default_factory=dict)
    mine: Episode = None  # type: ignore[assignment]
    other: Episode = None  # type: ignore[assignment]
    foreign: Episode = None  # type: ignore[assignment]


def make_house() -> House:
    house = House(Program.objects.create(name="Riverside outpatient"), Program.objects.create(name="Hillside residential"))
    strangers = [("intake", house.elsewhere), ("prescriber", house.elsewhere)]
    house.staff = make_staff({role: [(role, house.program)] for role in ROLES} | {"stranger": strangers})
    stranger = house.staff.pop("stranger")
    clerk = house.staff["intake"]
    house.mine = make_episode(clerk, house.program, last_name="Minecanary")
    house.other = make_episode(clerk, house.program, last_name="Othercanary")
    house.foreign = make_episode(stranger, house.elsewhere, last_name="Foreigncanary")
    make_team(house.staff["supervisor"], house.mine, [house.staff[role] for role in TEAM])
    return house


def make_team(by: User, episode: Episode, users: Iterable[User]) -> None:
    """These on the care team, written at once: more than a thousand tests begin so, and the action has its own."""
    with acting(by, "care_team.assign"):
        CareTeamMember.objects.bulk_create(
            CareTeamMember(program_id=episode.program_id, patient_id=episode.patient_id, episode=episode, user=user, joined_by=by)
            for user in users
        )
