"""A store with mail and hits in it, and a way to run commands on it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailnod import Envelope, Settings, Tracker, make_override
from mailnod.cli.context import CliContext
from mailnod.cli.main import cli
from mailnod.collect.collector import Request
from mailnod.testing import FrozenClock

Run = Callable[..., Result]

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)
ROUTES = {
    "news": {"track_opens": True, "track_clicks": True, "consent": "assumed"},
    "shop": {"track_clicks": True, "consent": "assumed"},
}


@pytest.fixture
def clock() -> FrozenClock:
    """Return a clock that stands still."""
    return FrozenClock()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return the environment that commands run in; its database does not exist yet."""
    return {
        "MAILNOD_DATABASE": str(tmp_path / "mailnod.db"),
        "MAILNOD_SECRET_KEYS": "k" * 40,
        "MAILNOD_BASE_URL": "https://app.example/t",
        "MAILNOD_ROUTES": json.dumps(ROUTES),
    }


@pytest.fixture
def run(environ: dict[str, str], clock: FrozenClock) -> Run:
    """Return a function that runs ``mailnod`` with arguments."""

    def run_cli(*arguments: str, width: int = 200, text: str | None = None) -> Result:
        obj = CliContext(environ=environ, clock=clock)
        return CliRunner().invoke(cli, arguments, input=text, obj=obj, prog_name="mailnod", env={"COLUMNS": str(width)})

    return run_cli


@pytest.fixture
def tracker(environ: dict[str, str], clock: FrozenClock) -> Iterator[Tracker]:
    """Return a tracker on the same store, which works only when it is told to."""
    settings = Settings.from_environ(environ, worker="none")
    tracker = Tracker(settings, clock=clock, load_entry_points=False)
    yield tracker
    tracker.close()


@pytest.fixture
def mail(tracker: Tracker, clock: FrozenClock) -> list[str]:
    """Send a newsletter to Ada and to Bob, and return the two bodies that left."""
    bodies: list[str] = []
    override = make_override(route="news", tags=["spring", "shoes"], metadata={"order": "7"})
    for name in ("ada", "bob"):
        envelope = Envelope(
            message_id=f"<{name}@app.example>",
            recipients=(f"{name}@example.com",),
            subject=f"News for \x1b[31m{name}",
            sent_at=clock.now(),
            campaign="spring",
        )
        html = '<p>Hello, <a href="https://example.com/spring">spring</a></p>'
        prepared = tracker.prepare(envelope, [html], layers=[("call", override)])
        tracker.accepted(prepared)
        bodies.extend(prepared.parts)
    return bodies


@pytest.fixture
def waiting(tracker: Tracker, clock: FrozenClock, mail: list[str]) -> None:
    """Let Ada open and click, and a script open Bob's mail; the hits lie in the journal, ripe for judging."""
    _hit(tracker, _find_path(mail[0], "o"), PHONE)
    clock.advance(20)
    _hit(tracker, _find_path(mail[0], "c"), PHONE)
    _hit(tracker, _find_path(mail[1], "o"), "python-requests/2.32.3")
    clock.advance(60)


@pytest.fixture
def campaign(tracker: Tracker, waiting: None) -> None:
    """Judge what waits."""
    assert tracker.work_once()


def _find_path(html: str, kind: str) -> str:
    """Return the path with query of the pixel ("o") or of the link ("c") of a body."""
    found = re.search(rf"https://app\.example/t(/{kind}/[^\"]+)", html)
    assert found is not None, html
    return found[1].replace("&amp;", "&")


def _hit(tracker: Tracker, target: str, user_agent: str) -> None:
    """Request a path of a body as a client does."""
    path, _, query = target.partition("?")
    headers = [("User-Agent", user_agent), ("Accept", "*/*"), ("Accept-Language", "en")]
    reply = tracker.reply(Request(method="GET", path=path, query=query, headers=headers, peer="198.51.100.7"))
    assert reply.status in (200, 302)
