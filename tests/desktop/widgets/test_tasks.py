"""Work off the GUI thread: its newest result comes back, in the GUI thread, and nothing else does."""

from __future__ import annotations

import threading
from functools import partial

from pytestqt.qtbot import QtBot

from mailnod_desktop.tasks import Cancelled, Tasks


def test_result_comes_back_in_the_gui_thread(qtbot: QtBot, tasks: Tasks) -> None:
    """Work runs in another thread, and its result is handed over in this one."""
    threads: list[threading.Thread] = []
    worked: list[threading.Thread] = []

    def work(_: threading.Event) -> int:
        worked.append(threading.current_thread())
        return 42

    tasks.start("sum", work, lambda result: threads.append(threading.current_thread()) if result == 42 else None)
    qtbot.waitUntil(lambda: len(threads) == 1)
    assert threads == [threading.main_thread()]
    assert worked[0] is not threading.main_thread()


def test_newer_work_replaces_older(qtbot: QtBot, tasks: Tasks) -> None:
    """What was started under the same key before is told to end, and its result is dropped."""
    results: list[str] = []
    begun, told = threading.Event(), threading.Event()

    def old(stop: threading.Event) -> str:
        begun.set()
        assert stop.wait(30)
        told.set()
        return "old"

    tasks.start("one", old, results.append)
    assert begun.wait(30)
    tasks.start("one", lambda _: "new", results.append)
    qtbot.waitUntil(lambda: bool(results) and told.is_set())
    tasks.close()
    qtbot.wait(0)
    assert results == ["new"]


def test_failure_is_told(qtbot: QtBot, tasks: Tasks) -> None:
    """What work raises is handed to whoever waits for it."""
    errors: list[Exception] = []

    def work(_: threading.Event) -> None:
        raise ValueError("no good")

    tasks.start("bad", work, lambda _: None, errors.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert str(errors[0]) == "no good"


def test_cancelled_work_tells_nobody(qtbot: QtBot, tasks: Tasks) -> None:
    """Work that ends early because it was told to is neither a result nor a failure."""
    heard: list[object] = []

    def work(stop: threading.Event) -> None:
        stop.wait(30)
        raise Cancelled

    tasks.start("long", work, heard.append, heard.append)
    assert tasks.is_running("long")
    tasks.cancel("long")
    assert not tasks.is_running("long")
    tasks.close()
    qtbot.wait(0)
    assert heard == []


def test_work_that_nobody_waits_for_is_not_begun(qtbot: QtBot) -> None:
    """What was replaced before a thread was free is left out, so that quick changes do not queue up."""
    tasks, go_on = Tasks(threads=1), threading.Event()
    begun: list[int] = []
    results: list[int] = []

    def work(number: int, _: threading.Event) -> int:
        begun.append(number)
        return number

    tasks.start("long", lambda _: go_on.wait(30), lambda _: None)
    for number in range(5):
        tasks.start("one", partial(work, number), results.append)
    go_on.set()
    qtbot.waitUntil(lambda: bool(results))
    assert begun == results == [4]
    tasks.close()


def test_what_is_let_go_is_closed_although_the_window_closes(qtbot: QtBot) -> None:
    """A file that waits to be closed is closed even where all threads are busy, and nothing is begun afterwards."""
    tasks, begun = Tasks(threads=1), threading.Event()
    heard: list[object] = []

    def work(stop: threading.Event) -> None:
        begun.set()
        assert stop.wait(30)

    tasks.start("long", work, heard.append)
    assert begun.wait(30)
    tasks.let_go(lambda: heard.append("closed"))
    tasks.close()
    tasks.start("late", lambda _: heard.append("late"), heard.append)
    assert not tasks.is_running("late")
    assert heard == ["closed"]
