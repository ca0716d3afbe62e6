"""One house in which every page has something to show, and one member of staff whose roles open all of them."""

import uuid
from typing import Any

from django.test import Client

from clinic.access_table import ROLES
from clinic.actions import join_care_team
from clinic.models import Episode, User
from clinic.transaction import acting
from intake.models import Flag
from plans.models import Plan, Problem
from tests.clinic.test_access import logged_in
from tests.intake.test_actions import answered, fill, submit
from tests.people import House, make_episode, make_house, make_user
from tests.plans.test_actions import begin, sign, whole


class Everything:
    """`by` may open every page; `signed` has a signed plan and a draft of the next, `fresh` is just registered."""

    def __init__(self) -> None:
        self.house: House = make_house()
        self.by: User = make_user("everybody", *[(role, self.house.program) for role in ROLES])
        self.signed: Episode = self.house.mine
        self._write_plans()
        self.fresh: Episode = make_episode(self.by, self.house.program, last_name="Fresh")
        with acting(self.by, "care_team.assign"):
            for episode in (self.signed, self.fresh):
                join_care_team(by=self.by, episode=episode, user=self.by)

    def _write_plans(self) -> None:
        nurse, prescriber = self.house.staff["nurse"], self.house.staff["prescriber"]
        answered(nurse, self.signed, "V4")
        assessment = submit(nurse, self.signed)
        plan = whole(self.house, plan=begin(prescriber, self.house, assessment))
        sign(prescriber, plan)
        self.draft: Plan = begin(prescriber, self.house, assessment)
        fill(nurse, self.signed, "V5", "phq9", "medicines")

    def client(self) -> Client:
        return logged_in(self.by)

    def arguments(self, episode: Episode) -> dict[str, str]:
        """What stands for each argument of an address, by its name."""
        part: Any = Problem.objects.get(plan=self.draft)
        return {
            "episode_id": str(episode.public_id),
            "flag_id": str(Flag.objects.filter(episode=self.signed).standing()[0].public_id),
            "component_id": str(self.draft.components.order_by("pk")[0].public_id),
            "part_id": str(part.public_id), "parent_id": str(part.public_id), "kind": "problem", "code": "phq9", "number": "1",
            "copy": "clinic", "finding": "PV-6", "object_id": str(self.by.pk), "id": str(self.by.pk), "uidb36": "1", "key": "x-y",
            "opened_id": str(uuid.UUID(int=7)), "content_type_id": "1", "app_label": "clinic", "url": "nowhere/",
        }  # fmt: skip
