"""The admin of the intake and of the component library: to see, to switch with a reason, and what may never be switched off."""

import pytest
from django.test import Client

from intake.actions import rules_off
from intake.models import Instrument, Medicine, RuleSetting
from intake.packet import packet
from tests.clinic.test_access import logged_in
from tests.clinic.test_pages import client_of, page_of
from tests.intake.test_actions import fill, standing, submit
from tests.people import House, make_house, recorded

RULES = "/admin/intake/rulesetting/"
COMPONENTS = "/admin/plans/componentsetting/"
REASON = "Our pharmacist reviews these by hand."


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def staff(house: House, role: str) -> Client:
    user = house.staff[role]
    user.is_staff = True
    user.save()
    return logged_in(user)


@pytest.mark.parametrize(("page", "id_"), [(RULES, "IX-09"), (COMPONENTS, "CMP-02")])
def test_a_supervisor_switches_off_and_on_with_a_reason(house: House, page: str, id_: str) -> None:
    client = staff(house, "supervisor")
    response = client.post(f"{page}add/", {"rule_id": id_, "reason": REASON})
    assert response.status_code == 302, response.context["errors"]
    assert rules_off() == {id_}
    assert "<strong>Off</strong>" in client.get(page).content.decode()
    client.post(f"{page}add/", {"rule_id": id_, "enabled": "on", "reason": "The pharmacist has left."})
    assert rules_off() == frozenset()
    assert [row.by for row in RuleSetting.objects.all()] == [house.staff["supervisor"]] * 2
    assert len(recorded(table="intake_rulesetting", user=house.staff["supervisor"])) == 2


@pytest.mark.parametrize(
    ("page", "id_", "reason", "sentence"),
    [
        (RULES, "IX-01", REASON, "IX-01 cannot be switched off: it may be critical"),
        (RULES, "SF-01", REASON, "SF-01 cannot be switched off: it may be critical"),
        (COMPONENTS, "SAF-01", REASON, "SAF-01 cannot be switched off: it answers a critical safety flag"),
        (RULES, "IX-09", "", "Not filled in yet."),
        (RULES, "IX-09", "no", "at least 10 characters"),
        (RULES, "CMP-02", REASON, "cannot be chosen here"),
        (COMPONENTS, "IX-09", REASON, "cannot be chosen here"),
    ],
)
def test_what_may_be_critical_stays_on_and_a_switch_has_a_reason(house: House, page: str, id_: str, reason: str, sentence: str) -> None:
    response = staff(house, "supervisor").post(f"{page}add/", {"rule_id": id_, "reason": reason})
    assert response.status_code == 200 and sentence in response.content.decode()
    assert rules_off() == frozenset()


def test_who_may_only_propose_sees_and_does_not_switch(house: House) -> None:
    client = staff(house, "content_editor")
    body = client.get(RULES).content.decode()
    assert "Kratom and another opioid" in body and "not yet clinically reviewed" in body and "Switch off" not in body
    assert client.post(f"{RULES}add/", {"rule_id": "IX-09", "reason": REASON}).status_code == 403
    assert rules_off() == frozenset()


def test_a_row_of_settings_is_never_changed_or_removed(house: House) -> None:
    client = staff(house, "supervisor")
    client.post(f"{RULES}add/", {"rule_id": "IX-09", "reason": REASON})
    row = RuleSetting.objects.get()
    assert client.post(f"{RULES}{row.pk}/change/", {"rule_id": "IX-09", "enabled": "on", "reason": REASON}).status_code == 403
    assert client.post(f"{RULES}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert rules_off() == {"IX-09"}


def test_medicines_carry_classes_by_name(house: House) -> None:
    client = staff(house, "content_editor")
    response = client.post("/admin/intake/medicine/add/", {"name": "mirtazapine", "classes": ["serotonergic"], "active": "on"})
    assert response.status_code == 302
    assert Medicine.objects.formulary()["mirtazapine"] == ["serotonergic"]
    medicine = Medicine.objects.get(name="mirtazapine")
    client.post(f"/admin/intake/medicine/{medicine.pk}/change/", {"name": "mirtazapine", "classes": ["no_such_class"]})
    assert Medicine.objects.get(name="mirtazapine").classes == ["serotonergic"]
    assert "Serotonergic medicine" in client.get("/admin/intake/medicine/?q=mirtazapine").content.decode()


def test_an_instrument_is_switched_and_its_permission_recorded_but_its_content_never_edited(house: House) -> None:
    client, phq9 = staff(house, "supervisor"), Instrument.objects.get(code="phq9", active=True)
    url = f"/admin/intake/instrument/{phq9.pk}/change/"
    posted = {"title": "Another title", "active": "", "permission_reference": "Letter of 3 May", "permission_date": "2026-05-03"}
    assert client.post(url, posted).status_code == 302
    after = Instrument.objects.get(pk=phq9.pk)
    assert (after.title, after.active, after.permission_reference) == (phq9.title, False, "Letter of 3 May")
    assert staff(house, "content_editor").post(url, posted | {"active": "on"}).status_code == 403
    assert not Instrument.objects.get(pk=phq9.pk).active


# The packet of a program


def places(*codes: str) -> dict[str, str]:
    return {f"place_{code}": str(place) for place, code in enumerate(codes, 1)}


def packet_page(house: House) -> str:
    return f"/admin/intake/packet/{house.program.pk}/change/"


def test_a_program_asks_what_it_has_set_in_its_order(house: House) -> None:
    client = staff(house, "sys_admin")
    assert 'name="place_dwc" value="1"' in client.get(packet_page(house)).content.decode()
    assert client.post(packet_page(house), places("asq", "cows", "kuh")).status_code == 302
    house.program.refresh_from_db()
    assert house.program.packet == ["asq", "cows", "kuh"]
    assert list(packet(house.program.packet)) == ["asq", "cows", "kuh"]
    assert len(recorded(table="clinic_program", user=house.staff["sys_admin"])) == 1
    page = client_of(house.staff["nurse"]).get(page_of("intake", house.mine)).content.decode()
    order = ["ASQ suicide-risk screen", "Kratom use history", "More questionnaires", "PHQ-9"]
    assert sorted(order, key=page.index) == order


@pytest.mark.parametrize(
    ("codes", "sentence"),
    [((), "at least one questionnaire"), (("kuh",), "asks about suicide"), (("asq", "kuh", "phq9"), "")],
)
def test_an_intake_asks_about_suicide_or_is_refused(house: House, codes: tuple[str, ...], sentence: str) -> None:
    response = staff(house, "sys_admin").post(packet_page(house), places(*codes))
    assert response.status_code == (200 if sentence else 302)
    if sentence:
        assert sentence in response.content.decode()


def test_only_who_edits_programs_edits_their_packets(house: House) -> None:
    assert staff(house, "supervisor").post(packet_page(house), places("asq")).status_code == 403


def test_what_a_program_does_not_ask_leaves_nothing_incomplete(house: House) -> None:
    house.program.packet = ["asq", "auditc"]
    house.program.save()
    fill(house.staff["nurse"], house.mine, "V1", "asq", "auditc")
    assessment = submit(house.staff["nurse"], house.mine)
    assert not assessment.provisional and not standing(house.mine)
