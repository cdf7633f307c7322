"""Open and click tracking for Django's mail: name our backend and a few settings; people who consent are tracked.

Django is imported when a name is first used, so that the package says what to install where Django is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailnod.exports import load_on_use

if TYPE_CHECKING:
    from mailnod import tracking as tracking
    from mailnod_django.backend import EmailBackend as EmailBackend
    from mailnod_django.message import TrackedEmail as TrackedEmail
    from mailnod_django.shortcuts import send_mail as send_mail
    from mailnod_django.shortcuts import send_mass_mail as send_mass_mail
    from mailnod_django.signals import clicked as clicked
    from mailnod_django.signals import opened as opened

__all__ = ["EmailBackend", "TrackedEmail", "clicked", "opened", "send_mail", "send_mass_mail", "tracking"]

_HOMES = {
    "EmailBackend": "mailnod_django.backend",
    "TrackedEmail": "mailnod_django.message",
    "clicked": "mailnod_django.signals",
    "opened": "mailnod_django.signals",
    "send_mail": "mailnod_django.shortcuts",
    "send_mass_mail": "mailnod_django.shortcuts",
    "tracking": "mailnod",
}

__getattr__ = load_on_use(__name__, _HOMES, extra="django", needs=("django", "asgiref"))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
