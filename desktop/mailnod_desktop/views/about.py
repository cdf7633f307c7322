"""What Help shows: every key, and what the program is."""

from __future__ import annotations

from importlib.metadata import version

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from mailnod_desktop.theme import make_mono_font
from mailnod_desktop.views.actions import Actions

__all__ = ["show_about", "show_keys"]

_COLUMNS = 3


def show_keys(actions: Actions, parent: QWidget) -> None:
    """List the key of each action."""
    lines = [
        f"{keys:<18}{action.text().replace('&', '').rstrip('…')}"
        for action in actions
        if (keys := action.shortcut().toString())
    ]
    length = -(-len(lines) // _COLUMNS)
    columns = [lines[start : start + length] for start in range(0, len(lines), length)]
    width = max(map(len, lines), default=0) + 3
    rows = ("".join(f"{column[row]:<{width}}" for column in columns if row < len(column)) for row in range(length))
    _show_text(_tr("Keys"), "\n".join(row.rstrip() for row in rows), parent)


def show_about(parent: QWidget) -> None:
    """Say what the program is, and of which version."""
    text = _tr("Mailnod {}\n\nSee what tracking does to a mail, and who really opened it.\n\nMIT licence.")
    _show_text(_tr("About Mailnod"), text.format(version("mailnod")), parent)


def _show_text(title: str, text: str, parent: QWidget) -> None:
    dialog = QDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(title)
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setFont(make_mono_font(10))
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.close)
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(20, 18, 20, 14)
    layout.addWidget(label)
    layout.addWidget(buttons)
    dialog.open()


def _tr(text: str) -> str:
    return QCoreApplication.translate("Help", text)
