"""The demo: example mails that show what tracking does, and a store that the real tracker has filled."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailnod.errors import ConfigurationError
from mailnod.model import EventFilter
from mailnod.settings import Settings
from mailnod.store.sqlite import SQLiteStore
from mailnod_desktop.services.deliveries import list_deliveries
from mailnod_desktop.services.demo import Demo, make_demo
from mailnod_desktop.services.model import CLIP_BYTES, Wishes
from mailnod_desktop.services.parsing import parse
from mailnod_desktop.services.rewriting import Rewriter

NOW = datetime(2026, 11, 30, 16, 45, tzinfo=UTC)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Make the demo once."""
    return make_demo(tmp_path_factory.mktemp("demo"), now=NOW)


def test_every_mail_can_be_read(demo: Demo) -> None:
    """No example mail has a problem, names anybody outside of the example domains, or comes from the future."""
    assert len({mail.key for mail in demo.mails}) == len(demo.mails) >= 6
    for mail in demo.mails:
        summary = parse(mail).summary
        assert not summary.problem
        assert all(address.partition("@")[2] in ("example.com", "example.org") for address in summary.recipients)
        assert summary.sent_at is not None
        assert summary.sent_at < NOW


def test_the_mails_show_what_tracking_does(demo: Demo) -> None:
    """One is tracked, one is left alone, one is cut off, one has no HTML, and one was rewritten before it came."""
    rewriter = Rewriter(Settings.from_mapping({}), None)
    seen = {mail.key: rewriter.inspect(parse(mail), Wishes()) for mail in demo.mails}
    assert seen["demo:newsletter"].token is not None
    assert seen["demo:newsletter"].data != seen["demo:newsletter"].parsed.mail.data
    assert seen["demo:reset"].token is None
    assert all(body.original == body.rewritten for body in seen["demo:reset"].bodies)
    assert seen["demo:catalogue"].bodies[0].original_bytes > CLIP_BYTES
    assert seen["demo:export"].bodies == ()
    assert seen["demo:sent"].parsed.tracked_by == "https://tidewater.example/t"
    assert "archive@example.com" in seen["demo:welcome"].parsed.summary.recipients
    assert seen["demo:welcome"].findings
    assert not any(inspection.error for inspection in seen.values())


def test_the_store_holds_days_of_people_and_machines(demo: Demo) -> None:
    """Events of most classes lie on several days before the present, and the counts agree with them."""
    store = SQLiteStore(demo.database, read_only=True)
    events = store.get_events(EventFilter(limit=10_000))
    assert 500 < len(events) < 5000
    assert all(record.event.occurred_at <= NOW for record in events)
    assert len({record.event.occurred_at.date() for record in events}) >= 6
    assert len({record.event.verdict.classification for record in events}) >= 6
    assert all(record.delivery is not None for record in events)
    (metrics,) = store.get_metrics()
    counted = Counter((record.event.type, record.event.verdict.counted_as) for record in events)
    assert metrics.human_opens == counted["message.opened", "human"]
    assert metrics.machine_clicks == counted["message.clicked", "machine"]
    assert 0.2 < metrics.human_opens_unique / metrics.deliveries_with_pixel < 0.7
    assert store.count_waiting() == 0
    assert not store.check()
    store.close()


def test_its_deliveries_can_be_listed(demo: Demo) -> None:
    """What was sent is listed, newest first."""
    store = SQLiteStore(demo.database, read_only=True)
    mails = list_deliveries(store, limit=600)
    assert len(mails) == 600
    dates = [mail.received_at for mail in mails]
    assert dates == sorted(dates, key=lambda date: date or NOW, reverse=True)
    store.close()


def test_a_demo_never_takes_the_place_of_another(demo: Demo) -> None:
    """A folder with a demo in it is left as it is."""
    with pytest.raises(ConfigurationError, match="name another folder"):
        make_demo(demo.database.parent)


def test_demo_that_nobody_wants_ends_early(tmp_path: Path) -> None:
    """A window that is closed while its demo is made need not wait for it, and nothing is written behind its back."""
    stop = threading.Event()
    stop.set()
    with pytest.raises(InterruptedError):
        make_demo(tmp_path, stop=stop)
