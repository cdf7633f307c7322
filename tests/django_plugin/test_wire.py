"""Bytes of messages whose HTML comes again, with Django."""

from __future__ import annotations

from typing import Any, Protocol

import pytest
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend

from mailnod import Envelope, Prepared, Tracker
from mailnod_django import TrackedEmail
from mailnod_django.wire import find_stand_in

HTML = '<p>Grüße</p>\n<a href="https://shop.example/?a=1&amp;b=2">x</a>'


class SetUp(Protocol):
    """Sets Django up for one test."""

    def __call__(self, **mailnod: Any) -> Tracker: ...


class Signed(EmailMultiAlternatives):
    """Makes its bytes in a way of its own."""

    def message(self, **keywords: Any) -> Any:
        made = super().message(**keywords)
        made["Signed"] = "yes"
        return made


class SigningBackend(SMTPBackend):
    """Sends in a way of its own."""

    def _send(self, email_message: EmailMessage) -> bool:
        raise NotImplementedError


@pytest.fixture
def tracker(set_up: SetUp) -> Tracker:
    """Give a tracker that tracks clicks."""
    routes = {"default": {"track_clicks": True, "consent": "assumed"}}
    return set_up(BASE_URL="https://t.example", ROUTES=routes)


def prepare(tracker: Tracker, message: Any) -> Prepared:
    """Put tracked HTML into a message."""
    envelope = Envelope(message_id="<1@x>", recipients=("a@example.com",), sent_at=tracker.clock.now())
    prepared = tracker.prepare(envelope, [HTML], layers=[])
    message.attach_alternative(prepared.parts[0], "text/html")
    return prepared


def find_each(tracker: Tracker, kind: type[EmailMultiAlternatives], backend: type[SMTPBackend]) -> list[bool]:
    """Return for each of four messages with one body whether its bytes would be filled."""
    found, opened = [], object.__new__(backend)
    for _ in range(4):
        message = kind("x", "Text", "weekly@example.com", ["a@example.com"])
        prepared = prepare(tracker, message)
        found.append(find_stand_in(tracker.wire_plans, opened, message, prepared) is not None)
    return found


@pytest.mark.parametrize("kind", [EmailMultiAlternatives, TrackedEmail])
def test_body_that_comes_again_is_filled(tracker: Tracker, kind: type[EmailMultiAlternatives]) -> None:
    """The second message of a body learns its bytes, so that it and those after it are filled."""
    assert find_each(tracker, kind, SMTPBackend) == [False, True, True, True]


def test_whoever_makes_bytes_in_another_way_is_asked_each_time(tracker: Tracker) -> None:
    """Messages that override what makes them, and backends that send in their own way, are never passed by."""
    assert not any(find_each(tracker, Signed, SMTPBackend))
    assert not any(find_each(tracker, EmailMultiAlternatives, SigningBackend))
