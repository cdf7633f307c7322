"""Identifiers that sort by time: UUIDs of version 7."""

from __future__ import annotations

from datetime import datetime
from os import urandom
from threading import Lock

from mailnod.store.processes import PerProcess
from mailnod.store.rows import to_micros

__all__ = ["new_id", "to_tick"]


class _Ticks:
    """The strictly rising 60-bit time stamps of one process: 48 bits of milliseconds, 12 bits of their fraction."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last = 0
        self._noise = b""

    def take(self, micros: int) -> tuple[int, bytes]:
        """Return the next stamp, and 8 bytes of noise; the kernel is asked for it by the kilobyte."""
        tick = to_tick(micros)
        with self._lock:
            # A frozen clock, or one that was set back, counts on from the last stamp.
            self._last = max(tick, self._last + 1)
            noise = self._noise or urandom(1024)
            self._noise = noise[8:]
            return self._last, noise[:8]


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
    value = (tick >> 12) << 80 | 0x7 << 76 | (tick & 0xFFF) << 64 | 0b10 << 62 | int.from_bytes(noise) >> 2
    return value.to_bytes(16, "big")
