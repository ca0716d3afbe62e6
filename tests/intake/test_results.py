"""Results: what they say beside the answers, what is refused, and what follows at once when one is entered, corrected or withdrawn."""

import datetime
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from clinic.transaction import acting
from intake import actions
from intake.content_files import read
from intake.evaluation import Person
from intake.facts.reading import Filled
from intake.facts.results import Measured, Told, told_by
from intake.models import Assessment, Flag, Result
from intake.results import FILE, groups, kinds
from tests.clinic.test_access import logged_in
from tests.intake.test_actions import answered, record, save, standing, submit
from tests.intake.test_facts import NOW, filled
from tests.people import House, everything, make_house, recorded

# What results say beside the answers


def ago(**time: int) -> datetime.datetime:
    return NOW - datetime.timedelta(**time)


def measured(code: str, given: str, at: datetime.datetime, entered: datetime.datetime | None = None) -> Measured:
    number = None if kinds()[code].choices else Decimal(given)
    return Measured(code, number, "" if number is not None else given, at, entered or at, "Priya Raman")


def told(*results: Measured, forms: tuple[Filled, ...] = (), sex: str = "F") -> Told:
    return told_by(Person(30, sex), {form.questionnaire.code: form for form in forms}, results, NOW)


def history(at: datetime.datetime = NOW, **given: Any) -> Filled:
    return filled("medhx", at, **given)


SAYS: list[tuple[str, dict[str, Any], dict[str, object]]] = [
    ("nothing was measured", {}, {}),
    ("a first ALT", {"results": [measured("alt", "6", ago(days=2))]}, {"alt_x_uln": 6}),
    (
        "an ALT that came in after the history was asked, though the blood was taken before",
        {"results": [measured("alt", "6", ago(hours=5), ago(hours=1))], "forms": [history(ago(hours=3), alt_x_uln="1")]},
        {"alt_x_uln": 6},
    ),
    (
        "an ALT answered when the result had been entered",
        {"results": [measured("alt", "6", ago(days=9))], "forms": [history(ago(hours=3), alt_x_uln="1")]},
        {},
    ),
    (
        "a history asked later, in which the ALT was left open",
        {"results": [measured("alt", "6", ago(days=9))], "forms": [history(ago(hours=3), jaundice="false")]},
        {"alt_x_uln": 6},
    ),
    ("a QTc of 460 in a woman", {"results": [measured("qtc", "460", ago(days=1))]}, {"qtc_ms": 460, "qtc_prolonged": False}),
    ("a QTc of 460 in a man", {"results": [measured("qtc", "460", ago(days=1))], "sex": "M"}, {"qtc_ms": 460, "qtc_prolonged": True}),
    (
        "an ECG of before the one in the history",
        {"results": [measured("qtc", "510", ago(days=9))], "forms": [history(ago(days=1), qtc_ms="430", qtc_date="2026-11-20")]},
        {},
    ),
    (
        "an ECG of after the one in the history, which was asked later still",
        {"results": [measured("qtc", "510", ago(days=2))], "forms": [history(ago(days=1), qtc_ms="430", qtc_date="2026-11-20")]},
        {"qtc_ms": 510, "qtc_prolonged": True},
    ),
    ("toxicology and outside scores", {"results": [measured("oh7", "detected", NOW), measured("isi", "20", NOW)]}, {}),
]
PREGNANT = {"pregnant": True, "pregnancy_possible": False, "ob_complication": None}
NOT_PREGNANT = {"pregnant": False, "pregnancy_possible": False, "ob_complication": False}
SAYS += [
    ("a positive pregnancy test", {"results": [measured("pregnancy_test", "positive", ago(days=40))]}, PREGNANT),
    (
        "a positive test and an answered no of the same week",
        {"results": [measured("pregnancy_test", "positive", ago(days=5))], "forms": [history(ago(days=1), pregnant="no")]},
        PREGNANT,
    ),
    (
        "a positive test and an answered no of weeks later",
        {"results": [measured("pregnancy_test", "positive", ago(days=40))], "forms": [history(ago(days=1), pregnant="no")]},
        {},
    ),
    ("a negative test of 14 days ago", {"results": [measured("pregnancy_test", "negative", ago(days=14))]}, NOT_PREGNANT),
    ("a negative test of more than 14 days ago", {"results": [measured("pregnancy_test", "negative", ago(days=14, minutes=1))]}, {}),
    (
        "a negative test of today, pregnancy unknown to the person",
        {"results": [measured("pregnancy_test", "negative", NOW)], "forms": [history(ago(days=1), pregnant="unknown")]},
        NOT_PREGNANT,
    ),
    (
        "a negative test never overrules an answered yes",
        {"results": [measured("pregnancy_test", "negative", NOW)], "forms": [history(ago(days=1), pregnant="yes")]},
        {},
    ),
]
WELL = {"respiratory_rate": "16", "spo2": "97", "bp_systolic": "120", "not_rousable": "false"}


def seen(at: datetime.datetime, **given: str) -> Filled:
    return filled("observed", at, **WELL | given)


SAYS += [
    ("an oxygen saturation of 89", {"results": [measured("spo2", "89", ago(hours=1))]}, {"emergency_vitals": True}),
    ("an oxygen saturation of 90, and nothing else", {"results": [measured("spo2", "90", ago(hours=1))]}, {"emergency_vitals": None}),
    ("nine breaths a minute", {"results": [measured("respiratory_rate", "9", ago(hours=24))]}, {"emergency_vitals": True}),
    ("79 mmHg", {"results": [measured("bp_systolic", "79", NOW)]}, {"emergency_vitals": True, "bp_systolic": 79}),
    (
        "a reading that has become better than what was observed before",
        {"results": [measured("spo2", "96", ago(hours=1))], "forms": [seen(ago(hours=2), spo2="85")]},
        {"emergency_vitals": False},
    ),
    (
        "a good reading of before what was observed",
        {"results": [measured("spo2", "96", ago(hours=3))], "forms": [seen(ago(hours=2), spo2="85")]},
        {},
    ),
    (
        "one sign measured anew, and another observed low",
        {"results": [measured("spo2", "96", ago(hours=1))], "forms": [seen(ago(hours=2), bp_systolic="75")]},
        {"emergency_vitals": True},
    ),
    (
        "good readings of somebody who cannot be roused",
        {"results": [measured("spo2", "96", ago(hours=1))], "forms": [seen(ago(hours=2), not_rousable="true")]},
        {"emergency_vitals": True},
    ),
    (
        "a reading of more than 24 hours ago says nothing any more, nor does what was observed before it",
        {"results": [measured("spo2", "85", ago(hours=24, minutes=1))], "forms": [seen(ago(hours=30))]},
        {"emergency_vitals": None},
    ),
    ("pulse and temperature alone", {"results": [measured("pulse", "130", NOW), measured("temperature", "101.2", NOW)]}, {}),
]


@pytest.mark.parametrize(("says", "given", "facts"), SAYS, ids=[row[0] for row in SAYS])
def test_what_results_say_beside_the_answers(says: str, given: dict[str, Any], facts: dict[str, object]) -> None:
    assert told(*given.get("results", ()), forms=tuple(given.get("forms", ())), sex=given.get("sex", "F")).facts == facts


def test_an_answer_counts_from_when_it_was_given_and_not_its_whole_questionnaire() -> None:
    alt = measured("alt", "6", ago(hours=2))
    form = history(ago(hours=1), alt_x_uln="1", jaundice="false")
    earlier = Filled(form.questionnaire, form.answers, form.at, times={("alt_x_uln", ""): ago(hours=3)})
    assert told(alt, forms=(form,)).facts == {}
    assert told(alt, forms=(earlier,)).facts == {"alt_x_uln": 6}


def test_the_origin_of_a_fact_names_the_result_and_who_entered_it() -> None:
    said = told(measured("alt", "6", ago(days=3)), measured("spo2", "96", ago(hours=1)), forms=(seen(ago(hours=2)),)).origins
    assert said["alt_x_uln"] == "ALT result, 20 Nov 2026, Priya Raman"
    assert said["emergency_vitals"] == "SpO2 result, 23 Nov 2026, Priya Raman; Vital signs and observations, 23 Nov 2026"


# What is entered


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def newest(house: House) -> dict[str, str]:
    with acting(house.staff["nurse"], "observation.enter"):
        return {row.title: row.said for row in Result.objects.standing_of(house.mine)}


def test_every_kind_is_entered_in_its_group_and_its_limits_hold(house: House) -> None:
    nurse = house.staff["nurse"]
    for kind in kinds().values():
        about = {"source": "Quest, LC-MS", "name": "ORT" if kind.named else ""}
        if kind.choices:
            assert [row.choice for row in record(nurse, house.mine, **{kind.code: next(iter(kind.choices))}, **about)]
            refused: list[Any] = ["perhaps"]
        else:
            assert kind.least is not None and kind.most is not None
            assert [row.value for row in record(nurse, house.mine, **{kind.code: kind.most}, **about)] == [kind.most]
            refused = [kind.least - 1, kind.most + 1, Decimal("NaN"), kind.least + Decimal("0.001")]
        for value in refused:
            with pytest.raises(actions.NotPossible) as said:
                record(nurse, house.mine, **{kind.code: value}, **about)
            assert set(said.value.problems) == {kind.code} and kind.short in said.value.problems[kind.code]
    assert len(newest(house)) == len(kinds())


@pytest.mark.parametrize(
    ("given", "about"),
    [
        ({}, ""),
        ({"alt": "1", "taken_at": timezone.now() + datetime.timedelta(hours=1)}, "taken_at"),
        ({"alt": "1", "taken_at": datetime.datetime(1990, 2, 2, 12, tzinfo=datetime.UTC)}, "taken_at"),
        ({"oh7": "detected"}, "source"),
        ({"sows": "12"}, "source"),
        ({"another": "3", "source": "Dr. Lee"}, "name"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_a_sentence(house: House, given: dict[str, Any], about: str) -> None:
    with pytest.raises(actions.NotPossible) as refused:
        record(house.staff["nurse"], house.mine, **given)
    assert list(refused.value.problems) == [about] and refused.value.problems[about].endswith(".")
    assert newest(house) == {}


def test_one_form_is_one_entry_of_each_and_what_was_not_saved_is_never_acknowledged(house: House) -> None:
    nurse, key = house.staff["nurse"], uuid.uuid4()
    first = record(nurse, house.mine, key, bp_systolic="120", bp_diastolic="80")
    again = record(nurse, house.mine, key, bp_systolic="120", bp_diastolic="80")
    assert [row.pk for row in first] == [row.pk for row in again]
    with pytest.raises(actions.NotPossible, match="saved before"):
        record(nurse, house.mine, key, bp_systolic="120", bp_diastolic="80", pulse="70")
    record(house.staff["supervisor"], house.other, key, bp_systolic="140")  # the key of another patient's form opens nothing of theirs
    assert newest(house) == {"BP systolic": "120 mmHg", "BP diastolic": "80 mmHg"}


def test_the_newest_by_when_it_was_taken_stands_and_named_scores_stand_apart(house: House) -> None:
    nurse, day = house.staff["nurse"], datetime.timedelta(days=1)
    record(nurse, house.mine, alt="6")
    record(nurse, house.mine, alt="2", taken_at=timezone.now() - day)
    for name, value in {"ORT": "3", "CUDIT": "11"}.items():
        record(nurse, house.mine, another=value, name=name, source="Dr. Lee")
    assert newest(house) == {"ALT": "6 x ULN", "ORT": "3", "CUDIT": "11"}


def test_a_correction_stands_for_what_it_corrects_and_both_stay_on_record(house: House) -> None:
    nurse, key = house.staff["nurse"], uuid.uuid4()
    (wrong,) = record(nurse, house.mine, alt="60")

    def correct() -> Result:
        with acting(nurse, "observation.enter"):
            return actions.correct_result(
                by=nurse, result=wrong, given=Decimal(6), taken_at=wrong.taken_at, reason="A decimal point was lost", key=key
            )  # fmt: skip

    right = correct()
    assert correct().pk == right.pk and right.corrects_id == wrong.pk
    assert newest(house) == {"ALT": "6 x ULN"}
    key = uuid.uuid4()
    with pytest.raises(actions.AlreadyCorrected):
        correct()
    with acting(nurse, "observation.enter"):
        actions.withdraw_result(by=nurse, result=right, reason="Another person's blood", key=uuid.uuid4())
        every = list(Result.objects.of(house.mine))
    assert newest(house) == {}
    assert [(row.said, row.stands) for row in every] == [("withdrawn", False), ("6 x ULN", False), ("60 x ULN", False)]


def test_a_correction_needs_a_reason_and_a_withdrawal_cannot_be_corrected(house: House) -> None:
    nurse = house.staff["nurse"]
    (wrong,) = record(nurse, house.mine, alt="60")
    with acting(nurse, "observation.enter"):
        with pytest.raises(actions.NotPossible, match="what was wrong"):
            actions.withdraw_result(by=nurse, result=wrong, reason="", key=uuid.uuid4())
        gone = actions.withdraw_result(by=nurse, result=wrong, reason="Typed twice", key=uuid.uuid4())
        with pytest.raises(actions.AlreadyCorrected):
            actions.correct_result(by=nurse, result=gone, given=Decimal(1), taken_at=gone.taken_at, reason="x" * 9, key=uuid.uuid4())


def test_the_database_holds_no_result_without_a_value_and_none_is_changed(house: House) -> None:
    (row,) = record(house.staff["nurse"], house.mine, alt="6")
    with pytest.raises(TypeError):
        row.save()
    row.pk, row.public_id, row.key, row.value, row._state.adding = None, uuid.uuid4(), uuid.uuid4(), None, True
    with pytest.raises(IntegrityError, match="result_has_a_value"), acting(house.staff["nurse"], "x"), transaction.atomic():
        row.save()


# What follows from it


def fired(house: House) -> dict[str, bool]:
    """The rules with a flag that stands, and whether they still fire."""
    with everything():
        return {rule_id: flag.still_fires for rule_id, flag in standing(house.mine).items()}


def latest(house: House) -> Assessment:
    with everything():
        found = Assessment.objects.latest_of(house.mine)
    assert found is not None
    return found


def intake_of(house: House) -> None:
    """V1, who takes kratom now and then, with an ALT of 1 in the history and nothing else; submitted."""
    clerk = house.staff["intake"]
    answered(clerk, house.mine, "V1")
    submit(clerk, house.mine)


def test_an_alt_raises_what_the_history_did_not_know_and_a_later_one_clears_it(house: House) -> None:
    intake_of(house)
    before = latest(house)
    assert not {"IX-12", "SF-10"} & fired(house).keys()
    record(house.staff["nurse"], house.mine, alt="6", source="Quest")
    raised = latest(house)
    assert raised.pk != before.pk and raised.kind == Assessment.Kind.RESULT and not raised.provisional
    assert fired(house)["IX-12"] and fired(house)["SF-10"]
    assert raised.facts["n2"] == 3 and before.facts["n2"] < 3
    with everything():
        (shown,) = [row for row in standing(house.mine)["SF-10"].proof["inputs"] if row["label"] == "Last ALT"]
    assert shown["value"] == "6 x ULN" and shown["origin"].startswith("ALT result, ") and shown["origin"].endswith("Nurse Tester")
    record(house.staff["nurse"], house.mine, alt="1", source="Quest")
    assert not fired(house)["IX-12"] and not fired(house)["SF-10"]


def test_another_answer_of_the_same_history_makes_its_alt_no_newer(house: House) -> None:
    answered(house.staff["intake"], house.mine, "V1")
    record(house.staff["nurse"], house.mine, alt="6")
    save(house.staff["intake"], house.mine, "medhx", {"allergies": "Penicillin"})
    submit(house.staff["intake"], house.mine)
    assert latest(house).facts["alt_x_uln"] == 6
    record(house.staff["nurse"], house.mine, pulse="80")
    assert latest(house).facts["alt_x_uln"] == 6 and fired(house)["IX-12"]


def test_a_qtc_raises_ix_13_and_its_withdrawal_takes_it_back(house: House) -> None:
    intake_of(house)
    (qtc,) = record(house.staff["nurse"], house.mine, qtc="510")
    with everything():
        assert standing(house.mine)["IX-13"].severity == Flag.Severity.CRITICAL
    with acting(house.staff["nurse"], "observation.enter"):
        actions.withdraw_result(by=house.staff["nurse"], result=qtc, reason="Another person's ECG", key=uuid.uuid4())
    assert not fired(house)["IX-13"]


def test_a_pregnancy_test_raises_sf_07_and_a_negative_one_takes_possible_back(house: House) -> None:
    nurse = house.staff["nurse"]
    answered(house.staff["intake"], house.mine, "V1")
    save(house.staff["intake"], house.mine, "medhx", {"pregnant": "unknown"})
    submit(house.staff["intake"], house.mine)
    assert latest(house).facts["pregnancy_possible"] is True
    record(nurse, house.mine, pregnancy_test="negative")
    assert (latest(house).facts["pregnant"], latest(house).facts["pregnancy_possible"]) == (False, False)
    record(nurse, house.mine, pregnancy_test="positive")
    assert latest(house).facts["pregnant"] is True and fired(house)["SF-07"]


def test_vital_signs_raise_sf_15_before_there_is_an_assessment_and_good_ones_clear_it(house: House) -> None:
    nurse = house.staff["nurse"]
    record(nurse, house.mine, spo2="85", respiratory_rate="8", bp_systolic="110")
    assert fired(house) == {"SF-15": True}
    with everything():
        house.mine.refresh_from_db()
    assert (house.mine.acuity, house.mine.unacknowledged) == (4, 1)
    record(nurse, house.mine, spo2="97", respiratory_rate="14", bp_systolic="110")
    assert fired(house) == {"SF-15": False}


def test_vital_signs_after_the_submit_raise_sf_15_and_the_level(house: House) -> None:
    intake_of(house)
    record(house.staff["nurse"], house.mine, spo2="85")
    assert fired(house)["SF-15"] and latest(house).facts["loc"] == "4"


def test_a_result_keeps_what_an_unfinished_questionnaire_has_raised(house: House) -> None:
    """A new assessment looks at what was submitted: the answers of a screen that was begun since still stand."""
    intake_of(house)
    save(house.staff["nurse"], house.mine, "asq", {"1": "true", "2": "false", "3": "false", "4": "false"})
    save(house.staff["nurse"], house.mine, "asq", {"5": "true"})
    assert fired(house)["SF-01"]
    record(house.staff["nurse"], house.mine, pulse="80")
    assert latest(house).kind == Assessment.Kind.RESULT and fired(house)["SF-01"]


def test_after_a_provisional_assessment_the_next_one_is_provisional_too(house: House) -> None:
    nurse = house.staff["nurse"]
    answered(nurse, house.mine, "V1")
    with acting(nurse, "intake.submit"):
        actions.assess_provisionally(by=nurse, episode=house.mine, key=uuid.uuid4())
    record(nurse, house.mine, alt="6")
    assert latest(house).kind == Assessment.Kind.PROVISIONAL and latest(house).facts["kuh_current"] is True and fired(house)["IX-12"]


def test_the_front_desk_submits_with_the_results_that_a_nurse_has_entered(house: House) -> None:
    answered(house.staff["intake"], house.mine, "V1")
    record(house.staff["nurse"], house.mine, alt="6")
    submit(house.staff["intake"], house.mine)
    assert fired(house)["IX-12"] and latest(house).kind == Assessment.Kind.INTAKE


# The pages


def address(house: House, name: str = "results", **more: Any) -> str:
    return reverse(name, kwargs={"episode_id": house.mine.public_id} | more)


def local(moment: datetime.datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%dT%H:%M}"


def test_vital_signs_are_entered_together_and_shown_with_what_they_raise(house: House) -> None:
    nurse = logged_in(house.staff["nurse"])
    sent = {"spo2": "85", "respiratory_rate": "", "taken_at": local(timezone.now()), "key": uuid.uuid4()}
    response = nurse.post(address(house, "record_results", group="vitals"), sent, follow=True)
    page = response.content.decode()
    assert response.redirect_chain[-1][0] == address(house)
    assert "85 %" in page and "EMERGENCY" in page.upper() and newest(house) == {"SpO2": "85 %"}


def test_a_refusal_stands_at_its_field_and_nothing_is_written(house: House) -> None:
    nurse = logged_in(house.staff["nurse"])
    sent = {"spo2": "850", "taken_at": local(timezone.now()), "key": uuid.uuid4()}
    response = nurse.post(address(house, "record_results", group="vitals"), sent)
    assert response.status_code == 422 and "Possible are 30 to 100 %." in response.content.decode()
    response = nurse.post(address(house, "record_results", group="vitals"), sent | {"spo2": ""})
    assert response.status_code == 422 and "Nothing was entered." in response.content.decode()
    response = nurse.post(address(house, "record_results", group="toxicology"), sent | {"oh7": "detected"})
    assert response.status_code == 422 and "Laboratory and method" in response.content.decode()
    assert newest(house) == {}


def test_a_wrong_entry_is_corrected_and_withdrawn_on_its_pages(house: House) -> None:
    nurse = logged_in(house.staff["nurse"])
    (wrong,) = record(house.staff["nurse"], house.mine, alt="60", source="Quest")
    page = address(house, "correct_result", result_id=wrong.public_id)
    assert 'value="60"' in nurse.get(page).content.decode()
    sent = {"alt": "6", "source": "Quest", "taken_at": local(wrong.taken_at), "reason": "A point was lost", "key": uuid.uuid4()}
    assert nurse.post(page, sent).status_code == 302 and newest(house) == {"ALT": "6 x ULN"}
    late = nurse.post(page, sent | {"key": uuid.uuid4()})
    assert late.status_code == 422 and "was corrected or withdrawn already" in late.content.decode()
    assert nurse.get(page).status_code == 302
    with everything():
        right = Result.objects.get(corrects=wrong)
    page = address(house, "withdraw_result", result_id=right.public_id)
    assert nurse.post(page, {"reason": "", "key": uuid.uuid4()}).status_code == 422
    assert nurse.post(page, {"reason": "Somebody else's", "key": uuid.uuid4()}).status_code == 302 and newest(house) == {}
    shown = nurse.get(address(house)).content.decode()
    assert "A point was lost" in shown and "Somebody else&#x27;s" in shown


@pytest.mark.parametrize("role", ["intake", "peer", "case_manager", "privacy_auditor"])
def test_who_may_not_enter_observations_opens_none_of_it(house: House, role: str) -> None:
    client = logged_in(house.staff[role])
    for page in (address(house), address(house, "record_results", group="vitals")):
        assert client.get(page).status_code in (403, 404)


def test_the_assessment_shows_the_newest_results_with_their_dates(house: House) -> None:
    intake_of(house)
    record(house.staff["nurse"], house.mine, alt="1.4", qtc="430")
    record(house.staff["nurse"], house.mine, mitragynine="below_limit", source="Quest, LC-MS")
    page = logged_in(house.staff["nurse"]).get(address(house, "assessment")).content.decode()
    day = f"{timezone.localdate().day} {timezone.localdate():%b %Y}"
    for words in ("1.4 x ULN", "430 ms", "below the limit"):
        assert f'<dd>{words} <span class="st-muted st-small">{day}' in page
    assert "After a new result." in page


def test_an_outside_score_is_shown_as_it_is_and_nothing_knows_a_band_for_it() -> None:
    assert all("band" not in row for row in read(FILE)["results"].values())
    assert {kind.code for kind in groups()["scores"].kinds} == {"sows", "kds", "pcl5", "isi", "another"}


def test_every_entry_is_in_the_record_of_changes_in_somebodys_name(house: House) -> None:
    (row,) = record(house.staff["nurse"], house.mine, alt="6")
    (change,) = recorded(table="intake_result", row=row.pk)
    assert (change.operation, change.user_id, change.action) == ("INSERT", house.staff["nurse"].pk, "observation.enter")
