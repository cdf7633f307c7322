"""What is left of a mail where a client shows no images, and how well their texts stand in for them."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSettings, QSize, Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from mailnod_desktop.models.images import ImageColumn, ImagesModel
from mailnod_desktop.models.words import WordsFilter
from mailnod_desktop.services.images import list_images, score_alt
from mailnod_desktop.services.model import Inspection
from mailnod_desktop.theme import get_theme
from mailnod_desktop.views.bodiless import explain_no_html
from mailnod_desktop.views.controls import FilterBox, make_label
from mailnod_desktop.views.tables import HintTable, MonoDelegate, StateDelegate, remember_columns, set_widths

__all__ = ["ImagesOffView"]

_GOOD, _FAIR = 80, 50


class ImagesOffView(QWidget):
    """Lists the images of a body as it leaves, the pixel too, and scores their texts.

    :param settings: where the widths of the columns are remembered.
    """

    def __init__(self, settings: QSettings | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("images_off")
        self._model = ImagesModel(self)
        self._shown = WordsFilter(self._model, self)
        self._score = _Score()
        self._words = make_label(wrap=True)
        self._filter = FilterBox(self.tr("Filter images"), self.tr("Filter by text or source"), width=260)
        self._table = HintTable("images_table", self.tr("Images of the mail"))
        self._table.setModel(self._shown)
        self._table.setItemDelegateForColumn(ImageColumn.STATE, StateDelegate(self._table))
        self._table.setItemDelegateForColumn(ImageColumn.SOURCE, MonoDelegate(self._table, muted=True))
        self._table.setItemDelegateForColumn(ImageColumn.OFFSET, MonoDelegate(self._table))
        self._table.make_sortable()
        set_widths(self._table, (4, 14, 40, 14, 44, 9))
        remember_columns(settings, self._table)
        top = QHBoxLayout()
        top.setContentsMargins(10, 6, 8, 6)
        top.setSpacing(10)
        top.addWidget(self._score)
        top.addWidget(self._words, 1)
        top.addWidget(self._filter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(top)
        layout.addWidget(self._table)
        self._filter.textChanged.connect(self._shown.set_text)
        self._table.copy_requested.connect(self._copy)
        self.set_inspection(None)

    @property
    def table(self) -> HintTable:
        """The table itself."""
        return self._table

    @property
    def score(self) -> int | None:
        """How well texts stand in for images, from 0 to 100; None without a mail."""
        return self._score.value

    @property
    def words(self) -> str:
        """Why the score is what it is."""
        return self._words.text()

    def set_inspection(self, inspection: Inspection | None, body: int = 0) -> None:
        """Show the images of one body as it leaves.

        :param body: number of the HTML body, from 0.
        """
        bodies = () if inspection is None else inspection.bodies
        html = bodies[body].rewritten if body < len(bodies) else None
        self._model.set_images(() if html is None else list_images(html))
        score, words = (None, "") if html is None else score_alt(html)
        self._score.show_score(score)
        self._words.setText(words[:1].upper() + words[1:])
        if inspection is None:
            hint = self.tr("Open a mail to see what is left of it without images.")
        elif html is None:
            hint = explain_no_html(inspection)
        else:
            hint = self.tr("No image holds these words.") if self._model.rowCount() else self.tr("No images.")
        self._table.set_hint(hint)
        self._table.setAccessibleDescription(words)

    def _copy(self) -> None:
        index = self._table.currentIndex()
        if index.isValid():
            row = self._model.get_row(self._shown.mapToSource(index).row())
            QGuiApplication.clipboard().setText(row.alt or "" if index.column() == ImageColumn.SEEN else row.src)


class _Score(QWidget):
    """A number with a bar below it, which says in its colour and in a word how good it is."""

    def __init__(self) -> None:
        super().__init__()
        self.value: int | None = None
        self.setFixedSize(self.sizeHint())

    def show_score(self, value: int | None) -> None:
        """Show a number from 0 to 100; None shows nothing."""
        self.value = value
        self.setVisible(value is not None)
        self.setAccessibleName("" if value is None else self.tr("Alt text score: {n} of 100").format(n=value))
        self.update()

    def sizeHint(self) -> QSize:
        """Leave room for the number, a word, and the bar."""
        return QSize(118, 34)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        """Draw it."""
        if self.value is None:
            return
        theme, value = get_theme(), self.value
        colour = theme.good if value >= _GOOD else theme.warn if value >= _FAIR else theme.bad
        word = self.tr("good") if value >= _GOOD else self.tr("fair") if value >= _FAIR else self.tr("poor")
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        large = QFont(self.font())
        large.setPointSizeF(large.pointSizeF() * 1.5)
        large.setWeight(QFont.Weight.DemiBold)
        painter.setFont(large)
        painter.setPen(QColor(theme.text))
        number = self.rect().adjusted(0, -1, 0, -8)
        painter.drawText(number, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, str(value))
        left = painter.fontMetrics().horizontalAdvance(str(value)) + 6
        painter.setFont(self.font())
        painter.setPen(QColor(theme.muted))
        painter.drawText(
            number.adjusted(left, 3, 0, 0),
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
            self.tr("of 100, {word}").format(word=word),
        )
        bar = QRectF(0, self.height() - 6, self.width() - 4, 5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.border))
        painter.drawRoundedRect(bar, 2.5, 2.5)
        painter.setBrush(QColor(colour))
        painter.drawRoundedRect(QRectF(bar.left(), bar.top(), bar.width() * value / 100, bar.height()), 2.5, 2.5)
        painter.end()
