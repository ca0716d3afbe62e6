"""Two ways to use a page: with a mouse, and with nothing but the keyboard."""

from playwright.sync_api import Locator, Page

ENOUGH = 400  # presses of the Tab key


class Mouse:
    """Clicks and types where a person would."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, selector: str) -> None:
        self.page.locator(selector).first.click()

    def write(self, selector: str, text: str) -> None:
        self.page.locator(selector).first.fill(text)

    def tick(self, selector: str) -> None:
        self.page.locator(selector).first.check()

    def choose(self, name: str, value: str) -> None:
        """One answer of a set of cards."""
        self.page.locator(f'input[name="{name}"][value="{value}"]').check()

    def pick(self, selector: str, value: str) -> None:
        """One line of a menu."""
        self.page.locator(selector).first.select_option(value)


class Keyboard(Mouse):
    """Tab, arrows, space, Enter and letters only."""

    def reach(self, selector: str) -> Locator:
        """Tab until the element has the focus; going on from where the focus is, as a person does."""
        target = self.page.locator(selector).first
        target.wait_for(state="attached")
        for _ in range(ENOUGH):
            if target.evaluate("element => element === document.activeElement"):
                return target
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{selector} cannot be reached with the Tab key")

    def press(self, selector: str) -> None:
        self.reach(selector)
        self.page.keyboard.press("Enter")

    def write(self, selector: str, text: str) -> None:
        target = self.reach(selector)
        kind = target.get_attribute("type")
        if kind in ("date", "datetime-local"):
            self._date(text)
            return
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text) if len(text) > 60 else self.page.keyboard.type(text)

    def _date(self, text: str) -> None:
        """Month, day, year, and the time where there is one, as an American keyboard enters them."""
        day, _, time = text.partition("T")
        year, month, date = day.split("-")
        self.page.keyboard.type(month + date + year)
        if time:
            hour, minute = time.split(":")
            self.page.keyboard.press("ArrowRight")
            self.page.keyboard.type(f"{int(hour) % 12 or 12:02}{minute}{'PM' if int(hour) >= 12 else 'AM'}")

    def tick(self, selector: str) -> None:
        target = self.reach(selector)
        if not target.is_checked():
            self.page.keyboard.press("Space")

    def choose(self, name: str, value: str) -> None:
        """Tab to the cards, then the arrows to the answer (radio) or Tab and space (several answers)."""
        chosen = self.page.locator(f'input[name="{name}"][value="{value}"]')
        chosen.wait_for(state="attached")
        if chosen.get_attribute("type") == "checkbox":
            return self.tick(f'input[name="{name}"][value="{value}"]')
        here = f'document.activeElement.name === {name!r}'
        for _ in range(ENOUGH):
            if self.page.evaluate(here):
                break
            self.page.keyboard.press("Tab")
        self.page.keyboard.press("Space")
        for _ in range(20):
            if chosen.is_checked():
                return None
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{name} = {value} cannot be chosen with the keyboard")

    def pick(self, selector: str, value: str) -> None:
        target = self.reach(selector)
        label = target.locator(f'option[value="{value}"]').inner_text()
        self.page.keyboard.type(label)
