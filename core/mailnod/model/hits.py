"""What comes in: a token's claims, hits, and what else is known when one is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple

from mailnod.model.mail import Delivery, Mode

__all__ = [
    "HONEYPOT_INDEX",
    "Claims",
    "Hit",
    "Kind",
    "Observation",
    "Overflow",
    "OverflowCount",
    "OverflowReason",
    "Recorded",
    "Reply",
    "TokenState",
    "Traces",
    "Window",
]


#: The axis that a hit belongs to.
Kind = Literal["open", "click"]

#: The index under which the hidden link of a mail is signed and recorded; no real link comes that far.
HONEYPOT_INDEX = 999_999

#: Why hits are counted and not recorded one by one: too many of one delivery and link, too many of one address, or no
#: disk took them.
OverflowReason = Literal["token", "source", "lost"]


class TokenState(StrEnum):
    """Whether a genuine token still records."""

    #: Records.
    VALID = "valid"
    #: Past its day: answered and redirected, not recorded.
    EXPIRED = "expired"
    #: Signed by a retired key: answered and redirected, not recorded.
    RETIRED = "retired"


# This, a hit and an observation are tuples, because one of each is made of every request, in a quarter of the time that
# a frozen dataclass takes.
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


class Hit(NamedTuple):
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


class Observation(NamedTuple):
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
class Reply:
    """What the collector answers."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
