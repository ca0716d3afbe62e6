"""Cases in the notation of section 7: the six people give exactly what the specification says, and what is wrong is refused by name."""

import datetime
import json
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command

from intake.evaluation import Settings
from plans.cases import CaseProblem, assess
from plans.components import read

AT = datetime.datetime(2026, 11, 23, 10, 0, tzinfo=ZoneInfo("America/New_York"))
VIGNETTES: Mapping[str, Any] = read("vignettes.yaml")["people"]


def assessed(case: object, **settings: Any) -> dict[str, Any]:
    return assess(case, Settings.from_json(settings), AT)


@pytest.mark.parametrize("code", VIGNETTES)
@pytest.mark.parametrize("part", ["kratom", "scores", "flags", "interactions", "needs", "level", "components"])
def test_each_of_the_six_people_gives_what_the_specification_expects(code: str, part: str) -> None:
    assert assessed(VIGNETTES[code]["given"])[part] == VIGNETTES[code]["expected"][part]


@pytest.mark.parametrize("code", VIGNETTES)
def test_everything_says_what_it_rests_on(code: str) -> None:
    found = assessed(VIGNETTES[code]["given"])
    assert set(found["because"]["rules"]) == {*found["flags"], *found["interactions"]}
    assert set(found["because"]["components"]) == set(found["components"])
    assert all(found["because"]["components"].values())
    assert all(rule["inputs"] for rule in found["because"]["rules"].values())


# What is absent, not reached or refused


def test_of_nothing_at_all_nothing_is_known_but_that_nobody_was_screened() -> None:
    found = assessed({})
    assert found["kratom"] == {"leaf_g_day": None, "leaf_band": None, "oh7_mg_day": None, "daily": None}
    assert found["scores"].pop("suicide") == {"level": "NOT_SCREENED"}
    assert found["scores"].pop("sdoh") == {"unmet": 0}
    assert {value for score in found["scores"].values() for value in score.values()} == {None}
    assert (found["flags"], found["interactions"]) == (["SF-05", "SF-14"], [])
    assert (found["level"]["suggested"], found["level"]["provisional"]) == ("1.5", True)  # N3 is 2: not screened
    assert found["components"] == ["SAF-04"]


CSSRS_NO = {"q1": "N", "q2": "N", "q6": "N"}
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("leaf not in grams: the amount is unknown", {"KUH": {"days_30": 30, "products": [
        {"form": "tea", "doses_per_day": 2, "amount_per_dose": 1, "unit": "units"}]}},
     {"kratom.leaf_g_day": None, "kratom.leaf_band": None}),
    ("an extract is never grams of leaf", {"KUH": {"days_30": 30, "products": [
        {"form": "resin_extract", "doses_per_day": 2, "amount_per_dose": 9, "unit": "g"}]}}, {"kratom.leaf_g_day": 0}),
    ("products count only while they are used", {"KUH": {"days_30": 0, "products": [
        {"form": "7oh_tablet", "doses_per_day": 2, "amount_per_dose": 9, "unit": "mg_7oh"}]}},
     {"kratom.oh7_mg_day": 0, "kratom.leaf_g_day": 0, "kratom.leaf_band": None, "kratom.daily": False}),
    ("amounts are as exact as they come", {"KUH": {"days_30": 30, "last_use_hours": 1.5, "products": [
        {"form": "capsule", "doses_per_day": 2.5, "amount_per_dose": 0.125, "unit": "g"}]}}, {"kratom.leaf_g_day": 0.3125}),
    ("an ALT of 3.05 is over 3", {"KUH": {"days_30": 9}, "MED": {"alt_x_uln": 3.05}}, {"interactions": ["IX-12"], "needs.N2": 2}),
    ("no product at all is none", {"KUH": {"days_30": 30, "products": []}}, {"kratom.leaf_g_day": 0, "kratom.oh7_mg_day": 0}),
    ("products not reached are unknown", {"KUH": {"days_30": 30, "products": None}},
     {"kratom.leaf_g_day": None, "kratom.oh7_mg_day": None}),
    ("days not reached: everything is unknown", {"KUH": {"days_30": None, "products": [
        {"form": "capsule", "doses_per_day": 4, "amount_per_dose": 8, "unit": "g"}]}}, {"kratom.daily": None, "kratom.leaf_g_day": None}),
    ("a 7-OH product in another unit, or in none, adds no milligrams", {"KUH": {"days_30": 30, "products": [
        {"form": "7oh_tablet", "doses_per_day": 2, "amount_per_dose": 9, "unit": None},
        {"form": "7oh_other", "doses_per_day": 3, "amount_per_dose": 2, "unit": "mg_7oh"}]}},
     {"kratom.oh7_mg_day": 6, "interactions": ["IX-21"]}),
    ("a row in which nothing was answered is a product nobody can name", {"KUH": {"days_30": 30, "products": [
        {"form": "tea", "doses_per_day": 2, "amount_per_dose": 3, "unit": "g"}, {"form": None}]}},
     {"kratom.leaf_g_day": None, "kratom.oh7_mg_day": 0}),
    ("25 days are daily", {"KUH": {"days_30": 25, "products": []}}, {"kratom.daily": True}),
    ("24 days are not", {"KUH": {"days_30": 24, "products": []}}, {"kratom.daily": False}),
    ("a pupil unrated: 6 to 11, no total", {"COWS": [1, 1, 0, None, 1, 1, 1, 0, 0, 1, 0]},
     {"scores.cows": {"value": None, "band": None, "low": 6, "high": 11}}),
    ("SUD-11 with open criteria is a range", {"SUD": ["Y", "Y", "N", "N", "N", "N", "N"]},
     {"scores.sud": {"value": 2, "band": "mild to severe, incomplete"}}),
    ("PHQ-9 with two open is an estimate", {"PHQ9": [2, 2, 2, 2, 2, 2, 2, None, "DECLINED"]},
     {"scores.phq9": {"value": 18, "band": "moderately severe", "low": 18, "prorated": True, "item9": "DECLINED"},
      "flags": ["SF-05", "SF-14"]}),
    ("a list that was declined: each of its items was", {"PHQ9": ["DECLINED"]},
     {"scores.phq9": {"value": None, "band": None, "low": 0, "prorated": False, "item9": "DECLINED"}}),
    ("PHQ-9 with three open has no total", {"PHQ9": [3, None, 3, None, 3, None, 3, 3, 0], "CSSRS": CSSRS_NO},
     {"scores.phq9": {"value": None, "band": None, "low": 15, "prorated": False, "item9": 0}, "scores.phq2.value": None, "needs.N3": 2}),
    ("GAD-7 with one open is an estimate", {"GAD7": [3, 3, 3, 3, 3, 3]}, {"scores.gad7": {"value": 21, "band": "severe", "low": 21}}),
    ("GAD-7 with two open is not", {"GAD7": [3, 3, 3, 3, 3]}, {"scores.gad7": {"value": None, "band": None, "low": 15}}),
    ("DWC with three open is an estimate", {"DWC": [2] * 13}, {"scores.dwc.value": 32}),
    ("DWC with four open is not", {"DWC": [2] * 12}, {"scores.dwc.value": None}),
    ("trauma gate not reached", {"PCPTSD5": {"gate": None, "items": ["Y"] * 5}}, {"scores.pcptsd5": {"value": None, "positive": None}}),
    ("no such event", {"PCPTSD5": {"gate": "N", "items": ["Y"] * 5}}, {"scores.pcptsd5": {"value": 0, "positive": False}}),
    ("four yes decide, the fifth is open", {"sex": "M", "PCPTSD5": {"gate": "Y", "items": ["Y", "Y", "Y", "Y"]}},
     {"scores.pcptsd5": {"value": None, "positive": True}}),
    ("three yes decide for a woman", {"sex": "F", "PCPTSD5": {"gate": "Y", "items": ["Y", "Y", "Y", "N", None]}},
     {"scores.pcptsd5": {"value": None, "positive": True}}),
    ("three yes and one open leave a man undecided", {"sex": "M", "PCPTSD5": {"gate": "Y", "items": ["Y", "Y", "Y", "N", None]}},
     {"scores.pcptsd5": {"value": None, "positive": None}}),
    ("never drinks", {"AUDITC": [0, 3, 4]}, {"scores.auditc": {"value": 0, "positive": False, "low": 0}}),
    ("how often was not reached: what was said of how much counts", {"sex": "F", "AUDITC": [None, 1, 2]},
     {"scores.auditc": {"value": None, "positive": True, "low": 3}}),
    ("how often was not reached: the last drink was told all the same", {"sex": "M", "KUH": {"days_30": 9}, "AUDITC": [None, 4, 0],
      "OTH": {"last_drink_days": 31}}, {"interactions": []}),
    ("did not drink: no heavy drinking days", {"BAM": [0, 0, 0, 0, None, 1, None, 0, 4, 4, 0, 4, 4, 4, 0, 4, 4]},
     {"scores.bam": {"use": 1, "risk": 0, "protective": 24, "satisfaction": 4}}),
    ("an open item of the BAM costs its subscale alone", {"BAM": [None, 0, 0, 0, 0, 1, None, 0, 4, 4, 0, 4, 4, 4, 0, 4, None]},
     {"scores.bam": {"use": 1, "risk": None, "protective": 24, "satisfaction": None}}),
    ("PEG is a mean, half up", {"PEG": [1, 2, 2]}, {"scores.peg.value": 1.7}),
    ("PEG with one open is unknown", {"PEG": [9, 9, None]}, {"scores.peg.value": None}),
    ("five nights decide insomnia", {"SLP": {"n_onset": 5, "day_effect": 1}}, {"scores.slp.insomnia": True, "scores.slp.chronic": None}),
    ("no effect on the day is no insomnia", {"SLP": {"day_effect": 0}}, {"scores.slp.insomnia": False, "scores.slp.chronic": False}),
    ("one of two decides a mood sign", {"CMD": [None, 2]}, {"scores.cmd.mood": True, "scores.cmd.cognitive": None}),
    ("one of two does not rule it out", {"CMD": [None, 1]}, {"scores.cmd.mood": None}),
    ("plan and intent", {"CSSRS": CSSRS_NO | {"q2": "Y", "q3": "Y", "q4": "N", "q5": "Y"}}, {"scores.suicide.level": "HIGH"}),
    ("a yes counts where its question should have been skipped", {"CSSRS": CSSRS_NO | {"q4": "Y"}}, {"scores.suicide.level": "HIGH"}),
    ("behavior within 3 months", {"CSSRS": CSSRS_NO | {"q6": "Y", "q6_3mo": "Y"}}, {"scores.suicide.level": "HIGH"}),
    ("behavior, recency open", {"CSSRS": CSSRS_NO | {"q6": "Y", "q6_3mo": None}},
     {"scores.suicide.level": "MODERATE", "flags": ["SF-02", "SF-05"]}),
    ("thoughts, the method not asked", {"CSSRS": CSSRS_NO | {"q2": "Y"}}, {"scores.suicide.level": "NOT_SCREENED"}),
    ("thoughts without method", {"CSSRS": CSSRS_NO | {"q2": "Y", "q3": "N", "q4": "N", "q5": "N"}}, {"scores.suicide.level": "LOW"}),
    ("the ASQ refused", {"ASQ": {"q1": "DECLINED", "q2": "N", "q3": "N", "q4": "N", "q5": "N"}}, {"scores.suicide.level": "MODERATE"}),
    ("the ASQ refused as a whole", {"ASQ": "DECLINED"}, {"scores.suicide.level": "MODERATE", "flags": ["SF-02", "SF-05"]}),
    ("thoughts of it right now, where the rest of the ASQ was not reached", {"ASQ": {"q5": "Y"}}, {"scores.suicide.level": "HIGH"}),
    ("the ASQ does not count beside a C-SSRS", {"ASQ": {"q1": "Y", "q5": "Y"}, "CSSRS": CSSRS_NO}, {"scores.suicide.level": "NONE"}),
    ("daily use is use in 30 days, whatever the list says", {"KUH": {"days_30": 9}, "OTH": {"opioid_30d": [], "opioid_daily": "Y"}},
     {"interactions": ["IX-01"]}),
    ("a seizure this week is one ever", {"KUH": {"days_30": 9}, "MED": {"seizure_hx": "N", "seizure_7d": "Y"}},
     {"interactions": ["IX-16"], "needs.N2": 3}),
    ("an overdose this month is one this year", {"MED": {"overdose_12m": None, "overdose_30d": "Y"}}, {"needs.N4": 4}),
    ("may be pregnant: check first", {"sex": "F", "age": 30, "KUH": {"days_30": 9}}, {"interactions": ["IX-17"], "needs.N2": 0}),
    ("too old to be", {"sex": "F", "age": 56, "KUH": {"days_30": 9}}, {"interactions": []}),
    ("housing not answered is not unstable", {"SDOH": {"housing": None, "food": "Y"}}, {"scores.sdoh.unmet": 1, "needs.N5": 1}),
    ("nobody to rely on", {"STR": {"support_person": "N"}}, {"needs.N5": 2}),
    ("whether there is somebody was refused", {"STR": {"support_person": "DECLINED"}}, {"needs.N5": 0}),
    ("medicines come with their classes", {"KUH": {"days_30": 9}, "MEDS": [{"name": "x", "classes": ["naltrexone"]}]},
     {"interactions": ["IX-14"], "needs.N1": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("says", "case", "expected"), CASES, ids=[says for says, *_ in CASES])
def test_the_corners_of_missing_and_declined(says: str, case: dict[str, Any], expected: dict[str, Any]) -> None:
    found = assessed(case)
    for path, value in expected.items():
        got: Any = found
        for name in path.split("."):
            got = got[name]
        if path in ("interactions", "flags"):  # more may follow from what the case leaves open
            assert (set(value) <= set(got)) if value else not got, says
        else:
            assert got == value, f"{says}: {path}"


# What cannot be is refused, by name


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ([], "one JSON object"),
        ({"PHQ-9": [0]}, "no part PHQ-9"),
        ({"COWS": [3]}, "COWS item 1: 3 cannot be taken"),
        ({"COWS": [0, 0, 2]}, "COWS item 3"),
        ({"PHQ9": [4]}, "PHQ9 item 1"),
        ({"PHQ9": [0] * 10}, "PHQ9: it is a list of up to 9"),
        ({"PHQ9": 7}, "PHQ9: it is a list"),
        ({"SUD": ["maybe"]}, "SUD item 1"),
        ({"PEG": [11]}, "PEG item 1"),
        ({"age": "29"}, "age"),
        ({"age": True}, "age"),
        ({"pregnant": "maybe"}, "pregnant"),
        ({"KUH": {"days_30": 31}}, "KUH days_30"),
        ({"KUH": {"dayz": 3}}, "KUH has no part dayz"),
        ({"KUH": {"products": [{"form": "powder"}]}}, "KUH product 1, form"),
        ({"KUH": {"last_use_hours": -1}}, "last_use_hours"),
        ({"MED": {"alt_x_uln": -0.5}}, "MED alt_x_uln: -0.5 is not between"),
        ({"SDOH": {"unsafe": "yes"}}, "SDOH unsafe"),
        ({"MEDS": [{"name": "x", "classes": ["opiate"]}]}, "MEDS 1 classes"),
        ({"MEDS": {"name": "x"}}, "MEDS"),
        ({"OTH": {"opioid_daily": 1}}, "opioid_daily"),
        ({"CSSRS": {"q7": "Y"}}, "CSSRS has no part q7"),
    ],
)
def test_what_cannot_be_is_refused_by_name(case: object, says: str) -> None:
    with pytest.raises(CaseProblem, match=says):
        assessed(case)


# Settings, as the administration exports them


def test_a_set_number_counts() -> None:
    case = {"sex": "F", "PCPTSD5": {"gate": "Y", "items": ["Y", "Y", "Y", "N", "N"]}}
    assert assessed(case)["scores"]["pcptsd5"]["positive"] is True
    assert assessed(case, parameters={"pcptsd5_cutoff_women": 4})["scores"]["pcptsd5"]["positive"] is False


def test_a_lifetime_attempt_alone_can_be_set_to_low() -> None:
    case = {"CSSRS": CSSRS_NO | {"q6": "Y", "q6_3mo": "N"}}
    assert assessed(case)["scores"]["suicide"]["level"] == "MODERATE"
    assert assessed(case, parameters={"cssrs_lifetime_behaviour_level": "LOW"})["scores"]["suicide"]["level"] == "LOW"


def test_a_rule_switched_off_is_not_shown() -> None:
    case = {"KUH": {"days_30": 30}, "MEDS": [{"name": "amlodipine", "classes": ["antihypertensive"]}]}
    assert assessed(case)["interactions"] == ["IX-18"]
    assert assessed(case, off=["IX-18"])["interactions"] == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"off": ["IX-01"]}, "cannot be switched off"),
        ({"off": ["IX-99"]}, "no rule IX-99"),
        ({"parameters": {"kuh_daily_days": 5}}, "kuh_daily_days"),
        ({"colour": 1}, "no part colour"),
    ],
)
def test_settings_that_are_not_allowed_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Settings.from_json(settings)


def test_exported_settings_come_back_as_they_were() -> None:
    settings = Settings.from_json({"parameters": {"kuh_daily_days": 20}, "off": ["IX-18"]})
    assert Settings.from_json(settings.as_json()).as_json() == settings.as_json()


# The command


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("assess", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_prints_one_case(tmp_path: Path) -> None:
    file = tmp_path / "case.json"
    file.write_text(json.dumps(VIGNETTES["V5"]["given"]))
    assert json.loads(command(str(file)))["level"]["suggested"] == "1.7"


def test_a_batch_prints_one_line_each_and_names_what_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_text("\n".join([json.dumps(VIGNETTES["V1"]["given"]), '{"COWS": [3]}', '{"age": 1, "age": 2}', "{}"]))
    out = StringIO()
    with pytest.raises(CommandError, match="2 of 4 cases"):
        call_command("assess", "--batch", str(file), stdout=out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line.get("level", {}).get("suggested") for line in lines] == ["0.5", None, None, "1.5"]
    assert "COWS item 1" in lines[1]["error"]


def test_the_command_takes_the_settings_of_the_clinic(tmp_path: Path) -> None:
    case, settings = tmp_path / "case.json", tmp_path / "settings.json"
    case.write_text(json.dumps({"KUH": {"days_30": 24, "products": []}}))
    settings.write_text(json.dumps({"parameters": {"kuh_daily_days": 20}}))
    assert json.loads(command(str(case)))["kratom"]["daily"] is False
    assert json.loads(command(str(case), "--settings", str(settings)))["kratom"]["daily"] is True


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nothing.json cannot be read"):
        command(str(tmp_path / "nothing.json"))
