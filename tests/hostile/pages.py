"""What a browser finds on the pages: every address of the URLconf, every form with its fields, every sentence of refusal."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from django.urls import URLPattern, URLResolver, get_resolver

SPEAKING = frozenset(["errorlist", "errornote", "invalid-feedback", "messagelist", "st-errors"])
SOUND = {"text": "Something", "textarea": "Something longer, in a sentence", "email": "a@example.org", "date": "1990-02-03", "number": "7"}
VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])


def every_pattern(resolver: URLResolver | None = None, prefix: str = "", name: str = "") -> Iterator[tuple[str, str]]:
    """(path, url name) of every pattern of the URLconf, the admin's included, regular expressions as Django's paths."""
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + _plain(str(entry.pattern))
        if isinstance(entry, URLPattern):
            yield path, f"{name}{entry.name}"
        else:
            yield from every_pattern(entry, path, f"{name}{entry.namespace}:" if entry.namespace else name)


def _plain(pattern: str) -> str:
    """A regular expression of the URLconf as a path: named groups as arguments."""
    return re.sub(r"\(\?P<(\w+)>[^()]*\)", r"<\1>", pattern).removeprefix("^").removesuffix("$").replace(r"\Z", "")


@dataclass
class Form:
    """One form of a page: where it goes, what a browser would send, and what each field is."""

    url: str
    method: str
    id: str = ""
    sent: dict[str, list[str]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, str] = field(default_factory=dict)
    options: dict[str, list[str]] = field(default_factory=dict)

    def complete(self) -> None:
        """Fill in what is still empty, soundly, as far as the kind of a field tells how."""
        for name, kind in self.kinds.items():
            options = [value for value in self.options.get(name, []) if value]
            value = options[0] if options else SOUND.get(kind, "")
            if value and kind != "checkbox" and not any(self.sent.get(name, [])):
                self.sent[name] = [value]

    def sound(self) -> Iterator[dict[str, list[str]]]:
        """What may be asked for beside the fields, to be tried in turn: nothing, every box ticked, the first button, or both."""
        ticked = {name: self.options.get(name) or ["on"] for name, kind in self.kinds.items() if kind == "checkbox"}
        pressed = {name: [value] for name, value in list(self.buttons.items())[:1]}
        yield from ({}, ticked, pressed, ticked | pressed)


class Page(HTMLParser):
    """The forms of a page and the text that stands in each element with an id."""

    def __init__(self, html: str, url: str) -> None:
        super().__init__()
        self.url, self.forms, self.alerts = url, [], ""
        self.links: list[str] = []
        self._labels: dict[str, str] = {}  # by the id of the control
        self._ids: dict[str, str] = {}  # of the first control of a name
        self._label = ""
        self._form: Form | None = None
        self._area = self._menu = ""
        self._open: list[tuple[str, bool]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and given.get("href", "").startswith("/") and not given["href"].startswith("/static"):
            self.links.append(given["href"])
        if tag == "label":
            self._label = given.get("for", "")
        if tag not in VOID:
            self._open.append((tag, _speaks(given)))
        if tag == "form":
            address = urlsplit(urljoin(self.url, given.get("action") or self.url))
            self._form = Form(address._replace(fragment="").geturl(), given.get("method", "get").lower(), given.get("id", ""))
            self.forms.append(self._form)
        elif self._form is not None and given.get("name"):
            self._control(tag, given)
        elif tag == "option" and self._form is not None and self._menu:
            self._form.options.setdefault(self._menu, []).append(given.get("value", ""))
            if "selected" in given:
                self._form.sent.setdefault(self._menu, []).append(given.get("value", ""))

    def _control(self, tag: str, given: dict[str, str]) -> None:
        form, name, kind = self._form, given["name"], given.get("type", tag)
        assert form is not None
        if kind in ("submit", "button") or tag == "button":
            form.buttons[name] = given.get("value", "")
            return
        form.kinds.setdefault(name, kind)
        if kind in ("radio", "checkbox"):
            form.options.setdefault(name, []).append(given.get("value", "on" if kind == "checkbox" else ""))
        self._ids.setdefault(name, given.get("id", ""))
        if tag == "select":
            self._menu = name
        elif tag == "textarea":
            self._area = name
            form.sent.setdefault(name, []).append("")
        elif kind not in ("radio", "checkbox") or "checked" in given:
            form.sent.setdefault(name, []).append(given.get("value", ""))

    @property
    def to_send(self) -> list[Form]:
        """The forms that are posted, but for the ones that log out."""
        return [form for form in self.forms if form.method == "post" and "logout" not in form.url]

    def names(self, name: str) -> bool:
        """Whether some sentence of refusal carries the label of this field."""
        label = " ".join(self._labels.get(self._ids.get(name, ""), "").replace("*", " ").split())
        return bool(label) and label.lower() in " ".join(self.alerts.split()).lower()

    def handle_data(self, data: str) -> None:
        if self._area and self._form is not None:
            self._form.sent[self._area][-1] += data
        if self._label:
            self._labels[self._label] = f"{self._labels.get(self._label, '')} {data}"
        if any(speaks for _, speaks in self._open):
            self.alerts += f" {data}"

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._take_area()
        if tag == "label":
            self._label = ""
        if tag == "select":
            self._menu = ""
        if tag == "form":
            self._form = None
        while self._open and self._open.pop()[0] != tag:
            pass

    def _take_area(self) -> None:
        """A browser drops the line end that follows the opening tag."""
        if self._area and self._form is not None:
            values = self._form.sent[self._area]
            values[-1] = values[-1].removeprefix("\r\n").removeprefix("\n")
        self._area = ""


def _speaks(given: dict[str, str]) -> bool:
    """Whether an element is there to say what is wrong."""
    classes = given.get("class", "").split()
    return given.get("role") in ("alert", "status") or bool(SPEAKING & set(classes))
