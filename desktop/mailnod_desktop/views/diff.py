"""The source of a mail before and after, edit by edit, from the rewriter's own list of them."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QAction, QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QVBoxLayout, QWidget

from mailnod_desktop.models.copies import compare_copies, list_comparable
from mailnod_desktop.models.diff_lines import DiffLines, EditPlace
from mailnod_desktop.models.plain import make_tooltip, make_visible, shorten
from mailnod_desktop.services.diff import DiffRow, make_diff
from mailnod_desktop.services.model import Body, Inspection, LinkRow
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.theme import icon
from mailnod_desktop.views.bodiless import explain_no_html
from mailnod_desktop.views.controls import ChoiceBox, IconTool, make_label
from mailnod_desktop.views.diff_canvas import DiffCanvas
from mailnod_desktop.views.diff_search import DiffSearch

__all__ = ["DiffView"]

_ADDRESS_CHARS = 40
#: Longer sources are compared in another thread; so many characters take some hundredths of a second.
_AT_ONCE_CHARS = 500_000


class DiffView(QWidget):
    """Shows original and rewritten source side by side, or the copies of two recipients.

    :param tasks: compares long sources; None compares all of them at once.
    """

    #: The :class:`LinkRow` that a person wants to see rendered.
    jump_to_preview = Signal(object)

    def __init__(self, tasks: Tasks | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("diff")
        self._tasks = tasks
        self._inspection: Inspection | None = None
        self._body = 0
        self._made: tuple[Body, tuple[DiffRow, ...]] | None = None
        #: What is to be shown as soon as its source was compared.
        self._awaited: LinkRow | None = None
        self._canvas = DiffCanvas()
        self._canvas.setAccessibleName(self.tr("Source, before and after"))
        self._caption = make_label()
        # It gives way where there is little room, and the tooltip says it whole.
        self._caption.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._left, self._right = make_label(heading=True), make_label(heading=True)
        self._mode = ChoiceBox(self.tr("What is compared"), chars=21)
        self._mode.addItems([self.tr("Original and rewritten"), self.tr("Copies of two recipients")])
        self._recipients = tuple(ChoiceBox(name, chars=18) for name in (self.tr("First copy"), self.tr("Second copy")))
        for combo in self._recipients:
            combo.activated.connect(lambda _index: self._load())
        self._before = IconTool("chevron-up", self.tr("Previous edit"), "Shift+F7", "P")
        self._after = IconTool("chevron-down", self.tr("Next edit"), "F7", "N")
        self._whole = IconTool("unfold-more-horizontal", self.tr("Show the whole file"), "W")
        self._whole.setCheckable(True)
        self._find = IconTool("magnify", self.tr("Search in the source"), "Ctrl+F")
        self._search = DiffSearch(self._canvas)
        self._search.hide()
        self._lay_out()
        self._before.clicked.connect(lambda: self.step(-1))
        self._after.clicked.connect(lambda: self.step(1))
        self._whole.toggled.connect(lambda: self._load(keep=True))
        self._find.clicked.connect(self._search.open)
        self._mode.activated.connect(lambda _index: self._load())
        self._canvas.edit_clicked.connect(self._go_to)
        self._canvas.edit_chosen.connect(self._jump)
        self._canvas.menu_requested.connect(self._open_menu)
        self._load()

    @property
    def canvas(self) -> DiffCanvas:
        """What draws the lines."""
        return self._canvas

    @property
    def search(self) -> DiffSearch:
        """The bar to search with."""
        return self._search

    @property
    def caption(self) -> str:
        """Which edit is marked, in words."""
        return self._caption.text()

    @property
    def compares_copies(self) -> bool:
        """Whether two recipients' copies are compared."""
        return self._mode.currentIndex() == 1

    def set_inspection(self, inspection: Inspection | None, body: int = 0) -> None:
        """Show one body of another inspection; of the same mail, one stays where one was.

        :param body: number of the HTML body, from 0.
        """
        before, self._inspection = self._inspection, inspection
        same_mail = (
            before is not None
            and inspection is not None
            and before.parsed.mail.key == inspection.parsed.mail.key
            and body == self._body
        )
        self._body = body
        self._list_recipients()
        self._load(keep=same_mail)

    def show_link(self, row: LinkRow) -> None:
        """Go to the edit of a link or of the pixel, or to its line where it was left alone."""
        if self.compares_copies:
            self._mode.setCurrentIndex(0)
            self._load()
        body = self._get_body()
        self._awaited = row if body is not None and self._must_wait(body) else None
        lines = self._canvas.lines
        if lines is None or self._awaited is not None:
            return
        for place in lines.edits:
            if self._find_row(place) == row:
                self._go_to(place.number)
                return
        self._go_to(None)
        if body is not None:
            number = body.original.count("\n", 0, row.offset) + 1
            position = lines.find_number(number)
            if lines.rows[position].kind == "gap":
                self._canvas.expand(position)
            self._canvas.scroll_to_number(max(number - 4, 1))

    def step(self, by: int) -> None:
        """Go to the next edit, or to the one before; behind the last one comes the first."""
        places = self._get_places()
        if not places:
            return
        numbers = [place.number for place in places]
        current = self._canvas.current
        if current not in numbers:
            self._go_to(numbers[0 if by > 0 else -1])
            return
        self._go_to(numbers[(numbers.index(current) + by) % len(numbers)])

    def compare_copies(self, one: str, other: str) -> None:
        """Compare the copies of two recipients."""
        for combo, address in zip(self._recipients, (one, other), strict=True):
            combo.setCurrentIndex(combo.findData(address))
        self._mode.setCurrentIndex(1)
        self._load()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go through edits, unfold, or search by keys that no action of the window has taken."""
        back = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if event.matches(QKeySequence.StandardKey.Find):
            self._search.open()
        elif event.key() == Qt.Key.Key_F7:
            self.step(-1 if back else 1)
        elif event.key() in (Qt.Key.Key_N, Qt.Key.Key_P) and not event.modifiers():
            self.step(-1 if event.key() == Qt.Key.Key_P else 1)
        elif event.key() == Qt.Key.Key_W and not event.modifiers():
            self._whole.click()
        else:
            super().keyPressEvent(event)

    def make_menu(self, edit: int | None) -> QMenu:
        """Return the menu for the lines that are selected and an edit."""
        menu = QMenu(self)
        place = next((one for one in self._get_places() if one.number == edit), None)
        row = None if place is None else self._find_row(place)

        def add(text: str, name: str, enabled: bool) -> QAction:
            action = menu.addAction(icon(name), text)
            action.setEnabled(enabled)
            return action

        copy = add(self.tr("Copy lines"), "content-copy", bool(self._canvas.get_selected_text()))
        copy.setShortcut("Ctrl+C")
        copy.triggered.connect(self._canvas.copy)
        for text, url in (
            (self.tr("Copy original URL"), row.url if row else ""),
            (self.tr("Copy tracked URL"), row.tracked_url if row else ""),
        ):
            copy = add(text, "link-variant", bool(url))
            copy.triggered.connect(lambda _=False, url=url: QGuiApplication.clipboard().setText(url))
        menu.addSeparator()
        show = add(self.tr("Show in preview"), "eye-outline", row is not None)
        show.triggered.connect(lambda: self.jump_to_preview.emit(row))
        return menu

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setContentsMargins(8, 5, 8, 5)
        top.setSpacing(4)
        top.addWidget(self._mode)
        for combo in self._recipients:
            top.addWidget(combo)
        top.addSpacing(8)
        top.addWidget(self._caption, 1)
        for button in (self._before, self._after, self._whole, self._find):
            top.addWidget(button)
        headings = QHBoxLayout()
        headings.setContentsMargins(0, 2, self._canvas.verticalScrollBar().sizeHint().width(), 4)
        headings.setSpacing(0)
        for label in (self._left, self._right):
            label.setContentsMargins(10, 0, 4, 0)
            headings.addWidget(label, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(top)
        layout.addWidget(self._search)
        layout.addLayout(headings)
        layout.addWidget(self._canvas, 1)
        self.setFocusProxy(self._canvas)

    def _get_body(self) -> Body | None:
        bodies = () if self._inspection is None else self._inspection.bodies
        return bodies[self._body] if self._body < len(bodies) else None

    def _get_places(self) -> list[EditPlace]:
        return [] if self._canvas.lines is None else self._canvas.lines.edits

    def _list_recipients(self) -> None:
        addresses = () if self._inspection is None else list_comparable(self._inspection)
        for number, combo in enumerate(self._recipients):
            before = combo.currentData()
            combo.clear()
            for address in addresses:
                combo.addItem(shorten(make_visible(address), _ADDRESS_CHARS), address)
            kept = combo.findData(before)
            combo.setCurrentIndex(kept if kept >= 0 else min(number, len(addresses) - 1))
        item = self._mode.model().index(1, 0)
        tip = "" if len(addresses) > 1 else self.tr("There are no two recipients whose copies are tracked alike")
        self._mode.setItemData(item.row(), tip, Qt.ItemDataRole.ToolTipRole)
        if len(addresses) < 2:
            self._mode.setCurrentIndex(0)
        self._mode.setEnabled(len(addresses) > 1)
        self._mode.setToolTip(tip)

    def _load(self, *, keep: bool = False) -> None:
        """Make the rows afresh.

        :param keep: whether one stays at the line and the edit where one was.
        """
        for combo in self._recipients:
            combo.setVisible(self.compares_copies)
        waiting = self._get_body()
        if waiting is not None and self._must_wait(waiting):
            self._begin(waiting, keep=keep)
            return
        number, link = self._canvas.get_first_number(), self._get_current_link()
        at_top = self._canvas.verticalScrollBar().value() == 0
        body = self._get_body()
        self._canvas.set_lines(None if body is None else self._make_lines(body), self._explain_emptiness())
        self._search.refresh()
        if keep:
            if not at_top:
                self._canvas.scroll_to_number(number)
            place = next((one for one in self._get_places() if (one.link, one.reason) == link), None)
            self._canvas.go_to_edit(place.number if place else None)
        self._describe()

    def _must_wait(self, body: Body) -> bool:
        """Tell whether a source must be compared first, and takes too long for the GUI thread."""
        known = self._made is not None and self._made[0] is body
        return not (known or self._tasks is None or self.compares_copies or len(body.original) <= _AT_ONCE_CHARS)

    def _begin(self, body: Body, *, keep: bool) -> None:
        """Compare a long source; what is shown of the same mail stays meanwhile."""
        if self._tasks is None:
            return
        if not keep:
            self._canvas.set_lines(None, self.tr("Comparing…"))
            self._describe()
        self._tasks.start("diff", lambda _: make_diff(body), partial(self._take_rows, body, keep=keep))

    def _take_rows(self, body: Body, rows: tuple[DiffRow, ...], *, keep: bool) -> None:
        if body is not self._get_body():
            return
        self._made = (body, rows)
        self._load(keep=keep)
        if self._awaited is not None:
            self.show_link(self._awaited)

    def _make_lines(self, body: Body) -> DiffLines:
        if self.compares_copies and self._inspection is not None and body.plan is not None:
            one, other = (self._inspection.tokens[combo.currentData()] for combo in self._recipients)
            self._left.setText(self._recipients[0].currentText())
            self._right.setText(self._recipients[1].currentText())
            copies, rows = compare_copies(body, body.plan, one, other)
            lines = DiffLines(rows, copies.original, copies.rewritten)
        else:
            self._left.setText(self.tr("Original, {n} bytes").format(n=f"{body.original_bytes:,}"))
            self._right.setText(self.tr("Rewritten, {n} bytes").format(n=f"{body.rewritten_bytes:,}"))
            if self._made is None or self._made[0] is not body:
                self._made = (body, make_diff(body))
            lines = DiffLines(self._made[1], body.original, body.rewritten)
        if self._whole.isChecked():
            lines.expand_all()
        return lines

    def _explain_emptiness(self) -> str:
        for label in (self._left, self._right):
            label.setVisible(self._get_body() is not None)
        if self._inspection is None:
            return self.tr("Open a mail to see what tracking changes in its source.")
        return explain_no_html(self._inspection)

    def _get_current_link(self) -> tuple[int | None, str] | None:
        current = self._canvas.current
        return next(((one.link, one.reason) for one in self._get_places() if one.number == current), None)

    def _go_to(self, number: int | None) -> None:
        self._canvas.go_to_edit(number)
        self._describe()

    def _describe(self) -> None:
        places, current = self._get_places(), self._canvas.current
        for button in (self._before, self._after):
            button.setEnabled(bool(places))
        body = self._get_body()
        for widget in (self._whole, self._find):
            widget.setEnabled(body is not None)
        numbers = [place.number for place in places]
        if body is None:
            text = ""
        elif self._canvas.lines is None:
            text = self.tr("Comparing…")
        elif not places:
            text = self.tr("No edits: this body leaves as it came")
        elif self.compares_copies:
            differ = self.tr("1 place differs") if len(places) == 1 else self.tr("{n} places differ")
            text = self.tr("{places}, each of them the token; all else is the same").format(
                places=differ.format(n=len(places))
            )
        elif current not in numbers:
            text = self.tr("1 edit") if len(places) == 1 else self.tr("{n} edits").format(n=len(places))
        else:
            at = numbers.index(current)
            text = self.tr("Edit {at} of {total}: {what}").format(
                at=at + 1, total=len(places), what=self._name_edit(places[at])
            )
        self._caption.setText(text)
        self._caption.setToolTip(make_tooltip(text))
        self._canvas.setAccessibleDescription(text)

    def _name_edit(self, place: EditPlace) -> str:
        if place.link is None:
            return place.reason
        return self.tr("link {number} tracked").format(number=place.link + 1)

    def _find_row(self, place: EditPlace) -> LinkRow | None:
        """Return the row of the table of links that an edit belongs to."""
        if self._inspection is None:
            return None
        for row in self._inspection.links:
            if row.body != self._body or not row.tracked:
                continue
            if row.link is not None and row.link.index == place.link:
                return row
            if place.link is None and row.link is None and place.reason.startswith(_REASONS[row.kind]):
                return row
        return None

    def _jump(self, number: int) -> None:
        self._go_to(number)
        place = next((one for one in self._get_places() if one.number == number), None)
        row = None if place is None else self._find_row(place)
        if row is not None:
            self.jump_to_preview.emit(row)

    def _open_menu(self, at: QPoint) -> None:
        menu = self.make_menu(self._canvas.find_edit_at(at))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self._canvas.viewport().mapToGlobal(at))


#: How the reasons of edits begin that belong to no link of the mail.
_REASONS = {"pixel": "pixel", "honeypot": "hidden link", "click": "link"}
