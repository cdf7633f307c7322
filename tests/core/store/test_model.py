"""Stores agree with a plain model of their promises, whatever is done to them in whatever order."""

from __future__ import annotations

import os
import random
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from contracts.store_contract import DENIED, after, make_consent, make_delivery, make_observation, make_verdict
from mailnod.model import Classification, Delivery, DeliveryState, EventFilter, Mode, Observation, Verdict
from mailnod.store.base import GroupBy, Store
from mailnod.store.sqlite import SQLiteStore

#: How many sequences are tried with each engine, and how long each is.
RUNS = int(os.environ.get("MAILNOD_TEST_MODEL_RUNS", "4"))
STEPS = 60
PEOPLE = ("ann@example.com", "bob@example.org", "eve@bücher.example")
KINDS = {Classification.PRIVACY_PROXY: "privacy", Classification.SECURITY_SCANNER: "scanner"}


class Model:
    """What a store is asked to remember, counted in the plainest way.

    :param seed: of all that happens.
    """

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.random = random.Random(seed)
        self.deliveries: list[Delivery] = [
            replace(make_delivery(), id=self.random.randbytes(8)) for _ in range(2)
        ]  # These stay unknown to the store.
        self.known: dict[bytes, Delivery] = {}
        self.suppressed: set[bytes] = set()
        self.hits: dict[bytes, Observation] = {}
        self.verdicts: dict[bytes, list[Verdict]] = defaultdict(list)
        self.purged: set[bytes] = set()
        #: Deliveries whose events were moved to an archive, which is only done when none can follow.
        self.closed: set[bytes] = set()
        self.removed: dict[bytes, Verdict] = {}
        self.now = after(0)

    def add_deliveries(self) -> None:
        """Send one to three mails, some of them again."""
        pick = self.random
        new = [
            make_delivery(
                *pick.sample(PEOPLE, pick.randint(1, 2)),
                at=self.now,
                message_id=f"<{pick.randint(1, 4)}@example.com>",
                campaign=pick.choice([None, "spring", "été"]),
                route=pick.choice(["news", "shop"]),
                test=pick.random() < 0.15,
                opens=pick.choice([Mode.NONE, Mode.INDIVIDUAL]),
                link_count=pick.choice([0, 3]),
                accepted_at=pick.choice([None, self.now]),
            )
            for _ in range(pick.randint(1, 3))
        ]
        again = pick.sample(list(self.known.values()), min(len(self.known), pick.randint(0, 1)))
        self.store.add_deliveries([*new, *again])
        self.deliveries += new
        self.known.update({delivery.id: delivery for delivery in new})

    def set_states(self) -> None:
        """Say what became of some mails, known or not."""
        ids = [delivery.id for delivery in self.random.choices(self.deliveries, k=3)]
        state = self.random.choice(list(DeliveryState)[1:])
        at = self.now + timedelta(hours=self.random.randint(-2, 2))
        self.store.set_delivery_states(ids, state, at=at)
        for id_ in ids:
            known = self.known.get(id_)
            if known is not None and known.accepted_at is None:
                accepted = at if state is DeliveryState.ACCEPTED else None
                self.known[id_] = replace(known, state=state, accepted_at=accepted)

    def add_observations(self) -> None:
        """Bring hits, some of one microsecond, from the past or the future, with odd ids, and some again."""
        pick, new = self.random, []
        for _ in range(pick.randint(1, 6)):
            delivery = pick.choice([d for d in self.deliveries if d.id not in self.closed])
            at = self.now + pick.choice(
                [
                    timedelta(0),
                    timedelta(microseconds=1),
                    timedelta(seconds=pick.randint(-900, 900)),
                    -timedelta(days=9000),
                ]
            )
            click: dict[str, Any] = {
                "kind": "click",
                "url": f"https://example.com/{pick.randint(0, 2)}?{pick.randint(0, 9)}#x",
            }
            hit = make_observation(delivery.id, at=at, ip=f"192.0.2.{pick.randint(1, 3)}", **pick.choice([{}, click]))
            if pick.random() < 0.2:
                hit = hit._replace(id=pick.choice([pick.randbytes(16), b"\xff" * 8 + pick.randbytes(8)]))
            new.append(hit)
        gone = set(self.removed)
        again = pick.sample(sorted(set(self.hits) - gone), min(len(self.hits) - len(gone), pick.randint(0, 2)))
        brought = [*new, *(self.hits[id_] for id_ in again)]
        pick.shuffle(brought)
        taken = self.store.add_observations(brought, settle_s=0)
        fresh = [hit for hit in brought if hit.id not in self.hits and hit.delivery_id not in self.suppressed]
        assert taken == fresh
        self.hits.update({hit.id: hit for hit in fresh})

    def publish(self) -> None:
        """Judge some hits for the first time or again, and some that nobody knows."""
        pick = self.random
        alive = sorted(set(self.hits) - set(self.removed))
        chosen = pick.sample(alive, min(len(alive), pick.randint(1, 6)))
        judgements = []
        for id_ in chosen:
            class_ = pick.choice(list(Classification))
            verdict = make_verdict(machine=class_.machine, classification=class_)
            verdict = replace(verdict, counts_for_metrics=verdict.counts_for_metrics and pick.random() < 0.8)
            judgements.append((self.hits[id_], verdict))
        stranger = make_observation(self.deliveries[0].id, at=self.now)
        published = self.store.publish([*judgements, (stranger, make_verdict())], now=self.now)
        new = [(hit, verdict) for hit, verdict in judgements if self.verdicts[hit.id][-1:] != [verdict]]
        assert sorted(p.event.id for p in published) == sorted(hit.id for hit, _ in new)
        for hit, verdict in new:
            self.verdicts[hit.id].append(verdict)
        for publication in published:
            assert publication.event.seq == len(self.verdicts[publication.event.id]) - 1

    def publish_what_is_due(self) -> None:
        """Empty the queue as a worker does."""
        due = self.store.get_due(now=self.now + timedelta(days=1), limit=1000)
        for window in self.store.get_windows(due):
            assert all(hit.id in self.hits for hit in window.observations)
        verdict = make_verdict(machine=self.random.random() < 0.5)
        self.store.publish([(hit, verdict) for hit in due], now=self.now)
        for hit in due:
            if self.verdicts[hit.id][-1:] != [verdict]:
                self.verdicts[hit.id].append(verdict)

    def withdraw(self) -> None:
        """Let somebody withdraw, which keeps what is there and lets nothing follow."""
        if self.random.random() < 0.3:
            address = self.random.choice(PEOPLE)
            self.store.record_consent(address, make_consent(DENIED, at=self.now))
            for delivery in self.known.values():
                if address.casefold() in map(str.casefold, delivery.envelope.recipients):
                    self.suppressed.add(delivery.id)

    def minimise(self) -> None:
        """Erase the raw facts of what is old and judged."""
        cursor: int | None = 0
        cutoff = self.now - timedelta(seconds=300)
        waiting = {hit.id for hit in self.store.get_due(now=after(10**9), limit=10_000)}
        while cursor is not None:
            _, cursor = self.store.minimise(cutoff, cutoffs={}, name_network=lambda _: None, after=cursor, limit=3)
        for id_, hit in self.hits.items():
            if self.verdicts[id_] and id_ not in waiting and hit.hit.received_at < cutoff:
                self.purged.add(id_)

    def remove_events(self) -> None:
        """Move what a mail has to an archive, when nothing more can come."""
        closing = self.random.choice(self.deliveries)
        ids = [id_ for id_, hit in self.hits.items() if hit.delivery_id == closing.id]
        if closing.id in self.known and all(self.verdicts[id_] for id_ in ids) and self.random.random() < 0.3:
            self.closed.add(closing.id)
            fresh = [id_ for id_ in ids if id_ not in self.removed]
            assert self.store.remove_events(ids) == len(fresh)
            self.removed.update({id_: self.verdicts[id_][-1] for id_ in fresh})

    def advance(self) -> None:
        """Let time pass, or the clock be set back."""
        self.now += timedelta(seconds=self.random.choice([1, 700, 3600, -1800]))

    def count(self, by: GroupBy) -> dict[str, dict[str, int]]:
        """Count everything from scratch."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        seen: set[object] = set()
        for delivery in self.known.values():
            if delivery.accepted_at is not None and not delivery.test:
                for key in name_lines(by, delivery, delivery.accepted_at, None):
                    counts[key]["deliveries"] += 1
                    counts[key]["deliveries_with_pixel"] += delivery.decision.opens is not Mode.NONE
                    counts[key]["deliveries_with_links"] += delivery.link_count > 0
        for id_, hit in self.hits.items():
            known = self.known.get(hit.delivery_id)
            if not self.verdicts[id_] or (known is not None and known.test):
                continue
            verdict = self.verdicts[id_][-1]
            machine = ["observed", "machine", KINDS.get(verdict.classification, "bot")]
            audiences = machine if verdict.machine else ["observed", "human"]
            for key in name_lines(by, known, hit.hit.received_at, hit.hit.url):
                for audience in audiences if verdict.counted_as is not None else []:
                    measure = f"{audience}_{hit.hit.kind}s"
                    counts[key][measure] += 1
                    counts[key][f"{measure}_unique"] += (key, measure, hit.delivery_id) not in seen
                    seen.add((key, measure, hit.delivery_id))
        return {key: +line for key, line in counts.items() if +line}

    def compare(self) -> None:
        """Compare what the store says with what is known here."""
        for by in get_args(GroupBy):
            found = {
                line.key: {name: count for name, count in asdict(line).items() if name != "key" and count}
                for line in self.store.get_metrics(by=by, limit=10_000)
            }
            assert {key: line for key, line in found.items() if line} == self.count(by), by
        records = self.store.get_events(EventFilter(limit=10_000))
        judged = {id_ for id_ in self.hits if self.verdicts[id_]} - set(self.removed)
        assert {record.event.id for record in records} == judged
        assert len(records) == len(judged)
        for record in records:
            id_ = record.event.id
            hit = self.hits[id_]
            assert [verdict for _, verdict in self.store.get_verdicts(id_)] == self.verdicts[id_]
            assert record.delivery == self.known.get(hit.delivery_id)
            if id_ in self.purged:
                hit = hit._replace(hit=hit.hit._replace(ip=None, user_agent=None, headers=None))
            assert record.observation == hit
        page = self.store.search_events(EventFilter(limit=7))
        paged = list(page.records)
        while page.next_id is not None:
            page = self.store.search_events(EventFilter(limit=7, before_id=page.next_id))
            paged += page.records
        assert paged == records
        oldest_first, last = [], None
        while found_ := self.store.get_judged(EventFilter(limit=7), after=last):
            oldest_first += found_
            last = found_[-1].event.occurred_at, found_[-1].event.id
        assert oldest_first == records[::-1]
        assert self.store.check() == []


def name_lines(by: GroupBy, delivery: Delivery | None, at: datetime, url: str | None) -> list[str]:
    """Return the line of a group that something counts in, if any."""
    key = {
        "all": "",
        "message": delivery and delivery.envelope.message_id,
        "campaign": delivery and delivery.envelope.campaign,
        "route": delivery and delivery.decision.route,
        "link": url and url.partition("#")[0].partition("?")[0],
        "hour": f"{at:%Y-%m-%dT%H}:00Z",
    }[by]
    return [] if key is None else [str(key)]


def run(store: Store, seed: int) -> None:
    """Do at random what can be done, and compare now and then."""
    model = Model(store, seed)
    steps: list[Callable[[], None]] = [
        model.add_deliveries, model.set_states, model.add_observations, model.add_observations, model.publish,
        model.publish, model.publish_what_is_due, model.withdraw, model.minimise, model.remove_events, model.advance,
    ]  # fmt: skip
    for number in range(STEPS):
        model.random.choice(steps)()
        if number % 20 == 19:
            model.compare()


@pytest.fixture
def seeds() -> Iterator[int]:
    """Give seeds, which a failure names."""
    return iter([secrets.randbits(32) for _ in range(RUNS)])


def test_sqlite_agrees_with_the_model(tmp_path: Path, seeds: Iterator[int]) -> None:
    """Counts equal a recount, and lists what was brought, after any sequence of calls on a file."""
    for number, seed in enumerate(seeds):
        store = SQLiteStore(tmp_path / f"{number}.db")
        try:
            run(store, seed)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
        store.close()


def test_postgres_agrees_with_the_model(postgres_url: str, seeds: Iterator[int]) -> None:
    """Counts equal a recount, and lists what was brought, after any sequence of calls on a server."""
    from contracts.postgres_server import empty_store
    from mailnod.store.postgres.store import PostgresStore

    for seed in seeds:
        empty_store(postgres_url)
        store = PostgresStore(postgres_url)
        try:
            run(store, seed)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
        store.close()
