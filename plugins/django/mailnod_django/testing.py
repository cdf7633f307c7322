"""Help for a project's own tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.mail.backends.locmem import EmailBackend as LocmemBackend
from django.test.utils import override_settings

from mailnod_django.backend import EmailBackend, TrackedMail
from mailnod_django.signals import mail_tracked

__all__ = ["OutboxBackend", "TrackedMail", "tracked_outbox"]


class OutboxBackend(EmailBackend):
    """Tracks messages and keeps the copies in ``django.core.mail.outbox``."""

    def _open_inner(self, path: str, **_: Any) -> Any:  # noqa: ARG002
        return LocmemBackend()


@contextmanager
def tracked_outbox() -> Iterator[list[TrackedMail]]:
    """Collect every mail that is sent inside the ``with`` block, as it would leave.

    Django's test runner puts its own backend in place of every other one, so Mailnod touches nothing in tests. Inside
    this block the tracked copy is really prepared, with the project's store, and goes to ``django.core.mail.outbox``::

        with tracked_outbox() as outbox:
            client.post("/newsletter")
        assert outbox[0].prepared.decision.opens is Mode.INDIVIDUAL
        assert "/t/o/" in outbox[0].message.alternatives[0].content

    :returns: a list that grows with each mail.
    """
    outbox: list[TrackedMail] = []
    path = f"{OutboxBackend.__module__}.{OutboxBackend.__qualname__}"
    mailers = getattr(settings, "MAILERS", None)
    override: dict[str, Any] = (
        {"EMAIL_BACKEND": path} if mailers is None else {"MAILERS": {alias: {"BACKEND": path} for alias in mailers}}
    )

    def record(mail: TrackedMail, **_: Any) -> None:
        outbox.append(mail)

    mail_tracked.connect(record)
    try:
        with override_settings(**override):
            yield outbox
    finally:
        mail_tracked.disconnect(record)
