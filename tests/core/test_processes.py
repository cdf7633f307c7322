"""Many processes: preforked servers, and servers that are killed under load."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailnod import Envelope, Settings, Tracker
from mailnod.model import ConsentRecord, ConsentState, EventFilter

HTML = '<html><body><a href="https://shop.example/a">A</a></body></html>'
LIMIT_S = 60
APP = """
import os
from mailnod import Settings, Tracker
app = Tracker(Settings.from_environ(os.environ), load_entry_points=False).wsgi_app()
"""


def configure(folder: Path, worker: str) -> dict[str, str]:
    return {
        "MAILNOD_SECRET_KEYS": "0:signing:secret",
        "MAILNOD_BASE_URL": "http://127.0.0.1/t",
        "MAILNOD_DATABASE": str(folder / "mailnod.db"),
        "MAILNOD_ROUTES": '{"news": {"track_opens": true, "track_clicks": true, "consent": "required"}}',
        "MAILNOD_DEFAULT_ROUTE": "news",
        "MAILNOD_SETTLE_S": "0",
        "MAILNOD_WORKER": worker,
    }


@contextmanager
def serve(folder: Path, *options: str, worker: str = "thread") -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Run the collector under gunicorn in a process group of its own; yield its port and its master process."""
    (folder / "collector_app.py").write_text(APP, encoding="utf-8")
    command = [sys.executable, "-m", "gunicorn", "collector_app:app", "--bind", "127.0.0.1:0", "--chdir", str(folder)]
    environ = {**os.environ, **configure(folder, worker), "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(
        [*command, "--graceful-timeout", "5", "--no-control-socket", *options],
        env=environ, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield read_port(process), process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(LIMIT_S)
        assert process.stderr is not None
        process.stderr.close()


def read_port(process: subprocess.Popen[str]) -> int:
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        found = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", line)
        if found:
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return int(found[1])
    raise AssertionError("".join(seen))


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[Tracker]:
    tracker = Tracker(Settings.from_environ(configure(tmp_path, "none")), load_entry_points=False)
    yield tracker
    tracker.close()


def send(tracker: Tracker, *, number: int = 1) -> str:
    """Send a tracked mail and return the path of its pixel."""
    granted = ConsentState.GRANTED
    now = datetime.now(UTC)
    record = ConsentRecord(recorded_at=now, purpose="statistics", opens=granted, clicks=granted, source="test")
    tracker.store.record_consent("r@example.com", record)
    envelope = Envelope(message_id=f"<{number}@example.com>", recipients=("r@example.com",), sent_at=now)
    prepared = tracker.prepare(envelope, [HTML], layers=[])
    tracker.accepted(prepared)
    found = re.search(r'/t/o/[^"]*', prepared.parts[0])
    assert found is not None
    return found[0]


def hit(port: int, path: str, marks: list[str], count: int) -> None:
    """Ask for a pixel again and again, each time with its own mark, and note the marks that were answered."""
    with (
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)) as connection,
        suppress(OSError, http.client.HTTPException),
    ):
        for _ in range(count):
            mark = uuid.uuid4().hex
            connection.request("GET", path, headers={"User-Agent": mark})
            response = connection.getresponse()
            response.read()
            if response.status == 200:
                marks.append(mark)


def load(port: int, path: str, *, clients: int, count: int) -> tuple[list[threading.Thread], list[list[str]]]:
    marks: list[list[str]] = [[] for _ in range(clients)]
    threads = [threading.Thread(target=hit, args=(port, path, mine, count)) for mine in marks]
    for thread in threads:
        thread.start()
    return threads, marks


def count_stored(tracker: Tracker) -> dict[str, int]:
    """Work until nothing is left, and return how often each user agent's hit was published."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        done = tracker.work_once()
        if done is not None and not done:
            break
        if done is None:
            # The lease of a killed process has not run out yet.
            time.sleep(0.1)
    counts: dict[str, int] = {}
    before: bytes | None = None
    while page := tracker.store.get_events(EventFilter(limit=10_000, before_id=before)):
        for record in page:
            agent = record.observation.hit.user_agent or ""
            counts[agent] = counts.get(agent, 0) + 1
        before = page[-1].event.id
    return counts


def hit_each(port: int, paths: list[str], source: str, marks: list[str]) -> None:
    """Ask for pixels, each once and from an address of its own, so that no hit sheds light on another."""
    for number, path in enumerate(paths, start=1):
        with closing(
            http.client.HTTPConnection(
                "127.0.0.1", port, timeout=LIMIT_S, source_address=(source.format(number=number), 0)
            )
        ) as connection:
            mark = uuid.uuid4().hex
            connection.request("GET", path, headers={"User-Agent": mark})
            response = connection.getresponse()
            response.read()
            if response.status == 200:
                marks.append(mark)


@pytest.mark.skipif(sys.platform != "linux", reason="interpreter: needs a whole network of loopback addresses")
def test_preforked_workers_give_one_verdict_for_each_hit(tmp_path: Path, tracker: Tracker) -> None:
    """Four preforked workers of a preloaded app share the store: each hit has exactly one event and one verdict."""
    paths = [send(tracker, number=number) for number in range(8 * 25)]
    marks: list[list[str]] = [[] for _ in range(8)]
    with serve(tmp_path, "--preload", "--workers", "4", "--threads", "2") as (port, process):
        threads = [
            threading.Thread(target=hit_each, args=(port, paths[i::8], f"127.1.{i}.{{number}}", mine))
            for i, mine in enumerate(marks)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S)
        process.terminate()
        process.wait(LIMIT_S)
    answered = [mark for mine in marks for mark in mine]
    assert len(answered) == 8 * 25
    counts = count_stored(tracker)
    assert counts == dict.fromkeys(answered, 1)
    for record in tracker.store.get_events(EventFilter(limit=10_000)):
        assert record.event.seq == 0
        assert len(tracker.store.get_verdicts(record.event.id)) == 1
    (metrics,) = tracker.store.get_metrics()
    assert metrics.human_opens + metrics.machine_opens == len(answered)
    assert metrics.human_opens_unique + metrics.machine_opens_unique == len(answered)


@pytest.mark.slow
def test_killed_collector_loses_and_doubles_nothing(tmp_path: Path, tracker: Tracker) -> None:
    """Ten times the collector dies by SIGKILL under load: every answered hit is in the store, once (R1)."""
    path = send(tracker)
    answered: list[str] = []
    for _ in range(10):
        with serve(tmp_path, "--workers", "2", "--threads", "4") as (port, process):
            threads, marks = load(port, path, clients=8, count=100_000)
            while sum(map(len, marks)) < 200 and any(thread.is_alive() for thread in threads):
                time.sleep(0.01)
            os.killpg(process.pid, signal.SIGKILL)
            for thread in threads:
                thread.join(LIMIT_S)
        answered += [mark for mine in marks for mark in mine]
    assert len(answered) >= 10 * 200
    counts = count_stored(tracker)
    assert [mark for mark in answered if mark not in counts] == []
    assert [mark for mark, count in counts.items() if count > 1] == []
    (metrics,) = tracker.store.get_metrics()
    assert metrics.human_opens + metrics.machine_opens == sum(counts.values())
