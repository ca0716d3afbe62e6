"""`manage.py check` fails for content that says something that cannot be true."""

from collections.abc import Callable
from typing import Any

from django.core.checks import CheckMessage, Error, register

from intake import flags, formulary, interactions, level_of_care, results, scoring
from intake.content_files import ContentError, questionnaire
from intake.packet import instruments


def problem_of(load: Callable[[], object], id_: str) -> list[CheckMessage]:
    """The sentence with which a loader refuses its file, as a check message; empty when it does not."""
    try:
        load()
    except (ContentError, ValueError) as error:
        return [Error(str(error), id=id_)]
    return []


@register()
def content_can_be_loaded(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every questionnaire, score, rule and table of intake/content/."""
    loaders: list[Callable[[], object]] = [
        lambda: [questionnaire(code) for code in instruments()], scoring.score_definitions, flags.flags, interactions.interactions,
        level_of_care.need_tables, level_of_care.level_rules, formulary.shipped, results.kinds,
    ]  # fmt: skip
    return [problem for load in loaders for problem in problem_of(load, "intake.E001")]
