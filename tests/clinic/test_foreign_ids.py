"""The id of somebody else's row, in an address or in a field of a form, is refused, and nothing is written in any clinical table."""

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django import forms
from django.test import Client
from django.urls import reverse

import clinic
from clinic.models import CareTeamMember, ChartRestriction, Episode, User
from clinic.row_security import clinical_models
from intake.models import Assessment
from plans.models import Component, Intervention, Plan, Problem, SignedPlan
from tests.clinic.records import ids_of, make_records
from tests.clinic.test_access import CLINICAL, logged_in, url
from tests.clinic.test_pages import REGISTRATION
from tests.people import House, everything
from tests.plans.test_pages import sign_form

Records = tuple[House, dict[str, Episode]]


@pytest.fixture
def records(db: None) -> Records:
    return make_records()


def every_row() -> str:
    """All clinical rows as they stand: what is refused adds none and changes none."""
    with everything():
        return str([list(model._base_manager.order_by("pk").values()) for model in clinical_models()])


# Addresses

WITH_IDS = [(path, pattern) for path, pattern in CLINICAL if "<uuid:episode_id>" in path and path.count("<uuid:") > 1]


@pytest.mark.thorough
@pytest.mark.parametrize("whose", ["other", "foreign", "discharged"])
def test_a_row_of_another_patient_is_not_found_under_this_one(records: Records, whose: str) -> None:
    """Every id-valued argument of every address, in reach of the same person (`other`, `discharged`) or not (`foreign`)."""
    house, patients = records
    own, others, before = ids_of(house.mine), ids_of(patients[whose]), every_row()
    asked = 0
    for path, _ in WITH_IDS:
        for name in re.findall(r"<uuid:(\w+)>", path):
            if name == "episode_id":
                continue
            address = url(path, house.mine.public_id, own | {name: others[name]})
            assert "00000000" not in address, f"{path}: ids_of (tests/clinic/records.py) has no {name}"
            for role in ("nurse", "prescriber", "supervisor"):
                client = logged_in(house.staff[role])
                for response in (client.get(address), client.post(address, {"version": "1", "remove": "1", "action_taken": "x"})):
                    assert response.status_code in (403, 404), (role, address, response.status_code)
                    asked += response.status_code == 404
    assert asked >= 2 * len(WITH_IDS) and every_row() == before


# Fields


class Case(NamedTuple):
    """A valid post of `role` at `address`; `own` is what `field` may say there, `foreign` what it may not."""

    role: str
    address: str
    data: dict[str, Any]
    own: Any
    foreign: list[Any]


def _registration(house: House) -> dict[str, Any]:
    return REGISTRATION | {"program": house.program.pk, "key": str(uuid.uuid4()), "legal_last_name": "Zweig", "birth_date": "2001-01-01"}


def program(house: House, patients: dict[str, Episode]) -> Case:
    return Case("intake", reverse("register"), _registration(house), house.program.pk, [house.elsewhere.pk])


def registration_key(house: House, patients: dict[str, Episode]) -> Case:
    used = [episode.patient.registration_key for episode in (patients["foreign"], patients["restricted"], patients["other"])]
    return Case("intake", reverse("register"), _registration(house), uuid.uuid4(), used)


def team_user(house: House, patients: dict[str, Episode]) -> Case:
    stranger = User.objects.get(username="stranger")
    return Case("supervisor", _at("care_team", house.mine), {}, house.staff["intake"].pk, [stranger.pk])


def leave(house: House, patients: dict[str, Episode]) -> Case:
    members = CareTeamMember.objects.filter(ended_at=None)
    own = members.get(patient=house.mine.patient_id, user=house.staff["nurse"]).pk
    return Case("supervisor", _at("care_team", house.mine), {"sure": "1"}, own, [_of(members, patients["discharged"])])


def lift(house: House, patients: dict[str, Episode]) -> Case:
    standing = ChartRestriction.objects.filter(ended_at=None)
    kept_out, by = house.staff["sys_admin"], house.staff["nurse"]
    own = ChartRestriction.objects.create(
        program=house.program, patient=house.mine.patient, kind="own chart", user=kept_out, reason="x", by=by
    )
    data = {"sure": "1", "ended_reason": "No longer needed"}
    return Case("supervisor", _at("restrictions", house.mine), data, own.pk, [_of(standing, patients["restricted"])])


def responsible(house: House, patients: dict[str, Episode]) -> Case:
    part = Intervention.objects.filter(patient=house.mine.patient_id, plan__status="draft", discipline="nurse").first()
    assert part is not None
    data = {"text": "Taper card", "discipline": "nurse", "frequency": "daily", "duration": "4 weeks", "version": part.version}
    address = _at("edit_part", house.mine, kind="intervention", part_id=part.public_id)
    return Case("prescriber", address, data, house.staff["nurse"].pk, [User.objects.get(username="stranger").pk])


def problem(house: House, patients: dict[str, Episode]) -> Case:
    drafts = {"plan__status": "draft", "removed": False}
    row = Component.objects.filter(patient=house.mine.patient_id, plan__status="draft", component_id="CMP-01").first()
    assert row is not None
    own = Problem.objects.filter(patient=house.mine.patient_id, **drafts).first()
    others = [Problem.objects.filter(patient=patients[name].patient_id, **drafts).first() for name in ("other", "discharged", "foreign")]
    data = {"decision": "accepted", "note": "", "reason": "", "version": row.version}
    address = _at("decide", house.mine, component_id=row.public_id)
    return Case("prescriber", address, data, own.public_id, [row.public_id for row in others])  # type: ignore[union-attr]


def submit_key(house: House, patients: dict[str, Episode]) -> Case:
    used = [Assessment.objects.filter(patient=patients[name].patient_id).first() for name in ("other", "discharged", "foreign")]
    return Case("nurse", _at("review", house.mine), {"seen": "1"}, uuid.uuid4(), [row.key for row in used])  # type: ignore[union-attr]


def sign_key(house: House, patients: dict[str, Episode]) -> Case:
    used = [SignedPlan.objects.get(patient=patients[name].patient_id).key for name in ("other", "discharged", "foreign")]
    Plan.objects.filter(patient=house.mine.patient_id, status="draft").update(patient_signature="signed", copy_offered=True)
    return Case("prescriber", _at("sign", house.mine), {}, None, used)


def basis(house: House, patients: dict[str, Episode]) -> Case:
    responses = {name: patients[name].responses.get(status="in-progress").public_id for name in ("mine", "other", "foreign")}
    data = {"a-coping": "I walk"}
    address = _at("section", house.mine, code="strengths", number=1)
    return Case("nurse", address, data, responses.pop("mine"), list(responses.values()))


# field of a form, or name that a view reads from a post: its case. A user who is kept out may be anybody's colleague (no case).
CASES: dict[str, Callable[[House, dict[str, Episode]], Case]] = {
    "RegistrationForm.program": program,
    "RegistrationForm.key": registration_key,
    "CareTeamForm.user": team_user,
    "InterventionForm.responsible": responsible,
    "DecisionForm.problem": problem,
    "SignForm.key": sign_key,
    "leave": leave,
    "lift": lift,
    "key": submit_key,
    "basis": basis,
}
ANYBODY = {"RestrictionForm.user"}
# The mark of a form that adds to the plan or the episode of the address, mixed with that one's own id: it points at nothing.
ADDING = (
    "_Cleaned", "ProblemForm", "GoalForm", "ObjectiveForm", "InterventionForm", "DetailsForm", "ResultForm", "CorrectionForm",
    "WrongEntryForm",
)  # fmt: skip
MARKS = {f"{form}.key" for form in ADDING}
# Read from a post and no id: buttons, marks of what was seen, addresses, words looked up in a list of this very page; `user` is
# whose page was locked, compared with who unlocks it.
NO_IDS = {"add", "ask_decline", "asked_again", "decline_section", "finding", "next", "remove", "safety", "seen", "sure", "user", "version"}
ID_FIELDS = (forms.ModelChoiceField, forms.UUIDField)


def _at(name: str, episode: Episode, **more: Any) -> str:
    return reverse(name, kwargs={"episode_id": episode.public_id} | more)


def _of(rows: Any, episode: Episode) -> int:
    return rows.filter(patient=episode.patient_id).first().pk


def _forms(form: type = forms.BaseForm) -> Iterator[type]:
    for one in form.__subclasses__():
        if one.__module__.split(".")[0] in ("clinic", "intake", "plans") and not one.__module__.endswith(".admin"):
            yield one
        yield from _forms(one)


def test_every_id_valued_field_has_its_case() -> None:
    """Found in the forms themselves and in what the views read from a post, so that a new one fails here by name."""
    named = ((f"{form.__name__}.{name}", field) for form in _forms() for name, field in getattr(form, "base_fields", {}).items())
    fields = {name for name, field in named if isinstance(field, ID_FIELDS)}
    assert fields == {name for name in CASES if "." in name} | ANYBODY | MARKS
    sources = [path for app in ("clinic", "intake", "plans") for path in (Path(clinic.__file__).parent.parent / app).glob("views/*.py")]
    reads = r'entry\((?:self\.)?request\.POST, "(\w+)"|"(\w+)" in (?:self\.)?request\.POST|POST(?:\.get\(|\[)"(\w+)"'
    read = {name for path in sources for names in re.findall(reads, path.read_text()) for name in names if name}
    assert read == {name for name in CASES if "." not in name} | NO_IDS


@pytest.mark.thorough
@pytest.mark.parametrize("field", list(CASES))
def test_a_valid_post_with_a_foreign_id_is_refused_and_writes_nothing(records: Records, field: str) -> None:
    house, patients = records
    with everything():
        case = CASES[field](house, patients)
    client, name = logged_in(house.staff[case.role]), field.rpartition(".")[2]
    if field == "SignForm.key":
        case = _as_read(case, client, house)
    for foreign in case.foreign:
        before = every_row()
        response = client.post(case.address, case.data | {name: str(foreign)})
        assert 400 <= response.status_code < 500, (foreign, response.status_code)
        assert every_row() == before, foreign
    before = every_row()
    assert client.post(case.address, case.data | {name: str(case.own)}).status_code < 400, "the post was not valid but for the id"
    # `basis` is a mark of what the page began from: what is posted with it here is accepted, and is no new answer.
    assert field == "basis" or every_row() != before


def _as_read(case: Case, client: Client, house: House) -> Case:
    """The plan as the signer has it before them."""
    with everything():
        plan = Plan.objects.get(patient=house.mine.patient_id, status="draft")
    marks = sign_form(client, plan)
    return case._replace(data=marks, own=marks["key"])
