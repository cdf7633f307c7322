"""Counts for each message, campaign, route, link and hour, moved by signed deltas."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal, NamedTuple

from mailnod.model import Delivery, Event, Metrics, Mode
from mailnod.store.rows import to_text

__all__ = [
    "LARGEST_FIRST",
    "MEASURES",
    "Accepted",
    "Group",
    "Groups",
    "Rollups",
    "count_accepted",
    "get_metrics",
    "list_moves",
    "sum_accepted",
]

#: What a line of the rollups is about, as :data:`mailnod.store.base.GroupBy` names it, and its key.
Group = tuple[str, str]

#: Every count of a line.
MEASURES = tuple(field.name for field in fields(Metrics) if field.name != "key")
_MOVE = {
    measure: f"INSERT INTO rollups (scope, key, {measure}) VALUES (?, ?, ?) "
    f"ON CONFLICT (scope, key) DO UPDATE SET {measure} = {measure} + excluded.{measure}"
    for measure in MEASURES
}
_COUNT_DELIVERIES = """
    INSERT INTO rollups (scope, key, deliveries, deliveries_with_pixel, deliveries_with_links) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (scope, key) DO UPDATE SET
        deliveries = deliveries + excluded.deliveries,
        deliveries_with_pixel = deliveries_with_pixel + excluded.deliveries_with_pixel,
        deliveries_with_links = deliveries_with_links + excluded.deliveries_with_links
"""
_COUNT = """
    INSERT INTO delivery_counts (delivery_id, scope, key, measure, events) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (delivery_id, scope, key, measure) DO UPDATE SET events = events + excluded.events
    RETURNING events
"""
_EVENTS = "human_opens + human_clicks + machine_opens + machine_clicks"
_ORDER = {"hour": "key DESC"}
#: How lines are ordered, but for hours.
LARGEST_FIRST = f"deliveries DESC, {_EVENTS} DESC, key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The groups that a delivery belongs to for as long as it is known."""

    #: None where the delivery is not known.
    message_id: str | None
    campaign: str | None
    route: str | None

    def list(self) -> Iterator[Group]:
        """Yield the lines that a delivery counts in, the line of everything included."""
        yield "all", ""
        for scope, key in (("message", self.message_id), ("campaign", self.campaign), ("route", self.route)):
            if key is not None:
                yield scope, key


class Rollups:
    """Deltas that are gathered for one transaction and written at its end."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._deltas: Counter[tuple[str, str, str]] = Counter()

    def move(self, event: Event, groups: Groups, *, sign: Literal[1, -1]) -> None:
        """Count an event in, or out where a revision takes its place; one that counts nowhere moves nothing."""
        for counted, lines, measure in list_moves(event, groups):
            self._move(event, lines, counted, measure, sign)

    def write(self) -> None:
        """Add what was gathered to the stored counts."""
        for (scope, key, measure), delta in self._deltas.items():
            if delta:
                self._connection.execute(_MOVE[measure], (scope, key, delta))
        self._deltas.clear()

    def _move(self, event: Event, groups: list[Group], counted: Group, measure: str, sign: Literal[1, -1]) -> None:
        row = (event.delivery_id, *counted, measure, sign)
        ((events,),) = self._connection.execute(_COUNT, row).fetchall()
        became_unique = sign if events == (1 if sign > 0 else 0) else 0
        for scope, key in groups:
            self._deltas[scope, key, measure] += sign
            self._deltas[scope, key, f"{measure}_unique"] += became_unique


def list_moves(event: Event, groups: Groups) -> Iterator[tuple[Group, list[Group], str]]:
    """Yield what is counted for an event's delivery, the lines that share this count, and what is counted in them."""
    who = event.verdict.counted_as
    if who is None:
        return
    measure = f"{who}_opens" if event.type == "message.opened" else f"{who}_clicks"
    # All that a delivery belongs to as a whole shares one count; its links and hours have counts of their own.
    yield ("delivery", ""), list(groups.list()), measure
    hour = ("hour", _name_hour(event.occurred_at))
    yield hour, [hour], measure
    if event.url is not None:
        link = ("link", _name_link(event.url))
        yield link, [link], measure


class Accepted(NamedTuple):
    """What counts of a delivery that a server accepted."""

    groups: Groups
    at: datetime
    #: Whether it carried a pixel, and tracked links.
    pixel: bool
    links: bool

    @classmethod
    def of(cls, delivery: Delivery, *, at: datetime) -> Accepted:
        """Return what counts of a delivery."""
        envelope, decision = delivery.envelope, delivery.decision
        groups = Groups(
            message_id=to_text(envelope.message_id),
            campaign=None if envelope.campaign is None else to_text(envelope.campaign),
            route=to_text(decision.route),
        )
        links = decision.clicks is not Mode.NONE and delivery.link_count > 0
        return cls(groups, at, decision.opens is not Mode.NONE, links)


def count_accepted(connection: sqlite3.Connection, accepted: Iterable[Accepted]) -> None:
    """Count deliveries that a server accepted; tests must not be among them."""
    counts = sum_accepted(accepted)
    connection.executemany(_COUNT_DELIVERIES, [(*group, *count) for group, count in counts.items()])


def sum_accepted(accepted: Iterable[Accepted]) -> dict[Group, list[int]]:
    """Return for each line how many deliveries it gains, how many with a pixel and how many with tracked links."""
    counts: dict[Group, list[int]] = {}
    for delivery in accepted:
        for group in (*delivery.groups.list(), ("hour", _name_hour(delivery.at))):
            count = counts.setdefault(group, [0, 0, 0])
            count[0] += 1
            count[1] += delivery.pixel
            count[2] += delivery.links
    return counts


def get_metrics(connection: sqlite3.Connection, *, by: str, limit: int) -> list[Metrics]:
    """Return the lines of one scope, the largest first and hours newest first; "all" has one line, always."""
    rows = connection.execute(
        f"SELECT key, {', '.join(MEASURES)} FROM rollups WHERE scope = ? "
        f"ORDER BY {_ORDER.get(by, LARGEST_FIRST)} LIMIT ?",
        (by, limit),
    )
    found = [Metrics(key=key, **dict(zip(MEASURES, counts, strict=True))) for key, *counts in rows]
    return found or ([Metrics(key="")] if by == "all" else [])


def _name_link(url: str) -> str:
    """Return a destination without query and fragment, which senders fill with what differs for each recipient."""
    return url.partition("#")[0].partition("?")[0]


def _name_hour(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:00Z")
