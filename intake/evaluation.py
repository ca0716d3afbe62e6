"""The whole computation, in its order: facts, interactions and safety flags, needs, level. Pure; the plan's own rules come later."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any

from intake import flags as safety_flags
from intake import interactions as interaction_rules
from intake.content_files import CONTENT, read, sha256
from intake.facts.gather import Forms, Gathered, Person, gather
from intake.facts.names import FACTS
from intake.facts.reading import Filled
from intake.facts.suicide import screens
from intake.formulary import Formulary
from intake.level_of_care import LevelSuggestion, Need, rate_needs, suggest_level
from intake.parameters import Parameters
from intake.rules import Fired, Input, Undecided
from intake.scoring import Score

__all__ = ["Evaluated", "Filled", "Person", "Settings", "draft_flags", "evaluate_episode", "fired_of"]

CHECKED = ("facts.yaml", "flags.yaml", "interactions.yaml", "level_of_care.yaml", "instruments.yaml", "formulary.yaml", "results.yaml")
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Settings:
    """What the clinic has set: named numbers, the rules that are switched off (never a critical one), the formulary."""

    parameters: Parameters = field(default_factory=Parameters)
    off: frozenset[str] = frozenset()
    packet: tuple[str, ...] = ()
    formulary: Formulary = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Settings":
        """What as_json gave. Raises ValueError naming what is not allowed."""
        if strange := set(data) - {"parameters", "off", "packet", "formulary"}:
            raise ValueError(f"Settings have no part {', '.join(sorted(strange))}.")
        off = frozenset(data.get("off", ()))
        rules = {**interaction_rules.interactions(), **safety_flags.flags()}
        for rule_id in sorted(off):
            if rule_id not in rules:
                raise ValueError(f"There is no rule {rule_id}.")
            if rules[rule_id].can_be_critical:
                raise ValueError(f"{rule_id} can be critical, so it cannot be switched off.")
        return cls(Parameters(values=data.get("parameters", {})), off, tuple(data.get("packet", ())), data.get("formulary", {}))

    def as_json(self) -> dict[str, Any]:
        formulary = {name: sorted(classes) for name, classes in self.formulary.items()}
        return {
            "parameters": self.parameters.effective(), "off": sorted(self.off), "packet": list(self.packet), "formulary": formulary,
        }  # fmt: skip


@dataclass(frozen=True)
class Evaluated:
    """What is known about a person at one moment, and what follows from it."""

    facts: dict[str, Any]
    origins: dict[str, str]
    scores: Mapping[str, Score]
    flags: tuple[Fired, ...]
    interactions: tuple[Fired, ...]
    undecided: tuple[Undecided, ...]
    needs: Mapping[str, Need]
    level: LevelSuggestion
    content_hash: str

    def as_json(self) -> dict[str, Any]:
        """The result as it is frozen in an assessment."""
        return {
            "scores": [_score(score) for score in self.scores.values()],
            "flags": [asdict(rule) for rule in self.flags],
            "interactions": [asdict(rule) for rule in self.interactions],
            "undecided": [{"rule_id": u.rule_id, "name": u.name, "sentence": u.sentence} for u in self.undecided],
            "needs": [_need(need) for need in self.needs.values()],
            "level": asdict(self.level) | {"text": f"{self.level.level}: {self.level.label} (rule {self.level.rule})"},
            "unreviewed": [file for file in CHECKED if read(file)["checker"] is None],
        }


def _score(score: Score) -> dict[str, Any]:
    return {
        "code": score.code, "name": score.name, "total": score.total, "band": score.band, "text": score.text, "floor": score.floor,
        "prorated": score.prorated, "source": score.source, "note": _note(score),
    }  # fmt: skip


def _note(score: Score) -> str:
    """The parts of a score that are read apart (SUD-11: criteria 1 to 9, tolerance and withdrawal), then its own note."""
    parts = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in score.subscores.items())
    return ". ".join(text for text in (parts[:1].upper() + parts[1:], score.note) if text)


def _need(need: Need) -> dict[str, Any]:
    inputs = [asdict(row) for row in need.inputs]
    return {
        "id": need.code, "name": need.name, "rating": need.rating, "text": need.row_text, "up_to": need.up_to, "note": need.note,
        "inputs": inputs,
    }  # fmt: skip


def fired_of(result: Mapping[str, Any]) -> tuple[Fired, ...]:
    """The flags and interactions of a frozen result, as they were."""
    rows = (*result["flags"], *result["interactions"])
    return tuple(Fired(**row | {"inputs": tuple(map(_input_of, row["inputs"]))}) for row in rows)


def _input_of(given: Mapping[str, Any]) -> Input:
    return Input(**{**given, "medicines": tuple(given.get("medicines", ()))})  # frozen before there were any: none


def evaluate_episode(
    person: Person, forms: Forms, settings: Settings, at: datetime.datetime,
    told: Mapping[str, object] = NOTHING, told_by: Mapping[str, str] = NOTHING,
) -> Evaluated:  # fmt: skip
    """Everything, from the filled questionnaires by code; `at` is now, in the clinic's time zone.

    told: facts that are known by another way than the questionnaires; told_by: by which, in words.
    """
    known = gather(person, forms, {*settings.packet, *forms}, settings.parameters, at, settings.formulary, told)
    facts, inputs = dict(known.facts), _inputs(known, forms, told_by)
    crossing = interaction_rules.evaluate(facts, inputs, off=settings.off)
    facts |= dict(crossing.truths) | {"any_ix": interaction_rules.any_interaction(crossing.truths)}
    inputs |= _inputs_of(crossing.fired)
    raised = safety_flags.evaluate(facts, inputs, off=settings.off)
    facts |= raised.truths
    inputs |= _inputs_of(raised.fired)
    needs = rate_needs(facts, known.bounds, inputs)
    facts |= {code.lower(): need.rating for code, need in needs.items()}
    level = suggest_level(facts, needs, known.bounds, inputs)
    facts["loc"] = level.level
    origins = {name: rows[0].origin for name, rows in inputs.items() if rows}
    return Evaluated(
        {name: value for name, value in facts.items() if name in FACTS}, origins, known.scores, raised.fired, crossing.fired,
        (*crossing.undecided, *raised.undecided), needs, level, content_hash(),
    )  # fmt: skip


def draft_flags(
    person: Person, forms: Forms, settings: Settings, at: datetime.datetime,
    told: Mapping[str, object] = NOTHING, told_by: Mapping[str, str] = NOTHING,
) -> tuple[tuple[Fired, ...], frozenset[str], str]:  # fmt: skip
    """The flags that cannot wait for the submit, the rules that were looked at, and the content's hash. told: as evaluate_episode."""
    known = gather(person, forms, {*settings.packet, *forms}, settings.parameters, at, settings.formulary, told)
    raised = safety_flags.evaluate(known.facts, _inputs(known, forms, told_by), off=settings.off, draft=True)
    looked_at = frozenset(rule.id for rule in safety_flags.flags().values() if rule.draft)
    return raised.fired, looked_at, content_hash()


def _inputs(known: Gathered, forms: Forms, told_by: Mapping[str, str]) -> dict[str, Sequence[Input]]:
    """How each known fact is shown: its label, its value with the unit, and where and when it was said."""
    shown: dict[str, Sequence[Input]] = {}
    origins = {code: _origin(code, filled) for code, filled in forms.items()}
    if screened := screens(forms):
        origins["suicide"] = _origin("suicide", screened[0])
    for name, fact in FACTS.items():
        value = known.facts.get(name)
        if value is None or fact.instrument == "rule":
            continue
        origin = told_by.get(name) or origins.get(fact.instrument) or _origin(fact.instrument, None)
        because = known.because.get(name)
        said = f"{_said(value, fact.unit)}: {because}" if because else _said(value, fact.unit)
        shown[name] = (Input(name, fact.label, said, origin, known.medicines.get(name, ())),)
    return shown


def _origin(code: str, filled: Filled | None) -> str:
    return filled.origin if filled else "registration" if code == "person" else "not asked"


def _said(value: object, unit: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value} {unit}".strip()


def _inputs_of(fired: Sequence[Fired]) -> dict[str, Sequence[Input]]:
    return {rule.rule_id.lower().replace("-", "_"): rule.inputs for rule in fired}


@cache
def content_hash() -> str:
    """SHA-256 over everything in intake/content/: questionnaires, scores, rules."""
    files = sorted(path for path in CONTENT.rglob("*") if path.is_file())
    return sha256({path.relative_to(CONTENT).as_posix(): path.read_text(encoding="utf-8") for path in files})
