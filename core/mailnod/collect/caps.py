"""Caps on hits: what one mail or one address sends beyond them is counted and no longer recorded one by one.

Without them, whoever has one token could fill the disk by asking for it again and again. The redirect always works.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from datetime import datetime
from ipaddress import IPv6Address, ip_network
from threading import Lock

from mailnod.model import Kind, Overflow, OverflowReason
from mailnod.store.processes import PerProcess

__all__ = ["SOURCE_PERIOD_S", "TOKEN_PERIOD_S", "Caps"]

#: For how long the hits of one delivery and axis or link are counted, and those of one address.
TOKEN_PERIOD_S = 86_400.0
SOURCE_PERIOD_S = 60.0


class Caps:
    """Tells of each hit whether it is beyond a cap, from memory; safe to use from any thread and after a fork.

    Periods are told by a clock that is never set back, and each process counts for itself: behind a server of four
    processes four times as many hits are recorded.

    :param token_cap: how many hits of one delivery and axis, or of one link of it, are recorded in a day; 0 for all.
    :param source_cap: how many hits of one address (of one network /64 in IPv6) are recorded in a minute; 0 for all.
    :param hide: returns what stands for an address in a count that is kept.
    :param remembered: how many deliveries and how many addresses a process remembers, those seen last; some tens of
        megabytes at most.
    """

    def __init__(
        self,
        *,
        token_cap: int,
        source_cap: int,
        hide: Callable[[str], str],
        remembered: int = 65_536,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._token_cap = token_cap
        self._source_cap = source_cap
        self._hide = hide
        self._monotonic = monotonic
        self._memory = PerProcess(lambda: _Memory(remembered))

    def check(
        self, delivery_id: bytes, kind: Kind, link_index: int | None, *, ip: str | None, at: datetime
    ) -> Overflow | None:
        """Count a hit.

        :param ip: the client's address; None where there is none.
        :param at: when the hit came.
        :returns: None where it is recorded; else the count to write down in its stead.
        """
        if not (self._token_cap or self._source_cap):
            return None
        memory = self._memory.get()
        now = self._monotonic()
        with memory.lock:
            source = None if ip is None or not self._source_cap else _find_source(ip)
            sources = 0 if source is None else memory.sources.add(source, now, period_s=SOURCE_PERIOD_S)
            tokens = 0
            if self._token_cap:
                tokens = memory.tokens.add((delivery_id, kind, link_index), now, period_s=TOKEN_PERIOD_S)
            if tokens > self._token_cap:
                return memory.count("token", delivery_id.hex(), kind, now, at=at)
            if source is not None and sources > self._source_cap:
                return memory.count("source", self._hide(source), kind, now, at=at)
        return None


class _Memory:
    """What one process remembers."""

    def __init__(self, size: int) -> None:
        self.lock = Lock()
        self.tokens = _Counter(size)
        self.sources = _Counter(size)
        self._size = size
        self._overflow: OrderedDict[Hashable, tuple[float, Overflow]] = OrderedDict()

    def count(self, reason: OverflowReason, key: str, kind: Kind, now: float, *, at: datetime) -> Overflow:
        """Return the count of what is beyond a cap, one higher than before; a new one begins each day."""
        began_at, overflow = self._overflow.pop((reason, key, kind), (0.0, None))
        if overflow is None or now - began_at >= TOKEN_PERIOD_S:
            began_at = now
            id_ = secrets.token_bytes(16)
            overflow = Overflow(id=id_, reason=reason, key=key, kind=kind, first_at=at, last_at=at)
        overflow = replace(overflow, last_at=at, count=overflow.count + 1)
        self._overflow[reason, key, kind] = began_at, overflow
        if len(self._overflow) > self._size:
            # It begins anew, under another id, should there be more of it.
            self._overflow.popitem(last=False)
        return overflow


class _Counter:
    """Counts of what came within a period, of the keys that were seen last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._counts: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def add(self, key: Hashable, now: float, *, period_s: float) -> int:
        """Count one more of a key, and return how many there were since its period began."""
        began_at, count = self._counts.pop(key, (now, 0))
        if now - began_at >= period_s:
            began_at, count = now, 0
        self._counts[key] = began_at, count + 1
        if len(self._counts) > self._size:
            self._counts.popitem(last=False)
        return count + 1


def _find_source(ip: str) -> str:
    if ":" not in ip:
        return ip
    # Whoever has one address of a network has all of it.
    return str(ip_network((int(IPv6Address(ip)), 64), strict=False))
