"""Scores as data: which items, which bands, what a missing answer does. Weights live only in the questionnaire."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from intake import content_files
from intake.answers import Answer, Answers, State
from intake.content_files import CONTENT, HEADER, ContentError
from intake.questionnaire import Item, Questionnaire

Number = int | Decimal


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Band(_Strict):
    """Inclusive at both ends."""

    low: int = Field(alias="from")
    high: int = Field(alias="to")
    code: str


class Missing(_Strict):
    """prorate: up to `at_most` unanswered items are estimated; bounds: no total; range: the count stands, the band may be a range."""

    rule: Literal["prorate", "bounds", "range"]
    at_most: int = 0


class ScoreDefinition(_Strict):
    """One score file, pinned to url|version of its questionnaire and to linkIds."""

    code: str
    name: str
    questionnaire: str
    items: tuple[str, ...]
    bands: tuple[Band, ...]
    missing: Missing
    source: str
    loinc: str = ""  # the total's code, where two independent sources confirm it
    positive_from: int | None = None
    positive_by_sex: dict[str, str] = {}
    subscores: dict[str, tuple[str, ...]] = {}
    note: str = ""


@dataclass(frozen=True)
class Score:
    """One score of one person.

    total: as published, an estimate when prorated, None when there is none. floor: the sum of what is answered.
    low and high: what the rules use for "at least" and "less than". band: a code, or a range "A to B, incomplete".
    positive: None while it cannot be decided. text: the score as it is read.
    """

    code: str
    name: str
    total: Number | None
    low: Number
    high: Number
    floor: Number
    band: str | None
    prorated: bool
    answered: int
    unanswered: int
    declined: int
    positive: bool | None
    text: str
    source: str
    subscores: Mapping[str, Number] = field(default_factory=dict)
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Everything but the words that stand in columns of their own."""
        names = ("prorated", "answered", "unanswered", "declined", "positive", "source", "note")
        return {name: getattr(self, name) for name in names} | {"subscores": dict(self.subscores)}


@cache
def score_definitions() -> Mapping[str, ScoreDefinition]:
    """Every score by code. Raises ContentError naming file and key when one does not fit its questionnaire."""
    return {path.stem: _load(path.stem) for path in sorted((CONTENT / "scores").glob("*.yaml"))}


def _load(code: str) -> ScoreDefinition:
    where = f"scores/{code}.yaml"
    data = content_files.read(where)
    body = {key: value for key, value in data.items() if key not in HEADER or key == "source"}
    try:
        definition = ScoreDefinition.model_validate(body)
    except ValidationError as error:
        raise ContentError(f"{where}: {error}") from error
    check(definition, content_files.questionnaire(code))
    return definition


def check(definition: ScoreDefinition, questionnaire: Questionnaire) -> None:
    """Raise ContentError unless the score fits: version, linkIds, weights, and bands without gap over the whole range."""
    where = f"scores/{definition.code}.yaml"
    if definition.questionnaire != questionnaire.key:
        raise ContentError(f"{where}: it is pinned to {definition.questionnaire}, not to {questionnaire.key}")
    for link_id in (*definition.items, *(id for ids in definition.subscores.values() for id in ids)):
        item = questionnaire.by_id.get(link_id)
        if item is None or not item.options or any(option.weight is None for option in item.options):
            raise ContentError(f"{where}: item {link_id} has no weights in {questionnaire.key}")
    highest = sum(_most(questionnaire.by_id[link_id]) for link_id in definition.items)
    edges = [definition.bands[0].low, *(band.high + 1 for band in definition.bands)] if definition.bands else []
    if definition.bands and (edges[0] != 0 or edges[-1] != highest + 1 or edges[1:-1] != [b.low for b in definition.bands[1:]]):
        raise ContentError(f"{where}: the bands do not cover 0 to {highest} without gap")


def _most(item: Item) -> Number:
    return _plain(max(option.weight for option in item.options if option.weight is not None))


def _plain(number: Number) -> Number:
    """Whole numbers as int."""
    return int(number) if number == int(number) else number


def score(
    definition: ScoreDefinition, questionnaire: Questionnaire, answers: Answers, *, cutoff: int | None = None,
    not_applicable: frozenset[str] = frozenset(),
) -> Score:  # fmt: skip
    """Score the answers of one response. An unanswered item is never 0.

    cutoff: from which the result is positive, where the definition leaves it to sex and settings.
    not_applicable: items whose branch does not apply: they are known, and add 0.
    """
    points: dict[str, Number] = dict.fromkeys(not_applicable & set(definition.items), 0)
    open_ = []
    for link_id in definition.items:
        if link_id in points:
            continue
        answer = answers.get((link_id, ""))
        if answer is not None and answer.state is State.GIVEN:
            points[link_id] = _points(questionnaire.by_id[link_id], answer)
        else:
            open_.append(link_id)
    declined = sum(answers.get((id, ""), _MISSING).state is State.DECLINED for id in open_)
    floor = _plain(sum(points.values()))
    ceiling = _plain(floor + sum(_most(questionnaire.by_id[id]) for id in open_))
    total, prorated = _total(definition, floor, len(points), len(open_))
    low = floor if total is None else total
    high = ceiling if total is None or definition.missing.rule == "range" else total
    cutoff = definition.positive_from if cutoff is None else cutoff
    band = _band(definition, total, ceiling)
    positive = _positive(cutoff, total, low, ceiling)
    return Score(
        definition.code, definition.name, total, low, high, floor, band, prorated, len(points), len(open_), declined, positive,
        _text(total, floor, band, prorated, len(open_), positive, bool(definition.bands)), definition.source,
        {name: _plain(sum(points.get(id, 0) for id in ids)) for name, ids in definition.subscores.items()}, definition.note,
    )  # fmt: skip


_MISSING = Answer(State.MISSING)


def _points(item: Item, answer: Answer) -> Number:
    weight = item.weight_of(answer.values[0])
    if weight is None:
        raise ValueError(f"item {item.link_id}: {answer.values[0]} has no weight")
    return _plain(weight)


def _total(definition: ScoreDefinition, floor: Number, answered: int, unanswered: int) -> tuple[Number | None, bool]:
    """The total and whether it is an estimate."""
    if not unanswered:
        return floor, False
    if definition.missing.rule == "range":
        return floor, False
    if definition.missing.rule == "prorate" and unanswered <= definition.missing.at_most:
        estimate = Decimal(floor) / answered * (answered + unanswered)
        return int(estimate.quantize(Decimal(1), ROUND_HALF_UP)), True
    return None, False


def _band(definition: ScoreDefinition, total: Number | None, ceiling: Number) -> str | None:
    if total is None or not definition.bands:
        return None
    code = _band_of(definition, total)
    highest = _band_of(definition, ceiling)
    if definition.missing.rule == "range" and code != highest:
        return f"{code} to {highest}, incomplete"
    return code


def _band_of(definition: ScoreDefinition, value: Number) -> str:
    return next(band.code for band in definition.bands if band.low <= value <= band.high)


def _positive(cutoff: int | None, total: Number | None, low: Number, ceiling: Number) -> bool | None:
    """Decided by the total, or by what the unanswered items can no longer change."""
    if cutoff is None:
        return None
    if total is not None:
        return total >= cutoff
    return True if low >= cutoff else False if ceiling < cutoff else None


def _text(
    total: Number | None, floor: Number, band: str | None, prorated: bool, unanswered: int, positive: bool | None, banded: bool
) -> str:
    """13, moderate · about 14 (2 unanswered, at least 11), moderate · at least 14, 2 unanswered."""
    if total is None:
        said = f"at least {floor}, {unanswered} unanswered"
    elif prorated:
        said = f"about {total} (at least {floor}, {unanswered} unanswered)"
    elif unanswered:
        said = f"at least {floor}, {unanswered} unanswered"
    else:
        said = str(total)
    words = band if band else "" if banded or positive is None else "positive" if positive else "negative"
    return f"{said}, {words}" if words else said
