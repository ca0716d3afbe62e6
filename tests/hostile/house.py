"""One house in which every page has something to show, and one member of staff whose roles open all of them."""

from typing import Any

from django.test import Client

from clinic.access_table import ROLES
from clinic.actions import break_glass, join_care_team, restrict_chart
from clinic.models import BreakGlass, ChartRestriction, Episode, Program, User
from clinic.transaction import acting
from intake.models import Flag
from plans.actions import draft_plan
from plans.models import Plan, Problem
from tests.clinic.test_access import logged_in
from tests.intake.test_actions import answered, fill, record, submit
from tests.intake.test_level_decisions import LOWER
from tests.intake.test_level_decisions import decide as decide_level
from tests.people import House, make_episode, make_house, make_user
from tests.plans.test_actions import begin, sign, whole


class Everything:
    """`by` may open every page. `signed` has a signed plan that awaits a second signature, a draft of the next that an assessment has
    overtaken, and a colleague who is kept out; `fresh` is just registered; `ready` has a plan with nothing missing; into `other` somebody
    has looked in an emergency.
    """

    def __init__(self) -> None:
        self.house: House = make_house()
        self.by: User = make_user("everybody", *[(role, self.house.program) for role in ROLES])
        self.signed: Episode = self.house.mine
        self._write_plans()
        self.fresh, self.ready = (make_episode(self.by, self.house.program, last_name=name) for name in ("Fresh", "Ready"))
        with acting(self.by, "care_team.assign"):
            for episode in (self.signed, self.fresh, self.ready):
                join_care_team(by=self.by, episode=episode, user=self.by)
        self._make_ready()
        self._except()

    def _write_plans(self) -> None:
        nurse, prescriber = self.house.staff["nurse"], self.house.staff["prescriber"]
        Program.objects.filter(pk=self.house.program.pk).update(certifying_role=Program.CertifyingRole.SUPERVISOR)
        (self.result,) = record(nurse, self.signed, alt="1")
        answered(nurse, self.signed, "V4")
        assessment = submit(nurse, self.signed)
        sign(prescriber, whole(self.house, plan=begin(prescriber, self.house, assessment)))
        self.draft: Plan = begin(prescriber, self.house, assessment)
        fill(nurse, self.signed, "V4", "phq9")
        submit(nurse, self.signed)
        fill(nurse, self.signed, "V5", "phq9", "medicines")
        self.decision = decide_level(nurse, self.signed, **LOWER)

    def _make_ready(self) -> None:
        """The prescriber, who writes the plan here, is on the team for that long."""
        with acting(self.by, "care_team.assign"):
            join_care_team(by=self.by, episode=self.ready, user=self.house.staff["prescriber"])
        answered(self.by, self.ready, "V5")
        assessment = submit(self.by, self.ready)
        with acting(self.by, "plan.edit"):
            plan = draft_plan(by=self.by, episode=self.ready, assessment=assessment)
        whole(self.house, plan=plan)

    def _except(self) -> None:
        by, peer, counsellor = (self.house.staff[role] for role in ("supervisor", "peer", "counsellor"))
        with acting(by, "restriction.edit"):
            restrict_chart(by=by, episode=self.signed, kind=ChartRestriction.Kind.FAMILY, reason="A brother", user=peer)
        with acting(counsellor, "break_glass.invoke"):
            self.opened: BreakGlass = break_glass(by=counsellor, episode=self.house.other, category="crisis", reason="x" * 20)

    def client(self) -> Client:
        return logged_in(self.by)

    def client_of_a_stranger(self) -> Client:
        """Of somebody in the same program who is not on the care team of `other`."""
        return logged_in(self.house.staff["nurse"])

    def arguments(self, episode: Episode) -> dict[str, str]:
        """What stands for each argument of an address, by its name."""
        part: Any = Problem.objects.get(plan=self.draft)
        return {
            "episode_id": str(episode.public_id),
            "flag_id": str(Flag.objects.filter(episode=self.signed).standing()[0].public_id),
            "component_id": str(self.draft.components.order_by("pk")[0].public_id),
            "part_id": str(part.public_id), "parent_id": str(part.public_id), "kind": "problem", "code": "phq9", "number": "1",
            "copy": "clinic", "finding": "PV-6", "object_id": str(self.by.pk), "id": str(self.by.pk), "uidb36": "1", "key": "x-y",
            "opened_id": str(self.opened.public_id), "content_type_id": "1", "app_label": "clinic", "url": "nowhere/",
            "slug": "withdrawal", "decision_id": str(self.decision.public_id),
            "group": "vitals", "result_id": str(self.result.public_id),
        }  # fmt: skip
