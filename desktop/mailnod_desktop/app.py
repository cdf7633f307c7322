"""``mailnod-desktop``: read the command line, and open the window."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from mailnod.errors import ConfigurationError
from mailnod.settings import Settings
from mailnod.tokens import Keyring
from mailnod_desktop.services.model import CATCHER_PORT

__all__ = ["main"]

_MISSING = "the inspector needs Qt: pip install 'mailnod[desktop-web]' (or 'mailnod[desktop]', without the preview)"
_LIBRARY = (
    "Qt cannot be loaded: {error}. A library of the system is missing; on Debian: "
    "sudo apt-get install libgl1 libegl1 libdbus-1-3 libfontconfig1 libxkbcommon0 libxcb-cursor0 libxcb-icccm4 "
    "libxcb-keysyms1 libxkbcommon-x11-0; docs/desktop.md lists them all"
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--database", type=click.Path(dir_okay=False, path_type=Path), help="Open this store too, to read.")
@click.option(
    "--catch",
    type=click.IntRange(0, 65535),
    help=f"Catch mail at this port of 127.0.0.1 from the start, such as {CATCHER_PORT}; 0 takes a free one.",
)
@click.option("--demo", is_flag=True, help="Open example mails and a store with events in it.")
@click.option("--theme", type=click.Choice(["system", "light", "dark"]), help="Look so, this time.")
@click.version_option(package_name="mailnod")
def main(files: tuple[Path, ...], *, database: Path | None, catch: int | None, demo: bool, theme: str | None) -> None:
    """Show what tracking does to a mail, and who really opened it.

    FILES are .eml, .html and .mbox files. Routes, base URL and keys are those of the environment (MAILNOD_ROUTES,
    MAILNOD_BASE_URL, MAILNOD_SECRET_KEYS), as for 'mailnod'; without them mails are shown as a route would rewrite
    them that tracks opens and clicks. Nothing is ever sent, and no store is written.
    """
    try:
        import PySide6  # noqa: F401
    except ImportError:
        raise click.ClickException(_MISSING) from None
    try:
        settings = Settings.from_environ(os.environ)
        keyring = None if settings.secret_keys is None else Keyring.parse(settings.secret_keys)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from None
    try:
        sys.exit(_run(files, settings, keyring, database=database, catch=catch, demo=demo, theme=theme))
    except ImportError as error:
        raise click.ClickException(_LIBRARY.format(error=error)) from error


def _run(
    files: Sequence[Path],
    settings: Settings,
    keyring: Keyring | None,
    *,
    database: Path | None,
    catch: int | None,
    demo: bool,
    theme: str | None,
) -> int:
    from mailnod_desktop.web.flags import prepare_engine

    # Chromium reads its flags, and Qt the schemes, once: before there is an application.
    prepare_engine()
    from PySide6.QtCore import QSettings, QTimer
    from PySide6.QtWidgets import QApplication

    from mailnod_desktop.preferences import Preferences
    from mailnod_desktop.theme import DARK, LIGHT, apply_theme, make_window_icon
    from mailnod_desktop.views.main_window import MainWindow

    application = QApplication(["mailnod-desktop"])
    application.setApplicationName("Mailnod")
    application.setOrganizationName("Mailnod")
    application.setDesktopFileName("mailnod-desktop")
    preferences = Preferences(QSettings())
    chosen = {"light": LIGHT, "dark": DARK}.get(theme or "", preferences.pick_theme())
    apply_theme(application, chosen)
    application.setWindowIcon(make_window_icon())
    with tempfile.TemporaryDirectory(prefix="mailnod-desktop-") as folder:
        window = MainWindow(settings=settings, keyring=keyring, preferences=preferences, scratch=Path(folder))
        window.show()
        # The window is seen before anything is read.
        QTimer.singleShot(0, lambda: window.begin(files, database=database, catch=catch, demo=demo))
        # However the program is told to end, nothing of what was simulated stays behind.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: window.close())
        # Python sees a signal only while it runs.
        pulse = QTimer()
        pulse.timeout.connect(lambda: None)
        pulse.start(250)
        return application.exec()


if __name__ == "__main__":
    main()
