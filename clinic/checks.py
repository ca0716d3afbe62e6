"""`manage.py check` fails for a view without a rule, and for a connection whose walls would not hold."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections
from django.urls import URLPattern, URLResolver, get_resolver

from clinic.permissions import PUBLIC_VIEWS, declared_action
from clinic.ways_in import careless_forms, careless_reads


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


@register(Tags.security)
def every_form_cleans(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"{form} takes what is sent as it is.",
            hint="Derive the form from clinic.forms.Careful; read JSON and files with clinic.cleaning.load_json.",
            id="clinic.E002",
        )
        for form in careless_forms()
    ]


@register(Tags.security)
def every_request_is_read_through_the_cleaning(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"{place}.",
            hint="Give request.POST to a form, or read one mark with clinic.cleaning.entry; choose columns from an enum.",
            id="clinic.E003",
        )
        for place in careless_reads()
    ]


# setting of the server: what keeps patients' data out of its log. Only its superuser may set these.
QUIET = {
    "log_min_error_statement": {"panic"},
    "log_error_verbosity": {"terse"},
    "log_parameter_max_length_on_error": {"0"},
    "log_statement": {"none", "ddl"},
}


@register(Tags.database)
def the_servers_log_holds_no_patient(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Run by `migrate`, and by `check --database default`."""
    if "default" not in (databases or ()):
        return []
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(QUIET)])
        loud = sorted(name for name, setting in cursor.fetchall() if setting not in QUIET[name])
    return [
        Warning(
            f"The database server's log may hold patients' data: {name} should be {' or '.join(sorted(QUIET[name]))}.",
            hint='See docs/deployment.md.',
            id="clinic.W001",
        )
        for name in loud
    ]
