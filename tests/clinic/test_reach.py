"""What a page knows of an episode it has read, it need not ask the database again."""

from collections.abc import Callable
from typing import Any

import pytest

from clinic import actions
from clinic.access_table import ROLES, TABLE
from clinic.models import ChartRestriction, Episode, User
from clinic.permissions import may
from clinic.transaction import acting, set_actor
from clinic.views.reach import within
from tests.people import House, make_episode, make_house, make_user


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def restrict(by: User, episode: Episode) -> None:
    with acting(by, "care_team.assign"):
        ChartRestriction.objects.create(program=episode.program, patient=episode.patient, kind="team only", reason="Works next door", by=by)


def break_glass(by: User, episode: Episode) -> None:
    with acting(by, "break_glass.invoke"):
        actions.break_glass(by=by, episode=episode, category="medical", reason="Unconscious at the door, respiratory rate 6")


EVERY_ROLE = [pytest.param(role, marks=() if role in ("nurse", "supervisor") else pytest.mark.thorough) for role in ROLES]


@pytest.mark.parametrize("role", EVERY_ROLE)
@pytest.mark.parametrize("overseer", [False, True])
def test_what_is_known_of_an_episode_that_was_read_agrees_with_the_query(house: House, role: str, overseer: bool) -> None:
    """Their own team's, a restricted one of it and one that is not, one opened in an emergency; read as whoever oversees reads it too."""
    others = [("privacy_auditor", house.program)] if overseer and role != "privacy_auditor" else []
    user, supervisor = make_user("somebody", (role, house.program), *others), house.staff["supervisor"]
    episodes = [make_episode(house.staff["intake"], house.program, last_name=f"Case {number}") for number in range(5)]
    with acting(supervisor, "care_team.assign"):
        for episode in episodes[:2]:
            actions.join_care_team(by=supervisor, episode=episode, user=user)
        for episode in episodes[1:3]:
            restrict(supervisor, episode)
    if may(user, "break_glass.invoke"):
        break_glass(user, episodes[3])
    set_actor(user, "chart.view")
    read = [*Episode.objects.visible_to(user, "audit.view").with_reach(user), *Episode.objects.caseload(user, 50)]
    asked = list(Episode.objects.filter(pk__in=[episode.pk for episode in read]))
    for action in TABLE:
        for full in (False, True):
            assert within(user, action, read, full=full) == within(user, action, asked, full=full), (action, full)


def test_what_was_read_with_its_reach_is_not_asked_for_again(house: House, django_assert_num_queries: Callable[[int], Any]) -> None:
    nurse = house.staff["nurse"]
    set_actor(nurse, "chart.view")
    episode = Episode.objects.with_reach(nurse).get(pk=house.mine.pk)
    nurse.program_roles()
    with django_assert_num_queries(0):
        assert within(nurse, "plan.edit", [episode])
    with django_assert_num_queries(1):
        assert within(nurse, "plan.edit", [house.mine])


def test_the_caseload_begins_with_the_most_acute_of_all_that_is_in_reach_by_whichever_way(house: House) -> None:
    """Supervisor of one program, clinician in another, with one chart opened in an emergency and one that is closed to them."""
    user = make_user("floater", ("supervisor", house.program), ("nurse", house.elsewhere))
    clerk, stranger = house.staff["intake"], User.objects.get(username="stranger")
    here = [make_episode(clerk, house.program, last_name=f"Here {number}") for number in range(4)]
    there = [make_episode(stranger, house.elsewhere, last_name=f"There {number}") for number in range(4)]
    with acting(stranger, "care_team.assign"):
        for episode in there[:2]:
            actions.join_care_team(by=stranger, episode=episode, user=user)
        # The least acute first, as no plain reading of the table would give them.
        for place, episode in reversed([*enumerate([there[0], here[0], there[2], here[1], there[1], there[3], *here[2:]])]):
            set_actor(clerk if episode in here else stranger, "intake.submit")
            actions.update_summary(episode=episode, acuity=(4 - place // 2, "", 0))
    break_glass(user, there[2])
    restrict(house.staff["supervisor"], here[1])
    set_actor(user, "chart.view")
    in_reach = list(Episode.objects.visible_to(user, "chart.view").order_by("-acuity", "next_due_at", "-opened_at", "-id"))
    assert {there[0], there[2], here[0]} < set(in_reach) and not {there[3], here[1]} & set(in_reach)
    for limit in range(1, len(in_reach) + 2):
        assert list(Episode.objects.caseload(user, limit)[:limit]) == in_reach[:limit]
