"""Forks beside threads that work on SQLite: no child hangs, and the parent's files are left alone."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest

from mailnod.store.processes import ForkGate

LIMIT_S = 60
#: Children that hang are ended by their own alarm, and then their status is not 0.
UNDER_LOAD = """
import os, signal, sys, threading
from datetime import UTC, datetime
from pathlib import Path
from mailnod.judge.classify import Judge
from mailnod.clock import SystemClock
from mailnod.model import Hit, Observation
from mailnod.plugins import Plugins
from mailnod.store.ids import new_id
from mailnod.store.journal import Journal
from mailnod.store.sqlite import SQLiteStore
from mailnod.worker import Worker

folder = Path(sys.argv[1])
store = SQLiteStore(folder / "mailnod.db")
journal = Journal(folder / "journals")
worker = Worker(
    store=store, journal_folder=folder / "journals", judge=Judge(), plugins=Plugins([], load_entry_points=False),
    clock=SystemClock(), settle_s=0,
)

def append():
    now = datetime.now(UTC)
    hit = Hit(kind="open", method="GET", ip="192.0.2.1", user_agent="Mail", headers={}, received_at=now)
    journal.append(Observation(id=new_id(now), hit=hit, delivery_id=os.urandom(8)))

def repeat(work):
    while True:
        work()

append()
for work in (append, append, append, worker.work_once):
    threading.Thread(target=repeat, args=(work,), daemon=True).start()
for _ in range(int(sys.argv[2])):
    pid = os.fork()
    if not pid:
        signal.alarm(20)
        append()
        store.get_consent("ann@example.com", purpose="statistics")
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if status:
        os._exit(1)
os._exit(0)
"""
IDLE_THREAD = """
import gc, os, sys, threading
from pathlib import Path
from mailnod.store.sqlite import SQLiteStore

store = SQLiteStore(Path(sys.argv[1]) / "mailnod.db")
used, end = threading.Event(), threading.Event()

def work():
    store.get_consent("ann@example.com", purpose="statistics")
    used.set()
    end.wait()

def list_open():
    links = (os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if name.isdigit()
             and os.path.exists(f"/proc/self/fd/{name}"))
    return sorted(link for link in links if "mailnod.db" in link)

thread = threading.Thread(target=work)
thread.start()
used.wait()
before = list_open()
assert before
pid = os.fork()
if not pid:
    gc.collect()
    os._exit(0 if list_open() == before else 1)
status = os.waitpid(pid, 0)[1]
end.set()
thread.join()
gc.collect()
assert status == 0
assert list_open() == [], "the parent's own connection is closed with its thread"
"""

C_FORK = """
import ctypes, os
from mailnod.store.processes import PerProcess

value = PerProcess(object)
own = value.get()
pid = ctypes.PyDLL(None).fork()
if not pid:
    os._exit(0 if value.get() is not own else 1)
assert value.get() is own
os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def run(script: str, *arguments: str) -> int:
    """Run a script in a process of its own and return how it ended."""
    return subprocess.run([sys.executable, "-c", script, *arguments], timeout=4 * LIMIT_S).returncode


def test_fork_beside_working_threads_hangs_no_child(tmp_path: Path) -> None:
    """However often a process forks while its threads take hits in and judge them, each child can use the store."""
    assert run(UNDER_LOAD, str(tmp_path), "150") == 0


def test_parent_s_connections_are_left_alone_in_a_child(tmp_path: Path) -> None:
    """A connection of a thread that a child does not have stays open there, and ends with its thread in the parent."""
    if sys.platform != "linux":
        pytest.skip("interpreter: needs /proc to see which files are open")
    assert run(IDLE_THREAD, str(tmp_path)) == 0


def test_child_of_a_fork_in_c_makes_values_of_its_own() -> None:
    """A server that forks without telling Python, as uWSGI does, shares no journal and no connection with its child."""
    assert run(C_FORK) == 0


@pytest.fixture
def gate() -> ForkGate:
    """Give a gate that no fork of this process closes."""
    return ForkGate(patience_s=LIMIT_S)


def test_fork_waits_for_what_runs_and_holds_up_what_comes(gate: ForkGate) -> None:
    """A fork begins when the last thread has left, and nobody enters until it is over."""
    inside, leave, closed, forked, entered = (threading.Event() for _ in range(5))

    def work() -> None:
        with gate:
            inside.set()
            leave.wait(LIMIT_S)
            # Who is inside may enter again, though a fork waits.
            with gate:
                assert not closed.is_set()

    def fork() -> None:
        gate._close()
        closed.set()
        forked.wait(LIMIT_S)
        gate._open()

    def come() -> None:
        closed.wait(LIMIT_S)
        with gate:
            entered.set()

    threads = [threading.Thread(target=target) for target in (work, fork, come)]
    threads[0].start()
    assert inside.wait(LIMIT_S)
    threads[1].start()
    threads[2].start()
    leave.set()
    threads[0].join(LIMIT_S)
    assert closed.wait(LIMIT_S)
    assert not entered.is_set()
    forked.set()
    assert entered.wait(LIMIT_S)
    for thread in threads:
        thread.join(LIMIT_S)


def test_fork_inside_waits_for_nobody(gate: ForkGate) -> None:
    """A thread that forks in the middle of its own work does not wait for itself, and its child leaves in order."""
    with gate:
        gate._close()
        gate._reset()
    with gate:
        pass


def test_forking_thread_does_not_wait_for_itself(gate: ForkGate) -> None:
    """What other fork handlers and the collector of garbage do in the thread that forks passes the gate."""
    for inside in (False, True):
        with gate if inside else nullcontext():
            gate._close()
            with gate:
                pass
            gate._open()
    with gate:
        pass


def test_fork_waits_for_a_while_only() -> None:
    """Work that does not end holds a fork up no longer than the gate's patience."""
    gate = ForkGate(patience_s=0.01)
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with gate:
            inside.set()
            leave.wait(LIMIT_S)

    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(LIMIT_S)
    gate._close()
    gate._open()
    leave.set()
    thread.join(LIMIT_S)
    with gate:
        pass
