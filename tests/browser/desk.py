"""Who sits at the browser."""

from playwright.sync_api import BrowserContext

from clinic.models import User
from tests.clinic.test_access import logged_in


def sit_down(context: BrowserContext, url: str, user: User | None) -> None:
    """The browser is logged in as this person, identity just confirmed; as nobody for None."""
    context.clear_cookies()
    if user:
        cookies = logged_in(user).cookies.items()
        context.add_cookies([{"name": key, "value": morsel.value, "url": url} for key, morsel in cookies])
