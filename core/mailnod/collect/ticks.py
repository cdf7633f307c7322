"""Commit the hits of one turn of an event loop together, elsewhere, so that a slow disk never stops the loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from mailnod.model import Recorded

__all__ = ["Lane", "Recording", "Ticks"]

log = logging.getLogger("mailnod.collect")

#: After how long a commit in the lane is left to itself, and its hits are recorded by other means; and how often one
#: looks.
STEP_S = 0.12
#: How long a reply waits for its commit. A record comes back within a fifth of a second, but one before it may have
#: taken as long; then the redirect goes before the record.
PATIENCE_S = 2 * STEP_S


class Lane(Protocol):
    """Where an event loop leaves hits to be written down, and hears of it without waiting."""

    def fileno(self) -> int:
        """Return a descriptor that can be read when a batch has ended."""
        ...

    def begin(self, items: Sequence[Recorded]) -> bool:
        """Begin to write observations down, together; False where nothing is taken now."""
        ...

    def finish(self) -> bool | None:
        """Return whether what was begun is on disk; None where it is still under way."""
        ...

    def leave(self) -> None:
        """Want to hear nothing any more of what was begun, because it is recorded by other means."""
        ...


class Recording(Protocol):
    """Two ways to put observations on disk; see :class:`~mailnod.collect.collector.Collector`."""

    def open_lane(self) -> Lane | None:
        """Return a way for one event loop; None where there is none."""
        ...

    def record(self, items: Sequence[Recorded]) -> None:
        """Put observations on disk together, or count them as lost; never raises."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class _Batch:
    """Hits that are committed together."""

    observations: list[Recorded] = field(default_factory=list)
    #: One for each of them, done when it is on disk or counted as lost, or when the disk hangs; a request that is
    #: cancelled cancels its own.
    written: list[asyncio.Future[None]] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None


class Ticks:
    """Groups what the requests of one event loop must write; those that come during a commit share the next.

    A batch goes into a lane, if there is one; its replies leave before the next one goes. What the lane does not take,
    fails to write, or writes too slowly is recorded in a thread that may wait. All else is done in the loop, so that
    nothing needs a lock.

    :param recording: puts observations on disk.
    """

    def __init__(self, recording: Recording, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._recording = recording
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mailnod-record")
        self._lane = recording.open_lane()
        try:
            if self._lane is not None:
                loop.add_reader(self._lane.fileno(), self._hear)
        except (OSError, NotImplementedError) as error:
            log.warning("hits are written by a thread, because this event loop hears of nothing else: %s", error)
            self._lane = None
        self._next: _Batch | None = None
        #: What went into the lane and is still waited for.
        self._sent: _Batch | None = None
        #: Whether a batch is under way, or about to be.
        self._busy = False

    def add(self, observation: Recorded) -> asyncio.Future[None]:
        """Let an observation take part in the next commit.

        :returns: done when the reply may leave: after the commit, or where the disk hangs; even then the observation
            is written as soon as that ends.
        """
        written = self.loop.create_future()
        batch = self._next or self._begin()
        batch.observations.append(observation)
        batch.written.append(written)
        if not self._busy:
            self._busy = True
            # All requests that are ready in this turn of the loop come before it.
            self.loop.call_soon(self._send)
        return written

    def _begin(self) -> _Batch:
        self._next = batch = _Batch()
        batch.timer = self.loop.call_later(STEP_S, self._watch, batch, STEP_S)
        return batch

    def _send(self) -> None:
        """Let go of what has gathered."""
        batch, self._next = self._next, None
        if batch is None:
            self._busy = False
        elif self._lane is not None and self._lane.begin(batch.observations):
            self._sent = batch
        else:
            self._record_elsewhere(batch)

    def _hear(self) -> None:
        """Ask the lane what became of the batch that is in it."""
        if self._lane is None or (written := self._lane.finish()) is None:
            return
        batch, self._sent = self._sent, None
        if batch is None:
            # It took too long, and was recorded by other means.
            return
        if not written:
            self._record_elsewhere(batch)
            return
        self._go_on(batch)

    def _go_on(self, batch: _Batch) -> None:
        if batch.timer is not None:
            batch.timer.cancel()
        _release(batch)
        # The replies come before it, and whoever has asked meanwhile still takes part.
        self.loop.call_soon(self._send)

    def _record_elsewhere(self, batch: _Batch) -> None:
        try:
            self._thread.submit(self._record, batch)
        except RuntimeError:
            # The process ends, and takes no new threads.
            self._record(batch)

    def _record(self, batch: _Batch) -> None:
        self._recording.record(batch.observations)
        with contextlib.suppress(RuntimeError):
            # In a loop that was closed meanwhile nobody waits any more.
            self.loop.call_soon_threadsafe(self._go_on, batch)

    def _watch(self, batch: _Batch, waited_s: float) -> None:
        """Look after a batch that is not written yet."""
        if waited_s >= PATIENCE_S:
            if batch is self._next:
                # It is on its way before its replies are.
                self._send()
            _release(batch)
        if batch is self._sent and self._lane is not None:
            self._sent = None
            self._lane.leave()
            self._record_elsewhere(batch)
        batch.timer = self.loop.call_later(STEP_S, self._watch, batch, waited_s + STEP_S)


def _release(batch: _Batch) -> None:
    for written in batch.written:
        if not written.done():
            written.set_result(None)
