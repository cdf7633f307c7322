"""Slots: they order hits by time, and keep of an id what they do not say."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from mailnod.store import slots

#: 1950 to 2090, in microseconds since 1970.
MICROS = st.integers(-631_152_000_000_000, 3_786_912_000_000_000)


@given(micros=MICROS, number=st.integers(0, 4095), id_=st.binary(min_size=16, max_size=16))
def test_slot_and_what_is_kept_give_time_and_id_back(micros: int, number: int, id_: bytes) -> None:
    """Whatever the id, time and id come back from the slot and what is kept beside it."""
    slot = slots.to_slot(micros) + number
    assert slots.get_micros(slot) == micros
    assert slots.get_range(micros)[0] <= slot <= slots.get_range(micros)[1]
    assert slots.join_id(slots.split_id(id_, slot), slot) == id_


@given(micros=st.integers(0, 3_786_912_000_000_000))
def test_half_of_an_id_of_the_same_time_is_kept(micros: int) -> None:
    """An id whose stamp is that of the hit is kept as a number, and says its microsecond."""
    # A fresh process's first id has the stamp of its time; later ones count on from the last.
    id_ = (micros // 1000).to_bytes(6, "big") + (0x7000 | (micros % 1000 << 12) // 1000).to_bytes(2, "big") + bytes(8)
    slot = slots.to_slot(micros)
    assert slots.read_micros(id_) == micros
    assert isinstance(slots.split_id(id_, slot), int)
    assert slots.join_id(slots.split_id(id_, slot), slot) == id_


@given(first=MICROS, second=MICROS)
def test_slots_are_ordered_by_time(first: int, second: int) -> None:
    """An earlier hit has the smaller slot, whatever its number within the microsecond."""
    if first < second:
        assert slots.get_range(first)[1] < slots.to_slot(second)


def test_absurd_times_have_the_nearest_slot() -> None:
    """A clock that is centuries off stores what it says as far as a number reaches."""
    assert slots.to_slot(-(2**62)) == -(2**63)
    assert slots.get_range(2**62)[1] == 2**63 - 1


def test_new_ids_say_their_time() -> None:
    """What the collector makes for the moment of a hit is kept by half."""
    # A process of its own: here, another test may have made ids of a later time, from which they count on.
    code = (
        "from datetime import UTC, datetime; from mailnod.store import ids, slots; "
        "assert slots.read_micros(ids.new_id(datetime.now(UTC))) is not None"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
