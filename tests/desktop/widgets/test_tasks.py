"""Work off the GUI thread: its newest result comes back, in the GUI thread, and nothing else does."""

from __future__ import annotations

import threading

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
    told = threading.Event()

    def old(stop: threading.Event) -> str:
        assert stop.wait(30)
        told.set()
        return "old"

    tasks.start("one", old, results.append)
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
