"""The counts of a store: what they add up to, and the queries that find the events behind them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.judged_store import JudgedStore
from mailnod.model import EventFilter, Metrics
from mailnod.query import parse_query
from mailnod.store.sqlite import SQLiteStore
from mailnod_desktop.services.metrics import (
    Audience,
    Grouping,
    Kind,
    MetricsReader,
    Span,
    list_cells,
    list_stacked,
    make_query,
    say_rate,
    sum_hours,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SPAN = Span(length=DAY, slot=HOUR)
#: What a campaign may be called, whatever the query language makes of it.
NAMES = ("spring", "spring sale, -50 %", 'a "quoted" \\ name', "class:genuine", "  ")


@pytest.fixture(params=NAMES)
def judged(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JudgedStore]:
    """Give a store with a campaign of some name."""
    judged = JudgedStore(tmp_path, campaign=request.param)
    yield judged
    judged.close()


@pytest.mark.parametrize("by", ["campaign", "route", "link", "message"])
def test_query_finds_the_events_that_were_counted(judged: JudgedStore, by: Grouping) -> None:
    """For each group, audience and kind the query finds as many events as the rollups count."""
    reader = MetricsReader(judged.path)
    groups = reader.read(by, SPAN).groups
    reader.close()
    assert groups
    cases: list[tuple[Audience, Kind]] = [("all", "all"), ("human", "opens"), ("human", "clicks"), ("machine", "all")]
    for group in groups:
        for audience, kind in cases:
            query = make_query(by, group.key, audience=audience, kind=kind)
            wanted = parse_query(query, now=judged.clock.now())
            counted = sum(getattr(group, name) for name in list_stacked(audience, kind))
            assert judged.tracker.store.count_events(wanted) == counted, query


def test_query_finds_the_events_of_a_slot(tmp_path: Path) -> None:
    """A slot of time is asked for by its two ends."""
    judged = JudgedStore(tmp_path)
    reader = MetricsReader(judged.path)
    (slot,) = [one for one in sum_hours(reader.read("route", SPAN).hours, SPAN) if one.human_opens]
    wanted = parse_query(make_query(slot, audience="human"), now=judged.clock.now())
    assert judged.tracker.store.count_events(wanted) == slot.human_opens + slot.human_clicks == 2
    assert judged.tracker.store.count_events(EventFilter()) == 3
    reader.close()
    judged.close()


def test_hours_become_slots_without_gaps() -> None:
    """Each slot of the stretch is there, the newest last, and hours fall into the slot that they lie in."""
    hours = [
        Metrics(key="2026-03-04T00:00Z", deliveries=5),
        Metrics(key="2026-03-03T07:00Z", human_opens=1, observed_opens=1),
        Metrics(key="2026-03-03T06:00Z", machine_clicks=2, observed_clicks=2),
        Metrics(key="2026-03-02T23:00Z", human_clicks=4, observed_clicks=4),
        Metrics(key="2026-02-01T00:00Z", human_clicks=9, observed_clicks=9),
    ]
    slots = sum_hours(hours, Span(length=DAY, slot=6 * HOUR))
    assert [slot.begins_at.hour for slot in slots] == [12, 18, 0, 6]
    assert slots[-1].ends_at == datetime(2026, 3, 3, 12, tzinfo=UTC)
    assert [(s.human_opens, s.human_clicks, s.machine_opens, s.machine_clicks) for s in slots] == [
        (0, 0, 0, 0),
        (0, 4, 0, 0),
        (0, 0, 0, 0),
        (1, 0, 0, 2),
    ]
    assert sum_hours(hours[:1], SPAN) == []


def test_rates_are_of_the_mails_that_could_be_counted() -> None:
    """An open rate is of mails with the pixel, a click rate of mails with links, and nothing is no rate."""
    metrics = Metrics(
        key="spring",
        deliveries=10,
        deliveries_with_pixel=8,
        deliveries_with_links=4,
        human_opens=7,
        human_opens_unique=2,
        human_clicks=3,
        human_clicks_unique=3,
        machine_opens=1_000,
    )
    assert list_cells(metrics, "campaign", "all", "all") == {
        "people": "10",
        "machines": "1,000",
        "opened": "25.0 %",
        "clicked": "75.0 %",
        "mails": "10",
    }
    assert list_cells(metrics, "link", "all", "clicks") == {"people": "3", "machines": "0"}
    assert list_cells(metrics, "campaign", "machine", "opens") == {"machines": "1,000"}
    assert say_rate(0, 0) == "-"


def test_empty_store_has_one_line_of_zeros(tmp_path: Path) -> None:
    """Before the first mail everything is zero, and no group is there."""
    path = tmp_path / "mailnod.db"
    store = SQLiteStore(path)
    store.get_metrics()
    store.close()
    reader = MetricsReader(path)
    overview = reader.read("campaign", SPAN)
    reader.close()
    assert overview.everything == Metrics(key="")
    assert (overview.groups, overview.hours) == ((), ())


def test_events_of_long_ago_are_found_behind_hours_of_mail_alone(tmp_path: Path) -> None:
    """Where mail went out for days and nobody opened any of it, the chart shows when somebody last did."""
    judged = JudgedStore(tmp_path)
    for number in range(3):
        judged.clock.advance(3_600)
        judged.send(f"quiet{number}")
    reader = MetricsReader(judged.path)
    span = Span(length=2 * HOUR, slot=HOUR)
    slots = sum_hours(reader.read("route", span).hours, span)
    reader.close()
    judged.close()
    assert [slot.human_opens for slot in slots] == [0, 1]
