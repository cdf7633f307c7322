"""What is asked of a store, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mailnod.model.hits import Kind
from mailnod.model.verdicts import Classification, EventRecord

__all__ = [
    "BreakdownLine",
    "EventFilter",
    "EventPage",
    "Metrics",
    "Term",
    "TermField",
]


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
class BreakdownLine:
    """Counts of one group, wherever its events lie."""

    #: "" where the events have none, such as a device that a proxy hides.
    key: str
    #: Events of people, and deliveries with at least one in this group.
    human_opens: int
    human_opens_unique: int
    human_clicks: int
    human_clicks_unique: int
    #: Events of machines.
    machine_opens: int
    machine_clicks: int


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
