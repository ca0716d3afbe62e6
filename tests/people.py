"""People for tests: two programs, one person of every role in each, and patients on and off their care teams."""

import datetime
import uuid
from dataclasses import dataclass, field

from clinic import actions
from clinic.access_table import ROLES
from clinic.models import Episode, Membership, Program, User
from clinic.transaction import acting

PASSWORD = "a quiet river bend"
DISCIPLINES = {
    "intake": "front desk", "peer": "peer specialist", "case_manager": "case manager", "counsellor": "counsellor",
    "nurse": "nurse", "prescriber": "prescriber", "supervisor": "physician",
}  # fmt: skip


def make_user(name: str, *roles: tuple[str, Program]) -> User:
    """A member of staff with these (role, program) pairs; log in with PASSWORD."""
    discipline = next((DISCIPLINES[role] for role, _ in roles if role in DISCIPLINES), "administration")
    user = User.objects.create_user(
        name, f"{name}@example.org", PASSWORD, first_name=name.title(), last_name="Tester", discipline=discipline, credential="X",
        is_staff=any(role in {"sys_admin", "content_editor"} for role, _ in roles),
    )  # fmt: skip
    for role, program in roles:
        Membership.objects.create(user=user, program=program, role=role)
    return user


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
    for role in ROLES:
        house.staff[role] = make_user(role, (role, house.program))
    stranger = make_user("stranger", ("intake", house.elsewhere), ("prescriber", house.elsewhere))
    clerk = house.staff["intake"]
    house.mine = make_episode(clerk, house.program, last_name="Minecanary")
    house.other = make_episode(clerk, house.program, last_name="Othercanary")
    house.foreign = make_episode(stranger, house.elsewhere, last_name="Foreigncanary")
    with acting(house.staff["supervisor"], "care_team.assign"):
        for role in ("peer", "case_manager", "counsellor", "nurse", "prescriber"):
            actions.join_care_team(by=house.staff["supervisor"], episode=house.mine, user=house.staff[role])
    return house
