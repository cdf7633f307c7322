"""What the recipients of a mail are taken to have said."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from mailnod.model import Consent, ConsentState, Envelope
from mailnod.plugins import Plugins
from mailnod.send.consent import collect_consent
from mailnod.settings import Settings
from mailnod_desktop.services.model import Wishes

__all__ = ["AskConsent", "find_consents"]

log = logging.getLogger(__name__)

#: Takes an address and a purpose, and returns what a store knows.
AskConsent = Callable[[str, str], Consent]


def find_consents(
    recipients: Iterable[str],
    wishes: Wishes,
    *,
    purpose: str,
    envelope: Envelope,
    settings: Settings,
    plugins: Plugins,
    ask: AskConsent | None,
) -> dict[str, Consent]:
    """Return the consent of each recipient: what the switches say, and where they leave it open, what sources know.

    :param ask: the opened store; None where none is open. What it fails to answer counts as a denial, as in sending.
    """
    opens, clicks = wishes.consent_opens, wishes.consent_clicks
    source = "the inspector"
    if opens is not None and clicks is not None:
        return dict.fromkeys(recipients, Consent(opens=opens, clicks=clicks, source=source))
    consents: dict[str, Consent] = {}
    for recipient in recipients:
        known = _ask(recipient, purpose, envelope, plugins, ask)
        if settings.is_test_recipient(recipient) and ConsentState.DENIED not in (known.opens, known.clicks):
            # As in sending: tests of the sender's own ask nobody.
            granted = ConsentState.GRANTED
            known = Consent(opens=granted, clicks=granted, source="MAILNOD_TEST_RECIPIENTS")
        consents[recipient] = Consent(
            opens=known.opens if opens is None else opens,
            clicks=known.clicks if clicks is None else clicks,
            source=known.source if opens is None and clicks is None else source,
        )
    return consents


def _ask(recipient: str, purpose: str, envelope: Envelope, plugins: Plugins, ask: AskConsent | None) -> Consent:
    """Return what store and plugins together say of one recipient; on each axis a denial wins."""
    answers = [collect_consent(plugins, recipient, purpose=purpose, envelope=envelope)]
    if ask is not None:
        try:
            answers.append(ask(recipient, purpose))
        except Exception as error:
            log.warning("a recipient's consent cannot be read: %s", type(error).__name__)
            denied = ConsentState.DENIED
            answers.append(Consent(opens=denied, clicks=denied, source="the store, which could not be read,"))
    opens, clicks = [one.opens for one in answers], [one.clicks for one in answers]
    sources = dict.fromkeys(one.source for one in answers if one.source)
    return Consent(opens=_combine(opens), clicks=_combine(clicks), source=", ".join(sources))


def _combine(states: list[ConsentState]) -> ConsentState:
    for decisive in (ConsentState.DENIED, ConsentState.GRANTED):
        if decisive in states:
            return decisive
    return ConsentState.UNKNOWN
