"""Ask every consent source about a recipient; doubt means no."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

from mailnod.errors import HookError
from mailnod.hookspecs import hookimpl
from mailnod.model import Consent, ConsentState, Envelope
from mailnod.plugins import Plugins
from mailnod.store.base import Store

__all__ = ["ConsentStore", "collect_consent"]

log = logging.getLogger("mailnod.consent")

#: A source that takes longer is named in the log, because every send waits for it.
SLOW_S = 1.0


class ConsentStore:
    """The built-in consent source: a plugin over the store's append-only history.

    :param get_store: returns the store, which may be a plugin's too and is opened after all of them are there.
    """

    __name__ = "consent store"

    def __init__(self, get_store: Callable[[], Store]) -> None:
        self._get_store = get_store

    @hookimpl
    def get_consent(self, recipient: str, purpose: str) -> Consent:
        """Return the recipient's latest word on a purpose."""
        return self._get_store().get_consent(recipient, purpose=purpose)


def collect_consent(plugins: Plugins, recipient: str, *, purpose: str, envelope: Envelope) -> Consent:
    """Return what all sources together say of a recipient.

    On each axis any denial wins, a source that raises or answers nonsense counts as a denial, then any grant counts;
    where no source knows, it is unknown.
    """
    answers: list[tuple[str, Consent]] = []
    started = monotonic()
    for name, answer in plugins.call("get_consent", recipient=recipient, purpose=purpose, envelope=envelope):
        took_s, started = monotonic() - started, monotonic()
        if took_s > SLOW_S:
            log.warning("consent source %r took %.1f s", name, took_s)
        if isinstance(answer, Consent):
            answers.append((name, answer))
        elif answer is not None:
            why = "raised" if isinstance(answer, HookError) else f"answered {type(answer).__name__}, not Consent"
            denied = ConsentState.DENIED
            answers.append((name, Consent(opens=denied, clicks=denied, source=f"{name} {why}")))
    opens, opens_source = _combine([(answer.opens, answer.source or name) for name, answer in answers])
    clicks, clicks_source = _combine([(answer.clicks, answer.source or name) for name, answer in answers])
    sources = dict.fromkeys(source for source in (opens_source, clicks_source) if source)
    return Consent(opens=opens, clicks=clicks, source=", ".join(sources))


def _combine(answers: list[tuple[ConsentState, str]]) -> tuple[ConsentState, str]:
    for decisive in (ConsentState.DENIED, ConsentState.GRANTED):
        for state, source in answers:
            if state == decisive:
                return decisive, source
    return ConsentState.UNKNOWN, ""
