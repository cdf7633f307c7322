"""The example plugin, in a real tracker."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from mailnod_utm import UtmPlugin

from mailnod import Envelope, Prepared, Settings, Tracker
from mailnod.collect.collector import Request
from mailnod.testing import FrozenClock

HTML = (
    '<a href="https://example.com/a?x=1#part">a</a> <a href="https://example.com/reset/42">b</a> '
    '<a href="https://example.com/c?utm_source=other">c</a>'
)
#: What Firefox sends with a click.
BROWSER = [
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en-US,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-User", "?1"),
]


@pytest.fixture
def clock() -> FrozenClock:
    """Return a clock that stands still."""
    return FrozenClock()


@pytest.fixture
def tracker(tmp_path: Path, clock: FrozenClock) -> Iterator[Tracker]:
    """Return a tracker with the plugin."""
    route = {"track_opens": True, "track_clicks": True, "consent": "assumed"}
    settings = Settings.from_mapping(
        {
            "MAILNOD_DATABASE": str(tmp_path / "mailnod.db"),
            "MAILNOD_SECRET_KEYS": "k" * 40,
            "MAILNOD_BASE_URL": "https://app.example/t",
            "MAILNOD_ROUTES": {"news": route, "orders": {**route, "track_opens": False}},
            "MAILNOD_WORKER": "none",
            "MAILNOD_SETTLE_S": 0,
        }
    )
    plugin = UtmPlugin(routes={"Your order": "orders"})
    tracker = Tracker(settings, clock=clock, plugins=[plugin], load_entry_points=False)
    yield tracker
    tracker.close()


def prepare(tracker: Tracker, html: str = HTML, *, subject: str = "", campaign: str | None = None) -> Prepared:
    envelope = Envelope(
        message_id="<1@app.example>",
        recipients=("ada@example.com",),
        subject=subject,
        sent_at=tracker.clock.now(),
        campaign=campaign,
    )
    return tracker.prepare(envelope, [html], layers=[])


def test_route_comes_from_campaign_then_subject(tracker: Tracker) -> None:
    """A campaign is news, an order's subject is an order, and everything else stays on the default route."""
    assert prepare(tracker, campaign="spring").decision.route == "news"
    assert prepare(tracker, subject="Your order 42").decision.route == "orders"
    assert not prepare(tracker, subject="Hello").decision.tracked


def test_links_are_tagged_once_and_private_ones_left_alone(tracker: Tracker) -> None:
    """Parameters stand before the fragment, tagged links stay, and a link that lets its holder in is not tracked."""
    (plan,) = prepare(tracker, campaign="spring sale").plans
    tagged, private, already = plan.links
    assert (
        tagged.url == "https://example.com/a?x=1&utm_source=newsletter&utm_medium=email&utm_campaign=spring%20sale#part"
    )
    assert (private.tracked, private.reason) == (False, "refused by a plugin")
    assert (already.tracked, already.url) == (True, "https://example.com/c?utm_source=other")


def test_what_happens_is_logged(tracker: Tracker, clock: FrozenClock, caplog: pytest.LogCaptureFixture) -> None:
    """Preparing, recording, judging and a change of judgement each leave a line, and none names an address."""
    caplog.set_level(logging.INFO, "mailnod_utm")
    more = "".join(f'<a href="https://example.com/{name}">{name}</a> ' for name in "def")
    prepared = prepare(tracker, HTML + more, campaign="spring")
    tracker.accepted(prepared)
    links = re.findall(r'href="https://app\.example/t(/c/[^"]+)"', prepared.parts[0])
    pixel = re.search(r'src="https://app\.example/t(/o/[^"]+)"', prepared.parts[0])
    assert pixel is not None
    # A click that looks like a person's is judged at once, then a burst over the whole mail shows what it was.
    clock.advance(30)
    hit(tracker, links[0])
    assert tracker.work_once()
    assert "security_scanner" not in caplog.text
    for target in [*links, pixel[1]]:
        clock.advance(0.2)
        hit(tracker, target)
    assert tracker.work_once()
    text = caplog.text
    for word in ("prepared: 5 of 6 links", "recorded: click", "created: message.clicked", "revised: message.clicked"):
        assert word in text
    assert "ada@example.com" not in text


def hit(tracker: Tracker, target: str) -> None:
    path, _, query = target.replace("&amp;", "&").partition("?")
    tracker.reply(Request(method="GET", path=path, query=query, headers=BROWSER, peer="198.51.100.7"))
