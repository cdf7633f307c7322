"""Says whose network an address lies in, from packed intervals and a binary search."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from mailnod.judge.knowledge import read_table

__all__ = ["Networks", "built_in_networks", "parse_address", "same_network"]

#: IPv4 addresses stand at their IPv4-mapped place (RFC 4291, section 2.5.5.2), so that one space holds both.
_MAPPED = 0xFFFF << 32
_LAST = (1 << 128) - 1
_LOW = (1 << 64) - 1


def parse_address(text: str | None) -> IPv4Address | IPv6Address | None:
    """Read an address of a client; an IPv4-mapped IPv6 address is read as the IPv4 address that it carries.

    :param text: the address as the collector saw it; None where it was not captured.
    :returns: the address, or None where the text is none.
    """
    if not text or len(text) > 64:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def same_network(first: str | None, second: str | None) -> bool:
    """Say whether two addresses are near each other: one /24 of IPv4, one /48 of IPv6.

    :param first: an address, or None where it was not captured.
    :param second: another.
    """
    one, other = parse_address(first), parse_address(second)
    if one is None or other is None or one.version != other.version:
        return False
    return int(one) >> (8 if one.version == 4 else 80) == int(other) >> (8 if other.version == 4 else 80)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Interval:
    """The addresses of one prefix in the common space."""

    first: int
    last: int
    label: str


class Networks:
    """A read-only map from addresses to labels.

    Of prefixes that overlap, the narrowest decides.

    :param prefixes: pairs of a prefix such as "192.0.2.0/24" and its label.
    :raises ValueError: a prefix is malformed or has host bits set.
    """

    __slots__ = ("_high", "_labels", "_low", "_names")

    def __init__(self, prefixes: Iterable[tuple[str, str]]) -> None:
        names: dict[str, int] = {"": 0}
        # The space is cut into 64-bit halves because arrays hold no wider integers.
        self._high, self._low, self._labels = array("Q"), array("Q"), array("B")
        for start, label in _flatten([_read(prefix, label) for prefix, label in prefixes]):
            self._high.append(start >> 64)
            self._low.append(start & _LOW)
            self._labels.append(names.setdefault(label, len(names)))
        self._names = tuple(names)

    def find(self, address: IPv4Address | IPv6Address | None) -> str | None:
        """Look an address up.

        :param address: an address as :func:`parse_address` gives it, or None.
        :returns: the label of the narrowest prefix that holds it, or None.
        """
        if address is None:
            return None
        place = int(address) | _MAPPED if address.version == 4 else int(address)
        high, low = place >> 64, place & _LOW
        stop = bisect_right(self._high, high)
        start = stop - 1
        if start < 0:
            return None
        if self._high[start] == high:
            # Many intervals share this upper half: all of IPv4 does.
            first = bisect_right(self._high, high - 1) if high else 0
            start = bisect_right(self._low, low, first, stop) - 1
            if start < 0:
                return None
        return self._names[self._labels[start]] or None

    def __len__(self) -> int:
        return len(self._labels)


def built_in_networks() -> Networks:
    """Build the map from the coarse blocks that are installed with the rules.

    :returns: labels as the head of ``tables/networks.toml`` lists them.
    """
    blocks = read_table("networks")["network"]
    return Networks((prefix, block["label"]) for block in blocks for prefix in block["prefixes"])


def _read(prefix: str, label: str) -> _Interval:
    network = ip_network(prefix)
    offset = _MAPPED if network.version == 4 else 0
    first = int(network.network_address) + offset
    return _Interval(first=first, last=first + network.num_addresses - 1, label=label)


def _flatten(intervals: list[_Interval]) -> list[tuple[int, str]]:
    """Turn nested intervals into starts of disjoint stretches; "" begins a stretch that nothing covers."""
    starts: list[tuple[int, str]] = []
    open_: list[_Interval] = []

    def begin(place: int, label: str) -> None:
        if starts and starts[-1][0] == place:
            starts.pop()
        if (starts[-1][1] if starts else "") != label:
            starts.append((place, label))

    def close_before(place: int | None) -> None:
        while open_ and (place is None or open_[-1].last < place):
            ended = open_.pop()
            # Prefixes nest or are apart, so whatever is still open covers the next address, or ended with it.
            while open_ and open_[-1].last <= ended.last:
                open_.pop()
            if ended.last < _LAST:
                begin(ended.last + 1, open_[-1].label if open_ else "")

    for interval in sorted(intervals, key=lambda one: (one.first, -one.last)):
        close_before(interval.first)
        begin(interval.first, interval.label)
        open_.append(interval)
    close_before(None)
    return starts
