"""Floods: forged tokens record nothing, and a token that is asked for without end fills no disk."""

from __future__ import annotations

import os
import random
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailnod.collect.collector import Request
from mailnod.model import EventFilter

House = Any

FORGERIES = int(os.environ.get("MAILNOD_FORGERIES", "100000"))
REPLAYS = int(os.environ.get("MAILNOD_REPLAYS", "20000"))
CAP = 100


def ask(target: str, *, ip: str = "192.0.2.1") -> Request:
    """Make the request for a target."""
    path, _, query = target.partition("?")
    return Request(method="GET", path=path, query=query, headers=(("User-Agent", "Mail"),), peer=ip)


def forge(token: str, other: str, chance: random.Random) -> Iterator[str]:
    """Yield tokens that nobody signed: each bit flipped, several bits, halves of two genuine ones, and random bytes."""
    raw, strange = urlsafe_b64decode(token), urlsafe_b64decode(other)
    for bit in range(len(raw) * 8):
        yield _encode(_flip(raw, bit))
    while True:
        bits = chance.sample(range(len(raw) * 8), chance.randrange(2, 6))
        flipped = raw
        for bit in bits:
            flipped = _flip(flipped, bit)
        yield _encode(flipped)
        cut = chance.randrange(8, len(raw) - 1)
        yield _encode(raw[:cut] + strange[cut:])
        yield _encode(raw[:12] + chance.randbytes(12))
        yield _encode(chance.randbytes(24))


def _flip(raw: bytes, bit: int) -> bytes:
    return (int.from_bytes(raw) ^ 1 << bit).to_bytes(len(raw))


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode("ascii")


def test_no_forged_token_is_accepted(make_house: Callable[..., House], tmp_path: Path) -> None:
    """Of all forged tokens and tags none records anything, and none redirects (S1)."""
    house = make_house(tmp_path)
    pixel, link = house.send()
    token = pixel.removeprefix("/o/").removesuffix(".gif")
    other = house.send()[0].removeprefix("/o/").removesuffix(".gif")
    genuine = house.tracker.read(ask(pixel))[0]
    path, _, query = link.partition("?")
    tag = path.rpartition(".")[2]
    forgeries = forge(token, other, random.Random(1))
    accepted = 0
    for number in range(FORGERIES // 2):
        forged = next(forgeries)
        # A splice may be genuine, where both tokens have the same bytes there.
        assert forged not in (token, other)
        reply, item = house.tracker.read(ask(f"/o/{forged}.gif"))
        accepted += item is not None or reply != genuine
        if number % 2:
            forged_path = path.replace(token, forged)
        else:
            forged_path = path.replace(tag, _encode(_flip(urlsafe_b64decode(tag), number // 2 % 96)))
        reply, item = house.tracker.read(ask(f"{forged_path}?{query}"))
        accepted += item is not None or reply.status != 404 or "Location" in dict(reply.headers)
    print(f"\n{FORGERIES} forgeries, {accepted} accepted")  # noqa: T201
    assert accepted == 0


@pytest.mark.parametrize("sources", [1, 250], ids=["one-address", "many-addresses"])
def test_replays_leave_bounded_rows_and_one_unique(
    make_house: Callable[..., House], tmp_path: Path, sources: int
) -> None:
    """A pixel and a link that are asked for without end are answered, recorded up to the cap, then counted (S6)."""
    house = make_house(tmp_path, MAILNOD_TOKEN_CAP=str(CAP))
    targets = house.send()
    replies = set()
    for start in range(0, REPLAYS, 100):
        items = []
        for number in range(start, start + 100):
            reply, item = house.tracker.read(ask(targets[number % 2], ip=f"192.0.2.{number // 2 % sources}"))
            replies.add((reply.status, reply.headers))
            items.append(item)
        # As the hits of one turn of an event loop are.
        house.tracker.record(items)
    assert {status for status, _ in replies} == {200, 302}
    assert len(replies) == 2
    house.count_events()
    store = house.tracker.store
    recorded = [record.event.type for record in store.get_events(EventFilter(limit=10_000))]
    assert {kind: recorded.count(kind) for kind in recorded} == {"message.opened": CAP, "message.clicked": CAP}
    counted = {one.kind: (one.hits, one.keys) for one in store.get_overflow()}
    assert counted == {"open": (REPLAYS // 2 - CAP, 1), "click": (REPLAYS // 2 - CAP, 1)}
    (metrics,) = store.get_metrics()
    assert metrics.human_opens_unique + metrics.machine_opens_unique <= 2
    assert metrics.human_clicks_unique + metrics.machine_clicks_unique <= 2
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    print(f"\n{REPLAYS} replays, {len(recorded)} rows, {size / 1e6:.1f} MB")  # noqa: T201
