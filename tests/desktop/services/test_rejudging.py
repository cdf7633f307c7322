"""The preview of judging again: which verdicts flip, and that nothing is written."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.judged_store import JudgedStore
from mailnod.model import Classification, EventFilter, Term
from mailnod_desktop.services.rejudging import Judged, make_command, preview


@pytest.fixture
def judged(tmp_path: Path) -> Iterator[JudgedStore]:
    """Give a store in which rules of long ago took Ada's click for something suspicious."""
    judged = JudgedStore(tmp_path)
    judged.mistake(next(record for record in judged.find("ada") if record.event.type == "message.clicked"))
    yield judged
    judged.close()


def test_flip_is_found_with_its_reasons(judged: JudgedStore) -> None:
    """The one wrong verdict flips, from what it was to what it would be, with what is gained and lost."""
    news: list[Judged] = []
    totals = preview(judged.path, EventFilter(), on_news=news.append, pace_s=0)
    (flip,) = [flip for one in news for flip in one.flips]
    assert (totals.total, totals.seen, totals.judged, totals.flipped) == (3, 3, 3, 1)
    assert flip.before == (Classification.SUSPICIOUS, "machine")
    assert flip.after == (Classification.GENUINE, "human")
    assert (flip.recipient, flip.type) == ("ada@example.com", "message.clicked")
    assert flip.lost == ("ua.empty", "plugin.gone")
    assert flip.gained
    assert totals.groups == {(flip.before, flip.after): 1}


def test_nothing_is_written(judged: JudgedStore) -> None:
    """Not a byte of the store changes."""
    judged.close()
    before = hashlib.sha256(judged.path.read_bytes()).digest()
    assert preview(judged.path, EventFilter(), on_news=lambda _: None).flipped == 1
    assert hashlib.sha256(judged.path.read_bytes()).digest() == before


def test_flips_are_told_once_whatever_the_pace(judged: JudgedStore) -> None:
    """Where news are rare, the last ones hold what was held back."""
    news: list[Judged] = []
    preview(judged.path, EventFilter(), on_news=news.append, pace_s=1_000)
    assert [len(one.flips) for one in news] == [0, 1]
    assert news[-1].totals.seen == 3


def test_filter_leaves_the_others_out(judged: JudgedStore) -> None:
    """Only events that the filter lets through are judged."""
    wanted = EventFilter(terms=(Term(field="rcpt", values=("bob@example.com",)),))
    totals = preview(judged.path, wanted, on_news=lambda _: None)
    assert (totals.seen, totals.flipped) == (1, 0)


def test_erased_evidence_keeps_its_verdict(judged: JudgedStore) -> None:
    """Where nothing can be said any more nothing flips, and it is counted."""
    judged.purge()
    totals = preview(judged.path, EventFilter(), on_news=lambda _: None)
    assert (totals.purged, totals.judged, totals.flipped) == (3, 0, 0)


def test_who_is_told_may_end_it(judged: JudgedStore) -> None:
    """What the listener raises comes out, and the store can be read afterwards."""

    def stop(_: Judged) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        preview(judged.path, EventFilter(), on_news=stop)
    assert preview(judged.path, EventFilter(), on_news=lambda _: None).seen == 3


def test_command_says_what_would_be_written() -> None:
    """Times and a campaign go into the command, quoted; it owns up to conditions that it cannot take."""
    since = datetime(2026, 1, 1, tzinfo=UTC)
    wanted = EventFilter(since=since, campaign="spring 'sale'", limit=7)
    command, exact = make_command(Path("/srv/my mail.db"), wanted)
    assert exact
    assert shlex.split(command) == [
        *("mailnod", "rejudge", "--database", "/srv/my mail.db"),
        *("--since", since.isoformat(), "--campaign", "spring 'sale'"),
    ]
    assert not make_command(Path("mail.db"), replace(wanted, route="news"))[1]
