"""What of the counts is asked for: by what, of whom, which events, and how far back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from mailnod_desktop.services.metrics import Audience, Grouping, Kind, Span
from mailnod_desktop.views.controls import make_label

__all__ = ["MetricsChoices"]


class MetricsChoices(QWidget):
    """Three choosers side by side, and one that stands elsewhere (:attr:`span_box`)."""

    #: Other counts have to be read.
    read_changed = Signal()
    #: What was read is to be shown otherwise.
    shown_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        tr = self.tr
        by: list[tuple[str, Grouping]] = [
            (tr("campaign"), "campaign"),
            (tr("route"), "route"),
            (tr("link"), "link"),
            (tr("message"), "message"),
        ]
        who: list[tuple[str, Audience]] = [
            (tr("people and machines"), "all"),
            (tr("people"), "human"),
            (tr("machines"), "machine"),
        ]
        what: list[tuple[str, Kind]] = [
            (tr("opens and clicks"), "all"),
            (tr("opens"), "opens"),
            (tr("clicks"), "clicks"),
        ]
        hour, day = timedelta(hours=1), timedelta(days=1)
        spans = [
            (tr("48 hours"), Span(length=2 * day, slot=hour)),
            (tr("14 days"), Span(length=14 * day, slot=6 * hour)),
            (tr("60 days"), Span(length=60 * day, slot=day)),
            (tr("a year"), Span(length=364 * day, slot=7 * day)),
        ]
        self._by = _make_box("metrics-by", tr("Group by"), by)
        self._who = _make_box("metrics-who", tr("Whose events"), who)
        self._what = _make_box("metrics-what", tr("Which events"), what)
        #: How long before the newest event the chart of time begins.
        self.span_box = _make_box("metrics-span", tr("Stretch of time"), spans)
        self.span_box.setToolTip(tr("As long before the newest event that was counted"))
        for box in (self._by, self.span_box):
            box.currentIndexChanged.connect(self.read_changed)
        for box in (self._who, self._what):
            box.currentIndexChanged.connect(self.shown_changed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(7)
        for widget in (make_label(tr("By"), muted=True), self._by, make_label(tr("of"), muted=True), self._who):
            row.addWidget(widget)
        row.addWidget(self._what)

    @property
    def by(self) -> Grouping:
        """What events are counted by, beside the time."""
        by: Grouping = self._by.currentData()
        return by

    @property
    def who(self) -> Audience:
        """Whose events."""
        who: Audience = self._who.currentData()
        return who

    @property
    def what(self) -> Kind:
        """Which events."""
        what: Kind = self._what.currentData()
        return what

    @property
    def span(self) -> Span:
        """How far back, and in which slots."""
        span: Span = self.span_box.currentData()
        return span

    def name_grouping(self, by: Grouping) -> str:
        """Return what events are counted by, in words."""
        return self._by.itemText(self._by.findData(by))


def _make_box(name: str, accessible_name: str, choices: Sequence[tuple[str, object]]) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.setAccessibleName(accessible_name)
    for text, value in choices:
        box.addItem(text, value)
    return box
