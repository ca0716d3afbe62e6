"""A gated questionnaire: shipped as a frame without its wording, which a clinic adds once it has the permission to use it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from clinic.cleaning import load_json
from intake.content_files import CONTENT, questionnaire
from intake.questionnaire import Item, Questionnaire


@dataclass(frozen=True)
class Slot:
    """A place of the frame that has no text. A question needs one; a group may stay without."""

    link_id: str
    label: str
    required: bool


def slots(code: str) -> tuple[Slot, ...]:
    """What of the shipped frame has no text, in its order."""
    return tuple(
        Slot(item.link_id, f"Question {item.prefix or item.link_id}" if item.is_question else "Words above the questions", item.is_question)
        for item in questionnaire(code).by_id.values()
        if not item.text and not item.is_help
    )


def texts_of(worded: Questionnaire) -> dict[str, str]:
    """By linkId, the text that a version holds in each place of the frame as it is shipped now."""
    return {slot.link_id: worded.by_id[slot.link_id].text for slot in slots(worded.code) if slot.link_id in worded.by_id}


def with_texts(code: str, texts: Mapping[str, str], number: int) -> dict[str, Any]:
    """The shipped frame with its texts by linkId, as the version `<the frame's>+text.<number>`.

    Raises ValueError, naming it, for a question without a text or a text without a place.
    """
    places = slots(code)
    missing = [slot.link_id for slot in places if slot.required and not texts.get(slot.link_id)]
    if strange := sorted(texts.keys() - {slot.link_id for slot in places}):
        raise ValueError(f"{code} has no place for a text at {', '.join(strange)}.")
    if missing:
        raise ValueError(f"{code} has no text for {', '.join(missing)}.")
    frame = load_json((CONTENT / "questionnaires" / f"{code}.json").read_bytes())
    for item in _items(frame["item"]):
        if text := texts.get(item["linkId"]):
            item["text"] = text
    return frame | {"version": version(code, number)}


def version(code: str, number: int) -> str:
    return f"{questionnaire(code).version}+text.{number}"


def without_texts(worded: Questionnaire) -> Questionnaire:
    """The same questions by number alone, for answers that are read while the permission is taken back."""
    labels = {slot.link_id: slot.label if slot.required else "" for slot in slots(worded.code)}
    return replace(worded, items=tuple(_unworded(item, labels) for item in worded.items))


def _unworded(item: Item, labels: Mapping[str, str]) -> Item:
    return replace(item, text=labels.get(item.link_id, item.text), children=tuple(_unworded(child, labels) for child in item.children))


def _items(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        yield item
        yield from _items(item.get("item", []))
