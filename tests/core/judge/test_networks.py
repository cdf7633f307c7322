"""Tests of the look-up of addresses."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnod.judge.networks import Layer, Networks, Part, build_networks, join_prefixes, parse_address


@pytest.fixture(scope="module")
def built_in() -> Networks:
    """Give the blocks that are installed with the rules."""
    return build_networks()


@pytest.mark.parametrize(
    ("address", "label"),
    [
        ("104.28.1.1", "apple_relay"),
        ("2a02:26f7:1::1", "apple_relay"),
        ("66.249.84.1", "google"),
        ("40.107.1.1", "delivery"),
        ("40.112.1.1", "azure"),
        ("165.225.1.1", "web_proxy"),
        ("52.1.1.1", "cloud"),
        ("::ffff:52.1.1.1", "cloud"),
        ("84.1.1.1", None),
        ("2003::1", None),
        ("0.0.0.0", None),
        ("255.255.255.255", None),
        ("::", None),
    ],
)
def test_an_address_is_found_in_its_block(built_in: Networks, address: str, label: str | None) -> None:
    """Both families and the addresses of one that the other carries are found; the ends of the space too."""
    assert built_in.find(parse_address(address)) == label


@pytest.mark.parametrize("text", [None, "", "nonsense", "1.2.3", "1.2.3.4:80", "a" * 1000, "1.2.3.4\0", "1.2.3.4/8"])
def test_what_is_no_address_is_none(text: str | None) -> None:
    """Whatever a proxy wrote into the address's place, there is no exception."""
    assert parse_address(text) is None


def lay(*layers: tuple[str, str]) -> Networks:
    """Make a map of layers of one prefix each, named by their labels."""
    return Networks(
        Layer(name=label, label=label, source="", intervals=join_prefixes([prefix])) for prefix, label in layers
    )


def test_the_first_layer_decides() -> None:
    """A block inside a block keeps its own label where it comes first, and the outer one goes on behind it."""
    networks = lay(("10.1.255.0/24", "core"), ("10.1.0.0/16", "inner"), ("10.0.0.0/8", "outer"), ("10.2.0.0/16", "no"))
    found = [
        networks.find(parse_address(one)) for one in ("10.0.0.1", "10.1.0.0", "10.1.255.9", "10.2.0.0", "11.0.0.0")
    ]
    assert found == ["outer", "inner", "core", "outer", None]


def test_block_may_end_with_the_last_address() -> None:
    """Nothing comes after the end of the address space."""
    networks = lay(("ffff::/16", "end"), ("ff00::/8", "multicast"))
    assert networks.find(ipaddress.ip_address("ff00::1")) == "multicast"
    assert networks.find(ipaddress.ip_address("ffff:" * 7 + "ffff")) == "end"


@given(
    st.lists(
        st.tuples(st.ip_addresses(v=4), st.integers(8, 32), st.sampled_from("abc"))
        | st.tuples(st.ip_addresses(v=6), st.integers(8, 128), st.sampled_from("abc")),
        max_size=12,
    ),
    st.ip_addresses(),
)
def test_the_search_agrees_with_a_plain_walk(
    blocks: list[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int, str]],
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """Packed intervals answer as a walk over all prefixes would."""
    prefixes = [(ipaddress.ip_network(f"{one}/{length}", strict=False), label) for one, length, label in blocks]
    networks = lay(*((str(prefix), label) for prefix, label in prefixes))
    for asked in [address, *(prefix.network_address for prefix, _ in prefixes)]:
        plain = parse_address(str(asked))
        holding = [label for prefix, label in prefixes if plain is not None and plain in prefix]
        if isinstance(plain, ipaddress.IPv4Address) and any(prefix.version == 6 for prefix, _ in prefixes):
            continue
        assert networks.find(plain) == (holding[0] if holding else None)


def test_neighbours_are_joined() -> None:
    """Prefixes that overlap or touch become one interval, in whatever order they come."""
    joined = join_prefixes(["10.0.1.0/24", "10.0.0.0/24", "10.0.0.128/25", "10.0.3.0/24", "2001:db8::1"])
    assert [last - first + 1 for first, last in joined] == [512, 256, 1]


def test_a_malformed_prefix_is_refused() -> None:
    """A table with a mistake in it is not half used."""
    with pytest.raises(ValueError, match="host bits"):
        join_prefixes(["10.0.0.1/8"])


def test_published_list_takes_the_place_of_the_coarse_blocks() -> None:
    """What Apple's list does not hold is its carrier's, what a list adds is known, and strange names are left out."""

    def publish(name: str, *prefixes: str) -> Part:
        intervals = join_prefixes(prefixes)
        return Part(name=name, source="list", fetched_at=datetime.now(UTC), rows=1, intervals=intervals)

    relay = publish("apple-private-relay", "104.28.1.0/24")
    networks = build_networks([relay, publish("amazon", "1.178.1.0/24"), publish("of a later version", "9.0.0.0/8")])
    found = [
        networks.find(parse_address(one)) for one in ("104.28.1.1", "104.28.2.1", "1.178.1.1", "52.1.1.1", "9.1.1.1")
    ]
    assert found == ["apple_relay", "carrier", "cloud", None, None]


def test_layer_says_where_its_knowledge_comes_from(built_in: Networks) -> None:
    """A built-in block has a source and was never fetched."""
    layer = built_in.find_layer(ipaddress.ip_address("40.107.1.1"))
    assert layer is not None
    assert (layer.name, layer.fetched_at) == ("exchange-online", None)
    assert layer.source.startswith("https://learn.microsoft.com/")


def test_built_in_blocks_hold_the_published_exits_of_apples_relay(built_in: Networks, shared: Path) -> None:
    """The coarse blocks miss none of the exits that Apple publishes."""
    for family in ("ipv4", "ipv6"):
        lines = (shared / "data" / "networks" / f"apple-private-relay-{family}.txt").read_text().split()
        firsts = [parse_address(line.partition("/")[0]) for line in lines if "/" in line]
        assert all(built_in.find(first) == "apple_relay" for first in firsts)


def test_no_published_cloud_is_taken_for_apples_relay(built_in: Networks, shared: Path) -> None:
    """Rented servers and the relay never share a block."""
    for name in ("amazon", "microsoft", "digitalocean", "oracle", "vultr"):
        lines = (shared / "data" / "networks" / f"{name}-ipv4.txt").read_text().split()
        firsts = [parse_address(line.partition("/")[0]) for line in lines if "/" in line]
        assert not any(built_in.find(first) == "apple_relay" for first in firsts)
