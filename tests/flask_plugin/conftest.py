"""A mail server on the loopback interface, and Flask apps that send through it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import flask
import pytest

from contracts.mail_server import MailServer
from mailnod.testing import FrozenClock

MakeApp = Callable[..., flask.Flask]


@pytest.fixture
def server() -> Iterator[MailServer]:
    """Give a mail server that keeps what it is given."""
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def clock() -> FrozenClock:
    """Give a clock that stands still."""
    return FrozenClock(datetime(2026, 3, 1, 9, 30, tzinfo=UTC))


@pytest.fixture
def make_app(server: MailServer, tmp_path: Path) -> Iterator[MakeApp]:
    """Give a function that makes an app whose only route tracks everything and assumes consent.

    Mailnod is not set up on it. Trackers that were set up are closed after the test.
    """
    made: list[flask.Flask] = []

    def make_app(**config: Any) -> flask.Flask:
        app = flask.Flask("app", instance_path=str(tmp_path / f"instance{len(made)}"))
        app.config.update(
            MAIL_SERVER="127.0.0.1",
            MAIL_PORT=server.port,
            MAIL_DEFAULT_SENDER="weekly@example.com",
            MAILNOD_SECRET_KEYS="a secret of the tests, of 32 characters and more",
            MAILNOD_BASE_URL="https://track.example.com/t",
            MAILNOD_WORKER="none",
            MAILNOD_ROUTES={"default": {"track_opens": True, "track_clicks": True, "consent": "assumed"}},
        )
        app.config.update(config)
        made.append(app)
        return app

    yield make_app
    for app in made:
        if "mailnod" in app.extensions:
            app.extensions["mailnod"].close()


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Give a function that returns what Mailnod has warned of so far."""
    caplog.set_level(logging.WARNING, logger="mailnod")
    return lambda: [record.getMessage() for record in caplog.records if record.name.startswith("mailnod")]
