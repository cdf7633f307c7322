"""Open and click tracking for Django's mail: name our backend and a few settings; people who consent are tracked.

Django is imported when a name is first used, so that the package says what to install where Django is missing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mailnod import ConfigurationError

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


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        home = import_module(_HOMES[name])
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("django", "asgiref"):
            raise
        raise ConfigurationError(
            f"mailnod_django.{name} needs {error.name!r}, which is not installed: pip install 'mailnod[django]'"
        ) from error
    return getattr(home, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
