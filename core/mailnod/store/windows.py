"""How far the window of a hit reaches, whatever engine it is read from."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from mailnod.model import Observation
from mailnod.store.rows import to_micros

__all__ = [
    "MAX_INTEGER",
    "MIN_INTEGER",
    "SAME_DELIVERY_MICROS",
    "SAME_IP_MICROS",
    "WINDOW_LIMIT",
    "find_near_newer",
    "get_latest_micros",
    "list_runs",
    "pick_nearest",
]

#: How far hits on the same delivery are looked for, before and after.
SAME_DELIVERY_MICROS = 10 * 60 * 1_000_000
#: How far those of the same address are.
SAME_IP_MICROS = 60 * 1_000_000
#: How many observations a window holds at most.
WINDOW_LIMIT = 200
#: A hit that seems to come from later than this was stamped by a clock that has been set back since.
_FUTURE_MICROS = 60 * 1_000_000
#: The integers that every engine can hold.
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1


def get_latest_micros(now: datetime, *, settle_s: float) -> int:
    """Return the latest moment at which a hit that is no older than now can be due, in microseconds."""
    return to_micros(now) + round(settle_s * 1_000_000) + _FUTURE_MICROS


def list_runs(observations: Iterable[tuple[Any, Observation]], *, reach: int) -> Iterator[tuple[Any, int, int]]:
    """Yield each value with the first and the last time of each run of observations whose windows overlap.

    :param observations: each with the value that makes others its neighbours: its delivery or its address.
    :param reach: how far a window reaches, in microseconds.
    """
    times = defaultdict[Any, list[int]](list)
    for value, observation in observations:
        times[value].append(to_micros(observation.hit.received_at))
    for value, received in times.items():
        for start, end in _join_runs(sorted(received), gap=2 * reach):
            yield value, start, end


def pick_nearest(times: Mapping[int, int], *, at: int, own: int | None) -> list[int]:
    """Return the numbers of the observations that a window holds, the nearest in time first.

    :param times: when each observation around was received, by its number.
    :param at: when the judged one was.
    :param own: the number of the judged one; None where the store does not hold it. It comes first: hundreds of others
        of the same microsecond must not push it out.
    """
    return sorted(times, key=lambda number: (number != own, abs(times[number] - at), number))[:WINDOW_LIMIT]


def find_near_newer(observations: Sequence[Observation], newer: Iterable[tuple[Any, Any, int]]) -> set[bytes]:
    """Return the ids of those observations into whose window a newer one has come.

    There are newer ones only where two are at work, so they are looked through instead of being counted for each
    window at every hit.

    :param newer: delivery, address and time of each.
    """
    by_delivery, by_ip = defaultdict[object, list[int]](list), defaultdict[object, list[int]](list)
    for delivery_id, ip, received_at in newer:
        by_delivery[delivery_id].append(received_at)
        by_ip[ip].append(received_at)
    for times in (*by_delivery.values(), *by_ip.values()):
        times.sort()
    return {
        observation.id
        for observation in observations
        if _lies_near(by_delivery.get(observation.delivery_id), observation, SAME_DELIVERY_MICROS)
        or (observation.hit.ip is not None and _lies_near(by_ip.get(observation.hit.ip), observation, SAME_IP_MICROS))
    }


def _join_runs(times: list[int], *, gap: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the last time of each run whose steps are no wider than a gap."""
    start = end = times[0]
    for at in times[1:]:
        if at - end > gap:
            yield start, end
            start = at
        end = at
    yield start, end


def _lies_near(times: list[int] | None, observation: Observation, reach: int) -> bool:
    """Return whether any of some sorted times lies within reach of an observation."""
    at = to_micros(observation.hit.received_at)
    return times is not None and bisect_left(times, at - reach) < bisect_right(times, at + reach)
