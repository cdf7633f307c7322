"""Judge what a store holds again, and write nothing: which verdicts would flip, and why."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from mailnod.clock import SystemClock
from mailnod.judge.classify import RULESET
from mailnod.model import Classification, EventFilter, EventType
from mailnod.plugins import Plugins
from mailnod.rejudge import Batch, Rejudgement, Rejudger
from mailnod.store.sqlite import SQLiteStore
from mailnod_desktop.services.explaining import make_assessor

__all__ = ["MOST_FLIPS", "RULESET", "Flip", "Judged", "Side", "Totals", "make_command", "preview"]

#: So many flips are listed at most; all are counted.
MOST_FLIPS = 100_000
#: So much time lies between two news of a preview.
PACE_S = 0.2

#: What a verdict says that makes a flip: its class, and whose counts it moves (nobody's: None).
Side = tuple[Classification, Literal["human", "machine"] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """An event whose class, or whose counts, today's rules would change."""

    event_id: bytes
    type: EventType
    occurred_at: datetime
    #: "" where several share the mail, or nobody knows it.
    recipient: str
    before: Side
    after: Side
    before_probability: int
    after_probability: int
    #: Codes of evidence with what they weigh, and codes of what is none any more.
    gained: tuple[tuple[str, int], ...]
    lost: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Totals:
    """What is known so far."""

    #: Events to go through; those that come meanwhile are not among them.
    total: int
    seen: int = 0
    judged: int = 0
    #: Events whose evidence was erased, whose verdicts stand.
    purged: int = 0
    #: Events of which anything but the version of the rules would change, flips included.
    changed: int = 0
    flipped: int = 0
    #: Flips by what they are before and after.
    groups: Counter[tuple[Side, Side]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """News of a preview: the counts so far, and the flips since the last news."""

    totals: Totals
    flips: tuple[Flip, ...]


def preview(path: Path, filter: EventFilter, *, on_news: Callable[[Judged], None], pace_s: float = PACE_S) -> Totals:
    """Go through the events of a store, oldest first, and tell which verdicts would flip.

    :param on_news: is told at the beginning, now and then, and at the end; what it raises ends the preview.
    :param pace_s: how long to wait between news: who draws each of them should not hold up who judges.
    :raises StoreError: the store cannot be read.
    :raises ConfigurationError: a plugin cannot be loaded.
    """
    plugins = Plugins()
    with closing(SQLiteStore(path, read_only=True)) as store:
        assessor = make_assessor(path, plugins)
        rejudger = Rejudger(store=store, assessor=assessor, plugins=plugins, clock=SystemClock())
        totals = Totals(total=store.count_events(filter))
        on_news(Judged(totals=_copy(totals), flips=()))
        told_at = time.monotonic()
        flips: list[Flip] = []
        for batch in rejudger.preview(filter):
            flips += _add(totals, batch)
            if time.monotonic() - told_at >= pace_s:
                on_news(Judged(totals=_copy(totals), flips=tuple(flips)))
                told_at = time.monotonic()
                flips.clear()
        on_news(Judged(totals=_copy(totals), flips=tuple(flips)))
    return totals


def make_command(path: Path, filter: EventFilter) -> tuple[str, bool]:
    """Return the command that would write what a preview shows.

    :returns: the command, and whether it judges just those events: it takes a time and a campaign, and no other
        condition.
    """
    command = ["mailnod", "rejudge", "--database", str(path)]
    for option, value in (
        ("--since", filter.since and filter.since.isoformat()),
        ("--until", filter.until and filter.until.isoformat()),
        ("--campaign", filter.campaign),
    ):
        command += [option, value] if value else []
    rest = replace(filter, since=None, until=None, campaign=None, limit=EventFilter().limit)
    return shlex.join(command), rest == EventFilter()


def _add(totals: Totals, batch: Batch) -> list[Flip]:
    """Count a batch, and return those of its flips that are listed."""
    flips = []
    totals.seen += batch.seen
    for one in batch.judged:
        totals.judged += one.verdict is not None
        totals.purged += one.verdict is None
        totals.changed += one.changed
        if one.flipped:
            flip = _make_flip(one)
            if totals.flipped < MOST_FLIPS:
                flips.append(flip)
            totals.flipped += 1
            totals.groups[flip.before, flip.after] += 1
    return flips


def _make_flip(one: Rejudgement) -> Flip:
    event, delivery, after = one.record.event, one.record.delivery, one.verdict
    assert after is not None, "what keeps its verdict does not flip"  # noqa: S101
    before = event.verdict
    return Flip(
        event_id=event.id,
        type=event.type,
        occurred_at=event.occurred_at,
        recipient=(delivery and delivery.recipient) or "",
        before=(before.classification, before.counted_as),
        after=(after.classification, after.counted_as),
        before_probability=before.probability,
        after_probability=after.probability,
        gained=tuple((signal.code, signal.weight) for signal in one.gained),
        lost=one.lost,
    )


def _copy(totals: Totals) -> Totals:
    # What is handed to another thread must not change any more.
    return replace(totals, groups=totals.groups.copy())
