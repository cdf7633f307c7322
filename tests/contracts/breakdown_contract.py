"""What every store must count of campaigns and routes by hour and link; a store's tests inherit the class."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import product
from typing import get_args

import pytest

from contracts.store_contract import after, make_delivery, make_observation, make_verdict
from mailnod.model import BreakdownLine, Delivery, EventFilter, Observation, Term, TermField, Verdict
from mailnod.report.shortcuts import read_rollups
from mailnod.report.tally import TallyBy, tally
from mailnod.store.base import Store

HOUR_S = 3600.0
PERSON, MACHINE = make_verdict(), make_verdict(machine=True)
#: What a person's hit that counts nowhere is judged.
NOTHING = make_verdict(counts_for_metrics=False)
URLS = ("https://example.com/a?x=1", "https://example.com/b", "https://example.com/a")


def fill(store: Store) -> tuple[list[Delivery], list[Observation]]:
    """Add mail of two campaigns and none on two routes, one of them a test, with opens and clicks over five hours."""
    deliveries = [
        make_delivery(campaign=campaign, route=route)
        for campaign, route in product(("spring", "autumn", None), ("news", "shop"))
    ]
    deliveries.append(replace(make_delivery(campaign="spring", route="news"), test=True))
    store.add_deliveries(deliveries)
    unknown = make_delivery(campaign="spring", route="news")
    hits = [
        make_observation(delivery.id, at=after(number * HOUR_S / 2 + part), kind="click", url=URLS[number % 3])
        if (number + part) % 2
        else make_observation(delivery.id, at=after(number * HOUR_S / 2 + part))
        for number in range(10)
        for part, delivery in enumerate([*deliveries, unknown])
    ]
    store.add_observations(hits, settle_s=0)
    verdicts: list[Verdict] = [(PERSON, MACHINE, PERSON, NOTHING, PERSON)[i % 5] for i in range(len(hits))]
    judgements = list(zip(hits, verdicts, strict=True))
    for start in range(0, len(hits), 7):
        store.publish(judgements[start : start + 7], now=after(1e6))
    return deliveries, hits


def ask(store: Store, wanted: EventFilter, *, by: TallyBy) -> list[BreakdownLine] | None:
    """Return what the rollups say, and see to it that a count from scratch says the same."""
    found = read_rollups(store, wanted, by=by, limit=1000)
    if found is not None:
        assert found == tally(store.get_events(replace(wanted, limit=10_000)), by=by)
    return found


def name(field: TermField, value: str, since: datetime | None = None, until: datetime | None = None) -> EventFilter:
    """Return a filter that names one thing, as a query does."""
    return EventFilter(test=False, terms=(Term(field=field, values=(value,)),), since=since, until=until)


class BreakdownContract:
    """The rules; a subclass gives the fixture ``store``."""

    @pytest.fixture
    def store(self) -> Store:
        """Give an empty store."""
        raise NotImplementedError

    def check(self, store: Store) -> None:
        """Compare all that rollups answer with a count from scratch."""
        for field, value in (
            ("campaign", "spring"),
            ("campaign", "autumn"),
            ("campaign", "winter"),
            ("route", "news"),
            ("route", "nowhere"),
        ):
            for by in ("all", "hour", "link", field):
                assert ask(store, name(field, value), by=by) is not None  # type: ignore[arg-type]
        for value in ("https://example.com/a", "https://example.com/b", "https://example.com/c"):
            assert ask(store, name("link", value), by="all") is not None

    def test_breakdowns_equal_a_count_from_scratch(self, store: Store) -> None:
        """Hours and links of campaigns and routes, and each as a whole, have what their events add up to."""
        deliveries, _ = fill(store)
        self.check(store)
        (line,) = ask(store, name("message", deliveries[0].envelope.message_id), by="message") or []
        assert line.human_opens + line.human_clicks > 0
        assert len(ask(store, name("campaign", "spring"), by="hour") or []) == 5
        assert [line.key for line in ask(store, name("route", "news"), by="link") or []] == [
            "https://example.com/a",
            "https://example.com/b",
        ]

    def test_revisions_move_breakdowns(self, store: Store) -> None:
        """A revised verdict leaves its old counts and enters new ones, uniques included; hours without events go."""
        _, hits = fill(store)
        store.publish([(hit, (MACHINE, NOTHING, PERSON)[i % 3]) for i, hit in enumerate(hits)], now=after(2e6))
        self.check(store)
        store.publish([(hit, NOTHING) for hit in hits], now=after(3e6))
        self.check(store)
        assert ask(store, name("campaign", "spring"), by="hour") == []
        store.publish([(hit, PERSON) for hit in hits], now=after(4e6))
        self.check(store)

    def test_breakdown_is_cut_at_whole_hours(self, store: Store) -> None:
        """A time that begins an hour restricts hours; another one is left to a count of events."""
        fill(store)
        since, until = after(HOUR_S), after(3 * HOUR_S)
        found = ask(store, name("campaign", "spring", since, until), by="hour") or []
        assert [line.key for line in found] == ["2026-03-01T14:00Z", "2026-03-01T13:00Z"]
        assert ask(store, name("route", "news", since), by="hour")
        assert ask(store, name("route", "news", None, until), by="hour")
        assert ask(store, name("campaign", "spring", after(1)), by="hour") is None
        assert ask(store, name("campaign", "spring", since), by="link") is None
        assert ask(store, name("campaign", "spring", since), by="all") is None

    def test_hours_are_those_of_utc(self, store: Store) -> None:
        """A time of another zone that begins an hour there and none in UTC is left to a count of events."""
        fill(store)
        half, whole = (timezone(timedelta(hours=5, minutes=minutes)) for minutes in (30, 0))
        assert ask(store, name("campaign", "spring", after(HOUR_S / 2).astimezone(half)), by="hour") is None
        assert ask(store, name("campaign", "spring", after(HOUR_S).astimezone(half)), by="hour") is None
        assert ask(store, name("campaign", "spring", after(HOUR_S).astimezone(whole)), by="hour") is None

    def test_names_are_written_as_the_store_keeps_them(self, store: Store) -> None:
        """A campaign whose name no store keeps as it is has one line under the name that it got."""
        odd = "n\x00 \udcff"
        delivery = make_delivery(campaign=odd)
        store.add_deliveries([delivery])
        hit = make_observation(delivery.id)
        store.add_observations([hit], settle_s=0)
        store.publish([(hit, PERSON)], now=after(60))
        for by in ("all", "campaign", "hour"):
            assert ask(store, name("campaign", odd), by=by)

    def test_breakdown_has_as_many_lines_as_asked_for(self, store: Store) -> None:
        """A limit leaves the newest hours, and the links with most events."""
        fill(store)
        for by in ("hour", "link"):
            whole = store.get_breakdown("route", "news", by=by)
            assert store.get_breakdown("route", "news", by=by, limit=1) == whole[:1]

    def test_other_queries_are_left_to_a_count_of_events(self, store: Store) -> None:
        """What no rollup knows is not answered from one."""
        fill(store)
        spring = Term(field="campaign", values=("spring",))
        others = [
            EventFilter(test=False),
            EventFilter(terms=(spring,)),
            EventFilter(test=False, campaign="spring"),
            EventFilter(test=False, terms=(spring,), kind="open"),
            EventFilter(test=False, terms=(replace(spring, negated=True),)),
            EventFilter(test=False, terms=(replace(spring, values=("spring", "autumn")),)),
            EventFilter(test=False, terms=(spring, Term(field="route", values=("news",)))),
            EventFilter(test=False, terms=(Term(field="tag", values=("x",)),)),
        ]
        for wanted in others:
            for by in get_args(TallyBy):
                assert ask(store, wanted, by=by) is None
        for by in ("message", "month", "class", "client", "device", "route"):
            assert ask(store, name("campaign", "spring"), by=by) is None  # type: ignore[arg-type]
        for by in ("hour", "campaign"):
            assert ask(store, name("link", "https://example.com/a"), by=by) is None  # type: ignore[arg-type]

    def test_one_line_of_the_rollups_is_found_by_its_key(self, store: Store) -> None:
        """Each scope gives the line of a key alone, and nothing for one that it does not have."""
        fill(store)
        for by in ("all", "message", "campaign", "route", "link", "hour"):
            for line in store.get_metrics(by=by):
                assert store.get_metrics(by=by, key=line.key) == [line]
            assert store.get_metrics(by=by, key="nothing") == []
