"""The memory of who has withdrawn."""

from __future__ import annotations

import os
import threading

import pytest

from mailnod.collect.suppressed import Suppressed
from mailnod.errors import StoreUnavailableError

LIMIT_S = 30


def test_first_question_starts_reading() -> None:
    """Nothing is read before the first question, and the answer is unknown until something is."""
    loaded = threading.Event()

    def load(cursor: int) -> tuple[frozenset[bytes], int]:
        loaded.set()
        return frozenset([b"gone"]), 1

    suppressed = Suppressed(load)
    assert not loaded.is_set()
    assert suppressed.check(b"here") in (None, False)
    assert loaded.wait(LIMIT_S)
    suppressed.close()


def test_only_what_is_new_is_asked_for() -> None:
    """Each reading goes on from the cursor of the last one, and what was known stays known."""
    cursors: list[int] = []

    def load(cursor: int) -> tuple[frozenset[bytes], int]:
        cursors.append(cursor)
        return frozenset([b"gone%d" % cursor]), cursor + 5

    suppressed = Suppressed(load)
    suppressed.refresh()
    suppressed.refresh()
    assert cursors == [0, 5]
    assert suppressed.check(b"gone0") is True
    assert suppressed.check(b"gone5") is True
    assert suppressed.check(b"here") is False
    suppressed.close()


def test_set_forgets_what_the_store_no_longer_lists() -> None:
    """Read anew from the start, the set drops the deliveries whose tokens no longer record."""
    listed = {b"old"}
    suppressed = Suppressed(lambda cursor: (frozenset(listed), 1), reload_s=-1)
    suppressed.refresh()
    listed.clear()
    suppressed.refresh()
    assert suppressed.check(b"old") is False
    suppressed.close()


def test_set_is_as_old_as_the_question_that_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that takes longer to answer than an answer is trusted leaves open who has not withdrawn."""
    now = [100.0]
    monkeypatch.setattr("mailnod.collect.suppressed.monotonic", lambda: now[0])

    def load(cursor: int) -> tuple[frozenset[bytes], int]:
        now[0] += 3
        return frozenset([b"gone"]), 1

    suppressed = Suppressed(load, reload_s=1e9)
    suppressed.refresh()
    suppressed.start = lambda: None  # type: ignore[method-assign]
    assert suppressed.check(b"gone") is True
    assert suppressed.check(b"here") is None
    suppressed.close()


def test_store_that_fails_leaves_the_answer_open() -> None:
    """While the store cannot be read nobody is called free, and who is known to have withdrawn stays so."""
    failed = threading.Event()

    def load(cursor: int) -> tuple[frozenset[bytes], int]:
        failed.set()
        raise StoreUnavailableError("gone")

    suppressed = Suppressed(load)
    assert suppressed.check(b"here") is None
    assert failed.wait(LIMIT_S)
    assert suppressed.check(b"here") is None
    suppressed.close()


def test_reader_survives_any_error() -> None:
    """An error of any kind is tried again, because nothing else would start the reader anew."""
    calls: list[int] = []
    again = threading.Event()

    def load(cursor: int) -> tuple[frozenset[bytes], int]:
        calls.append(cursor)
        if len(calls) == 1:
            raise MemoryError
        again.set()
        return frozenset(), cursor

    suppressed = Suppressed(load)
    suppressed.check(b"here")
    assert again.wait(LIMIT_S)
    suppressed.close()


def test_child_process_reads_for_itself() -> None:
    """After a fork the child starts a reader of its own, which finds what the parent never saw."""
    parent = os.getpid()
    read = threading.Event()

    def load(cursor: int) -> tuple[frozenset[bytes], int]:
        if os.getpid() == parent:
            return frozenset(), cursor
        read.set()
        return frozenset([b"gone"]), 1

    suppressed = Suppressed(load)
    suppressed.check(b"here")
    pid = os.fork()
    if pid == 0:
        suppressed.check(b"gone")
        found = read.wait(LIMIT_S)
        while found and suppressed.check(b"gone") is not True:
            os.sched_yield()
        os._exit(0 if found else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    suppressed.close()
