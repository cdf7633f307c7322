"""What happens in the demo: who is written to, what they wished, and what their programs then ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mailnod import ConsentState, personas
from mailnod.personas import Client
from mailnod_flask.demo.mailbox import DeliveredMail

__all__ = ["LENGTH_S", "READERS", "VISITS", "DemoClock", "Reader", "Visit"]


class DemoClock:
    """A clock that is moved by hand during the demo and follows the machine's afterwards.

    :param now: where it begins; aware, in UTC.
    """

    def __init__(self, now: datetime) -> None:
        self._now: datetime | None = now

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        return self._now or datetime.now(UTC)

    def move_to(self, now: datetime) -> None:
        """Stand still at another time."""
        self._now = now

    def release(self) -> None:
        """Follow the machine's clock from now on."""
        self._now = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Someone who gets the newsletter."""

    address: str
    #: What was recorded of the reader's consent; None where nobody asked.
    consent: ConsentState | None
    #: Override keywords of the call that sends to this reader.
    overrides: Mapping[str, Any] = field(default_factory=dict)


READERS = (
    Reader(address="phone@example.com", consent=ConsentState.GRANTED),
    Reader(address="gmail@example.com", consent=ConsentState.GRANTED),
    Reader(address="apple@example.org", consent=ConsentState.GRANTED),
    Reader(address="office@example.org", consent=ConsentState.GRANTED),
    Reader(address="quiet@example.com", consent=ConsentState.GRANTED, overrides={"track_opens": False}),
    Reader(address="denied@example.com", consent=ConsentState.DENIED),
    Reader(address="unasked@example.org", consent=None),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One program of one reader, asking for something."""

    #: Seconds after the mail was sent.
    at_s: float
    address: str
    client: Client
    #: Picks what is asked for from the mail, as the program sees it.
    pick: Callable[[DeliveredMail], Sequence[str]]
    method: str = "GET"
    #: Seconds between two requests.
    pause_s: float = 0.0


def _opens(mail: DeliveredMail) -> list[str]:
    return mail.find_pictures()


def _clicks(number: int) -> Callable[[DeliveredMail], list[str]]:
    return lambda mail: _all_links(mail)[number : number + 1]


def _all_links(mail: DeliveredMail) -> list[str]:
    # A scanner may not post to an unsubscribe page, but it does fetch what is linked; this one knows better.
    return [url for url in mail.find_links() if url.startswith("http") and "/unsubscribe" not in url]


MINUTE = 60.0
VISITS = (
    Visit(at_s=4, address="office@example.org", client=personas.PROBE, pick=_clicks(0), method="HEAD"),
    Visit(at_s=6, address="office@example.org", client=personas.GATEWAY, pick=_all_links, pause_s=0.2),
    Visit(at_s=9, address="apple@example.org", client=personas.APPLE_MPP, pick=_opens),
    Visit(at_s=6 * MINUTE, address="phone@example.com", client=personas.IPHONE_MAIL, pick=_opens),
    Visit(at_s=6 * MINUTE + 41, address="phone@example.com", client=personas.IPHONE_BROWSER, pick=_clicks(0)),
    Visit(at_s=22 * MINUTE, address="gmail@example.com", client=personas.GMAIL_PROXY, pick=_opens),
    Visit(at_s=23 * MINUTE + 8, address="gmail@example.com", client=personas.DESKTOP, pick=_clicks(1)),
    Visit(at_s=48 * MINUTE, address="quiet@example.com", client=personas.ANDROID, pick=_opens),
    Visit(at_s=48 * MINUTE + 30, address="quiet@example.com", client=personas.ANDROID, pick=_clicks(2)),
    Visit(at_s=70 * MINUTE, address="denied@example.com", client=personas.IPHONE_MAIL, pick=_opens),
    Visit(at_s=70 * MINUTE + 20, address="denied@example.com", client=personas.IPHONE_BROWSER, pick=_clicks(0)),
    Visit(at_s=96 * MINUTE, address="office@example.org", client=personas.OFFICE_BROWSER, pick=_clicks(3)),
)
#: From sending to the end.
LENGTH_S = 100 * MINUTE
