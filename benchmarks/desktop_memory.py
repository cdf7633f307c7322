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
        idle, found = run_apart(measure_rounds, Path(name), path)
    yield Figure("window with a mail, idle, and its browser engine", idle, None, "MB")
    for number, written in enumerate(found):
        # What lies in files and is shared says nothing of leaks, and changes with what others do.
        when = f"{number * MAILS} mails were looked at" if number else "one mail was looked at"
        yield Figure(f"of which in no file, after {when}", written, None, "MB")
    # The first rounds fill what is kept of the mails that were looked at last, and the engine's caches.
    more = (found[-1] - found[2]) * 1000 / ((ROUNDS - 2) * MAILS)
    yield Figure("what one mail more leaves behind", more, None, "kB")


def measure_rounds(folder: Path, path: Path) -> tuple[float, list[float]]:
    """Return the memory with one mail, and what of it was written to, then and after each round."""
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
    idle, found = get_family_mb("Pss"), [get_family_mb("Anonymous")]
    for _ in range(ROUNDS):
        for mail in [*mails[1:], mails[0]]:
            show_mail(window, lambda key=mail.key: window.messages.select(key))  # type: ignore[misc]
        run_until(lambda: False, most_s=2)
        gc.collect()
        found.append(get_family_mb("Anonymous"))
    window.close()
    return idle, found
