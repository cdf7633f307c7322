"""The line in which events are asked for: it completes fields and values, and shows a mistake where it stands."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QCoreApplication, QEvent, QModelIndex, QObject, QSettings, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAction,
    QColor,
    QInputMethodEvent,
    QKeyEvent,
    QStandardItem,
    QStandardItemModel,
    QTextCharFormat,
)
from PySide6.QtWidgets import (
    QCompleter,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QLineEdit,
    QListView,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from mailnod.errors import QueryError
from mailnod_desktop.models.query_memory import QueryMemory
from mailnod_desktop.services.event_query import complete
from mailnod_desktop.theme import get_theme, icon, make_mono_font

__all__ = ["QueryBox"]

_PAUSE_MS = 350
_TEXT_ROLE = Qt.ItemDataRole.UserRole + 1
_EXAMPLE = "class:!generic_bot  rcpt:example.com  since:24h  word"


class QueryBox(QWidget):
    """A line for a query, with completion, history and saved filters.

    :param settings: where history and saved filters are kept.
    """

    #: The text is to be looked for: somebody stopped typing, pressed Return, or chose a filter.
    submitted = Signal(str)

    def __init__(self, settings: QSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.memory = QueryMemory(settings)
        self._sent = ""
        self._timer = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._timer.timeout.connect(self._send)
        self.line = self._make_line()
        self.saved = QToolButton(self)
        self.saved.setObjectName("events-saved-filters")
        self.line.setMinimumWidth(120)
        self.saved.setText(self.tr("Filters"))
        self.saved.setToolTip(self.tr("Saved filters and those used last"))
        self.saved.setAccessibleName(self.tr("Saved filters"))
        self.saved.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.saved.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.saved.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        menu = QMenu(self.saved)
        menu.aboutToShow.connect(self.fill_menu)
        self.saved.setMenu(menu)
        self.error = QLabel(self)
        self.error.setObjectName("events-query-error")
        self.error.setTextFormat(Qt.TextFormat.RichText)
        self.error.setWordWrap(True)
        self.error.setContentsMargins(9, 0, 0, 2)
        self.error.hide()
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.line, 1)
        row.addWidget(self.saved)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.error)
        self._options = QStandardItemModel(self)
        self._completer = QCompleter(self._options, self)
        self._completer.setCompletionMode(QCompleter.CompletionMode.UnfilteredPopupCompletion)
        self._completer.setMaxVisibleItems(12)
        self._completer.setWidget(self.line)
        self._popup = QListView()
        self._popup.setObjectName("completions")
        self._popup.setAccessibleName(self.tr("Ways to go on"))
        self._completer.setPopup(self._popup)
        self._completer.activated[QModelIndex].connect(self._insert)  # type: ignore[index]
        self.apply_theme()

    def text(self) -> str:
        """Return what stands in the line."""
        return self.line.text()

    def set_text(self, text: str) -> None:
        """Write a query, and look for it at once."""
        self.line.setText(text)
        self._send()

    def show_error(self, error: QueryError | None) -> None:
        """Mark a mistake where it stands and say what is meant perhaps; None says that all is well."""
        text = self.line.text()
        self._underline(error)
        self.line.setProperty("invalid", error is not None)
        if error is None:
            self.error.hide()
            return
        bad = get_theme().bad
        start, end = min(error.start, len(text)), max(min(error.end, len(text)), error.start)
        place = escape(text[start:end]) or "…"
        before = escape(text[max(start - 24, 0) : start])
        marked = f'<code>{before}<u style="color:{bad}">{place}</u>{escape(text[end : end + 24])}</code>'
        self.error.setText(f'<span style="color:{bad}">{escape(str(error))}</span> &nbsp; {marked}')
        self.error.setAccessibleName(str(error))
        self.error.show()

    def fill_menu(self) -> None:
        """Write the menu of saved filters anew."""
        menu = self.saved.menu()
        menu.clear()
        saved = self.memory.list_saved()
        for name, text in saved:
            self._add(menu, f"{name}\t{_shorten(text)}", text)
        if not saved:
            menu.addAction(self.tr("No saved filters yet")).setEnabled(False)
        menu.addSeparator()
        save = menu.addAction(self.tr("Save this filter…"), self._ask_name)
        save.setEnabled(bool(self.text().strip()))
        for title, act in ((self.tr("Rename"), self._ask_new_name), (self.tr("Delete"), self.memory.delete)):
            sub = menu.addMenu(title)
            sub.setEnabled(bool(saved))
            for name, _ in saved:
                sub.addAction(name).triggered.connect(lambda _=False, name=name, act=act: act(name))
        history = menu.addMenu(self.tr("Used last"))
        used = self.memory.list_history()
        history.setEnabled(bool(used))
        for text in used[:15]:
            self._add(history, _shorten(text, 70), text)

    def apply_theme(self) -> None:
        """Take the icons of the present theme."""
        muted = get_theme().muted
        self._lead.setIcon(icon("filter-outline", muted))
        self.saved.setIcon(icon("bookmark-outline"))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Go on where somebody asks for it: with the arrow down, or Control and the space bar."""
        if watched is self.line and event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            wants = event.key() == Qt.Key.Key_Down or (
                event.key() == Qt.Key.Key_Space and event.modifiers() & Qt.KeyboardModifier.ControlModifier
            )
            if wants:
                self._offer(asked=True)
                return True
        return super().eventFilter(watched, event)

    def _make_line(self) -> QLineEdit:
        line = QLineEdit(self)
        line.setObjectName("events-query")
        line.setAccessibleName(self.tr("Filter of events"))
        line.setPlaceholderText(self.tr("Filter events, such as {example}").format(example=_EXAMPLE))
        line.setToolTip(
            self.tr(
                "field:value side by side, and all of it must hold. a,b is any of several; ! or - is the opposite; "
                "a word is looked for in subjects, recipients, destinations and clients.\n"
                "The arrow down shows what can stand here."
            )
        )
        line.setFont(make_mono_font())
        line.setMinimumWidth(200)
        line.setClearButtonEnabled(True)
        self._lead = QAction(self)
        line.addAction(self._lead, QLineEdit.ActionPosition.LeadingPosition)
        line.textEdited.connect(self._take_edit)
        line.textChanged.connect(lambda text: None if text else self._timer.start())
        line.returnPressed.connect(self._send)
        line.installEventFilter(self)
        return line

    def _take_edit(self) -> None:
        self._timer.start()
        self._offer(asked=False)

    def _offer(self, *, asked: bool) -> None:
        """Show how the word before the cursor can go on."""
        text, cursor = self.line.text(), self.line.cursorPosition()
        found = complete(text, cursor)
        options = [(option.text, option.doc) for option in found.options]
        typed = text[found.start : found.end]
        if asked and not text.strip():
            options += [(used, self.tr("used before")) for used in self.memory.list_history()[:5]]
        quiet = not typed and text[cursor - 1 : cursor] not in (":", ",", "!")
        if not options or (not asked and (quiet or [one for one, _ in options] == [typed])):
            self._popup.hide()
            return
        self._options.clear()
        widest = max(len(one) for one, _ in options)
        for one, doc in options:
            item = QStandardItem(f"{one.ljust(widest)}  {doc}".rstrip())
            item.setFont(self.line.font())
            item.setData(one, _TEXT_ROLE)
            item.setToolTip(doc)
            self._options.appendRow(item)
        rect = self.line.cursorRect()
        rect.setWidth(min(self._popup.sizeHintForColumn(0) + 30, max(self.width(), 300)))
        self._completer.complete(rect)

    def _insert(self, index: QModelIndex) -> None:
        chosen = index.data(_TEXT_ROLE)
        text, cursor = self.line.text(), self.line.cursorPosition()
        found = complete(text, cursor)
        # A field is followed by its value, and a value by the next wish.
        ending = "" if chosen.endswith(":") or text[found.end : found.end + 1] == " " else " "
        self.line.setText(text[: found.start] + chosen + ending + text[found.end :])
        self.line.setCursorPosition(found.start + len(chosen) + len(ending))
        self._timer.start()
        if chosen.endswith(":"):
            QTimer.singleShot(0, self, lambda: self._offer(asked=False))

    def _send(self) -> None:
        self._timer.stop()
        if self.text() != self._sent:
            self._sent = self.text()
            self.submitted.emit(self._sent)

    def _add(self, menu: QMenu, title: str, text: str) -> None:
        action = menu.addAction(title.replace("&", "&&"))
        action.setToolTip(text)
        action.triggered.connect(lambda: self.set_text(text))

    def _ask_name(self) -> None:
        self._ask(self.tr("Save this filter"), "", lambda name: self.memory.save(name, self.text().strip()))

    def _ask_new_name(self, name: str) -> None:
        self._ask(self.tr("Rename {name}").format(name=name), name, lambda new: self.memory.rename(name, new))

    def _ask(self, title: str, value: str, act: object) -> None:
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(title)
        dialog.setLabelText(self.tr("Name:"))
        dialog.setTextValue(value)
        dialog.textValueSelected.connect(lambda name: act(name.strip()) if name.strip() else None)  # type: ignore[operator]
        dialog.open()

    def _underline(self, error: QueryError | None) -> None:
        """Draw a wavy line under a part of the text, as input methods do it."""
        attributes = []
        if error is not None:
            form = QTextCharFormat()
            form.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
            form.setUnderlineColor(QColor(get_theme().bad))
            start = error.start - self.line.cursorPosition()
            length = max(error.end - error.start, 1)
            kind = QInputMethodEvent.AttributeType.TextFormat
            attributes.append(QInputMethodEvent.Attribute(kind, start, length, form))
        QCoreApplication.sendEvent(self.line, QInputMethodEvent("", attributes))


def _shorten(text: str, most: int = 40) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
