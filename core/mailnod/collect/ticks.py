"""Commit the hits of one tick of an event loop together, in a thread, so that a slow disk never stops the loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from mailnod.model import Observation

__all__ = ["Ticks"]

#: How long a reply waits for its commit; a disk that takes longer hangs, and a redirect goes before a record.
PATIENCE_S = 0.2


class Ticks:
    """Groups what the requests of an event loop must write, one commit at a time; it belongs to that loop.

    :param record: puts observations on disk, called in a thread of its own; never raises.
    """

    def __init__(self, record: Callable[[Sequence[Observation]], None], loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._record = record
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mailnod-commit")
        self._waiting: list[Observation] = []
        self._written = loop.create_future()
        self._busy = False

    def add(self, observation: Observation) -> asyncio.Future[None]:
        """Let an observation take part in the next commit.

        :returns: done when it is on disk, or counted as lost, or when the disk hangs; then it is still written as
            soon as that ends.
        """
        self._waiting.append(observation)
        if len(self._waiting) == 1:
            self._release_later(self._written)
        if not self._busy:
            self._busy = True
            # All requests that are ready in this turn of the loop come before it.
            self.loop.call_soon(self._commit)
        return self._written

    def _commit(self) -> None:
        observations, written = self._waiting, self._written
        self._waiting, self._written = [], self.loop.create_future()
        self._thread.submit(self._write, observations, written)

    def _write(self, observations: Sequence[Observation], written: asyncio.Future[None]) -> None:
        self._record(observations)
        with contextlib.suppress(RuntimeError):
            # A loop that was closed meanwhile has nobody left who waits.
            self.loop.call_soon_threadsafe(self._end, written)

    def _end(self, written: asyncio.Future[None]) -> None:
        _release(written)
        if self._waiting:
            self._commit()
        else:
            self._busy = False

    def _release_later(self, written: asyncio.Future[None]) -> None:
        timer = self.loop.call_later(PATIENCE_S, _release, written)
        written.add_done_callback(lambda _: timer.cancel())


def _release(written: asyncio.Future[None]) -> None:
    if not written.done():
        written.set_result(None)
