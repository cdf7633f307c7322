"""The counts of a message come out as they went in, and mean what they meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnod.errors import StoreUnavailableError
from mailnod.store.messages import pack, unpack
from mailnod.store.rollups import MEASURES

COUNTS = st.one_of(st.just(0), st.integers(-3, 300), st.integers(-(2**63), 2**63 - 1))


@given(st.lists(COUNTS, min_size=len(MEASURES), max_size=len(MEASURES)))
def test_counts_come_out_as_they_went_in(counts: list[int]) -> None:
    """Every count that a store can hold survives, whatever stands beside it."""
    assert unpack(pack(*counts)) == counts


@pytest.mark.parametrize("packed", [b"", b"\0\0\0", b"\0\0\0\1", b"\0\0\0\0\1", b"\0\0\0\3\1\1\1", b"\0\0\0\1\1\1\1"])
def test_what_is_no_packed_count_is_damage(packed: bytes) -> None:
    """A value that nobody has packed is told as damage, and never as a count."""
    with pytest.raises(StoreUnavailableError, match="damaged"):
        unpack(packed)


def test_usual_counts_are_small() -> None:
    """A mail that one person opened takes a few bytes, and one without anything no more than the mask."""
    assert len(pack(*[0] * len(MEASURES))) == 4
    assert len(pack(1, 1, 1, 2, 1, *[0] * (len(MEASURES) - 5))) == 9


def test_order_of_counts_is_what_stores_hold() -> None:
    """What was packed before is read by the same order; a new count stands behind all others."""
    kinds = ("human", "machine", "privacy", "scanner", "bot", "observed")
    events = [f"{who}_{what}{end}" for who in kinds for what in ("opens", "clicks") for end in ("", "_unique")]
    assert MEASURES[:27] == ("deliveries", "deliveries_with_pixel", "deliveries_with_links", *events)
