"""Draws a mail in two lines: what it is and when it came; whom it is for, its links and how large it is."""

from __future__ import annotations

from datetime import date, datetime

from PySide6.QtCore import QCoreApplication, QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from mailnod_desktop.models.messages import ENTRY_ROLE, Entry
from mailnod_desktop.models.plain import make_visible, shorten
from mailnod_desktop.services.model import CLIP_BYTES, MailSummary
from mailnod_desktop.theme import Theme, get_theme, icon

__all__ = ["MessageDelegate", "describe_time"]

_MARGIN_X, _MARGIN_Y, _GAP = 10, 7, 4
_ICON = 16
_BAR_WIDTH, _BAR_HEIGHT = 26, 5
#: A narrower line leaves the bar out, so that more of the address is to be read.
_WIDE = 190
_ORIGINS = {
    "smtp": "email-arrow-left-outline",
    "file": "file-document-outline",
    "mailbox": "mailbox-outline",
    "store": "database-outline",
}


def describe_time(time: datetime | None, *, today: date) -> str:
    """Return the hour of a time of today, and the day of any other, on this machine's clock."""
    if time is None:
        return ""
    local = time.astimezone()
    if local.date() == today:
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b}" if local.year == today.year else f"{local:%Y-%m-%d}"


class MessageDelegate(QStyledItemDelegate):
    """Draws the rows of :class:`~mailnod_desktop.models.messages.MessagesModel`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:  # noqa: ARG002
        """Every row has two lines of the same height."""
        line = QFontMetrics(option.font).height()
        return QSize(120, 2 * line + _GAP + 2 * _MARGIN_Y)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one row."""
        entry: Entry = index.data(ENTRY_ROLE)
        theme = get_theme()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_ground(painter, option, theme)
        area = option.rect.adjusted(_MARGIN_X, _MARGIN_Y, -_MARGIN_X, -_MARGIN_Y)
        line = QFontMetrics(option.font).height()
        self._draw_marks(painter, QRect(area.left(), area.top(), _ICON, line), entry, theme)
        text = area.adjusted(_ICON + 8, 0, 0, 0)
        self._draw_title(painter, QRect(text.left(), text.top(), text.width(), line), entry, option, theme)
        second = QRect(text.left(), text.top() + line + _GAP, text.width(), line)
        self._draw_facts(painter, second, entry, option, theme)
        painter.restore()

    def _draw_ground(self, painter: QPainter, option: QStyleOptionViewItem, theme: Theme) -> None:
        rect = option.rect
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(theme.selected))
            painter.fillRect(QRect(rect.left(), rect.top(), 3, rect.height()), QColor(theme.accent))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(theme.alternate))
        painter.fillRect(QRect(rect.left(), rect.bottom(), rect.width(), 1), theme.tint(theme.border, alpha=0.55))

    def _draw_marks(self, painter: QPainter, rect: QRect, entry: Entry, theme: Theme) -> None:
        """Draw where the mail came from; in its place, that something is wrong with it."""
        troubled = entry.summary is not None and bool(entry.summary.problem)
        name = "alert-outline" if troubled else _ORIGINS[entry.source.origin]
        colour = theme.warn if troubled else theme.accent if entry.unread else theme.muted
        place = QRect(rect.left(), rect.center().y() - _ICON // 2 + 1, _ICON, _ICON)
        icon(name, colour).paint(painter, place)

    def _draw_title(
        self, painter: QPainter, rect: QRect, entry: Entry, option: QStyleOptionViewItem, theme: Theme
    ) -> None:
        time = describe_time(entry.time, today=datetime.now().astimezone().date())
        small = _make_small(option.font)
        width = QFontMetrics(small).horizontalAdvance(time)
        painter.setFont(small)
        painter.setPen(QColor(theme.muted))
        painter.drawText(rect, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, time)
        font = QFont(option.font)
        font.setWeight(QFont.Weight.DemiBold if entry.unread else QFont.Weight.Normal)
        subject = make_visible(shorten(entry.title)) or QCoreApplication.translate("MessageDelegate", "(no subject)")
        painter.setPen(QColor(theme.text))
        _draw_elided(painter, rect.adjusted(0, 0, -width - 8 if time else 0, 0), subject, font)

    def _draw_facts(
        self, painter: QPainter, rect: QRect, entry: Entry, option: QStyleOptionViewItem, theme: Theme
    ) -> None:
        font = _make_small(option.font)
        summary = entry.summary
        right = rect.right() + 1
        # Of a delivery that was recorded without its body there is no size, and there are no links.
        if summary is not None and (summary.html_bytes or entry.source.origin != "store"):
            right = self._draw_size(painter, rect, right, summary, font, theme)
            if summary.tracked:
                right = _draw_icon(painter, rect, right, "eye-outline", theme.info)
            if summary.links is not None:
                right = self._draw_count(painter, rect, right, str(summary.links), font, theme)
            if summary.attachments:
                right = _draw_icon(painter, rect, right, "paperclip", theme.muted)
        painter.setPen(QColor(theme.muted))
        whom = QRect(rect.left(), rect.top(), max(right - rect.left() - 8, 0), rect.height())
        _draw_people(painter, whom, summary, font)

    def _draw_count(self, painter: QPainter, rect: QRect, right: int, text: str, font: QFont, theme: Theme) -> int:
        painter.setFont(font)
        painter.setPen(QColor(theme.muted))
        width = QFontMetrics(font).horizontalAdvance(text)
        painter.drawText(QRect(right - width, rect.top(), width, rect.height()), Qt.AlignmentFlag.AlignVCenter, text)
        return _draw_icon(painter, rect, right - width - 2, "link-variant", theme.muted)

    def _draw_size(
        self, painter: QPainter, rect: QRect, right: int, summary: MailSummary, font: QFont, theme: Theme
    ) -> int:
        """Draw the size of the HTML and how much of what Gmail shows it takes; without HTML that of the mail."""
        share = summary.html_bytes / CLIP_BYTES
        colour = theme.bad if share > 1 else theme.warn if share > 0.8 else theme.good
        kilobytes = max(round((summary.html_bytes or summary.size_bytes) / 1024), 1)
        text = f"{kilobytes} KB" if kilobytes < 1024 else f"{kilobytes / 1024:.0f} MB"
        painter.setFont(font)
        painter.setPen(QColor(colour if share > 0.8 else theme.muted))
        width = max(QFontMetrics(font).horizontalAdvance(text), QFontMetrics(font).horizontalAdvance("88 KB"))
        flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRect(right - width, rect.top(), width, rect.height()), flags, text)
        right -= width + 5
        if share > 1:
            return _draw_icon(painter, rect, right + 2, "content-cut", theme.bad)
        if not summary.html_bytes or rect.width() < _WIDE:
            return right - 3
        bar = QRectF(right - _BAR_WIDTH, rect.center().y() - _BAR_HEIGHT / 2 + 1, _BAR_WIDTH, _BAR_HEIGHT)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.border))
        painter.drawRoundedRect(bar, 2.5, 2.5)
        painter.setBrush(QColor(colour))
        painter.drawRoundedRect(QRectF(bar.left(), bar.top(), max(3.0, bar.width() * share), bar.height()), 2.5, 2.5)
        return right - _BAR_WIDTH - 8


def _draw_people(painter: QPainter, rect: QRect, summary: MailSummary | None, font: QFont) -> None:
    """Draw the first recipient, and how many more there are; the sender where no recipient is known."""
    if summary is None:
        _draw_elided(painter, rect, "…", font)
        return
    if not summary.recipients:
        _draw_elided(painter, rect, make_visible(summary.sender), font)
        return
    more = f" +{len(summary.recipients) - 1}" if len(summary.recipients) > 1 else ""
    width = QFontMetrics(font).horizontalAdvance(more)
    drawn = _draw_elided(painter, rect.adjusted(0, 0, -width, 0), make_visible(summary.recipients[0]), font)
    place = QRect(rect.left() + drawn, rect.top(), width, rect.height())
    painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, more)


def _draw_icon(painter: QPainter, rect: QRect, right: int, name: str, colour: str) -> int:
    """Draw a small icon that ends somewhere, and return where the next thing may end."""
    size = 13
    icon(name, colour).paint(painter, QRect(right - size, rect.center().y() - size // 2 + 1, size, size))
    return right - size - 6


def _draw_elided(painter: QPainter, rect: QRect, text: str, font: QFont) -> int:
    """Draw what of a text fits, and return its width."""
    metrics = QFontMetrics(font)
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(rect.width(), 0))
    painter.setFont(font)
    painter.drawText(rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)
    return metrics.horizontalAdvance(shown)


def _make_small(font: QFont) -> QFont:
    small = QFont(font)
    small.setPointSizeF(font.pointSizeF() * 0.92)
    return small
