"""A line of the caseload is drawn once for what it shows: another word in it, another line."""

import datetime
from unittest.mock import patch

import pytest

from clinic.actions import update_summary
from clinic.models import Patient
from clinic.transaction import acting
from clinic.views.caseload import Line
from tests.clinic.test_access import logged_in
from tests.people import House, make_house

NOON = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
LINE = Line(
    name="Sam Field", pronouns="", birth_date=datetime.date(1990, 2, 3), age=36, record_number="R0000001", chart_url="/c/",
    restricted=False, emergency_until=None, full=True, acuity="high", reason="Overdose risk", unacknowledged=2, overdue=False,
    stage="Intake", several_programs=False, program="", scored=True, scores=(("PHQ-9", "13", "moderate"),), step="Write the plan",
    step_url="/p/", waits="", urgent=False, due=NOON.date(), today=NOON.date(),
)  # fmt: skip
OTHERS = {
    "name": "Sam Fields", "pronouns": "they", "birth_date": datetime.date(1990, 2, 4), "age": 37, "record_number": "R0000002",
    "chart_url": "/d/", "restricted": True, "emergency_until": NOON, "full": False, "acuity": "", "reason": "", "unacknowledged": 1,
    "overdue": True, "stage": "Assessed", "several_programs": True, "scored": False, "scores": (), "step": "Sign the plan", "step_url": "",
    "urgent": True, "due": None,
}  # fmt: skip


@pytest.mark.parametrize("field", OTHERS)
def test_whatever_changes_in_a_line_changes_its_html(field: str) -> None:
    assert LINE._replace(**{field: OTHERS[field]}).drawn != LINE.drawn


@pytest.mark.parametrize(("field", "shown"), [("program", {"several_programs": True}), ("waits", {"step_url": ""})])
def test_so_does_what_is_shown_only_beside_something_else(field: str, shown: dict) -> None:
    line = LINE._replace(**shown)
    assert line._replace(**{field: "a word"}).drawn != line.drawn


def test_the_next_day_says_yesterday() -> None:
    with patch("django.utils.timezone.now", return_value=NOON):
        first = LINE.drawn
    later = NOON + datetime.timedelta(1)
    with patch("django.utils.timezone.now", return_value=later):
        assert "today" in first and "yesterday" in LINE._replace(today=later.date()).drawn


def test_the_page_shows_what_was_changed_since_it_was_drawn(house: House) -> None:
    client = logged_in(house.staff["nurse"])
    before = client.get("/caseload/").content.decode()
    with acting(house.staff["nurse"], "intake.submit"):
        update_summary(episode=house.mine, acuity=(4, "Told <just> now", 1))
        Patient.objects.filter(pk=house.mine.patient_id).update(preferred_name="Robin")
    after = client.get("/caseload/").content.decode()
    for words in ("Told &lt;just&gt; now", "Robin Minecanary"):
        assert words not in before and words in after


@pytest.fixture
def house(db: None) -> House:
    return make_house()
