"""The printed plan: accessible, the same bytes each time, and nothing a person typed is read as markup."""

import datetime
import io
import re

import pytest
from pypdf import PdfReader

from plans import document, pdf
from plans.printable import printable
from tests.plans.documents import SIGNATURES, SIGNED_AT, goal, intervention, plan, suggestion


def read(data: bytes) -> list[str]:
    return [re.sub(r"[\s\u200b]+", " ", page.extract_text()) for page in PdfReader(io.BytesIO(data)).pages]


def text(data: bytes) -> str:
    return " ".join(read(data))


def test_the_same_plan_prints_to_the_same_bytes():
    assert pdf.render(plan(), SIGNATURES) == pdf.render(document.load(document.build(plan())), SIGNATURES)


def test_the_time_in_the_file_is_that_of_the_last_signature():
    info = PdfReader(io.BytesIO(pdf.render(plan(), SIGNATURES))).metadata
    assert info.creation_date == SIGNED_AT + datetime.timedelta(hours=1)


def test_it_is_tagged_for_those_who_listen_to_it():
    reader = PdfReader(io.BytesIO(pdf.render(plan(), SIGNATURES)))
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en-US"
    assert "/StructTreeRoot" in root
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert b"pdfuaid:part" in root["/Metadata"].get_data()


def test_the_title_of_the_file_does_not_name_the_patient():
    reader = PdfReader(io.BytesIO(pdf.render(plan(), SIGNATURES)))
    described = f"{dict(reader.metadata)} {reader.trailer['/Root']['/Metadata'].get_data().decode()}"
    assert reader.metadata.title == "Treatment plan, version 1"
    assert not any(word in described for word in ("Denise", "Dee", "R-000123", "ratom"))


def test_every_page_says_whose_it_is_which_version_and_page_n_of_m():
    pages = read(pdf.render(plan(), SIGNATURES))
    sha = document.sha256(document.build(plan()))
    for number, page in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in page
        assert "Denise Example · R-000123" in page
        assert "version 1 · In force" in page
        assert sha[:12] in page
        assert "PROVISIONAL" not in page
    assert sha in pages[-1]


def test_a_provisional_plan_says_so_on_every_page():
    long = plan(provisional=True, discharge_criteria="One more step. " * 400)
    pages = read(pdf.render(long, SIGNATURES))
    assert len(pages) > 3
    assert all("PROVISIONAL" in page for page in pages)


@pytest.mark.parametrize(
    "sentence",
    [
        "Safety first In a crisis call or text 988",
        "I want my mornings back, without counting capsules.",
        "Now 32",
        "Target 0",
        "28 Feb 2027",
        "Individual CBT, one problem at a time",
        "weekly, 8 weeks",
        "The SUD-11 count is 5, and 2 or more counts.",
        "Grade D. CDC 2022 opioid taper by analogy",
        "Yoga Declined Prefers walking.",
        "Mindfulness, meditation, breathing Not now",
        "PV-4 The prescriber joins after the holidays.",
        "Multimodal pain plan PEG pain scale",
        "COWS not scored at least 4, 2 not answered yet",
        "Four weeks without kratom",
        "Dana Reyes, LCSW Therapist Author of the plan 23 Nov 2026, 15:30 CST",
        "Sam Okafor, MD Physician Reviewed and certified 23 Nov 2026, 16:30 CST",
        "Not yet clinically reviewed",
        "Acknowledged by Dana Reyes, 23 Nov 2026, 15:30 CST: Kit handed over, sister trained",
    ],
)
def test_what_the_clinics_copy_says(clinic_copy, sentence):
    assert sentence in clinic_copy


@pytest.fixture(scope="module")
def clinic_copy():
    return text(pdf.render(plan(), SIGNATURES))


def test_safety_stands_first_and_the_worst_flag_first_of_all(clinic_copy):
    places = [clinic_copy.index(part) for part in ("988", "IX-12", "SF-06", "IX-18", "Problems, goals")]
    assert places == sorted(places)


def test_the_patients_copy_is_in_plain_words():
    said = text(pdf.render(plan(), SIGNATURES, copy="patient"))
    assert "Your copy" in said
    assert "Please take a naloxone kit home." in said
    assert "I want my mornings back" in said
    assert not any(term in said for term in ("Grade D", "CDC 2022", "PV-4", "SF-06", "N1 Withdrawal", "Naloxone in hand today"))


def test_what_the_patient_said_about_home_does_not_go_home():
    flag = plan()["flags"][0] | {"rule": "SF-12", "name": "Home safety", "message": "You told us that you are not safe at home."}
    assert "not safe at home" in text(pdf.render(plan(flags=[flag]), SIGNATURES))
    assert "not safe at home" not in text(pdf.render(plan(flags=[flag]), SIGNATURES, copy="patient"))


def test_a_problem_about_home_does_not_go_home_nor_do_words_of_staff():
    """Whoever makes the home unsafe may read the copy: neither the problem with its goals nor a reason or note says a thing."""
    home = plan()["problems"][0] | {"title": "CANARY safety at home", "source": "SF-12, critical"}
    rows = [suggestion(note="CANARY ask alone"), suggestion(component_id="CBT-01", decision="declined", reason="CANARY partner reads mail")]
    other = plan()["problems"][0] | {"title": "Kratom use disorder", "source": "CANARY source"}
    deferrals = [{"rule": "PV-1", "subject": "SF-12", "reason": "CANARY shelter found"}]
    changed = plan(problems=[home, other], suggestions=rows, deferrals=deferrals)
    assert text(pdf.render(changed, SIGNATURES)).count("CANARY") == 5
    at_home = text(pdf.render(changed, SIGNATURES, copy="patient"))
    assert "CANARY" not in at_home and "Kratom use disorder" in at_home


def test_a_reason_for_a_missing_patient_signature_is_printed():
    changed = plan(patient_signature={"status": "declined", "reason": "Wants to think it over."})
    assert "The patient declined to sign. Reason: Wants to think it over." in text(pdf.render(changed, SIGNATURES))


def test_a_draft_prints_without_signatures():
    assert "Not signed." in text(pdf.render(plan(), [], status="Draft, not signed"))


def test_a_plan_with_nothing_in_it_still_prints():
    parts = ("questionnaires", "scores", "needs", "flags", "suggestions", "undecided", "problems", "deferrals", "unreviewed")
    empty = plan(**{part: [] for part in parts}, level=None, review_on=None, discharge_criteria="")
    assert "No goal has been written yet." in text(pdf.render(empty, []))


HOSTILE = '#panic("x") *bold* $1/0$ \\ #include "/etc/passwd" <b>&amp;</b> @ref // not a comment /* nor this */ `raw`'


def test_what_a_person_typed_is_never_read_as_markup():
    hostile = plan(
        problems=[{"title": HOSTILE, "source": HOSTILE, "goals": [goal(text=HOSTILE, patient_words=HOSTILE)]}],
        suggestions=[suggestion(note=HOSTILE)],
    )
    said = text(pdf.render(hostile, SIGNATURES))
    assert said.count('#panic("x") *bold* $1/0$') >= 5


def test_names_in_any_script_print_and_nothing_is_dropped():
    name = "李 😀 Дмитрий Nguyễn \u202eevil \x00 \ue000"
    said = text(pdf.render(plan(patient=plan()["patient"] | {"name": name}), SIGNATURES))
    assert "[U+674E] [U+1F600] Дмитрий Nguyễn [U+202E]evil [U+0000] [U+E000]" in said


def test_long_texts_and_many_goals_print():
    rows = [intervention(text="w" * 3000)] + [intervention(text=f"Step {n}") for n in range(30)]
    goals = [goal(text=f"Goal {n} " + "and more " * 60, objectives=[{"text": f"Objective {n}", "interventions": rows}]) for n in range(6)]
    pages = read(pdf.render(plan(problems=[{"title": "x" * 400, "source": "", "goals": goals}]), SIGNATURES))
    said = " ".join(pages)
    assert all(f"Goal: Goal {n}" in said and f"Objective: Objective {n}" in said for n in range(6))
    assert len(pages) > 10


def test_every_character_that_counts_as_drawn_is_drawn():
    every = "".join(chr(c) for c in range(0x20, 0x2300) if printable(chr(c)) == chr(c))
    assert len(every) > 800
    pdf.render(plan(discharge_criteria=" ".join(every)), SIGNATURES)


def test_another_kind_of_copy_is_refused():
    with pytest.raises(KeyError):
        pdf.render(plan(), SIGNATURES, copy="press")
