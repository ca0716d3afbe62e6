"""The formulary: which classes a written name means, and that what it lists counts whether or not somebody ticked it."""

import datetime

import pytest

from intake.answers import parse_answer
from intake.content_files import questionnaire
from intake.evaluation import Person, Settings, evaluate_episode
from intake.facts.reading import Filled
from intake.formulary import classes_of, notes, shipped

NOW = datetime.datetime(2026, 11, 2, 10, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("written", "classes"),
    [
        ("Metoprolol succinate 50 mg", {"cyp2d6_substrate", "antihypertensive"}),
        ("METOPROLOL", {"cyp2d6_substrate", "antihypertensive"}),
        ("St John’s wort", {"serotonergic", "cyp3a_inducer"}),
        ("tramadol/acetaminophen", {"opioid", "serotonergic", "cyp2d6_substrate", "seizure_threshold"}),
        ("nortriptyline", {"serotonergic", "cyp2d6_substrate"}),
        ("kavalactone blend", set()),  # kava is no word of it
        ("something from a friend", set()),
        ("", set()),
    ],
)
def test_a_written_name_means_the_medicines_that_are_words_of_it(written: str, classes: set[str]) -> None:
    assert classes_of(written, shipped()) == classes


def medicines(name: str, ticked: list[str] | None) -> dict[str, Filled]:
    form = questionnaire("medicines")
    given = {"any_medicines": (["true"], ""), "medicines.name": ([name], "1")}
    if ticked is not None:
        given["medicines.classes"] = (ticked, "1")
    answers = {(item, row): parse_answer(form.by_id[item], raw) for item, (raw, row) in given.items()}
    return {"medicines": Filled(form, answers, NOW)}


@pytest.mark.parametrize(
    ("name", "ticked", "serotonergic", "maoi"),
    [
        ("sertraline", ["serotonergic"], True, False),
        ("sertraline", ["no_class"], True, False),
        ("sertraline", None, True, None),  # the other classes are still open
        ("lisdexamfetamine", ["stimulant"], False, False),
        ("lisdexamfetamine", None, None, None),
    ],
)
def test_a_class_counts_when_ticked_or_listed_and_is_absent_only_when_answered(
    name: str, ticked: list[str] | None, serotonergic: bool | None, maoi: bool | None
) -> None:
    settings = Settings(formulary=shipped())
    facts = evaluate_episode(Person(40, "F"), medicines(name, ticked), settings, NOW).facts
    assert (facts["medclass_serotonergic"], facts["medclass_maoi"]) == (serotonergic, maoi)


def test_the_proof_names_the_medicine_and_says_that_the_formulary_lists_it() -> None:
    form = questionnaire("kuh")
    known = {(item, ""): parse_answer(form.by_id[item], [text]) for item, text in (("use_status", "current"), ("days_30", "20"))}
    forms = medicines("Sertraline 50 mg", ["no_class"]) | {"kuh": Filled(form, known, NOW)}
    evaluated = evaluate_episode(Person(40, "F"), forms, Settings(formulary=shipped()), NOW)
    fired = next(rule for rule in evaluated.interactions if rule.rule_id == "IX-08")
    assert "yes: Sertraline 50 mg (formulary)" in {given.value for given in fired.inputs}


def test_a_note_says_what_is_listed_and_only_for_known_names() -> None:
    found = notes({"1": "gabapentin 300", "2": "vitamin D"}, shipped())
    assert set(found) == {"1"} and found["1"].startswith("The formulary lists it as: Gabapentinoid.")
