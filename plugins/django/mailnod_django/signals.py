"""Django signals beside Mailnod's hooks: :data:`opened` and :data:`clicked`.

They are sent where events are judged: from the worker thread of one of the app's processes, or from
``manage.py mailnod work``. Receivers get ``event``, a :class:`~mailnod.Event`; whether a person or a machine acted
stands in ``event.verdict``. Django logs a receiver that raises, and the others still run.
"""

from __future__ import annotations

from django.db import close_old_connections
from django.dispatch import Signal

from mailnod import Event, hookimpl

__all__ = ["SignalPlugin", "clicked", "mail_tracked", "opened"]

#: A tracked mail was opened. Arguments: ``event``.
opened = Signal()
#: A tracked link was clicked. Arguments: ``event``.
clicked = Signal()
#: A mail is about to be handed to the backend that sends. Arguments: ``mail``, a
#: :class:`~mailnod_django.backend.TrackedMail`. :func:`mailnod_django.testing.tracked_outbox` listens.
mail_tracked = Signal()


class SignalPlugin:
    """Hands events on as Django signals."""

    @hookimpl
    def event_created(self, event: Event) -> None:
        """Send :data:`opened` or :data:`clicked`."""
        signal = opened if event.type == "message.opened" else clicked
        if not signal.has_listeners(SignalPlugin):
            return
        # The worker's thread has no request around it that would renew or close the database connections of receivers.
        close_old_connections()
        try:
            signal.send_robust(SignalPlugin, event=event)
        finally:
            close_old_connections()
