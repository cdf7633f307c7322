"""What somebody should look at in a mail, how much it matters, and what to do about it."""

from __future__ import annotations

from collections import Counter

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSettings,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QGuiApplication, QMouseEvent, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from mailnod_desktop.models.findings import FINDING_ROLE, SEVERITIES, FindingsModel
from mailnod_desktop.models.plain import make_visible, shorten
from mailnod_desktop.models.words import WordsFilter
from mailnod_desktop.services.model import Finding, Inspection, Severity
from mailnod_desktop.theme import Theme, get_theme, icon, make_mono_font
from mailnod_desktop.views.bodiless import explain_no_html, knows_text
from mailnod_desktop.views.controls import FilterBox, lay_out_below_bar, make_label
from mailnod_desktop.views.pills import draw_pill
from mailnod_desktop.views.tables import HintList

__all__ = ["FindingsView"]

_ICONS: dict[Severity, str] = {
    "error": "close-octagon-outline",
    "warning": "alert-outline",
    "notice": "information-outline",
}
_PADDING = 10
_ICON_SIDE = 20
_TEXT_LEFT = _PADDING + _ICON_SIDE + 12
_GAP = 3
_BUTTON_WIDTH = 64


class FindingsView(QWidget):
    """Shows the findings of a mail, and leads to the place of each.

    :param settings: not used: a list has no columns.
    """

    #: The :class:`Finding` whose place a person wants to see.
    show_requested = Signal(object)

    def __init__(self, settings: QSettings | None = None, parent: QWidget | None = None) -> None:  # noqa: ARG002
        super().__init__(parent)
        self.setObjectName("findings")
        self._model = FindingsModel(self)
        self._shown = WordsFilter(self._model, self)
        self._counts = make_label(muted=True)
        self._filter = FilterBox(self.tr("Filter findings"), self.tr("Filter by words"))
        self._list = HintList("findings_list", self.tr("Findings in the mail"))
        self._list.setModel(self._shown)
        delegate = _FindingDelegate(self._model, self._list)
        self._list.setItemDelegate(delegate)
        self._list.setMouseTracking(True)
        lay_out_below_bar(self, self._list, wide=(self._counts, self._filter))
        self._filter.textChanged.connect(self._shown.set_text)
        self._list.chosen.connect(self._choose)
        self._list.copy_requested.connect(self._copy)
        delegate.show_clicked.connect(self._choose)
        self.set_inspection(None)

    @property
    def list(self) -> HintList:
        """The list itself."""
        return self._list

    @property
    def counts_text(self) -> str:
        """How many findings there are of each severity."""
        return self._counts.text()

    def set_inspection(self, inspection: Inspection | None) -> None:
        """Show the findings of another inspection, or none."""
        self._model.set_findings(() if inspection is None else inspection.findings)
        numbers = Counter(finding.severity for finding in self._model.rows)
        self._counts.setText(", ".join(self._count(each, numbers[each]) for each in SEVERITIES if numbers[each]))
        if inspection is None:
            hint = self.tr("Open a mail to see what there is to look at.")
        elif not knows_text(inspection):
            hint = explain_no_html(inspection)
        else:
            hint = self.tr("No finding holds these words.") if numbers else self.tr("Nothing to worry about.")
        self._list.set_hint(hint)

    def _count(self, severity: Severity, number: int) -> str:
        name = self._model.describe_severity(severity)
        return (
            self.tr("1 {name}").format(name=name) if number == 1 else self.tr("{n} {name}s").format(n=number, name=name)
        )

    def _choose(self, index: QModelIndex) -> None:
        finding = index.data(FINDING_ROLE)
        if isinstance(finding, Finding) and _has_place(finding):
            self.show_requested.emit(finding)

    def _copy(self) -> None:
        finding = self._list.currentIndex().data(FINDING_ROLE)
        if isinstance(finding, Finding):
            lines = (f"{finding.severity} {finding.rule}: {finding.message}", finding.advice, finding.excerpt)
            QGuiApplication.clipboard().setText("\n".join(line for line in lines if line))


class _FindingDelegate(QStyledItemDelegate):
    """Draws a finding on as many lines as its sentences take."""

    show_clicked = Signal(QModelIndex)

    def __init__(self, model: FindingsModel, parent: HintList) -> None:
        super().__init__(parent)
        self._model = model
        self._list = parent

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return the height at the width that the list has."""
        finding = index.data(FINDING_ROLE)
        width = self._list.viewport().width()
        if not isinstance(finding, Finding):
            return super().sizeHint(option, index)
        blocks = self._lay_out(finding, QRect(0, 0, width, 0), option.font)
        return QSize(width, blocks[-1][0].bottom() + _PADDING + 1)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw icon, severity, rule, what is the matter, what to do, and what stands there."""
        finding, theme = index.data(FINDING_ROLE), get_theme()
        if not isinstance(finding, Finding):
            return
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        area = option.rect
        painter.save()
        painter.fillRect(area, QColor(theme.selected if selected else theme.alternate if hovered else theme.base))
        painter.fillRect(QRect(area.left(), area.bottom(), area.width(), 1), QColor(theme.border))
        colour = _choose_colour(finding.severity, theme)
        icon(_ICONS[finding.severity], colour).paint(
            painter, QRect(area.left() + _PADDING, area.top() + _PADDING, _ICON_SIDE, _ICON_SIDE)
        )
        blocks = self._lay_out(finding, area, option.font)
        head = blocks[0][0]
        painter.setFont(option.font)
        taken = draw_pill(painter, head, self._model.describe_severity(finding.severity), colour)
        painter.setPen(QColor(theme.text if selected else theme.muted))
        painter.setFont(make_mono_font())
        rule = head.adjusted(taken + 8, 0, 0, 0)
        painter.drawText(rule, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, make_visible(finding.rule))
        for block, text, font, muted in blocks[1:]:
            painter.setPen(QColor(theme.muted if muted and not selected else theme.text))
            painter.setFont(font)
            painter.drawText(block, Qt.TextFlag.TextWordWrap | Qt.TextFlag.TextWrapAnywhere, text)
        if _has_place(finding):
            self._draw_button(painter, area, option.font)
        painter.restore()

    def editorEvent(
        self,
        event: QEvent,
        model: QAbstractItemModel,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> bool:
        """Lead to the place where a person clicks on the button."""
        if (
            isinstance(event, QMouseEvent)
            and event.type() is QEvent.Type.MouseButtonRelease
            and _find_button(option.rect, option.font).contains(event.position().toPoint())
        ):
            self.show_clicked.emit(index)
            return True
        return super().editorEvent(event, model, option, index)

    def _draw_button(self, painter: QPainter, area: QRect, font: QFont) -> None:
        theme, button = get_theme(), _find_button(area, font)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(theme.border))
        painter.setBrush(QColor(theme.panel))
        painter.drawRoundedRect(button, 5, 5)
        painter.setPen(QColor(theme.text))
        painter.setFont(font)
        painter.drawText(button, Qt.AlignmentFlag.AlignCenter, self.tr("Show"))

    def _lay_out(self, finding: Finding, area: QRect, font: QFont) -> list[tuple[QRect, str, QFont, bool]]:
        """Return where each text of a finding stands, with its font and whether it is pale; the pill comes first."""
        left, width = area.left() + _TEXT_LEFT, max(area.width() - _TEXT_LEFT - _BUTTON_WIDTH - 2 * _PADDING, 80)
        line = QFontMetrics(font).height()
        blocks = [(QRect(left, area.top() + _PADDING, width, line + 4), "", font, False)]
        bold = QFont(font)
        bold.setWeight(QFont.Weight.DemiBold)
        for text, face, muted in (
            (finding.message, bold, False),
            (finding.advice, font, True),
            (finding.excerpt, make_mono_font(), True),
        ):
            if not text:
                continue
            shown = shorten(make_visible(text), 400)
            top = blocks[-1][0].bottom() + 1 + _GAP
            flags = Qt.TextFlag.TextWordWrap | Qt.TextFlag.TextWrapAnywhere
            bounds = QFontMetrics(face).boundingRect(QRect(0, 0, width, 10_000), int(flags.value), shown)
            blocks.append((QRect(left, top, width, bounds.height()), shown, face, muted))
        return blocks


def _has_place(finding: Finding) -> bool:
    return finding.body is not None and finding.offset is not None


def _find_button(area: QRect, font: QFont) -> QRect:
    height = QFontMetrics(font).height() + 8
    return QRect(area.right() - _PADDING - _BUTTON_WIDTH, area.top() + _PADDING, _BUTTON_WIDTH, height)


def _choose_colour(severity: Severity, theme: Theme) -> str:
    return {"error": theme.bad, "warning": theme.warn, "notice": theme.info}[severity]
