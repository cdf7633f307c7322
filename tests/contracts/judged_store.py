"""A store in a file with mail, hits and verdicts in it, made by the tracker itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mailnod import Envelope, Settings, Tracker, make_override
from mailnod.collect.collector import Request
from mailnod.model import Classification, EventFilter, EventRecord
from mailnod.testing import FrozenClock

__all__ = ["PHONE", "SCRIPT", "JudgedStore"]

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)
SCRIPT = "python-requests/2.32.3"


class JudgedStore:
    """Ada opens and clicks as a person does, and a script opens Bob's mail; all of it is judged.

    :param folder: where the file is made.
    :param campaign: what both mails belong to.
    """

    def __init__(self, folder: Path, *, campaign: str = "spring") -> None:
        self.path = folder / "mailnod.db"
        self.clock = FrozenClock()
        settings = Settings.from_mapping(
            {
                "MAILNOD_DATABASE": str(self.path),
                "MAILNOD_SECRET_KEYS": "k" * 40,
                "MAILNOD_BASE_URL": "https://app.example.com/t",
                "MAILNOD_ROUTES": {"news": {"track_opens": True, "track_clicks": True, "consent": "assumed"}},
                "MAILNOD_WORKER": "none",
            }
        )
        self.tracker = Tracker(settings, clock=self.clock, load_entry_points=False)
        ada, bob = (self.send(name, campaign=campaign) for name in ("ada", "bob"))
        self.hit(ada, "o", PHONE)
        self.clock.advance(20)
        self.hit(ada, "c", PHONE)
        self.hit(bob, "o", SCRIPT)
        self.clock.advance(60)
        self.tracker.work_once()

    def send(self, name: str, *, campaign: str | None = "spring", subject: str = "News") -> str:
        """Send a newsletter with one link, and return the body that left."""
        envelope = Envelope(
            message_id=f"<{name}@app.example.com>",
            recipients=(f"{name}@example.com",),
            subject=subject,
            sent_at=self.clock.now(),
            campaign=campaign,
        )
        html = '<p>Hello, <a href="https://example.com/spring">spring</a></p>'
        prepared = self.tracker.prepare(envelope, [html], layers=[("call", make_override(route="news"))])
        self.tracker.accepted(prepared)
        (body,) = prepared.parts
        return body

    def hit(self, body: str, kind: str, user_agent: str) -> None:
        """Request the pixel ("o") or the link ("c") of a body as a client does."""
        found = re.search(rf"https://app\.example\.com/t(/{kind}/[^\"]+)", body)
        assert found is not None, body
        path, _, query = found[1].replace("&amp;", "&").partition("?")
        accept = "*/*" if user_agent == SCRIPT else "image/webp,image/*" if kind == "o" else "text/html,*/*;q=0.8"
        headers = [("User-Agent", user_agent), ("Accept", accept), ("Accept-Language", "en")]
        headers += [] if user_agent == SCRIPT else [("Accept-Encoding", "gzip, deflate, br")]
        reply = self.tracker.reply(Request(method="GET", path=path, query=query, headers=headers, peer="198.51.100.7"))
        assert reply.status in (200, 302)

    def find(self, recipient: str) -> list[EventRecord]:
        """Return the events of somebody's mail, newest first."""
        return self.tracker.store.get_events(EventFilter(recipient=f"{recipient}@example.com"))

    def mistake(self, record: EventRecord) -> None:
        """Let rules of long ago have taken a hit for something else, so that those of today change it."""
        old = replace(
            record.event.verdict,
            classification=Classification.SUSPICIOUS,
            machine=True,
            counts_for_metrics=False,
            probability=60,
            reason_codes=("ua.empty", "plugin.gone"),
            ruleset="2020.01",
        )
        self.clock.advance(30)
        self.tracker.store.publish([(record.observation, old)], now=self.clock.now())

    def purge(self, name_network: Callable[[str], str | None] = lambda _: "hosting") -> None:
        """Erase the evidence of every hit."""
        self.clock.advance(10)
        self.tracker.store.minimise(self.clock.now(), cutoffs={}, name_network=name_network)

    def close(self) -> None:
        """Close the tracker."""
        self.tracker.close()
