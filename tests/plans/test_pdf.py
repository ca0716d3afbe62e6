"""The printed plan: accessible, the same bytes each time, and nothing a person typed is read as markup."""

import datetime
import io
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pypdf import PdfReader

from intake.flags import flags
from plans import document, pdf
from plans.home import NOT_SENT_HOME, only_for
from plans.printable import MARKS, printable
from tests.plans.documents import SIGNATURES, SIGNED_AT, first_plan, goal, intervention, plan, suggestion

ROOT = Path(__file__).parents[2]


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
        "Suggested level of care 1.5, outpatient therapy (rule L11).",
        "Decided: 2.1, Intensive outpatient, by Dana Reyes, LCSW, 23 Nov 2026, 15:30 CST, because: The patient prefers it.",
        "She wants more hours at first. N1 Withdrawal: rated 2, computed 1: Restless at night.",
        "Co-signed by Sam Okafor, MD, 23 Nov 2026, 15:30 CST.",
        "Waits for a co-signature, and counts only then: 1.0, Long-term check-ups",
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


# What goes home

FIXED = ("schema", "language", "timezone", "severity", "decision", "status")  # words of the program, not of a person
GOES_HOME = {
    "program.name", "patient.name", "patient.preferred_name", "patient.pronouns", "patient.record_number", "flags.message",
    "suggestions.name", "problems.title", "problems.goals.text", "problems.goals.patient_words", "problems.goals.measure",
    "problems.goals.baseline", "problems.goals.target", "problems.goals.objectives.text", "discharge_criteria",
    *(f"problems.goals.objectives.interventions.{name}" for name in ("text", "frequency", "duration", "responsible", "discipline")),
}  # fmt: skip


def with_canaries(value, path, found):
    """The same structure with a word of its own in every text; `found` fills with {word: path}."""
    match value:
        case dict():
            return {name: with_canaries(item, f"{path}.{name}".lstrip("."), found) for name, item in value.items()}
        case list():
            return [with_canaries(item, path, found) for item in value]
        case str() if path.rpartition(".")[2] not in FIXED and not re.match(r"\d{4}-\d\d-\d\d|SF-|IX-", value):
            word = f"Canary{len(found):03}x"
            found[word] = path
            return word
    return value


def everything(**changes):
    """A plan with a text in every field there is."""
    flags = [plan()["flags"][0] | {"acknowledged_by": "A", "acknowledged_at": SIGNED_AT, "action_taken": "T"}]
    undecided = [plan()["undecided"][0] | {"name": "N"}]
    rows = [suggestion(reason="R", contra_now=["C"]), suggestion(component_id="CMP-02", name="Yoga", decision="declined", reason="R")]
    parts = {"flags": flags, "undecided": undecided, "suggestions": rows, "patient_signature": {"status": "declined", "reason": "R"}}
    more = {"deferrals": [{"rule": "PV-4", "subject": "S", "reason": "R"}], "supersedes": {"sha256": "s", "signatures": ["t"]}}
    return document.load(document.build(plan(**parts | more | changes)))


def test_only_what_is_the_patients_own_goes_home():
    """Every text of the document is looked for on the copy: a new field does not go home by itself."""
    found = {}
    said = text(pdf.render(with_canaries(everything(), "", found), SIGNATURES, copy="patient"))
    assert {path for word, path in found.items() if word in said} == GOES_HOME
    assert not any(term in said for term in ("SHA-256", "Grade", "Because:", "Reason"))


def test_the_clinics_copy_says_why_and_what_was_done():
    found = {}
    said = text(pdf.render(with_canaries(everything(), "", found), SIGNATURES))
    assert {path for word, path in found.items() if word in said} > GOES_HOME | {
        "problems.source", "suggestions.note", "suggestions.reason", "suggestions.because", "deferrals.reason", "flags.action_taken",
    }  # fmt: skip


HOME = "Canaryhome"


def under_a_goal(*objectives):
    return {"problems": [{"title": "Sleep", "source": "", "goals": [goal(objectives=list(objectives))]}]}


STEP = {"text": "A step", "interventions": [intervention(text="Something else")]}
WITHHELD = [
    ("the flag", {"flags": [plan()["flags"][0] | {"rule": "SF-12", "name": HOME, "message": HOME}]}),
    ("a problem by its source", {"problems": [{"title": HOME, "source": "SF-12, critical", "goals": [goal(text=HOME)]}]}),
    ("a problem by the flag's name", {"problems": [{"title": "Safety at home", "source": "seen", "goals": [goal(text=HOME)]}]}),
    ("a goal", {"problems": [{"title": "Sleep", "source": "", "goals": [goal(), goal(text=f"sf 12: {HOME}")]}]}),
    ("an objective", under_a_goal(STEP, {"text": f"SF-12 {HOME}", "interventions": []})),
    ("an intervention", under_a_goal(STEP | {"interventions": [intervention(), intervention(text=f"safety at home {HOME}")]})),
    ("the component that answers it alone", {"suggestions": [suggestion(name=HOME, only_for=["SF-12"])]}),
    ("the same, declined", {"suggestions": [suggestion(name=HOME, only_for=["SF-12"], decision="declined")]}),
    ("a component whose only reason it is", {"suggestions": [suggestion(name=HOME, because=["SF-12 (Safety at home) is raised."])]}),
    (
        "the goal of such a component",
        {
            "suggestions": [suggestion(component_id="SOC-01", only_for=["SF-12"])],
            "problems": [{"title": "Sleep", "source": "", "goals": [goal(text=HOME, component_id="SOC-01")]}],
        },
    ),
    ("the criteria that name it", {"discharge_criteria": f"SF-12 is closed, {HOME}"}),
]


@pytest.mark.parametrize(("what", "parts"), WITHHELD, ids=[what for what, _ in WITHHELD])
def test_what_the_patient_said_about_home_does_not_go_home(what, parts):
    assert HOME in text(pdf.render(plan(**parts), SIGNATURES))
    said = text(pdf.render(plan(**parts), SIGNATURES, copy="patient"))
    assert HOME not in said and not re.search(r"SF.?12|safety at home", said, re.IGNORECASE)


def test_a_component_that_is_there_for_other_reasons_stays_without_the_reason():
    because = ["The number of unmet social needs is 2, and 1 or more counts.", "SF-12 (Safety at home) is raised."]
    kept = plan(suggestions=[suggestion(component_id="SOC-01", name="Case management", because=because)])
    said = text(pdf.render(kept, SIGNATURES, copy="patient"))
    assert "Case management" in said and "unmet" not in said and "SF-12" not in said


def test_a_problem_whose_goals_all_stay_here_stays_here():
    withheld = plan(problems=[{"title": "Nights", "source": "", "goals": [goal(text="SF-12")]}])
    said = text(pdf.render(withheld, SIGNATURES, copy="patient"))
    assert "Nights" not in said and "We write your goals together" in said


def test_the_rules_not_sent_home_have_the_names_of_the_content():
    assert {rule: flags()[rule].name for rule in NOT_SENT_HOME} == NOT_SENT_HOME


UNSAFE = {"unsafe": True, "danger_now": False, "sf_12": True, "sud_count": 2, "support_person": True}
ONLY_FOR = [  # component, rules it answers, facts, what it is only for
    ("SOC-01", ["SF-12"], UNSAFE | {"sdoh_unmet": 1}, ["SF-12"]),  # the one unmet need is a safe home
    ("SOC-01", ["SF-12"], UNSAFE | {"sdoh_unmet": 2}, []),
    ("SOC-01", [], {"unsafe": False, "sdoh_unmet": 1}, []),
    ("SOC-01", ["SF-12"], {"unsafe": True}, ["SF-12"]),  # added by hand, to answer it
    ("DTX-05", ["SF-06", "SF-12"], UNSAFE, []),
    ("CMP-02", [], UNSAFE, []),  # added by hand
]


@pytest.mark.parametrize(("component", "answered", "facts", "rules"), ONLY_FOR)
def test_what_a_component_is_only_there_for(component, answered, facts, rules):
    assert only_for(component, answered, facts) == rules


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


NAMES = [  # as it is written, as it prints
    ("Дмитрий Nguyễn Łukasz Ñúñez", "Дмитрий Nguyễn Łukasz Ñúñez"),
    ("Ἀθηνᾶ Δήμητρα", "Ἀθηνᾶ Δήμητρα"),
    ("Նարեկ გიორგი", "Նարեկ გიორგი"),
    ("李 小龍 김 ひ", "[U+674E] [U+5C0F][U+9F8D] [U+AE40] [U+3072]"),
    ("😀 \u202eevil \x00 \ue000", "[U+1F600] [U+202E]evil [U+0000] [U+E000]"),
    ("\u0301a b\u064e \u0628\u064e", "[U+0301]a b[U+064E] \u0628[U+064E]"),  # a mark with nothing that can carry it
]
NOTE = "Some characters cannot be printed"


@pytest.mark.parametrize(("name", "printed"), NAMES)
def test_names_in_any_script_print_and_nothing_is_dropped(name, printed):
    assert re.sub("\u200b", "", printable(name)) == printed
    said = text(pdf.render(plan(patient=plan()["patient"] | {"name": name}), SIGNATURES))
    assert said.count(NOTE) == (name != printed)
    assert not [word for word in printed.split() if word.isascii() and word not in said]


@pytest.mark.parametrize("name", ["שלום בן־דוד", "שָׁלוֹם", "محمد علی پور", "فاطمة"])
def test_names_written_from_the_right_are_drawn(name):
    for copy in pdf.TITLES:
        said = text(pdf.render(plan(patient=plan()["patient"] | {"name": name}), SIGNATURES, copy=copy))
        assert "[U+" not in said and NOTE not in said


@pytest.mark.parametrize("length", [80, 140, 400])
def test_a_long_name_leaves_the_header_its_two_columns(length):
    name = ("Wilhelmina Konstantinopolitanska-" * 13)[:length]
    page = PdfReader(io.BytesIO(pdf.render(plan(patient=plan()["patient"] | {"name": name}), SIGNATURES))).pages[0]
    top = next(line for line in page.extract_text(extraction_mode="layout").splitlines() if line.strip())
    assert "version 1 · In force" in top and "… · R-000123" in top, "one line"
    assert name[:30] in text(pdf.render(plan(patient=plan()["patient"] | {"name": name}), SIGNATURES))


def test_texts_of_any_characters_print():
    chance = random.Random(4)  # noqa: S311 the same texts each time
    ranges = [(0x20, 0x250), (0x300, 0x370), (0x590, 0x700), (9, 0x3000), (0x1F300, 0x1F700)]
    words = ["".join(chr(chance.randrange(*chance.choice(ranges))) for _ in range(120)) for _ in range(40)]
    problem = {"title": words[0], "source": "", "goals": [goal(patient_words=words[1])]}
    pdf.render(plan(discharge_criteria="\n".join(words), problems=[problem]), SIGNATURES)


def test_the_bytes_depend_on_no_process():
    script = (
        "import hashlib, sys; from plans import pdf; from tests.plans.documents import SIGNATURES, plan;"
        "print([hashlib.sha256(pdf.render(plan(), SIGNATURES, copy=c)).hexdigest() for c in pdf.TITLES])"
    )
    settings = ({"PYTHONHASHSEED": "1", "TZ": "UTC", "LANG": "C"}, {"PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo", "LANG": "tr_TR.UTF-8"})
    printed = [
        subprocess.run([sys.executable, "-c", script], env=os.environ | more, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for more in settings
    ]
    assert printed[0] == printed[1] and len(printed[0]) > 128


def test_a_plan_of_the_first_schema_prints_with_its_own_hash():
    first = first_plan()
    assert document.sha256(document.build(first)) in text(pdf.render(first, SIGNATURES))
    assert "Your copy" in text(pdf.render(first, SIGNATURES, copy="patient"))


def test_long_texts_and_many_goals_print():
    rows = [intervention(text="w" * 3000)] + [intervention(text=f"Step {n}") for n in range(30)]
    goals = [goal(text=f"Goal {n} " + "and more " * 60, objectives=[{"text": f"Objective {n}", "interventions": rows}]) for n in range(6)]
    pages = read(pdf.render(plan(problems=[{"title": "x" * 400, "source": "", "goals": goals}]), SIGNATURES))
    said = " ".join(pages)
    assert all(f"Goal: Goal {n}" in said and f"Objective: Objective {n}" in said for n in range(6))
    assert len(pages) > 10


def test_every_character_that_counts_as_drawn_is_drawn():
    """Regular, bold and italic; PDF/UA fails for a glyph that is missing."""
    every = " ".join(chr(c) for c in range(0x20, 0x10000) if printable(chr(c)) == chr(c))
    marked = " ".join(f"{base}{mark}" for mark in re.findall(f"[{MARKS}]", "".join(map(chr, range(0x10000)))) for base in "aЯש")
    assert len(every) > 3000 and printable(marked) == marked
    problem = {"title": f"{every} {marked}", "source": f"{every} {marked}", "goals": [goal(patient_words=f"{every} {marked}")]}
    pdf.render(plan(problems=[problem]), SIGNATURES)


def test_another_kind_of_copy_is_refused():
    with pytest.raises(KeyError):
        pdf.render(plan(), SIGNATURES, copy="press")
