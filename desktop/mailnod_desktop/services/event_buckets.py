"""How a stretch of time is divided for a timeline: round steps, the edges of buckets, and the words on its axis."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

__all__ = ["Tick", "find_bucket", "list_edges", "list_ticks", "name_span"]

_EPOCH = datetime(2020, 1, 6, tzinfo=UTC)
_SECONDS = (
    0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800,
    21_600, 43_200, 86_400, 2 * 86_400, 7 * 86_400, 14 * 86_400, 28 * 86_400, 91 * 86_400, 364 * 86_400,
)  # fmt: skip

#: A place on the axis and what is written there.
Tick = tuple[datetime, str]


def list_edges(since: datetime, until: datetime, *, buckets: int) -> tuple[datetime, ...]:
    """Return the edges of buckets that cover a stretch of time, all of the same round length.

    :param since: the earliest time.
    :param until: the latest time, which the last bucket holds.
    :param buckets: at most about so many.
    """
    wanted = max((until - since).total_seconds(), 0.0) / max(buckets, 1)
    length = _find_step(wanted)
    first = _EPOCH + (since - _EPOCH) // length * length
    count = (until - first) // length + 1
    return tuple(first + number * length for number in range(count + 1))


def _find_step(wanted_s: float) -> timedelta:
    """Return the shortest round length that is no shorter than the one that is wanted."""
    step = next((one for one in _SECONDS if one >= wanted_s), None)
    return timedelta(seconds=_SECONDS[-1] * -(-wanted_s // _SECONDS[-1]) if step is None else step)


def list_ticks(edges: tuple[datetime, ...], *, most: int) -> Iterator[Tick]:
    """Yield where an axis is written on, and what: the day where it changes, else the time.

    :param most: at most so many.
    """
    if len(edges) < 2:
        return
    length = _find_step((edges[-1] - edges[0]).total_seconds() / max(most, 1))
    at = _EPOCH + -(-(edges[0] - _EPOCH) // length) * length
    day = None
    while at <= edges[-1]:
        if length >= timedelta(days=1) or day != at.date():
            text = f"{at:%Y-%m-%d}" if day is None or day.year != at.year else f"{at:%m-%d}"
            text = text if length >= timedelta(days=1) or (at.hour, at.minute) == (0, 0) else f"{at:%m-%d %H:%M}"
        elif length < timedelta(seconds=1):
            text = f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"
        else:
            text = f"{at:%H:%M:%S}" if length < timedelta(minutes=1) else f"{at:%H:%M}"
        day = at.date()
        yield at, text
        at += length


def find_bucket(edges: tuple[datetime, ...], at: datetime) -> int | None:
    """Return the number of the bucket that holds a time; None where none does."""
    number = bisect_right(edges, at) - 1
    return number if 0 <= number < len(edges) - 1 else None


def name_span(since: datetime, until: datetime) -> str:
    """Return a stretch of time in words, in UTC, as short as it can be told apart."""
    precise = "%H:%M:%S" if any(at.second or at.microsecond for at in (since, until)) else "%H:%M"
    if since.date() == until.date():
        return f"{since:%Y-%m-%d} {since.strftime(precise)}-{until.strftime(precise)}"
    if all(at == at.replace(hour=0, minute=0, second=0, microsecond=0) for at in (since, until)):
        return f"{since:%Y-%m-%d} to {until:%Y-%m-%d}"
    return f"{since:%Y-%m-%d} {since.strftime(precise)} to {until:%Y-%m-%d} {until.strftime(precise)}"
