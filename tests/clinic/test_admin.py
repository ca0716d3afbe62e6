"""The administration of the ground floor: what is in it, who may change it when, and that nobody promotes themselves."""

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.test import Client

from clinic.models import Membership, Program, User
from tests.clinic.test_access import logged_in
from tests.clinic.test_accounts import with_factor
from tests.clinic.test_pages import client_of
from tests.people import PASSWORD, House, make_house, make_user, recorded

USERS = "/admin/clinic/user/"
REGISTERED = {
    "clinic.program", "clinic.user", "intake.instrument", "intake.medicine", "intake.packet",
    "intake.rulesetting", "plans.componentsetting",
}  # fmt: skip


@pytest.fixture
def house(db: None) -> House:
    return make_house()


@pytest.fixture
def administrator(house: House) -> User:
    return house.staff["sys_admin"]


def test_these_models_and_no_others_are_in_the_administration() -> None:
    assert {model._meta.label_lower for model in admin.site._registry} == REGISTERED


def test_a_superuser_without_a_role_finds_nothing(house: House) -> None:
    root = make_user("root")
    root.is_superuser = root.is_staff = True
    root.save()
    with_factor(house.staff["nurse"])
    client = logged_in(root)
    for page in ("mfa/authenticator/", "account/emailaddress/"):
        assert client.get(f"/admin/{page}").status_code == 404
    for label in REGISTERED:
        for page in ("", "add/", "1/change/", "1/delete/", "1/history/"):
            assert client.get(f"/admin/{label.replace('.', '/')}/{page}").status_code in (302, 403), (label, page)
    assert "Users" not in client.get("/admin/").content.decode()


def test_who_took_an_authenticator_away_is_recorded_and_its_secret_is_not(house: House) -> None:
    nurse = house.staff["nurse"]
    secret = with_factor(nurse)
    nurse.authenticator_set.all().delete()
    rows = recorded(table="mfa_authenticator")
    assert [row.operation for row in rows] == ["INSERT", "DELETE"]
    assert rows[0].after["user_id"] == nurse.pk  # type: ignore[index]
    assert not any("data" in (row.before or {}) | (row.after or {}) for row in rows)
    assert secret not in str([(row.before, row.after) for row in rows])


# Step-up: users and roles !


def user_form(user: User, **changes: Any) -> dict[str, Any]:
    """The whole change page of this person, as the browser posts it."""
    roles = list(user.memberships.order_by("pk"))
    form: dict[str, Any] = {
        "username": user.username, "first_name": user.first_name, "last_name": user.last_name, "email": user.email,
        "discipline": user.discipline, "credential": user.credential, "is_active": "on", "is_staff": "on",
        "memberships-TOTAL_FORMS": str(len(roles) + 1), "memberships-INITIAL_FORMS": str(len(roles)),
        "memberships-MIN_NUM_FORMS": "0", "memberships-MAX_NUM_FORMS": "1000",
    }  # fmt: skip
    for number, role in enumerate(roles):
        form |= {f"memberships-{number}-{name}": getattr(role, f"{name}_id" if name in {"user", "program"} else name)
                 for name in ("id", "user", "program", "role")}  # fmt: skip
    return form | changes


def granting(user: User, program: Program, role: str) -> dict[str, Any]:
    """The same page with one more role on it."""
    number = user.memberships.count()
    new = {"user": user.pk, "program": program.pk, "role": role}
    return user_form(user, **{f"memberships-{number}-{name}": str(value) for name, value in new.items()})


NEW_PERSON = {
    "username": "newcomer", "email": "n@example.org", "first_name": "Nel", "last_name": "Comer", "discipline": "nurse",
    "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true",
    "memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0", "memberships-MIN_NUM_FORMS": "0", "memberships-MAX_NUM_FORMS": "0",
}  # fmt: skip


def posts(house: House) -> list[tuple[str, dict[str, Any]]]:
    """Every way the administration has to change users and roles."""
    nurse = house.staff["nurse"]
    return [
        (f"{USERS}add/", NEW_PERSON),
        (f"{USERS}{nurse.pk}/change/", granting(nurse, house.program, "supervisor")),
        (f"{USERS}{nurse.pk}/change/", user_form(nurse, first_name="Changed")),
        (f"{USERS}{nurse.pk}/password/", {"password1": "a new quiet river", "password2": "a new quiet river", "usable_password": "true"}),
        (f"{USERS}{nurse.pk}/delete/", {"post": "yes"}),
        (USERS, {"action": "delete_selected", "_selected_action": [str(nurse.pk)], "post": "yes"}),
    ]


def state() -> list[Any]:
    people = User.objects.order_by("pk").values_list("username", "first_name", "password", "is_staff", "is_superuser")
    return [list(people), list(Membership.objects.order_by("pk").values_list("user", "program", "role"))]


def test_without_a_fresh_confirmation_nothing_changes(house: House, administrator: User) -> None:
    client, before = client_of(administrator), state()
    for address, form in posts(house):
        assert client.post(address, form).status_code in (200, 302, 403), address
        assert state() == before, address


def test_a_form_asks_who_it_is_before_it_is_filled_in(house: House, administrator: User) -> None:
    client, nurse = client_of(administrator), house.staff["nurse"]
    assert client.get(USERS).status_code == 200, "the list itself may be read"
    for address in (f"{USERS}add/", f"{USERS}{nurse.pk}/change/", f"{USERS}{nurse.pk}/password/", f"{USERS}add/?_popup=1"):
        asked = client.get(address)
        assert asked["Location"] == f"/accounts/reauthenticate/?{urlencode({'next': address})}"
    confirmed = client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": f"{USERS}add/"})
    assert confirmed["Location"] == f"{USERS}add/" and client.get(f"{USERS}add/").status_code == 200


def test_the_link_to_confirm_is_where_it_is_looked_for(house: House, administrator: User) -> None:
    page = client_of(administrator).get(f"{USERS}?discipline=nurse").content.decode()
    assert f'href="/accounts/reauthenticate/?{urlencode({"next": USERS + "?discipline=nurse"})}">Confirm identity' in page


def test_a_form_that_is_sent_too_late_keeps_what_was_typed(house: House, administrator: User) -> None:
    client, nurse, before = client_of(administrator), house.staff["nurse"], state()
    late = client.post(f"{USERS}add/", NEW_PERSON | {"username": "typed.with.care"})
    page = late.content.decode()
    assert late.status_code == 200 and "Not saved yet: more than 5 minutes" in page and 'value="typed.with.care"' in page
    assert 'href="/accounts/reauthenticate/?next=%2Fadmin%2F" target="_blank"' in page and PASSWORD not in page
    page = client.post(f"{USERS}{nurse.pk}/change/", granting(nurse, house.program, "supervisor")).content.decode()
    assert "Not saved yet" in page and '<option value="supervisor" selected>' in page
    password = client.post(f"{USERS}{nurse.pk}/password/", posts(house)[3][1], follow=True)
    assert "The password was not set" in password.content.decode()
    assert PASSWORD not in str(dict(client.session)) and "a new quiet river" not in str(dict(client.session))
    assert state() == before
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert client.post(f"{USERS}add/", NEW_PERSON | {"username": "typed.with.care"}).status_code == 302


def test_the_administration_speaks_with_our_own_words(house: House, administrator: User) -> None:
    client = logged_in(administrator)
    pages = [client.get(address) for address in ("/admin/", USERS, f"{USERS}add/", f"{USERS}{house.staff['nurse'].pk}/change/")]
    pages.append(client.post(f"{USERS}add/", {}))
    for page in pages:
        text = page.content.decode()
        assert not re.search("Recent actions|------|Select user|field is required|Please correct the error|Designates|View site", text)
    assert "<h1>Users</h1>" in pages[1].content.decode()


@pytest.mark.parametrize("role", ["nurse", "supervisor", "privacy_auditor", "content_editor"])
def test_only_the_administrator_changes_users_however_fresh(house: House, role: str) -> None:
    user = house.staff[role]
    user.is_staff = True
    user.save()
    client, before = logged_in(user), state()
    for address, form in posts(house):
        client.post(address, form)
        assert state() == before, address


def test_the_administrator_confirmed_adds_changes_and_grants(house: House, administrator: User) -> None:
    client, nurse = logged_in(administrator), house.staff["nurse"]
    for address, form in posts(house)[:4]:
        assert client.post(address, form).status_code == 302, address
        nurse.refresh_from_db()
    assert User.objects.filter(username="newcomer").exists()
    assert set(nurse.memberships.values_list("role", flat=True)) == {"nurse", "supervisor"}
    assert nurse.first_name == "Changed"
    assert nurse.check_password("a new quiet river")
    granted = recorded(table="clinic_membership", operation="INSERT")[-1]
    assert (granted.user, granted.action, granted.after["role"]) == (administrator, "admin", "supervisor")  # type: ignore[index]


def test_nobody_is_ever_deleted(house: House, administrator: User) -> None:
    client, before = logged_in(administrator), User.objects.count()
    for address, form in posts(house)[4:]:
        client.post(address, form)
    assert User.objects.count() == before


def test_nobody_grants_or_takes_a_role_of_their_own(house: House, administrator: User) -> None:
    client, address = logged_in(administrator), f"{USERS}{administrator.pk}/change/"
    before = state()[1]
    client.post(address, granting(administrator, house.program, "supervisor"))
    assert state()[1] == before
    client.post(address, user_form(administrator, **{"memberships-0-role": "supervisor"}))
    client.post(address, user_form(administrator, **{"memberships-0-DELETE": "on"}))
    assert state()[1] == before


def test_nobody_becomes_a_superuser_by_the_page(house: House, administrator: User) -> None:
    nurse = house.staff["nurse"]
    logged_in(administrator).post(f"{USERS}{nurse.pk}/change/", user_form(nurse, is_superuser="on", user_permissions="1", groups="1"))
    nurse.refresh_from_db()
    assert not nurse.is_superuser


def test_the_administration_asks_for_the_second_factor(house: House, administrator: User, settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    before = state()
    for address, form in [("/admin/", {}), *posts(house)]:
        for answer in (logged_in(administrator).get(address), logged_in(administrator).post(address, form)):
            assert (answer.status_code, answer["Location"]) == (302, "/accounts/2fa/totp/activate/"), address
    assert state() == before


def test_the_administration_has_the_same_door_as_everything_else(db: None) -> None:
    assert Client().get("/admin/", follow=True).redirect_chain[-1][0].startswith("/accounts/login/")
    make_user("nadia")
    answer = Client().post("/admin/login/", {"username": "nadia", "password": PASSWORD})
    assert answer.status_code == 302 and answer["Location"].startswith("/accounts/login/")


# Programs


def program_form(program: Program, duty_team: list[User]) -> dict[str, Any]:
    names = ("name", "initial_plan_days", "review_days", "certifying_role", "kratom_code_family", "crisis_text",
             "duty_phone", "acknowledge_minutes", "legal_notice", "legal_notice_on")  # fmt: skip
    return {name: getattr(program, name) for name in names} | {"active": "on", "duty_team": [str(user.pk) for user in duty_team]}


def test_on_duty_is_only_who_has_a_role_there(house: House, administrator: User) -> None:
    client, address = logged_in(administrator), f"/admin/clinic/program/{house.program.pk}/change/"
    page = client.get(address).content.decode()
    assert "Nurse Tester" in page and "Stranger Tester" not in page
    stranger = User.objects.get(username="stranger")
    refused = client.post(address, program_form(house.program, [house.staff["nurse"], stranger]))
    assert refused.status_code == 200 and "has no role in this program. Give them one first" in refused.content.decode()
    assert not house.program.duty_team.exists()
    assert client.post(address, program_form(house.program, [house.staff["nurse"]])).status_code == 302
    assert list(house.program.duty_team.all()) == [house.staff["nurse"]]
