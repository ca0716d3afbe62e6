"""Where something comes in from outside, found in the code itself: forms that do not clean, and requests read past the cleaning."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.forms import BaseForm
from django.utils.module_loading import import_string

from clinic.forms import Careful

BASE = Path(__file__).resolve().parent.parent
APPS = ("clinic", "intake", "plans")


def careless_forms() -> Iterator[str]:
    """Each form of ours, of the account pages or of the admin that does not clean its text, by its name."""
    found = {*_ours(BaseForm), *map(import_string, _of_the_account_pages()), *_of_the_admin()}
    for form in sorted(found, key=_name):
        if not issubclass(form, Careful):
            yield _name(form)
        for name, field in getattr(form, "base_fields", {}).items():
            if isinstance(field, forms.JSONField | forms.FileField):
                yield f"{_name(form)}.{name}"  # NaN, deep nesting and keys that stand twice pass through these


def _name(form: type) -> str:
    return f"{form.__module__}.{form.__qualname__}"


def _ours(form: type[BaseForm]) -> Iterator[type[BaseForm]]:
    for kind in form.__subclasses__():
        # What has no fields and is no forms.Form is only mixed into others.
        if kind.__module__.startswith(tuple(f"{app}." for app in APPS)) and issubclass(kind, forms.Form | forms.ModelForm):
            yield kind
        yield from _ours(kind)


def _of_the_account_pages() -> list[str]:
    return [*settings.ACCOUNT_FORMS.values(), *settings.MFA_FORMS.values()]


def _of_the_admin() -> Iterator[type[BaseForm]]:
    for page in admin.site._registry.values():
        for asks in (page, *page.inlines):
            yield from (getattr(asks, name) for name in ("form", "add_form", "change_password_form") if hasattr(asks, name))


# Requests

# The one reads every address and cookie, to clean it; the other keeps a form unread until it is sent again, to where it is cleaned.
EXEMPT = frozenset({"clinic/plain.py", "clinic/held.py"})
SENT = frozenset(["GET", "POST", "COOKIES", "FILES", "META", "headers", "body"])
# What takes names of columns, and not only values for them.
COLUMNS = frozenset(
    ["order_by", "values", "values_list", "only", "defer", "annotate", "alias", "aggregate", "select_related", "prefetch_related",
     "distinct", "extra", "raw", "earliest", "latest", "in_bulk", "F", "OuterRef", "RawSQL"]
)  # fmt: skip
ROWS = COLUMNS | {"filter", "exclude", "get", "create", "update", "get_or_create", "update_or_create", "Q"}


def careless_reads(folder: Path = BASE) -> Iterator[str]:
    """Each place of our packages that reads a request past the cleaning, or lets it name a column: "intake/views/flags.py:143 reads …"."""
    for app in APPS:
        for file in sorted((folder / app).rglob("*.py")):
            if file.relative_to(folder).as_posix() in EXEMPT:
                continue
            tree = ast.parse(file.read_text(encoding="utf-8"))
            for line, what in sorted(set(_careless(tree))):
                yield f"{file.relative_to(folder)}:{line} {what}"


def _careless(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=source) | ast.Subscript(value=source) | ast.Assign(value=source) | ast.NamedExpr(value=source) if (
                sent := _sent(source)
            ):
                yield node.lineno, f"reads {sent} past clinic.cleaning.entry and every form"
            case ast.For(iter=source) | ast.comprehension(iter=source) if sent := _sent(source):
                yield source.lineno, f"reads {sent} past clinic.cleaning.entry and every form"
            case ast.Call():
                yield from _careless_call(node)
        if isinstance(node, ast.FunctionDef):
            yield from _columns_from_outside(node)


def _sent(node: ast.AST) -> str:
    """request.GET and its like, as it is written."""
    if not isinstance(node, ast.Attribute) or node.attr not in SENT:
        return ""
    written = ast.unparse(node)
    return written if written.split(".")[-2] == "request" else ""


def _careless_call(call: ast.Call) -> Iterator[tuple[int, str]]:
    starred = [part.value for part in call.args if isinstance(part, ast.Starred)]
    spread = [*starred, *(part.value for part in call.keywords if part.arg is None)]
    for part in spread:
        if sent := _sent(part):
            yield call.lineno, f"spreads {sent} over a call"


def _columns_from_outside(function: ast.FunctionDef) -> Iterator[tuple[int, str]]:
    """Calls of this function in which a name of a column comes from a request or a form."""
    outside: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and _from_outside(node.value, outside):
            outside |= {name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and (called := _called(node)) in ROWS:
            named = node.args if called in COLUMNS else [part for part in node.args if isinstance(part, ast.Starred | ast.Tuple)]
            if any(_from_outside(part, outside) for part in [*named, *(part.value for part in node.keywords if part.arg is None)]):
                yield node.lineno, f"lets a request name a column in {called}()"


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _from_outside(expression: ast.AST, outside: set[str]) -> bool:
    def tells(node: Any) -> bool:
        return (
            bool(_sent(node))
            or (isinstance(node, ast.Attribute) and node.attr == "cleaned_data")
            or (isinstance(node, ast.Call) and _called(node) == "entry")
            or (isinstance(node, ast.Name) and node.id in outside)
        )

    return any(tells(node) for node in ast.walk(expression))
