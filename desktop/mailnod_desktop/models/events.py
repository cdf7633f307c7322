"""A table of any number of events: it knows the slot of each, and holds the rows that were in sight last."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
)

from mailnod.model import EventFilter
from mailnod_desktop.models.event_cells import (
    COLUMNS,
    ID_ROLE,
    ROW_ROLE,
    ROW_ROLES,
    Cells,
    describe_header,
    write_texts,
)
from mailnod_desktop.models.event_lane import Lane
from mailnod_desktop.services.event_reader import EventReader, Part, Progress, Row, State, Tail, find_tail, to_time
from mailnod_desktop.services.event_slots import SlotList
from mailnod_desktop.tasks import Tasks

__all__ = ["ID_ROLE", "ROW_ROLE", "EventTable"]

#: The list ends behind so many events, which is 80 MB; older ones are found by a time.
MOST_ROWS = 10_000_000
#: So many rows are held, about a kilobyte each.
_HELD = 4_096
#: Rows are read in runs of so many, which takes about half a millisecond.
PAGE = 32
#: So many runs are read at once, those that were asked for last.
_PAGES = 3
#: So many events are looked at for the first part of a list, and later ones for more.
_FIRST, _LATER = 2_000, 50_000
#: So many of the newest rows are compared with the store at each poll.
_COMPARED = 5_000
_POLL_MS = 100
_SWEEP_MS = 10_000
#: Runs of rows that go in or out one by one; the rest waits for the next time.
_RUNS = 200

_Index = QModelIndex | QPersistentModelIndex


class EventTable(QAbstractTableModel):
    """The events of one store that a filter lets through, newest first.

    :param tasks: finds them in the background.
    """

    #: A :class:`Progress`.
    progress = Signal(object)
    #: How many new events are held back, because somebody reads further down.
    waiting_changed = Signal(int)
    #: Somebody wrote to the store; with its :class:`State`.
    store_changed = Signal(object)
    #: Why the store cannot be read, in words; "" once it can be again.
    failed = Signal(str)

    def __init__(self, tasks: Tasks, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks = tasks
        # Rows in sight must not wait behind long work, and versions of a store compare within one thread.
        self._lane = Lane(self)
        self._reader: EventReader | None = None
        self._filter = EventFilter()
        self._slots = SlotList()
        #: Stamp, event and texts by slot, what was read last at the end; an event that was removed is None.
        self._rows: OrderedDict[int, tuple[int, Row | None, Sequence[str]]] = OrderedDict()
        self._cells = Cells()
        #: Rows that were read under an older stamp are read again when they are in sight.
        self._stamp = 0
        self._wanted: dict[int, None] = {}
        self._visible = range(0)
        self._state: State | None = None
        self._version: tuple[int, int] | None = None
        self._floor: int | None = None
        self._done = True
        self._holding = False
        self._held: set[int] = set()
        self._stale = False
        self._broken = False
        self._fetch_timer = QTimer(self, singleShot=True, interval=0)
        self._fetch_timer.timeout.connect(self._fetch)
        self._poll_timer = QTimer(self, interval=_POLL_MS)
        self._poll_timer.timeout.connect(self._poll)
        self._sweep_timer = QTimer(self, interval=_SWEEP_MS)
        self._sweep_timer.timeout.connect(self.compare)

    # What Qt asks.

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        """Return how many events were found so far."""
        return 0 if parent.isValid() else len(self._slots)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a column's name and what it means; rows have none."""
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(COLUMNS):
            return None
        return describe_header(section, role)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows; a row that is not read yet is asked for, and shows its time meanwhile."""
        fixed = self._cells.fixed.get(role)
        if fixed is not None:
            return fixed[index.column()]
        if role not in ROW_ROLES:
            return None
        row = index.row()
        if not 0 <= row < len(self._slots):
            return None
        slot = self.get_slot(row)
        held = self._rows.get(slot)
        if held is None or held[0] != self._stamp:
            self._want(slot)
        if held is None or held[1] is None:
            return self._cells.show_unread(to_time(slot), index.column(), role, removed=held is not None)
        return self._cells.show(held[1], held[2], index.column(), role)

    # What the view asks.

    def show(self, reader: EventReader | None, filter: EventFilter) -> None:
        """Begin a list anew.

        :param reader: the store; None shows nothing.
        """
        self._tasks.cancel("events list")
        self._tasks.cancel("events comparison")
        self._lane.cancel("rows")
        self._lane.cancel("poll")
        self.beginResetModel()
        self._reader, self._filter = reader, filter
        self._slots = SlotList()
        self._rows.clear()
        self._wanted.clear()
        self._visible = range(0)
        self._state, self._version, self._floor = None, None, None
        self._held, self._stale = set(), False
        self._done = reader is None
        self.endResetModel()
        self.waiting_changed.emit(0)
        if reader is not None:
            self._walk(_FIRST)

    def apply_theme(self) -> None:
        """Take the colours and fonts of the present theme."""
        self._cells = Cells()

    def set_live(self, live: bool) -> None:
        """Go on looking for new events, or stop to."""
        for timer in (self._poll_timer, self._sweep_timer):
            timer.start() if live else timer.stop()

    def set_holding(self, holding: bool) -> None:
        """Hold new events back, so that what somebody reads stays where it is; or let them in."""
        self._holding = holding
        if not holding:
            self.take_held()

    def take_held(self) -> None:
        """Let the new events in that were held back."""
        held, self._held = self._held, set()
        if held:
            self._merge(held)
            self.waiting_changed.emit(0)

    def set_visible(self, first: int, last: int) -> None:
        """Say which rows are in sight; they are read again when the store changes."""
        self._visible = range(max(first, 0), last + 1)

    def refresh_visible(self) -> None:
        """Read again what is in sight."""
        self._stamp += 1
        for row in self._visible:
            if row < self.rowCount():
                self._want(self.get_slot(row))

    def get_slot(self, row: int) -> int:
        """Return the slot of a row."""
        return self._slots[row]

    def get_row(self, row: int) -> Row | None:
        """Return the event in a row; None where it is not read yet, or was removed."""
        held = self._rows.get(self.get_slot(row)) if 0 <= row < self.rowCount() else None
        return None if held is None else held[1]

    def find_row(self, slot: int) -> int:
        """Return the row of a slot, or the one that it would come in at."""
        return self._slots.find(slot)

    def close(self) -> None:
        """Stop all work, and wait for it."""
        self.set_live(False)
        self.show(None, EventFilter())
        self._lane.close()

    # The list.

    def _walk(self, effort: int) -> None:
        reader, wish, below, state = self._reader, self._filter, self._floor, self._state
        assert reader is not None, "a list is of a store"  # noqa: S101

        def work(_: object) -> tuple[State, Part]:
            return state or reader.get_state(), reader.find_part(wish, below=below, effort=effort)

        self._tasks.start("events list", work, partial(self._take_part, effort=effort), self._fail)

    def _take_part(self, found: tuple[State, Part], *, effort: int) -> None:
        self._recover()
        self._state, part = found
        first = self._floor is None
        self._floor = part.floor
        if part.slots:
            count = self.rowCount()
            self.beginInsertRows(QModelIndex(), count, count + len(part.slots) - 1)
            self._slots.extend(part.slots)
            self.endInsertRows()
        full = self.rowCount() >= MOST_ROWS
        self._done = part.floor is None or full
        self._tell(full=full)
        if not self._done:
            self._walk(_LATER if not first or effort > _FIRST else _LATER // 5)

    def _tell(self, *, full: bool = False) -> None:
        share, to = 1.0, None
        if self._state is not None and self._state.newest is not None and self._floor is not None:
            oldest, newest = self._state.oldest or 0, self._state.newest
            share = (newest - self._floor) / max(newest - oldest, 1)
            to = to_time(self._floor)
        self.progress.emit(Progress(self.rowCount(), to, min(max(share, 0.0), 1.0), self._done, full))

    # The rows.

    def _want(self, slot: int) -> None:
        self._wanted.pop(slot, None)
        self._wanted[slot] = None
        if not self._fetch_timer.isActive() and not self._lane.is_running("rows"):
            self._fetch_timer.start()

    def _fetch(self) -> None:
        """Read the runs of rows that were asked for last; what was asked for before is out of sight again."""
        reader = self._reader
        if reader is None or not self._wanted or self._lane.is_running("rows"):
            return
        pages: dict[int, None] = {}
        # Counted from where the list began, so that new rows above move no page.
        base = self._slots.base
        for slot in reversed(self._wanted):
            pages[(self.find_row(slot) - base) // PAGE] = None
            if len(pages) == _PAGES:
                break
        self._wanted.clear()
        asked: dict[int, None] = {}
        for page in pages:
            for place in range(page * PAGE + base, (page + 1) * PAGE + base):
                if 0 <= place < self.rowCount():
                    asked[self.get_slot(place)] = None
        stamp = self._stamp
        asked = {slot: None for slot in asked if slot not in self._rows or self._rows[slot][0] != stamp}
        self._lane.start(
            "rows",
            lambda: reader.get_rows(asked),
            lambda rows: self._take_rows(rows, asked, stamp),
            self._fail,
        )

    def _take_rows(self, rows: list[Row], asked: Iterable[int], stamp: int) -> None:
        self._recover()
        found = {row.slot: row for row in rows}
        changed = []
        for slot in asked:
            before, row = self._rows.pop(slot, None), found.get(slot)
            if before is not None and before[1] == row:
                self._rows[slot] = (stamp, row, before[2])
                continue
            self._rows[slot] = (stamp, row, () if row is None else write_texts(row))
            changed.append(self.find_row(slot))
        while len(self._rows) > _HELD:
            self._rows.popitem(last=False)
        for first, last in _join_runs(sorted(changed)):
            self.dataChanged.emit(self.index(first, 0), self.index(last, len(COLUMNS) - 1))
        if self._wanted:
            self._fetch_timer.start()

    # What is new.

    def _poll(self) -> None:
        reader, wish, version = self._reader, self._filter, self._version
        if reader is None or self._state is None or self._lane.is_running("poll"):
            return
        after = find_tail(self._state.newest)
        if not self._done and self._floor is not None:
            # Below, the list has not come so far yet.
            after = max(after, self._floor - 1)
        known = self._slots.take(min(self._slots.find(after), _COMPARED))
        if len(known) == _COMPARED:
            after = known[-1]
        known.extend(self._held)
        self._lane.start(
            "poll",
            lambda: reader.poll(wish, version=version, after=after, known=known),
            self._take_tail,
            self._fail,
        )

    def _take_tail(self, tail: Tail | None) -> None:
        self._recover()
        if tail is None:
            return
        self._version, self._state = tail.state.version, tail.state
        self._take_new(tail.new)
        self._stale = True
        self.refresh_visible()
        self.store_changed.emit(tail.state)

    def _take_new(self, new: Sequence[int]) -> None:
        if not new:
            return
        if self._holding and self.rowCount():
            self._held.update(new)
            self.waiting_changed.emit(len(self._held))
        else:
            self._merge(new)

    def _merge(self, new: Iterable[int]) -> None:
        """Let events in, each at its place."""
        # What lies where the list has not come yet is found when it comes there.
        bottom = -(2**63) if self._done or self._floor is None else self._floor
        runs = self._slots.list_insertions(slot for slot in new if slot >= bottom)
        # The rest is found by the next comparison.
        self._stale = self._stale or len(runs) > _RUNS
        for row, run in runs[-_RUNS:]:
            self.beginInsertRows(QModelIndex(), row, row + len(run) - 1)
            self._slots.insert(row, run)
            self.endInsertRows()
        if runs:
            self._tell(full=self.rowCount() >= MOST_ROWS)

    def compare(self) -> None:
        """Compare the newest part with the store: events may have come in late, gone, or been judged anew."""
        reader, wish = self._reader, self._filter
        if reader is None or not self._stale or not self._done or self._tasks.is_running("events comparison"):
            return
        self._stale = False
        known = self._slots.take(_LATER)
        self._tasks.start(
            "events comparison",
            lambda _: reader.compare(wish, known=known, effort=_LATER, whole=len(known) < _LATER),
            self._take_comparison,
            self._fail,
        )

    def _take_comparison(self, found: tuple[array[int], array[int]]) -> None:
        lacking, gone = found
        runs = self._slots.list_removals(gone)
        self._stale = self._stale or len(runs) > _RUNS
        for first, last in runs[:_RUNS]:
            self.beginRemoveRows(QModelIndex(), first, last)
            self._slots.remove(first, last)
            self.endRemoveRows()
        self._take_new([slot for slot in lacking if slot not in self._held])
        if runs:
            self._tell()

    def _fail(self, error: Exception) -> None:
        self._broken = True
        self.failed.emit(str(error))

    def _recover(self) -> None:
        if self._broken:
            self._broken = False
            self.failed.emit("")


def _join_runs(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of each run of ascending numbers."""
    start = 0
    for place, row in enumerate(rows):
        if place + 1 == len(rows) or rows[place + 1] != row + 1:
            yield rows[start], row
            start = place + 1
