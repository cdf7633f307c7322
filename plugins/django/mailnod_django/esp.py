"""django-anymail inside: who tracks, we or the provider."""

from __future__ import annotations

from typing import Any

from django.core.mail import EmailMessage

__all__ = ["connect", "is_anymail", "leave_tracking_to_us"]

#: Providers (``esp_name`` of django-anymail 15.2) that can be told per message not to track. The others raise even for
#: False, or have no such switch.
_SWITCHABLE = frozenset(
    (
        "Mailgun",
        "Mailjet",
        "MailerSend",
        "Mandrill",
        "Postmark",
        "SendGrid",
        "SparkPost",
        "Test",
        "Unisender Go",
    )
)


def is_anymail(backend: object) -> bool:
    """Return whether a backend is one of django-anymail's."""
    return any(cls.__module__.partition(".")[0] == "anymail" for cls in type(backend).__mro__)


def leave_tracking_to_us(backend: Any, message: EmailMessage) -> None:
    """Tell the provider not to track a message: where it cannot be told, take the wish for it off the message."""
    for name in ("track_opens", "track_clicks"):
        vars(message).pop(name, None)
        if backend.esp_name in _SWITCHABLE:
            vars(message)[name] = False


def connect() -> None:
    """Do nothing yet."""
