"""Help for an app's own tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mailnod_flask.connection import TrackedMail, mail_tracked

__all__ = ["TrackedMail", "tracked_outbox"]


@contextmanager
def tracked_outbox() -> Iterator[list[TrackedMail]]:
    """Collect every mail that is sent inside the ``with`` block, as it would leave.

    Under ``TESTING`` Flask-Mail sends nothing and Mailnod touches nothing. Inside this block the tracked copy is really
    prepared, with the app's store, and only the conversation with the mail server is left out::

        with tracked_outbox() as outbox:
            client.post("/newsletter")
        assert outbox[0].prepared.decision.opens is Mode.INDIVIDUAL
        assert "/t/o/" in outbox[0].message.html

    :returns: a list that grows with each mail.
    """
    outbox: list[TrackedMail] = []

    def record(_connection: object, mail: TrackedMail) -> None:
        outbox.append(mail)

    with mail_tracked.connected_to(record):
        yield outbox
