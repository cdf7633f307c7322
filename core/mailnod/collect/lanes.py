"""A lane whose hits and commits are counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic

from mailnod.collect.counters import Counters
from mailnod.collect.ticks import Lane
from mailnod.model import Kind, Observation, Recorded

__all__ = ["CountedLane"]


class CountedLane:
    """Passes all on to a lane, and counts what goes in and what becomes of it.

    :param on_written: called with the kinds of the hits that are on disk.
    """

    def __init__(self, lane: Lane, *, counters: Counters, on_written: Callable[[Sequence[Kind]], None]) -> None:
        self.fileno = lane.fileno
        self._lane = lane
        self._counters = counters
        self._on_written = on_written
        self._items: Sequence[Recorded] = ()
        self._began_at = 0.0

    def begin(self, items: Sequence[Recorded]) -> bool:
        """Begin to write observations down; False where nothing is taken now."""
        if not self._lane.begin(items):
            return False
        self._items, self._began_at = items, monotonic()
        self._counters.add_waiting(len(items))
        return True

    def finish(self) -> bool | None:
        """Return whether what was begun is on disk; None where it is still under way."""
        written = self._lane.finish()
        if written is None:
            return None
        items = self._take_back()
        if written and items:
            self._on_written([item.hit.kind for item in items if isinstance(item, Observation)])
            self._counters.count_commit(monotonic() - self._began_at)
        return written

    def leave(self) -> None:
        """Want to hear nothing any more of what was begun; whoever records it by other means counts it."""
        self._lane.leave()
        self._take_back()

    def _take_back(self) -> Sequence[Recorded]:
        items, self._items = self._items, ()
        self._counters.add_waiting(-len(items))
        return items
