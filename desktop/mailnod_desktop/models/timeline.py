"""Counts of events in time, by class, which are filled in from the newest bucket to the oldest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from PySide6.QtCore import QObject, QTimer, Signal

from mailnod.model import EventFilter
from mailnod_desktop.services.event_buckets import find_bucket, list_edges
from mailnod_desktop.services.event_reader import Counted, EventReader, Overview, State, to_time
from mailnod_desktop.tasks import Tasks

__all__ = ["EventCounts"]

#: At most so many buckets.
MOST_BUCKETS = 160
#: New events are counted so often.
_FOLLOW_MS = 1_000
#: Verdicts are revised soon after a hit or not at all; so far back, buckets are counted again.
_REVISED = timedelta(seconds=60)


class EventCounts(QObject):
    """How many events of each class there were in each stretch of time.

    :param tasks: counts them in the background.
    """

    #: Edges or counts are others now.
    changed = Signal()
    #: The :class:`Overview` of a store that was opened or grew.
    overview_changed = Signal(object)
    #: Why the store cannot be read, in words.
    failed = Signal(str)

    def __init__(self, tasks: Tasks, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._reader: EventReader | None = None
        self._filter = EventFilter()
        #: What is zoomed to; None shows all.
        self._span: tuple[datetime, datetime] | None = None
        #: Ascending; bucket ``n`` goes from the one at ``n`` up to the next.
        self.edges: tuple[datetime, ...] = ()
        #: By class for each bucket; None where it is not counted yet.
        self.counts: list[tuple[int, ...] | None] = []
        self.overview: Overview | None = None
        self._newest: datetime | None = None
        self._timer = QTimer(self, singleShot=True, interval=_FOLLOW_MS)
        self._timer.timeout.connect(self._follow)

    def show(self, reader: EventReader | None, filter: EventFilter) -> None:
        """Begin anew, with all of the time that a filter and the store leave."""
        if reader is not self._reader:
            self.overview = None
        self._reader, self._filter, self._span = reader, filter, None
        self._begin()

    def zoom(self, span: tuple[datetime, datetime] | None) -> None:
        """Show a stretch of time; None shows all."""
        self._span = span
        self._begin()

    def is_zoomed(self) -> bool:
        """Whether less than everything is shown."""
        return self._span is not None

    def follow(self, state: State) -> None:
        """Count what is new, soon."""
        if state.newest is not None:
            self._newest = to_time(state.newest)
            if not self._timer.isActive():
                self._timer.start()

    def close(self) -> None:
        """Stop all work."""
        self._timer.stop()
        self._tasks.cancel("events counts")
        self._tasks.cancel("events overview")
        self._reader = None

    def _begin(self) -> None:
        self._timer.stop()
        self._tasks.cancel("events counts")
        self.edges, self.counts = (), []
        self.changed.emit()
        reader = self._reader
        if reader is not None:
            self._tasks.start("events overview", lambda _: reader.get_overview(), self._take_overview, self._fail)

    def _take_overview(self, overview: Overview) -> None:
        self.overview = overview
        self._newest = overview.until
        self.overview_changed.emit(overview)
        span = self._span or self._get_bounds()
        if span is not None:
            self.edges = list_edges(*span, buckets=MOST_BUCKETS)
            self.counts = [None] * (len(self.edges) - 1)
            self._count(len(self.counts))
        self.changed.emit()

    def _get_bounds(self) -> tuple[datetime, datetime] | None:
        """Return the stretch of time that the filter and the store leave; None where they leave none."""
        overview = self.overview
        if overview is None or overview.since is None or overview.until is None:
            return None
        since, until = overview.since, overview.until
        if self._filter.since is not None:
            since = max(since, self._filter.since.astimezone(UTC))
        if self._filter.until is not None:
            until = min(until, self._filter.until.astimezone(UTC) - timedelta(microseconds=1))
        return (since, until) if since <= until else None

    def _count(self, until_bucket: int, *, down_to: int = 0) -> None:
        reader, wish, edges = self._reader, self._filter, self.edges
        if reader is None or until_bucket <= down_to:
            return
        self._tasks.start(
            "events counts",
            lambda stop: reader.count(wish, edges, until_bucket=until_bucket, down_to=down_to, stop=stop),
            lambda counted: self._take_counts(counted, edges, down_to),
            self._fail,
        )

    def _take_counts(self, counted: Counted, edges: tuple[datetime, ...], down_to: int) -> None:
        if edges != self.edges[: len(edges)]:
            return
        for number, counts in counted.counts:
            self.counts[number] = counts
        self.changed.emit()
        self._count(counted.rest, down_to=down_to)

    def _follow(self) -> None:
        """Count the newest buckets again, and add some where time has gone on."""
        reader, newest, overview = self._reader, self._newest, self.overview
        if reader is None or newest is None or overview is None:
            return
        if self._tasks.is_running("events counts"):
            self._timer.start()
            return
        if not self.edges:
            self._begin()
            return
        self.overview = replace(overview, until=max(newest, overview.until or newest))
        bounds = self._get_bounds()
        if self._span is None and bounds is not None and bounds[1] >= self.edges[-1]:
            length = self.edges[1] - self.edges[0]
            count = (bounds[1] - self.edges[0]) // length + 1
            if count > 2 * MOST_BUCKETS:
                self._begin()
                return
            edges = tuple(self.edges[0] + number * length for number in range(count + 1))
            self.counts += [None] * (len(edges) - len(self.edges))
            self.edges = edges
        since = find_bucket(self.edges, newest - _REVISED) or 0
        if newest - _REVISED < self.edges[-1]:
            missing = next((number for number, one in enumerate(self.counts) if one is None), since)
            self._count(len(self.counts), down_to=min(since, missing))

    def _fail(self, error: Exception) -> None:
        self.failed.emit(str(error))
