"""What was decided about a mail, and why; which token it got, and where its pixel stands."""

from __future__ import annotations

from datetime import timedelta

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import QFormLayout, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from mailnod.model import Mode
from mailnod_desktop.models.plain import capitalise, make_visible, shorten
from mailnod_desktop.models.tokens import read_token
from mailnod_desktop.services.model import Inspection
from mailnod_desktop.theme import get_theme
from mailnod_desktop.views.bodiless import knows_text
from mailnod_desktop.views.controls import IconTool, WarningLabel, make_label
from mailnod_desktop.views.pills import draw_pill
from mailnod_desktop.views.tables import make_source_font

__all__ = ["Outcome"]

_TOKEN_CHARS = 18
_BUTTON_SIZE = (36, 26)


class Outcome(QWidget):
    """Says in short sentences what was decided, in the order in which it was weighed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._opens, self._clicks = _Pill(), _Pill()
        self._error = WarningLabel()
        self._unknown = make_label(muted=True, wrap=True)
        self._reasons = QGridLayout()
        self._reasons.setContentsMargins(0, 0, 0, 0)
        self._reasons.setHorizontalSpacing(7)
        self._reasons.setVerticalSpacing(4)
        self._reasons.setColumnStretch(1, 1)
        self._token = make_label()
        self._token.setFont(make_source_font())
        self._copy = IconTool("content-copy", self.tr("Copy the token"))
        # Squeezed to nothing, while it is laid out for the first time, it could not be drawn.
        self._copy.setFixedSize(*_BUTTON_SIZE)
        self._copy.clicked.connect(self._copy_token)
        self._full_token = ""
        self._ephemeral_keys = False
        self._valid, self._key, self._pixel = (make_label(wrap=True) for _ in range(3))
        self._form = QFormLayout()
        self._body = QWidget()
        self._lay_out()
        self.set_inspection(None)

    @property
    def sentences(self) -> list[str]:
        """The reasons as they are shown."""
        items = (self._reasons.itemAtPosition(row, 1) for row in range(self._reasons.rowCount()))
        widgets = (None if item is None else item.widget() for item in items)
        return [widget.text() for widget in widgets if isinstance(widget, QLabel)]

    @property
    def pixel_text(self) -> str:
        """Where the pixel stands, in words."""
        return self._pixel.text()

    def set_ephemeral_keys(self, ephemeral: bool) -> None:
        """Say from now on whether the keys were made for this run, so that no collector knows them."""
        self._ephemeral_keys = ephemeral

    def set_inspection(self, inspection: Inspection | None) -> None:
        """Say what was decided, or nothing."""
        self._body.setVisible(inspection is not None)
        self._clear_reasons()
        if inspection is None:
            return
        decision = inspection.decision
        for pill, axis, mode in (
            (self._opens, self.tr("opens"), decision.opens),
            (self._clicks, self.tr("clicks"), decision.clicks),
        ):
            on = mode is not Mode.NONE and not inspection.error
            text = self.tr("{axis} tracked") if on else self.tr("{axis} off")
            pill.show_state(text.format(axis=axis), on)
        self._error.show_text(capitalise(make_visible(inspection.error)))
        self._unknown.setText("\n".join(capitalise(make_visible(one)) for one in inspection.unknown))
        self._unknown.setVisible(bool(inspection.unknown))
        for row, reason in enumerate(decision.reasons):
            number = make_label(f"{row + 1}.", muted=True)
            number.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight)
            self._reasons.addWidget(number, row, 0)
            self._reasons.addWidget(make_label(capitalise(make_visible(reason)), wrap=True), row, 1)
        self._show_token(inspection)
        self._pixel.setText(self._describe_pixel(inspection))

    def _lay_out(self) -> None:
        pills = QHBoxLayout()
        pills.setSpacing(6)
        pills.addWidget(self._opens)
        pills.addWidget(self._clicks)
        pills.addStretch(1)
        token = QHBoxLayout()
        token.setSpacing(2)
        token.addWidget(self._token)
        token.addWidget(self._copy)
        token.addStretch(1)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(10)
        self._form.setVerticalSpacing(4)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.addRow(make_label(self.tr("Token"), muted=True), token)
        self._form.addRow(make_label(self.tr("Records"), muted=True), self._valid)
        self._form.addRow(make_label(self.tr("Key"), muted=True), self._key)
        self._form.addRow(make_label(self.tr("Pixel"), muted=True), self._pixel)
        body = QVBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(8)
        body.addWidget(_Rule())
        body.addWidget(make_label(self.tr("Decision"), heading=True))
        body.addLayout(pills)
        body.addWidget(self._error)
        body.addLayout(self._reasons)
        body.addWidget(self._unknown)
        body.addWidget(_Rule())
        body.addLayout(self._form)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._body)

    def _clear_reasons(self) -> None:
        while (item := self._reasons.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.setParent(None)
                widget.deleteLater()

    def _show_token(self, inspection: Inspection) -> None:
        self._full_token = inspection.token or ""
        facts = read_token(self._full_token)
        self._copy.setVisible(facts is not None)
        for label in (self._valid, self._key):
            self._form.setRowVisible(label, facts is not None)
        if facts is None:
            known = knows_text(inspection)
            self._token.setText(self.tr("none: nothing is tracked") if known else self.tr("not recorded"))
            return
        self._token.setText(shorten(self._full_token, _TOKEN_CHARS))
        last = (facts.expires_at - timedelta(days=1)).date()
        self._valid.setText(self.tr("until {day}, 24:00 UTC").format(day=last.isoformat()))
        own = self._ephemeral_keys and not inspection.as_sent
        made = self.tr("{number}, made for this run") if own else "{number}"
        self._key.setText(made.format(number=facts.key_id))

    def _copy_token(self) -> None:
        QGuiApplication.clipboard().setText(self._full_token)

    def _describe_pixel(self, inspection: Inspection) -> str:
        places = {
            "before </body>": self.tr("before </body>"),
            "end": self.tr("at the end"),
            "top": self.tr("at the top, because Gmail would cut the end off"),
        }
        said = []
        for row in inspection.links:
            plan = inspection.bodies[row.body].plan if row.kind == "pixel" and row.tracked else None
            if plan is not None and plan.pixel in places:
                said.append(
                    self.tr("{place}, at 0x{offset:04X}").format(place=places[plan.pixel], offset=row.offset)
                    + (self.tr(" of body {number}").format(number=row.body + 1) if len(inspection.bodies) > 1 else "")
                )
        return "\n".join(said) or (self.tr("none") if knows_text(inspection) else self.tr("not recorded"))


class _Pill(QWidget):
    """A pill that stands alone."""

    def __init__(self) -> None:
        super().__init__()
        self._text, self._on = "", False

    def show_state(self, text: str, on: bool) -> None:
        """Show a state in words, and in the colour of what is on or off."""
        self._text, self._on = text, on
        self.setAccessibleName(text)
        self.setFixedSize(self.fontMetrics().horizontalAdvance(text) + 18, self.fontMetrics().height() + 6)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        """Draw it."""
        theme = get_theme()
        painter = QPainter(self)
        draw_pill(painter, self.rect(), self._text, theme.good if self._on else theme.muted)
        painter.end()


class _Rule(QWidget):
    """A line between two parts."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(1)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        """Draw it."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(get_theme().border))
        painter.end()
