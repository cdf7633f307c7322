"""What the groups of figures of the inspector share: how a figure is written down, and how a window is waited for."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import TypeVar

import qtawesome  # noqa: F401
from PySide6.QtCore import QEventLoop, QSettings, Qt, QTimer
from PySide6.QtWidgets import QApplication

# What the program imports when it first needs it belongs to the imports too.
import mailnod_desktop.web.surface  # noqa: F401
from mailnod.settings import Settings
from mailnod_desktop.preferences import Preferences
from mailnod_desktop.theme import LIGHT, apply_theme
from mailnod_desktop.views.main_window import MainWindow
from mailnod_desktop.web.flags import prepare_engine

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure and what it may be."""

    name: str
    value: float
    budget: float | None
    unit: str


class Beat:
    """Records how late a timer of one millisecond is, which is how long the window was not at hand."""

    def __init__(self) -> None:
        self._late: list[float] = []
        self._last = perf_counter()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(1)

    def stop(self) -> list[float]:
        """Return the milliseconds of each delay."""
        self._timer.stop()
        return self._late

    def _tick(self) -> None:
        now = perf_counter()
        self._late.append(max((now - self._last) * 1000 - 1, 0.0))
        self._last = now


def get_application() -> QApplication:
    """Return the application object, prepared as the program prepares it."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    prepare_engine()
    application = QApplication(["mailnod-desktop"])
    apply_theme(application, LIGHT)
    return application


def make_window(folder: Path) -> MainWindow:
    """Return the whole window, not shown yet, as the program makes it.

    :param folder: an empty one, for what it remembers and writes.
    """
    preferences = Preferences(QSettings(str(folder / "preferences.ini"), QSettings.Format.IniFormat))
    scratch = folder / "scratch"
    scratch.mkdir()
    return MainWindow(settings=Settings.from_mapping({}), keyring=None, preferences=preferences, scratch=scratch)


def run_until(holds: Callable[[], bool], *, most_s: float = 120, every_ms: int = 5) -> None:
    """Let the window live until something holds, or for so long at most."""
    loop = QEventLoop()
    timer = QTimer()
    timer.timeout.connect(lambda: loop.quit() if holds() else None)
    timer.start(every_ms)
    patience = QTimer(singleShot=True)
    patience.timeout.connect(loop.quit)
    patience.start(round(most_s * 1000))
    loop.exec()
    timer.stop()


def show_mail(window: MainWindow, act: Callable[[], object]) -> float:
    """Do something after which a mail is drawn, and return when both panes were."""
    at: list[float] = []
    note = window.mail.preview.rendered.connect(lambda _: at.append(perf_counter()))
    act()
    run_until(lambda: bool(at), every_ms=50)
    window.mail.preview.rendered.disconnect(note)
    return at[0]


def get_resident_mb() -> float:
    """Return how much memory this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def get_family_mb(kind: str) -> float:
    """Return how much memory this process and those that it began have.

    :param kind: as ``/proc/<pid>/smaps_rollup`` calls it; "Pss" divides what is shared with others, "Anonymous" is what
        was written to and is in no file.
    """
    return sum(_get_kb(process, kind) for process in _list_family(os.getpid())) / 1e3


def _list_family(process: int) -> Iterator[int]:
    yield process
    for thread in Path(f"/proc/{process}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from _list_family(int(child))


def _get_kb(process: int, kind: str) -> float:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))


def sum_up(name: str, taken: list[float], *, budget: float | None) -> Iterator[Figure]:
    """Yield the middle, the 99th percentile, which is what a budget is about, and the worst of some milliseconds."""
    cuts = quantiles(taken, n=100, method="inclusive")
    yield Figure(f"{name}, p50", cuts[49], None, "ms")
    yield Figure(f"{name}, p99", cuts[98], budget, "ms")
    yield Figure(f"{name}, worst", max(taken), None, "ms")


def run_apart(function: Callable[[Path, Path], _Result], folder: Path, path: Path) -> _Result:
    """Run a function in a process of its own, where everything that it needs is imported before."""
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawned, initializer=_be_quiet) as apart:
        return apart.submit(function, folder, path).result()


def _be_quiet() -> None:
    """Drop what Qt and Chromium say of a machine without a screen; exceptions come back by another way."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
