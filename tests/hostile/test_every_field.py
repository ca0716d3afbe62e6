"""Every field of every form on every page, with everything of the hostile corpus: no 5xx, nothing half written, nothing lost."""

import os

import pytest
from django.contrib import admin
from django.urls import resolve
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from clinic.access_table import OWN_ACCOUNT
from clinic.checks import patterns
from clinic.permissions import declared_action
from tests.hostile.corpus import KINDS, corpus, everything
from tests.hostile.house import Everything
from tests.hostile.pages import Page
from tests.hostile.visitor import Visitor, every_form, pages

# Another number walks the corpus in another order and draws other examples; a failure says what was asked, so any number is repeatable.
SEED = int(os.environ.get("STEADY_SEED", "1"))
PARTS = 4
# Every page whose forms are not swept, and why. Of all others at least one form is found by links, or the test below names it.
SHOWS = "it shows, and takes nothing"
ELSEWHERE = "nobody is logged in there, or the log-in would end: tests/clinic/test_guesses.py, test_second_factor.py, test_accounts.py"
NO_FORM = {
    "healthz": SHOWS, "readyz": SHOWS, "front_door": SHOWS, "caseload": SHOWS, "break_glass_reviews": SHOWS, "intake": SHOWS,
    "assessment": SHOWS, "chart": SHOWS, "plan": SHOWS, "versions": SHOWS, "signed_plan": SHOWS, "plan_pdf": SHOWS, "mfa_index": SHOWS,
    "account_reset_password_done": SHOWS, "trail": "its filter is asked for by the address: questions in test_every_address.py",
    "touched": "a page's script posts it without a field", "first_visit": "there is staff already: tests/clinic/test_pages.py",
    "account_login": ELSEWHERE, "account_logout": ELSEWHERE, "account_reset_password_from_key": ELSEWHERE, "mfa_authenticate": ELSEWHERE,
    "mfa_reauthenticate": ELSEWHERE, "mfa_deactivate_totp": ELSEWHERE, "mfa_view_recovery_codes": ELSEWHERE,
    "mfa_download_recovery_codes": ELSEWHERE,
}  # fmt: skip
# Pages of patients and staff whose form writes nothing when it is soundly filled in.
NO_WRITE = {
    "search": "it reads", "plan_start": "the plan is begun already, or there is nothing to begin one from",
    "restrictions": "its first two choices exclude each other, and lifting asks once more: tests/clinic/test_restrictions.py",
}  # fmt: skip
QUICK = settings(max_examples=12, database=None)


@pytest.fixture
def house(db: None) -> Everything:
    return Everything()


def done(visitor: Visitor) -> None:
    assert not visitor.problems, f"{len(visitor.problems)} of {visitor.asked}:\n" + "\n".join(dict.fromkeys(visitor.problems[:40]))


def test_any_page_any_field_anything(house: Everything) -> None:
    """A slice of the sweeps below: pages drawn at random, some of their fields filled at random."""
    visitor, addresses = Visitor(house.client()), pages(house)

    @QUICK
    @seed(SEED)
    @given(st.data())
    def once(data: st.DataObject) -> None:
        url = data.draw(st.sampled_from(addresses))
        response = visitor.ask("GET", url)
        forms = Page(response.content.decode(), url).to_send if response.status_code == 200 and "html" in response["Content-Type"] else []
        if not forms:
            return
        form = data.draw(st.sampled_from(forms[-2:]))
        names = data.draw(st.lists(st.sampled_from(sorted(form.kinds)), min_size=1, max_size=3, unique=True))
        values = st.sampled_from([value for value in everything() if len(value) < 5000]) | st.text()
        visitor.send(form, **{name: data.draw(st.lists(values, max_size=2)) for name in names})
        done(visitor)

    once()
    assert visitor.asked > 12


@pytest.mark.thorough
def test_every_page_has_its_form_swept_or_says_why_not(house: Everything) -> None:
    """By name: a page that is new, whose form nobody can reach here, or that is excused without need."""
    found = {resolve(form.url.partition("?")[0]).view_name for _, form in every_form(Visitor(house.client()), house)}
    views = {pattern.name for _, pattern in patterns()}
    assert views - found == set(NO_FORM)
    assert {f"admin:{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry} <= {
        name.rpartition("_")[0] for name in found
    }


@pytest.mark.thorough
def test_every_form_that_is_filled_in_soundly_writes_or_says_why_not(house: Everything) -> None:
    """Where none does, a hostile value never comes as far as the tables either."""
    visitor, views, writing = Visitor(house.client()), set(), set()
    clinical = {pattern.name for _, pattern in patterns() if declared_action(pattern.callback) not in (None, OWN_ACCOUNT)}
    for sender, form in every_form(visitor, house):
        form.complete()
        before, view = sender.wrote, resolve(form.url.partition("?")[0]).view_name
        views.add(view)
        for more in form.sound():
            if sender.wrote == before:
                sender.send(form, **more)
        if sender.wrote > before:
            writing.add(view)
    assert (views - writing) & clinical == set(NO_WRITE)
    done(visitor)


@pytest.mark.thorough
@pytest.mark.parametrize("part", range(PARTS))
def test_every_form_with_everything_in_all_its_fields(house: Everything, part: int) -> None:
    """All fields at once, so that every field reads every kind of value: a third of the corpus, another third for the next form."""
    visitor = Visitor(house.client())
    for place, (sender, form) in list(enumerate(every_form(visitor, house)))[part::PARTS]:
        fixed = {"shown": form.sent["shown"]} if "shown" in form.sent else {}
        for value in everything()[(place + SEED) % 3 :: 3]:
            if len(value) * len(form.kinds) < 1_500_000:
                sender.send(form, **{name: [value] for name in form.kinds} | fixed)
    done(visitor)


@pytest.mark.thorough
@pytest.mark.parametrize("part", range(PARTS))
def test_every_field_alone_in_a_form_that_is_else_sound(house: Everything, part: int) -> None:
    """So that a value that is taken reaches the tables, and one that is refused is shown again where it was typed."""
    visitor = Visitor(house.client())
    place = SEED
    for sender, form in every_form(visitor, house)[part::PARTS]:
        form.complete()
        sound = sender.send(form).status_code != 422
        for name in form.kinds:
            for kind in KINDS:
                place += 1
                values = [value for value in corpus()[kind] if len(value) <= 5000]
                if name != "csrfmiddlewaretoken":
                    sender.send_one(form, name, values[place * 7 % len(values)], sound=sound)
        sender.send(form, **{name: [] for name in form.kinds})  # nothing of it arrives
        sender.send(form, **{name: values * 2 for name, values in form.sent.items()})  # all of it twice
        sender.send(form, **{f"{name}[0]": values for name, values in form.sent.items()})
    done(visitor)
