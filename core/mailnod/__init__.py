"""Open and click tracking for the mail that an app already sends: off by default, consent first.

The public names stand here and are loaded when they are first used, so that ``import mailnod`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mailnod.clock import Clock, SystemClock
    from mailnod.errors import ConfigurationError, TrackError
    from mailnod.hookspecs import hookimpl
    from mailnod.model import (
        Classification,
        Consent,
        ConsentState,
        Decision,
        Delivery,
        Envelope,
        Event,
        Hit,
        Link,
        Observation,
        Override,
        Route,
        Signal,
        Verdict,
        Window,
    )
    from mailnod.send.override import (
        OVERRIDE_KEYWORDS,
        is_own_header,
        make_override,
        read_layers,
        tracking,
    )
    from mailnod.send.prepare import Draft, Prepared
    from mailnod.settings import Settings
    from mailnod.tokens import Keyring
    from mailnod.tracker import Tracker

__all__ = [
    "OVERRIDE_KEYWORDS",
    "Classification",
    "Clock",
    "ConfigurationError",
    "Consent",
    "ConsentState",
    "Decision",
    "Delivery",
    "Draft",
    "Envelope",
    "Event",
    "Hit",
    "Keyring",
    "Link",
    "Observation",
    "Override",
    "Prepared",
    "Route",
    "Settings",
    "Signal",
    "SystemClock",
    "TrackError",
    "Tracker",
    "Verdict",
    "Window",
    "hookimpl",
    "is_own_header",
    "make_override",
    "read_layers",
    "tracking",
]

_HOMES = {
    "mailnod.clock": ("Clock", "SystemClock"),
    "mailnod.errors": ("ConfigurationError", "TrackError"),
    "mailnod.hookspecs": ("hookimpl",),
    "mailnod.send.override": (
        "OVERRIDE_KEYWORDS",
        "is_own_header",
        "make_override",
        "read_headers",
        "read_layers",
        "tracking",
    ),
    "mailnod.send.prepare": ("Draft", "Prepared"),
    "mailnod.settings": ("Settings",),
    "mailnod.tokens": ("Keyring",),
    "mailnod.tracker": ("Tracker",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'mailnod' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF.get(name, "mailnod.model")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
