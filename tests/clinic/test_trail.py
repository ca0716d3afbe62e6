"""“Who opened this record”, as the privacy auditor and the supervisor look at it. More of the page: test_pages.py."""

import datetime
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clinic import actions
from clinic.models import BreakGlass
from clinic.row_security import NEWEST
from clinic.transaction import acting
from clinic.views import trail
from tests import databases
from tests.clinic.test_pages import client_of, page_of, words
from tests.people import House, everything, make_house

CROWD = """
INSERT INTO clinic_accessevent (at, user_id, roles, action, view, patients, outcome, reason)
SELECT now(), %s, ARRAY['nurse'], 'chart.view', 'page ' || n, ARRAY[%s]::bigint[], 'allowed', '' FROM generate_series(1, %s) AS n
"""


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def look(client: Client, house: House, query: str = "") -> str:
    return words(client.get(page_of("trail", house.mine) + query).content.decode())


def opened(house: House, times: int) -> None:
    """That many pages of this record, each of another name, opened by the nurse."""
    nurse = house.staff["nurse"]
    with acting(nurse, "chart.view"), connection.cursor() as cursor:
        cursor.execute(CROWD, [nurse.pk, house.mine.patient_id, times])


def test_page_after_page_shows_every_opening_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "PAGE", 7)
    opened(house, 20)
    client, address, found = client_of(house.staff["privacy_auditor"]), page_of("trail", house.mine), []
    query = "?show=opened&who=" + str(house.staff["nurse"].public_id)
    while query:
        html = client.get(address + query).content.decode()
        found += [int(number) for number in re.findall(r"Page (\d+)<", html)]
        following = re.search(r'href="(\?[^"]+)" rel="next"', html)
        query = following[1].replace("&amp;", "&") if following else ""
    assert found == list(range(20, 0, -1))


def test_each_table_leads_on_to_its_own_earlier_lines(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "PAGE", 3)
    opened(house, 5)
    html = client_of(house.staff["privacy_auditor"]).get(page_of("trail", house.mine)).content.decode()
    assert 'href="?show=opened&amp;before=' in html and 'href="?show=changed&amp;before=' in html
    page = look(client_of(house.staff["privacy_auditor"]), house, "?show=changed")
    assert "Changed (" in page and "Opened (" not in page and "Nurse Page" not in page


def test_by_day(house: House) -> None:
    opened(house, 1)
    today = timezone.localdate()
    client = client_of(house.staff["privacy_auditor"])
    for query, there in (
        (f"?since={today}", True), (f"?until={today}", True), (f"?since={today}&until={today}", True),
        (f"?since={today + datetime.timedelta(1)}", False), (f"?until={today - datetime.timedelta(1)}", False),
        ("?until=9999-12-31", True), ("?since=0001-01-02", True),
    ):  # fmt: skip
        assert ("Nurse Tester Nurse Page 1 " in look(client, house, query)) == there, query


UNREADABLE = ["since=yesterday", "until=2026-02-30", "before=x", "before=-1", f"before={2**63}", "show=everything"]


@pytest.mark.parametrize("query", UNREADABLE)
def test_what_cannot_be_read_is_said_and_hides_nothing(house: House, query: str) -> None:
    opened(house, 1)
    answer = client_of(house.staff["privacy_auditor"]).get(f"{page_of('trail', house.mine)}?{query}")
    page = words(answer.content.decode())
    assert answer.status_code == 422 and "Not all of this could be read" in page and "Nurse Tester Nurse Page 1" in page


def test_an_emergency_opening_stands_at_the_top_with_its_reason_and_review(house: House) -> None:
    counsellor, supervisor = house.staff["counsellor"], house.staff["supervisor"]
    with everything(), acting(counsellor, "break_glass.invoke"):
        actions.break_glass(by=counsellor, episode=house.other, category="crisis", reason="Brother called, she is alone and unsafe")
    page = words(client_of(supervisor).get(page_of("trail", house.other)).content.decode())
    assert re.search(r"Emergency openings .*Counsellor Tester .*Danger to the person .*Brother called.* not reviewed yet", page)
    with everything(), acting(supervisor, "break_glass.review"):
        actions.review_break_glass(by=supervisor, opened=BreakGlass.objects.get(), outcome="appropriate", note="Called back, was right.")
    page = words(client_of(supervisor).get(page_of("trail", house.other)).content.decode())
    assert "Appropriate, Supervisor Tester Called back, was right." in page
    assert "Brother called" not in look(client_of(supervisor), house), "nor in anybody else's trail"


def test_a_name_leads_to_what_that_person_did(house: House) -> None:
    opened(house, 1)
    auditor, nurse = client_of(house.staff["privacy_auditor"]), house.staff["nurse"]
    assert f'<a href="?who={nurse.public_id}">Nurse Tester</a>' in auditor.get(page_of("trail", house.mine)).content.decode()
    page = look(auditor, house, f"?who={nurse.public_id}")
    assert "Only what Nurse Tester did." in page and "Nurse Page 1" in page and "Privacy auditor Trail" not in page


def test_the_page_says_up_to_when_it_is_sealed(house: House) -> None:
    assert "Not sealed against tampering yet" in look(client_of(house.staff["supervisor"]), house)


def test_as_many_queries_for_thousands_as_for_few(house: House) -> None:
    auditor, counts = client_of(house.staff["privacy_auditor"]), []
    for times in (1, 2000):
        opened(house, times)
        with CaptureQueriesContext(connection) as queries:
            look(auditor, house)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_an_auditor_reads_the_trail_of_nobody_they_may_not(house: House) -> None:
    supervisor = client_of(house.staff["supervisor"])
    assert supervisor.get(page_of("trail", house.foreign)).status_code == 404
    assert client_of(house.staff["nurse"]).get(page_of("trail", house.mine)).status_code == 403


EVERY = """
INSERT INTO clinic_accessevent (at, user_id, roles, action, view, patients, outcome, reason)
SELECT now(), 1, '{}', '', 'chart', CASE WHEN n %% 9973 = 0 THEN %s WHEN n %% 30 = 0 THEN %s ELSE ARRAY[1000 + n %% 5000] END::bigint[],
    'allowed', '' FROM generate_series(1, 100000) AS n
"""


def plan_of(patient: int) -> str:
    """How the database finds a page of a trail, inside the owner's function."""
    values = {"patient": f"{patient}::bigint", "of_outcome": "'allowed'", "by_user": "NULL::bigint", "since": "NULL::timestamptz",
              "until": "NULL::timestamptz", "before": "NULL::bigint", "most": trail.PAGE + 1}  # fmt: skip
    query = re.sub(r"\b(" + "|".join(values) + r")\b", lambda name: str(values[name[1]]), NEWEST)
    with databases.admin(databases.NAME) as admin:
        return "\n".join(line for (line,) in admin.execute(f"EXPLAIN (ANALYZE, BUFFERS) {query}"))


@pytest.mark.thorough
def test_a_hundred_thousand_openings_are_served_by_their_index(real_transactions: None) -> None:
    """Of a patient who is on every page, and of one who was hardly ever looked at: as much is read as is theirs."""
    house = make_house()
    with databases.admin(databases.NAME) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(EVERY, [[house.other.patient_id], [house.mine.patient_id]])
        admin.execute("VACUUM ANALYZE clinic_accessevent")
    for episode, most in ((house.mine, 3500), (house.other, 100)):
        plan = plan_of(episode.patient_id)
        read = re.search(r"Buffers: shared (?:hit=(\d+))? ?(?:read=(\d+))?", plan)
        assert "access_event_patients" in plan and "Seq Scan" not in plan, plan
        assert read and sum(int(number or 0) for number in read.groups()) < most, plan
    assert "Earlier: opened" in look(client_of(house.staff["privacy_auditor"]), house)


def test_the_filters_are_not_printed(house: House) -> None:
    html: Any = client_of(house.staff["supervisor"]).get(page_of("trail", house.mine)).content.decode()
    assert 'class="st-find st-filter st-no-print"' in html and "As of " in words(html)
