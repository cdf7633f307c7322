"""Identifiers that sort by time: UUIDs of version 7."""

from __future__ import annotations

from datetime import datetime
from os import urandom
from struct import Struct
from threading import Lock

from mailnod.store.processes import PerProcess
from mailnod.store.rows import to_micros

__all__ = ["new_id", "to_tick"]


#: How many random bytes the kernel is asked for at once, 8 for each id.
_POOL_BYTES = 4096
_HALVES = Struct(">QQ")
#: The two bits at the head of the second half.
_VARIANT = 0b10 << 62


class _Own:
    """What the ids of one process go on from."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.last_tick = 0
        #: 64 random bits for each of the next ids.
        self.noise: list[int] = []


_own = PerProcess(_Own)


def to_tick(micros: int) -> int:
    """Return the stamp of a microsecond, 60 bits: its milliseconds, and 12 bits of their fraction."""
    return (micros << 12) // 1000


def new_id(now: datetime) -> bytes:
    """Make a UUID of version 7 that is greater than every earlier one of this process.

    The fraction of the millisecond fills ``rand_a`` (RFC 9562, section 6.2, method 3); 62 random bits tell processes
    apart.

    :param now: the current time, aware.
    :returns: 16 bytes laid out as RFC 9562, section 5.7 says.
    """
    own = _own.get()
    tick = to_tick(to_micros(now))
    with own.lock:
        if tick <= own.last_tick:
            # A frozen clock, or one that was set back, counts on from the last stamp.
            tick = own.last_tick + 1
        own.last_tick = tick
        if not own.noise:
            own.noise = memoryview(urandom(_POOL_BYTES)).cast("Q").tolist()
        noise = own.noise.pop()
    return _HALVES.pack(tick >> 12 << 16 | 0x7000 | tick & 0xFFF, _VARIANT | noise >> 2)
