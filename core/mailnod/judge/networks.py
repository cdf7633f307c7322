"""Says whose network an address lies in, from packed intervals and a binary search."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from mailnod.judge.knowledge import read_table

__all__ = [
    "MAPPED",
    "Interval",
    "Layer",
    "Networks",
    "Part",
    "build_networks",
    "join_intervals",
    "join_prefixes",
    "parse_address",
    "same_network",
    "to_interval",
]

#: IPv4 addresses stand at their IPv4-mapped place (RFC 4291, section 2.5.5.2), so that one space holds both.
MAPPED = 0xFFFF << 32

#: The first and the last address of a stretch, in the common space.
Interval = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one publisher's list came down to."""

    #: As ``tables/networks.toml`` calls the publisher.
    name: str
    #: Where the list came from: a URL, or the name of a file.
    source: str
    #: When it was fetched, or when its file was last changed.
    fetched_at: datetime
    #: How many rows the list had, before neighbours were joined.
    rows: int
    #: Sorted, and apart from each other.
    intervals: Sequence[Interval]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Addresses that bear one label."""

    #: Who holds them: a publisher's name.
    name: str
    #: What the rules read.
    label: str
    #: Where the knowledge comes from.
    source: str
    #: When it was fetched; None for the blocks that are installed with the rules.
    fetched_at: datetime | None = None
    #: Sorted, and apart from each other.
    intervals: Sequence[Interval]


class Networks:
    """A read-only map from addresses to layers.

    :param layers: in order of precedence: of those that overlap, the earlier one decides.
    """

    __slots__ = ("_labels", "_layers", "_numbers", "_starts")

    def __init__(self, layers: Iterable[Layer]) -> None:
        self._layers = (None, *layers)
        stretches = list(_flatten([layer.intervals for layer in self._layers if layer]))
        self._starts = [-1, *(place for place, _ in stretches)]
        self._numbers = array("H", (0, *(number for _, number in stretches)))
        self._labels = [layer.label if layer else None for layer in self._layers]

    def find(self, address: IPv4Address | IPv6Address | None) -> str | None:
        """Look an address up.

        :param address: an address as :func:`parse_address` gives it, or None.
        :returns: the label of the first layer that holds it, or None.
        """
        if address is None:
            return None
        place = int(address) | MAPPED if isinstance(address, IPv4Address) else int(address)
        return self._labels[self._numbers[bisect_right(self._starts, place) - 1]]

    def find_layer(self, address: IPv4Address | IPv6Address) -> Layer | None:
        """Look an address up, and say from where its label comes.

        :param address: an address as :func:`parse_address` gives it.
        :returns: the first layer that holds it, or None.
        """
        place = int(address) | MAPPED if isinstance(address, IPv4Address) else int(address)
        return self._layers[self._numbers[bisect_right(self._starts, place) - 1]]

    def __len__(self) -> int:
        return len(self._numbers) - 1


def build_networks(parts: Iterable[Part] = ()) -> Networks:
    """Build the map from the coarse blocks that are installed with the rules, and from what publishers say.

    :param parts: published lists; each takes the place of the blocks of the same name. Unknown ones are left out.
    :returns: labels as the head of ``tables/networks.toml`` lists them.
    """
    given = {part.name: part for part in parts}
    return Networks(_make_layer(block, given.get(block["name"])) for block in read_table("networks")["network"])


def _make_layer(block: Mapping[str, Any], part: Part | None) -> Layer:
    name, label = block["name"], block["label"]
    if part is not None:
        return Layer(name=name, label=label, source=part.source, fetched_at=part.fetched_at, intervals=part.intervals)
    return Layer(name=name, label=label, source=block["source"], intervals=join_prefixes(block["prefixes"]))


def join_prefixes(prefixes: Iterable[str]) -> list[Interval]:
    """Turn prefixes into sorted intervals; those that overlap or touch become one.

    :param prefixes: such as "192.0.2.0/24" or "2001:db8::/32"; a single address stands for itself.
    :raises ValueError: a prefix is malformed or has host bits set.
    """
    return join_intervals(to_interval(ip_network(prefix)) for prefix in prefixes)


def join_intervals(intervals: Iterable[Interval]) -> list[Interval]:
    """Sort intervals and join those that overlap or touch."""
    joined: list[Interval] = []
    for first, last in sorted(intervals):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def to_interval(network: IPv4Network | IPv6Network) -> Interval:
    """Give the first and the last address of a network in the common space."""
    first = int(network.network_address) + (MAPPED if network.version == 4 else 0)
    return first, first + network.num_addresses - 1


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


def _flatten(layers: Sequence[Sequence[Interval]]) -> Iterator[tuple[int, int]]:
    """Lay layers over each other: yield where stretches begin, and the number of the first layer that holds them.

    Numbers count from 1; 0 begins a stretch that no layer holds.
    """
    ends = [
        (place, number, opens)
        for number, intervals in enumerate(layers, 1)
        for first, last in intervals
        for place, opens in ((first, True), (last + 1, False))
    ]
    ends.sort()
    holding: set[int] = set()
    current = 0
    for position, (place, number, opens) in enumerate(ends):
        (holding.add if opens else holding.discard)(number)
        more = position + 1 < len(ends) and ends[position + 1][0] == place
        top = min(holding, default=0)
        if not more and top != current and place >> 128 == 0:
            current = top
            yield place, top
