"""Slots: numbers that say when a hit was, keep hits of the same microsecond apart, and order all of them.

A slot is the key of an observation, so that the order of every list is the order in which rows lie on the disk, and no
index repeats the time. An id of version 7 says the same time again; of such an id only the random half is kept.
"""

from __future__ import annotations

from datetime import UTC, datetime

from mailnod.store.ids import to_tick
from mailnod.store.rows import to_micros

__all__ = ["get_micros", "get_range", "join_id", "read_micros", "split_id", "to_slot"]

#: Slots of one microsecond: more hits than a collector takes in a second.
_BITS = 12
_LAST = (1 << _BITS) - 1
#: The microsecond of slot 0; 63 bits reach 71 years to either side of it.
_ORIGIN = to_micros(datetime(2020, 1, 1, tzinfo=UTC))
_REACH = 1 << (63 - _BITS)


def to_slot(micros: int) -> int:
    """Return the first slot of a microsecond; beyond the reach of slots, that of the nearest one within it.

    :param micros: microseconds since 1970-01-01 UTC.
    """
    return min(max(micros - _ORIGIN, -_REACH), _REACH - 1) << _BITS


def get_range(micros: int) -> tuple[int, int]:
    """Return the first and the last slot of a microsecond."""
    return to_slot(micros), to_slot(micros) | _LAST


def get_micros(slot: int) -> int:
    """Return the microsecond of a slot."""
    return (slot >> _BITS) + _ORIGIN


def split_id(id: bytes, slot: int) -> int | bytes:
    """Return what must be kept of an id beside the slot: the random half, where the rest says the time of the slot."""
    return int.from_bytes(id[8:], "big", signed=True) if read_micros(id) == get_micros(slot) else id


def join_id(kept: int | bytes, slot: int) -> bytes:
    """Return the id that :func:`split_id` was given."""
    if isinstance(kept, bytes):
        return kept
    tick = to_tick(get_micros(slot))
    return (tick >> 12 << 16 | 0x7000 | tick & 0xFFF).to_bytes(8, "big") + kept.to_bytes(8, "big", signed=True)


def read_micros(id: bytes) -> int | None:
    """Return the microsecond that an id of version 7 says; None where it says none, or says it in another form."""
    if len(id) != 16 or id[6] >> 4 != 7:
        return None
    fraction = (id[6] & 0xF) << 8 | id[7]
    micros = int.from_bytes(id[:6], "big") * 1000 + -(-fraction * 1000 >> 12)
    return micros if to_tick(micros) == int.from_bytes(id[:6], "big") << 12 | fraction else None
