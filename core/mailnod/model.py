"""The frozen types that the stages hand to each other; no I/O and no behaviour beyond their invariants.

Times are aware and in UTC; units stand in the name (``_s``, ``_days``, ``_bytes``, ``_at``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Literal, NamedTuple

__all__ = [
    "HONEYPOT_INDEX",
    "Claims",
    "Classification",
    "Consent",
    "ConsentRecord",
    "ConsentState",
    "Decision",
    "Delivery",
    "DeliveryState",
    "Envelope",
    "Event",
    "EventFilter",
    "EventPage",
    "EventRecord",
    "EventType",
    "Hit",
    "Kind",
    "Link",
    "LinkStyle",
    "Metrics",
    "Mode",
    "Observation",
    "Overflow",
    "OverflowCount",
    "OverflowReason",
    "Override",
    "ProxyType",
    "Publication",
    "RecipientMode",
    "Recorded",
    "Reply",
    "Route",
    "Signal",
    "Term",
    "TermField",
    "TokenState",
    "Traces",
    "Verdict",
    "Window",
]

#: The axis that a hit belongs to.
Kind = Literal["open", "click"]

#: Known proxy families, as Lettermint documents them; None where there is none.
ProxyType = Literal["gmail", "yahoo", "apple_mpp", "apple_private_relay"]

#: The index under which the hidden link of a mail is signed and recorded; no real link comes that far.
HONEYPOT_INDEX = 999_999

#: How several recipients of one message are served.
RecipientMode = Literal["shared", "split"]

#: What a tracked link holds besides its token: "portable", its destination; "short", the number to look that up by.
LinkStyle = Literal["portable", "short"]

#: Why hits are counted and not recorded one by one: too many of one delivery and link, too many of one address, or no
#: disk took them.
OverflowReason = Literal["token", "source", "lost"]

#: What a judged and published observation is called.
EventType = Literal["message.opened", "message.clicked"]

#: What a term of a filter is about, as the query language names it (:mod:`mailnod.query` says what each one means).
TermField = Literal[
    "campaign",
    "class",
    "client",
    "device",
    "is",
    "kind",
    "link",
    "message",
    "proxy",
    "rcpt",
    "reason",
    "route",
    "ruleset",
    "subject",
    "tag",
    "text",
    "url",
]


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


class TokenState(StrEnum):
    """Whether a genuine token still records."""

    #: Records.
    VALID = "valid"
    #: Past its day: answered and redirected, not recorded.
    EXPIRED = "expired"
    #: Signed by a retired key: answered and redirected, not recorded.
    RETIRED = "retired"


class DeliveryState(StrEnum):
    """How far a mail to one recipient (or one shared body) came."""

    PREPARED = "prepared"
    ACCEPTED = "accepted"
    FAILED = "failed"


class Classification(StrEnum):
    """The eight classes of a verdict, as Lettermint documents them."""

    GENUINE = "genuine"
    IMAGE_PROXY = "image_proxy"
    PRIVACY_PROXY = "privacy_proxy"
    SECURITY_SCANNER = "security_scanner"
    LINK_PREVIEW_BOT = "link_preview_bot"
    GENERIC_BOT = "generic_bot"
    SUSPICIOUS = "suspicious"
    UNVERIFIED_CLICK = "unverified_click"

    @property
    def machine(self) -> bool:
        """Whether the class is one of machines."""
        return self not in (Classification.GENUINE, Classification.IMAGE_PROXY, Classification.UNVERIFIED_CLICK)


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


# A tuple, because one is made of each hit, in a quarter of the time that a frozen dataclass takes.
class Claims(NamedTuple):
    """What a genuine token says."""

    delivery_id: bytes
    #: Mode of each axis, as it was when the mail was sent.
    opens: Mode
    clicks: Mode
    key_id: int
    #: First moment at which hits are no longer recorded.
    expires_at: datetime
    #: Whether a hit with this token records.
    state: TokenState


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One request for a pixel or a link, as the collector saw it."""

    kind: Kind
    #: HTTP method, upper case.
    method: str
    #: The client's address behind trusted proxies; None means not captured.
    ip: str | None
    #: None means not captured, "" means that the client sent none.
    user_agent: str | None
    #: Allowed headers in lower case; None means not captured.
    headers: Mapping[str, str] | None
    received_at: datetime
    #: Position of the link in its message, :data:`HONEYPOT_INDEX` for the hidden one; None for opens.
    link_index: int | None = None
    #: Where the click leads; None for opens and for the hidden link, which leads nowhere.
    url: str | None = None

    @property
    def honeypot(self) -> bool:
        """Whether it follows the hidden link of a mail, which people do not see."""
        return self.link_index == HONEYPOT_INDEX


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A recorded hit. It is never edited by judgement."""

    #: UUIDv7 (RFC 9562, section 5.7), 16 bytes.
    id: bytes
    hit: Hit
    delivery_id: bytes
    #: False where the collector could not tell whether the person has withdrawn consent; the drain checks again.
    checked: bool = True

    @property
    def purged(self) -> bool:
        """Whether evidence was erased since it was recorded, so that judging again would only forget.

        A collector always records a mapping of headers, be it empty. Whoever minimises a hit erases its headers first,
        or together with the rest, and the verdict that was given before stands.
        """
        return self.hit.headers is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overflow:
    """How many hits were answered and not recorded one by one."""

    #: 16 random bytes; what is written later under the same id has the higher count and takes its place.
    id: bytes
    reason: OverflowReason
    #: What had too many: the id of the delivery in hexadecimal, a keyed hash of the address, or "" for lost hits.
    key: str
    kind: Kind
    #: Times of the first and of the last such hit.
    first_at: datetime
    last_at: datetime
    count: int = 0


#: What a collector writes down before it answers.
Recorded = Observation | Overflow


@dataclass(frozen=True, slots=True, kw_only=True)
class OverflowCount:
    """What a store holds of one kind of overflow."""

    reason: OverflowReason
    kind: Kind
    #: Hits, and how many deliveries or addresses they are of.
    hits: int
    keys: int
    #: Times of the first and of the last such hit.
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What stays of a hit's raw address, user agent and headers once they are erased."""

    #: 6 bytes each, keyed with a secret of the store: the same value gives the same hash in one store and nowhere else.
    #: None where nothing was captured.
    ip_hash: bytes | None
    user_agent_hash: bytes | None
    #: Class of the network, as the judge's tables name it; None where no list holds the address.
    network: str | None
    #: Lower case, sorted.
    header_names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What else is known when an observation is judged."""

    #: The delivery that was hit; None where the store does not know it.
    delivery: Delivery | None
    #: All observations of the delivery, and those of the same address elsewhere, by time; the judged one included.
    observations: tuple[Observation, ...] = ()

    @property
    def purged(self) -> bool:
        """Whether evidence on any of its hits was erased, so that judging again would only forget."""
        return any(one.purged for one in self.observations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One piece of evidence."""

    #: Short name such as "ua.gmail_proxy"; for diagnosis, not a stable enumeration.
    code: str
    #: -100 (a person, certainly) to 100 (a machine, certainly).
    weight: int
    #: Where the rule comes from.
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an observation is judged to be; fields and values as Lettermint documents them."""

    #: Whether automation, privacy, preview or scanner activity was seen.
    detected: bool
    #: How likely a machine acted, 0 to 100.
    probability: int
    classification: Classification
    proxy_type: ProxyType | None
    #: For diagnosis, not a stable enumeration; strongest first.
    reason_codes: tuple[str, ...]
    machine: bool
    counts_for_metrics: bool
    #: "desktop", "mobile", "tablet", "tv", "other", or None where the proxy hides it.
    device_type: str | None
    #: "browser", "email_client", "app", "media_player", "feed_reader", "library", or None.
    client_type: str | None
    #: "Chrome", "Apple Mail" ..., or None.
    client_name: str | None
    #: Version of the rules that judged.
    ruleset: str

    @property
    def counted_as(self) -> Literal["human", "machine"] | None:
        """Whose counts it moves; None for a person's hit that counts nowhere, such as one on a hidden link."""
        if self.machine:
            return "machine"
        return "human" if self.counts_for_metrics else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A judged and published observation."""

    #: UUIDv7, 16 bytes: the observation's own id.
    id: bytes
    type: EventType
    delivery_id: bytes
    #: 0 for the first verdict of the observation, one more for each revision.
    seq: int
    verdict: Verdict
    #: Whether it is the delivery's first event of this type by a person (or, for machines, by a machine); never where
    #: the verdict counts nowhere.
    first: bool
    occurred_at: datetime
    #: Where the click led and which link it was; None for opens.
    url: str | None = None
    link_index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What publishing one judgement changed."""

    event: Event
    #: The event that it revises; None where it is the first of its observation.
    previous: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """An event with the raw facts that it was judged from."""

    event: Event
    observation: Observation
    #: None where the store does not know the delivery.
    delivery: Delivery | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One condition of a filter."""

    field: TermField
    #: An event matches where any of them does; at least one.
    values: tuple[str, ...]
    #: True: only events that match none of the values.
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are asked for; None does not restrict."""

    kind: Kind | None = None
    #: True: machines only; False: people only.
    machine: bool | None = None
    classification: Classification | None = None
    route: str | None = None
    campaign: str | None = None
    message_id: str | None = None
    #: One address; matches deliveries that went to it.
    recipient: str | None = None
    #: True: tests only; False: without tests.
    test: bool | None = None
    #: Inclusive lower bound of the time of the hit.
    since: datetime | None = None
    #: Exclusive upper bound of the time of the hit.
    until: datetime | None = None
    #: Further conditions, all of which must hold.
    terms: tuple[Term, ...] = ()
    #: Return events that are older than the one with this id (keyset paging).
    before_id: bytes | None = None
    #: At most this many, 1 to 10,000.
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """What a search found within the effort that one page is worth."""

    #: Newest first.
    records: tuple[EventRecord, ...]
    #: What to search before for more (:attr:`EventFilter.before_id`); None where there is no more.
    next_id: bytes | None
    #: Where the effort ended before the page was full: how far back the search came. None where it did not.
    searched_to: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Counts of one group (a message, a campaign, a route, a link, an hour, or everything).

    Each event is of people or of machines, and each of a machine's is of one of three kinds, so that events add up.
    Uniques do not: one delivery may have events of several.
    """

    #: The group's key; "" for everything.
    key: str
    #: Deliveries that a server accepted.
    deliveries: int = 0
    #: Of these, how many carried the pixel: the honest denominator of an open rate.
    deliveries_with_pixel: int = 0
    #: Of these, how many carried tracked links.
    deliveries_with_links: int = 0
    #: Events of people; and deliveries with at least one.
    human_opens: int = 0
    human_opens_unique: int = 0
    human_clicks: int = 0
    human_clicks_unique: int = 0
    #: Events of machines: of privacy proxies, scanners and all others together; and deliveries with at least one.
    machine_opens: int = 0
    machine_opens_unique: int = 0
    machine_clicks: int = 0
    machine_clicks_unique: int = 0
    #: Of these, fetches by privacy proxies, which say nothing of a person; and deliveries with at least one.
    privacy_opens: int = 0
    privacy_opens_unique: int = 0
    privacy_clicks: int = 0
    privacy_clicks_unique: int = 0
    #: Of these, visits of security scanners; and deliveries with at least one.
    scanner_opens: int = 0
    scanner_opens_unique: int = 0
    scanner_clicks: int = 0
    scanner_clicks_unique: int = 0
    #: Of these, all others: crawlers, link previews, scripts, what is suspicious; and deliveries with at least one.
    bot_opens: int = 0
    bot_opens_unique: int = 0
    bot_clicks: int = 0
    bot_clicks_unique: int = 0
    #: Everything that was judged, people and machines together; and deliveries with at least one.
    observed_opens: int = 0
    observed_opens_unique: int = 0
    observed_clicks: int = 0
    observed_clicks_unique: int = 0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the collector answers."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
