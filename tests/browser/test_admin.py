"""Every page of the administration, used: the policy refuses nothing of it, and axe finds nothing in its forms."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.browser.test_every_page import SCHEMES, Demo, demo, dressed, enter, problems  # noqa: F401

pytestmark = pytest.mark.browser
ROLES = ("sys-admin", "content-editor", "supervisor")


def pages() -> Iterator[tuple[str, str]]:
    """(role, address): index, list, add, change, history and delete of every model that is registered, as every role that may see it."""
    for role in ROLES:
        yield role, reverse("admin:index")
        for model in admin.site._registry:
            label = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            yield role, reverse(f"{label}_changelist")
            yield role, reverse(f"{label}_add")
            first = model._default_manager.order_by("pk").first()
            for name in ("change", "history", "delete") if first else ():
                yield role, reverse(f"{label}_{name}", args=[first.pk])
    yield "sys-admin", f"{reverse('admin:clinic_user_changelist')}?q=nurse"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_page_of_the_administration(page: Page, demo: Demo, served: Any, scheme: str) -> None:  # noqa: F811
    dressed(page, scheme)
    found, inside, opened = [], "", 0
    for role, address in pages():
        if role != inside:
            enter(page.context, served.url, role)
            inside = role
        response = page.goto(address)
        assert response is not None
        if response.status == 403:
            continue
        opened += 1
        found += problems(page, f"{role} {address}")
    assert opened > 20
    assert not found, "\n".join(found)


def test_what_the_administration_does_with_scripts_needs_no_inline_style(page: Page, demo: Demo, served: Any) -> None:  # noqa: F811
    """Rows of a form added and taken away, a related record in a pop-up, filters, the theme, the sidebar, actions: as they are used."""
    enter(page.context, served.url, "sys-admin")
    page.goto(reverse("admin:clinic_user_add"))
    page.locator(".add-row a").first.click()
    page.locator(".inline-deletelink").last.click()
    page.goto(reverse("admin:clinic_user_changelist"))
    page.locator(".theme-toggle").first.click()
    page.locator("#changelist-filter summary").first.click()
    page.locator("#toggle-nav-sidebar").click()
    if page.locator("#action-toggle").count():
        page.locator("#action-toggle").check()
    page.locator("#result_list th a").last.click()
    expect(page.locator("form#user_form")).to_be_visible()
    for link in page.locator(".collapse summary, .collapse-toggle").all():
        link.click()
    page.locator("a[href$='/history/']").first.click()
    expect(page.locator("h1").last).to_be_visible()
    page.goto(reverse("admin:auth_user_password_change", args=[1]))
    for role in ROLES:
        enter(page.context, served.url, role)
        for model in admin.site._registry:
            address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
            if page.goto(address).status == 200:  # type: ignore[union-attr]
                _handle(page)


def _handle(page: Page) -> None:
    """Every script widget of the form that is open: calendars, clocks, choosers from one list to another, search-as-you-type."""
    for opener in (".date-icon", ".clock-icon"):
        for icon in page.locator(opener).all():
            icon.click()
            page.keyboard.press("Escape")
    for choose in page.locator(".selector-chooseall").all():
        choose.click()
    for chosen in page.locator(".select2-selection").all():
        chosen.click()
        page.keyboard.press("Escape")
    page.locator("input[type=submit]").first.click()
    expect(page.locator(".errornote, .errorlist, .messagelist").first).to_be_visible()
