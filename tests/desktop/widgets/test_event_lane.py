"""Short reads run one after the other in one thread, and only the newest of each kind comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from mailnod_desktop.models.event_lane import Lane


@pytest.fixture
def lane(qtbot: QtBot) -> Iterator[Lane]:
    """Give a lane, and end its thread."""
    lane = Lane()
    yield lane
    lane.close()


def fail(error: Exception) -> None:
    """Refuse an error that nobody expects."""
    raise error


def test_all_work_runs_in_one_thread(lane: Lane, qtbot: QtBot) -> None:
    """What Python keeps for a thread is there the next time, and results come back to the thread of the window."""
    local = threading.local()
    found: list[tuple[int, bool]] = []

    def count() -> int:
        local.number = getattr(local, "number", 0) + 1
        return int(local.number)

    for expected in (1, 2, 3):
        lane.start("a", count, lambda n: found.append((n, threading.current_thread() is threading.main_thread())), fail)
        qtbot.waitUntil(lambda expected=expected: found[-1:] == [(expected, True)])  # type: ignore[misc]
    assert not lane.is_running("a")


def test_only_the_newest_result_comes_back(lane: Lane, qtbot: QtBot) -> None:
    """What was replaced or cancelled is dropped, even where it was done already."""
    gate = threading.Event()
    found: list[str] = []
    lane.start("a", gate.wait, lambda _: found.append("replaced"), fail)
    lane.start("a", lambda: None, lambda _: found.append("newest"), fail)
    lane.start("b", lambda: None, lambda _: found.append("cancelled"), fail)
    lane.cancel("b")
    lane.start("c", lambda: None, lambda _: found.append("other"), fail)
    gate.set()
    qtbot.waitUntil(lambda: "other" in found)
    assert found == ["newest", "other"]


def test_an_error_is_handed_over(lane: Lane, qtbot: QtBot) -> None:
    """Work that raises ends nothing but itself."""
    found: list[object] = []
    lane.start("a", lambda: 1 // 0, found.append, found.append)
    lane.start("b", lambda: 2, found.append, found.append)
    qtbot.waitUntil(lambda: len(found) == 2)
    assert isinstance(found[0], ZeroDivisionError)
    assert found[1] == 2
