"""Caps on hits, from memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mailnod.collect.caps import SOURCE_PERIOD_S, TOKEN_PERIOD_S, Caps
from mailnod.model import Overflow

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Gate:
    """Caps with a clock that is moved by hand."""

    def __init__(self, *, token_cap: int = 0, source_cap: int = 0, remembered: int = 100) -> None:
        self.now = 0.0
        self.caps = Caps(
            token_cap=token_cap,
            source_cap=source_cap,
            hide=str.upper,
            remembered=remembered,
            monotonic=lambda: self.now,
        )

    def hit(self, delivery_id: bytes = b"delivery", link: int | None = None, ip: str | None = None) -> Overflow | None:
        kind = "open" if link is None else "click"
        at = NOW + timedelta(seconds=self.now)
        return self.caps.check(delivery_id, kind, link, ip=ip, at=at)  # type: ignore[arg-type]


def test_nothing_is_capped_by_zero() -> None:
    """A cap of 0 is none."""
    gate = Gate()
    assert [gate.hit(ip="192.0.2.1") for _ in range(100)] == [None] * 100


def test_each_link_of_each_delivery_has_its_own_cap() -> None:
    """Opens, links and deliveries do not eat each other's share; what is beyond is one count that rises."""
    gate = Gate(token_cap=2)
    for _ in range(2):
        for delivery_id in (b"delivery", b"another."):
            assert [gate.hit(delivery_id, link) for link in (None, 0, 1)] == [None] * 3
    beyond = [gate.hit(), gate.hit(), gate.hit(link=1), gate.hit(link=0)]
    assert [(one.kind, one.count, one.key) for one in beyond if one] == [
        ("open", 1, b"delivery".hex()),
        ("open", 2, b"delivery".hex()),
        ("click", 1, b"delivery".hex()),
        ("click", 2, b"delivery".hex()),
    ]
    assert len({one.id for one in beyond if one}) == 2


def test_periods_end_by_a_clock_that_is_never_set_back() -> None:
    """After a minute an address, and after a day a token, is free again, and the next count is another one."""
    gate = Gate(token_cap=3, source_cap=1)
    assert gate.hit(ip="192.0.2.1") is None
    first = gate.hit(b"another.", ip="192.0.2.1")
    assert first is not None
    assert first.reason == "source"
    gate.now = SOURCE_PERIOD_S
    assert gate.hit(ip="192.0.2.1") is None
    assert gate.hit() is None
    second = gate.hit()
    assert second is not None
    assert (second.reason, second.first_at) == ("token", NOW + timedelta(seconds=SOURCE_PERIOD_S))
    gate.now += TOKEN_PERIOD_S
    assert [gate.hit() for _ in range(3)] == [None] * 3
    third = gate.hit()
    assert third is not None
    assert (third.id != second.id, third.count) == (True, 1)


def test_network_is_one_source_in_ipv6() -> None:
    """Whoever changes the last 64 bits of an address stays the same source; in IPv4 each address is one."""
    gate = Gate(source_cap=1)
    assert gate.hit(ip="2001:db8::1") is None
    beyond = gate.hit(ip="2001:db8:0:0:1::1")
    assert beyond is not None
    assert beyond.key == "2001:DB8::/64"
    assert gate.hit(ip="2001:db8:0:1::1") is None
    assert [gate.hit(ip=f"192.0.2.{i}") for i in range(9)] == [None] * 9


def test_memory_is_bounded() -> None:
    """Of very many tokens and addresses those seen last are remembered."""
    gate = Gate(token_cap=1, source_cap=1, remembered=10)
    for i in range(1000):
        assert gate.hit(i.to_bytes(8), ip=f"2001:db8:{i:x}::1") is None
    assert gate.hit((999).to_bytes(8)) is not None
    assert gate.hit((0).to_bytes(8)) is None
    assert gate.hit(b"another.", ip="2001:db8:3e7::2") is not None
    assert gate.hit(b"the next", ip="2001:db8:0::2") is None
