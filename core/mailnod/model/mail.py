"""Mail as it is sent: its route, what was wished and allowed, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Literal, NamedTuple

__all__ = [
    "Consent",
    "ConsentRecord",
    "ConsentState",
    "Decision",
    "Delivery",
    "DeliveryState",
    "Envelope",
    "KeptBody",
    "Link",
    "LinkStyle",
    "Mode",
    "Override",
    "RecipientMode",
    "Route",
]


#: How several recipients of one message are served.
RecipientMode = Literal["shared", "split"]

#: What a tracked link holds besides its token: "portable", its destination; "short", the number to look that up by.
LinkStyle = Literal["portable", "short"]


class Mode(IntEnum):
    """How an axis of one delivery is tracked; the value is signed into the token.

    The values 2 (hygiene: one date per recipient) and 3 (aggregate: the same bytes for every recipient) are reserved.
    """

    NONE = 0
    INDIVIDUAL = 1


class ConsentState(StrEnum):
    """What a consent source says of one axis."""

    GRANTED = "granted"
    DENIED = "denied"
    UNKNOWN = "unknown"


class DeliveryState(StrEnum):
    """How far a mail to one recipient (or one shared body) came."""

    PREPARED = "prepared"
    ACCEPTED = "accepted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A named kind of mail (newsletter, receipt ...) and how it is tracked."""

    #: Unique name, as overrides and settings write it.
    name: str
    #: Whether opens are tracked when no override says otherwise.
    track_opens: bool = False
    #: Whether clicks are tracked when no override says otherwise.
    track_clicks: bool = False
    #: "required": each recipient must have granted consent; "assumed": the sender answers for it, a denial still wins.
    consent: Literal["required", "assumed"] = "required"
    #: What consent is asked for; consents are granted per purpose.
    purpose: str = "statistics"
    #: Where the collector is reached, without a trailing slash; None takes the setting ``base_url``.
    base_url: str | None = None
    #: Hosts whose links are never tracked, lower case; ".example.com" also means every host below it.
    excluded_hosts: tuple[str, ...] = ()
    #: For how many days after sending hits are recorded; redirects work for ever.
    token_max_age_days: int = 30
    #: Whether links in text/plain parts are tracked too, where clicks are.
    text_clicks: bool = False
    #: "short" links need the store to redirect; portable ones hold their destination.
    link_style: LinkStyle = "portable"
    #: Whether a link that people do not see is added where clicks are tracked, to tell scanners by.
    honeypot: bool = False
    #: For how many days raw addresses, user agents and headers of hits are kept; None takes the setting.
    retention_days: int | None = None
    #: For how many days the HTML of its tracked mail is kept as it was before it was edited; 0 keeps none.
    store_bodies_days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What one message, header, context or call wishes; None means inherit."""

    track_opens: bool | None = None
    track_clicks: bool | None = None
    #: Name of a route.
    route: str | None = None
    campaign: str | None = None
    tags: tuple[str, ...] | None = None
    metadata: Mapping[str, str] | None = None
    #: "shared": one body for all recipients; "split": a body of its own for each who may be tracked.
    recipient_mode: RecipientMode | None = None
    #: True: track as ever, and leave the statistics alone.
    test: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What one source knows of one recipient."""

    opens: ConsentState = ConsentState.UNKNOWN
    clicks: ConsentState = ConsentState.UNKNOWN
    #: Which source says so: a plugin's name, a form, an import.
    source: str = ""
    #: Where the proof lies, for a person to follow; free text, no address.
    evidence: str = ""

    def __post_init__(self) -> None:
        for state in (self.opens, self.clicks):
            if not isinstance(state, ConsentState):
                raise TypeError(f"a consent is a ConsentState, not {state!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What is known of a message before it is sent."""

    #: The RFC 5322 Message-ID, with its angle brackets. A message that is sent twice keeps it.
    message_id: str
    #: Bare addresses of To, Cc and Bcc, in order, each once.
    recipients: tuple[str, ...]
    subject: str = ""
    sent_at: datetime
    campaign: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How a message is tracked, and why, in the order in which it was decided."""

    opens: Mode
    clicks: Mode
    #: Name of the route that was decided on.
    route: str
    #: In order, in words: "route 'news': opens on", "consent: unknown for 1 of 2 recipients, opens off".
    reasons: tuple[str, ...]

    @property
    def tracked(self) -> bool:
        """Whether either axis is tracked."""
        return self.opens is not Mode.NONE or self.clicks is not Mode.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message to one recipient, or one body that several recipients share."""

    #: 8 random bytes; what the token carries.
    id: bytes
    envelope: Envelope
    decision: Decision
    #: How many links of the message are tracked.
    link_count: int = 0
    state: DeliveryState = DeliveryState.PREPARED
    #: When the mail server took it; None before.
    accepted_at: datetime | None = None
    #: Whether it only proves that tracking works; its events are shown and never counted.
    test: bool = False
    #: First moment at which hits are no longer recorded, as its token says; None means never.
    expires_at: datetime | None = None
    #: Where its short links lead, by their numbers; None where its links hold their destinations themselves.
    destinations: Mapping[int, str] | None = None

    def __post_init__(self) -> None:
        if len(self.id) != 8:
            raise ValueError(f"a delivery id has 8 bytes, not {len(self.id)}")

    @property
    def recipient(self) -> str | None:
        """The one recipient, or None where several share the body and no event may be laid at one person's door."""
        recipients = self.envelope.recipients
        return recipients[0] if len(recipients) == 1 else None


class KeptBody(NamedTuple):
    """The HTML of a delivery as it was before it was edited, which holds no token."""

    delivery_id: bytes
    #: The text of each HTML part.
    parts: tuple[str, ...]
    #: From when on it is to be erased.
    erase_at: datetime


class Link(NamedTuple):
    """One link of an HTML body, in document order."""

    #: Position among all links of the body, from 0; links that are not tracked count too. It hides a method of tuples.
    index: int  # type: ignore[assignment]
    #: Where the attribute's value begins and ends in the source, in characters, without its quotes.
    start: int
    end: int
    #: The value as it stands in the source.
    raw: str
    #: The destination after character references are decoded as the HTML Standard does in attributes.
    url: str
    tracked: bool
    #: Why it is tracked or not, in words that a person reads.
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecord:
    """One line of the append-only history of a recipient's consent."""

    recorded_at: datetime
    purpose: str
    #: Each axis as it stands from this record on; None leaves it as it is. What a store returns has no None.
    opens: ConsentState | None
    clicks: ConsentState | None
    #: Where the wish came from: a form, an import, the command line.
    source: str
    #: Who recorded it.
    actor: str = ""
    #: Version or hash of the text that the person saw.
    text_version: str = ""
