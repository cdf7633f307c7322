"""What a simulation brought: for each request its verdict, the reasons with their weights, and what it counts."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from mailnod.explanation import Explanation
from mailnod.model import Metrics
from mailnod_desktop.models.plain import capitalise, make_tooltip, make_visible
from mailnod_desktop.services.simulation import SimulatedHit, SimulationResult
from mailnod_desktop.theme import get_theme, icon, make_mono_font
from mailnod_desktop.views.controls import make_label
from mailnod_desktop.views.event_details_parts import Pill, ProbabilityBar, WeightBar

__all__ = ["VerdictCard", "VerdictPanel", "describe_delay"]

#: More are not shown one by one: the events view has them all.
_MOST_CARDS = 40
#: Where there are no more than these, each shows its reasons at once.
_OPEN_CARDS = 3
_BOLD = "font-weight: 600; padding: 2px 4px;"
#: Counts that a person cares for, and what they are called.
_COUNTS = ("human_opens", "human_clicks", "machine_opens", "machine_clicks")


def describe_delay(seconds: float) -> str:
    """Return how long after sending something happened, in the unit that says most."""
    if seconds < 60:
        return f"+{seconds:.1f} s"
    if seconds < 3600:
        return f"+{int(seconds // 60)} min {seconds % 60:04.1f} s"
    if seconds < 2 * 86_400:
        return f"+{int(seconds // 3600)} h {int(seconds % 3600 // 60):02} min"
    return f"+{int(seconds // 86_400)} d"


class VerdictPanel(QScrollArea):
    """Shows the result of the last play."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("verdicts")
        self.setAccessibleName(self.tr("Verdicts"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._result: SimulationResult | None = None
        self.cards: list[VerdictCard] = []
        self._redrawing = QTimer(self)
        self._redrawing.setSingleShot(True)
        self._redrawing.setInterval(0)
        self._redrawing.timeout.connect(self._show_again)
        self.say(self.tr("Play a client to see what the collector would make of it."))

    @property
    def result(self) -> SimulationResult | None:
        """What is shown; None where nothing was played, or it failed."""
        return self._result

    def say(self, text: str, *, trouble: bool = False) -> None:
        """Show a sentence in place of a result."""
        self._result, self.cards = None, []
        column = self._begin()
        if trouble:
            picture = QLabel()
            picture.setPixmap(icon("alert-outline", get_theme().warn).pixmap(22, 22))
            column.addWidget(picture)
        column.addWidget(make_label(make_visible(text), muted=not trouble, wrap=True))
        column.addStretch(1)

    def show_result(self, result: SimulationResult) -> None:
        """Show what a play brought."""
        self._result, self.cards = result, []
        column = self._begin()
        column.addWidget(make_label(self._sum_up(result), heading=True, wrap=True))
        column.addWidget(make_label(self._describe_counts(result), muted=True, wrap=True))
        self._add_cards(column, result.hits, opened=len(result.hits) <= _OPEN_CARDS)
        if result.revised:
            column.addSpacing(4)
            column.addWidget(make_label(self.tr("Judged anew because of it"), heading=True))
            self._add_cards(column, result.revised, opened=False)
        column.addStretch(1)

    def changeEvent(self, event: QEvent) -> None:
        """Draw the cards anew after the theme has changed."""
        super().changeEvent(event)
        # Qt goes through all widgets just now, so none may go away before it is done.
        if event.type() is QEvent.Type.PaletteChange and hasattr(self, "_redrawing"):
            self._redrawing.start()

    def _show_again(self) -> None:
        if self._result is not None:
            opened = [card.opened for card in self.cards]
            self.show_result(self._result)
            for card, is_open in zip(self.cards, opened, strict=True):
                if card.opened is not is_open:
                    card.toggle()

    def _begin(self) -> QVBoxLayout:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(12, 10, 12, 12)
        column.setSpacing(8)
        self.setWidget(content)
        return column

    def _add_cards(self, column: QVBoxLayout, hits: Iterable[SimulatedHit], *, opened: bool) -> None:
        hits = list(hits)
        for hit in hits[:_MOST_CARDS]:
            card = VerdictCard(hit, opened=opened)
            self.cards.append(card)
            column.addWidget(card)
        if len(hits) > _MOST_CARDS:
            more = self.tr("… and {number} more, which the events view shows.").format(number=len(hits) - _MOST_CARDS)
            column.addWidget(make_label(more, muted=True, wrap=True))

    def _sum_up(self, result: SimulationResult) -> str:
        if not result.hits:
            return self.tr("Nothing was asked for: the mail has no pixel or link for that.")
        if result.condition == "expired":
            return self.tr("Answered, and not recorded: the token has expired.")
        if result.condition == "withdrawn":
            return self.tr("Answered, and not recorded: consent was withdrawn.")
        rest = len(result.hits) - result.people - result.machines
        parts = [
            self.tr("{number} of people").format(number=result.people) if result.people else "",
            self.tr("{number} of machines").format(number=result.machines) if result.machines else "",
            self.tr("{number} that count nowhere").format(number=rest) if rest else "",
        ]
        total = self.tr("1 hit") if len(result.hits) == 1 else self.tr("{n} hits").format(n=len(result.hits))
        cut = self.tr(" (cut off)") if result.cut else ""
        return f"{total}{cut}: {', '.join(filter(None, parts))}"

    def _describe_counts(self, result: SimulationResult) -> str:
        """Return which counts the play moved."""
        names = {
            "human_opens": self.tr("opens of people"),
            "human_clicks": self.tr("clicks of people"),
            "machine_opens": self.tr("opens of machines"),
            "machine_clicks": self.tr("clicks of machines"),
        }
        moved = [
            f"{names[name]} {_get_count(result.before, name)} → {_get_count(result.after, name)}"
            for name in _COUNTS
            if _get_count(result.before, name) != _get_count(result.after, name)
        ]
        if not moved:
            return self.tr("No count changes.")
        return self.tr("Counts: {changes}").format(changes=", ".join(moved))


class VerdictCard(QFrame):
    """One request, and below it why it was judged so; a click on its head opens and closes the reasons."""

    def __init__(self, hit: SimulatedHit, *, opened: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.hit = hit
        theme = get_theme()
        self.setObjectName("verdict-card")
        self.setStyleSheet(
            f"#verdict-card {{ background: {theme.base}; border: 1px solid {theme.border}; border-radius: 7px; }}"
        )
        verdict = None if hit.explanation is None else hit.explanation.record.event.verdict
        said = self.tr("not recorded") if verdict is None else verdict.classification.value
        self._colour = theme.muted if verdict is None else theme.classes[verdict.classification]
        self._head = QToolButton()
        self._head.setObjectName("verdict-head")
        self._head.setAutoRaise(True)
        self._head.setCheckable(True)
        self._head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._head.setText(f"{hit.method} {hit.what}")
        self._head.setAccessibleName(f"{hit.method} {hit.what}: {said}")
        self._head.setToolTip(make_tooltip(hit.path, self.tr("Click to show or hide the reasons")))
        self._head.setEnabled(hit.explanation is not None)
        # The chevron says that it is open; and no layout may squeeze it to nothing, not even for a moment.
        self._head.setStyleSheet(f"QToolButton {{ border-color: transparent; background: transparent; {_BOLD} }}")
        self._head.setMinimumHeight(self.fontMetrics().height() + 8)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self._head)
        row.addStretch(1)
        row.addWidget(Pill(said, self._colour))
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(6, 5, 8, 7)
        self._column.setSpacing(3)
        self._column.addLayout(row)
        facts = (hit.address, describe_delay(hit.at_s), str(hit.status))
        self._column.addWidget(_indent(make_label(hit.client[:1].upper() + hit.client[1:], wrap=True)))
        self._column.addWidget(_indent(make_label(" · ".join(facts), muted=True, wrap=True)))
        if hit.location:
            self._column.addWidget(
                _indent(_Elided(f"→ {make_visible(hit.location)}", tip=self.tr("Nobody goes there.")))
            )
        self._reasons: QWidget | None = None
        self._head.toggled.connect(self._open)
        self._head.setChecked(opened and hit.explanation is not None)
        self._open(self._head.isChecked())

    @property
    def opened(self) -> bool:
        """Whether the reasons are shown."""
        return self._head.isChecked()

    def toggle(self) -> None:
        """Show the reasons, or hide them."""
        self._head.toggle()

    def _open(self, opened: bool) -> None:
        picture = "chevron-down" if opened else "chevron-right"
        self._head.setIcon(icon(picture, get_theme().muted))
        if opened and self._reasons is None and self.hit.explanation is not None:
            self._reasons = self._make_reasons(self.hit.explanation)
            self._column.addWidget(self._reasons)
        if self._reasons is not None:
            self._reasons.setVisible(opened)

    def _make_reasons(self, explanation: Explanation) -> QWidget:
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(8, 4, 0, 2)
        column.setSpacing(5)
        verdict = explanation.record.event.verdict
        column.addWidget(ProbabilityBar(verdict.probability, self._colour))
        for reason in explanation.reasons:
            code = _Elided(reason.code, tip=reason.source)
            line = QHBoxLayout()
            line.setSpacing(8)
            line.addWidget(WeightBar(reason.weight))
            line.addWidget(code, 1)
            column.addLayout(line)
            column.addWidget(make_label(capitalise(reason.sentence), wrap=True))
        if not explanation.reasons:
            column.addWidget(make_label(self.tr("Nothing speaks for or against a machine."), muted=True, wrap=True))
        column.addWidget(make_label(self._describe_count(explanation), muted=True, wrap=True))
        return box

    def _describe_count(self, explanation: Explanation) -> str:
        event = explanation.record.event
        counted = event.verdict.counted_as
        if counted is None:
            return self.tr("It counts nowhere.")
        said = self.tr("It counts as a person's") if counted == "human" else self.tr("It counts as a machine's")
        return self.tr("{what}, and is the first of this mail.").format(what=said) if event.first else f"{said}."


class _Elided(QLabel):
    """A line of its own width, cut off in the middle."""

    def __init__(self, text: str, *, tip: str) -> None:
        super().__init__()
        self._text = text
        self.setFont(make_mono_font(8.0))
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("muted", True)
        self.setToolTip(make_tooltip(text, tip))
        self.setAccessibleName(text)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Cut anew for another width."""
        super().resizeEvent(event)
        self.setText(self.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideMiddle, self.width()))


def _indent(widget: QWidget) -> QWidget:
    widget.setContentsMargins(8, 0, 0, 0)
    return widget


def _get_count(metrics: Metrics, name: str) -> int:
    value: int = getattr(metrics, name)
    return value
