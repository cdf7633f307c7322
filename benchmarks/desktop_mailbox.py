"""How soon the mails of a large mailbox file can be used, and whether the window stays at hand meanwhile."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from time import perf_counter

from benchmarks.bench_rewrite import make_template
from benchmarks.desktop_measuring import Beat, Figure, get_application, make_window, run_apart, run_until, sum_up
from PySide6.QtWidgets import QListView

from mailnod_desktop.views.main_window import MainWindow

MAILS = 10_000
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def measure(_: int) -> Iterator[Figure]:
    """Measure opening in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="mailnod-bench-") as name:
        path = Path(name) / "news.mbox"
        _write(path)
        listed, seen, whole, late = run_apart(measure_opening, Path(name), path)
        size = path.stat().st_size / 1e6
    yield Figure(f"{MAILS:,} mails listed, {size:,.0f} MB", listed, None, "s")
    yield Figure("list usable: those in sight with subject and sender", seen, 2, "s")
    yield Figure("all with subject and sender, newest on top", whole, None, "s")
    yield from sum_up("beat of the window meanwhile", late, budget=None)


def measure_opening(folder: Path, path: Path) -> tuple[float, float, float, list[float]]:
    """Return the seconds until mails are listed, can be told apart, and all were read; and the window's delays."""
    get_application()
    window = make_window(folder)
    window.show()
    run_until(lambda: False, most_s=1)
    beat, started = Beat(), perf_counter()
    window.begin([path], database=None, catch=None, demo=False)
    run_until(lambda: window.messages.model.rowCount() == MAILS, every_ms=1)
    listed = perf_counter() - started
    run_until(lambda: _are_seen_told(window), every_ms=1)
    seen = perf_counter() - started
    run_until(lambda: not window.messages.loader.busy)
    whole, late = perf_counter() - started, beat.stop()
    assert _are_seen_told(window)
    window.close()
    return listed, seen, whole, late


def _are_seen_told(window: MainWindow) -> bool:
    """Tell whether each mail in sight is shown with what its head says."""
    model, view = window.messages.model, window.messages.list
    assert isinstance(view, QListView)
    rows = range(view.indexAt(view.viewport().rect().topLeft()).row(), model.rowCount())
    seen = [row for row in rows[:100] if view.visualRect(model.index(row)).top() < view.viewport().height()]
    return bool(seen) and all(model.get_entry(row).summary is not None for row in seen)


def _write(path: Path) -> None:
    html = make_template(links=6, size=5_000)
    with path.open("w", encoding="utf-8") as file:
        for number in range(MAILS):
            at = _BEGIN + timedelta(minutes=number)
            file.write(
                f"From news@example.com {at:%a %b %d %H:%M:%S %Y}\n"
                f"From: News <news@example.com>\nTo: reader-{number}@example.com\nSubject: Issue {number}\n"
                f"Date: {format_datetime(at)}\nMessage-ID: <{number}@example.com>\nMIME-Version: 1.0\n"
                f"Content-Type: text/html; charset=utf-8\n\n{html}\n"
            )
