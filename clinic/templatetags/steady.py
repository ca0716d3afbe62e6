"""What the shared components need beyond Django's own tags. Nothing here reads the database."""

import datetime

from django import template
from django.utils import timezone

from clinic import workflow

register = template.Library()


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
