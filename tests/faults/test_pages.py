"""The same through the pages: a statement of a post fails. The page is a 503 that says what is certain; sent again, it is saved once."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from clinic.models import CareTeamMember
from tests.clinic.test_access import logged_in
from tests.clinic.test_pages import words
from tests.faults.breaking import KINDS, breaking, commit_fails
from tests.faults.fingerprint import Rows, alike, exactly
from tests.faults.test_every_statement import afresh
from tests.intake.test_actions import answered
from tests.people import House, everything, make_house
from tests.plans.test_actions import sign as signed_by
from tests.plans.test_actions import whole
from tests.plans.test_pages import at, sign_form

Post = tuple[Client, str, dict[str, Any]]
NOT_SAVED, PERHAPS = "What you sent last was not saved", "may or may not have been saved"
# A look is recorded each time somebody looks, and a session remembers its messages.
BESIDE = ("clinic_accessevent", "django_session")


def submit(house: House) -> Post:
    answered(house.staff["nurse"], house.mine, "V5")
    return logged_in(house.staff["nurse"]), at("review", house.mine), {"key": str(uuid.UUID(int=5)), "seen": "1"}


def sign(house: House) -> Post:
    plan = whole(house)
    client = logged_in(house.staff["prescriber"])
    return client, at("sign", house.mine), sign_form(client, plan)


def amend(house: House) -> Post:
    """Begin the version that follows a signed one."""
    signed_by(house.staff["prescriber"], whole(house))
    return logged_in(house.staff["nurse"]), at("plan_start", house.mine), {"key": str(uuid.UUID(int=5))}


def revoke(house: House) -> Post:
    """Take somebody off the care team, and with it what they reach."""
    with everything():
        member = CareTeamMember.objects.get(episode=house.mine, user=house.staff["peer"])
    return logged_in(house.staff["supervisor"]), at("care_team", house.mine), {"leave": str(member.pk), "sure": "1"}


POSTS: dict[str, Callable[[House], Post]] = {row.__name__: row for row in (submit, sign, amend, revoke)}


def apart(rows: Rows) -> Rows:
    return {table: row for table, row in rows.items() if table not in BESIDE}


class Page:
    """One post, ready to be sent as often as it takes."""

    def __init__(self, name: str) -> None:
        self.client, self.address, self.form = POSTS[name](make_house())
        self.before = apart(exactly())

    def send(self) -> Any:
        return self.client.post(self.address, self.form)

    def check(self, answer: Any, when: str) -> bool:
        """Whether nothing was saved; the page says so only where it is so."""
        body = words(answer.content.decode())
        assert answer.status_code == 503 and answer["Retry-After"], when
        nothing = apart(exactly()) == self.before
        assert PERHAPS in body or (nothing and NOT_SAVED in body), when
        return nothing

    def break_each(self, kind: str, numbers: range) -> list[int]:
        """Send it with the n-th statement broken, for each number or until one passes; the numbers after which nothing was saved."""
        unsaved = []
        for n in numbers:
            with breaking(n, KINDS[kind]) as state:
                answer = self.send()
            if not state.broke:
                return unsaved
            if not self.check(answer, f"{kind} at statement {n}"):
                return unsaved  # it was the first one after the COMMIT
            unsaved.append(n)
        return unsaved


def without_faults(name: str) -> tuple[str, Rows]:
    page = Page(name)
    answer = page.send()
    assert answer.status_code == 302
    after = apart(alike())
    afresh()
    return answer["Location"], after


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", POSTS)
def test_whatever_statement_fails_the_page_is_honest_and_the_next_try_succeeds_once(real_transactions: None, name: str, kind: str) -> None:
    location, after = without_faults(name)
    page = Page(name)
    assert len(page.break_each(kind, range(1, 1000))) > 10
    for _ in range(2):
        assert page.send().status_code == 302
        assert apart(alike()) == after
    assert location.rpartition("/episodes/")[2][36:] == page.send()["Location"].rpartition("/episodes/")[2][36:]


@pytest.mark.thorough
@pytest.mark.parametrize("name", POSTS)
def test_a_commit_that_fails_is_not_called_unsaved_for_certain(real_transactions: None, name: str) -> None:
    _, after = without_faults(name)
    page = Page(name)
    with commit_fails():
        answer = page.send()
    assert page.check(answer, "at COMMIT") and PERHAPS in words(answer.content.decode())
    assert page.send().status_code == 302 and apart(alike()) == after


def test_a_signature_of_which_a_statement_or_the_commit_fails(real_transactions: None) -> None:
    """A slice of the above: the session, the middle, the COMMIT; then it is signed, once."""
    page = Page("sign")
    assert page.break_each("full disk", range(1, 2)) == [1]
    assert page.break_each("lost connection", range(20, 21)) == [20]
    with commit_fails():
        assert page.check(page.send(), "at COMMIT")
    locations = {page.send()["Location"] for _ in range(2)}
    assert len(locations) == 1
    with everything(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM plans_signedplan")
        assert cursor.fetchone() == (1,)
