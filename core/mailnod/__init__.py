"""Open and click tracking for the mail that an app already sends: off by default, consent first."""

from mailnod.clock import Clock, SystemClock
from mailnod.errors import ConfigurationError, TrackError
from mailnod.hookspecs import hookimpl
from mailnod.model import (
    Consent,
    ConsentState,
    Decision,
    Delivery,
    Envelope,
    Event,
    Link,
    Observation,
    Override,
    Route,
    Verdict,
)
from mailnod.send.override import OVERRIDE_KEYWORDS, is_own_header, make_override, read_headers, tracking
from mailnod.send.prepare import Prepared
from mailnod.settings import Settings
from mailnod.tokens import Keyring
from mailnod.tracker import Tracker

__all__ = [
    "OVERRIDE_KEYWORDS",
    "Clock",
    "ConfigurationError",
    "Consent",
    "ConsentState",
    "Decision",
    "Delivery",
    "Envelope",
    "Event",
    "Keyring",
    "Link",
    "Observation",
    "Override",
    "Prepared",
    "Route",
    "Settings",
    "SystemClock",
    "TrackError",
    "Tracker",
    "Verdict",
    "hookimpl",
    "is_own_header",
    "make_override",
    "read_headers",
    "tracking",
]
