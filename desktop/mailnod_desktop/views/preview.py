"""The preview: a mail as it came and as it leaves, side by side, as a reader would see it."""

from __future__ import annotations

import time
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from mailnod_desktop.services.images import score_alt, without_images
from mailnod_desktop.services.model import CLIP_BYTES, Inspection, LinkRow
from mailnod_desktop.views.bodiless import explain_no_html
from mailnod_desktop.views.preview_blocked import merge_blocked
from mailnod_desktop.views.preview_controls import PreviewControls
from mailnod_desktop.views.preview_documents import Shown, find_base, find_shown, format_bytes, make_document
from mailnod_desktop.views.preview_fallback import make_backend
from mailnod_desktop.views.preview_pane import PreviewPane
from mailnod_desktop.views.preview_surface import DarkMode, PreviewBackend, Side, Surface
from mailnod_desktop.web.rules import Blocked

__all__ = ["PreviewView"]

_SIDES: tuple[Side, ...] = ("original", "rewritten")
_SHARE = 10_000


class PreviewView(QWidget):
    """Shows one body of an inspected mail in two panes.

    :param backend: what draws; None takes the best there is. It belongs to the view, which closes it.
    """

    #: A link was clicked, which leads nowhere here: pane, its row or None, and its URL.
    link_clicked = Signal(str, object, str)
    #: Somebody asked in a link's menu to simulate a click: pane, its row or None, and its URL.
    simulate_requested = Signal(str, object, str)
    #: Somebody asked in a link's menu where it stands in the source; its row.
    source_requested = Signal(object)
    #: The URL below the mouse, or "".
    link_hovered = Signal(str)
    #: Both panes are on the screen, so many milliseconds after they were asked for.
    rendered = Signal(float)
    #: A switch above the panes was used: its name ("width", "images", "dark", "linked", "marks") and what it says now.
    option_changed = Signal(str, object)

    def __init__(self, parent: QWidget | None = None, *, backend: PreviewBackend | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("previewView")
        self._backend = backend or make_backend()
        self._inspection: Inspection | None = None
        self._shown: Shown | None = None
        self._body = 0
        self._images = self._linked = True
        self._dark: DarkMode = "off"
        self._allowed: set[str] = set()
        self._waiting: set[Side] = set()
        self._started_s = 0.0
        self._blocked: list[Blocked] = []

        self.controls = PreviewControls(self)
        self._splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self._splitter.setObjectName("previewSplitter")
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setHandleWidth(5)
        titles = {"original": self.tr("Original"), "rewritten": self.tr("Rewritten")}
        self._panes: dict[Side, PreviewPane] = {}
        for side in _SIDES:
            surface = self._backend.make_surface(side, self)
            self._panes[side] = PreviewPane(f"{side}Pane", titles[side], surface, self)
            self._splitter.addWidget(self._panes[side])
            self._splitter.setStretchFactor(len(self._panes) - 1, 1)
            self._connect(side, surface)
        # Equal shares, whatever the headers would like to have.
        self._splitter.setSizes([_SHARE, _SHARE])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.controls)
        layout.addWidget(self._splitter, 1)

        # Refusals come in bursts while a page loads.
        self._blocked_timer = QTimer(self, singleShot=True, interval=120)
        self._blocked_timer.timeout.connect(self._take_blocked)
        self._backend.watch(self._blocked_timer.start)
        self.controls.set_drawing(not self._backend.problem)
        self.controls.width_chosen.connect(self.set_width)
        self.controls.images_toggled.connect(self.set_images)
        self.controls.dark_chosen.connect(self.set_dark)
        self.controls.linked_toggled.connect(self.set_scroll_linked)
        self.controls.marks_toggled.connect(self.set_marks)
        self.controls.blocked.allow_toggled.connect(self.set_allowed)
        self._note()

    @property
    def problem(self) -> str:
        """Why HTML cannot be drawn here, in words; "" where it can."""
        return self._backend.problem

    @property
    def blocked(self) -> list[Blocked]:
        """What the mail was kept from loading, each thing once."""
        return list(self._blocked)

    def show_inspection(self, inspection: Inspection, body: int = 0) -> None:
        """Show a body of an inspected mail; what did not change stays on the screen.

        :param body: number of the HTML body, from 0; where there is none, the panes are empty.
        """
        self._inspection, self._body = inspection, body
        self._shown = find_shown(inspection, body)
        self._render()

    def clear(self) -> None:
        """Show nothing."""
        self._inspection = self._shown = None
        self._render()

    def set_width(self, pixels: int | None) -> None:
        """Lay both panes out for a screen so wide; None is a desktop's reading pane."""
        for pane in self._panes.values():
            pane.surface.set_page_width(pixels)
        self.controls.show_width(pixels)
        self.option_changed.emit("width", pixels)

    def set_images(self, on: bool) -> None:
        """Show the mail with its images, or as a client shows it before somebody lets them in."""
        self._images = on
        for pane in self._panes.values():
            pane.surface.set_images(on)
        self.controls.show_images(on)
        self._render()
        self.option_changed.emit("images", on)

    def set_dark(self, mode: DarkMode) -> None:
        """Take on dark colours as inverting clients do, or as clients that honour the mail's own dark styles do."""
        self._dark = mode
        for pane in self._panes.values():
            pane.surface.set_dark(mode)
        self.controls.show_dark(mode)
        self.option_changed.emit("dark", mode)

    def set_scroll_linked(self, on: bool) -> None:
        """Let each pane follow the other's scrolling, or not."""
        self._linked = on
        self.controls.show_linked(on)
        self.option_changed.emit("linked", on)

    def set_marks(self, on: bool) -> None:
        """Outline links, and show where the pixel is."""
        for pane in self._panes.values():
            pane.surface.set_marks(on)
        self.controls.show_marks(on)
        self.option_changed.emit("marks", on)

    def set_allowed(self, on: bool) -> None:
        """Let remote images in for the mail that is shown, pixels excepted, or keep them out again."""
        if self._inspection is None:
            return
        key = self._inspection.parsed.mail.key
        self._allowed = self._allowed | {key} if on else self._allowed - {key}
        self._render()

    def scroll_to_link(self, row: LinkRow) -> None:
        """Scroll both panes to a link or to the pixel, and let it flash."""
        if self._shown is None or row not in self._shown.rows:
            return
        number = self._shown.rows.index(row)
        for pane in self._panes.values():
            pane.surface.reveal(number)

    def grab_png(self, path: Path) -> None:
        """Save a picture of both panes.

        :raises OSError: where it cannot be written.
        """
        if not self._splitter.grab().save(str(path), "PNG"):
            raise OSError(self.tr("the picture cannot be written to {path}").format(path=path))

    def close_pages(self) -> None:
        """Give up pages and profile, in the order that Qt WebEngine asks for; the view shows nothing afterwards."""
        self._blocked_timer.stop()
        self._inspection = self._shown = None
        for pane in self._panes.values():
            pane.surface.close_page()
        self._backend.close()

    def _connect(self, side: Side, surface: Surface) -> None:
        other: Side = "rewritten" if side == "original" else "original"
        surface.link_clicked.connect(lambda number, url: self.link_clicked.emit(side, self._find_row(number), url))
        surface.simulate_requested.connect(
            lambda number, url: self.simulate_requested.emit(side, self._find_row(number), url)
        )
        surface.source_requested.connect(self._ask_for_source)
        surface.link_hovered.connect(self.link_hovered)
        surface.scrolled.connect(lambda fraction: self._follow(other, fraction))
        surface.settled.connect(lambda: self._settle(side))
        surface.noted.connect(self._note)

    def _ask_for_source(self, number: int) -> None:
        row = self._find_row(number)
        if row is not None:
            self.source_requested.emit(row)

    def _find_row(self, number: int | None) -> LinkRow | None:
        rows = self._shown.rows if self._shown else ()
        return rows[number] if number is not None and 0 <= number < len(rows) else None

    def _follow(self, side: Side, fraction: float) -> None:
        if self._linked:
            self._panes[side].surface.scroll_to(fraction)

    def _render(self) -> None:
        self._started_s = time.perf_counter()
        inspection, shown = self._inspection, self._shown
        allowed = self._images and inspection is not None and inspection.parsed.mail.key in self._allowed
        self._backend.begin(
            inline=inspection.parsed.inline if inspection else {},
            base=find_base(inspection) if inspection else None,
            allowed=allowed,
        )
        self._waiting.clear()
        for side in _SIDES:
            html = self._choose_html(shown, side)
            document = make_document(shown, side, html) if shown is not None else None
            if self._panes[side].surface.show_document(document):
                self._waiting.add(side)
        self._write_headers()
        self._blocked_timer.start()
        if not self._waiting and shown is not None:
            self._tell_rendered()

    def _choose_html(self, shown: Shown | None, side: Side) -> str:
        if shown is None:
            return ""
        html = shown.body.rewritten if side == "rewritten" else shown.body.original
        return html if self._images else without_images(html)

    def _write_headers(self) -> None:
        shown = self._shown
        original, rewritten = self._panes["original"], self._panes["rewritten"]
        if shown is None:
            empty = [] if self._inspection is None else [explain_no_html(self._inspection)]
            for pane in self._panes.values():
                pane.facts.set_parts(empty)
                pane.meter.clear()
            self._note()
            return
        body = shown.body
        original.facts.set_parts([format_bytes(body.original_bytes)])
        original.meter.set_size(body.original_bytes, None)
        rewritten.meter.set_size(body.rewritten_bytes, shown.pixel_end_bytes)
        if body.plan is None or not body.plan.changed:
            rewritten.facts.set_parts([self.tr("leaves as it came"), format_bytes(body.rewritten_bytes)])
        else:
            edits = len(body.plan.edits)
            added = body.rewritten_bytes - body.original_bytes
            words = self.tr("{added} in 1 edit") if edits == 1 else self.tr("{added} in {edits} edits")
            sign = "+" if added >= 0 else "\N{MINUS SIGN}"
            change = words.format(added=sign + format_bytes(abs(added)), edits=edits)
            rewritten.facts.set_parts([change, format_bytes(body.rewritten_bytes)])
        self._note()

    def _note(self) -> None:
        notes = {side: list(pane.surface.notes) for side, pane in self._panes.items()}
        if self._shown is not None and not self._images:
            share, words = score_alt(self._shown.body.original)
            score = self.tr("alt texts {share} %: {words}").format(share=share, words=words)
            for each in notes.values():
                each.append(score)
        if self._shown is not None and (self._shown.pixel_end_bytes or 0) > CLIP_BYTES:
            notes["rewritten"].append(self.tr("the pixel falls behind the clip"))
        keep_line = any(notes.values())
        for side, pane in self._panes.items():
            pane.set_notes(notes[side], keep_line=keep_line)

    def _take_blocked(self) -> None:
        self._blocked = merge_blocked(self._backend.find_blocked())
        key = self._inspection.parsed.mail.key if self._inspection else ""
        self.controls.blocked.set_state(self._blocked, allowed=key in self._allowed)

    def _settle(self, side: Side) -> None:
        if side in self._waiting:
            self._waiting.discard(side)
            if not self._waiting:
                self._tell_rendered()

    def _tell_rendered(self) -> None:
        self.rendered.emit(1000 * (time.perf_counter() - self._started_s))
