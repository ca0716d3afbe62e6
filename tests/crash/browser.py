"""A browser that keeps cookies and follows nothing by itself, over plain HTTP: what an answer was is for whoever asked to judge."""

import http.client
import json
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

from tests.crash.house import House
from tests.people import PASSWORD

FRESH_SECONDS = 200  # identity is asked for again after 300
NOBODY = 0  # the status of a request that nobody answered


@dataclass(frozen=True)
class Answer:
    status: int
    location: str = ""
    body: str = ""
    retry_after: str = ""
    seconds: float = 0.0

    @property
    def done(self) -> bool:
        return self.status in (200, 302) and not self.location.startswith("/accounts/")


class Browser:
    def __init__(self, house: House, name: str, *, patience: float = 30) -> None:
        self.house, self.name, self.patience = house, name, patience
        self.cookies: dict[str, str] = {}
        self.confirmed = 0.0

    def log_in(self) -> Answer:
        self.cookies = {}
        self.ask("/accounts/login/")
        answer = self.ask("/accounts/login/", {"login": self.name, "password": PASSWORD})
        self.confirmed = 0.0
        return answer

    def confirm(self) -> Answer:
        """Say again who it is, as signing asks for, unless that was said just now."""
        if time.monotonic() - self.confirmed < FRESH_SECONDS:
            return Answer(200)
        answer = self.ask("/accounts/reauthenticate/", {"password": PASSWORD})
        if answer.done:
            self.confirmed = time.monotonic()
            return Answer(200)
        return answer

    def ask(self, path: str, form: Mapping[str, Any] | None = None, *, htmx: bool = False) -> Answer:
        """One request, once: a GET, or the post of a form. Status 0 when the connection broke or nobody answered in time."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = None
        if form is not None:
            body = urllib.parse.urlencode(form, doseq=True)
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "X-CSRFToken": self.cookies.get("csrftoken", "")}
        if htmx:
            headers["HX-Request"] = "true"
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.house.port, timeout=self.patience)
        try:
            connection.request("GET" if form is None else "POST", path, body, headers)
            response = connection.getresponse()
            text = response.read().decode()
        except (OSError, http.client.HTTPException):
            return Answer(NOBODY, seconds=time.monotonic() - began)
        finally:
            connection.close()
        for line in response.headers.get_all("Set-Cookie") or ():
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        location = response.headers.get("Location") or ""
        return Answer(response.status, location, text, response.headers.get("Retry-After") or "", time.monotonic() - began)

    def ready(self) -> dict[str, Any]:
        answer = self.ask("/readyz")
        return dict(json.loads(answer.body)) if answer.body else {}
