"""What the tests of faults share: a small disk, and a tracker that sends and is hit."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailnod import Clock, Envelope, Settings, Tracker
from mailnod.collect.collector import Request
from mailnod.model import EventFilter

HTML = '<html><body><a href="https://shop.example/a">A</a></body></html>'
#: Ends a test that hangs; nothing is timed by it.
LIMIT_S = 60


@dataclass
class House:
    """A tracker whose store and journals lie on one disk and whose spool lies on another."""

    folder: Path
    spool: Path
    tracker: Tracker
    #: User agents of hits that were answered, each of one hit.
    answered: list[str] = field(default_factory=list)
    #: How long each reply took, in milliseconds.
    times_ms: list[float] = field(default_factory=list)

    def send(self) -> tuple[str, str]:
        """Send a tracked mail; return the targets of its pixel and of its link."""
        message_id = f"<{uuid.uuid4().hex}@example.com>"
        envelope = Envelope(message_id=message_id, recipients=("r@example.com",), sent_at=self.tracker.clock.now())
        prepared = self.tracker.prepare(envelope, [HTML], layers=[])
        self.tracker.accepted(prepared)
        pixel, link = (re.search(rf'/t(/{kind}/[^"]*)', prepared.parts[0]) for kind in "oc")
        assert pixel is not None
        assert link is not None
        return pixel[1], link[1].replace("&amp;", "&")

    def hit(self, target: str) -> None:
        """Ask for a target, and note that and when it was answered as it should be."""
        path, _, query = target.partition("?")
        mark = uuid.uuid4().hex
        request = Request(method="GET", path=path, query=query, headers=(("User-Agent", mark),), peer="192.0.2.1")
        began_at = time.perf_counter()
        reply = self.tracker.reply(request)
        self.times_ms.append((time.perf_counter() - began_at) * 1000)
        assert reply.status == (200 if path.startswith("/o/") else 302)
        self.answered.append(mark)

    def load(self, targets: tuple[str, str], *, threads: int = 8, hits: int = 25, pause_s: float = 0.0) -> None:
        """Ask for pixel and link in turn from many threads, until all have their replies."""
        before = len(self.answered)

        def work() -> None:
            for number in range(hits):
                self.hit(targets[number % 2])
                time.sleep(pause_s)

        running = [threading.Thread(target=work) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join(LIMIT_S)
        assert len(self.answered) - before == threads * hits

    def count_events(self) -> dict[str, int]:
        """Work until nothing is left; return how often each user agent's hit was published."""
        deadline = time.monotonic() + LIMIT_S
        while (done := self.tracker.work_once()) is None or done:
            assert time.monotonic() < deadline
        counts: dict[str, int] = {}
        before: bytes | None = None
        while page := self.tracker.store.get_events(EventFilter(limit=1000, before_id=before)):
            for record in page:
                agent = record.observation.hit.user_agent or ""
                counts[agent] = counts.get(agent, 0) + 1
            before = page[-1].event.id
        return counts


def configure(folder: Path, spool: Path) -> dict[str, str]:
    """Return settings that track everything, cap nothing and start no worker."""
    return {
        "MAILNOD_SECRET_KEYS": "0:signing:" + "k" * 40,
        "MAILNOD_BASE_URL": "http://127.0.0.1/t",
        "MAILNOD_DATABASE": str(folder / "mailnod.db"),
        "MAILNOD_SPOOL": str(spool),
        "MAILNOD_ROUTES": '{"news": {"track_opens": true, "track_clicks": true, "consent": "assumed"}}',
        "MAILNOD_DEFAULT_ROUTE": "news",
        "MAILNOD_SETTLE_S": "0",
        "MAILNOD_TOKEN_CAP": "0",
        "MAILNOD_SOURCE_CAP": "0",
        "MAILNOD_WORKER": "none",
    }


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Give a function that opens a house whose store lies in a folder."""
    houses: list[House] = []

    def make(folder: Path, *, clock: Clock | None = None, **changes: str) -> House:
        settings = {**configure(folder, tmp_path / "spool"), **changes}
        tracker = Tracker(Settings.from_environ(settings), clock=clock, load_entry_points=False)
        houses.append(House(folder=folder, spool=tmp_path / "spool", tracker=tracker))
        return houses[-1]

    yield make
    for house in houses:
        house.tracker.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of two megabytes."""
    if os.geteuid() != 0:
        pytest.skip("root: needed to mount a file system")
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("root: mounting is not allowed here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
