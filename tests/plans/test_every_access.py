"""Every page with something on it, as everybody, before and after the plan is signed: each leaves its row, and none shows without it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError
from django.urls import URLPattern, reverse

from clinic.models import AccessEvent, Disclosure
from intake.models import Flag, LevelDecision, Result
from plans.models import Component, Problem
from plans.thread import gaps
from plans.tree import plan_view, read
from tests.clinic.test_access import CLINICAL, logged_in
from tests.clinic.test_audit import access_of
from tests.intake.test_actions import record
from tests.intake.test_level_decisions import decide
from tests.people import House, everything, make_house
from tests.plans.test_actions import sign, whole

ROLES = ("prescriber", "nurse", "supervisor", "peer", "privacy_auditor")
# They only lead on, or are about what this person does not have: an emergency, an emergency evaluation.
NEVER_SHOWN = {
    "front_door", "plan_start", "refresh", "add_finding", "certify", "break_glass_review", "record_evaluation", "give_reason",
    "give_handout",
}  # fmt: skip


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def arguments(house: House) -> dict[str, Any]:
    """What every argument of an address may be here; one that is not here makes a new page fail by name."""
    with everything():
        flag, problem = Flag.objects.filter(episode=house.mine).first(), Problem.objects.filter(plan__episode=house.mine).first()
        decision = LevelDecision.objects.filter(episode=house.mine).first() or decide(house.staff["nurse"], house.mine)
        component = Component.objects.filter(plan__episode=house.mine).first()
        result = Result.objects.filter(episode=house.mine).first()
        assert flag and problem and component and result
        left = [gap.mark for gap in gaps(plan_view(problem.plan, read(problem.plan))) if not gap.stops]
    return {
        "episode_id": house.mine.public_id, "code": "phq9", "number": 1, "flag_id": flag.public_id, "component_id": component.public_id,
        "finding": left[0] if left else "none", "kind": "problem", "part_id": problem.public_id, "parent_id": problem.public_id,
        "copy": "patient", "opened_id": problem.public_id, "decision_id": decision.public_id, "slug": "withdrawal",
        "group": "vitals", "result_id": result.public_id,
    }  # fmt: skip


def pages(house: House) -> Iterator[tuple[URLPattern, str]]:
    known = arguments(house)
    for path, pattern in CLINICAL:
        names = re.findall(r"<\w+:(\w+)>", path)
        wanted = {name: known[name] for name in names}
        if "parent_id" in wanted:
            wanted["kind"] = "goal"
        yield pattern, reverse(pattern.name or "", kwargs=wanted)


def walk(house: House) -> tuple[set[str], list[str]]:
    """(url names of the pages that were shown to somebody, what is wrong with their rows)."""
    shown, wrong = set(), []
    for role in ROLES:
        user = house.staff[role]
        client = logged_in(user)
        for pattern, address in pages(house):
            patient = house.mine.patient_id if str(house.mine.public_id) in address else None
            for method in ("get", "post") if role == "prescriber" and pattern.name != "sign" else ("get",):
                status, problem = access_of(client, method, address, user, pattern, patient)
                wrong += [f"{role}: {problem}"] if problem else []
                if status < 300 or status in (409, 422):
                    shown.add(pattern.name or "")
    return shown, wrong


@pytest.mark.thorough
def test_every_page_leaves_its_row_before_and_after_signing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    record(house.staff["nurse"], house.mine, alt="1")
    plan = whole(house)
    drafting, wrong = walk(house)
    assert wrong == []
    sign(house.staff["prescriber"], plan)
    signed, wrong = walk(house)
    assert wrong == []
    assert {pattern.name for _, pattern in CLINICAL} - NEVER_SHOWN == drafting | signed, "a page that nobody saw here is held to nothing"
    with everything():
        assert Disclosure.objects.exists(), "what was printed is in the log of disclosures too"
    without_a_record(house, monkeypatch)


def without_a_record(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    client = logged_in(house.staff["prescriber"])
    shown = [address for _, address in pages(house) if client.get(address).status_code == 200]
    assert len(shown) > 10

    def no_room(*args: object, **kwargs: object) -> None:
        raise DatabaseError("no room for the record")

    monkeypatch.setattr(AccessEvent, "save", no_room)
    for address in shown:
        answer = client.get(address)
        if b"canary" not in client.get(address).content and answer.status_code == 200:
            continue  # a form without anybody in it
        assert answer.status_code == 503 and b"canary" not in answer.content, address
