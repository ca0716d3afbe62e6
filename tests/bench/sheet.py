"""One section of a questionnaire open in a browser, as its autosave sends it: the whole form, with the marks of what was read."""

import re
import uuid
from html.parser import HTMLParser

from tests.bench.load import Client, expect

SECTION = "/episodes/{}/intake/{}/1/"


class _Fields(HTMLParser):
    """The inputs of a section with their values; of choices only the ticked, and every value on offer."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sent: dict[str, list[str]] = {}
        self.offered: dict[str, list[str]] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag != "input" or "name" not in given:
            return
        if given.get("type") in ("radio", "checkbox"):
            self.offered.setdefault(given["name"], []).append(given.get("value", ""))
        if given.get("type") not in ("radio", "checkbox") or "checked" in given:
            self.sent.setdefault(given["name"], []).append(given.get("value", ""))


class Sheet:
    """A section of single choices. `save` changes one answer and sends everything; the answer's new version is read from the reply."""

    def __init__(self, client: Client, episode: uuid.UUID, code: str = "phq9") -> None:
        self.url = SECTION.format(episode, code)
        fields = _Fields(expect(client.get(self.url), 200).decode())
        self.sent = fields.sent
        self.choices = {name: values for name, values in fields.offered.items() if name.startswith("a-") and "__" not in name}
        self.turn = 0

    def save(self, client: Client) -> None:
        """One question after the other gets another answer. Raises load.Failed when it was not saved."""
        self.turn += 1
        name = list(self.choices)[self.turn % len(self.choices)]
        values = self.choices[name]
        self.sent[name] = [values[(values.index(self.sent[name][0]) + 1) % len(values)] if name in self.sent else values[0]]
        reply = expect(client.post(self.url, self.sent, **{"HX-Request": "true"}), 200).decode()
        self.sent |= {mark: [value] for mark, value in re.findall(r'name="(basis|v-[^"]*)" id="[^"]*" value="([^"]*)"', reply)}
