"""The level of care that a clinician decides on: beside the suggestion, which never changes, with a reason, by two where it is grave."""

import uuid
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.urls import reverse

from clinic.actions import Stale
from clinic.models import Episode, User
from clinic.transaction import acting
from intake import actions
from intake.level_of_care import LevelChoice
from intake.models import Assessment, LevelCosignature, LevelDecision
from tests.clinic.test_access import logged_in
from tests.clinic.test_pages import client_of, words
from tests.intake.test_actions import save
from tests.people import House, make_house, recorded
from tests.plans.test_actions import sign, submitted, whole
from tests.plans.test_draft import reassess

WHY = "She cannot come more often than once a week."
LOWER = {"level": "1.5", "reason_code": "patient_preference", "explanation": WHY}


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def computed(assessment: Assessment) -> dict[str, int]:
    return {need["id"]: need["rating"] for need in assessment.result["needs"]}


def newest_mark(episode: Episode) -> str:
    assessment = Assessment.objects.latest_of(episode)
    assert assessment is not None
    return actions.level_mark(assessment, LevelDecision.objects.of(episode.pk).first())


def decide(by: User, episode: Episode, seen: str = "", reasons: dict[str, str] | None = None, **chosen: Any) -> LevelDecision:
    """What is not chosen is as it was computed."""
    with acting(by, "review.decide"):
        assessment = Assessment.objects.latest_of(episode)
        assert assessment is not None
        level = chosen.pop("level", assessment.result["level"]["level"])
        words = {name: chosen.pop(name) for name in ("reason_code", "explanation") if name in chosen}
        choice = LevelChoice(computed(assessment) | chosen, reasons or {}, level, **words)
        return actions.decide_level(by=by, episode=episode, choice=choice, seen=seen or newest_mark(episode))


def cosign(by: User, decision: LevelDecision) -> LevelCosignature:
    with acting(by, "review.cosign"):
        return actions.cosign_level(by=by, decision=decision)


def beside(episode: Episode) -> tuple[str | None, str | None, str | None]:
    """The levels (decided, waiting, earlier) beside the newest assessment."""
    assessment = Assessment.objects.latest_of(episode)
    assert assessment is not None
    found = LevelDecision.objects.beside(assessment)
    decided, waiting, earlier = (row.level if row else None for row in (found.decided, found.waiting, found.earlier))
    return decided, waiting, earlier


# What is recorded


def test_both_levels_and_both_ratings_are_kept_with_the_reasons(house: House) -> None:
    """V5 is suggested 1.7 by rule L10; who decides rates N4 lower and the level too."""
    nurse = house.staff["nurse"]
    submitted(house, "V5")
    before = Assessment.objects.filter(episode=house.mine).values().get()
    made = decide(nurse, house.mine, N4=1, reasons={"N4": "Two criteria were about tea."}, **LOWER)
    assert (made.suggested, made.rule, made.level, made.reason_code, made.explanation, made.by) == (
        "1.7", "L10", "1.5", "patient_preference", WHY, nurse,
    )  # fmt: skip
    assert made.changed_needs == [
        {"id": "N4", "name": "Use-related risk", "computed": 2, "rating": 1, "reason": "Two criteria were about tea."}
    ]
    assert not made.needs_cosignature and beside(house.mine) == ("1.5", None, None)
    assert Assessment.objects.filter(episode=house.mine).values().get() == before


def test_the_suggested_level_needs_no_reason_and_another_one_does(house: House) -> None:
    submitted(house, "V5")
    nurse = house.staff["nurse"]
    assert decide(nurse, house.mine).as_suggested
    for missing in ({"reason_code": ""}, {"explanation": ""}):
        with pytest.raises(ValueError, match="another level"):
            decide(nurse, house.mine, **LOWER | missing)
    with pytest.raises(ValueError, match="another rating of N1"):
        decide(nurse, house.mine, N1=4)
    assert LevelDecision.objects.count() == 1


def test_the_database_refuses_another_level_without_a_reason(house: House) -> None:
    submitted(house, "V5")
    row = decide(house.staff["nurse"], house.mine)
    row.pk, row.public_id, row.level, row._state.adding = None, uuid.uuid4(), "1.5", True
    with pytest.raises(IntegrityError, match="another_level_has_a_reason"), acting(house.staff["nurse"], "review.decide"):
        row.save()


@pytest.mark.parametrize("role", ["intake", "peer", "case_manager"])
def test_a_clinician_decides(house: House, role: str) -> None:
    submitted(house, "V5")
    with pytest.raises(actions.NotForYou):
        decide(house.staff[role], house.mine)


def test_sent_twice_it_is_one_decision(house: House) -> None:
    submitted(house, "V5")
    seen = newest_mark(house.mine)
    first, second = (decide(house.staff["nurse"], house.mine, seen, **LOWER) for _ in range(2))
    assert first == second and LevelDecision.objects.count() == 1


def test_a_decision_or_an_assessment_that_came_meanwhile_is_not_decided_over(house: House) -> None:
    submitted(house, "V5")
    seen = newest_mark(house.mine)
    first = decide(house.staff["counsellor"], house.mine)
    with pytest.raises(Stale) as met:
        decide(house.staff["nurse"], house.mine, seen, **LOWER)
    assert met.value.current == first
    seen = newest_mark(house.mine)
    reassess(house, peg=[7, 8, 8])
    with pytest.raises(Stale):
        decide(house.staff["nurse"], house.mine, seen, **LOWER)
    assert LevelDecision.objects.count() == 1


def test_a_later_decision_takes_the_place_and_both_stay(house: House) -> None:
    submitted(house, "V5")
    decide(house.staff["nurse"], house.mine, **LOWER)
    decide(house.staff["counsellor"], house.mine)
    assert beside(house.mine) == ("1.7", None, None)
    assert [row.level for row in LevelDecision.objects.of(house.mine.pk)] == ["1.7", "1.5"]


def test_a_new_assessment_leaves_the_decision_to_the_earlier_one(house: House) -> None:
    submitted(house, "V5")
    decide(house.staff["nurse"], house.mine, **LOWER)
    reassess(house, peg=[7, 8, 8])
    assert beside(house.mine) == (None, None, "1.5")
    decide(house.staff["nurse"], house.mine)
    assert beside(house.mine)[::2] == ("1.7", None)


# Append-only


def test_nobody_alters_a_decision_or_a_cosignature(house: House) -> None:
    submitted(house, "V6")
    made = decide(house.staff["nurse"], house.mine, **LOWER)
    signed = cosign(house.staff["prescriber"], made)
    for row in (made, signed):
        for write in (row.save, row.delete):
            with pytest.raises(TypeError, match="never changed"):
                write()
        queryset = type(row)._base_manager.filter(pk=row.pk)
        for attempt in (lambda rows: rows.update(at=made.at), lambda rows: rows._raw_delete("default")):
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                attempt(queryset)
    said = [(row.table, row.operation, row.action, row.user) for row in recorded(table__startswith="intake_level")]
    assert said == [
        ("intake_leveldecision", "INSERT", "review.decide", house.staff["nurse"]),
        ("intake_levelcosignature", "INSERT", "review.cosign", house.staff["prescriber"]),
    ]


# The second clinician


@pytest.mark.parametrize(
    ("person", "chosen", "waits"),
    [
        ("V5", LOWER, False),  # lower, and nothing grave
        ("V6", LOWER, True),  # lower than 3.7, N4 is 4
        ("V6", {"level": "4", "reason_code": "clinical_judgement_higher", "explanation": WHY}, False),  # higher
        ("V6", {}, False),  # as suggested
        ("V4", {"level": "3.7", "reason_code": "service_unavailable", "explanation": WHY}, True),  # SF-01
    ],
)
def test_what_is_lower_while_something_grave_stands_waits(house: House, person: str, chosen: dict[str, str], waits: bool) -> None:
    submitted(house, person)
    made = decide(house.staff["nurse"], house.mine, **chosen)
    assert made.waits is waits
    assert beside(house.mine) == ((None, made.level, None) if waits else (made.level, None, None))


def test_rating_a_grave_need_lower_does_not_spare_the_cosignature(house: House) -> None:
    submitted(house, "V6")
    assert decide(house.staff["nurse"], house.mine, N4=3, reasons={"N4": "It was longer ago."}, **LOWER).waits


def test_a_need_rated_4_by_whoever_decides_asks_for_one_too(house: House) -> None:
    submitted(house, "V5")
    assert decide(house.staff["nurse"], house.mine, N2=4, reasons={"N2": "Chest pain now."}, **LOWER).waits


def test_a_high_risk_flagged_since_the_assessment_asks_for_one_too(house: House) -> None:
    submitted(house, "V5")
    save(house.staff["nurse"], house.mine, "asq", {"1": "true", "2": "false", "3": "false", "4": "false"})
    save(house.staff["nurse"], house.mine, "asq", {"5": "true"})
    assert decide(house.staff["nurse"], house.mine, **LOWER).waits


def test_it_counts_once_another_clinician_has_cosigned_it(house: House) -> None:
    submitted(house, "V6")
    nurse, prescriber = house.staff["nurse"], house.staff["prescriber"]
    decide(nurse, house.mine)
    made = decide(nurse, house.mine, **LOWER)
    assert beside(house.mine) == ("3.7", "1.5", None)
    for who, why in ((nurse, "You made this decision"), (house.staff["peer"], "by a clinician")):
        with pytest.raises(actions.NotTheCosigner, match=why):
            cosign(who, made)
    first, second = (cosign(prescriber, made) for _ in range(2))
    assert first == second and beside(house.mine) == ("1.5", None, None)
    with pytest.raises(actions.NotTheCosigner, match="has co-signed it already"):
        cosign(house.staff["counsellor"], made)


def test_what_has_been_replaced_is_not_cosigned(house: House) -> None:
    submitted(house, "V6")
    nurse, prescriber = house.staff["nurse"], house.staff["prescriber"]
    replaced = decide(nurse, house.mine, **LOWER)
    as_suggested = decide(nurse, house.mine)
    for made, why in ((replaced, "A later decision"), (as_suggested, "needs no co-signature")):
        with pytest.raises(actions.NotTheCosigner, match=why):
            cosign(prescriber, made)
    waiting = decide(nurse, house.mine, **LOWER)
    reassess(house, peg=[7, 8, 8])
    with pytest.raises(actions.NotTheCosigner, match="A newer assessment"):
        cosign(prescriber, waiting)


# The pages


def at(name: str, episode: Episode, **more: Any) -> str:
    return reverse(name, kwargs={"episode_id": episode.public_id} | more)


def form(episode: Episode, **changes: Any) -> dict[str, Any]:
    """What the page of the newest assessment sends when nothing but the level is chosen."""
    assessment = Assessment.objects.latest_of(episode)
    assert assessment is not None
    level = {"level": assessment.result["level"]["level"], "reason_code": "", "explanation": ""}
    return computed(assessment) | level | {"seen": newest_mark(episode)} | changes


def read(response: Any) -> str:
    return words(response.content.decode())


def test_the_page_records_beside_the_suggestion(house: House) -> None:
    submitted(house, "V5")
    client = client_of(house.staff["counsellor"])
    page = read(client.get(at("level", house.mine)))
    assert "Suggested 1.7" in page and "Not decided yet" in page
    assert client.post(at("level", house.mine), form(house.mine, **LOWER)).status_code == 302
    for name in ("assessment", "level", "chart"):
        page = read(client.get(at(name, house.mine)))
        assert "1.7" in page and "1.5: Outpatient therapy" in page if name == "chart" else "Decided 1.5" in page, name
    page = read(client.get(at("assessment", house.mine)))
    assert "(rule L10)" in page and "because: the patient prefers it" in page and WHY in page and "Counsellor Tester" in page
    reassess(house, peg=[7, 8, 8])
    page = read(client.get(at("assessment", house.mine)))
    assert "Belongs to an earlier assessment" in page and WHY in page and "Not decided yet" in page


WRONG = [
    ({"level": ""}, "level"),
    ({"level": "9.9"}, "level"),
    ({"N1": "5"}, "N1"),
    ({"N1": "4"}, "N1_reason"),
    ({"N1_reason": "It is as computed"}, "N1_reason"),
    ({"level": "1.5"}, "reason_code"),
    ({"level": "1.5", "reason_code": "payer", "explanation": "x" * 19}, "explanation"),
    ({"level": "1.5", "reason_code": "payer"}, "explanation"),
    ({"level": "1.5", "reason_code": "hunch", "explanation": WHY}, "reason_code"),
    ({"level": "1.5", "reason_code": "clinical_judgement_higher", "explanation": WHY}, "reason_code"),
    ({"level": "2.1", "reason_code": "clinical_judgement_lower", "explanation": WHY}, "reason_code"),
    ({"reason_code": "payer"}, "reason_code"),
]


@pytest.mark.parametrize(("changes", "field"), WRONG)
def test_what_is_missing_is_said_at_its_field_and_nothing_is_recorded(house: House, changes: dict[str, str], field: str) -> None:
    submitted(house, "V5")
    response = client_of(house.staff["nurse"]).post(at("level", house.mine), form(house.mine, **changes))
    assert response.status_code == 422 and field in response.context["form"].errors
    assert not LevelDecision.objects.exists()


def test_twenty_characters_are_enough(house: House) -> None:
    submitted(house, "V5")
    sent = form(house.mine, **LOWER | {"explanation": "x" * 20})
    assert client_of(house.staff["nurse"]).post(at("level", house.mine), sent).status_code == 302


def test_what_came_meanwhile_is_shown_and_what_was_typed_stays(house: House) -> None:
    submitted(house, "V5")
    client, sent = client_of(house.staff["nurse"]), form(house.mine, **LOWER)
    decide(house.staff["counsellor"], house.mine)
    response = client.post(at("level", house.mine), sent)
    assert response.status_code == 409 and WHY in read(response) and "Decided 1.7" in read(response)
    again = sent | {"seen": response.context["form"]["seen"].value()}
    assert client.post(at("level", house.mine), again).status_code == 302
    assert beside(house.mine) == ("1.5", None, None)


def test_before_the_assessment_there_is_nothing_to_decide_on(house: House) -> None:
    assert "Not assessed yet" in read(client_of(house.staff["nurse"]).get(at("level", house.mine)))


def test_the_second_clinician_confirms_who_they_are_and_cosigns(house: House) -> None:
    submitted(house, "V6")
    made = decide(house.staff["nurse"], house.mine, **LOWER)
    page = at("cosign_level", house.mine, decision_id=made.public_id)
    unconfirmed = client_of(house.staff["prescriber"])
    assert unconfirmed.post(page).status_code == 403 and not LevelCosignature.objects.exists()
    author, other = logged_in(house.staff["nurse"]), logged_in(house.staff["prescriber"])
    assert "You made this decision" in read(author.get(page)) and author.post(page).status_code == 403
    assert "Waits for a co-signature" in read(other.get(at("assessment", house.mine)))
    assert "Co-sign as" in read(other.get(page)) and other.post(page).status_code == 302
    assessment = read(other.get(at("assessment", house.mine)))
    assert "Co-signed by Prescriber Tester" in assessment and "Waits for" not in assessment


# What is signed


def test_the_plan_and_what_is_signed_hold_both(house: House) -> None:
    plan = whole(house)
    decide(house.staff["nurse"], house.mine, N4=1, reasons={"N4": "Two criteria were about tea."}, **LOWER)
    client = logged_in(house.staff["prescriber"])
    for name in ("plan", "sign"):
        page = read(client.get(at(name, house.mine)))
        assert "Suggested 1.7" in page and "Decided 1.5" in page and WHY in page, name
    sign(house.staff["prescriber"], plan)
    page = read(client.get(at("signed_plan", house.mine, number=1)))
    assert "Suggested 1.7" in page and "Decided 1.5" in page and WHY in page
