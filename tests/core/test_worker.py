"""The worker: one at a time, and no harm where two are at it nevertheless."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from mailnod.judge.classify import Judge
from mailnod.model import EventFilter, Hit, Observation, Verdict, Window
from mailnod.plugins import Plugins
from mailnod.store.base import REJUDGE_LEASE, WORKER_LEASE
from mailnod.store.ids import new_id
from mailnod.store.journal import Journal
from mailnod.store.sqlite import SQLiteStore
from mailnod.testing import FrozenClock
from mailnod.worker import LEASE_S, Worker

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
HEADERS = {
    "accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "accept-language": "en-GB,en;q=0.9",
    "accept-encoding": "gzip, deflate, br",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "sec-fetch-site": "none",
    "sec-fetch-user": "?1",
}
SETTLE_S = 10.0


class Site:
    """A store, a journal and a clock, and workers on them."""

    def __init__(self, folder: Path) -> None:
        self.clock = FrozenClock()
        self.store = SQLiteStore(folder / "mailnod.db")
        self.folder = folder / "journals"
        self.journal = Journal(self.folder)

    def hit(self, *, link: int = 0, ago_s: float = 0.0) -> None:
        """Click one link of a delivery, now or a while ago."""
        now = self.clock.now() - timedelta(seconds=ago_s)
        hit = Hit(
            kind="click",
            method="GET",
            ip="203.0.113.9",
            user_agent=CHROME,
            headers=HEADERS,
            received_at=now,
            link_index=link,
            url=f"https://shop.example/{link}",
        )
        self.journal.append(Observation(id=new_id(now), hit=hit, delivery_id=b"8 bytes."))

    def make_worker(self, judge: Judge | None = None, plugins: Sequence[object] = ()) -> Worker:
        """Make a worker, as each process has its own."""
        return Worker(
            store=self.store,
            journal_folder=self.folder,
            judge=judge or Judge(),
            plugins=Plugins(plugins, load_entry_points=False),
            clock=self.clock,
            settle_s=SETTLE_S,
        )

    def get_verdicts(self) -> dict[int | None, str]:
        """Return how each link's latest click was judged."""
        return {
            record.event.link_index: record.event.verdict.classification.value
            for record in self.store.get_events(EventFilter())
        }


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Give an empty site."""
    site = Site(tmp_path)
    yield site
    site.journal.close()
    site.store.close()


class InterruptedJudge(Judge):
    """A judge during whose first verdict something else happens."""

    def __init__(self, interrupt: Callable[[], None]) -> None:
        super().__init__()
        self._interrupts = [interrupt]

    def classify(self, observation: Observation, window: Window) -> Verdict:
        """Judge, and then let it happen."""
        verdict = super().classify(observation, window)
        while self._interrupts:
            self._interrupts.pop()()
        return verdict


def work_off(site: Site, worker: Worker) -> None:
    """Let everything settle and judge it."""
    for _ in range(3):
        site.clock.advance(2 * LEASE_S)
        worker.work_once()


def test_paused_worker_does_not_misjudge(site: Site, tmp_path: Path) -> None:
    """Events are the same whether or not a worker was paused while another took over and hits went on."""
    second = site.make_worker()

    def hit_rest(site: Site) -> None:
        for link in range(1, 6):
            site.hit(link=link, ago_s=SETTLE_S - link / 5)

    def pause() -> None:
        hit_rest(site)
        site.clock.advance(LEASE_S + 1)
        assert second.work_once() is not None

    site.hit()
    site.clock.advance(SETTLE_S)
    site.make_worker(InterruptedJudge(pause)).work_once()
    work_off(site, second)
    undisturbed = Site(tmp_path / "undisturbed")
    undisturbed.hit()
    undisturbed.clock.advance(SETTLE_S)
    hit_rest(undisturbed)
    work_off(undisturbed, undisturbed.make_worker())
    assert site.get_verdicts() == undisturbed.get_verdicts()
    assert len(site.get_verdicts()) == 6
    assert site.store.get_metrics() == undisturbed.store.get_metrics()
    undisturbed.journal.close()
    undisturbed.store.close()


def test_hits_that_come_during_a_verdict_are_seen(site: Site) -> None:
    """A hit that another way brings into the store between window and verdict is judged with, at once."""
    windows: list[int] = []

    class CountingJudge(InterruptedJudge):
        def classify(self, observation: Observation, window: Window) -> Verdict:
            """Note how much was seen."""
            windows.append(len(window.observations))
            return super().classify(observation, window)

    site.hit()
    site.clock.advance(SETTLE_S)
    before = site.clock.now() - timedelta(seconds=1)
    hit = Hit(kind="open", method="GET", ip=None, user_agent=CHROME, headers={}, received_at=before)
    late = Observation(id=new_id(before), hit=hit, delivery_id=b"8 bytes.")

    def interrupt() -> None:
        site.store.add_observations([late], settle_s=SETTLE_S)

    done = site.make_worker(CountingJudge(interrupt)).work_once()
    assert windows == [1, 2]
    assert done is not None
    assert (done.published, done.revised) == (1, 0)


def test_clock_set_back_hides_no_hit(site: Site) -> None:
    """Hits that were stamped before a clock was set back by hours are judged by the next pass."""
    site.hit()
    site.clock.advance(-7200)
    done = site.make_worker().work_once()
    assert done is not None
    assert (done.drained, done.published) == (1, 1)


def test_long_drain_keeps_the_lease(site: Site) -> None:
    """A drain that takes longer than the lease lives renews it between batches."""

    class SlowStore(SQLiteStore):
        def add_observations(self, observations: Sequence[Observation], *, settle_s: float) -> list[Observation]:
            """Take half a lease."""
            site.clock.advance(LEASE_S / 2)
            assert not self.acquire_lease(WORKER_LEASE, holder="other", now=site.clock.now(), ttl_s=LEASE_S)
            return super().add_observations(observations, settle_s=settle_s)

    site.store = SlowStore(site.store._database.path)
    for _ in range(4):
        site.hit()
        site.journal.close()
    done = site.make_worker().work_once()
    assert done is not None
    assert done.drained == 4


def test_drain_ends_where_another_has_taken_over(site: Site) -> None:
    """A worker that lost the lease during its drain leaves the rest to the one that has it."""

    class PausedStore(SQLiteStore):
        def add_observations(self, observations: Sequence[Observation], *, settle_s: float) -> list[Observation]:
            """Stand still until another has taken the lease."""
            site.clock.advance(2 * LEASE_S)
            self.acquire_lease(WORKER_LEASE, holder="other", now=site.clock.now(), ttl_s=LEASE_S)
            return super().add_observations(observations, settle_s=settle_s)

    site.store = PausedStore(site.store._database.path)
    for _ in range(3):
        site.hit()
        site.journal.close()
    done = site.make_worker().work_once()
    assert done is not None
    assert (done.drained, done.judged) == (1, 0)
    assert len(list(site.folder.glob("*.journal"))) == 2


def test_threads_of_one_process_are_two_workers(site: Site) -> None:
    """While one thread works, another that calls the same worker is told that somebody is at it."""
    answers: list[object] = []
    worker: Worker

    def ask() -> None:
        thread = threading.Thread(target=lambda: answers.append(worker.work_once()))
        thread.start()
        thread.join()

    worker = site.make_worker(InterruptedJudge(ask))
    site.hit()
    site.clock.advance(SETTLE_S)
    assert worker.work_once()
    assert answers == [None]
    worker.release_lease()
    ask()
    assert answers[1] is not None


def test_worker_gives_way_to_who_judges_again(site: Site) -> None:
    """While somebody holds that lease, a worker gives its own back after each pass; else it keeps it."""
    holders: list[str | None] = []

    class WatchedEvent(threading.Event):
        """Looks on between two passes instead of waiting."""

        def wait(self, timeout: float | None = None) -> bool:
            """Note who holds the lease, then ask for it; the second time, end."""
            holders.append(site.store.get_lease_holder(WORKER_LEASE, now=site.clock.now()))
            if len(holders) == 2:
                self.set()
            site.store.acquire_lease(REJUDGE_LEASE, holder="other", now=site.clock.now(), ttl_s=LEASE_S)
            return self.is_set()

    site.make_worker().run(WatchedEvent())
    assert holders[0] is not None
    assert holders[1] is None


def test_verdict_stands_where_the_evidence_is_gone(site: Site) -> None:
    """A hit whose evidence was erased is judged again by nothing, whatever comes into its window."""
    site.hit()
    site.clock.advance(SETTLE_S)
    site.make_worker().work_once()
    before = site.get_verdicts()
    with site.store._database.write() as connection:
        connection.execute("DELETE FROM signals")
    for link in range(1, 6):
        site.hit(link=link, ago_s=SETTLE_S - link / 5)
    work_off(site, site.make_worker())
    assert site.get_verdicts()[0] == before[0]
    assert site.store.get_due(now=site.clock.now()) == []
