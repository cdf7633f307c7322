"""A stretch of time is divided into round buckets that cover it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from mailnod_desktop.services.event_buckets import find_bucket, list_edges, list_ticks, name_span

T0 = datetime(2026, 3, 1, 12, 3, 7, 654_321, tzinfo=UTC)
SPANS = [
    timedelta(0), timedelta(microseconds=1), timedelta(milliseconds=20), timedelta(seconds=9), timedelta(minutes=7),
    timedelta(hours=26), timedelta(days=40), timedelta(days=800), timedelta(days=365 * 70),
]  # fmt: skip


@pytest.mark.parametrize("span", SPANS, ids=str)
@pytest.mark.parametrize("buckets", [1, 7, 160])
def test_buckets_cover_the_time_and_are_few_enough(span: timedelta, buckets: int) -> None:
    """The first begins no later than the time, the last ends behind it, and all are of one length."""
    edges = list_edges(T0, T0 + span, buckets=buckets)
    assert edges[0] <= T0
    assert edges[-1] > T0 + span
    assert len({later - earlier for earlier, later in pairwise(edges)}) == 1
    assert len(edges) - 1 <= buckets + 2
    assert find_bucket(edges, T0) == 0
    assert find_bucket(edges, T0 + span) == len(edges) - 2
    assert find_bucket(edges, edges[-1]) is None
    assert find_bucket(edges, edges[0] - timedelta(microseconds=1)) is None


@pytest.mark.parametrize("span", SPANS, ids=str)
@pytest.mark.parametrize("most", [1, 3, 12])
def test_ticks_lie_on_the_axis_and_are_few_enough(span: timedelta, most: int) -> None:
    """Each tick lies within the time that is shown, says something, and ascends."""
    edges = list_edges(T0, T0 + span, buckets=100)
    ticks = list(list_ticks(edges, most=most))
    assert len(ticks) <= most + 1
    assert all(edges[0] <= at <= edges[-1] and text for at, text in ticks)
    assert [at for at, _ in ticks] == sorted(at for at, _ in ticks)
    assert list(list_ticks((), most=most)) == []


def test_spans_are_named_as_short_as_they_can_be_told_apart() -> None:
    """Within a day the day stands once; whole days have no time; seconds stand where they matter."""
    day, hour = datetime(2026, 3, 1, tzinfo=UTC), timedelta(hours=1)
    assert name_span(day + hour, day + 2 * hour) == "2026-03-01 01:00-02:00"
    assert name_span(day, day + timedelta(days=2)) == "2026-03-01 to 2026-03-03"
    assert name_span(day + hour, day + timedelta(days=1, seconds=5)) == "2026-03-01 01:00:00 to 2026-03-02 00:00:05"
