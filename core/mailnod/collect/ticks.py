"""Commit the hits of one turn of an event loop together, in a thread, so that a slow disk never stops the loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

from mailnod.model import Recorded

__all__ = ["Ticks"]

#: How long a reply waits for its commit. A record comes back within a fifth of a second, but one before it may have
#: taken as long; then the redirect goes before the record.
PATIENCE_S = 0.24


@dataclass(slots=True, kw_only=True)
class _Batch:
    """Hits that are committed together."""

    #: Done when they are on disk or counted as lost, or when the disk hangs.
    written: asyncio.Future[None]
    observations: list[Recorded] = field(default_factory=list)


class Ticks:
    """Groups what the requests of one event loop must write; those that come during a commit share the next.

    :param record: puts observations on disk, called in a thread of its own, one call at a time; never raises.
    """

    def __init__(self, record: Callable[[Sequence[Recorded]], None], loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._record = record
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mailnod-commit")
        #: Guards the two below.
        self._lock = Lock()
        self._next: _Batch | None = None
        self._busy = False

    def add(self, observation: Recorded) -> asyncio.Future[None]:
        """Let an observation take part in the next commit.

        :returns: done when the reply may leave: after the commit, or where the disk hangs; even then the observation
            is written as soon as that ends.
        """
        with self._lock:
            batch = self._next or self._begin()
            batch.observations.append(observation)
            idle, self._busy = not self._busy, True
        if idle:
            # All requests that are ready in this turn of the loop come before it.
            self.loop.call_soon(self._thread.submit, self._write)
        return batch.written

    def _begin(self) -> _Batch:
        self._next = batch = _Batch(written=self.loop.create_future())
        timer = self.loop.call_later(PATIENCE_S, _release, batch.written)
        batch.written.add_done_callback(lambda _: timer.cancel())
        return batch

    def _write(self) -> None:
        while True:
            with self._lock:
                batch, self._next = self._next, None
                if batch is None:
                    self._busy = False
                    return
            self._record(batch.observations)
            with contextlib.suppress(RuntimeError):
                # In a loop that was closed meanwhile nobody waits any more.
                self.loop.call_soon_threadsafe(_release, batch.written)


def _release(written: asyncio.Future[None]) -> None:
    if not written.done():
        written.set_result(None)
