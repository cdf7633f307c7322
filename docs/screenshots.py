"""Take the pictures of the inspector that docs/desktop.md shows; ``make screenshots`` runs it on a virtual screen."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent, QSettings, Qt
from PySide6.QtWidgets import QApplication

from mailnod.settings import Settings
from mailnod_desktop.preferences import Preferences
from mailnod_desktop.services.clients import PERSONAS
from mailnod_desktop.theme import DARK, LIGHT, apply_theme
from mailnod_desktop.web.flags import prepare_engine

IMAGES = Path(__file__).with_name("images")
#: A machine that is busy draws late; one that has not drawn by now never will.
LIMIT_S = 60.0
#: What is drawn by another process arrives a little after it is said to be there.
SETTLE_S = 0.8


def wait(until: Callable[[], bool], what: str) -> None:
    """Let the window work until something holds."""
    deadline = time.monotonic() + LIMIT_S
    while not until():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited in vain for {what}")
        QApplication.processEvents()
        time.sleep(0.01)


def settle() -> None:
    """Let the window draw what it has."""
    deadline = time.monotonic() + SETTLE_S
    wait(lambda: time.monotonic() > deadline, "time to pass")


def main(folder: Path) -> None:
    """Open the demo and take each picture."""
    prepare_engine()
    application = QApplication(["mailnod-desktop"])
    from mailnod_desktop.views.main_window import MainWindow

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mailnod-pictures-") as scratch:
        preferences = Preferences(QSettings(f"{scratch}/preferences.ini", QSettings.Format.IniFormat))
        apply_theme(application, LIGHT)
        settings = Settings.from_mapping({})
        window = MainWindow(settings=settings, keyring=None, preferences=preferences, scratch=Path(scratch))
        window.resize(1560, 960)
        window.show()
        window.begin([], database=None, catch=0, demo=True)
        rendered: list[float] = []
        window.mail.preview.rendered.connect(rendered.append)
        wait(lambda: bool(rendered), "the first mail")
        wait(lambda: window.events.events.model.rowCount() > 0, "events")
        settle()

        def save(name: str) -> None:
            settle()
            if not window.grab().save(str(folder / f"desktop-{name}.png"), "PNG"):
                raise SystemExit(f"{folder} cannot be written")

        window.events.events.table.selectRow(2)
        save("light")
        apply_theme(application, DARK)
        save("dark")
        apply_theme(application, LIGHT)
        window.show_page(1)
        save("diff")
        window.show_page(7)
        inspected: list[object] = []
        window.session.inspected.connect(inspected.append)
        long_one = next(one for one in window.messages.model.entries if one.title.startswith("120 things"))
        window.messages.select(long_one.key)
        wait(lambda: bool(inspected), "the mail that Gmail would cut")
        save("findings")
        window.show_page(0)
        window.docks["simulate"].raise_()
        played: list[object] = []
        window.simulate.played.connect(played.append)
        (gateway,) = [one for one in PERSONAS if one.key == "gateway"]
        window.simulate.form.choose(gateway)
        window.simulate.play()
        wait(lambda: bool(played), "the simulation")
        save("simulate")
        window.docks["metrics"].raise_()
        wait(lambda: window.events.metrics.overview is not None, "metrics")
        window.resizeDocks([window.docks["metrics"]], [620], Qt.Orientation.Vertical)
        save("metrics")
        window.close()
        window.deleteLater()
        # Qt WebEngine wants its pages gone before its profile, and both before the application.
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
