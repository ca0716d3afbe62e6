"""Every field of every form on every page, with everything of the hostile corpus: no 5xx, nothing half written, nothing lost."""

import os

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from tests.hostile.corpus import KINDS, corpus, everything
from tests.hostile.house import Everything
from tests.hostile.pages import Page
from tests.hostile.visitor import Visitor, every_form, pages

# Another number walks the corpus in another order and draws other examples; a failure says what was asked, so any number is repeatable.
SEED = int(os.environ.get("STEADY_SEED", "1"))
PARTS = 4
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
@pytest.mark.parametrize("part", range(PARTS))
def test_every_form_with_everything_in_all_its_fields(house: Everything, part: int) -> None:
    """All fields at once, so that every field reads every kind of value: a third of the corpus, another third for the next form."""
    visitor = Visitor(house.client())
    forms = every_form(visitor, house)
    assert len(forms) > 60
    for place, form in list(enumerate(forms))[part::PARTS]:
        fixed = {"shown": form.sent["shown"]} if "shown" in form.sent else {}
        for value in everything()[(place + SEED) % 3 :: 3]:
            if len(value) * len(form.kinds) < 1_500_000:
                visitor.send(form, **{name: [value] for name in form.kinds} | fixed)
    done(visitor)


@pytest.mark.thorough
@pytest.mark.parametrize("part", range(PARTS))
def test_every_field_alone_in_a_form_that_is_else_sound(house: Everything, part: int) -> None:
    """So that a value that is taken reaches the tables, and one that is refused is shown again where it was typed."""
    visitor = Visitor(house.client())
    place = SEED
    for form in every_form(visitor, house)[part::PARTS]:
        form.complete()
        sound = visitor.send(form).status_code != 422
        for name in form.kinds:
            for kind in KINDS:
                place += 1
                values = [value for value in corpus()[kind] if len(value) <= 5000]
                if name != "csrfmiddlewaretoken":
                    visitor.send_one(form, name, values[place * 7 % len(values)], sound=sound)
        visitor.send(form, **{name: [] for name in form.kinds})  # nothing of it arrives
        visitor.send(form, **{name: values * 2 for name, values in form.sent.items()})  # all of it twice
        visitor.send(form, **{f"{name}[0]": values for name, values in form.sent.items()})
    assert visitor.asked > 300 and visitor.wrote > 50
    done(visitor)
