"""What a hit is judged to be, and how that is published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from mailnod.model.hits import Observation
from mailnod.model.mail import Delivery

__all__ = [
    "Classification",
    "Event",
    "EventRecord",
    "EventType",
    "ProxyType",
    "Publication",
    "Signal",
    "Verdict",
]


#: Known proxy families, as Lettermint documents them; None where there is none.
ProxyType = Literal["gmail", "yahoo", "apple_mpp", "apple_private_relay"]

#: What a judged and published observation is called.
EventType = Literal["message.opened", "message.clicked"]


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
