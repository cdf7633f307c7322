"""The middle of the window: one mail, seen in several ways, with its links below."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSettings, Qt, Signal
from PySide6.QtWidgets import QComboBox, QLabel, QSplitter, QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from mailnod_desktop.services.model import Finding, Inspection, LinkRow
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.views.diff import DiffView
from mailnod_desktop.views.findings import FindingsView
from mailnod_desktop.views.headers import HeadersView
from mailnod_desktop.views.images_off import ImagesOffView
from mailnod_desktop.views.links import LinksView
from mailnod_desktop.views.mime_tree import MimeView
from mailnod_desktop.views.plain_text import PlainTextView
from mailnod_desktop.views.preview import PreviewView
from mailnod_desktop.views.recipients import RecipientsView

__all__ = ["MailArea"]


class MailArea(QWidget):
    """Shows what tracking makes of a mail.

    Only the page that is seen is brought up to date at once; the others follow when they are turned to.

    :param settings: where the columns of tables are remembered.
    :param tasks: does what takes long; None does it at once.
    """

    #: Links of the mail that are to be left alone, as :attr:`Wishes.refused`.
    refused_changed = Signal(object)
    #: A recipient whose copy is to be shown, or None.
    recipient_chosen = Signal(object)
    #: A link was clicked in the preview, or is to be simulated: the row, or None, and the URL.
    link_offered = Signal(object, str)

    def __init__(self, settings: QSettings, tasks: Tasks | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._inspection: Inspection | None = None
        self._body = 0
        self._stale: set[QWidget] = set()
        self.preview = PreviewView()
        self.diff = DiffView(tasks)
        self.images = ImagesOffView(settings)
        self.text = PlainTextView()
        self.headers = HeadersView(settings)
        self.mime = MimeView(settings)
        self.recipients = RecipientsView(settings)
        self.findings = FindingsView(settings)
        self.links = LinksView(settings)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName(self.tr("Views of the mail"))
        pages: tuple[tuple[QWidget, str], ...] = (
            (self.preview, self.tr("Rendered")),
            (self.diff, self.tr("Source diff")),
            (self.images, self.tr("Images off")),
            (self.text, self.tr("Text")),
            (self.headers, self.tr("Headers")),
            (self.mime, self.tr("MIME")),
            (self.recipients, self.tr("Recipients")),
            (self.findings, self.tr("Findings")),
        )
        self._pages = tuple(page for page, _ in pages)
        for page, title in pages:
            self.tabs.addTab(page, title)
        self._bodies = QComboBox()
        self._bodies.setAccessibleName(self.tr("HTML body"))
        self._bodies.setToolTip(self.tr("This mail has several HTML bodies; choose which one is shown"))
        self._bodies.setVisible(False)
        self.tabs.setCornerWidget(self._bodies)
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.setObjectName("mail-splitter")
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.tabs)
        self.splitter.addWidget(self.links)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([520, 190])
        self._stack = QStackedWidget()
        self._empty = QLabel(
            self.tr(
                "Choose a mail at the left, open one with Ctrl+O, or drop .eml, .html and .mbox files here.\n\n"
                "To see what your app sends, point its SMTP settings at the catcher (Ctrl+Shift+C)."
            )
        )
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._empty.setProperty("muted", True)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.splitter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._stack)
        self._connect()

    @property
    def inspection(self) -> Inspection | None:
        """What is shown."""
        return self._inspection

    def set_inspection(self, inspection: Inspection | None) -> None:
        """Show what tracking makes of a mail; None shows how to open one."""
        before, self._inspection = self._inspection, inspection
        if inspection is None:
            self._stack.setCurrentWidget(self._empty)
            self.preview.clear()
            self.links.set_inspection(None)
            return
        other_mail = before is None or before.parsed.mail.key != inspection.parsed.mail.key
        self._stack.setCurrentWidget(self.splitter)
        self._list_bodies(inspection, keep=not other_mail)
        number = len(inspection.findings)
        title = self.tr("Findings") if not number else self.tr("Findings ({})").format(number)
        self.tabs.setTabText(self.tabs.indexOf(self.findings), title)
        self.links.set_inspection(inspection)
        self._stale = set(self._pages)
        self._show_page()

    def show_page(self, number: int) -> None:
        """Turn to a page, counted from 0."""
        self.tabs.setCurrentIndex(number)

    def show_edit(self, by: int) -> None:
        """Turn to the source, and go to the next edit there, or to the one before."""
        if self._inspection is not None:
            self.tabs.setCurrentWidget(self.diff)
            self.diff.step(by)

    def show_in_preview(self, row: LinkRow) -> None:
        """Turn to the preview and scroll to a link; one of plain text is in the view of that."""
        if row.kind == "text":
            self.tabs.setCurrentWidget(self.text)
            return
        self._choose_body(row.body)
        self.tabs.setCurrentWidget(self.preview)
        self.preview.scroll_to_link(row)

    def show_in_diff(self, row: LinkRow) -> None:
        """Turn to the source and go to a link's edit; the source of plain text is the text."""
        if row.kind == "text":
            self.tabs.setCurrentWidget(self.text)
            return
        self._choose_body(row.body)
        self.tabs.setCurrentWidget(self.diff)
        self.diff.show_link(row)

    def show_finding(self, finding: Finding) -> None:
        """Show where the matter of a finding is: the link that stands there, else its body."""
        inspection = self._inspection
        if inspection is None or finding.body is None or finding.offset is None:
            return
        near = [row for row in inspection.links if row.body == finding.body and row.link is not None]
        rows = [row for row in near if row.link is not None and row.link.start <= finding.offset <= row.link.end]
        if rows:
            self.links.select_link(rows[0].body, rows[0].link.index if rows[0].link else 0)
            self.show_in_preview(rows[0])
            return
        self._choose_body(finding.body)
        self.tabs.setCurrentWidget(self.diff)

    def _connect(self) -> None:
        self.tabs.currentChanged.connect(self._show_page)
        self._bodies.activated.connect(self._choose_body)
        self.links.refused_changed.connect(self.refused_changed)
        self.links.show_in_preview.connect(self.show_in_preview)
        self.links.show_in_diff.connect(self.show_in_diff)
        self.links.link_selected.connect(self._follow_selection)
        self.links.simulate.connect(lambda row: self.link_offered.emit(row, row.url))
        self.preview.link_clicked.connect(self._take_click)
        self.preview.source_requested.connect(self.show_in_diff)
        self.diff.jump_to_preview.connect(self.show_in_preview)
        self.recipients.recipient_chosen.connect(self.recipient_chosen)
        self.findings.show_requested.connect(self.show_finding)

    def _take_click(self, _side: str, row: LinkRow | None, url: str) -> None:
        if row is not None and row.link is not None:
            self.links.select_link(row.body, row.link.index)
        self.link_offered.emit(row, url)

    def _follow_selection(self, row: LinkRow) -> None:
        # The page that is seen shows the link; nobody is taken elsewhere by moving through a table.
        if row.kind == "text":
            return
        if row.body != self._body:
            self._choose_body(row.body)
        if self.tabs.currentWidget() is self.preview:
            self.preview.scroll_to_link(row)
        elif self.tabs.currentWidget() is self.diff:
            self.diff.show_link(row)

    def _list_bodies(self, inspection: Inspection, *, keep: bool) -> None:
        number = len(inspection.bodies)
        if not keep or self._body >= number:
            self._body = 0
        self._bodies.clear()
        self._bodies.addItems([self.tr("HTML body {} of {}").format(one + 1, number) for one in range(number)])
        self._bodies.setCurrentIndex(self._body if number else -1)
        self._bodies.setVisible(number > 1)

    def _choose_body(self, body: int) -> None:
        if body == self._body:
            return
        self._body = body
        self._bodies.setCurrentIndex(body)
        self._stale |= {self.preview, self.diff, self.images}
        self._show_page()

    def _show_page(self, _index: int = -1) -> None:
        """Bring the page that is seen up to date."""
        page, inspection = self.tabs.currentWidget(), self._inspection
        if inspection is None or page not in self._stale:
            return
        self._stale.discard(page)
        show: dict[QWidget, Callable[[], object]] = {
            self.preview: lambda: self.preview.show_inspection(inspection, self._body),
            self.diff: lambda: self.diff.set_inspection(inspection, self._body),
            self.images: lambda: self.images.set_inspection(inspection, self._body),
            self.text: lambda: self.text.set_inspection(inspection),
            self.headers: lambda: self.headers.set_inspection(inspection),
            self.mime: lambda: self.mime.set_inspection(inspection),
            self.recipients: lambda: self.recipients.set_inspection(inspection),
            self.findings: lambda: self.findings.set_inspection(inspection),
        }
        show[page]()
