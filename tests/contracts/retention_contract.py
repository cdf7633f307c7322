"""What every store must do to erase raw facts and to give events to an archive; a store's tests inherit the class."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contracts.store_contract import T0, after, make_delivery, make_observation, make_verdict
from mailnod.model import Delivery, EventFilter, Observation, Traces
from mailnod.store.base import Store
from mailnod.store.rows import to_micros
from mailnod.store.slots import join_id, to_slot

AGENT = "Canary/1.0 (raw fact)"
ADDRESS = "198.51.100.23"

#: Hits that are an hour apart do not lie in each other's windows, which would have them judged again.
HOUR_S = 3600.0


def name_network(ip: str) -> str | None:
    """Name one network."""
    return "cloud" if ip == ADDRESS else None


def add_judged(store: Store, delivery: Delivery, *, at: datetime = T0) -> Observation:
    """Add a hit with all raw facts, and judge it."""
    headers = {"accept": "*/*", "accept-language": "tlh"}
    observation = make_observation(delivery.id, at=at, ip=ADDRESS, user_agent=AGENT, headers=headers)
    store.add_observations([observation], settle_s=0.0)
    store.publish([(observation, make_verdict())], now=at)
    return observation


def minimise(store: Store, cutoff: datetime, **cutoffs: datetime) -> int:
    """Erase what is older than a time, to the end and in small steps."""
    erased = 0
    cursor: int | None = 0
    while cursor is not None:
        step, cursor = store.minimise(cutoff, cutoffs=cutoffs, name_network=name_network, after=cursor, limit=2)
        erased += step
    return erased


class RetentionContract:
    """The rules; a subclass gives the fixture ``store``."""

    @pytest.fixture
    def store(self) -> Store:
        """Give an empty store."""
        raise NotImplementedError

    def test_minimised_hit_loses_its_raw_facts_and_nothing_else(self, store: Store) -> None:
        """Address, agent and headers go; the hit, its event and its verdict stay as they were."""
        delivery = make_delivery()
        store.add_deliveries([delivery])
        observation = add_judged(store, delivery)
        (before,) = store.get_events(EventFilter())
        assert minimise(store, after(1)) == 1
        (record,) = store.get_events(EventFilter())
        hit = record.observation.hit
        assert (hit.ip, hit.user_agent, hit.headers) == (None, None, None)
        assert record.observation.purged
        assert record.event == before.event
        assert hit.received_at == observation.hit.received_at

    def test_traces_tell_equal_from_different(self, store: Store) -> None:
        """What stays of two hits is equal where their raw facts were, and does not hold them."""
        delivery = make_delivery()
        store.add_deliveries([delivery])
        one, other = add_judged(store, delivery), add_judged(store, delivery, at=after(HOUR_S))
        assert store.get_traces(one.id) is None
        minimise(store, after(2 * HOUR_S))
        traces = store.get_traces(one.id)
        assert traces == store.get_traces(other.id)
        assert isinstance(traces, Traces)
        assert traces.ip_hash is not None
        assert len(traces.ip_hash) == 6
        assert traces.ip_hash != traces.user_agent_hash
        assert traces.network == "cloud"
        assert traces.header_names == ("accept", "accept-language")

    def test_each_route_has_its_own_time(self, store: Store) -> None:
        """A hit is minimised by the cutoff of its route, and by the common one where that has none."""
        news, shop = make_delivery(route="news"), make_delivery(route="shop")
        store.add_deliveries([news, shop])
        for hours, delivery in enumerate((news, shop, news, shop), start=1):
            add_judged(store, delivery, at=after(hours * HOUR_S))
        assert minimise(store, after(5 * HOUR_S), shop=after(0)) == 2
        assert {r.observation.purged for r in store.get_events(EventFilter(route="news"))} == {True}
        assert {r.observation.purged for r in store.get_events(EventFilter(route="shop"))} == {False}

    def test_hit_that_waits_for_a_verdict_keeps_its_facts(self, store: Store) -> None:
        """Nothing is erased that is still to be judged, however old it is."""
        delivery = make_delivery()
        store.add_deliveries([delivery])
        observation = make_observation(delivery.id, ip=ADDRESS, user_agent=AGENT, headers={})
        store.add_observations([observation], settle_s=0.0)
        assert minimise(store, after(3600)) == 0
        assert store.get_due(now=after(3600)) == [observation]

    def test_minimising_twice_erases_nothing_more(self, store: Store) -> None:
        """A second pass finds nothing, so a pass that was killed may begin again."""
        delivery = make_delivery()
        store.add_deliveries([delivery])
        for hours in range(5):
            add_judged(store, delivery, at=after(hours * HOUR_S))
        assert minimise(store, after(3 * HOUR_S)) == 3
        assert minimise(store, after(3 * HOUR_S)) == 0
        assert minimise(store, after(9 * HOUR_S)) == 2
        assert store.scrub()

    def test_hit_that_came_late_is_minimised_like_the_others(self, store: Store) -> None:
        """A hit from a journal that lay for weeks, or with the time of a clock that began anew, is found too."""
        delivery = make_delivery()
        store.add_deliveries([delivery])
        for hours in range(100, 105):
            add_judged(store, delivery, at=after(hours * HOUR_S))
        add_judged(store, delivery)
        add_judged(store, delivery, at=datetime(1969, 12, 31, tzinfo=UTC))
        assert minimise(store, after(HOUR_S)) == 2
        assert minimise(store, after(HOUR_S)) == 0

    def test_removed_events_leave_their_counts(self, store: Store) -> None:
        """Events that lie in an archive are gone from every list, and every count stands."""
        delivery = make_delivery()
        store.add_deliveries([delivery])
        old, new = add_judged(store, delivery), add_judged(store, delivery, at=after(HOUR_S))
        counts = store.get_metrics(by="campaign")
        assert store.remove_events([old.id]) == 1
        assert store.remove_events([old.id]) == 0
        assert [record.event.id for record in store.get_events(EventFilter())] == [new.id]
        assert store.get_verdicts(old.id) == []
        assert store.get_metrics(by="campaign") == counts

    def test_pages_go_on_behind_an_event_that_was_removed(self, store: Store) -> None:
        """A list whose last event moves to an archive goes on there, and an id that says no time ends it."""
        delivery = make_delivery()
        store.add_deliveries([delivery])
        hits = [make_observation(delivery.id, at=after(hours * HOUR_S)) for hours in range(4)]
        # Ids of one process only rise, whatever time it is; these say their own.
        hits = [hit._replace(id=join_id(7, to_slot(to_micros(hit.hit.received_at)))) for hit in hits]
        store.add_observations(hits, settle_s=0.0)
        store.publish([(hit, make_verdict()) for hit in hits], now=after(0))
        assert store.remove_events([hits[2].id]) == 1
        page = store.search_events(EventFilter(before_id=hits[2].id))
        assert [record.event.id for record in page.records] == [hits[1].id, hits[0].id]
        assert store.search_events(EventFilter(before_id=b"\xff" * 16)).records == ()
        assert store.get_events(EventFilter(before_id=bytes(16))) == []

    def test_part_is_unfinished_until_it_is_noted_as_done(self, store: Store) -> None:
        """The store remembers which files of an archive it has not yet removed the events of."""
        store.note_part("month=2026-03/a.parquet", done=False)
        store.note_part("month=2026-04/b.parquet", done=False)
        assert store.get_unfinished_parts() == ["month=2026-03/a.parquet", "month=2026-04/b.parquet"]
        store.note_part("month=2026-03/a.parquet", done=True)
        assert store.get_unfinished_parts() == ["month=2026-04/b.parquet"]

    def test_erased_facts_of_one_hit_stay_with_another(self, store: Store) -> None:
        """What several hits share is erased with the last of them."""
        delivery = make_delivery()
        store.add_deliveries([delivery])
        add_judged(store, delivery)
        add_judged(store, delivery, at=after(HOUR_S))
        minimise(store, after(60))
        newest, oldest = store.get_events(EventFilter())
        assert (newest.observation.hit.user_agent, oldest.observation.hit.user_agent) == (AGENT, None)
