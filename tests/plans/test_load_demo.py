"""The demo clinic: loaded twice it is the same, six people at six places on the way, and never outside the demo."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client

from clinic import actions as clinic_actions
from clinic import workflow
from clinic.access_table import ROLES
from clinic.models import BreakGlass, Episode, Membership, Patient, User
from clinic.transaction import acting, set_actor
from intake.models import Flag, Response
from plans.management.commands import load_demo
from plans.management.commands.load_demo import PASSWORD
from plans.models import Plan, SignedPlan
from plans.people import people
from tests.people import everything, recorded

# The demo is loaded for them, which takes seconds.
pytestmark = pytest.mark.thorough

PLACES = {  # person: stage of the episode, questionnaires submitted, drafts open, plan, signed versions
    "Maya": (workflow.ASSESSED, 20, 0, "", 0),
    "Jordan": (workflow.PLANNING, 20, 0, "draft", 0),
    "Elena": (workflow.ASSESSED, 20, 0, "", 0),
    "Marcus": (workflow.INTAKE, 0, 2, "", 0),
    "Denise": (workflow.TREATMENT, 20, 0, "signed", 1),
    "Rob": (workflow.ASSESSED, 20, 0, "", 0),
}


@pytest.fixture(scope="module")
def demo(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """The demo loaded once for all tests of this file, and taken back at the end; what it said."""
    with django_db_blocker.unblock(), transaction.atomic():
        settings.DEMO, before = True, settings.DEMO
        said = load()
        yield said
        settings.DEMO = before
        transaction.set_rollback(True)


def load() -> str:
    out = io.StringIO()
    call_command("load_demo", stdout=out)
    return out.getvalue()


def counts() -> dict[str, int]:
    """Rows of every table of ours, the record of changes included."""
    models = [model for label in ("clinic", "intake", "plans") for model in apps.get_app_config(label).get_models()]
    return {model.__name__: model._default_manager.count() for model in models}


def episode_of(first_name: str) -> Episode:
    return Episode.objects.select_related("patient", "program").get(patient__legal_first_name=first_name)


@pytest.mark.parametrize("person", PLACES)
def test_each_of_the_six_is_where_the_demo_wants_to_show_them(demo: str, person: str) -> None:
    episode = episode_of(person)
    plan = Plan.objects.filter(episode=episode).first()
    assert (
        episode.stage,
        Response.objects.filter(episode=episode, status="completed").count(),
        Response.objects.drafts_of(episode).count(),
        plan.status if plan else "",
        SignedPlan.objects.filter(episode=episode).count(),
    ) == PLACES[person]
    assert f"{person} {episode.patient.legal_last_name}" in demo


def test_loading_again_adds_and_changes_nothing(demo: str) -> None:
    with everything():
        before = counts()
    assert before["Patient"] == len(PLACES) and before["Program"] == 2
    set_actor(None, "set_up")  # a process that has just begun acts as nobody, and row security shows nobody any row
    load()
    with everything():
        assert counts() == before


def test_a_chart_that_was_restricted_since_does_not_stop_the_next_load(demo: str) -> None:
    manager = User.objects.get(username="case-manager.demo")
    with transaction.atomic():
        with acting(manager, "care_team.assign"):
            clinic_actions.restrict_chart(by=manager, episode=episode_of("Denise"), kind="team only", reason="Only her team")
        with everything():
            before = counts()
        set_actor(None, "set_up")
        load()
        with everything():
            assert counts() == before
        transaction.set_rollback(True)


def test_the_two_in_danger_stand_first_in_the_caseload_with_their_flags_open(demo: str) -> None:
    caseload = list(Episode.objects.caseload(User.objects.get(username="nurse.demo"), 50))
    assert {episode.patient.legal_first_name for episode in caseload[:2]} == {"Marcus", "Rob"}
    assert [episode.acuity_word for episode in caseload[:3]] == ["critical", "critical", "high"]
    flags = Flag.objects.filter(episode__in=caseload[:2], severity=Flag.Severity.CRITICAL)
    assert {(flag.episode.patient.legal_first_name, flag.rule_id) for flag in flags} == {
        ("Marcus", "SF-01"), ("Marcus", "SF-04"), ("Rob", "SF-02"), ("Rob", "SF-04"), ("Rob", "IX-01"), ("Rob", "IX-02"), ("Rob", "IX-03"),
    }  # fmt: skip
    assert {flag.status for flag in flags} == {Flag.Status.OPEN}


def test_one_chart_opened_in_an_emergency_waits_for_its_review(demo: str) -> None:
    night, supervisor = (User.objects.get(username=f"{name}.demo") for name in ("night-nurse", "supervisor"))
    (opened,) = BreakGlass.objects.waiting(supervisor)
    assert opened.user == night and opened.patient.legal_first_name == "Marcus"
    assert set(Episode.objects.caseload(night, 10)) == {opened.episode}  # for four hours; the care team's six are not on it


def test_the_signed_plan_holds_and_its_flags_were_acted_upon(demo: str) -> None:
    episode = episode_of("Denise")
    assert not Flag.objects.filter(episode=episode, status=Flag.Status.OPEN).exists()
    assert episode.acuity_word == "high" and episode.unacknowledged == 0
    out = io.StringIO()
    with everything():
        call_command("verify_signatures", stdout=out)
    assert out.getvalue() == "1 signed plans checked, 0 problems.\n"


def test_there_is_somebody_in_every_role_and_the_log_ins_are_said(demo: str) -> None:
    assert set(Membership.objects.values_list("role", flat=True)) == set(ROLES)
    for role, label in ROLES.items():
        username = f"{role.replace('_', '-')}.demo"
        assert username in demo and label in demo
        assert User.objects.get(username=username).check_password(PASSWORD)
    assert not User.objects.filter(is_superuser=True).exists()


def test_everything_was_written_in_somebodys_name(demo: str) -> None:
    clinical = [change for change in recorded() if change.patient_id]
    assert any(change.table == "plans_signedplan" for change in clinical)
    assert {(change.table, change.action) for change in clinical if change.user_id is None} == set()


@pytest.mark.parametrize("page", ["chart", "assessment", "plan", "intake"])
@pytest.mark.parametrize("person", PLACES)
def test_the_pages_of_the_six_open_for_their_prescriber(demo: str, person: str, page: str) -> None:
    client = Client()
    client.force_login(User.objects.get(username="prescriber.demo"))
    response = client.get(f"/episodes/{episode_of(person).public_id}/{page}/")
    assert response.status_code == 200 and person in response.content.decode()


def test_outside_the_demo_it_is_refused_and_writes_nothing(db: None) -> None:
    with pytest.raises(CommandError, match="only with STEADY_DEMO=1"):
        load()
    assert not User.objects.exists() and not Patient.objects.exists()


def fail(**_: Any) -> None:
    raise ConnectionError


def test_a_load_that_was_broken_off_is_made_whole_by_the_next_one(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEMO = True
    monkeypatch.setattr(load_demo, "people", lambda: {"V1": people()["V1"]})
    with monkeypatch.context() as broken:
        broken.setattr(load_demo.intake_actions, "submit", fail)
        with pytest.raises(ConnectionError):
            load()
    load()
    assert episode_of("Maya").stage == workflow.ASSESSED


def test_without_questionnaires_it_says_what_to_run_first(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEMO = True
    monkeypatch.setattr(load_demo.Instrument, "objects", load_demo.Instrument.objects.none())
    with pytest.raises(CommandError, match="Run load_content first"):
        load()
    assert not User.objects.exists()
