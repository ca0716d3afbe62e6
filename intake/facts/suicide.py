"""The suicide risk level, from the C-SSRS screener or the ASQ (2.9)."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from intake.answers import Coding
from intake.facts.reading import Filled
from intake.parameters import Parameters

INSTRUMENTS = ("cssrs", "asq")
RISKS = ("NONE", "NOT_SCREENED", "LOW", "MODERATE", "HIGH")
YES, NO = "LA33-6", "LA32-8"  # LOINC answers of the C-SSRS


@dataclass(frozen=True)
class Screen:
    """What one screen says. open: positive, with the question that tells how urgent it is unanswered."""

    level: str
    open: bool = False

    @property
    def complete(self) -> bool:
        return self.level != "NOT_SCREENED" and not self.open


def screens(forms: Mapping[str, Filled]) -> list[Filled]:
    """Every suicide screen there is, newest first."""
    found = [one for code in INSTRUMENTS if code in forms for one in (forms[code], *forms[code].earlier)]
    return sorted(found, key=lambda one: one.at, reverse=True)


def suicide_facts(forms: Mapping[str, Filled], parameters: Parameters, at: datetime.datetime) -> dict[str, object]:
    """The risk level. A screen that is not complete never takes back what an earlier one found."""
    every = screens(forms)
    if not every:
        return {"cssrs": "NOT_SCREENED", "suicide_open": False, "suicide_screened_today": False}
    newest = _screen(every[0], parameters)
    standing = newest.level
    if not newest.complete:
        for before in every[1:]:
            found = _screen(before, parameters)
            standing = max(standing, found.level, key=RISKS.index)
            if found.complete:
                break
    phq9 = forms.get("phq9")
    day = (phq9.at if phq9 else at).astimezone(at.tzinfo).date()
    same_day = every[0].at.astimezone(at.tzinfo).date() == day
    return {
        "cssrs": standing,
        "suicide_open": newest.open or (not newest.complete and standing != "NOT_SCREENED"),
        "suicide_screened_today": newest.complete and same_day and every[0].by_clinicians,
    }


def _screen(filled: Filled, parameters: Parameters) -> Screen:
    return cssrs(filled, parameters) if filled.questionnaire.code == "cssrs" else asq(filled, parameters)


def cssrs(filled: Filled, parameters: Parameters) -> Screen:
    """Triage of the C-SSRS, in its order; a recorded Yes counts even where its question should have been skipped.

    Source: Columbia triage guidance; items 1 to 6, 6a: within the past 3 months.
    """
    said = {link_id: _recorded(filled, link_id) for link_id in ("1", "2", "3", "4", "5", "6", "6a")}
    if said["4"] or said["5"] or (said["6"] and said["6a"]):
        return Screen("HIGH", open=said["6"] is True and said["6a"] is None)
    only_before = said["6"] is True and said["6a"] is False
    counts_less = only_before and parameters.choice("cssrs_lifetime_behaviour_level") == "LOW"
    if said["3"] or (said["6"] and not counts_less):
        return Screen("MODERATE", open=said["6"] is True and said["6a"] is None)
    required = ("1", "2", "6", *(("3", "4", "5") if said["2"] else ()))
    if any(said[link_id] is None for link_id in required):
        return Screen("NOT_SCREENED")
    return Screen("LOW" if said["1"] or said["2"] or counts_less else "NONE")


def _recorded(filled: Filled, link_id: str) -> bool | None:
    value = filled.recorded(link_id)
    return {YES: True, NO: False}.get(value.code) if isinstance(value, Coding) else None


def asq(filled: Filled, parameters: Parameters) -> Screen:
    """Acute positive is HIGH, non-acute MODERATE; a refusal counts as positive (Horowitz 2020).

    As with the C-SSRS, a recorded Yes to item 5 counts even where it should not have been asked.
    """
    first = [filled.yes(link_id) for link_id in "1234"]
    refused = any(filled.answer(link_id).state == "declined" for link_id in "1234")
    now = filled.recorded("5")
    if now is True:
        return Screen("HIGH")
    if True not in first and not refused:
        return Screen("NOT_SCREENED" if None in first else "NONE")
    # Only a lifetime attempt, everything else answered no: MODERATE unless the program set it to LOW.
    if first == [False, False, False, True] and now is False:
        return Screen(parameters.choice("asq_lifetime_attempt_level"))
    return Screen("MODERATE", open=now is None)
