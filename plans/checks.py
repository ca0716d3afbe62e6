"""`manage.py check` fails for a component library that says something that cannot be true."""

from typing import Any

from django.core.checks import CheckMessage, register

from intake.checks import problem_of
from plans import components, coverage, handouts, reasons


@register()
def library_can_be_loaded(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every component, answer, reason and handout of plans/content/."""
    loaders = [components.load_components, components.answers, reasons.words, coverage.coverage, handouts.load_handouts]
    return [problem for load in loaders for problem in problem_of(load, "plans.E001")]
