"""What is counted for each message, campaign, route, link and hour, whatever engine keeps the counts.

For each campaign and route, its hours and links are counted apart besides: the fewer counts of
:class:`~mailnod.model.BreakdownLine`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal, NamedTuple

from mailnod.model import BreakdownLine, Classification, Delivery, Event, EventType, Metrics, Mode, Verdict
from mailnod.store.rows import to_text

__all__ = [
    "CELL_MEASURES",
    "MEASURES",
    "WHOLE",
    "Accepted",
    "BreakdownOf",
    "Cell",
    "CellBy",
    "Group",
    "Groups",
    "list_counted",
    "list_measures",
    "list_moves",
    "name_hour",
    "name_link",
    "sum_accepted",
]

#: What a line of the rollups is about, as :data:`mailnod.store.base.GroupBy` names it, and its key.
Group = tuple[str, str]

#: What a breakdown is of, and what its lines are.
BreakdownOf = Literal["campaign", "route"]
CellBy = Literal["hour", "link"]


class Cell(NamedTuple):
    """What a line of a breakdown is about: an hour of a campaign, a link on a route."""

    of: BreakdownOf
    name: str
    by: str
    key: str


#: What is counted of a delivery for all the lines that it belongs to as a whole.
WHOLE: Group = ("delivery", "")

#: Every count of a line. Their order is written down in stores: new ones come behind.
MEASURES = tuple(field.name for field in fields(Metrics) if field.name != "key")
#: Every count of a line of a breakdown.
CELL_MEASURES = tuple(field.name for field in fields(BreakdownLine) if field.name != "key")
_KINDS_OF_MACHINES = {Classification.PRIVACY_PROXY: "privacy", Classification.SECURITY_SCANNER: "scanner"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The groups that a delivery belongs to for as long as it is known."""

    #: None where the delivery is not known.
    message_id: str | None
    campaign: str | None
    route: str | None

    def list_cells(self, counted: Group) -> Iterator[Cell]:
        """Yield the lines of breakdowns that an hour or a link of a delivery counts in."""
        if self.campaign is not None:
            yield Cell("campaign", self.campaign, *counted)
        if self.route is not None:
            yield Cell("route", self.route, *counted)

    def list(self) -> Iterator[Group]:
        """Yield the lines that a delivery counts in, the line of everything included."""
        yield "all", ""
        for scope, key in (("message", self.message_id), ("campaign", self.campaign), ("route", self.route)):
            if key is not None:
                yield scope, key


def list_measures(type: EventType, verdict: Verdict) -> tuple[str, ...]:
    """Return which events of :class:`~mailnod.model.Metrics` one counts among; none where it counts nowhere."""
    if verdict.counted_as is None:
        return ()
    ending = "opens" if type == "message.opened" else "clicks"
    if not verdict.machine:
        return f"observed_{ending}", f"human_{ending}"
    which = _KINDS_OF_MACHINES.get(verdict.classification, "bot")
    return f"observed_{ending}", f"machine_{ending}", f"{which}_{ending}"


def list_moves(event: Event, groups: Groups) -> Iterator[tuple[Group, list[Group | Cell], str]]:
    """Yield what is counted for an event's delivery, the lines that share this count, and what is counted in them."""
    measures = list_measures(event.type, event.verdict)
    for counted in list_counted(occurred_at=event.occurred_at, url=event.url):
        lines: list[Group | Cell] = [*groups.list()] if counted == WHOLE else [counted]
        # A delivery has one campaign and one route, so whatever is unique in the hour is unique in theirs.
        cells = [] if counted == WHOLE else [*groups.list_cells(counted)]
        for measure in measures:
            yield counted, [*lines, *cells] if measure in CELL_MEASURES else lines, measure


def list_counted(*, occurred_at: datetime, url: str | None) -> Iterator[Group]:
    """Yield the counts that are kept for the delivery of an event.

    All that a delivery belongs to as a whole shares one count; its links and hours have counts of their own.
    """
    yield WHOLE
    yield "hour", name_hour(occurred_at)
    if url is not None:
        yield "link", name_link(url)


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


def sum_accepted(accepted: Iterable[Accepted]) -> dict[Group, list[int]]:
    """Return for each line how many deliveries it gains, how many with a pixel and how many with tracked links."""
    counts: dict[Group, list[int]] = {}
    for delivery in accepted:
        for group in (*delivery.groups.list(), ("hour", name_hour(delivery.at))):
            count = counts.setdefault(group, [0, 0, 0])
            count[0] += 1
            count[1] += delivery.pixel
            count[2] += delivery.links
    return counts


def name_link(url: str) -> str:
    """Return a destination without query and fragment, which senders fill with what differs for each recipient."""
    return url.partition("#")[0].partition("?")[0]


def name_hour(at: datetime) -> str:
    """Return the hour of a time in UTC, as lines are called by it."""
    return at.strftime("%Y-%m-%dT%H:00Z")
