"""Gated questionnaires: the frame is shipped, the wording comes with the permission, and before that nothing of it is asked or shown."""

import datetime
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clinic.models import Episode, User
from clinic.transaction import acting
from intake import actions
from intake.answers import parse_answer, posted_value
from intake.content_files import questionnaire
from intake.gated import slots, texts_of
from intake.models import Answer, Instrument, Response
from intake.packet import instruments
from tests.clinic.test_access import logged_in
from tests.clinic.test_pages import client_of, words
from tests.intake.test_actions import key_of, submit
from tests.people import House, make_house, recorded

GATED = ("cssrs", "dast10")
YES, NO = "LA33-6", "LA32-8"
DAY = datetime.date(2026, 5, 3)
LETTER = "Letter of 3 May 2026"


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def wording(code: str, word: str = "placeholder text") -> dict[str, str]:
    """A text for each question; none above them."""
    return {slot.link_id: f"{word} {slot.link_id}" for slot in slots(code) if slot.required}


def open_gate(by: User, *codes: str, word: str = "placeholder text", reference: str = LETTER) -> None:
    with acting(by, "admin"):
        for code in codes or GATED:
            actions.add_wording(by=by, code=code, texts=wording(code, word), reference=reference, date=DAY)


def active(code: str) -> Instrument:
    return Instrument.objects.get(code=code, active=True)


def at(name: str, episode: Episode, **more: Any) -> str:
    return reverse(name, kwargs={"episode_id": episode.public_id} | more)


def section(episode: Episode, code: str) -> str:
    return at("section", episode, code=code, number=1)


def read(response: Any) -> str:
    return words(response.content.decode())


def answer(by: User, episode: Episode, code: str, **given: str) -> None:
    """Choices by their codes: answer(nurse, mine, "dast10", **{"1": "Y"})."""
    form = active(code).questionnaire
    typed = {key_of(name): _chosen(form.by_id[name], value) for name, value in given.items()}
    with acting(by, "intake.edit"):
        draft = Response.objects.draft_of(episode, code)
        versions = {key: row.version for key, row in Answer.objects.of(draft).items()}
        actions.save_answers(
            by=by, episode=episode, instrument=active(code), answers=typed, versions=versions,
            basis=actions.basis_of(episode, code, draft),
        )  # fmt: skip


def _chosen(item: Any, code: str) -> Any:
    return parse_answer(item, [posted_value(next(option.value for option in item.options if option.value.code == code))])


# What is shipped


def test_only_what_is_gated_is_shipped_without_its_wording() -> None:
    worded = {code: questionnaire(code).worded for code in instruments()}
    assert worded == {code: listed.licence != Instrument.Licence.GATED for code, listed in instruments().items()}
    for code in GATED:
        frame = questionnaire(code)
        own = {"convention", "convention.help"}  # the local convention of 2.11 is our own question
        assert [item.link_id for item in frame.by_id.values() if item.text and item.link_id not in own] == []


# Closed


def without_permission(house: House) -> None:
    """As shipped."""


def without_wording(house: House) -> None:
    """The reference alone, on the frame."""
    Instrument.objects.filter(code__in=GATED, active=True).update(permission_reference=LETTER, permission_date=DAY)


def withdrawn(house: House) -> None:
    """The wording is there, and the permission was taken back."""
    open_gate(house.staff["supervisor"])
    Instrument.objects.filter(code__in=GATED, active=True).update(permission_reference="", permission_date=None)


@pytest.mark.parametrize("code", GATED)
@pytest.mark.parametrize("gate", [without_permission, without_wording, withdrawn])
def test_a_closed_gate_shows_no_question_on_any_way_in(house: House, gate: Callable[[House], None], code: str) -> None:
    gate(house)
    nurse = house.staff["nurse"]
    house.program.packet = ["phq9", *GATED]
    house.program.save()
    answer(nurse, house.mine, "phq9", **{"1": "LA6568-5"})
    client = client_of(nurse)
    for response in (client.get(section(house.mine, code)), client.post(section(house.mine, code), {"a-1": YES})):
        assert response.status_code == 403 and "needs a recorded permission" in read(response)
    intake, review = (client.get(at(name, house.mine)).content.decode() for name in ("intake", "review"))
    assert "Needs a recorded permission first" in intake and instruments()[code].title in intake
    for page in (intake, review):
        assert section(house.mine, code) not in page and "placeholder text" not in page and "were told" not in page
    assert instruments()[code].title not in review, "what cannot be asked is not missing"
    open_ = sum(item.is_question for item in questionnaire("phq9").by_id.values()) - 1
    assert f"{open_} questions not answered yet" in words(review)
    house.program.packet = ["phq9"]
    house.program.save()
    assert section(house.mine, code) not in client.get(at("intake", house.mine)).content.decode()
    with pytest.raises(ValueError, match="asks nothing before its permission"):
        answer(nurse, house.mine, code, **{"1": YES if code == "cssrs" else "Y"})
    assert not Response.objects.filter(code=code).exists()


# The page "Permission and text"


def staff(house: House, role: str) -> Client:
    user = house.staff[role]
    user.is_staff = True
    user.save()
    return logged_in(user)


def page(code: str) -> str:
    return reverse("admin:intake_instrument_wording", args=[active(code).pk])


def sent(code: str, **changes: str) -> dict[str, str]:
    permission = {"permission_reference": LETTER, "permission_date": DAY.isoformat()}
    return permission | {f"text_{link_id}": text for link_id, text in wording(code).items()} | changes


@pytest.mark.parametrize("code", GATED)
def test_permission_and_text_make_a_new_version_that_is_asked_from_now_on(house: House, code: str) -> None:
    client, frame = staff(house, "supervisor"), active(code)
    form = client.get(page(code)).content.decode()
    assert all(f'name="text_{slot.link_id}"' in form for slot in slots(code)) and page(code) in client.get(
        f"/admin/intake/instrument/{frame.pk}/change/"
    ).content.decode()
    assert client.post(page(code), sent(code)).status_code == 302
    made = active(code)
    assert (made.url, made.version, made.licence_status) == (frame.url, f"{frame.version}+text.1", "GATED")
    assert (made.permission_reference, made.permission_date, made.credit_line) == (LETTER, DAY, frame.credit_line)
    assert made.sha256 == made.questionnaire.sha256 != frame.sha256 and texts_of(made.questionnaire) | wording(code) == texts_of(
        made.questionnaire
    )
    frame.refresh_from_db()
    assert not frame.active and not frame.permission_reference and not frame.questionnaire.worded
    shown = read(client_of(house.staff["nurse"]).get(section(house.mine, code)))
    assert "placeholder text 1" in shown and made.credit_line[:20] in shown
    changes = [(row.operation, row.user) for row in recorded(table="intake_instrument", user=house.staff["supervisor"])]
    assert sorted(changes) == [("INSERT", house.staff["supervisor"]), ("UPDATE", house.staff["supervisor"])]


REFUSED = [
    ({"permission_reference": ""}, "permission_reference"),
    ({"permission_reference": "None"}, "permission_reference"),
    ({"permission_date": ""}, "permission_date"),
    ({"permission_date": (timezone.localdate() + datetime.timedelta(days=2)).isoformat()}, "permission_date"),
    ({"text_3": ""}, "text_3"),
    ({"text_3": "   "}, "text_3"),
    ({"text_3": "<b>bold</b>"}, "text_3"),
    ({"text_3": "</p>"}, "text_3"),
    ({"text_3": "a &lt; b"}, "text_3"),
    ({"text_3": "x" * 1001}, "text_3"),
]


@pytest.mark.parametrize(("changes", "field"), REFUSED)
def test_until_everything_is_there_nothing_is_saved(house: House, changes: dict[str, str], field: str) -> None:
    response = staff(house, "supervisor").post(page("dast10"), sent("dast10", **changes))
    assert response.status_code == 200 and set(response.context["form"].errors) == {field}
    assert Instrument.objects.filter(code="dast10").count() == 1 and not active("dast10").may_show_items


def test_fewer_than_and_a_text_above_the_questions_are_words(house: House) -> None:
    client = staff(house, "supervisor")
    assert client.post(page("cssrs"), sent("cssrs", text_3="Less than < 3 months", text_screen="Ask all of these")).status_code == 302
    assert "Ask all of these" in read(client_of(house.staff["nurse"]).get(section(house.mine, "cssrs")))


def test_only_who_publishes_questionnaires_records_a_permission(house: House) -> None:
    for role in ("content_editor", "sys_admin"):
        client = staff(house, role)
        assert client.get(page("cssrs")).status_code == client.post(page("cssrs"), sent("cssrs")).status_code == 403, role
    assert staff(house, "supervisor").get(f"/admin/intake/instrument/{active('phq9').pk}/wording/").status_code == 404
    assert not active("cssrs").permission_reference


def test_the_permission_of_a_frame_alone_is_not_recorded(house: House) -> None:
    """The instrument's own page takes it only from a version that has its wording, where it can be taken back."""
    client = staff(house, "supervisor")
    frame = f"/admin/intake/instrument/{active('cssrs').pk}/change/"
    posted = {"active": "on", "permission_reference": LETTER, "permission_date": "2026-05-03"}
    client.post(frame, posted)
    assert not active("cssrs").permission_reference
    open_gate(house.staff["supervisor"], "cssrs")
    client.post(f"/admin/intake/instrument/{active('cssrs').pk}/change/", {"active": "on"})
    assert not active("cssrs").may_show_items


def test_the_same_again_is_one_version_and_another_text_is_the_next(house: House) -> None:
    for _ in range(2):
        open_gate(house.staff["supervisor"], "cssrs")
    open_gate(house.staff["supervisor"], "cssrs", word="corrected text")
    assert list(Instrument.objects.filter(code="cssrs").order_by("pk").values_list("version", "active")) == [
        ("1.0.0", False), ("1.0.0+text.1", False), ("1.0.0+text.2", True),
    ]  # fmt: skip
    page = staff(house, "supervisor").get(reverse("admin:intake_instrument_wording", args=[active("cssrs").pk])).content.decode()
    assert "corrected text 1" in page and LETTER in page, "what stands now is there to be corrected"


def test_an_update_of_the_content_leaves_the_wording_in_use(house: House) -> None:
    open_gate(house.staff["supervisor"])
    call_command("load_content", stdout=StringIO())
    assert [active(code).version for code in GATED] == ["1.0.0+text.1"] * 2


def test_what_was_answered_keeps_the_wording_it_was_given_to(house: House) -> None:
    nurse = house.staff["nurse"]
    open_gate(house.staff["supervisor"], "dast10")
    answer(nurse, house.mine, "dast10", **{str(number): "N" for number in range(1, 11)})
    assessment = submit(nurse, house.mine)
    open_gate(house.staff["supervisor"], "dast10", word="corrected text")
    shown = read(client_of(nurse).get(at("assessment", house.mine)))
    assert "placeholder text 1" in shown and "corrected text" not in shown
    Instrument.objects.filter(code="dast10").update(permission_reference="", permission_date=None)
    shown = read(client_of(nurse).get(at("assessment", house.mine)))
    assert "Question 10" in shown and "placeholder text" not in shown, "a permission that was taken back closes this way in too"
    frozen = assessment.responses["dast10"]
    assert frozen["questionnaire"].endswith("dast10|1.0.0+text.1") and "placeholder text 10" in str(frozen)
    assert assessment.result["scores"][0]["text"] == "1, low"  # item 3 counts when it is answered with no
