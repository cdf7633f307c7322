"""What a pane of the preview draws on, whatever draws it: Qt WebEngine, or plain text where that is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from mailnod.html.urls import TrackingBase
from mailnod_desktop.web.rules import Blocked

__all__ = ["DarkMode", "PreviewBackend", "PreviewDocument", "Side", "Surface"]

Side = Literal["original", "rewritten"]
#: "invert" is what the Gmail app and Outlook do to a mail; "author" what Apple Mail does, which asks the mail's styles.
DarkMode = Literal["off", "invert", "author"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewDocument:
    """What one pane shows."""

    #: Names the mail and the body; the scroll position survives while it stays the same.
    key: str
    html: str = field(repr=False)
    #: Number and decoded ``href`` of each link that a browser sees.
    links: tuple[tuple[int, str], ...] = ()
    tracked: tuple[int, ...] = ()
    #: What stands beside an outlined link, by number.
    names: Mapping[int, str] = field(default_factory=dict)
    #: Number and URL of the pixel; -1 and "" where there is none.
    pixel_row: int = -1
    pixel: str = ""
    #: The mail's plain text, for surfaces that draw no HTML.
    text: str = field(default="", repr=False)


class Surface(QWidget):
    """Shows one document; by itself it shows nothing."""

    #: Number of the clicked link, or None where it is unknown, and its URL.
    link_clicked = Signal(object, str)
    #: Somebody asked in the menu to simulate a click: number or None, and URL.
    simulate_requested = Signal(object, str)
    #: Somebody asked in the menu where a link stands in the source: its number.
    source_requested = Signal(int)
    #: The URL below the mouse; "" where there is none.
    link_hovered = Signal(str)
    #: How far somebody scrolled, from 0 to 1.
    scrolled = Signal(float)
    #: What was asked for last is on the screen.
    settled = Signal()
    #: Something to be said beside the name changed; see :attr:`notes`.
    noted = Signal()

    @property
    def notes(self) -> list[str]:
        """What a person has to know of how it is shown, in a few words each."""
        return []

    def show_document(self, document: PreviewDocument | None) -> bool:
        """Show a document, or nothing.

        :returns: whether :attr:`settled` will come.
        """
        raise NotImplementedError

    def set_page_width(self, pixels: int | None) -> None:
        """Lay the page out for a screen so wide; None takes the width of a desktop's reading pane."""

    def set_images(self, on: bool) -> None:
        """Draw images or not; counts from the next document on."""

    def set_dark(self, mode: DarkMode) -> None:
        """Take on the colours that a client in dark mode has."""

    def set_marks(self, on: bool) -> None:
        """Outline links and the pixel."""

    def scroll_to(self, fraction: float) -> None:
        """Scroll there without reporting it."""

    def reveal(self, number: int) -> None:
        """Scroll to a link or the pixel, and let it flash."""

    def close_page(self) -> None:
        """Give up what the surface draws with; nothing can be shown afterwards."""


class PreviewBackend(Protocol):
    """Makes surfaces, and holds what they share: parts of the mail, what may be loaded, what was blocked."""

    #: Why HTML cannot be drawn, in words; "" where it can.
    problem: str

    def make_surface(self, side: Side, parent: QWidget) -> Surface:
        """Make the surface of one pane."""

    def begin(self, *, inline: Mapping[str, tuple[str, bytes]], base: TrackingBase | None, allowed: bool) -> None:
        """Tell what the mail that is shown next brings along, and whether it may load remote images."""

    def find_blocked(self) -> list[Blocked]:
        """Return what the documents shown at present were refused."""

    def watch(self, changed: Callable[[], None]) -> None:
        """Say whom to call when :meth:`find_blocked` has another answer."""

    def close(self) -> None:
        """Give up everything, after all surfaces were closed."""
