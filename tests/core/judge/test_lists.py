"""Tests of the readers of publishers' lists, on texts that have the publishers' forms."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from mailnod.errors import NetworksError
from mailnod.judge.knowledge import read_table
from mailnod.judge.lists import (
    PUBLISHERS,
    Publisher,
    check_list,
    check_shrinking,
    read_amazon,
    read_azure,
    read_geofeed,
    read_google,
    read_oracle,
    read_plain,
)
from mailnod.judge.networks import join_prefixes

TINY = Publisher(name="tiny", urls=("https://list.example",), read=read_plain, files=("tiny.txt",), rows=(1, 4))

AMAZON = json.dumps(
    {
        "syncToken": "1",
        "createDate": "2026-09-01-00-00-00",
        "prefixes": [
            {"ip_prefix": "3.4.0.0/16", "region": "eu-north-1", "service": "EC2", "network_border_group": "x"}
        ],
        "ipv6_prefixes": [{"ipv6_prefix": "2600:1f00::/40", "region": "eu-north-1", "service": "EC2"}],
    }
)
GOOGLE = json.dumps(
    {
        "syncToken": "1",
        "creationTime": "2026-09-01T00:00:00",
        "prefixes": [{"ipv4Prefix": "34.4.0.0/16", "service": "x"}, {"ipv6Prefix": "2600:1900::/40", "scope": "y"}],
    }
)
AZURE = json.dumps(
    {
        "changeNumber": 1,
        "cloud": "Public",
        "values": [
            {"name": "One", "id": "One", "properties": {"region": "", "addressPrefixes": ["20.4.0.0/16"]}},
            {"name": "Two", "id": "Two", "properties": {"region": "", "addressPrefixes": ["2603:1000::/40"]}},
        ],
    }
)
ORACLE = json.dumps(
    {
        "last_updated_timestamp": "2026-09-01T00:00:00",
        "regions": [{"region": "eu-one-1", "cidrs": [{"cidr": "130.61.0.0/16", "tags": ["OCI"]}]}],
    }
)


@pytest.mark.parametrize(
    ("read", "text", "prefixes"),
    [
        (read_amazon, AMAZON, ["3.4.0.0/16", "2600:1f00::/40"]),
        (read_google, GOOGLE, ["34.4.0.0/16", "2600:1900::/40"]),
        (read_azure, AZURE, ["20.4.0.0/16", "2603:1000::/40"]),
        (read_oracle, ORACLE, ["130.61.0.0/16"]),
        (
            read_geofeed,
            "# a remark\n104.28.1.0/30,DE,DE-BE,Berlin,\n\n2a02:26f7::/64,AT,,,\n",
            ["104.28.1.0/30", "2a02:26f7::/64"],
        ),
        (read_geofeed, '24.144.64.0/22,US,US-NJ,"North Bergen, NJ",07047\n', ["24.144.64.0/22"]),
        (read_plain, "103.21.244.0/22\r\n103.22.200.0/22\r\n", ["103.21.244.0/22", "103.22.200.0/22"]),
    ],
)
def test_each_form_is_read(read: Callable[[str], Iterable[str]], text: str, prefixes: list[str]) -> None:
    """Every publisher's form gives its prefixes, in their order."""
    assert list(read(text)) == prefixes


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("8.8.8.1/24", "host bits"),
        ("0.0.0.0/0", "wider than any publisher's network"),
        ("::ffff:0:0/96", "no public address space"),
        ("::/0", "wider than any publisher's network"),
        ("128.0.0.0/7", "wider than any publisher's network"),
        ("10.1.0.0/16", "no public address space"),
        ("192.168.0.1", "no public address space"),
        ("127.0.0.1", "no public address space"),
        ("240.0.0.0/8", "no public address space"),
        ("fe80::/64", "no public address space"),
        ("2001:db8::/32", "no public address space"),
        ("::ffff:8.8.8.0/120", "no public address space"),
        ("nonsense", "no network"),
        ("x" * 1_000_000, "no network"),
        ("", "0 rows"),
        ("# nothing but a remark", "0 rows"),
        ("8.8.8.0/24\n" * 5, "more than 4 rows"),
        ("3.0.0.0/8\n4.0.0.0/8\n8.0.0.0/8", None),
    ],
)
def test_what_no_publisher_would_offer_is_refused(text: str, complaint: str | None) -> None:
    """Host bits, default routes, private space, and far too few or too many rows: the list is not used."""
    if complaint is None:
        assert check_list(TINY, [text], read=read_plain)[0] == 3
        return
    with pytest.raises(NetworksError, match=complaint) as caught:
        check_list(TINY, [text], read=read_plain)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_amazon, "[]"),
        (read_amazon, AMAZON[:-20]),
        (read_amazon, GOOGLE),
        (read_google, '{"prefixes": [{"service": "x"}]}'),
        (read_google, '{"prefixes": [7]}'),
        (read_azure, '{"values": [{"properties": {"addressPrefixes": [null]}}]}'),
        (read_azure, "<html><body>Sign in</body></html>"),
        (read_oracle, '{"regions": {"a": 1}}'),
        (read_oracle, "[" * 100_000),
        (read_geofeed, '"' + "x" * 200_000 + '"'),
        (read_geofeed, "\0"),
    ],
)
def test_another_form_is_refused(read: Callable[[str], Iterable[str]], text: str) -> None:
    """A cut list, another's list and a page of another kind are refused in words."""
    with pytest.raises(NetworksError):
        check_list(TINY, [text], read=read)


def test_most_of_the_address_space_belongs_to_nobody() -> None:
    """A list that claims more than an eighth of IPv4 would make machines of people."""
    wide = Publisher(name="wide", urls=TINY.urls, read=read_plain, files=(), rows=(1, 100))
    with pytest.raises(NetworksError, match="an eighth of IPv4"):
        check_list(wide, ["\n".join(f"{one}.0.0.0/8" for one in range(11, 50))], read=read_plain)


def test_list_that_lost_much_is_refused() -> None:
    """Less than half of the last list's blocks, or a family that is gone, is a list that was cut."""
    last = join_prefixes([*(f"8.8.{one}.0/24" for one in range(0, 40, 2)), "2600::/32"])
    check_shrinking(join_prefixes([*(f"8.8.{one}.0/24" for one in range(0, 20, 2)), "2600::/32"]), last)
    with pytest.raises(NetworksError, match="9 IPv4 blocks and the last one had 20"):
        check_shrinking(join_prefixes([*(f"8.8.{one}.0/24" for one in range(0, 18, 2)), "2600::/32"]), last)
    with pytest.raises(NetworksError, match="0 IPv6 blocks and the last one had 1"):
        check_shrinking(last[:20], last)


def test_every_publisher_has_its_place_among_the_networks() -> None:
    """A list that is fetched has a block whose place it takes, and is fetched over https."""
    blocks = {block["name"] for block in read_table("networks")["network"]}
    assert set(PUBLISHERS) <= blocks
    assert all(url.startswith("https://") for one in PUBLISHERS.values() for url in one.urls)


@pytest.mark.parametrize("name", sorted(set(PUBLISHERS) - {"google-cloud"}))
def test_snapshots_of_published_lists_are_taken(name: str, shared: Path) -> None:
    """Real lists are within every bound."""
    files = sorted((shared / "data" / "networks").glob(f"{name}-ipv?.txt"))
    rows, intervals = check_list(PUBLISHERS[name], [file.read_text() for file in files], read=read_plain)
    assert 0 < len(intervals) <= rows


def test_snapshot_with_space_for_documentation_is_refused(shared: Path) -> None:
    """A list that was put together by hand and holds reserved space is no publisher's."""
    text = (shared / "data" / "networks" / "vultr-ipv4.txt").read_text()
    with pytest.raises(NetworksError, match="no public address space"):
        check_list(PUBLISHERS["linode"], [text], read=read_plain)
