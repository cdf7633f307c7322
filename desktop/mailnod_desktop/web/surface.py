"""Draws the preview with Qt WebEngine."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress

import shiboken6
from PySide6.QtCore import QRect, Qt, QTimer, QUrl
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QDragEnterEvent,
    QGuiApplication,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWebEngineCore import QWebEnginePage
from PySide6.QtWebEngineWidgets import QWebEngineView
from PySide6.QtWidgets import QMenu, QWidget

from mailnod.html.urls import TrackingBase
from mailnod_desktop.theme import get_theme, icon
from mailnod_desktop.views.preview_surface import DarkMode, PreviewDocument, Side, Surface
from mailnod_desktop.web.page import MailPage, PageState
from mailnod_desktop.web.profile import PreviewProfile
from mailnod_desktop.web.rules import Blocked, Gate

__all__ = ["WebBackend", "WebSurface"]

#: A desktop client's reading pane is at least so wide; narrower panes show it smaller, so that no mail takes the pane
#: for a phone (most templates change at 600 or 640 pixels).
DESKTOP_WIDTH = 700
_MIN_ZOOM = 0.25
# Chromium's scroll bar, which is no part of the client's screen and does not grow with it.
_SCROLL_BAR_WIDTH = 15
_MENU_TEXT_WIDTH = 420
_PAUSE_MS = 1_000


class _MailView(QWebEngineView):
    """Has a menu of its own, and takes no files."""

    def __init__(self, surface: WebSurface) -> None:
        super().__init__(surface)
        self._surface = surface
        self.setAccessibleName(self.tr("Mail as a reader sees it"))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Leave dropped files to the window."""
        event.ignore()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer what can be done with a link or a selection."""
        request = self.lastContextMenuRequest()
        link = request.linkUrl() if request else QUrl()
        selected = request.selectedText() if request else ""
        menu = QMenu(self)
        if not link.isEmpty():
            address = link.toString(QUrl.ComponentFormattingOption.FullyEncoded)
            title = menu.addAction(
                menu.fontMetrics().elidedText(address, Qt.TextElideMode.ElideMiddle, _MENU_TEXT_WIDTH)
            )
            title.setEnabled(False)
            menu.addSeparator()
            simulate = menu.addAction(icon("cursor-default-click-outline"), self.tr("Simulate a click"))
            simulate.triggered.connect(lambda: self._surface.ask_for_simulation(address))
            number = self._surface.find_number(address)
            if number is not None:
                source = menu.addAction(icon("vector-difference"), self.tr("Show in source diff"))
                source.triggered.connect(lambda: self._surface.source_requested.emit(number))
            copy = menu.addAction(icon("content-copy"), self.tr("Copy the link's address"))
            copy.triggered.connect(lambda: QGuiApplication.clipboard().setText(address))
        if selected:
            copy_text = menu.addAction(icon("content-copy"), self.tr("Copy"))
            copy_text.triggered.connect(lambda: QGuiApplication.clipboard().setText(selected))
        select = menu.addAction(self.tr("Select all"))
        select.triggered.connect(lambda: self.triggerPageAction(QWebEnginePage.WebAction.SelectAll))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())


class WebSurface(Surface):
    """Shows a document on a neutral ground, as wide as the client's screen would be."""

    #: A mail that is not drawn after so long is given up: some keep Chromium busy for ever.
    give_up_ms = 20_000

    def __init__(self, side: Side, profile: PreviewProfile, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(f"{side}Surface")
        self._profile = profile
        self._document: PreviewDocument | None = None
        self._state = PageState()
        self._width: int | None = None
        self._zoom = 1.0
        self._mode: DarkMode = "off"
        self._marks = self._pending = self._is_ready = False
        self._trouble = ""
        self._patience = QTimer(self, singleShot=True)
        self._patience.timeout.connect(self._give_up)
        self._tidying = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._tidying.timeout.connect(self._tidy)
        self._images = True
        self._dark_rules = 0
        self.view = _MailView(self)
        self.page: MailPage | None = MailPage(side, profile)
        self.view.setPage(self.page)
        self.page.link_clicked.connect(self.link_clicked)
        self.page.linkHovered.connect(self.link_hovered)
        self.page.scrolled.connect(self.scrolled)
        self.page.ready.connect(self._take_ready)
        self.page.painted.connect(self._settle)
        self.page.renderProcessTerminated.connect(self._take_end)

    @property
    def notes(self) -> list[str]:
        """Say how large it is shown, whether it has dark styles, and whether its process ended."""
        notes = []
        if self._trouble:
            notes.append(self._trouble)
        if self._width is not None or self._zoom < 1:
            width = self._width or DESKTOP_WIDTH
            text = self.tr("{width} px wide").format(width=width)
            if self._zoom < 1:
                text += self.tr(", shown at {percent} %").format(percent=round(100 * self._zoom))
            notes.append(text)
        if self._mode == "author" and not self._dark_rules:
            notes.append(self.tr("no dark styles of its own"))
        return notes

    def show_document(self, document: PreviewDocument | None) -> bool:
        """Show a document; what is on the screen already stays there."""
        page = self.page
        if page is None:
            return False
        before, self._document = self._document, document
        if document is None:
            self._pending = self._is_ready = False
            self._trouble = ""
            self._patience.stop()
            page.show_html("", PageState())
            return False
        allowed = self._profile.gate.allowed
        same = before is not None and before.key == document.key
        swaps = same and self._is_ready and not self._trouble and self._state.fetches == allowed
        if swaps and self._state.images == self._images and before is not None and before.html == document.html:
            page.rebind(document.links, document.tracked, document.names)
            return False
        self._trouble = ""
        self._state = PageState(
            links=document.links,
            tracked=document.tracked,
            names=dict(document.names),
            pixel_row=document.pixel_row,
            pixel=document.pixel,
            dark=self._mode == "author",
            marks=self._marks,
            fraction=page.state.fraction if same else 0.0,
            fetches=allowed,
            images=self._images,
        )
        self._pending = True
        self._patience.start(self.give_up_ms)
        page.set_images(self._images)
        if swaps:
            page.swap_html(document.html, self._state)
        else:
            self._is_ready = False
            page.show_html(document.html, self._state)
        return True

    def set_page_width(self, pixels: int | None) -> None:
        """Lay the page out for a screen so wide, smaller where the pane is narrower than that."""
        self._width = pixels
        self._arrange()

    def set_images(self, on: bool) -> None:
        """Draw images or not; counts from the next document on."""
        self._images = on

    def set_dark(self, mode: DarkMode) -> None:
        """Take on the colours that a client in dark mode has."""
        self._mode = mode
        if self.page is not None:
            self.page.set_inverted(mode == "invert")
            self.page.set_dark(mode == "author")
        self.noted.emit()

    def set_marks(self, on: bool) -> None:
        """Outline links and the pixel."""
        self._marks = on
        if self.page is not None:
            self.page.set_marks(on)

    def scroll_to(self, fraction: float) -> None:
        """Scroll there without reporting it."""
        if self.page is not None:
            self.page.scroll_to(fraction)

    def reveal(self, number: int) -> None:
        """Scroll to a link or the pixel, and let it flash."""
        if self.page is not None:
            self.page.reveal(number)

    def ask_for_simulation(self, address: str) -> None:
        """Tell that a click on a link is to be simulated."""
        self.simulate_requested.emit(self.find_number(address), address)

    def find_number(self, address: str) -> int | None:
        """Return the number of the first link that leads to an address; None where none does."""
        links = self._document.links if self._document else ()
        return next((number for number, href in links if QUrl(href) == QUrl(address)), None)

    def close_page(self) -> None:
        """Delete the page, which must be gone before its profile; and the view, which would make another page."""
        page, self.page = self.page, None
        self._patience.stop()
        self._tidying.stop()
        if page is not None:
            self.view.setPage(None)  # type: ignore[arg-type]
            shiboken6.delete(page)
            shiboken6.delete(self.view)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the page centred."""
        super().resizeEvent(event)
        self._arrange()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the neutral ground, and the edge of the screen that it stands for."""
        painter, theme = QPainter(self), get_theme()
        painter.fillRect(self.rect(), QColor(theme.window))
        if self.page is None:
            return
        painter.setPen(QColor(theme.border))
        painter.drawRect(self.view.geometry().adjusted(-1, -1, 0, 0))

    def _arrange(self) -> None:
        if self.page is None:
            return
        available = max(1, self.width() - _SCROLL_BAR_WIDTH)
        wanted = self._width or max(available, DESKTOP_WIDTH)
        zoom = max(_MIN_ZOOM, min(1.0, available / wanted))
        width = min(available, round(wanted * zoom)) + _SCROLL_BAR_WIDTH
        available += _SCROLL_BAR_WIDTH
        self.view.setGeometry(QRect((available - width) // 2, 0, width, self.height()))
        self.page.setZoomFactor(zoom)
        self._zoom = zoom
        self.noted.emit()
        self.update()

    def _take_ready(self, dark_rules: int) -> None:
        self._is_ready, self._dark_rules = True, dark_rules
        if self.page is not None and self.page.zoomFactor() != self._zoom:
            self.page.setZoomFactor(self._zoom)
        self.noted.emit()
        if not self.isVisible():
            # What is hidden is not painted.
            self._settle()

    def _tidy(self) -> None:
        if self.page is not None:
            self.page.tidy()

    def _settle(self) -> None:
        self._patience.stop()
        if not self._tidying.isActive():
            self._tidying.start()
        if self._pending:
            self._pending = False
            self.settled.emit()

    def _take_end(self, status: QWebEnginePage.RenderProcessTerminationStatus, _code: int) -> None:
        if status != QWebEnginePage.RenderProcessTerminationStatus.NormalTerminationStatus:
            self._trouble = self._trouble or self.tr("the process that draws it ended; the next change begins anew")
            self.noted.emit()
            self._settle()

    def _give_up(self) -> None:
        """End the process that draws, which is the one way to stop it; :meth:`_take_end` is called when it is gone."""
        self._trouble = self.tr("takes too long to draw, and was given up")
        pid = self.page.renderProcessPid() if self.page is not None else 0
        if pid > 0:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        else:
            self.noted.emit()
            self._settle()


class WebBackend:
    """Makes surfaces that share a profile and a gate."""

    def __init__(self) -> None:
        self.problem = ""
        self.gate = Gate()
        self._profile: PreviewProfile | None = PreviewProfile(self.gate)

    def make_surface(self, side: Side, parent: QWidget) -> Surface:
        """Make the surface of one pane.

        :raises RuntimeError: after :meth:`close`.
        """
        if self._profile is None:
            raise RuntimeError("the preview was closed")
        return WebSurface(side, self._profile, parent)

    def begin(self, *, inline: Mapping[str, tuple[str, bytes]], base: TrackingBase | None, allowed: bool) -> None:
        """Tell what the mail that is shown next brings along, and whether it may load remote images."""
        self.gate.base, self.gate.allowed = base, allowed
        if self._profile is not None:
            self._profile.parts.put(inline)
            self._profile.begin()

    def find_blocked(self) -> list[Blocked]:
        """Return what the documents shown at present were refused."""
        return list(self.gate.blocked.values())

    def watch(self, changed: Callable[[], None]) -> None:
        """Say whom to call when :meth:`find_blocked` has another answer."""
        self.gate.on_blocked = changed

    def close(self) -> None:
        """Delete the profile; every surface must have been closed."""
        profile, self._profile = self._profile, None
        if profile is not None:
            self.gate.on_blocked = lambda: None
            shiboken6.delete(profile)
