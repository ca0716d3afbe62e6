"""How the tests meet the database: their own server, one clone for each worker, the application as the web role."""

import os
from collections.abc import Iterator

os.environ["STEADY_ENV"] = "test"
os.environ["DJANGO_SETTINGS_MODULE"] = "clinic.settings"
os.environ.pop("STEADY_DATABASE_ROLE", None)

from tests import databases

databases.prepare()

import django  # noqa: E402
import hypothesis  # noqa: E402
import pytest  # noqa: E402

django.setup()
# A slow machine is no failure: speed is measured in tests/bench/.
hypothesis.settings.register_profile("steady", deadline=None)
hypothesis.settings.load_profile("steady")


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: object) -> Iterator[None]:
    """A clone of the template for this worker, dropped at the end. Replaces pytest-django's, which would migrate as web."""
    from django.db import connections

    databases.clone()
    # A worker inherits the controller's settings module, so its settings may have been read before its name was known.
    for alias in connections:
        connections[alias].settings_dict["NAME"] = databases.NAME
    yield
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        connections.close_all()
    databases.drop()


@pytest.fixture(scope="session", autouse=True)
def nobody_is_named() -> Iterator[None]:
    """No test of this worker writes a patient's name into a log, an e-mail, an address or a title."""
    from tests.canaries import watched

    with pytest.MonkeyPatch.context() as patch, watched(patch) as found:
        yield
    assert not found, "\n".join(found)


@pytest.fixture
def real_transactions(django_db_setup: None, django_db_blocker: object) -> Iterator[None]:
    """Commits are real in this test; afterwards the worker's database is made anew. Flushing is not the web role's to do."""
    from django.db import connections

    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        yield
        connections.close_all()
        databases.clone()


@pytest.fixture
def served(real_transactions: None) -> Iterator[object]:
    """The application on a port of its own, for browsers."""
    from pytest_django.live_server_helper import LiveServer

    server = LiveServer("127.0.0.1")
    yield server
    server.stop()
