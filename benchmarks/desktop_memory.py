"""How much memory the window takes, its browser engine included, and whether mails that were looked at leave any."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench_rewrite import make_template
from benchmarks.desktop_measuring import (
    Figure,
    get_application,
    get_family_mb,
    get_resident_mb,
    make_window,
    run_apart,
    run_until,
    show_mail,
)

from mailnod_desktop.services.model import Mail

#: Mails, and how often somebody goes through all of them.
MAILS, ROUNDS = 100, 4


def measure(_: int) -> Iterator[Figure]:
    """Measure a window in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="mailnod-bench-") as name:
        path = Path(name) / "newsletter.html"
        path.write_text(make_template(), encoding="utf-8")
        idle, own, rounds = run_apart(measure_rounds, Path(name), path)
    yield Figure("window with a mail, idle, and its browser engine", idle, None, "MB")
    yield Figure("of which the window's own process", own, None, "MB")
    for number, (whole, part) in enumerate(rounds, 1):
        yield Figure(f"after {number * MAILS} mails that were looked at", whole, None, "MB")
        yield Figure("of which the window's own process", part, None, "MB")
    # The first rounds fill what is kept of the mails that were looked at last, and the engine's caches.
    more = (rounds[-1][0] - rounds[1][0]) * 1000 / ((ROUNDS - 2) * MAILS)
    yield Figure("what one mail more leaves behind, in all processes", more, None, "kB")


def measure_rounds(folder: Path, path: Path) -> tuple[float, float, list[tuple[float, float]]]:
    """Return the memory with one mail, that of this process alone, and both after each round."""
    get_application()
    window = make_window(folder)
    window.show()
    html = path.read_text(encoding="utf-8")
    mails = [
        Mail(key=str(number), name=f"{number}.html", origin="file", form="html", data=f"{html}{number}".encode())
        for number in range(MAILS)
    ]
    show_mail(window, lambda: window.opener.mails_opened.emit(mails))
    run_until(lambda: not window.messages.loader.busy)
    run_until(lambda: False, most_s=2)
    idle, own, rounds = get_family_mb(), get_resident_mb(), []
    for _ in range(ROUNDS):
        for mail in [*mails[1:], mails[0]]:
            show_mail(window, lambda key=mail.key: window.messages.select(key))  # type: ignore[misc]
        run_until(lambda: False, most_s=2)
        gc.collect()
        rounds.append((get_family_mb(), get_resident_mb()))
    window.close()
    return idle, own, rounds
