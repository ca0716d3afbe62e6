"""The pages of a draft when something happened meanwhile: a colleague saved, the plan was signed, a newer assessment came."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clinic.models import User
from clinic.transaction import acting
from intake import actions as intake_actions
from plans import actions
from plans.models import Component, Deferral, Goal, Intervention, Plan, Problem
from plans.thread import Gap
from tests.clinic.test_pages import client_of
from tests.clinic.test_restrictions import restrict
from tests.intake.test_actions import fill, submit
from tests.people import House, make_house
from tests.plans.test_actions import GOAL, add, begin, component, decide, draft, sign, whole
from tests.plans.test_draft import WORSE, reassess, refresh
from tests.plans.test_pages import SOON, at, decision, read


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def hidden_version(response: Any) -> str:
    return re.search(r'name="version" value="(\d+)"', response.content.decode())[1]  # type: ignore[index]


def reason_at(house: House, rule: str, subject: str = "") -> str:
    return at("give_reason", house.mine, finding=Gap(rule, False, "", ("", ""), subject).mark)


# Saved meanwhile by somebody else


def test_the_details_show_what_is_saved_beside_what_was_typed_and_saving_again_decides(house: House) -> None:
    plan = draft(house)
    form = {"discharge_criteria": "Four weeks without kratom", "review_on": SOON, "patient_signature": "signed", "version": 1}
    address, client = at("details", house.mine), client_of(house.staff["counsellor"])
    assert client_of(house.staff["nurse"]).post(address, form).status_code == 302
    mine = form | {"discharge_criteria": "An aftercare visit", "patient_signature": "absent", "patient_signature_reason": "Left early"}
    late = client.post(address, mine)
    page = read(late)
    assert late.status_code == 409
    for text in ("Saved now: Four weeks without kratom", "An aftercare visit", "Saved now: Signed on paper or tablet", "Left early"):
        assert text in page
    assert "Saved now: " + SOON.isoformat() not in page
    assert client.post(address, mine | {"version": hidden_version(late)}).status_code == 302
    plan.refresh_from_db()
    assert (plan.discharge_criteria, plan.patient_signature) == ("An aftercare visit", "absent")


def test_a_goal_shows_each_field_that_differs_and_saving_again_decides(house: House) -> None:
    goal = Goal.objects.get(plan=whole(house))
    address, client = at("edit_part", house.mine, kind="goal", part_id=goal.public_id), client_of(house.staff["counsellor"])
    form = GOAL | {"version": 1, "text": "Half of <b>it</b> by spring"}
    assert client_of(house.staff["nurse"]).post(address, form).status_code == 302
    mine = GOAL | {"version": 1, "text": "None by summer"}
    late = client.post(address, mine)
    html = late.content.decode()
    assert late.status_code == 409 and "Nurse Tester changed this meanwhile" in read(late)
    assert html.count("Saved now: ") == 1 and "Saved now: Half of &lt;b&gt;it&lt;/b&gt; by spring" in html
    assert client.post(address, mine | {"version": hidden_version(late)}).status_code == 302
    goal.refresh_from_db()
    assert goal.text == "None by summer"


def test_a_decision_can_be_taken_again_on_the_page_that_shows_the_other_one(house: House) -> None:
    plan = draft(house)
    decide(house.staff["nurse"], plan, "CBT-01", "not now")
    client, mine = client_of(house.staff["counsellor"]), {"decision": "accepted", "note": "Mine", "version": 1}
    late = client.post(decision(plan, "CBT-01"), mine)
    assert late.status_code == 409 and "Save what stands in the form" in read(late)
    assert client.post(decision(plan, "CBT-01"), mine | {"version": hidden_version(late)}).status_code == 302
    assert component(plan, "CBT-01").decision == "accepted"


# Reasons


def test_two_reasons_for_one_finding_are_both_shown_and_neither_is_lost(house: House) -> None:
    plan, address = draft(house), reason_at(house, "PV-1", "SF-06")
    first = client_of(house.staff["nurse"]).post(address, {"reason": "Has a kit at home", "version": 0})
    assert first.status_code == 302
    client = client_of(house.staff["counsellor"])
    late = client.post(address, {"reason": "Declined it twice", "version": 0})
    assert late.status_code == 409
    assert "Saved now: Has a kit at home" in read(late) and "Declined it twice" in read(late)
    assert plan.deferrals.get().reason == "Has a kit at home"
    assert client.post(address, {"reason": "Both of these", "version": hidden_version(late)}).status_code == 302
    assert plan.deferrals.get().reason == "Both of these"


def test_a_reason_is_corrected_or_taken_back_from_the_plan(house: House) -> None:
    plan, address, client = draft(house), reason_at(house, "PV-6"), client_of(house.staff["nurse"])
    client.post(address, {"reason": "She asked for time", "version": 0})
    page = client.get(at("plan", house.mine))
    assert address in page.content.decode() and "She asked for time" in read(page)
    look = client.get(address)
    assert "She asked for time" in read(look) and "Take the reason back" in read(look)
    form = {"reason": "She asked for a week", "version": hidden_version(look)}
    assert client.post(address, form).status_code == 302
    assert client.post(address, form | {"remove": "1"}).status_code == 409
    assert client.post(address, form | {"version": hidden_version(client.get(address)), "remove": "1"}).status_code == 302
    assert not plan.deferrals.exists() and Deferral.with_withdrawn.get().reason == "She asked for a week"
    assert "The plan has no review date yet" in read(client.get(at("plan", house.mine)))


def test_a_reason_for_what_is_answered_by_now_is_not_listed_and_nobodys_text_is_lost(house: House) -> None:
    plan, address, client = draft(house), reason_at(house, "PV-1", "SF-06"), client_of(house.staff["nurse"])
    client.post(address, {"reason": "Has a kit at home", "version": 0})
    assert "Has a kit at home" in read(client.get(at("plan", house.mine)))
    decide(house.staff["prescriber"], plan, "DTX-05")
    assert "Has a kit at home" not in read(client.get(at("plan", house.mine)))
    late = client.post(address, {"reason": "Typed for a while", "version": 1})
    assert late.status_code == 409 and "answered by the plan meanwhile" in read(late) and "Typed for a while" in read(late)
    assert client.get(address)["Location"] == at("plan", house.mine)


# Signed meanwhile


def test_every_page_of_a_draft_that_was_signed_meanwhile_says_so_and_shows_the_way_on(house: House) -> None:
    plan, client = whole(house), client_of(house.staff["nurse"])
    goal, problem = Goal.objects.get(), Problem.objects.get()
    addresses = [
        decision(plan, "CBT-01"), at("add_component", house.mine), at("add_finding", house.mine), at("details", house.mine),
        reason_at(house, "PV-6"), at("refresh", house.mine), at("add_part", house.mine, kind="problem"),
        at("add_part", house.mine, kind="goal", parent_id=problem.public_id),
        at("edit_part", house.mine, kind="goal", part_id=goal.public_id),
    ]  # fmt: skip
    sign(house.staff["prescriber"], plan)
    for address in addresses:
        late = client.post(address, {"version": 1})
        assert late.status_code == 409, address
        assert "has been signed" in read(late) and at("plan", house.mine) in late.content.decode(), address


def test_signed_between_reading_and_writing_is_the_same_page(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, client = draft(house), client_of(house.staff["nurse"])

    def signed(**given: Any) -> None:
        raise actions.AlreadySigned("signed")

    for name in ("decide", "add_part", "edit_details"):
        monkeypatch.setattr(actions, name, signed)
    for address, form in (
        (decision(plan, "CBT-01"), {"decision": "accepted", "version": 1}),
        (at("add_part", house.mine, kind="problem"), {"title": "Sleep", "source": "Own words", "version": 0}),
        (at("details", house.mine), {"discharge_criteria": "X", "version": 1}),
    ):
        late = client.post(address, form)
        assert late.status_code == 409 and "has been signed" in read(late), address


# A newer assessment


def test_a_newer_assessment_is_said_on_the_plan_with_the_button_that_takes_it_up(house: House) -> None:
    plan, client = whole(house), client_of(house.staff["nurse"])
    reassess(house, **WORSE)
    today = f"{timezone.localdate():%-d %b %Y}"
    page = client.get(at("plan", house.mine))
    assert f"A newer assessment from {today} is there" in read(page) and 'href="#newer"' in page.content.decode()
    assert at("refresh", house.mine) in page.content.decode()
    assert at("refresh", house.mine) not in client_of(house.staff["case_manager"]).get(at("plan", house.mine)).content.decode()
    assert client_of(house.staff["case_manager"]).post(at("refresh", house.mine)).status_code == 403
    done = client.post(at("refresh", house.mine), follow=True)
    assert "up to date with the newest assessment" in read(done) and "SAF-01" in read(done)
    assert "A newer assessment from" not in read(done)
    plan.refresh_from_db()
    assert plan.provisional is False


def test_a_carried_or_dropped_suggestion_says_so(house: House) -> None:
    plan, client = draft(house), client_of(house.staff["nurse"])
    decide(house.staff["prescriber"], plan, "DTX-01")
    reassess(house, medhx={"pregnant": "yes"})
    refresh(house, plan)
    page = read(client.get(at("plan", house.mine)))
    assert "no longer suggested by the newest assessment" in page and "Open again." in page
    assert "added by hand" not in page


# Provisional, on every page


def test_provisional_is_said_on_every_page_where_a_draft_is_written(house: House) -> None:
    nurse = house.staff["nurse"]
    fill(nurse, house.mine, "V5", "kuh", "sud11", "phq9")
    with acting(nurse, "plan.edit"):
        early = intake_actions.assess_provisionally(by=nurse, episode=house.mine, key=house.mine.public_id)
    plan = begin(nurse, house, early)
    problem = add(nurse, plan, "problem", title="Use", source="SUD-11")
    client = client_of(nurse)
    pages = [
        at("plan", house.mine), decision(plan, "CBT-01"), at("add_component", house.mine), at("details", house.mine),
        reason_at(house, "PV-6"), at("add_part", house.mine, kind="goal", parent_id=problem.public_id),
        at("edit_part", house.mine, kind="problem", part_id=problem.public_id),
    ]  # fmt: skip
    for address in pages:
        assert read(client.get(address)).count("PROVISIONAL") == 1, address
    submit(nurse, house.mine)
    client.post(at("refresh", house.mine))
    for address in pages:
        assert "PROVISIONAL" not in read(client.get(address)), address


# Who is responsible, what the patient signed


def test_changing_a_text_does_not_empty_who_is_responsible(house: House) -> None:
    plan, by, peer = whole(house), house.staff["prescriber"], house.staff["peer"]
    part = Intervention.objects.filter(plan=plan).order_by("pk")[0]
    actions.edit_part(by=by, part=part, values={"responsible": peer}, version=1)
    User.objects.filter(pk=peer.pk).update(is_active=False)
    client, address = client_of(house.staff["nurse"]), at("edit_part", house.mine, kind="intervention", part_id=part.public_id)
    assert "Peer Tester (no longer active)" in read(client.get(address))
    assert "Peer Tester (no longer active)" in read(client.get(at("plan", house.mine)))
    form = {"text": "Taper card, new", "discipline": "nurse", "frequency": "weekly", "duration": "12 weeks", "responsible": peer.pk}
    assert client.post(address, form | {"version": 2}).status_code == 302
    part.refresh_from_db()
    assert (part.text, part.responsible) == ("Taper card, new", peer)


def test_nobody_who_is_kept_out_of_the_chart_is_offered_as_responsible(house: House) -> None:
    part = Intervention.objects.filter(plan=whole(house)).order_by("pk")[0]
    address = at("edit_part", house.mine, kind="intervention", part_id=part.public_id)

    def offered() -> set[str]:
        html = client_of(house.staff["nurse"]).get(address).content.decode()
        return {role for role, user in house.staff.items() if f'<option value="{user.pk}"' in html}

    assert {"peer", "intake", "supervisor", "counsellor"} <= offered()
    restrict(house, house.mine, house.staff["intake"])
    assert "intake" not in offered() and {"peer", "supervisor"} <= offered()
    restrict(house, house.mine)
    assert offered() == {"peer", "case_manager", "counsellor", "nurse", "prescriber"}, "the care team alone"


def test_whoever_changes_what_the_patient_signed_is_told(house: House) -> None:
    goal, client = Goal.objects.get(plan=whole(house)), client_of(house.staff["nurse"])
    address = at("edit_part", house.mine, kind="goal", part_id=goal.public_id)
    done = client.post(address, GOAL | {"version": 1, "target": 4}, follow=True)
    assert "Their signature is back to “not yet asked”" in read(done)
    assert "The plan was changed after the patient signed it" in read(done)
    again = client.post(address, GOAL | {"version": 2, "target": 5}, follow=True)
    assert "Their signature is back" not in read(again)


# What is typed


@pytest.mark.parametrize(("address", "field", "text", "says"), [
    ("reason", "reason", "x" * 501, "501 characters long; 500 are possible"),
    ("reason", "reason", "half\x07 a bell", "cannot be stored"),
    ("reason", "reason", "no", "A few words more, please"),
    ("decide", "note", "x" * 2001, "2001 characters long; 2000 are possible"),
    ("decide", "note", "half\x07 a bell", "cannot be stored"),
    ("problem", "title", "", "Not filled in yet."),
    ("details", "discharge_criteria", "x" * 2001, "2001 characters long; 2000 are possible"),
])  # fmt: skip
def test_what_cannot_be_kept_is_said_kindly_and_stays_on_the_page(
    house: House, address: str, field: str, text: str, says: str
) -> None:
    plan = draft(house)
    where = {
        "reason": reason_at(house, "PV-6"), "decide": decision(plan, "CBT-01"), "details": at("details", house.mine),
        "problem": at("add_part", house.mine, kind="problem"),
    }[address]  # fmt: skip
    response = client_of(house.staff["nurse"]).post(where, {"decision": "accepted", "version": 1, field: text})
    assert response.status_code == 422 and says in read(response)


def test_text_is_kept_in_one_normal_form_whichever_way_it_comes_in(house: House) -> None:
    plan, client = draft(house), client_of(house.staff["nurse"])
    client.post(decision(plan, "CBT-01"), {"decision": "accepted", "note": "cafe\u0301\r\nat nine", "version": 1})
    client.post(reason_at(house, "PV-6"), {"reason": "cafe\u0301 first", "version": 0})
    assert component(plan, "CBT-01").note == "café\nat nine" and plan.deferrals.get().reason == "café first"


def test_the_plan_page_asks_the_database_as_often_for_a_large_plan_as_for_a_small_one(house: House) -> None:
    plan, client = draft(house), client_of(house.staff["nurse"])
    client.get(at("plan", house.mine))
    with CaptureQueriesContext(connection) as small:
        client.get(at("plan", house.mine))
    for row in plan.components.filter(component_id__startswith="MED"):
        Component.objects.create(**{
            **{name: getattr(row, name) for name in ("program", "patient", "plan", "suggested", "tier", "suggestion", "by", "at", "name")},
            "component_id": {"MED-01": "MED-02", "MED-03": "MED-06", "MED-04": "MED-07", "MED-05": "OB-01"}[row.component_id],
        })  # fmt: skip
    problem = add(house.staff["nurse"], plan, "problem", title="Use", source="SUD-11")
    for _ in range(3):
        add(house.staff["nurse"], plan, "goal", problem, **GOAL)
    with CaptureQueriesContext(connection) as large:
        client.get(at("plan", house.mine))
    assert len(large) == len(small)


@pytest.mark.parametrize("key", ["", "x"])
def test_an_error_in_assessing_is_not_blamed_on_a_lost_mark(house: House, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(house.staff["nurse"], house.mine, "V5", "phq9")
    client = client_of(house.staff["nurse"])
    client.raise_request_exception = True

    def broken(**given: Any) -> None:
        raise ValueError("a score file is broken")

    monkeypatch.setattr("plans.views.plan.assess_provisionally", broken)
    page = client.post(at("plan_start", house.mine), {"key": key, "provisional": "1"}, follow=True)
    assert "lost its mark" in read(page)
    with pytest.raises(ValueError, match="broken"):
        client.post(at("plan_start", house.mine), {"key": house.mine.public_id, "provisional": "1"})
    assert not Plan.objects.exists()
