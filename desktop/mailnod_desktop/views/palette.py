"""The palette: type a few letters of any action or mail, and press Return."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QIcon, QKeyEvent, QPixmap
from PySide6.QtWidgets import QDialog, QFrame, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

__all__ = ["Choice", "Palette", "rank"]

_MOST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Something that the palette offers."""

    text: str
    #: Which menu it is of, or what it is: "Mail".
    kind: str
    run: Callable[[], object]
    keys: str = ""
    icon: QIcon | None = None
    enabled: bool = True


def rank(typed: str, text: str) -> int | None:
    """Return how far a text is from what was typed, 0 being the nearest; None where it does not match.

    All letters must occur in order. Beginnings of words are nearer than letters within them.
    """
    typed, lowered = typed.lower().strip(), text.lower()
    if not typed:
        return 0
    whole = lowered.find(typed)
    if whole >= 0:
        return whole + (0 if whole == 0 or lowered[whole - 1] == " " else 20)
    position, distance = -1, 100
    for letter in typed.replace(" ", ""):
        found = lowered.find(letter, position + 1)
        if found < 0:
            return None
        begins_word = found == 0 or not lowered[found - 1].isalnum()
        distance += 0 if found == position + 1 or begins_word else found - position
        position = found
    return distance


class Palette(QDialog):
    """A line to type in, and below it what matches, nearest first.

    :param choices: what is offered.
    """

    def __init__(self, choices: Sequence[Choice], parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setObjectName("palette")
        self.setAccessibleName(self.tr("Command palette"))
        self._choices = choices
        # Where an action has no picture, its text stands below the others all the same.
        blank = QPixmap(16, 16)
        blank.fill(Qt.GlobalColor.transparent)
        self._no_icon = QIcon(blank)
        self.line = QLineEdit()
        self.line.setPlaceholderText(self.tr("Type a command, or part of a mail's subject"))
        self.line.setAccessibleName(self.tr("Command"))
        self.line.setClearButtonEnabled(True)
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Matching commands"))
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        frame = QFrame()
        frame.setFrameShape(QFrame.Shape.StyledPanel)
        inner = QVBoxLayout(frame)
        inner.setContentsMargins(8, 8, 8, 8)
        inner.addWidget(self.line)
        inner.addWidget(self.list)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(frame)
        self.resize(620, 420)
        self.line.textChanged.connect(self._show)
        self.line.installEventFilter(self)
        self.list.itemActivated.connect(self._run)
        self.list.itemClicked.connect(self._run)
        self._show("")
        self.line.setFocus()

    def place(self, over: QWidget) -> None:
        """Move to the upper middle of a window."""
        middle = over.mapToGlobal(over.rect().center())
        self.move(middle.x() - self.width() // 2, over.mapToGlobal(over.rect().topLeft()).y() + 70)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the arrows move through the list while the line has the focus."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 10, Qt.Key.Key_PageUp: -10}
            if event.key() in steps:
                row = self.list.currentRow() + steps[Qt.Key(event.key())]
                self.list.setCurrentRow(max(0, min(row, self.list.count() - 1)))
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run(self.list.currentItem())
                return True
        return super().eventFilter(watched, event)

    def _show(self, typed: str) -> None:
        ranked = [(rank(typed, f"{choice.text} {choice.kind}"), choice) for choice in self._choices]
        found = sorted(
            ((distance, number) for number, (distance, _) in enumerate(ranked) if distance is not None),
        )
        self.list.clear()
        for _, number in found[:_MOST]:
            choice = self._choices[number]
            parts = [choice.text, choice.kind, choice.keys]
            item = QListWidgetItem("   ·   ".join(part for part in parts if part))
            item.setIcon(self._no_icon if choice.icon is None or choice.icon.isNull() else choice.icon)
            if not choice.enabled:
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
            item.setData(Qt.ItemDataRole.UserRole, number)
            self.list.addItem(item)
        if self.list.count():
            self.list.setCurrentRow(0)

    def _run(self, item: QListWidgetItem | None) -> None:
        if item is None or not item.flags() & Qt.ItemFlag.ItemIsEnabled:
            return
        choice = self._choices[item.data(Qt.ItemDataRole.UserRole)]
        # What it runs may open a window of its own, so this one goes first.
        self.accept()
        choice.run()
