"""Settings from the environment: nonsense is refused at start, by name and in a sentence."""

import os
import subprocess
import sys
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from clinic import settings
from clinic.database import CHECKOUT

STRONG = "".join(chr(33 + number) for number in range(60)).replace("'", "x")


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "PRODUCTION", True)


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("0", False), ("true", True), ("FALSE", False), (" yes ", True), ("No", False), (None, True)]
)
def test_a_flag(monkeypatch: pytest.MonkeyPatch, text: str | None, value: bool) -> None:
    monkeypatch.delenv("STEADY_X", raising=False)
    if text is not None:
        monkeypatch.setenv("STEADY_X", text)
    assert settings._flag("STEADY_X", default=True) is value


@pytest.mark.parametrize("text", ["", "2", "on", "yess", "-1", "None"])
def test_a_flag_that_is_neither_yes_nor_no_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("STEADY_X", text)
    with pytest.raises(ImproperlyConfigured, match="STEADY_X is .* write 1 or 0"):
        settings._flag("STEADY_X", default=True)


@pytest.mark.parametrize("text", ["a\x01", "mail@example.org\x1b", "half \udcff"])
def test_a_variable_that_is_no_text_is_refused_by_name_and_not_repeated(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("STEADY_EMAIL_FROM", text)
    with pytest.raises(ImproperlyConfigured, match=r"^STEADY_EMAIL_FROM: The text holds [^@]*$"):
        settings._refuse_unclean()


@pytest.mark.parametrize(
    ("key", "sentence"),
    [("", "is not set"), *((weak, "too weak") for weak in ("short", "a" * 80, "django-insecure-" + STRONG, STRONG[:49]))],
)
def test_production_refuses_a_weak_key(monkeypatch: pytest.MonkeyPatch, production: None, key: str, sentence: str) -> None:
    monkeypatch.setenv("STEADY_SECRET_KEY", key)
    with pytest.raises(ImproperlyConfigured, match=f"STEADY_SECRET_KEY .*{sentence}"):
        settings._secret_key()


def test_a_strong_key_is_taken_and_a_trial_makes_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEADY_SECRET_KEY", raising=False)
    assert len(settings._secret_key()) > 50 and settings._secret_key() != settings._secret_key()
    monkeypatch.setattr(settings, "PRODUCTION", True)
    monkeypatch.setenv("STEADY_SECRET_KEY", STRONG)
    assert settings._secret_key() == STRONG


@pytest.mark.parametrize("url", ["", "consolemail://", "dummymail://", "filemail:///tmp/x", "memorymail://", "nonsense", "http://x"])
def test_production_refuses_to_print_its_mail(monkeypatch: pytest.MonkeyPatch, production: None, url: str) -> None:
    monkeypatch.setenv("STEADY_EMAIL_URL", url)
    with pytest.raises(ImproperlyConfigured, match=r"STEADY_EMAIL_URL .*smtp://user:password@host:587"):
        settings._mail()


@pytest.mark.parametrize(("url", "tls"), [("smtp://u:p@mail.example.org:587", None), ("smtp+tls://u:p@mail.example.org:587", True)])
def test_a_mail_server(monkeypatch: pytest.MonkeyPatch, production: None, url: str, tls: Any) -> None:
    monkeypatch.setenv("STEADY_EMAIL_URL", url)
    config = settings._mail()
    assert (config["EMAIL_HOST"], config["EMAIL_PORT"], config.get("EMAIL_USE_TLS")) == ("mail.example.org", 587, tls)


def test_a_trial_prints_its_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEADY_EMAIL_URL", raising=False)
    assert settings._mail()["EMAIL_BACKEND"].endswith("console.EmailBackend")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [("", "DATABASE_URL is not set"), *((url, "PostgreSQL only") for url in ("sqlite:///x", "mysql://u@h/d", "garbage", "postgres://h:x/d"))],
)
def test_only_postgresql(monkeypatch: pytest.MonkeyPatch, url: str, sentence: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ImproperlyConfigured, match=sentence):
        settings._database()


def test_the_owners_address_is_for_commands_that_change_the_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://steady_web@%2Ftmp%2Fsocket/steady?options=-c%20role%3Dx")
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgres://steady_owner@db.example.org:5433/steady")
    config = settings._database()
    assert (config["USER"], config["HOST"]) == ("steady_web", "/tmp/socket")  # noqa: S108
    assert config["OPTIONS"]["options"] == "-c role=x -c search_path=public,pg_temp " + " ".join(
        f"-c {name}={value}" for name, value in settings.WEB_TIMEOUTS.items()
    )
    monkeypatch.setenv("STEADY_DATABASE_ROLE", "owner")
    config = settings._database()
    assert (config["USER"], config["HOST"], config["PORT"]) == ("steady_owner", "db.example.org", 5433)
    assert config["OPTIONS"]["options"] == "-c search_path=public,pg_temp"


START = """import clinic.settings as s
print(s.REQUIRE_SECOND_FACTOR, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME)"""
PRODUCTION = {
    "STEADY_ENV": "production", "STEADY_SECRET_KEY": STRONG, "STEADY_ALLOWED_HOSTS": "steady.example.org",
    "STEADY_EMAIL_URL": "smtp://u:p@mail.example.org:587", "DATABASE_URL": "postgres://steady_web@127.0.0.1/steady",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, ""),
        ({"STEADY_EMAIL_URL": ""}, "STEADY_EMAIL_URL is not set"),
        ({"STEADY_DEMO": "1"}, "STEADY_DEMO=1 is refused in production"),
        ({"STEADY_ALLOWED_HOSTS": ""}, "STEADY_ALLOWED_HOSTS is not set"),
        ({"STEADY_ENV": "prod"}, "STEADY_ENV is 'prod'; it must be one of"),
    ],
)
def test_production_starts_or_says_why_not(changes: dict[str, str], sentence: str) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("STEADY_", "DATABASE_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, "-c", START],
        cwd=CHECKOUT, env=plain | PRODUCTION | changes, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if sentence:
        assert done.returncode == 1 and sentence in done.stderr.splitlines()[-1]
    else:
        assert done.stdout == "True True True __Host-steady_session __Host-csrftoken\n"
