"""The pages of the ground floor, as each person meets them."""

import datetime
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.totp.internal import auth as totp
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

import clinic
from clinic import actions, lock
from clinic.models import CareTeamMember, Episode, Patient, Program, User
from clinic.models.patients import PatientQuerySet
from clinic.row_security import alike
from clinic.transaction import acting
from clinic.views.caseload import STEPS
from tests.people import House, everything, make_episode, make_house, make_user

REASON = "Suicide screen positive, acute"
REGISTRATION = {
    "legal_first_name": "Ana", "legal_last_name": "Rivera", "birth_date": "1990-02-03", "sex_at_birth": "F", "language": "English",
    "preferred_contact": "phone", "referral_source": "self", "presenting_reason": "Wants help with kratom <shots>",
}  # fmt: skip


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    session = client.session
    lock.enter(session)
    session.save()
    return client


def words(html: str) -> str:
    """What a person reads: the text of main, without tags and with single blanks."""
    main = html.partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main))


def page_of(name: str, episode: Episode) -> str:
    return reverse(name, kwargs={"episode_id": episode.public_id})


def summarize(episode: Episode, acuity: tuple[int, str, int], due: tuple[datetime.date | None, str] = (None, "")) -> None:
    with acting(episode.opened_by, "intake.submit"):
        scores = {"phq9": {"label": "PHQ-9", "value": 17, "band": "moderately severe"}}
        actions.update_summary(episode=episode, acuity=acuity, due=due, scores=scores)


# Caseload


def test_the_caseload_is_most_acute_first_with_the_reason(house: House) -> None:
    with acting(house.staff["supervisor"], "care_team.assign"):
        actions.join_care_team(by=house.staff["supervisor"], episode=house.other, user=house.staff["nurse"])
    yesterday = timezone.localdate() - datetime.timedelta(days=1)
    summarize(house.other, (4, REASON, 2), (yesterday, "Acknowledge the flag"))
    page = words(client_of(house.staff["nurse"]).get("/caseload/").content.decode())
    assert page.index("Othercanary") < page.index("Minecanary")
    for text in (
        "Critical",
        REASON,
        "2 flags to acknowledge",
        "Overdue",
        "PHQ-9 17 moderately severe",
        "Acknowledge the flag",
        "Begin the intake",
    ):
        assert text in page
    assert page.count("Overdue") == 1
    assert "Program" not in page, "there is one program only"


@pytest.mark.parametrize("role", ["intake", "peer"])
def test_minimum_fields_show_that_there_is_a_flag_and_not_why(house: House, role: str) -> None:
    summarize(house.mine, (4, REASON, 2), (timezone.localdate(), "Begin the intake"))
    page = words(client_of(house.staff[role]).get("/caseload/").content.decode())
    for text in ("Minecanary", "Critical", "Registered", "3 Feb 1990", house.mine.patient.record_number, "Begin the intake"):
        assert text in page
    for hidden in (REASON, "to acknowledge", "PHQ-9", "Scores"):
        assert hidden not in page


TODAY = timezone.localdate()


@pytest.mark.parametrize(
    ("what", "role", "page", "waits"),
    [
        ("Begin the intake", "intake", "intake", ""),
        ("Begin the intake", "peer", "", "intake staff or a clinician of the care team"),
        ("Finish the intake", "counsellor", "intake", ""),
        ("Write the plan", "intake", "", "a clinician of the care team"),
        ("Write the plan", "peer", "", "a clinician of the care team"),
        ("Write the plan", "counsellor", "plan", ""),
        ("Write the plan", "supervisor", "", "a clinician of the care team"),
        ("Sign the plan", "peer", "", "a clinician of the care team"),
        ("Sign the plan", "nurse", "sign", ""),
        ("A prescriber signs the plan", "nurse", "", "a prescriber"),
        ("A prescriber signs the plan", "prescriber", "versions", ""),
        ("A prescriber signs the plan", "supervisor", "", "a prescriber"),
        ("A supervisor signs the plan", "supervisor", "versions", ""),
        ("Review the plan", "prescriber", "plan", ""),
        ("Something of a later version", "peer", "chart", ""),
    ],
)
def test_the_next_step_leads_to_itself_or_says_whom_it_waits_for(house: House, what: str, role: str, page: str, waits: str) -> None:
    summarize(house.mine, (2, REASON, 0), (TODAY, what))
    html = client_of(house.staff[role]).get("/caseload/").content.decode()
    row = next(part.partition("</tr>")[0] for part in html.split("<tr") if "Minecanary" in part)
    step = row.partition('data-label="Next step"')[2]
    assert what in step
    assert (f'href="{page_of(page, house.mine)}"' in step) if page else ("href" not in step)
    assert (f"Waits for {waits}" in step) if waits else ("Waits for" not in step)


@pytest.mark.parametrize(
    ("days", "acuity", "primary"), [(28, 4, False), (28, 0, False), (0, 3, True), (0, 2, False), (-1, 0, True), (-1, 4, True)]
)
def test_a_step_stands_out_when_it_should_be_done_now(house: House, days: int, acuity: int, primary: bool) -> None:
    summarize(house.mine, (acuity, REASON, 0), (TODAY + datetime.timedelta(days), "Review the plan"))
    html = client_of(house.staff["nurse"]).get("/caseload/").content.decode()
    step = html.partition('data-label="Next step"')[2].partition("</tr>")[0]
    assert ("btn-primary" in step) is primary


def test_every_step_that_is_written_is_known(house: House) -> None:
    """What the later stages write, found in their source: a new sentence gets its page."""
    root = Path(clinic.__file__).parents[1]
    source = "".join(path.read_text() for app in ("clinic", "intake", "plans") for path in (root / app).rglob("*.py"))
    written = set(re.findall(r'due ?= ?\([^"\n]*, f?"([^"]+)"\)|next_due_what="([^"]+)"', source))
    known = {"".join(pair) for pair in written} - {"{awaited} signs the plan"}
    assert known and known | {"A prescriber signs the plan", "A supervisor signs the plan"} == set(STEPS)
    for step in STEPS.values():
        assert page_of(step.page, house.mine)


def test_two_programs_show_which_is_which_and_each_its_own_fields(house: House) -> None:
    both = make_user("both", ("intake", house.program), ("supervisor", house.elsewhere))
    for episode in (house.mine, house.foreign):
        summarize(episode, (3, REASON, 0))
    page = words(client_of(both).get("/caseload/").content.decode())
    assert "Riverside outpatient" in page
    assert "Hillside residential" in page
    assert page.count(REASON) == 1
    assert "Not shown" in page


def test_an_empty_caseload_says_what_to_do_next(house: House) -> None:
    register, ask = make_user("new1", ("nurse", house.program)), make_user("new2", ("peer", house.program))
    assert "Register a patient" in words(client_of(register).get("/caseload/").content.decode())
    assert "can put you on it" in words(client_of(ask).get("/caseload/").content.decode())


def test_everybody_has_a_page_to_land_on(house: House) -> None:
    for role, user in house.staff.items():
        response = client_of(user).get("/", follow=True)
        assert response.status_code == 200, role


def test_markup_in_names_is_text(house: House) -> None:
    make_episode(house.staff["intake"], house.program, last_name="<script>alert(1)</script>", preferred_name='"><b>x')
    client = client_of(house.staff["intake"])
    for html in (client.get("/caseload/").content.decode(), client.post("/patients/", {"q": "<script>"}).content.decode()):
        assert "&lt;script&gt;alert(1)" in html
        assert "<script>alert" not in html
        assert "<b>x" not in html


@pytest.mark.parametrize(
    ("role", "address", "data"),
    [
        ("supervisor", "/caseload/", None),
        ("nurse", "/caseload/", None),
        ("supervisor", "/patients/", {"q": "Many"}),
        ("nurse", "/patients/", {"q": "Many"}),
        ("privacy_auditor", "/patients/", {"q": "Many"}),
    ],
)
def test_as_many_queries_for_twenty_as_for_one(house: House, role: str, address: str, data: dict[str, str] | None) -> None:
    house.program.duty_team.add(house.staff["nurse"])
    client = client_of(house.staff[role])
    counts = []
    for how_many in (1, 19):
        for number in range(how_many):
            make_episode(house.staff["intake"], house.program, last_name=f"Many{how_many}{number}")
        with CaptureQueriesContext(connection) as queries:
            response = client.post(address, data) if data else client.get(address)
        assert response.content.count(b"Ana Many") >= how_many
        counts.append(len(queries))
    assert counts[0] == counts[1]


# Registration


def test_a_person_is_registered_once_however_often_it_is_sent(house: House) -> None:
    client = client_of(house.staff["intake"])
    form = {**REGISTRATION, "program": str(house.program.pk), "key": str(uuid.uuid4())}
    first, second = (client.post("/patients/register/", form) for _ in range(2))
    assert first.status_code == second.status_code == 302
    assert first["Location"] == second["Location"]
    assert Patient.objects.filter(legal_last_name="Rivera").count() == 1


def test_the_second_click_is_no_duplicate_of_the_first_that_ended_meanwhile(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(house.staff["intake"])
    form = {**REGISTRATION, "program": str(house.program.pk), "key": str(uuid.uuid4())}
    search, first = PatientQuerySet.sounding_like, []

    def meanwhile(self: Any, **person: Any) -> Any:
        monkeypatch.setattr(PatientQuerySet, "sounding_like", search)
        first.append(client.post("/patients/register/", form))
        return search(self, **person)

    monkeypatch.setattr(PatientQuerySet, "sounding_like", meanwhile)
    second = client.post("/patients/register/", form)
    assert (second.status_code, second.get("Location")) == (302, first[0]["Location"])
    assert Patient.objects.filter(legal_last_name="Rivera").count() == 1


def test_going_back_and_writing_the_next_person_over_the_first_asks_and_keeps_what_was_typed(house: House) -> None:
    client = client_of(house.staff["intake"])
    form = {**REGISTRATION, "program": str(house.program.pk), "key": str(uuid.uuid4())}
    assert client.post("/patients/register/", form).status_code == 302
    first = Patient.objects.get(legal_last_name="Rivera")
    other = form | {"legal_first_name": "Bo", "legal_last_name": "Okafor", "birth_date": "1961-12-24"}
    response = client.post("/patients/register/", other)
    html = response.content.decode()
    assert response.status_code == 409
    assert f"This form was already used to register Ana Rivera ({first.record_number})" in words(html)
    assert "send it again to register this other person" in words(html)
    assert 'value="Okafor"' in html and form["key"] not in html
    assert not Patient.objects.filter(legal_last_name="Okafor").exists()
    fresh = re.search(r'name="key" value="([0-9a-f-]{36})"', html)[1]  # type: ignore[index]
    assert client.post("/patients/register/", other | {"key": fresh}).status_code == 302
    assert Patient.objects.filter(legal_last_name="Okafor").count() == 1


@pytest.mark.parametrize("field", ["presenting_reason", "phone", "safe_to_call", "referral_source", "birth_date"])
def test_one_other_field_is_other_content(house: House, field: str) -> None:
    client = client_of(house.staff["intake"])
    form = {**REGISTRATION, "program": str(house.program.pk), "key": str(uuid.uuid4())}
    client.post("/patients/register/", form)
    changed = {"presenting_reason": "x", "phone": "555", "safe_to_call": "on", "referral_source": "court", "birth_date": "1991-02-03"}
    assert client.post("/patients/register/", form | {field: changed[field]}).status_code == 409
    assert client.post("/patients/register/", form).status_code == 302


def test_a_key_of_another_program_reveals_nobody(house: House) -> None:
    foreign = house.foreign.patient
    form = {**REGISTRATION, "program": str(house.program.pk), "key": str(foreign.registration_key)}
    response = client_of(house.staff["intake"]).post("/patients/register/", form)
    html = response.content.decode()
    assert response.status_code == 409 and "already used to register somebody" in words(html)
    assert "Foreigncanary" not in html and foreign.record_number not in html
    assert not Patient.objects.filter(legal_last_name="Rivera").exists()


def test_a_possible_duplicate_asks_and_the_answer_goes_on(house: House) -> None:
    twin = make_episode(house.staff["intake"], house.program, last_name="Ryvera", preferred_name="Annie").patient
    client = client_of(house.staff["intake"])
    assert "different_person" not in client.get("/patients/register/").content.decode()
    form = {**REGISTRATION, "program": str(house.program.pk), "key": str(uuid.uuid4())}
    response = client.post("/patients/register/", form)
    html = response.content.decode()
    assert response.status_code == 409
    assert "Annie Ryvera" in words(html)
    assert twin.record_number in words(html)
    assert form["key"] in html, "the key of the registration is kept"
    assert "Wants help with kratom &lt;shots&gt;" in html, "what was typed is kept"
    assert 'name="different_person"' in html
    assert not Patient.objects.filter(legal_last_name="Rivera").exists()
    assert client.post("/patients/register/", form | {"different_person": "on"}).status_code == 302
    assert Patient.objects.filter(legal_last_name="Rivera").count() == 1


def test_registering_again_without_the_tick_says_what_is_waited_for(house: House) -> None:
    make_episode(house.staff["intake"], house.program, last_name="Ryvera")
    client = client_of(house.staff["intake"])
    form = {**REGISTRATION, "program": str(house.program.pk), "key": str(uuid.uuid4())}
    sentence = "Please compare with the people listed, then tick this"
    first = client.post("/patients/register/", form).content.decode()
    assert 'name="asked"' in first and sentence not in first
    again = client.post("/patients/register/", form | {"asked": "1"})
    html = again.content.decode()
    assert again.status_code == 409 and words(html).count(sentence) == 2, "above, with a link, and beside the tick"
    assert '<a href="#id_different_person">' in html and "Ryvera" in words(html) and 'value="Rivera"' in html
    assert client.post("/patients/register/", form | {"asked": "1", "different_person": "on"}).status_code == 302


@pytest.mark.parametrize(
    ("name", "born", "warns"),
    [
        ("Haloran", "1990-02-03", True), ("Halloran", "1991-01-30", True), ("haloran", "1990-03-02", True),
        ("Haloran", "1970-02-03", True), ("Haloran", "1970-02-04", False), ("Hanson", "1990-02-03", False),
        ("Ольгина", "1990-02-03", False),
    ],
)  # fmt: skip
def test_who_sounds_like_somebody_born_close_by_is_asked_about(house: House, name: str, born: str, warns: bool) -> None:
    make_episode(house.staff["intake"], house.program, last_name="Halloran")
    make_episode(house.staff["intake"], house.program, last_name="Иванов")
    form = {**REGISTRATION, "program": str(house.program.pk), "key": str(uuid.uuid4()), "legal_last_name": name, "birth_date": born}
    response = client_of(house.staff["intake"]).post("/patients/register/", form)
    assert response.status_code == (409 if warns else 302)


def test_what_needs_a_look_is_listed_in_the_order_of_the_page(house: House) -> None:
    html = client_of(house.staff["intake"]).post("/patients/register/", {"asked": ""}).content.decode()
    summary, _, rest = html.partition("data-error-summary")[2].partition("</ul>")
    listed = re.findall(r'href="#(id_\w+)"', summary)
    shown = re.findall(r'(?:select|textarea|input)[^>]* id="(id_\w+)"', rest)
    assert "id_presenting_reason" in listed and "id_birth_date" in listed
    assert listed == [name for name in shown if name in listed]


def test_an_incomplete_registration_links_each_field_and_keeps_the_rest(house: House) -> None:
    response = client_of(house.staff["intake"]).post(
        "/patients/register/", {**REGISTRATION, "program": str(house.program.pk), "key": str(uuid.uuid4()), "birth_date": "2999-01-01"}
    )
    html = response.content.decode()
    assert response.status_code == 422
    assert re.search(r'<a href="#id_birth_date">Birth date</a>: The birth date lies in the future', html)
    assert 'value="Rivera"' in html
    assert 'value="2999-01-01"' in html


# Search


def test_search_leads_to_the_chart_to_the_trail_or_says_why_not(house: House) -> None:
    found = client_of(house.staff["nurse"]).post("/patients/", {"q": "minecan"}).content.decode()
    assert page_of("chart", house.mine) in found
    beyond = client_of(house.staff["nurse"]).post("/patients/", {"q": "othercan"}).content.decode()
    assert "Othercanary" in beyond
    assert page_of("chart", house.other) not in beyond
    assert "You are not on this care team" in words(beyond)
    auditor = client_of(house.staff["privacy_auditor"]).post("/patients/", {"q": "Minecanary"}).content.decode()
    assert page_of("trail", house.mine) in auditor
    assert f'"{page_of("chart", house.mine)}"' not in auditor
    assert "Registered" not in words(auditor)


def test_search_by_record_number_nothing_found_and_nothing_asked(house: House) -> None:
    client = client_of(house.staff["intake"])
    assert "Minecanary" in words(client.post("/patients/", {"q": house.mine.patient.record_number.lower()}).content.decode())
    assert "Nobody found" in words(client.post("/patients/", {"q": "Foreigncanary"}).content.decode())
    assert "Whom are you looking for?" in words(client.post("/patients/", {"q": "  "}).content.decode())


@pytest.mark.parametrize(("hostile", "status"), [("\0", 422), ("a" * 5000, 422), ("' OR 1=1--", 200), ("%", 200), ("_", 200), ("\\", 200)])
def test_hostile_searches_are_only_searches(house: House, hostile: str, status: int) -> None:
    response = client_of(house.staff["intake"]).post("/patients/", {"q": hostile})
    assert response.status_code == status
    assert "canary" not in words(response.content.decode())


@pytest.mark.parametrize("query", ["q=Minecanary", "q=%FF", "q[]=%27"])
def test_a_name_in_the_address_is_no_search(house: House, query: str) -> None:
    html = client_of(house.staff["intake"]).get(f"/patients/?{query}").content.decode()
    assert "Whom are you looking for?" in words(html)
    assert "Minecanary" not in html
    assert 'method="get"' not in html


@pytest.mark.parametrize(
    "typed",
    ["haloran", "HALLORAN", "hallorna", "halloram", "hallran", "hal", "bri hal", "Halloran Brigid", "haloran brigit", "biddy", "Biddie"],
)
def test_a_name_is_found_as_it_is_heard_mistyped_or_turned_round(house: House, typed: str) -> None:
    make_episode(house.staff["intake"], house.program, last_name="Halloran", first_name="Brigid", preferred_name="Biddy")
    page = words(client_of(house.staff["intake"]).post("/patients/", {"q": typed}).content.decode())
    assert "Biddy Halloran" in page and "canary" not in page


@pytest.mark.parametrize("typed", ["halloway", "xyz", "brigid rivera", "ha1", "--", "Ольга"])
def test_what_is_no_name_of_anybody_finds_nobody(house: House, typed: str) -> None:
    make_episode(house.staff["intake"], house.program, last_name="Halloran", first_name="Brigid", preferred_name="Biddy")
    assert "Nobody found" in words(client_of(house.staff["intake"]).post("/patients/", {"q": typed}).content.decode())


def test_who_is_meant_stands_above_who_is_like_it(house: House) -> None:
    for name in ("Haloran", "Halloran"):
        make_episode(house.staff["intake"], house.program, last_name=name)
    page = words(client_of(house.staff["intake"]).post("/patients/", {"q": "halloran"}).content.decode())
    assert page.index("Halloran") < page.index("Haloran") < page.index("Sounds alike")
    assert page.count("Sounds alike") == 1


def test_a_record_number_needs_neither_its_letter_nor_its_zeros(house: House) -> None:
    number = house.mine.patient.record_number
    for typed in (number, number.lower(), number[1:], number[1:].lstrip("0"), "R" + number[1:].lstrip("0"), f"{number[0]} {number[1:]}"):
        page = words(client_of(house.staff["intake"]).post("/patients/", {"q": typed}).content.decode())
        assert "Minecanary" in page and "Othercanary" not in page, typed


def test_every_way_to_find_a_name_has_its_index(house: House) -> None:
    """Without sequential scans to fall back on, one arm without an index would still be one."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        asked = {"beginning": "'haloran'", "sound": "dmetaphone('haloran')", "spelled": "'{halloran}'"}
        condition = re.sub("|".join(rf"\b{word}\b" for word in asked), lambda match: asked[match[0]], alike())
        with everything():
            cursor.execute(f"EXPLAIN SELECT id FROM clinic_patient WHERE {condition}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Seq Scan" not in plan and "Index Scan" in plan, plan
    for name in ("legal_last_name", "legal_first_nam", "preferred_name"):
        assert {f"{name}_begins", f"{name}_sound"} <= set(re.findall(r"\w+", plan)), plan


# Person and contact


def demographics_of(patient: Patient, **changes: str) -> dict[str, str]:
    names = ("legal_first_name", "legal_last_name", "sex_at_birth", "language", "preferred_contact", "phone")
    return {name: getattr(patient, name) for name in names} | {"birth_date": patient.birth_date.isoformat()} | changes


def test_a_conflict_shows_both_values_keeps_what_was_typed_and_saving_again_decides(house: House) -> None:
    address, patient = page_of("demographics", house.mine), house.mine.patient
    one, two = client_of(house.staff["intake"]), client_of(house.staff["nurse"])
    assert 'name="version" value="1"' in one.get(address).content.decode()
    saved = two.post(address, demographics_of(patient, version="1", phone="555 0101", sex_at_birth="M", safe_to_call="on"))
    assert saved.status_code == 302
    response = one.post(address, demographics_of(patient, version="1", phone="555 0202", gender="woman"))
    html = response.content.decode()
    assert response.status_code == 409
    for both in ("Phone 555 0101 555 0202", "Sex at birth Male Female", "Gender (empty) woman", "Safe to call yes no"):
        assert both in words(html)
    assert 'value="555 0202"' in html
    assert 'name="version" value="2"' in html
    assert one.post(address, demographics_of(patient, version="2", phone="555 0202")).status_code == 302
    assert Patient.objects.get(pk=patient.pk).phone == "555 0202"


def test_a_mistake_in_the_form_does_not_hide_that_somebody_else_saved(house: House) -> None:
    address, patient = page_of("demographics", house.mine), house.mine.patient
    client = client_of(house.staff["intake"])
    client.post(address, demographics_of(patient, version="1", phone="555 0101"))
    response = client.post(address, demographics_of(patient, version="1", phone="555 0202", legal_last_name=""))
    assert response.status_code == 422
    assert 'name="version" value="1"' in response.content.decode()
    assert client.post(address, demographics_of(patient, version="1", phone="555 0202")).status_code == 409


@pytest.mark.parametrize("mark", ["", "x", "-1", "٣", "9" * 40, "99"])
def test_a_form_without_a_readable_version_is_compared_and_not_saved(house: House, mark: str) -> None:
    form = demographics_of(house.mine.patient, version=mark, phone="555 0202")
    response = client_of(house.staff["intake"]).post(page_of("demographics", house.mine), form)
    assert response.status_code == 409
    assert 'name="version" value="1"' in response.content.decode()
    assert Patient.objects.get(pk=house.mine.patient_id).phone == ""


def test_the_same_values_saved_twice_are_no_conflict(house: House) -> None:
    client, form = client_of(house.staff["intake"]), demographics_of(house.mine.patient, version="1", phone="555 0101")
    assert [client.post(page_of("demographics", house.mine), form).status_code for _ in range(2)] == [302, 302]


def test_the_header_says_that_there_is_a_flag(house: House) -> None:
    summarize(house.mine, (4, REASON, 2))
    for role, waiting in (("intake", False), ("nurse", True)):
        page = words(client_of(house.staff[role]).get(page_of("demographics", house.mine)).content.decode())
        assert "Critical" in page
        assert ("2 to acknowledge" in page) is waiting
        assert REASON not in page


# Care team


def test_somebody_joins_the_care_team_and_leaves_it(house: House) -> None:
    address, supervisor, intake = page_of("care_team", house.mine), client_of(house.staff["supervisor"]), house.staff["intake"]
    assert "Intake Tester (Front desk)" in words(supervisor.get(address).content.decode())
    page = words(supervisor.post(address, {"user": intake.pk}, follow=True).content.decode())
    assert re.search(r"Intake Tester, X Front desk \d+ \w+ \d{4} today Supervisor Tester Remove", page)
    again = supervisor.post(address, {"user": intake.pk})
    assert again.status_code == 422
    assert "on the care team already" in words(again.content.decode())
    member = CareTeamMember.objects.get(episode=house.mine, user=intake, ended_at=None)
    asked = words(supervisor.post(address, {"leave": member.pk}).content.decode())
    assert "Remove Intake Tester from the care team?" in asked and "Cancel" in asked
    assert "Nobody else is on the team" not in asked
    assert CareTeamMember.objects.get(pk=member.pk).ended_at is None, "one press only asks"
    for _ in range(2):
        page = words(supervisor.post(address, {"leave": member.pk, "sure": "1"}, follow=True).content.decode())
        assert "You removed Intake Tester from the care team." in page
    assert "Earlier" in page
    assert page.index("Earlier") < page.index("Intake Tester, X")
    assert CareTeamMember.objects.get(pk=member.pk).ended_by == house.staff["supervisor"]


def test_nobody_removes_themselves_without_reading_what_follows(house: House) -> None:
    manager, address = client_of(house.staff["case_manager"]), page_of("care_team", house.mine)
    own = CareTeamMember.objects.get(episode=house.mine, user=house.staff["case_manager"])
    asked = words(manager.post(address, {"leave": own.pk}).content.decode())
    assert "Remove yourself from the care team?" in asked and "no longer find this person on your caseload" in asked
    assert "You removed yourself" in words(manager.post(address, {"leave": own.pk, "sure": "1"}, follow=True).content.decode())
    assert CareTeamMember.objects.get(pk=own.pk).ended_by == house.staff["case_manager"]


@pytest.mark.parametrize("which", ["0", "x", "٣", "9" * 30, ""])
def test_removing_nobody_is_not_found(house: House, which: str) -> None:
    assert client_of(house.staff["supervisor"]).post(page_of("care_team", house.mine), {"leave": which}).status_code == 404


# Trail


def test_the_trail_shows_the_read_that_just_happened_and_what_was_changed(house: House) -> None:
    nurse = client_of(house.staff["nurse"])
    nurse.get("/caseload/")
    nurse.post(page_of("demographics", house.mine), demographics_of(house.mine.patient, version="1", phone="555 0101"))
    html = client_of(house.staff["privacy_auditor"]).get(page_of("trail", house.mine)).content.decode()
    page = words(html)
    assert re.search(r"today Nurse Tester Nurse Caseload view chart", page)
    assert re.search(r"today Privacy_Auditor Tester Privacy auditor Trail view audit", page)
    assert re.search(r"Nurse Tester Changed: patient phone ", page)
    assert "Added: care team member" in page
    assert "555 0101" not in html, "the trail says which fields, not what was in them"
    assert page_of("chart", house.mine) not in html


def test_search_and_duplicates_leave_their_reason(house: House) -> None:
    client_of(house.staff["intake"]).post("/patients/", {"q": "Minecanary"})
    page = words(client_of(house.staff["supervisor"]).get(page_of("trail", house.mine)).content.decode())
    assert re.search(r"Intake Tester Intake Search search patient search", page)


def test_the_same_page_again_within_the_hour_is_one_line(house: House) -> None:
    nurse = house.staff["nurse"]
    for _ in range(3):
        client_of(nurse).get("/caseload/")
    client_of(nurse).get(page_of("demographics", house.mine))
    supervisor = client_of(house.staff["supervisor"])
    page = words(supervisor.get(page_of("trail", house.mine)).content.decode())
    # Only at a full hour two lines.
    assert len(re.findall(r"Nurse Tester Nurse Caseload", page)) <= 2
    assert re.search(r"Nurse Tester Nurse Caseload, [23] times between \d\d:00 and \d\d:00 view chart", page)
    assert re.search(r"Nurse Tester Nurse Person and contact edit patient", page)


def test_the_trail_of_one_person_and_what_was_refused(house: House) -> None:
    stranger = User.objects.get(username="stranger")
    assert client_of(stranger).get(page_of("chart", house.mine)).status_code == 404
    client_of(house.staff["nurse"]).get("/caseload/")
    supervisor, address = client_of(house.staff["supervisor"]), page_of("trail", house.mine)
    page = words(supervisor.get(address).content.decode())
    assert page.index("Refused (1)") < page.index("Opened (") and re.search(r"Stranger Tester .{0,60} Refused Chart", page)
    one = words(supervisor.get(f"{address}?who={house.staff['nurse'].public_id}").content.decode())
    assert "Nurse Tester Nurse Caseload" in one and "Refused" not in one and "Supervisor Tester Supervisor Trail" not in one
    for nobody in ("x", uuid.uuid4(), "%FF"):
        assert "Supervisor Tester Supervisor Trail" in words(supervisor.get(f"{address}?who={nobody}").content.decode())


def test_the_trail_takes_as_many_queries_for_many_as_for_few(house: House) -> None:
    supervisor, address, counts = client_of(house.staff["supervisor"]), page_of("trail", house.mine), []
    supervisor.get(address)
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            supervisor.get(address)
        counts.append(len(queries))
        for role in ("nurse", "counsellor", "prescriber", "intake"):
            client_of(house.staff[role]).get(page_of("demographics", house.mine))
    assert counts[0] == counts[1]


# First visit


def test_the_first_visit_makes_the_program_and_is_over(db: None) -> None:
    client = Client()
    assert client.get("/", follow=True).redirect_chain[-1][0] == "/first-visit/"
    form = {
        "program_name": "Harbor", "first_name": "Kim", "last_name": "Lee", "email": "kim@example.org", "username": "kim",
        "password": "a quiet river bend", "password_again": "a quiet river",
    }  # fmt: skip
    wrong = client.post("/first-visit/", form)
    assert wrong.status_code == 422
    assert "The two passwords differ." in words(wrong.content.decode())
    assert "a quiet river" not in wrong.content.decode()
    page = words(client.post("/first-visit/", form | {"password_again": form["password"]}, follow=True).content.decode())
    assert "Your program is ready" in page
    assert client.get("/first-visit/").status_code == 302


FIRST = {
    "program_name": "Harbor", "first_name": "Kim", "last_name": "Lee", "email": "kim@example.org", "username": "kim",
    "password": "a quiet river bend", "password_again": "a quiet river bend",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"password": "short", "password_again": "short"}, "too short"),
        ({"password": "password1234", "password_again": "password1234"}, "too common"),
        ({"username": "kim lee"}, "letters, digits and"),
        ({"email": "kim"}, "not a whole e-mail address yet"),
        ({"program_name": "Har\x01bor"}, "cannot be stored"),
        ({"program_name": "x" * 121}, "at most 120 characters"),
        ({"first_name": ""}, "Not filled in yet."),
    ],
)
def test_a_first_visit_with_a_mistake_makes_nothing(db: None, changes: dict[str, str], sentence: str) -> None:
    answer = Client().post("/first-visit/", FIRST | changes)
    assert answer.status_code == 422 and sentence in words(answer.content.decode())
    assert not User.objects.exists() and not Program.objects.exists()


def test_a_second_first_visit_is_sent_to_the_log_in(house: House) -> None:
    before = User.objects.count()
    answer = Client().post("/first-visit/", FIRST)
    assert answer.status_code == 302 and User.objects.count() == before


def test_two_first_visits_at_the_same_moment_make_one_administrator(real_transactions: None) -> None:
    def visit(number: int) -> int:
        try:
            return Client().post("/first-visit/", FIRST | {"username": f"kim{number}", "program_name": f"Harbor {number}"}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(visit, range(6))) == {302}
    assert (User.objects.count(), Program.objects.count()) == (1, 1)


def test_from_the_first_visit_to_the_first_colleague(db: None, settings: Any) -> None:
    """A clinic of one's own: the administrator enrols a second factor, and meets no patient."""
    settings.REQUIRE_SECOND_FACTOR = True
    client = Client()
    client.post("/first-visit/", FIRST)
    client.post("/accounts/login/", {"login": "kim", "password": FIRST["password"]})
    assert client.get("/admin/")["Location"] == "/accounts/2fa/totp/activate/"
    client.get("/accounts/2fa/totp/activate/")
    secret = client.session["mfa.totp.secret"]
    code = totp.format_hotp_value(totp.hotp_value(secret, int(time.time()) // 30))
    client.post("/accounts/2fa/totp/activate/", {"code": code})
    assert client.get("/admin/").status_code == 200
    assert client.get("/caseload/").status_code == 403
    kim = User.objects.get()
    assert kim.is_staff and not kim.is_superuser and [role for _, role in kim.program_roles()] == ["sys_admin"]


# Promises of every page


@pytest.mark.parametrize("name", ["demographics", "care_team", "trail"])
def test_a_page_about_a_person_has_its_header_and_a_title_without_a_name(house: House, name: str) -> None:
    html = client_of(house.staff["supervisor"]).get(page_of(name, house.mine)).content.decode()
    assert 'aria-label="Patient"' in html
    assert house.mine.patient.record_number in html
    title = html.partition("<title>")[2].partition("</title>")[0]
    assert "canary" not in title
    assert house.mine.patient.record_number not in title
