"""A tracker that sends, is hit and works only when it is told to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnod import Envelope, Settings, Tracker, make_override
from mailnod.collect.collector import Request
from mailnod.testing import FrozenClock

ROUTES = {
    "news": {"track_opens": True, "track_clicks": True, "consent": "assumed"},
    "secret": {"track_opens": True, "consent": "assumed", "retention_days": 0},
    "kept": {"track_opens": True, "consent": "assumed", "store_bodies_days": 3},
}


class Site:
    """An app with a store in a folder of its own."""

    #: What every hit says of itself; no other byte on the disk is like it.
    agent = "Canary/7.3 (Zyxomma; rv:1)"
    peer = "198.51.100.231"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FrozenClock()
        settings = Settings.from_mapping(
            {
                "MAILNOD_DATABASE": str(folder / "mailnod.db"),
                "MAILNOD_SECRET_KEYS": "k" * 40,
                "MAILNOD_BASE_URL": "https://app.example/t",
                "MAILNOD_ROUTES": ROUTES,
                "MAILNOD_WORKER": "none",
                "MAILNOD_SETTLE_S": "0",
            }
        )
        self.tracker = Tracker(settings, clock=self.clock, load_entry_points=False)

    def open_mail(self, *, route: str = "news", times: int = 1) -> None:
        """Send a mail and fetch its pixel."""
        envelope = Envelope(
            message_id=f"<{self.clock.now().timestamp()}@app.example>",
            recipients=("ada@example.com",),
            sent_at=self.clock.now(),
            campaign="spring",
        )
        prepared = self.tracker.prepare(envelope, ["<p>Hello</p>"], layers=[("call", make_override(route=route))])
        self.tracker.accepted(prepared)
        found = re.search(r"https://app\.example/t(/o/[^\"]+)", prepared.parts[0])
        assert found is not None
        for _ in range(times):
            headers = [("User-Agent", self.agent), ("Accept-Language", "tlh-Zyxomma")]
            request = Request(method="GET", path=found[1], query="", headers=headers, peer=self.peer)
            assert self.tracker.reply(request).status == 200
            self.clock.advance(1)

    def find_raw_facts(self) -> list[str]:
        """Return the files that hold a byte of a hit's raw facts."""
        canaries = (self.agent.encode(), self.peer.encode(), b"tlh-Zyxomma")
        return sorted(
            path.name
            for path in self.folder.rglob("*")
            if path.is_file() and any(canary in path.read_bytes() for canary in canaries)
        )


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Give an app without mail."""
    site = Site(tmp_path)
    yield site
    site.tracker.close()
