"""The pages of the plan as each person meets them: their own part, both texts when two collide, identity confirmed before signing."""

import datetime
import io
import re
import uuid
from typing import Any

import pypdf
import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clinic.models import AccessEvent, Disclosure, Episode, Membership, Program
from plans import document, signing, tree
from plans.models import Component, Goal, Intervention, Plan, Problem, Signature, SignedPlan
from plans.thread import Gap
from tests.clinic.test_access import logged_in
from tests.clinic.test_pages import client_of, page_of, words
from tests.intake.test_actions import answered, fill, save, submit
from tests.people import PASSWORD, House, make_house
from tests.plans.test_actions import GOAL, WORDS, add, begin, component, decide, details, draft, outline, sign, submitted, whole
from tests.plans.test_actions import gaps as open_gaps

SOON = timezone.localdate() + datetime.timedelta(days=28)


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def at(name: str, episode: Episode, **more: Any) -> str:
    return reverse(name, kwargs={"episode_id": episode.public_id} | more)


def read(response: Any) -> str:
    return words(response.content.decode())


def decision(plan: Plan, component_id: str) -> str:
    return at("decide", plan.episode, component_id=component(plan, component_id).public_id)


def sign_form(client: Client, plan: Plan) -> dict[str, str]:
    """The marks of the page that somebody is about to sign."""
    html = client.get(at("sign", plan.episode)).content.decode()
    return {name: re.search(rf'name="{name}" value="([^"]+)"', html)[1] for name in ("key", "seen")} | {"read": "on"}  # type: ignore[index]


# Begun


def test_the_plan_begins_from_the_assessment_with_one_click_or_two(house: House) -> None:
    submitted(house, "V5")
    client = client_of(house.staff["prescriber"])
    assert "Begin from the assessment of" in read(client.get(at("plan", house.mine)))
    for _ in range(2):
        assert client.post(at("plan_start", house.mine), {"key": uuid.uuid4()})["Location"] == at("plan", house.mine)
    assert Plan.objects.count() == 1
    page = read(client.get(at("plan", house.mine)))
    assert "Treatment plan, version 1 draft" in page and "PROVISIONAL" not in page
    for component_id in ("DTX-05", "MED-05", "CBT-01"):
        assert component_id in page


def test_a_look_at_the_start_writes_nothing(house: House) -> None:
    submitted(house, "V5")
    client = client_of(house.staff["prescriber"])
    assert client.get(at("plan_start", house.mine)).status_code == 302
    assert not Plan.objects.exists()


@pytest.mark.parametrize("key", ["", "x"])
def test_a_provisional_plan_without_its_mark_is_not_begun(house: House, key: str) -> None:
    fill(house.staff["nurse"], house.mine, "V5", "phq9")
    client = client_of(house.staff["prescriber"])
    page = client.post(at("plan_start", house.mine), {"key": key, "provisional": "1"}, follow=True)
    assert "lost its mark against double clicks" in read(page)
    assert not Plan.objects.exists()


def test_provisional_is_said_on_every_page_and_on_paper(house: House) -> None:
    fill(house.staff["nurse"], house.mine, "V5", "kuh", "sud11", "phq9")
    client = logged_in(house.staff["prescriber"])
    client.post(at("plan_start", house.mine), {"key": uuid.uuid4(), "provisional": "1"})
    plan = whole(house, plan=Plan.objects.get())
    assert "PROVISIONAL" in read(client.get(at("plan", house.mine)))
    assert "PROVISIONAL" in read(client.get(at("sign", house.mine)))
    sign(house.staff["prescriber"], plan)
    assert "PROVISIONAL" in read(client.get(at("signed_plan", house.mine, number=1)))
    for page in paper(client.get(at("plan_pdf", house.mine, number=1, copy="clinic"))):
        assert "PROVISIONAL" in page


def paper(response: HttpResponse) -> list[str]:
    return [re.sub(r"[\s​]+", " ", page.extract_text()) for page in pypdf.PdfReader(io.BytesIO(response.content)).pages]


# Own discipline's part

DECIDES = {  # role: components they may decide on, and components they may not
    "peer": ("PEER-01 PEER-02", "CBT-01 SAF-01 SOC-01 DTX-05 MED-01 DTX-04"),
    "case_manager": ("SOC-01", "CBT-01 SAF-01 PEER-01 DTX-05 MED-01 DTX-04"),
    "counsellor": ("CBT-01 SAF-01 PEER-01 SOC-01 DTX-05 EDU-01", "MED-01 MED-04 DTX-04 DTX-06"),
    "nurse": ("CBT-01 SAF-01 PEER-01 MED-01 MED-04 DTX-04 DTX-06", ""),
    "prescriber": ("CBT-01 SAF-01 PEER-01 MED-01 MED-04 DTX-04 DTX-06", ""),
}


@pytest.mark.parametrize("role", DECIDES)
def test_everybody_decides_on_their_own_disciplines_part(house: House, role: str) -> None:
    plan = draft(house, "V6")
    client = client_of(house.staff[role])
    own, others = (ids.split() for ids in DECIDES[role])
    for component_id in own:
        done = client.post(decision(plan, component_id), {"decision": "accepted", "version": 1})
        assert done.status_code == 302, component_id
    for component_id in others:
        for response in (client.get(decision(plan, component_id)), client.post(decision(plan, component_id), {"decision": "accepted"})):
            assert response.status_code == 403, component_id
    accepted = Component.objects.filter(plan=plan, decision="accepted")
    assert set(accepted.values_list("component_id", flat=True)) == set(own)


@pytest.mark.parametrize(("role", "component_id", "status"), [
    ("counsellor", "MED-06", 403), ("counsellor", "CBT-06", 302), ("peer", "CBT-06", 403), ("nurse", "MED-06", 302),
])  # fmt: skip
def test_adding_by_hand_follows_the_same_parts(house: House, role: str, component_id: str, status: int) -> None:
    plan = draft(house)
    response = client_of(house.staff[role]).post(at("add_component", house.mine), {"component_id": component_id})
    assert response.status_code == status
    assert plan.components.filter(component_id=component_id).exists() == (status == 302)


@pytest.mark.parametrize(("role", "discipline", "status"), [
    ("peer", "peer specialist", 302), ("peer", "nurse", 403), ("case_manager", "case manager", 302), ("case_manager", "therapist", 403),
    ("counsellor", "nurse", 302),
])  # fmt: skip
def test_who_is_no_clinician_adds_interventions_of_their_own_discipline_only(house: House, role: str, discipline: str, status: int) -> None:
    plan, by = draft(house), house.staff["prescriber"]
    problem = add(by, plan, "problem", title="Use", source="SUD-11")
    objective = add(by, plan, "objective", add(by, plan, "goal", problem, **GOAL), text="Weekly contact")
    client = client_of(house.staff[role])
    form = {"text": "Weekly call", "discipline": discipline, "frequency": "weekly", "duration": "8 weeks", "version": 0}
    response = client.post(at("add_part", house.mine, kind="intervention", parent_id=objective.public_id), form)
    assert response.status_code == status
    assert Intervention.objects.filter(plan=plan).exists() == (status == 302)
    shaping = client.post(at("add_part", house.mine, kind="problem"), {"title": "Another", "source": "X", "version": 0})
    assert shaping.status_code == (302 if role == "counsellor" else 403)


def test_a_peer_reads_goals_and_tasks_and_neither_components_nor_flags(house: House) -> None:
    plan = whole(house)
    peer = logged_in(house.staff["peer"])
    sign(house.staff["prescriber"], plan)
    begin(house.staff["prescriber"], house, plan.assessment)
    for address in (at("plan", house.mine), at("signed_plan", house.mine, number=1)):
        page = read(peer.get(address))
        assert GOAL["text"] in page and "Taper card" in page, address
        for hidden in ("DTX-05", "MED-05", "Liver tests", "Overdose risk", "SF-06", "SUD-11: 5, moderate"):
            assert hidden not in page, (address, hidden)


@pytest.mark.parametrize(("role", "status", "sees"), [("counsellor", 403, True), ("peer", 403, False), ("nurse", 302, True)])
def test_what_concerns_medicines_is_written_by_those_who_edit_the_medication_part(
    house: House, role: str, status: int, sees: bool
) -> None:
    """The taper's goal and steps come from a component of the medication part, whoever looks after the problem they hang under."""
    plan = draft(house)
    problem = add(house.staff["prescriber"], plan, "problem", title="Kratom use disorder", source="SUD-11: 5, moderate")
    decide(house.staff["prescriber"], plan, "DTX-01", problem=problem)
    taper = Intervention.objects.filter(component__component_id="DTX-01").order_by("pk")[0]
    client = client_of(house.staff[role])
    assert ("taper card" in read(client.get(at("plan", house.mine)))) is sees
    values = {"text": "Stop at once", "discipline": "nurse", "frequency": "once", "duration": "now", "version": taper.version}
    assert client.post(at("edit_part", house.mine, kind="intervention", part_id=taper.public_id), values).status_code == status
    objective = taper.objective  # carries no component itself; its goal does
    step = client.post(
        at("edit_part", house.mine, kind="objective", part_id=objective.public_id), {"text": "Hurry", "version": objective.version}
    )
    assert step.status_code == status
    removing = client.post(
        at("edit_part", house.mine, kind="problem", part_id=problem.public_id),
        {"title": problem.title, "source": problem.source, "version": problem.version, "remove": "1"},
    )
    assert removing.status_code == status
    assert Problem.objects.filter(pk=problem.pk, removed=False).exists() is (status == 403)


def test_a_peer_decides_on_peer_support_without_reading_scores(house: House) -> None:
    plan = draft(house)
    page = read(client_of(house.staff["peer"]).get(decision(plan, "PEER-01")))
    assert "Mutual-help groups" in page and "SUD-11" not in page and "Grade" not in page


def test_who_reads_only_goals_and_tasks_does_not_sign_what_they_cannot_read(house: House) -> None:
    plan = whole(house)
    peer = logged_in(house.staff["peer"])
    look = peer.get(at("sign", house.mine))
    assert look.status_code == 403 and "Liver tests" not in look.content.decode()
    form = sign_form(logged_in(house.staff["nurse"]), plan)
    assert peer.post(at("sign", house.mine), form).status_code == 403
    assert not SignedPlan.objects.exists()


# Decided and written


def test_declining_a_safety_component_without_a_reason_keeps_what_was_typed(house: House) -> None:
    plan = draft(house)
    client, address = client_of(house.staff["nurse"]), decision(plan, "DTX-05")
    form = {"decision": "declined", "note": "Asked twice", "reason": "", "version": 1}
    response = client.post(address, form)
    assert response.status_code == 422
    assert "please give a reason for declining it" in read(response) and "Asked twice" in response.content.decode()
    assert component(plan, "DTX-05").decision == "open"
    assert client.post(address, form | {"reason": "Has a kit at home"}).status_code == 302
    assert component(plan, "DTX-05").reason == "Has a kit at home"


def test_two_who_decide_see_the_others_decision_and_nothing_is_written_over(house: House) -> None:
    plan = draft(house)
    decide(house.staff["nurse"], plan, "CBT-01", "declined", reason="Prefers a group")
    response = client_of(house.staff["counsellor"]).post(decision(plan, "CBT-01"), {"decision": "accepted", "note": "Mine", "version": 1})
    page = read(response)
    assert response.status_code == 409
    assert "Nurse Tester changed this meanwhile" in page and "It stands as “Declined” now: Prefers a group." in page and "Mine" in page
    assert component(plan, "CBT-01").decision == "declined"


def test_two_who_change_a_goal_see_both_texts_and_nothing_is_written_over(house: House) -> None:
    plan = whole(house)
    goal = Goal.objects.get(plan=plan)
    address = at("edit_part", house.mine, kind="goal", part_id=goal.public_id)
    form = GOAL | {"version": 1, "text": "Half of it by spring"}
    assert client_of(house.staff["nurse"]).post(address, form).status_code == 302
    late = client_of(house.staff["counsellor"]).post(address, form | {"text": "None by summer"})
    assert late.status_code == 409
    assert "Half of it by spring" in read(late) and "None by summer" in read(late)
    goal.refresh_from_db()
    assert (goal.text, goal.by, goal.version) == ("Half of it by spring", house.staff["nurse"], 2)


def test_two_who_write_the_details_nothing_is_written_over(house: House) -> None:
    plan = draft(house)
    form = {"discharge_criteria": "Four weeks without kratom", "review_on": SOON, "patient_signature": "signed", "version": 1}
    address = at("details", house.mine)
    assert client_of(house.staff["nurse"]).post(address, form).status_code == 302
    late = client_of(house.staff["counsellor"]).post(address, form | {"discharge_criteria": "An aftercare visit"})
    assert late.status_code == 409 and "An aftercare visit" in read(late)
    plan.refresh_from_db()
    assert plan.discharge_criteria == "Four weeks without kratom"


def test_a_part_is_taken_out(house: House) -> None:
    plan = whole(house)
    part = Intervention.objects.filter(plan=plan).order_by("pk")[0]
    form = {"text": part.text, "discipline": part.discipline, "version": part.version, "remove": "1"}
    address = at("edit_part", house.mine, kind="intervention", part_id=part.public_id)
    assert client_of(house.staff["nurse"]).post(address, form).status_code == 302
    assert outline(plan)[-1] == "      CBT for cravings" and "      Taper card" not in outline(plan)


def test_a_finding_becomes_a_problem_once(house: House) -> None:
    plan = draft(house)
    client = client_of(house.staff["counsellor"])
    page = read(client.get(at("plan", house.mine)))
    assert "Depressive symptoms PHQ-9: 13, moderate" in page
    for _ in range(2):
        assert client.post(at("add_finding", house.mine), {"finding": "Depressive symptoms"}).status_code == 302
    assert client.post(at("add_finding", house.mine), {"finding": "Invented"}).status_code == 404
    assert list(Problem.objects.filter(plan=plan).values_list("title", "source")) == [("Depressive symptoms", "PHQ-9: 13, moderate")]


def test_a_reason_is_for_clinical_findings_and_not_for_missing_documentation(house: House) -> None:
    plan = draft(house)
    client = client_of(house.staff["nurse"])
    page = client.get(at("plan", house.mine)).content.decode()
    mending = at("give_reason", house.mine, finding=Gap("PV-1", False, "", ("flag", "SF-06"), "SF-06").mark)
    assert mending in page
    shown = client.get(mending).content.decode()
    assert "SF-06 (Overdose risk) is not answered yet" in shown
    assert "SF-06" not in mending and "SF-06" not in shown.partition("</title>")[0]  # an address and a title say nothing about anybody
    assert client.post(mending, {"reason": "no", "version": 0}).status_code == 422
    assert client.post(mending, {"reason": "Has a kit at home", "version": 0}).status_code == 302
    assert list(plan.deferrals.values_list("rule", "subject", "reason")) == [("PV-1", "SF-06", "Has a kit at home")]
    missing = [gap.mark for gap in open_gaps(plan) if gap.stops]
    for finding in (*missing, "no-such-finding"):
        assert client.post(at("give_reason", house.mine, finding=finding), {"reason": "Because", "version": 0}).status_code == 404


def test_a_caution_of_the_plan_itself_is_shown_until_what_calls_for_it_is_declined(house: House) -> None:
    """IX-15 looks at the plan: buprenorphine is suggested for V3, so its start gate is said on the page, the signing page and on paper."""
    plan = whole(house, "V3")
    client = logged_in(house.staff["prescriber"])
    gate = "Starting buprenorphine too early can precipitate withdrawal."
    assert gate in read(client.get(at("plan", house.mine)))
    assert gate in read(client.get(at("sign", house.mine)))
    said = signing.plan_document(plan, tree.read(plan))["flags"]
    assert [flag["rule"] for flag in said if flag["status"] == "Follows from the plan"] == ["IX-15"]
    assert "IX-15" not in [gap.subject for gap in open_gaps(plan)]  # reconciling the medicines answers it
    decide(house.staff["prescriber"], plan, "MED-04", "declined", reason="No list to reconcile")
    assert "IX-15" in [gap.subject for gap in open_gaps(plan)]
    decide(house.staff["prescriber"], plan, "DTX-04", "declined", reason="She does not want it")
    assert gate not in read(client.get(at("plan", house.mine)))
    assert "IX-15" not in [gap.subject for gap in open_gaps(plan)]


def test_parts_of_another_patients_plan_are_not_found(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    client = client_of(house.staff["supervisor"])
    elsewhere = logged_in(by)
    for address in (
        at("decide", house.other, component_id=component(plan, "CBT-01").public_id),
        at("edit_part", house.other, kind="goal", part_id=Goal.objects.get().public_id),
        at("sign", house.other),
        at("signed_plan", house.other, number=1),
    ):
        assert elsewhere.get(address).status_code == 404, address
    assert client.get(at("edit_part", house.mine, kind="goal", part_id=Goal.objects.get().public_id)).status_code == 403
    add_under = at("add_part", house.mine, kind="goal", parent_id=uuid.UUID(int=7))
    assert elsewhere.post(add_under, GOAL | {"version": 0}).status_code == 404
    assert elsewhere.get(at("add_part", house.mine, kind="problem", parent_id=Problem.objects.get().public_id)).status_code == 404


# Signed


def test_signing_asks_who_it_is_again_first(house: House) -> None:
    whole(house)
    client = client_of(house.staff["prescriber"])
    look = client.get(at("sign", house.mine))
    assert (look.status_code, look["Location"].partition("?")[0]) == (302, "/accounts/reauthenticate/")
    assert client.post(at("sign", house.mine), {"key": uuid.uuid4(), "seen": "0" * 64, "read": "on"}).status_code == 403
    back = client.post(look["Location"], {"password": PASSWORD})
    assert (back.status_code, back["Location"]) == (302, at("sign", house.mine))
    assert "Read and sign version 1" in read(client.get(at("sign", house.mine)))


def test_a_plan_is_signed_once_however_often_the_button_is_pressed(house: House) -> None:
    plan = whole(house)
    client = logged_in(house.staff["prescriber"])
    form = sign_form(client, plan)
    unread = client.post(at("sign", house.mine), {name: value for name, value in form.items() if name != "read"})
    assert unread.status_code == 422 and not SignedPlan.objects.exists()
    for _ in range(2):
        done = client.post(at("sign", house.mine), form)
        assert (done.status_code, done["Location"]) == (302, at("signed_plan", house.mine, number=1))
    assert (SignedPlan.objects.count(), Signature.objects.count()) == (1, 1)
    page = read(client.get(done["Location"]))
    for text in ("In force.", "Checked now: it is what was signed.", SignedPlan.objects.get().sha256, WORDS, "Prescriber Tester, X"):
        assert text in page


def test_a_plan_changed_since_it_was_read_is_shown_again_and_not_signed(house: House) -> None:
    plan = whole(house)
    client = logged_in(house.staff["prescriber"])
    form = sign_form(client, plan)
    details(house.staff["nurse"], plan, discharge_criteria="An aftercare visit is booked")
    response = client.post(at("sign", house.mine), form)
    page = read(response)
    assert response.status_code == 409 and not SignedPlan.objects.exists()
    assert "Read it again, then sign." in page and "An aftercare visit is booked" in page
    assert client.post(at("sign", house.mine), sign_form(client, plan)).status_code == 302


def test_a_gap_that_opens_while_somebody_signs_is_shown_and_nothing_is_signed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = whole(house)
    client = logged_in(house.staff["prescriber"])
    form, sign_it = sign_form(client, plan), signing.sign

    def after_somebody_else(**given: Any) -> SignedPlan:
        details(house.staff["nurse"], plan, discharge_criteria="")
        return sign_it(**given)

    monkeypatch.setattr(signing, "sign", after_somebody_else)
    response = client.post(at("sign", house.mine), form)
    assert response.status_code == 409 and not SignedPlan.objects.exists()
    assert "The plan does not say yet when the person is ready for discharge or transfer." in read(response)
    assert 'name="seen"' not in response.content.decode()


def test_a_plan_that_is_too_long_says_so_and_has_no_button(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = whole(house)
    client = logged_in(house.staff["prescriber"])
    form = sign_form(client, plan)
    monkeypatch.setattr(document, "LIMIT", 1000)
    for response in (client.get(at("sign", house.mine)), client.post(at("sign", house.mine), form)):
        assert "holds too much text to be signed" in read(response) and 'name="seen"' not in response.content.decode()
    assert response.status_code == 409 and not SignedPlan.objects.exists()


def test_a_plan_with_gaps_has_no_button_to_sign_it(house: House) -> None:
    draft(house)
    client = logged_in(house.staff["prescriber"])
    html = client.get(at("sign", house.mine)).content.decode()
    assert "Not ready to be signed" in words(html) and "The plan has no problem and no goal yet." in words(html)
    assert 'name="seen"' not in html
    client.post(at("sign", house.mine), {"key": uuid.uuid4(), "seen": "0" * 64, "read": "on"})
    assert not SignedPlan.objects.exists()


def test_the_signed_page_reads_from_what_was_signed_and_not_from_what_was_written_since(house: House) -> None:
    plan = whole(house)
    sign(house.staff["prescriber"], plan)
    following = begin(house.staff["prescriber"], house, plan.assessment)
    Goal.objects.filter(plan__in=[plan, following]).update(text="Something else")
    page = read(client_of(house.staff["nurse"]).get(at("signed_plan", house.mine, number=1)))
    assert GOAL["text"] in page and "Something else" not in page


def test_the_program_asks_for_a_second_signature_and_the_right_person_gives_it(house: House) -> None:
    Program.objects.filter(pk=house.program.pk).update(certifying_role="supervisor")
    sign(house.staff["prescriber"], whole(house))
    address, page = at("certify", house.mine, number=1), at("signed_plan", house.mine, number=1)
    supervisor = logged_in(house.staff["supervisor"])
    assert "Signed, awaits a supervisor." in read(supervisor.get(page)) and "Certify this version" in read(supervisor.get(page))
    refused = logged_in(house.staff["prescriber"]).post(address)
    assert refused.status_code == 403 and "asks for the signature of a supervisor" in refused.content.decode()
    assert logged_in(house.staff["nurse"]).post(address).status_code == 403
    assert client_of(house.staff["supervisor"]).post(address).status_code == 403, "identity was not confirmed"
    for _ in range(2):
        assert supervisor.post(address).status_code == 302
    assert list(Signature.objects.order_by("at").values_list("meaning", "user__username")) == [
        ("author", "prescriber"), ("certifier", "supervisor"),
    ]  # fmt: skip
    assert "In force." in read(supervisor.get(page))


def test_only_who_may_certify_is_offered_to_and_the_others_read_who_is_awaited(house: House) -> None:
    Program.objects.filter(pk=house.program.pk).update(certifying_role="prescriber")
    Membership.objects.create(user=house.staff["supervisor"], program=house.program, role="nurse")
    sign(house.staff["counsellor"], whole(house))
    page = at("signed_plan", house.mine, number=1)
    for role, offered in (("prescriber", True), ("supervisor", False), ("nurse", False), ("counsellor", False)):
        said = read(client_of(house.staff[role]).get(page))
        assert ("Certify this version" in said) == offered
        assert ("awaits the signature of a prescriber other than its author" in said) != offered
    following = begin(house.staff["counsellor"], house, Plan.objects.get().assessment)
    details(house.staff["counsellor"], following)
    sign(house.staff["counsellor"], following)
    said = read(client_of(house.staff["prescriber"]).get(page))
    assert "Superseded by version 2." in said and "Certify this version" not in said and "awaits the signature" not in said
    refused = logged_in(house.staff["prescriber"]).post(at("certify", house.mine, number=1))
    assert refused.status_code == 403 and "was replaced by version 2" in refused.content.decode()


def test_a_printed_plan_stays_the_same_when_the_program_is_set_otherwise(house: House) -> None:
    sign(house.staff["prescriber"], whole(house))
    client, address = logged_in(house.staff["nurse"]), at("plan_pdf", house.mine, number=1, copy="clinic")
    first = client.get(address).content
    Program.objects.filter(pk=house.program.pk).update(certifying_role="supervisor", name="Renamed")
    assert client.get(address).content == first


def test_what_was_said_about_home_is_on_the_clinics_copy_alone(house: House) -> None:
    answered(house.staff["nurse"], house.mine, "V5")
    save(house.staff["nurse"], house.mine, "social", {"unsafe": "true"})
    plan = whole(house, plan=begin(house.staff["prescriber"], house, submit(house.staff["nurse"], house.mine)))
    by = house.staff["prescriber"]
    problem = add(by, plan, "problem", title="Safety at home", source="SF-12, critical")
    objective = add(by, plan, "objective", add(by, plan, "goal", problem, **GOAL), text="Ask alone")
    add(by, plan, "intervention", objective, text="Talk", discipline="nurse", frequency="daily", duration="now")
    sign(by, plan)
    client = logged_in(house.staff["nurse"])
    copies = {copy: " ".join(paper(client.get(at("plan_pdf", house.mine, number=1, copy=copy)))) for copy in ("clinic", "patient")}
    for word in ("SF-12", "afe at home", "Ask alone", "Case management for social needs"):
        assert word in copies["clinic"] and word not in copies["patient"], word


def test_an_older_version_says_what_replaced_it(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    sign(by, plan)
    following = begin(by, house, plan.assessment)
    details(by, following)
    sign(by, following)
    client = client_of(house.staff["nurse"])
    assert "Superseded by version 2." in read(client.get(at("signed_plan", house.mine, number=1)))
    assert "In force." in read(client.get(at("signed_plan", house.mine, number=2)))
    listed = read(client.get(at("versions", house.mine)))
    assert listed.index("Version 2") < listed.index("Version 1")


# What leaves the screen


@pytest.mark.parametrize(("kind", "basis"), [("clinic", "chart copy"), ("patient", "patient copy")])
def test_a_printed_plan_is_logged_as_a_disclosure_with_its_basis(house: House, kind: str, basis: str) -> None:
    signed = sign(house.staff["prescriber"], whole(house))
    response = logged_in(house.staff["nurse"]).get(at("plan_pdf", house.mine, number=1, copy=kind))
    assert (response.status_code, response["Content-Type"]) == (200, "application/pdf")
    row = Disclosure.objects.get()
    assert (row.by, row.basis, row.sha256, row.patient) == (house.staff["nurse"], basis, signed.sha256, house.mine.patient)
    assert GOAL["text"] in " ".join(paper(response))
    assert not [word for word in ("canary", "Ana", house.mine.patient.record_number) if word in response["Content-Disposition"]]


def test_asking_about_a_print_is_no_print(house: House) -> None:
    plan = whole(house)
    sign(house.staff["prescriber"], plan)
    client = logged_in(house.staff["prescriber"])
    for method in ("head", "options", "put", "post", "delete", "trace"):
        assert getattr(client, method)(at("plan_pdf", house.mine, number=1, copy="clinic")).status_code == 405
    assert not Disclosure.objects.exists()


def test_a_plan_is_printed_only_by_those_who_may_and_only_after_confirming(house: House) -> None:
    sign(house.staff["prescriber"], whole(house))
    address = at("plan_pdf", house.mine, number=1, copy="clinic")
    assert logged_in(house.staff["peer"]).get(address).status_code == 403
    assert client_of(house.staff["nurse"]).get(address)["Location"].startswith("/accounts/reauthenticate/")
    assert logged_in(house.staff["nurse"]).get(at("plan_pdf", house.mine, number=1, copy="court")).status_code == 404
    assert not Disclosure.objects.exists()


# No patient data where it would be seen or logged


def test_no_title_and_no_address_of_the_plan_says_who(house: House) -> None:
    plan = whole(house)
    client = logged_in(house.staff["prescriber"])
    pages = [
        at("plan", house.mine), at("details", house.mine), at("add_component", house.mine), at("add_part", house.mine, kind="problem"),
        at("edit_part", house.mine, kind="goal", part_id=Goal.objects.get().public_id), decision(plan, "DTX-05"),
        at("sign", house.mine),
    ]  # fmt: skip
    seen = [(address, client.get(address)) for address in pages]
    sign(house.staff["prescriber"], plan)
    seen += [(address, client.get(address)) for address in (at("versions", house.mine), at("signed_plan", house.mine, number=1))]
    patient = house.mine.patient
    private = ("canary", patient.legal_first_name, patient.record_number, "ratom", "verdose", "SF-06")
    for address, response in seen:
        html = response.content.decode()
        title = html.partition("<title>")[2].partition("</title>")[0]
        assert response.status_code == 200 and title and "canary" in html, address
        assert not [word for word in private if word in title or word in address], (address, title)


def test_every_look_at_a_plan_is_recorded(house: House) -> None:
    whole(house)
    nurse = house.staff["nurse"]
    client_of(nurse).get(page_of("plan", house.mine))
    event = AccessEvent.objects.get(user=nurse)
    assert (event.action, event.view, event.patients) == ("plan.view", "plan", [house.mine.patient_id])


def test_each_missing_link_leads_to_where_it_is_mended(house: House) -> None:
    by, plan = house.staff["prescriber"], draft(house)
    problem = add(by, plan, "problem", title="Kratom use disorder", source="SUD-11: 5, moderate")
    client = logged_in(by)
    page = client.get(at("plan", house.mine)).content.decode()
    adding = at("add_part", house.mine, kind="goal", parent_id=problem.public_id)
    assert f'href="{adding}">The problem' in page
    assert 'href="#DTX-05">SF-06' in page and 'id="DTX-05"' in page
    saved = client.post(adding, GOAL | {"version": 0})
    goal = Goal.objects.get()
    assert saved["Location"] == at("plan", house.mine) + f"#part-{goal.public_id}"
    assert f'id="part-{goal.public_id}"' in client.get(at("plan", house.mine)).content.decode()


def test_who_signs_reads_what_has_neither_answer_nor_reason(house: House) -> None:
    plan = whole(house)
    decide(house.staff["prescriber"], plan, "DTX-05", "not now")
    details(house.staff["prescriber"], plan)
    page = read(logged_in(house.staff["prescriber"]).get(at("sign", house.mine)))
    assert "Still without an answer or a reason" in page and "SF-06 (Overdose risk) is not answered yet" in page
