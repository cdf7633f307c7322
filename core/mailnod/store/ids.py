"""Identifiers that sort by time: UUIDs of version 7."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from os import urandom
from struct import Struct
from threading import Lock

from mailnod.store.processes import PerProcess
from mailnod.store.rows import to_micros

__all__ = ["new_id", "to_tick"]


_NOISE = Struct(">Q")
_HALVES = Struct(">QQ")
#: The two bits at the head of the second half.
_VARIANT = 0b10 << 62


class _Ticks:
    """The strictly rising 60-bit time stamps of one process: 48 bits of milliseconds, 12 bits of their fraction."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last = 0
        self._noise: Iterator[tuple[int]] = iter(())

    def take(self, micros: int) -> tuple[int, int]:
        """Return the next stamp, and 64 random bits; the kernel is asked for them by the kilobyte."""
        tick = to_tick(micros)
        with self._lock:
            if tick <= self._last:
                # A frozen clock, or one that was set back, counts on from the last stamp.
                tick = self._last + 1
            self._last = tick
            noise = next(self._noise, None)
            if noise is None:
                self._noise = _NOISE.iter_unpack(urandom(1024))
                noise = next(self._noise)
        return tick, noise[0]


_ticks = PerProcess(_Ticks)


def to_tick(micros: int) -> int:
    """Return the stamp of a microsecond: its milliseconds, and 12 bits of their fraction."""
    millis, rest = divmod(micros, 1000)
    return millis << 12 | (rest << 12) // 1000


def new_id(now: datetime) -> bytes:
    """Make a UUID of version 7 that is greater than every earlier one of this process.

    The fraction of the millisecond fills ``rand_a`` (RFC 9562, section 6.2, method 3); 62 random bits tell processes
    apart.

    :param now: the current time, aware.
    :returns: 16 bytes laid out as RFC 9562, section 5.7 says.
    """
    tick, noise = _ticks.get().take(to_micros(now))
    high = (tick & ~0xFFF) << 4 | 0x7000 | tick & 0xFFF
    return _HALVES.pack(high, _VARIANT | noise >> 2)
