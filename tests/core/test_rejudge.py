"""Judging again: what changes, what stands, and how it shares the store with a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest

from contracts.store_contract import make_delivery, make_verdict
from mailnod import rejudge
from mailnod.assessor import Assessor
from mailnod.errors import StoreUnavailableError
from mailnod.hookspecs import hookimpl
from mailnod.judge.classify import RULESET, Judge
from mailnod.model import Event, EventFilter, Hit, Observation, Verdict
from mailnod.plugins import Plugins
from mailnod.rejudge import Batch, Rejudger
from mailnod.store.base import REJUDGE_LEASE, WORKER_LEASE
from mailnod.store.ids import new_id
from mailnod.store.sqlite import SQLiteStore
from mailnod.testing import FrozenClock
from mailnod.worker import LEASE_S, WorkDone, Worker

SCRIPT, BROWSER = "python-requests/2.32.3", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EVERYTHING = EventFilter()


class Listener:
    """Remembers what it is told of revisions."""

    def __init__(self) -> None:
        self.told: list[tuple[Event, Event]] = []

    @hookimpl
    def event_revised(self, event: Event, previous: Event) -> None:
        self.told.append((event, previous))


class Site:
    """A store in which a script's and a person's clicks on many mails were judged long ago, wrongly or not."""

    def __init__(self, folder: Path) -> None:
        self.clock = FrozenClock(T0 + timedelta(days=1))
        self.store = SQLiteStore(folder / "mailnod.db")
        self.folder = folder / "journals"
        self.listener = Listener()
        self.plugins = Plugins([self.listener], load_entry_points=False)
        self.sleep: Callable[[float], None] = self.clock.advance

    def judge(
        self,
        user_agent: str | None,
        verdict: Verdict,
        *,
        number: int,
        headers: Mapping[str, str] | None = MappingProxyType({}),
    ) -> Observation:
        """Record one click on a mail of its own, and publish a verdict on it."""
        at = T0 + timedelta(seconds=number)
        delivery = make_delivery(campaign="spring" if number % 2 else "autumn")
        hit = Hit(
            kind="click",
            method="GET",
            ip=f"203.0.113.{number % 250}",
            user_agent=user_agent,
            headers=headers,
            received_at=at,
            link_index=0,
            url="https://example.com/",
        )
        observation = Observation(id=new_id(at), hit=hit, delivery_id=delivery.id)
        self.store.add_deliveries([delivery])
        self.store.add_observations([observation], settle_s=0)
        self.store.publish([(observation, verdict)], now=at)
        return observation

    def judge_many(self, number: int) -> list[Observation]:
        """Record scripts that were once taken for people."""
        return [self.judge(SCRIPT, make_verdict(), number=i) for i in range(number)]

    def make_rejudger(self, plugins: Plugins | None = None) -> Rejudger:
        """Make what judges again."""
        assessor = Assessor(judge=JUDGE, plugins=plugins or self.plugins)
        return Rejudger(
            store=self.store,
            assessor=assessor,
            plugins=self.plugins,
            clock=self.clock,
            sleep=self._sleep,
        )

    def _sleep(self, seconds: float) -> None:
        self.sleep(seconds)

    def make_worker(self) -> Worker:
        """Make a worker on the same store."""
        return Worker(
            store=self.store,
            journal_folder=self.folder,
            judge=JUDGE,
            plugins=self.plugins,
            clock=self.clock,
            settle_s=0,
        )

    def get_classes(self) -> list[str]:
        """Return the latest class of each event, oldest first."""
        return [
            record.event.verdict.classification.value for record in self.store.get_judged(EventFilter(limit=10_000))
        ]


JUDGE = Judge()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Give a site, and batches that are small."""
    monkeypatch.setattr(rejudge, "BATCH", 4)
    site = Site(tmp_path)
    yield site
    site.store.close()


def sum_up(batches: Sequence[Batch]) -> tuple[int, int, int]:
    """Return how many were seen, how many flipped, and how many were published."""
    return (
        sum(batch.seen for batch in batches),
        sum(one.flipped for batch in batches for one in batch.judged),
        sum(len(batch.published) for batch in batches),
    )


def test_preview_says_what_would_change_and_why(site: Site) -> None:
    """It finds each flip with the evidence gained and lost, and changes nothing."""
    site.judge_many(5)
    site.judge(BROWSER, make_verdict(machine=True, reason_codes=("ua.old",)), number=5)
    before = site.store.get_metrics()
    batches = list(site.make_rejudger().preview(EVERYTHING))
    assert sum_up(batches) == (6, 6, 0)
    flips = [one for batch in batches for one in batch.judged]
    assert [signal.code for signal in flips[0].gained][:1] == ["ua.library"]
    assert flips[5].lost == ("ua.old",)
    assert site.store.get_metrics() == before
    assert site.listener.told == []
    assert site.store.get_lease_holder(WORKER_LEASE, now=site.clock.now()) is None


def test_run_appends_moves_counts_and_tells_plugins(site: Site) -> None:
    """Each flip is one more verdict, the counts are those of a recount, and plugins hear of it as from a worker."""
    made = site.judge_many(9)
    assert sum_up(list(site.make_rejudger().run(EVERYTHING))) == (9, 9, 9)
    assert set(site.get_classes()) == {"generic_bot"}
    (line,) = site.store.get_metrics()
    assert (line.human_clicks, line.machine_clicks, line.machine_clicks_unique) == (0, 9, 9)
    assert [(event.id, event.seq, previous.seq) for event, previous in site.listener.told] == [
        (one.id, 1, 0) for one in made
    ]
    first, second = site.store.get_verdicts(made[0].id)
    assert (first, second[0]) == ((T0, make_verdict()), site.clock.now())


def test_second_run_changes_nothing(site: Site) -> None:
    """What agrees with today's rules stays as it is, whatever version of them said so first."""
    (one,) = site.judge_many(1)
    list(site.make_rejudger().run(EVERYTHING))
    today = site.store.get_verdicts(one.id)[-1][1]
    other = site.judge(SCRIPT, replace(today, ruleset="2020.01"), number=300)
    assert sum_up(list(site.make_rejudger().run(EVERYTHING))) == (2, 0, 0)
    assert len(site.store.get_verdicts(one.id)) == 2
    assert site.store.get_verdicts(other.id)[-1][1].ruleset == "2020.01"


def test_only_what_is_asked_for_is_judged(site: Site) -> None:
    """A time, a campaign and a version of the rules each narrow it; what another version judged is seen and left."""
    site.judge_many(6)
    site.judge(SCRIPT, make_verdict(ruleset=RULESET), number=6)
    rejudger = site.make_rejudger()

    def judged(filter: EventFilter, ruleset: str | None = None) -> int:
        return sum(len(batch.judged) for batch in rejudger.preview(filter, ruleset=ruleset))

    assert judged(EventFilter(since=T0 + timedelta(seconds=2), until=T0 + timedelta(seconds=5))) == 3
    assert judged(EventFilter(campaign="spring")) == 3
    assert judged(EVERYTHING, "1") == 6
    assert judged(EVERYTHING, RULESET) == 1
    assert sum(batch.seen for batch in rejudger.preview(EVERYTHING, ruleset="1")) == 7


def test_erased_evidence_keeps_its_verdict(site: Site) -> None:
    """Nothing is said anew where headers were erased, and the old verdict stands."""
    one = site.judge(None, make_verdict(), number=0, headers=None)
    (batch,) = site.make_rejudger().run(EVERYTHING)
    assert batch.judged[0].verdict is None
    assert not batch.judged[0].changed
    assert len(site.store.get_verdicts(one.id)) == 1


def test_broken_off_it_goes_on_where_it_was(site: Site) -> None:
    """Begun again at the time it reached, it changes the rest, and the batch before once only."""
    site.judge_many(10)
    run = site.make_rejudger().run(EVERYTHING)
    first = next(run)
    run.close()
    for lease in (WORKER_LEASE, REJUDGE_LEASE):
        assert site.store.get_lease_holder(lease, now=site.clock.now()) is None
    seen, flipped, published = sum_up(list(site.make_rejudger().run(EventFilter(since=first.reached))))
    assert (seen, flipped, published) == (7, 6, 6)
    assert set(site.get_classes()) == {"generic_bot"}


def test_worker_gets_its_turn(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between turns the lease is free, and a worker that comes in then judges what is due before it goes on."""
    monkeypatch.setattr(rejudge, "TURN_S", 0.0)
    site.judge_many(4)
    passes: list[WorkDone | None] = []
    at = T0 - timedelta(hours=1)
    hit = Hit(kind="open", method="GET", ip=None, user_agent=BROWSER, headers={}, received_at=at)
    site.store.add_observations([Observation(id=new_id(at), hit=hit, delivery_id=b"8 bytes.")], settle_s=0)

    def work(seconds: float) -> None:
        site.clock.advance(seconds)
        worker = site.make_worker()
        passes.append(worker.work_once())
        worker.release_lease()
        # A turn of no length judges nothing; the next one is longer.
        monkeypatch.setattr(rejudge, "TURN_S", 60.0)

    site.sleep = work
    assert sum_up(list(site.make_rejudger().run(EVERYTHING))) == (5, 4, 4)
    assert passes == [WorkDone(judged=1, published=1)]


def test_busy_worker_is_waited_for(site: Site) -> None:
    """While another holds the lease nothing is written; it says that it waits, and gives up after its patience."""
    site.judge_many(2)
    waits: list[None] = []

    def hold(seconds: float = 0.0) -> None:
        site.clock.advance(seconds)
        site.store.acquire_lease(WORKER_LEASE, holder="other", now=site.clock.now(), ttl_s=LEASE_S)

    hold()
    site.sleep = hold
    with pytest.raises(StoreUnavailableError, match="a worker has held the store for 3 s"):
        list(site.make_rejudger().run(EVERYTHING, patience_s=3.0, on_wait=lambda: waits.append(None)))
    assert len(waits) == 1
    assert set(site.get_classes()) == {"genuine"}
    site.store.release_lease(WORKER_LEASE, holder="other")
    assert sum_up(list(site.make_rejudger().run(EVERYTHING))) == (2, 2, 2)


def test_one_at_a_time(site: Site) -> None:
    """Who begins while another judges everything again is told so."""
    site.judge_many(1)
    run = site.make_rejudger().run(EVERYTHING)
    next(run)
    with pytest.raises(StoreUnavailableError, match="somebody else judges this store again"):
        next(site.make_rejudger().run(EVERYTHING))
    run.close()


def test_lost_lease_repeats_the_batch(site: Site) -> None:
    """Who stood still too long publishes nothing that way, and judges the batch once more under a lease of its own."""
    made = site.judge_many(2)

    class Slow:
        """Stands still at the first verdict, while another takes the lease."""

        stood = False

        @hookimpl
        def find_signals(self) -> None:
            if not self.stood:
                self.stood = True
                site.clock.advance(2 * LEASE_S)
                site.store.acquire_lease(WORKER_LEASE, holder="other", now=site.clock.now(), ttl_s=LEASE_S)

    slow = site.make_rejudger(Plugins([Slow()], load_entry_points=False))
    assert sum_up(list(slow.run(EVERYTHING))) == (2, 2, 2)
    assert [len(site.store.get_verdicts(one.id)) for one in made] == [2, 2]
