"""What stands in the place of the list while it is empty: how to open a mail, and how to let an app send here."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from mailnod_desktop.services.model import CATCHER_PORT
from mailnod_desktop.theme import get_theme, icon, make_mono_font

__all__ = ["HOST", "NoMatch", "NoMessages"]

HOST = "127.0.0.1"

_SETTINGS = {
    "Flask": 'MAIL_SERVER = "{host}"\nMAIL_PORT = {port}\nMAIL_USE_TLS = False',
    "Django": 'EMAIL_HOST = "{host}"\nEMAIL_PORT = {port}\nEMAIL_USE_TLS = False',
}


class NoMessages(QScrollArea):
    """Says in a few lines what to do first."""

    #: Catching is to begin.
    catch_requested = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("no-messages")
        self.setAccessibleName(self.tr("How to get mail into this list"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self._port: int | None = None
        self._framework = "Flask"
        self._picture = QLabel()
        self._picture.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._catch = QPushButton()
        self._catch.setObjectName("start-catching")
        self._catch.clicked.connect(lambda: self.catch_requested.emit(self._port is None))
        self._where = _make_label("", muted=True)
        self._snippet = QPlainTextEdit()
        self._snippet.setReadOnly(True)
        self._snippet.setObjectName("settings-snippet")
        self._snippet.setAccessibleName(self.tr("Settings for the app"))
        self._snippet.setFont(make_mono_font(8.5))
        self._snippet.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._snippet.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._snippet.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._snippet.setTabChangesFocus(True)
        self._copy = QToolButton()
        self._copy.setAutoRaise(True)
        self._copy.setObjectName("copy-settings")
        self._copy.setToolTip(self.tr("Copy these settings"))
        self._copy.setAccessibleName(self.tr("Copy these settings"))
        self._copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.settings_text))
        self._lay_out()
        self.set_catching(None)

    @property
    def settings_text(self) -> str:
        """The settings that are shown."""
        return _SETTINGS[self._framework].format(host=HOST, port=self._port or CATCHER_PORT)

    def set_catching(self, port: int | None) -> None:
        """Show where apps can send; None where nothing is caught."""
        self._port = port
        if port is None:
            self._catch.setText(self.tr("Start catching"))
            self._where.setText(self.tr("Then send to {host}, port {port}:").format(host=HOST, port=CATCHER_PORT))
        else:
            self._catch.setText(self.tr("Stop catching"))
            self._where.setText(self.tr("Listening at {host}, port {port}:").format(host=HOST, port=port))
        self._catch.setDefault(port is None)
        self._redraw()

    def set_framework(self, name: str) -> None:
        """Show the settings of a framework: "Flask" or "Django"."""
        self._framework = name
        self._snippet.setPlainText(self.settings_text)

    def changeEvent(self, event: QEvent) -> None:
        """Draw pictures anew after the theme has changed."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_copy"):
            self._redraw()

    def _redraw(self) -> None:
        theme = get_theme()
        self._picture.setPixmap(icon("email-open-multiple-outline", theme.muted).pixmap(44, 44))
        self._copy.setIcon(icon("content-copy", theme.muted))
        catching = self._port is not None
        self._catch.setIcon(
            icon("stop" if catching else "email-arrow-left-outline", theme.text if catching else theme.on_accent)
        )
        self._snippet.setPlainText(self.settings_text)
        self._snippet.setFixedHeight(3 * self._snippet.fontMetrics().lineSpacing() + 18)
        self._snippet.setStyleSheet(
            f"QPlainTextEdit {{ background: {theme.alternate}; border: 1px solid {theme.border}; border-radius: 5px; "
            "padding: 4px 4px; }"
        )

    def _lay_out(self) -> None:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(18, 22, 18, 18)
        column.setSpacing(8)
        column.addStretch(2)
        column.addWidget(self._picture)
        heading = _make_label(self.tr("No mail yet"), heading=True)
        column.addWidget(heading)
        column.addWidget(
            _make_label(self.tr("Open a mail with Ctrl+O, or drop .eml, .html or .mbox files here."), muted=True)
        )
        column.addSpacing(14)
        column.addWidget(_make_label(self.tr("Or let your app send here. Nothing is passed on."), muted=True))
        column.addWidget(self._catch, alignment=Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(6)
        column.addWidget(self._where)
        column.addLayout(self._make_frameworks())
        column.addWidget(self._snippet)
        column.addStretch(3)
        self.setWidget(content)

    def _make_frameworks(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2)
        group = QButtonGroup(self)
        for name in _SETTINGS:
            button = QToolButton()
            button.setText(name)
            button.setObjectName(f"settings-{name.lower()}")
            button.setCheckable(True)
            button.setChecked(name == self._framework)
            button.setAutoRaise(True)
            button.setAccessibleName(self.tr("Settings for {framework}").format(framework=name))
            button.clicked.connect(lambda _=False, chosen=name: self.set_framework(chosen))
            group.addButton(button)
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self._copy)
        return row


class NoMatch(QWidget):
    """Says that no mail holds what is looked for."""

    #: Every mail is to be shown again.
    all_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        clear = QToolButton()
        clear.setText(self.tr("Show all mails"))
        clear.clicked.connect(self.all_requested)
        column = QVBoxLayout(self)
        column.addStretch(1)
        column.addWidget(_make_label(self.tr("No mail matches."), muted=True))
        column.addWidget(clear, alignment=Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(2)


def _make_label(text: str, *, muted: bool = False, heading: bool = False) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
    label.setProperty("muted", muted)
    label.setProperty("heading", heading)
    return label
