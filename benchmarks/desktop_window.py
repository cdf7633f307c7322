"""How soon the window is there, and how soon both panes follow a change of how a mail is rewritten."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter, process_time, thread_time

from benchmarks.bench_rewrite import make_template
from benchmarks.desktop_measuring import Figure, get_application, make_window, run_apart, run_until, show_mail, sum_up
from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtTest import QTest

from mailnod.settings import Settings
from mailnod_desktop.services.model import Wishes
from mailnod_desktop.services.parsing import parse
from mailnod_desktop.services.reading import read_file
from mailnod_desktop.services.rewriting import Rewriter
from mailnod_desktop.views.main_window import MainWindow

STARTS, SWITCHES, SIZE = 7, 200, 24 * 1024
#: A mail with so many links is a fair newsletter.
_LINKS = 10


def measure(_: int) -> Iterator[Figure]:
    """Measure starts, each in a process of its own that has imported everything, and switches of links in one."""
    with tempfile.TemporaryDirectory(prefix="mailnod-bench-") as name:
        folder = Path(name)
        mail = choose_mail(folder)
        starts = []
        for number in range(STARTS):
            (folder / str(number)).mkdir()
            starts.append(run_apart(measure_start, folder / str(number), mail))
        shown, drawn, busy = (median(figures) for figures in zip(*starts, strict=True))
        yield Figure("window shown, median of processes", shown, 0.5, "s")
        yield Figure("first HTML drawn in both panes, median", drawn, 1.5, "s")
        yield Figure("of which this process ran", busy, None, "s")
        (folder / "switches").mkdir()
        whole, own = run_apart(measure_switches, folder / "switches", mail)
        yield from sum_up(f"a link switched in {mail.stat().st_size / 1024:.0f} KB, to both panes", whole, budget=150)
        yield from sum_up("of which the window's thread ran", own, budget=None)


def choose_mail(folder: Path) -> Path:
    """Return a real newsletter of about the size that is asked about, else one of our own."""
    shared = os.environ.get("MAILNOD_SHARED")
    if shared:
        corpus = Path(shared) / "data" / "corpus"
        paths = [corpus / name for name in (corpus / "CORE.txt").read_text().split() if name.endswith(".html")]
        return next(path for path in sorted(paths, key=_tell_distance) if _count_links(path) >= _LINKS)
    path = folder / "newsletter.html"
    path.write_text(make_template(size=SIZE), encoding="utf-8")
    return path


def _tell_distance(path: Path) -> int:
    return abs(path.stat().st_size - SIZE)


def _count_links(path: Path) -> int:
    """Return how many links can be switched."""
    inspection = Rewriter(Settings.from_mapping({}), None).inspect(parse(read_file(path)[0]), Wishes())
    return sum(row.switchable for row in inspection.links)


def measure_start(folder: Path, mail: Path) -> tuple[float, float, float]:
    """Return the seconds until the window is painted, until a mail is, and how long this process ran meanwhile."""
    started, busy = perf_counter(), process_time()
    get_application()
    window = make_window(folder)
    painted = _Painted(window)
    window.show()
    run_until(lambda: painted.at is not None, every_ms=1)
    drawn = show_mail(window, lambda: window.begin([mail], database=None, catch=None, demo=False))
    busy = process_time() - busy
    window.close()
    assert painted.at is not None
    return painted.at - started, drawn - started, busy


def measure_switches(folder: Path, mail: Path) -> tuple[list[float], list[float]]:
    """Return the milliseconds from the key that switches a link until both panes are drawn.

    :returns: and for how many of them the window's thread ran.
    """
    get_application()
    window = make_window(folder)
    window.show()
    show_mail(window, lambda: window.begin([mail], database=None, catch=None, demo=False))
    # The second mail finds everything in place.
    run_until(lambda: False, most_s=1)
    inspection = window.session.inspection
    assert inspection is not None
    rows = [row for row in inspection.links if row.switchable and row.link is not None]
    whole, own = [], []
    for number in range(SWITCHES):
        row = rows[number % len(rows)]
        window.mail.links.select_link(row.body, row.link.index if row.link is not None else 0)
        run_until(lambda: False, most_s=0.05)
        started, ran = perf_counter(), thread_time()
        done = show_mail(window, lambda: QTest.keyClick(window.mail.links.table, Qt.Key.Key_Space))
        own.append((thread_time() - ran) * 1000)
        whole.append((done - started) * 1000)
    window.close()
    return whole, own


class _Painted(QObject):
    """Notes when a window is painted first."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.at: float | None = None
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Look at a paint event on its way."""
        if event.type() == QEvent.Type.Paint:
            # All that is in the window is painted in the same turn.
            QTimer.singleShot(0, self._note)
        return super().eventFilter(watched, event)

    def _note(self) -> None:
        self.at = self.at or perf_counter()
