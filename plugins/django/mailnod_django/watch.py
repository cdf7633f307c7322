"""What a backend that sends message by message did with each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from smtplib import SMTPRecipientsRefused
from typing import Any

from django.core.mail import EmailMessage

__all__ = ["Watch"]


class Watch:
    """Notes which messages a backend took, where it sends one by one through ``_send``, as SMTP and django-anymail do.

    In a bulk that stops half-way the first messages have left, and the others have not.
    """

    def __init__(self, send: Any) -> None:
        self._send = send
        #: Returns what is sent in a message's place. It is asked last, because backends change messages before.
        self.find_stand_in: Callable[[EmailMessage], EmailMessage] = _keep
        self._taken: dict[int, bool] = {}
        self._copies: dict[int, list[int]] = {}

    @classmethod
    def on(cls, backend: Any) -> Watch | None:
        """Watch a backend; None where it does not send one by one."""
        send = getattr(backend, "_send", None)
        if not callable(send):
            return None
        watch = cls(send)
        backend._send = watch
        return watch

    def __call__(self, message: EmailMessage, *args: Any, **kwargs: Any) -> Any:
        """Send a message in the backend's own way, or its stand-in."""
        self._taken[id(message)] = False
        try:
            sent = self._send(self.find_stand_in(message), *args, **kwargs)
        except SMTPRecipientsRefused:
            # As with one body, refused recipients are an error only where all of them are refused.
            copies = self._copies.get(id(message), [id(message)])
            if id(message) == copies[-1] and not any(self._taken.get(copied) for copied in copies):
                raise
            return False
        self._taken[id(message)] = bool(sent)
        return sent

    def expect(self, groups: Iterable[Sequence[EmailMessage]]) -> None:
        """Learn which messages are copies of one."""
        for group in groups:
            keys = [id(message) for message in group]
            if len(keys) > 1:
                self._copies.update(dict.fromkeys(keys, keys))

    def take(self, messages: Iterable[EmailMessage]) -> dict[int, bool]:
        """Return what was noted of these messages, by their ids, and forget it."""
        found = {}
        for key in map(id, messages):
            self._copies.pop(key, None)
            if key in self._taken:
                found[key] = self._taken.pop(key)
        return found


def _keep(message: EmailMessage) -> EmailMessage:
    return message
