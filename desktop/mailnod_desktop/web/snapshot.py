"""A picture of a whole mail without a window, for the command line and for tests."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import shiboken6
from PySide6.QtCore import QCoreApplication, QEventLoop, QRect, Qt, QTimer, SignalInstance
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QApplication

from mailnod.html.urls import TrackingBase
from mailnod_desktop.web.flags import engine_problem, prepare_engine
from mailnod_desktop.web.rules import Gate

if TYPE_CHECKING:
    from PySide6.QtWebEngineWidgets import QWebEngineView

    from mailnod_desktop.web.page import MailPage

__all__ = ["MAX_HEIGHT", "SnapshotError", "render_png"]

#: A longer mail is cut off here, in pixels; many graphics drivers take nothing larger than 16,384.
MAX_HEIGHT = 16_000
#: A picture takes no longer than this.
TIME_LIMIT_S = 30.0
_MAX_WIDTH = 4_000
_FIRST_HEIGHT = 800
_TOO_LATE, _ENDED = 1, 2
_SPECK, _SPECK_COLOUR = 4, "#fe01a7"
_LOOK_EVERY_MS = 20
# A mail may cover everything; its picture is taken all the same.
_PATIENCE_S = 3.0


class SnapshotError(Exception):
    """A mail could not be drawn; says why in words."""


def render_png(
    html: str,
    *,
    width: int,
    path: Path,
    inline: Mapping[str, tuple[str, bytes]],
    base: TrackingBase | None = None,
    time_limit_s: float = TIME_LIMIT_S,
) -> None:
    """Draw a mail from top to bottom into a PNG file, without any connection.

    An application object is made where there is none, without a screen.

    :param html: the body, decoded.
    :param width: of the picture, in pixels; what is wider is cut off.
    :param path: the file, which is replaced.
    :param inline: type and bytes of the parts that the body refers to as ``cid:``, by Content-ID.
    :param base: where the collector is reached.
    :param time_limit_s: after so many seconds it is given up.
    :raises SnapshotError: where Qt WebEngine is missing, the mail cannot be drawn, or the file not be written.
    """
    if not 1 <= width <= _MAX_WIDTH:
        raise SnapshotError(f"a picture is 1 to {_MAX_WIDTH} pixels wide, not {width}")
    _ensure_application()
    picture = _Studio(inline, base, time_limit_s).draw(html, width)
    if not picture.save(str(path), "PNG"):
        raise SnapshotError(f"the picture cannot be written to {path}")


def _ensure_application() -> None:
    if QCoreApplication.instance() is not None:
        problem = engine_problem()
    elif (problem := prepare_engine()) is None:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        # PySide keeps it until the process ends.
        QApplication(["mailnod"])
    if problem is not None:
        raise SnapshotError(problem)


class _Studio:
    """Draws one mail in a view that nobody sees, and takes everything down again."""

    def __init__(self, inline: Mapping[str, tuple[str, bytes]], base: TrackingBase | None, time_limit_s: float) -> None:
        self._inline, self._base = inline, base
        self._deadline_s = time.monotonic() + time_limit_s

    def draw(self, html: str, width: int) -> QPixmap:
        """Load a mail, make the view as tall as it is, and take the picture."""
        from PySide6.QtWebEngineCore import QWebEngineSettings
        from PySide6.QtWebEngineWidgets import QWebEngineView

        from mailnod_desktop.web.page import MailPage, PageState
        from mailnod_desktop.web.profile import PreviewProfile

        profile = PreviewProfile(Gate(base=self._base))
        profile.parts.put(self._inline)
        profile.settings().setAttribute(QWebEngineSettings.WebAttribute.ShowScrollBars, False)
        page = MailPage("snapshot", profile)
        view = QWebEngineView()
        try:
            view.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
            view.setPage(page)
            view.resize(width, _FIRST_HEIGHT)
            view.show()
            self._wait(page, page.painted, lambda: page.show_html(html, PageState()))
            height = min(MAX_HEIGHT, max(1, self._measure(page)))
            view.resize(width, height)
            self._wait_for_paint(page, view)
            return view.grab(QRect(0, 0, width, height))
        finally:
            view.setPage(None)  # type: ignore[arg-type]
            shiboken6.delete(page)
            shiboken6.delete(view)
            shiboken6.delete(profile)

    def _wait_for_paint(self, page: MailPage, view: QWebEngineView) -> None:
        """Wait until what the view has is the page at its full height.

        Chromium draws in a process of its own and does not say when a frame has arrived; so a speck at the bottom is
        looked for, and then for its absence.
        """
        corner = QRect(0, view.height() - _SPECK, _SPECK, _SPECK)
        for shown in (True, False):
            loop, timer = QEventLoop(), QTimer(interval=_LOOK_EVERY_MS)
            patience_s = time.monotonic() + _PATIENCE_S

            def look(shown: bool = shown, loop: QEventLoop = loop, patience_s: float = patience_s) -> None:
                colour = view.grab(corner).toImage().pixelColor(_SPECK // 2, _SPECK // 2)
                page.run(f"setSpeck({_SPECK_COLOUR if shown else ''!r})")
                if (colour.name() == _SPECK_COLOUR) == shown or time.monotonic() > patience_s:
                    loop.quit()

            timer.timeout.connect(look)
            timer.start()
            self._run(loop, page)
            timer.stop()

    def _measure(self, page: MailPage) -> int:
        found: list[object] = []
        loop = QEventLoop()

        def take(value: object) -> None:
            found.append(value)
            loop.quit()

        page.ask("measure()", take)
        self._run(loop, page)
        return int(found[0]) if found and isinstance(found[0], int | float) else _FIRST_HEIGHT

    def _wait(self, page: MailPage, signal: SignalInstance, begin: Callable[[], None]) -> None:
        loop = QEventLoop()
        signal.connect(loop.quit)
        begin()
        self._run(loop, page)

    def _run(self, loop: QEventLoop, page: MailPage) -> None:
        """Let Chromium work until the loop is told to end, the page ends, or time is up."""
        timer = QTimer(singleShot=True)
        timer.timeout.connect(lambda: loop.exit(_TOO_LATE))
        timer.start(max(0, round(1000 * (self._deadline_s - time.monotonic()))))
        page.renderProcessTerminated.connect(lambda _status, _code: loop.exit(_ENDED))
        ended = loop.exec()
        if ended == _TOO_LATE:
            raise SnapshotError("the picture took too long, and was given up")
        if ended == _ENDED:
            raise SnapshotError("the process that draws the mail ended unexpectedly")
