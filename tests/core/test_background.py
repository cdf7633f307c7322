"""The thread beside an app."""

from __future__ import annotations

import os
import threading

from mailnod.background import Background

LIMIT_S = 30


class Loop:
    """A loop that counts its runs."""

    def __init__(self) -> None:
        self.runs = threading.Semaphore(0)
        self.threads: list[threading.Thread] = []

    def __call__(self, stop: threading.Event) -> None:
        self.threads.append(threading.current_thread())
        self.runs.release()
        stop.wait(LIMIT_S)


def test_nothing_runs_before_the_first_start() -> None:
    """Making it starts no thread."""
    before = threading.active_count()
    Background(Loop(), name="test")
    assert threading.active_count() == before


def test_many_starts_make_one_thread() -> None:
    """However many threads start it at once, one loop runs."""
    loop = Loop()
    background = Background(loop, name="test")
    starters = [threading.Thread(target=background.start) for _ in range(16)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join(LIMIT_S)
    assert loop.runs.acquire(timeout=LIMIT_S)
    background.end()
    assert len(loop.threads) == 1
    assert not loop.threads[0].is_alive()


def test_it_can_be_started_again_after_its_end() -> None:
    """An end is not for ever, and ending twice does no harm."""
    loop = Loop()
    background = Background(loop, name="test")
    for _ in range(2):
        background.start()
        assert loop.runs.acquire(timeout=LIMIT_S)
        background.end()
        background.end()
    assert len(loop.threads) == 2


def test_child_process_has_a_thread_of_its_own() -> None:
    """After a fork the parent's thread is not the child's: it starts its own, and ends that alone."""
    loop = Loop()
    background = Background(loop, name="test")
    background.start()
    assert loop.runs.acquire(timeout=LIMIT_S)
    pid = os.fork()
    if pid == 0:
        background.start()
        started = loop.runs.acquire(timeout=LIMIT_S)
        background.end()
        os._exit(0 if started and len(loop.threads) == 2 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert loop.threads[0].is_alive()
    background.end()
