"""What the shared components need beyond Django's own tags. Nothing here reads the database."""

import datetime
import re
from functools import lru_cache

from django import template
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from clinic import logs, workflow

register = template.Library()

COMPONENT = re.compile(r"\b[A-Z]{2,4}-\d\d\b")
names: dict[str, str] = {}  # of the plan's components by id; the floor that has the library fills it when the program starts


@register.simple_tag
def request_number() -> str:
    """By which whoever looks after the system finds what was logged about this page."""
    return logs.request_number()


@register.filter
def named(text: str) -> str:
    """“DTX-05” as “DTX-05 Naloxone kit”, once for each id whose name is known."""
    said: set[str] = set()

    def with_name(found: re.Match[str]) -> str:
        known = found[0] in names and found[0] not in said
        said.add(found[0])
        return f"{found[0]} {names[found[0]]}" if known else found[0]

    return COMPONENT.sub(with_name, text)


@register.filter
def listed(words: list[str]) -> str:
    """“PEG, BAM and C-SSRS”."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


@register.filter
def signs(text: str) -> str:
    """<= and >= as they are read."""
    return text.replace("<=", "≤").replace(">=", "≥")


@register.filter
def in_fours(code: str) -> str:
    """“12345678” as “1234 5678”, as it is read aloud and copied by hand."""
    return " ".join(code[at : at + 4] for at in range(0, len(code), 4))


@register.simple_tag
def journey(stage: str) -> list[dict[str, str]]:
    """The stages in order, each with `label` and `state`: done, current or ahead. A closed episode has only that."""
    labels = dict(workflow.STAGES)
    if stage == workflow.CLOSED:
        return [{"label": labels[stage], "state": "current"}]
    codes = [code for code in labels if code != workflow.CLOSED]
    here = codes.index(stage)
    state = {-1: "done", 0: "current", 1: "ahead"}
    return [{"label": labels[code], "state": state[(at > here) - (at < here)]} for at, code in enumerate(codes)]


@register.filter
def days_ago(at: datetime.date | datetime.datetime) -> str:
    """`today`, `yesterday`, `3 days ago`, `in 2 days`: whole days in the clinic's time zone."""
    if isinstance(at, datetime.datetime):
        at = timezone.localtime(at).date()
    days = (timezone.localdate() - at).days
    words = {0: "today", 1: "yesterday", -1: "tomorrow"}
    if days in words:
        return words[days]
    return f"{days} days ago" if days > 0 else f"in {-days} days"


# What a list repeats on every line: a component drawn once for each of its few values, and not once a line.


@register.simple_tag
@lru_cache(maxsize=20)
def severity(level: str) -> SafeString:
    """components/severity.html without a text."""
    return mark_safe(render_to_string("components/severity.html", {"level": level, "text": ""}))  # noqa: S308 a template escapes


@register.simple_tag
def when(day: datetime.date) -> SafeString:
    """components/when.html of a day."""
    return _when(day, timezone.localdate())


@lru_cache(maxsize=1000)
def _when(day: datetime.date, today: datetime.date) -> SafeString:
    return mark_safe(render_to_string("components/when.html", {"at": day}))  # noqa: S308 a template escapes


@register.filter
def short_date(day: datetime.date) -> str:
    """“3 Feb 1990”, as the filter `date` writes it, without asking which formats there are."""
    return f"{day.day} {day:%b %Y}"
