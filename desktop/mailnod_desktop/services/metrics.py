"""Read the counts of a store, and say what they are of and what they are not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from mailnod.model import Metrics
from mailnod.store.sqlite import SQLiteStore
from mailnod_desktop.services.event_query import quote

__all__ = [
    "MOST_GROUPS",
    "Audience",
    "Grouping",
    "Kind",
    "MetricsReader",
    "Overview",
    "Slot",
    "Span",
    "list_cells",
    "list_stacked",
    "make_query",
    "say_rate",
    "sum_hours",
]

#: What events are counted by, beside the time.
Grouping = Literal["campaign", "route", "link", "message"]
#: Whose events, and which.
Audience = Literal["all", "human", "machine"]
Kind = Literal["all", "opens", "clicks"]

#: As many groups are shown, the largest.
MOST_GROUPS = 50
#: As many hours of the rollups as the store gives at once: more than a year.
_HOURS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time, and the slots that it is drawn in."""

    length: timedelta
    slot: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The events of a slot of time. Uniques are not added up, because one mail may have events in several slots."""

    begins_at: datetime
    ends_at: datetime
    human_opens: int = 0
    human_clicks: int = 0
    machine_opens: int = 0
    machine_clicks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The counts of a store at one moment; tests are in none of them."""

    everything: Metrics
    #: What the groups are.
    by: Grouping
    #: The largest groups, or the newest messages.
    groups: tuple[Metrics, ...]
    #: Newest first.
    hours: tuple[Metrics, ...]


class MetricsReader:
    """Reads the counts of one store; it may be used from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._store = SQLiteStore(path, read_only=True)

    def read(self, by: Grouping, span: Span) -> Overview:
        """Return the counts of this moment.

        :param span: how far back hours are wanted, from the newest that has events.
        :raises StoreError: the store cannot be read.
        """
        (everything,) = self._store.get_metrics(by="all")
        hours = self._store.get_metrics(by="hour", limit=span.length // timedelta(hours=1))
        if not any(one.observed_opens or one.observed_clicks for one in hours):
            # Mail went out all the time, and nobody has opened any of it lately.
            hours = self._store.get_metrics(by="hour", limit=_HOURS)
        return Overview(
            everything=everything,
            by=by,
            groups=tuple(self._store.get_metrics(by=by, limit=MOST_GROUPS)),
            hours=tuple(hours),
        )

    def close(self) -> None:
        """Close the store, waiting for those who read it."""
        self._store.close()


def sum_hours(hours: Iterable[Metrics], span: Span) -> list[Slot]:
    """Return the events of the newest stretch of time that has any, slot by slot, oldest first, none left out.

    :param hours: newest first; those without events are passed over.
    """
    counted = [(_read_hour(one.key), one) for one in hours if one.observed_opens or one.observed_clicks]
    if not counted:
        return []
    last = _floor(counted[0][0], span.slot)
    number = span.length // span.slot
    first = last - (number - 1) * span.slot
    counts = [[0, 0, 0, 0] for _ in range(number)]
    for hour, one in counted:
        if hour >= first:
            slot = counts[(hour - first) // span.slot]
            for place, value in enumerate((one.human_opens, one.human_clicks, one.machine_opens, one.machine_clicks)):
                slot[place] += value
    names = [field.name for field in fields(Slot)][2:]
    return [
        Slot(
            begins_at=first + place * span.slot,
            ends_at=first + (place + 1) * span.slot,
            **dict(zip(names, values, strict=True)),
        )
        for place, values in enumerate(counts)
    ]


def list_stacked(audience: Audience, kind: Kind) -> list[str]:
    """Return the counts that are stacked in a bar, people's first: none of them holds another."""
    return [
        f"{who}_{what}"
        for who in ("human", "machine")
        for what in ("opens", "clicks")
        if audience in ("all", who) and kind in ("all", what)
    ]


def list_cells(metrics: Metrics, by: Grouping, audience: Audience, kind: Kind) -> dict[str, str]:
    """Return what stands behind a bar, by name: events of people and of machines, honest rates, and mails.

    Links have no rates, because which mails carried them is not kept.
    """
    stacked = list_stacked(audience, kind)
    cells = {}
    for who, name in (("human", "people"), ("machine", "machines")):
        fields_ = [field for field in stacked if field.startswith(who)]
        if fields_:
            cells[name] = f"{sum(getattr(metrics, field) for field in fields_):,}"
    if by == "link" or audience == "machine":
        return cells
    if "human_opens" in stacked:
        cells["opened"] = say_rate(metrics.human_opens_unique, metrics.deliveries_with_pixel)
    if "human_clicks" in stacked:
        cells["clicked"] = say_rate(metrics.human_clicks_unique, metrics.deliveries_with_links)
    return {**cells, "mails": f"{metrics.deliveries:,}"}


def make_query(by: Grouping | Slot, key: str = "", *, audience: Audience = "all", kind: Kind = "all") -> str:
    """Return the query that finds the events of a group, in the language of ``mailnod events``.

    :param by: what the group is of; a slot of time stands for itself, whatever ``key`` is.
    """
    if isinstance(by, Slot):
        parts = [f"since:{_say_moment(by.begins_at)}", f"until:{_say_moment(by.ends_at)}"]
    else:
        parts = [f"{by}:{quote(key)}"]
    if kind != "all":
        parts.append(f"kind:{kind.removesuffix('s')}")
    if audience != "all":
        parts.append("is:person" if audience == "human" else "is:machine")
    return " ".join([*parts, "-is:test"])


def say_rate(part: int, whole: int) -> str:
    """Return a rate in per cent; a dash where there is nothing that it could be a rate of."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _read_hour(key: str) -> datetime:
    return datetime.fromisoformat(key)


def _floor(moment: datetime, slot: timedelta) -> datetime:
    origin = datetime(2001, 1, 1, tzinfo=UTC)
    return origin + (moment - origin) // slot * slot


def _say_moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
