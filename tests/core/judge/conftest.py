"""Builds observations the way a collector and a store would hand them to the judge."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailnod.judge.classify import Judge
from mailnod.model import Decision, Delivery, DeliveryState, Envelope, Hit, Kind, Mode, Observation, Verdict, Window

SENT_AT = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def judge() -> Judge:
    """One judge for all tests: it keeps nothing but its tables."""
    return Judge()


@pytest.fixture
def observe() -> Callable[..., Observation]:
    """Make one observation; what is not said was not captured."""
    numbers = itertools.count(1)

    def make(
        user_agent: str | None = None,
        *,
        kind: Kind = "click",
        ip: str | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        after_s: float = 3600,
        link: int | None = 0,
        delivery: int = 1,
    ) -> Observation:
        hit = Hit(
            kind=kind,
            method=method,
            ip=ip,
            user_agent=user_agent,
            headers=headers,
            received_at=SENT_AT + timedelta(seconds=after_s),
            link_index=link if kind == "click" else None,
            url="https://example.com/" if kind == "click" else None,
        )
        return Observation(id=next(numbers).to_bytes(16, "big"), hit=hit, delivery_id=delivery.to_bytes(8, "big"))

    return make


@pytest.fixture
def look_around() -> Callable[..., Window]:
    """Make the window of a delivery with some links, sent at the start of the tests' clock."""

    def make(*observations: Observation, links: int = 5, delivery: int = 1) -> Window:
        envelope = Envelope(message_id="<a@example.com>", recipients=("a@example.com",), sent_at=SENT_AT)
        decision = Decision(opens=Mode.INDIVIDUAL, clicks=Mode.INDIVIDUAL, route="news", reasons=())
        sent = Delivery(
            id=delivery.to_bytes(8, "big"),
            envelope=envelope,
            decision=decision,
            link_count=links,
            state=DeliveryState.ACCEPTED,
            accepted_at=SENT_AT,
        )
        ordered = tuple(sorted(observations, key=lambda one: one.hit.received_at))
        return Window(delivery=sent, observations=ordered)

    return make


@pytest.fixture
def judge_one(
    judge: Judge, observe: Callable[..., Observation], look_around: Callable[..., Window]
) -> Callable[..., Verdict]:
    """Judge one observation that stands alone."""

    def judge_it(*args: Any, **kwargs: Any) -> Verdict:
        observation = observe(*args, **kwargs)
        return judge.classify(observation, look_around(observation))

    return judge_it


@pytest.fixture
def judge_all(judge: Judge, look_around: Callable[..., Window]) -> Callable[..., list[Verdict]]:
    """Judge every observation of a sequence with all of it in sight."""

    def judge_them(*observations: Observation, links: int = 5) -> list[Verdict]:
        windows = [
            look_around(*observations, links=links, delivery=int.from_bytes(one.delivery_id, "big"))
            for one in observations
        ]
        return [judge.classify(one, window) for one, window in zip(observations, windows, strict=True)]

    return judge_them


@pytest.fixture
def chrome() -> str:
    """Name a desktop Chrome."""
    return (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/140.0.0.0 Safari/537.36"
    )


@pytest.fixture
def chrome_headers() -> dict[str, str]:
    """Give what a desktop Chrome sends when a person follows a link."""
    return {
        "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
        "accept-language": "de-AT,de;q=0.9,en;q=0.5",
        "accept-encoding": "gzip, deflate, br, zstd",
        "sec-ch-ua": '"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"',
        "sec-ch-ua-mobile": "?0",
        "sec-ch-ua-platform": '"Windows"',
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
        "sec-fetch-user": "?1",
        "upgrade-insecure-requests": "1",
    }
