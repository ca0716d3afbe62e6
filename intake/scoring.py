"""Scores as data: which items, which bands, what a missing answer does. Weights live only in the questionnaire."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from intake import content_files
from intake.answers import Answer, Answers, Coding, State, Value
from intake.content_files import CONTENT, HEADER, ContentError
from intake.questionnaire import Item, Questionnaire

Number = int | Decimal
TENTH = Decimal("0.1")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Band(_Strict):
    """Inclusive at both ends."""

    low: Decimal = Field(alias="from")
    high: Decimal = Field(alias="to")
    code: str


class Flagged(_Strict):
    """The values of a subscore that stand out: from `low` up, or up to `high`."""

    low: int | None = Field(None, alias="from")
    high: int | None = Field(None, alias="to")

    def holds(self, value: Number) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


class ZeroWhen(_Strict):
    """Items that are 0, asked or not, because `question` was answered with the code `answer`."""

    question: str
    answer: str
    items: tuple[str, ...]


class Missing(_Strict):
    """prorate: up to `at_most` unanswered items are estimated; bounds: no total; range: the count stands, the band may be a range;
    none: nothing is known; subscores: there is never a total, and a subscore with an unanswered item is not known.
    """

    rule: Literal["prorate", "bounds", "range", "none", "subscores"]
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
    mean: bool = False  # of the items, to one decimal, instead of their sum
    gate: str = ""  # the question without whose answer nothing is known
    zero_when: tuple[ZeroWhen, ...] = ()
    subscores: dict[str, tuple[str, ...]] = {}
    flagged: dict[str, Flagged] = {}
    note: str = ""


@dataclass(frozen=True)
class Score:
    """One score of one person.

    total: as published, an estimate when prorated, None when there is none. floor: the sum of what is answered.
    low and high: what the rules use for "at least" and "less than"; None where nothing can be said before all is answered.
    band: a code, or a range "A to B, incomplete". positive: None while it cannot be decided. said: the value in words; text: with
    its band or verdict. subscores: by name, None while one of its items is open. flagged: the subscores that stand out.
    """

    code: str
    name: str
    total: Number | None
    low: Number | None
    high: Number | None
    floor: Number
    band: str | None
    prorated: bool
    answered: int
    unanswered: int
    declined: int
    positive: bool | None
    said: str
    text: str
    source: str
    subscores: Mapping[str, Number | None] = field(default_factory=dict)
    flagged: tuple[str, ...] = ()
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Everything but the words that stand in columns of their own."""
        names = ("prorated", "answered", "unanswered", "declined", "positive", "source", "note")
        parts = {"subscores": dict(self.subscores), "flagged": list(self.flagged)}
        return {name: getattr(self, name) for name in names} | parts


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
        if not _has_points(questionnaire.by_id.get(link_id)):
            raise ContentError(f"{where}: item {link_id} has no weights in {questionnaire.key}")
    for link_id in (definition.gate, *(rule.question for rule in definition.zero_when)):
        if link_id and link_id not in questionnaire.by_id:
            raise ContentError(f"{where}: there is no item {link_id} in {questionnaire.key}")
    if strange := set(definition.flagged) - set(definition.subscores):
        raise ContentError(f"{where}: there is no subscore {', '.join(sorted(strange))}")
    _check_bands(definition, questionnaire, where)


def _check_bands(definition: ScoreDefinition, questionnaire: Questionnaire, where: str) -> None:
    """The bands cover the whole range without gap; those of a mean in steps of one tenth."""
    if not definition.bands:
        return
    step = TENTH if definition.mean else Decimal(1)
    most = [_most(questionnaire.by_id[link_id]) for link_id in definition.items]
    highest = max(most) if definition.mean else sum(most)
    edges = [definition.bands[0].low, *(band.high + step for band in definition.bands)]
    if edges[0] != 0 or edges[-1] != highest + step or edges[1:-1] != [band.low for band in definition.bands[1:]]:
        raise ContentError(f"{where}: the bands do not cover 0 to {highest} without gap")


def _has_points(item: Item | None) -> bool:
    """Whether each answer has a weight, or is a number itself."""
    if item is None:
        return False
    if item.type == "integer":
        return item.min_value == 0 and item.max_value is not None
    return bool(item.options) and all(option.weight is not None for option in item.options)


def _most(item: Item) -> Number:
    if item.type == "integer":
        return item.max_value  # type: ignore[no-any-return]
    return _plain(max(option.weight for option in item.options if option.weight is not None))


def _plain(number: Number) -> Number:
    """Whole numbers as int."""
    return int(number) if number == int(number) else number


def score(definition: ScoreDefinition, questionnaire: Questionnaire, answers: Answers, *, cutoff: int | None = None) -> Score:
    """Score the answers of one response. An unanswered item is never 0.

    cutoff: from which the result is positive, where the definition leaves it to sex and settings.
    """
    points = _points_of(definition, questionnaire, answers)
    open_ = [link_id for link_id in definition.items if link_id not in points]
    rule = definition.missing.rule
    shut = bool(definition.gate) and _given(answers, definition.gate) is None
    floor = _plain(sum(points.values()))
    ceiling = _plain(floor + sum(_most(questionnaire.by_id[id]) for id in open_))
    total, prorated = (None, False) if shut else _total(definition, floor, len(points), len(open_))
    bounded = not shut and rule != "subscores" and (rule != "none" or total is not None)
    low = None if not bounded else floor if total is None else total
    high = None if not bounded else ceiling if total is None or rule == "range" else total
    subscores = {name: _subscore(definition, ids, points) for name, ids in definition.subscores.items()}
    flagged = tuple(name for name, stands_out in definition.flagged.items() if _holds(stands_out, subscores[name]))
    band = _band(definition, total, ceiling)
    positive = None if shut else _positive(definition.positive_from if cutoff is None else cutoff, total, floor, ceiling)
    said = _said_subscores(subscores, flagged) if rule == "subscores" else _said(total, floor, prorated, len(open_), shut, bounded)
    words = band or ("" if definition.bands or positive is None else "positive" if positive else "negative")
    return Score(
        code=definition.code, name=definition.name, total=total, low=low, high=high, floor=floor,
        band=band, prorated=prorated, answered=len(points), unanswered=len(open_),
        declined=sum(answers.get((id, ""), _MISSING).state is State.DECLINED for id in open_),
        positive=positive, said=said, text=f"{said}, {words}" if words else said, source=definition.source,
        subscores=subscores, flagged=flagged, note=definition.note,
    )  # fmt: skip


_MISSING = Answer(State.MISSING)


def _given(answers: Answers, link_id: str) -> Value | None:
    answer = answers.get((link_id, ""), _MISSING)
    return answer.values[0] if answer.state is State.GIVEN else None


def _zeros(definition: ScoreDefinition, answers: Answers) -> Iterator[str]:
    """The items that are known to be 0 because of another answer."""
    for rule in definition.zero_when:
        value = _given(answers, rule.question)
        if isinstance(value, Coding) and value.code == rule.answer:
            yield from rule.items


def _points_of(definition: ScoreDefinition, questionnaire: Questionnaire, answers: Answers) -> dict[str, Number]:
    """The points of what is answered, or known to be 0, by linkId."""
    points: dict[str, Number] = dict.fromkeys(_zeros(definition, answers), 0)
    for link_id in definition.items:
        if link_id not in points and (value := _given(answers, link_id)) is not None:
            points[link_id] = _points(questionnaire.by_id[link_id], value)
    return points


def _points(item: Item, value: Value) -> Number:
    if item.type == "integer":
        return value  # type: ignore[return-value]
    weight = item.weight_of(value)
    if weight is None:
        raise ValueError(f"item {item.link_id}: {value} has no weight")
    return _plain(weight)


def _total(definition: ScoreDefinition, floor: Number, answered: int, unanswered: int) -> tuple[Number | None, bool]:
    """The total and whether it is an estimate."""
    rule = definition.missing.rule
    if rule == "subscores":
        return None, False
    if not unanswered or rule == "range":
        return _plain((Decimal(floor) / answered).quantize(TENTH, ROUND_HALF_UP)) if definition.mean else floor, False
    if rule == "prorate" and unanswered <= definition.missing.at_most:
        estimate = Decimal(floor) / answered * (answered + unanswered)
        return int(estimate.quantize(Decimal(1), ROUND_HALF_UP)), True
    return None, False


def _subscore(definition: ScoreDefinition, link_ids: tuple[str, ...], points: Mapping[str, Number]) -> Number | None:
    """The count so far where the count stands; else None while one of its items is open."""
    known = [points[link_id] for link_id in link_ids if link_id in points]
    return _plain(sum(known)) if len(known) == len(link_ids) or definition.missing.rule == "range" else None


def _holds(stands_out: Flagged, value: Number | None) -> bool:
    return value is not None and stands_out.holds(value)


def _band(definition: ScoreDefinition, total: Number | None, ceiling: Number) -> str | None:
    if total is None or not definition.bands:
        return None
    code = _band_of(definition, total)
    if definition.missing.rule == "range" and code != (highest := _band_of(definition, ceiling)):
        return f"{code} to {highest}, incomplete"
    return code


def _band_of(definition: ScoreDefinition, value: Number) -> str:
    return next(band.code for band in definition.bands if band.low <= value <= band.high)


def _positive(cutoff: int | None, total: Number | None, floor: Number, ceiling: Number) -> bool | None:
    """Decided by the total, or by what the unanswered items can no longer change."""
    if cutoff is None:
        return None
    if total is not None:
        return total >= cutoff
    return True if floor >= cutoff else False if ceiling < cutoff else None


def _said(total: Number | None, floor: Number, prorated: bool, unanswered: int, shut: bool, bounded: bool) -> str:
    """13 · about 14 (at least 11, 2 unanswered) · at least 14, 2 unanswered · not scored, 1 unanswered."""
    if shut:
        return "not scored, the first question is unanswered"
    if not bounded:
        return f"not scored, {unanswered} unanswered"
    if prorated:
        return f"about {total} (at least {floor}, {unanswered} unanswered)"
    return f"at least {floor}, {unanswered} unanswered" if unanswered else str(total)


def _said_subscores(subscores: Mapping[str, Number | None], flagged: tuple[str, ...]) -> str:
    """use 2 (stands out), risk 3, protective not scored."""
    words = {name: "not scored" if value is None else str(value) for name, value in subscores.items()}
    return ", ".join(f"{name} {said}{' (stands out)' if name in flagged else ''}" for name, said in words.items())
