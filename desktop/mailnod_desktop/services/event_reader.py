"""Reads events out of a store for the window: parts of a list, rows in sight, counts in time, and what is new."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from mailnod.judge.sentences import say
from mailnod.model import Classification, EventFilter
from mailnod.store.browse import Browser, Part, Row, State, from_time, to_time

__all__ = [
    "CLASSES",
    "Counted",
    "EventReader",
    "Overview",
    "Part",
    "Progress",
    "Row",
    "State",
    "Tail",
    "find_tail",
    "say_reasons",
    "to_time",
]

#: The classes in the order in which they are counted and drawn: people first.
CLASSES: tuple[Classification, ...] = tuple(Classification)

#: Judged late, a hit comes in below newer ones; so far back the newest end of a list is compared with the store.
_OVERLAP = timedelta(seconds=5)
#: Counting is handed over after so long, so that a picture grows and a change of mind ends it.
_PATIENCE_S = 0.15


class Tail(NamedTuple):
    """What has changed at the newest end of a list."""

    state: State
    #: Slots that the list lacks, the newest first.
    new: array[int]


class Counted(NamedTuple):
    """Buckets that were counted, the newest first."""

    #: The number of each, and its events by class in the order of :data:`CLASSES`.
    counts: tuple[tuple[int, tuple[int, ...]], ...]
    #: Buckets below this one are not counted yet; 0 where all are.
    rest: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What a store holds on the whole."""

    state: State
    #: How many events there are.
    events: int
    #: When the oldest and the newest hit were, in UTC; None where there is none.
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a list has come."""

    #: How many events it holds.
    found: int
    #: How far back it was searched; None before anything was.
    searched_to: datetime | None
    #: 0.0 to 1.0 of the time between the oldest event and the newest.
    share: float
    done: bool
    #: Whether it ended because it holds as many as it can.
    full: bool = False


class EventReader:
    """One store, read from any thread.

    :param path: the store's file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._browser = Browser(path)

    def close(self) -> None:
        """Close the file."""
        self._browser.close()

    def get_overview(self) -> Overview:
        """Return what the store holds.

        :raises StoreError: it cannot be read; the message says what to do, here and in every other method.
        """
        state = self._browser.get_state()
        since = None if state.oldest is None else to_time(state.oldest)
        until = None if state.newest is None else to_time(state.newest)
        return Overview(state, self._browser.count_all(), since, until)

    def get_state(self) -> State:
        """Return what the store is like now."""
        return self._browser.get_state()

    def find_part(self, filter: EventFilter, *, below: int | None, effort: int) -> Part:
        """Return the next part of a list, newest first.

        :param below: only slots below this one; None begins with the newest.
        """
        return self._browser.find_part(filter, below=below, effort=effort)

    def get_rows(self, wanted: Iterable[int]) -> list[Row]:
        """Return the events in some slots; what was removed meanwhile is missing."""
        return self._browser.get_rows(wanted)

    def poll(
        self, filter: EventFilter, *, version: tuple[int, int] | None, after: int, known: Sequence[int]
    ) -> Tail | None:
        """Return what has changed since a version; None where nothing was written.

        :param after: only slots above this one are compared with the store.
        :param known: those that the list has there.
        """
        state = self._browser.get_state()
        if state.version == version:
            return None
        have = set(known)
        part = self._browser.find_new(filter, after=after)
        found = part.slots
        while part.floor is not None and part.floor > after:
            part = self._browser.find_part(filter, below=part.floor)
            found += part.slots
        return Tail(state, array("q", (slot for slot in found if slot > after and slot not in have)))

    def compare(
        self, filter: EventFilter, *, known: Sequence[int], effort: int, whole: bool
    ) -> tuple[array[int], array[int]]:
        """Compare the newest part of a list with the store.

        :param known: the newest slots of the list, newest first, at least as many as the effort finds.
        :param whole: whether those are all that the list has.
        :returns: slots that the list lacks, and slots that it has and the filter lets through no more; newest first.
        """
        part = self._browser.find_part(filter, effort=effort)
        floor = -(2**63) if part.floor is None else part.floor
        if known and not whole:
            floor = max(floor, known[-1])
        present, have = set(part.slots), set(known)
        lacking = array("q", (slot for slot in part.slots if slot >= floor and slot not in have))
        gone = array("q", (slot for slot in known if slot >= floor and slot not in present))
        return lacking, gone

    def count(
        self,
        filter: EventFilter,
        edges: Sequence[datetime],
        *,
        until_bucket: int,
        down_to: int = 0,
        stop: threading.Event,
    ) -> Counted:
        """Count buckets from the newest to the oldest, for as long as patience goes.

        :param edges: ascending times; bucket ``n`` goes from the one at ``n`` up to the next, exclusively.
        :param until_bucket: begin below this bucket.
        :param down_to: end with this one.
        """
        deadline = time.monotonic() + _PATIENCE_S
        found: list[tuple[int, tuple[int, ...]]] = []
        for number, counts in self._browser.get_timeline(filter, edges[down_to : until_bucket + 1], stop=stop.is_set):
            found.append((number + down_to, counts))
            if time.monotonic() > deadline:
                break
        return Counted(tuple(found), found[-1][0] if found else down_to)


def find_tail(newest: int | None) -> int:
    """Return the slot above which new events come in.

    :param newest: the newest slot that is known; None where none is.
    """
    if newest is None:
        return -(2**62)
    # A server whose clock is ahead must not hide what comes in from the others.
    return from_time(min(to_time(newest), datetime.now(UTC)) - _OVERLAP)


def say_reasons(codes: Iterable[str]) -> list[str]:
    """Return reason codes in sentences; a code that no rule of ours has stays as it is."""
    return [say(code) or code for code in codes]
