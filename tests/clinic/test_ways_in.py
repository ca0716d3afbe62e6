"""A way in that goes past the cleaning is named: a form that does not clean, a request read as it is, a column named from outside."""

import gc
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.contrib import admin

from clinic.checks import every_form_cleans, every_request_is_read_through_the_cleaning
from clinic.models import User
from clinic.ways_in import careless_forms, careless_reads


def test_every_form_and_every_read_of_ours_is_clean() -> None:
    assert list(careless_forms()) == []
    assert list(careless_reads()) == []


@pytest.mark.parametrize("field", [forms.CharField, forms.IntegerField])
def test_a_form_that_does_not_clean_is_named(field: type[forms.Field]) -> None:
    loose = type("LooseForm", (forms.Form,), {"__module__": "intake.forms", "text": field()})
    assert list(careless_forms()) == ["intake.forms.LooseForm"]
    assert [error.id for error in every_form_cleans(None)] == ["clinic.E002"]
    del loose
    gc.collect()  # a class is known by its parent until it is collected
    assert list(careless_forms()) == []


def test_a_field_that_takes_json_as_django_reads_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from intake.forms import AcknowledgeForm

    monkeypatch.setitem(AcknowledgeForm.base_fields, "more", forms.JSONField())  # type: ignore[attr-defined]
    assert list(careless_forms()) == ["intake.forms.flags.AcknowledgeForm.more"]


@pytest.mark.parametrize("name", ["form", "add_form", "change_password_form"])
def test_a_page_of_the_admin_with_djangos_own_form_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(admin.site._registry[User], name, forms.ModelForm)
    assert list(careless_forms()) == ["django.forms.models.ModelForm"]


@pytest.mark.parametrize("setting", ["ACCOUNT_FORMS", "MFA_FORMS"])
def test_an_account_page_with_the_librarys_own_form_is_named(settings: Any, setting: str) -> None:
    setattr(settings, setting, {"login": "allauth.account.forms.LoginForm"})
    assert list(careless_forms()) == ["allauth.account.forms.LoginForm"]


PAST = "past clinic.cleaning.entry and every form"
CARELESS = {
    'request.GET["who"]': f"reads request.GET {PAST}",
    'request.POST.get("who")': f"reads request.POST {PAST}",
    'self.request.POST.getlist("who")': f"reads self.request.POST {PAST}",
    "sent = request.POST": f"reads request.POST {PAST}",
    "[key for key in request.GET]": f"reads request.GET {PAST}",
    'request.headers["User-Agent"]': f"reads request.headers {PAST}",
    "json.loads(request.body.decode())": f"reads request.body {PAST}",
    "rows.filter(**request.GET)": "spreads request.GET over a call",
    "rows.filter(**form.cleaned_data)": "lets a request name a column in filter()",
    'rows.order_by(entry(request.GET, "o"))': "lets a request name a column in order_by()",
    'rows.order_by(f"-{entry(request.GET, name)}")': "lets a request name a column in order_by()",
    'key = entry(request.GET, "o")\n    rows.values(key)': "lets a request name a column in values()",
    'key = form.cleaned_data["sort"]\n    rows.filter(**{f"{key}__gt": 1})': "lets a request name a column in filter()",
    'rows.filter((entry(request.GET, "o"), 1))': "lets a request name a column in filter()",
}
CAREFUL = [
    'entry(request.GET, "who")',
    "Form(request.POST or None)",
    'if "remove" in request.POST:\n        return 1',
    'rows.filter(name=entry(request.GET, "who")).order_by("name")',
    "rows.order_by(*ORDER)",
    "actions.decide(by=request.user, **form.cleaned_data)",
    'tables.get(form.cleaned_data["name"])',
    'response.headers["X"] = "y"',
]


def written(folder: Path, code: str) -> list[str]:
    (folder / "intake" / "views").mkdir(parents=True)
    (folder / "intake" / "views" / "made.py").write_text(f"def view(request):\n    {code}\n")
    return list(careless_reads(folder))


@pytest.mark.parametrize("code", CARELESS)
def test_a_request_that_is_read_as_it_is_is_named_with_its_line(tmp_path: Path, code: str) -> None:
    line = 2 + code.count("\n")
    assert f"intake/views/made.py:{line} {CARELESS[code]}" in written(tmp_path, code)


@pytest.mark.parametrize("code", CAREFUL)
def test_what_is_read_through_the_cleaning_is_not(tmp_path: Path, code: str) -> None:
    assert written(tmp_path, code) == []


def test_the_check_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clinic.checks.careless_reads", lambda: iter(["intake/views/made.py:2 reads request.GET"]))
    (error,) = every_request_is_read_through_the_cleaning(None)
    assert error.id == "clinic.E003" and error.msg == "intake/views/made.py:2 reads request.GET."
