"""Reads the lists of networks that publishers offer, each in its own format, and refuses what cannot be one."""

from __future__ import annotations

import csv
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from mailnod.errors import NetworksError
from mailnod.judge.networks import MAPPED, Interval, join_intervals, join_prefixes, to_interval

__all__ = ["PUBLISHERS", "Publisher", "check_list", "check_shrinking", "read_plain"]

#: Address space that belongs to nobody on the Internet (IANA's special-purpose registries), and multicast.
_SPECIAL = join_prefixes(
    (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
        "100::/64", "2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32", "2002::/16", "3fff::/20",
        "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip
_SPECIAL_FIRSTS = [first for first, _ in _SPECIAL]
#: No publisher holds more in one piece: the registries' largest blocks are a /8 of IPv4 and a /19 of IPv6.
_WIDEST = {4: 8, 6: 19}
#: No publisher holds more of IPv4 in all: the largest one has 3 % of it.
_MOST_ADDRESSES = (1 << 32) // 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """One list of networks, and what is known about it."""

    #: As ``tables/networks.toml`` calls it.
    name: str
    #: Where it is offered.
    urls: tuple[str, ...]
    #: Finds the list's own URL where :attr:`urls` has a page that links to it; None where it has the list.
    link: re.Pattern[str] | None = None
    #: Turns the text of the list into prefixes; raises NetworksError, KeyError, TypeError or ValueError.
    read: Callable[[str], Iterable[str]]
    #: What the downloaded list is called, as patterns of file names.
    files: tuple[str, ...]
    #: Fewer and more rows are not plausible, even for the same list with neighbours joined.
    rows: tuple[int, int]
    #: Bytes that the list never exceeds.
    most_bytes: int = 16 << 20


def read_plain(text: str) -> Iterator[str]:
    """Read one prefix per line; empty lines and what follows "#" do not count."""
    for line in text.splitlines():
        prefix = line.partition("#")[0].strip()
        if prefix:
            yield prefix


def read_geofeed(text: str) -> Iterator[str]:
    """Read the first column of comma-separated values (RFC 8805, section 2.1)."""
    for row in csv.reader(read_plain(text)):
        yield row[0].strip()


def read_amazon(text: str) -> Iterator[str]:
    """Read ``ip-ranges.json`` (Amazon VPC User Guide, "AWS IP address ranges")."""
    document = json.loads(text)
    for row in document["prefixes"]:
        yield row["ip_prefix"]
    for row in document["ipv6_prefixes"]:
        yield row["ipv6_prefix"]


def read_google(text: str) -> Iterator[str]:
    """Read ``goog.json`` and its kin (support.google.com/a/answer/10026322)."""
    for row in json.loads(text)["prefixes"]:
        yield row["ipv4Prefix"] if "ipv4Prefix" in row else row["ipv6Prefix"]


def read_azure(text: str) -> Iterator[str]:
    """Read ``ServiceTags_Public_*.json`` (learn.microsoft.com, "Virtual network service tags")."""
    for tag in json.loads(text)["values"]:
        yield from tag["properties"]["addressPrefixes"]


def read_oracle(text: str) -> Iterator[str]:
    """Read ``public_ip_ranges.json`` (docs.oracle.com, "IP Address Ranges")."""
    for region in json.loads(text)["regions"]:
        for row in region["cidrs"]:
            yield row["cidr"]


_GOOGLE = "https://www.gstatic.com/ipranges/"

#: Every publisher whose list is understood.
PUBLISHERS: Mapping[str, Publisher] = {
    one.name: one
    for one in (
        Publisher(
            name="apple-private-relay",
            urls=("https://mask-api.icloud.com/egress-ip-ranges.csv",),
            read=read_geofeed,
            files=("egress-ip-ranges*.csv",),
            rows=(1_000, 2_000_000),
            most_bytes=64 << 20,
        ),
        Publisher(
            name="amazon",
            urls=("https://ip-ranges.amazonaws.com/ip-ranges.json",),
            read=read_amazon,
            files=("ip-ranges*.json",),
            rows=(500, 200_000),
        ),
        Publisher(
            name="google", urls=(f"{_GOOGLE}goog.json",), read=read_google, files=("goog*.json",), rows=(30, 10_000)
        ),
        Publisher(
            name="google-cloud",
            urls=(f"{_GOOGLE}cloud.json",),
            read=read_google,
            files=("cloud*.json",),
            rows=(50, 100_000),
        ),
        Publisher(
            name="googlebot",
            urls=("https://developers.google.com/static/search/apis/ipranges/googlebot.json",),
            read=read_google,
            files=("googlebot*.json", "common-crawlers*.json"),
            rows=(20, 20_000),
        ),
        Publisher(
            name="microsoft",
            urls=("https://www.microsoft.com/en-us/download/details.aspx?id=56519",),
            # The list's name holds its date, so that only the page knows it.
            link=re.compile(r"https://download\.microsoft\.com/download/[\w/.-]{1,200}/ServiceTags_Public_\d{8}\.json"),
            read=read_azure,
            files=("ServiceTags_Public_*.json",),
            rows=(100, 2_000_000),
            most_bytes=64 << 20,
        ),
        Publisher(
            name="cloudflare",
            urls=("https://www.cloudflare.com/ips-v4", "https://www.cloudflare.com/ips-v6"),
            read=read_plain,
            files=("ips-v4*", "ips-v6*"),
            rows=(8, 500),
        ),
        Publisher(
            name="digitalocean",
            urls=("https://www.digitalocean.com/geo/google.csv",),
            read=read_geofeed,
            files=("google*.csv", "digitalocean*.csv"),
            rows=(50, 50_000),
        ),
        Publisher(
            name="linode",
            urls=("https://geoip.linode.com/",),
            read=read_geofeed,
            files=("linode*.csv", "geoip.linode*"),
            rows=(50, 100_000),
        ),
        Publisher(
            name="oracle",
            urls=("https://docs.oracle.com/en-us/iaas/tools/public_ip_ranges.json",),
            read=read_oracle,
            files=("public_ip_ranges*.json",),
            rows=(100, 50_000),
        ),
    )
}


def check_list(
    publisher: Publisher, texts: Iterable[str], *, read: Callable[[str], Iterable[str]]
) -> tuple[int, list[Interval]]:
    """Read a publisher's list and refuse it where anything in it is not plausible.

    :param publisher: whose list it is.
    :param texts: the files of the list.
    :param read: the reader of their format: the publisher's own, or :func:`read_plain`.
    :returns: how many rows it has, and its addresses as sorted intervals that do not touch.
    :raises NetworksError: the list is hostile, cut, of another format or of another publisher's kind.
    """
    found: list[Interval] = []
    try:
        for text in texts:
            for prefix in read(text):
                found.append(_read_prefix(prefix))
                if len(found) > publisher.rows[1]:
                    raise NetworksError(f"it has more than {publisher.rows[1]:,} rows, which is not plausible")
    except NetworksError:
        raise
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise NetworksError(f"it has not the form of the publisher's list: {type(error).__name__} {error}") from None
    except (ValueError, csv.Error, RecursionError) as error:
        raise NetworksError(f"it cannot be read: {str(error)[:200]}") from None
    if len(found) < publisher.rows[0]:
        raise NetworksError(f"it has {len(found):,} rows, and less than {publisher.rows[0]:,} is not plausible")
    intervals = join_intervals(found)
    if _count_ipv4(intervals) > _MOST_ADDRESSES:
        raise NetworksError("it covers more than an eighth of IPv4, which no publisher holds")
    return len(found), intervals


def check_shrinking(intervals: Sequence[Interval], last: Sequence[Interval]) -> None:
    """Refuse a list that lost more than half since the last time, or all of one family.

    :param intervals: of the new list.
    :param last: of the one that it would replace.
    :raises NetworksError: it shrank too much to be whole.
    """
    for family, new, old in (
        ("IPv4", _ipv4(intervals), _ipv4(last)),
        ("IPv6", _ipv6(intervals), _ipv6(last)),
    ):
        if len(new) * 2 < len(old):
            raise NetworksError(
                f"it has {len(new):,} {family} blocks and the last one had {len(old):,}: it seems to be cut; "
                "--accept-fewer takes it all the same"
            )


def _read_prefix(text: object) -> Interval:
    if not isinstance(text, str):
        raise NetworksError(f"it holds {text!r:.60} where a network should be")
    try:
        network = ip_network(text)
    except ValueError as error:
        raise NetworksError(f"it holds {text!r:.60}, which is no network: {str(error)[:120]}") from None
    if network.prefixlen < _WIDEST[network.version]:
        raise NetworksError(f"it holds {text!r}, which is wider than any publisher's network")
    first, last = to_interval(network)
    near = bisect_right(_SPECIAL_FIRSTS, last) - 1
    # Below 100::/8 lie the IPv4-mapped and other translated addresses, which stand for IPv4 ones.
    translated = network.version == 6 and first >> 120 == 0
    if translated or (near >= 0 and _SPECIAL[near][1] >= first):
        raise NetworksError(f"it holds {text!r}, which is no public address space")
    return first, last


def _ipv4(intervals: Sequence[Interval]) -> list[Interval]:
    return [one for one in intervals if one[0] >> 32 == MAPPED >> 32]


def _ipv6(intervals: Sequence[Interval]) -> list[Interval]:
    return [one for one in intervals if one[0] >> 32 != MAPPED >> 32]


def _count_ipv4(intervals: Sequence[Interval]) -> int:
    return sum(last - first + 1 for first, last in _ipv4(intervals))
