"""Bytes of messages whose HTML comes again, with Flask-Mail."""

from __future__ import annotations

import random
from typing import Any

import flask
import flask_mail
import pytest

from mailnod import Prepared, Tracker
from mailnod.model import Envelope
from mailnod_flask import Mail, Message
from mailnod_flask.wire import find_filling

HTML = '<p>Grüße</p>\n<a href="https://shop.example/?a=1&amp;b=2">x</a>'
SETTINGS = {"base_url": "https://t.example", "routes": {"default": {"track_clicks": True, "consent": "assumed"}}}


@pytest.fixture
def tracker(tmp_path: Any) -> Any:
    """Give the tracker of an app, within its context."""
    app = flask.Flask("wire")
    app.config.update(
        MAIL_DEFAULT_SENDER="weekly@example.com",
        MAILNOD_DATABASE=tmp_path / "mailnod.db",
        MAILNOD_SECRET_KEYS="a secret of the tests, of 32 characters and more",
        MAILNOD_WORKER="none",
        **{f"MAILNOD_{name.upper()}": value for name, value in SETTINGS.items()},
    )
    Mail(app, load_entry_points=False)
    with app.app_context():
        yield app.extensions["mailnod"]
    app.extensions["mailnod"].close()


def prepare(tracker: Tracker, message: flask_mail.Message) -> Prepared:
    """Put tracked HTML into a message."""
    envelope = Envelope(message_id="<1@x>", recipients=("a@example.com",), sent_at=tracker.clock.now())
    prepared = tracker.prepare(envelope, [HTML], layers=[])
    message.html = prepared.parts[0]
    return prepared


def test_third_message_of_a_body_is_filled(tracker: Tracker) -> None:
    """The second message of a body learns its bytes, so that it and those after it are filled, to the same bytes."""
    found = []
    for number in range(4):
        message = Message(f"Nr. {number}", ["a@example.com"], body="Text")
        message.date = 1772357400.0
        filling = find_filling(tracker.wire_plans, message, prepare(tracker, message))
        found.append(filling is not None)
        if filling is not None:
            random.seed(7)
            made = filling()
            random.seed(7)
            assert made == message.as_bytes()
    assert found == [False, True, True, True]


def test_message_with_bytes_of_its_own_making_is_asked_each_time(tracker: Tracker) -> None:
    """A library that signs or encrypts in as_bytes is never passed by."""

    class Signed(flask_mail.Message):
        def as_bytes(self) -> bytes:
            return b"Signed: yes\r\n" + super().as_bytes()

    for _ in range(3):
        message = Signed("x", ["a@example.com"])
        assert find_filling(tracker.wire_plans, message, prepare(tracker, message)) is None
