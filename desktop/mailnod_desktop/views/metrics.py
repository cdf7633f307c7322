"""The counts of a store at a glance: honest rates, people and machines apart, over time and by group."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from mailnod.model import Metrics
from mailnod_desktop.models.plain import capitalise, make_visible
from mailnod_desktop.services.metrics import (
    MOST_GROUPS,
    Grouping,
    Kind,
    MetricsReader,
    Overview,
    Slot,
    list_cells,
    list_stacked,
    make_query,
    say_rate,
    sum_hours,
)
from mailnod_desktop.services.wording import count
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.views.chart_base import Series
from mailnod_desktop.views.charts import BarRow, BarsChart, Column, TimeChart
from mailnod_desktop.views.controls import IconTool, make_label
from mailnod_desktop.views.metrics_cards import Card, CardRow
from mailnod_desktop.views.metrics_choices import MetricsChoices
from mailnod_desktop.views.metrics_panel import ChartPanel, centre

__all__ = ["MetricsView"]

_REFRESH_MS = 4_000


class MetricsView(QWidget):
    """Reads the counts of a store every few seconds while it is seen, and draws them."""

    #: A query that finds the events behind what was clicked.
    query_requested = Signal(str)

    def __init__(self, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("metrics")
        self._tasks = tasks
        self._key = f"metrics-{id(self)}"
        self._reader: MetricsReader | None = None
        self._overview: Overview | None = None
        self._slots: list[Slot] = []
        self._timer = QTimer(self)
        self._timer.setInterval(_REFRESH_MS)
        self._timer.timeout.connect(self._tick)
        self._choices = MetricsChoices()
        self._choices.read_changed.connect(self.refresh)
        self._choices.shown_changed.connect(self._show)
        self._refresh_button = IconTool("refresh", self.tr("Read anew"))
        self._refresh_button.setObjectName("metrics-refresh")
        self._refresh_button.clicked.connect(self.refresh)
        self._make_cards()
        self._make_charts()
        self._lay_out()
        self.close_database()

    # -- what is asked for --------------------------------------------------------------------------------------------

    def open_database(self, path: Path) -> None:
        """Show the counts of a store."""
        self.close_database()
        self._reader = MetricsReader(path)
        self._say(self.tr("Reading ..."))
        self.refresh()
        if self.isVisible():
            self._timer.start()

    def close_database(self) -> None:
        """Show nothing, and let go of the store."""
        reader, self._reader, self._overview = self._reader, None, None
        self._timer.stop()
        self._tasks.cancel(self._key)
        if reader is not None:
            self._tasks.let_go(reader.close)
        self._say(self.tr("No store is open. Open one to see how often its mail was opened and clicked."))

    def refresh(self) -> None:
        """Read the counts anew."""
        reader, by, span = self._reader, self._choices.by, self._choices.span
        if reader is not None:
            self._tasks.start(self._key, lambda _: reader.read(by, span), self._take, self._fail)

    @property
    def overview(self) -> Overview | None:
        """What is shown; None where nothing was read."""
        return self._overview

    def showEvent(self, event: QShowEvent) -> None:
        """Be up to date from now on."""
        super().showEvent(event)
        if self._reader is not None:
            self._timer.start()
            self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        """Read nothing that nobody sees."""
        super().hideEvent(event)
        self._timer.stop()

    # -- what it is made of -------------------------------------------------------------------------------------------

    def _make_cards(self) -> None:
        tr = self.tr
        self._cards: dict[str, Card] = {}
        for name, title, colour, query, tooltip in (
            (
                "opened",
                tr("Opened by people"),
                "good",
                "is:person kind:open",
                tr("Of the mails with the pixel"),
            ),
            ("clicked", tr("Clicked by people"), "info", "is:person kind:click", tr("Of the mails with links")),
            ("machines", tr("Machines"), "muted", "is:machine class:!privacy_proxy", tr("Scanners, crawlers, scripts")),
            ("privacy", tr("Privacy proxies"), "warn", "class:privacy_proxy", tr("They fetch every mail, read or not")),
            ("mails", tr("Mails"), "accent", "", tr("Mails that a server accepted; tests are left out")),
        ):
            card = Card(f"metrics-card-{name}", title, colour, tooltip)
            card.clicked.connect(partial(self.query_requested.emit, f"{query} -is:test".strip()))
            self._cards[name] = card

    def _make_charts(self) -> None:
        self._time = TimeChart("metrics-time", self.tr("Events over time"))
        self._time.chosen.connect(self._choose_slot)
        self._bars = BarsChart("metrics-bars", self.tr("Events by group"))
        self._bars.chosen.connect(self._choose_group)
        self._time_panel = ChartPanel("metrics-time-panel", self._time, aside=self._choices.span_box)
        self._time_panel.chosen.connect(self._choose_slot)
        self._bars_panel = ChartPanel("metrics-bars-panel", self._bars)
        self._bars_panel.chosen.connect(self._choose_group)

    def _lay_out(self) -> None:
        choices = QHBoxLayout()
        choices.setContentsMargins(12, 8, 12, 8)
        choices.setSpacing(7)
        choices.addWidget(self._choices)
        self._status = make_label(muted=True)
        # In a narrow window it is cut off, and the choosers are not.
        self._status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._status.setIndent(8)
        choices.addWidget(self._status, 1)
        choices.addWidget(self._refresh_button)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(12, 4, 12, 12)
        column.setSpacing(14)
        column.addWidget(CardRow(list(self._cards.values())))
        column.addWidget(self._time_panel)
        column.addWidget(self._bars_panel)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setObjectName("metrics-scroll")
        scroll.setAccessibleName(self.tr("Counts"))
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(content)
        self._message = make_label(muted=True, wrap=True)
        self._message.setObjectName("metrics-message")
        self._stack = QStackedWidget()
        self._stack.addWidget(centre(self._message))
        self._stack.addWidget(scroll)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addLayout(choices)
        outer.addWidget(self._stack, 1)

    # -- what comes back ----------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        if not self._tasks.is_running(self._key):
            self.refresh()

    def _take(self, overview: Overview) -> None:
        if overview != self._overview:
            self._overview = overview
            self._show()
        self._status.setText(self.tr("Read at {0}, without tests").format(f"{datetime.now().astimezone():%H:%M:%S}"))

    def _fail(self, error: Exception) -> None:
        self._overview = None
        self._say(self.tr("The counts cannot be read. {0}").format(capitalise(make_visible(str(error)))))

    def _say(self, text: str) -> None:
        """Show a sentence in the place of the counts."""
        self._message.setText(text)
        self._status.setText("")
        self._refresh_button.setEnabled(self._reader is not None)
        self._stack.setCurrentIndex(0)

    def _show(self) -> None:
        overview = self._overview
        if overview is None:
            return
        everything = overview.everything
        if not everything.deliveries and not everything.observed_opens and not everything.observed_clicks:
            self._say(
                self.tr(
                    "This store counts nothing yet. Send tracked mail, and let a mail server accept it; opens and "
                    "clicks are counted some seconds after they come in, while 'mailnod work' or the app's own worker "
                    "runs. Tests are never counted."
                )
            )
            return
        self._refresh_button.setEnabled(True)
        self._stack.setCurrentIndex(1)
        self._fill_cards(everything)
        self._fill_time(overview)
        self._fill_bars(overview)

    def _fill_cards(self, all_: Metrics) -> None:
        tr = self.tr
        self._cards["opened"].set_value(
            say_rate(all_.human_opens_unique, all_.deliveries_with_pixel),
            tr("{0:,} of {1}").format(all_.human_opens_unique, count(all_.deliveries_with_pixel, "mail")),
            count(all_.human_opens, "open"),
        )
        self._cards["clicked"].set_value(
            say_rate(all_.human_clicks_unique, all_.deliveries_with_links),
            tr("{0:,} of {1}").format(all_.human_clicks_unique, count(all_.deliveries_with_links, "mail")),
            count(all_.human_clicks, "click"),
        )
        opens, clicks = all_.scanner_opens + all_.bot_opens, all_.scanner_clicks + all_.bot_clicks
        self._cards["machines"].set_value(
            f"{opens + clicks:,}",
            f"{count(opens, 'open')}, {count(clicks, 'click')}",
            tr("{0:,} by scanners").format(all_.scanner_opens + all_.scanner_clicks),
        )
        self._cards["privacy"].set_value(
            f"{all_.privacy_opens:,}",
            tr("opens of {0}").format(count(all_.privacy_opens_unique, "mail")),
            tr("say nothing of people"),
        )
        self._cards["mails"].set_value(
            f"{all_.deliveries:,}",
            tr("{0:,} with the pixel").format(all_.deliveries_with_pixel),
            tr("{0:,} with links").format(all_.deliveries_with_links),
        )

    def _list_series(self, what: Kind) -> dict[str, Series]:
        """Return what is stacked, by the field of the counts that it is."""
        every = {
            "human_opens": Series(self.tr("opens of people"), "good"),
            "human_clicks": Series(self.tr("clicks of people"), "info"),
            "machine_opens": Series(self.tr("opens of machines"), "muted", hatched=True),
            "machine_clicks": Series(self.tr("clicks of machines"), "warn", hatched=True),
        }
        return {name: every[name] for name in list_stacked(self._choices.who, what)}

    def _fill_time(self, overview: Overview) -> None:
        span = self._choices.span
        self._slots = sum_hours(overview.hours, span)
        series = self._list_series(self._choices.what)
        headings = (self.tr("Time (UTC)"), *(one.name for one in series.values()))
        columns = [
            Column(
                f"{slot.begins_at:%H:%M}" if span.slot < timedelta(hours=6) else f"{slot.begins_at:%d %b}",
                self._name_slot(slot),
                tuple(getattr(slot, name) for name in series),
            )
            for slot in self._slots
        ]
        highest = max(columns, key=lambda column: sum(column.values), default=None)
        self._time.set_columns(
            list(series.values()),
            columns,
            ""
            if highest is None
            else self.tr("{0} slots; the most events, {1:,}, came in {2}").format(
                len(columns), sum(highest.values), highest.title
            ),
        )
        period = f", {self._slots[0].begins_at:%d %b %Y} - {self._slots[-1].begins_at:%d %b %Y}" if self._slots else ""
        self._time_panel.set_title(self.tr("Over time (UTC){0}").format(period))
        self._time_panel.set_rows(headings, [(column.title, *column.values) for column in columns])

    def _name_slot(self, slot: Slot) -> str:
        length = slot.ends_at - slot.begins_at
        if length < timedelta(days=1):
            return f"{slot.begins_at:%a %d %b %Y, %H:%M} - {slot.ends_at:%H:%M}"
        if length == timedelta(days=1):
            return f"{slot.begins_at:%a %d %b %Y}"
        return f"{slot.begins_at:%d %b %Y} - {slot.ends_at - timedelta(days=1):%d %b %Y}"

    def _fill_bars(self, overview: Overview) -> None:
        # A link is clicked, and not opened.
        what: Kind = "clicks" if overview.by == "link" else self._choices.what
        series = self._list_series(what)
        titles = {
            "people": self.tr("people"),
            "machines": self.tr("machines"),
            "opened": self.tr("opened"),
            "clicked": self.tr("clicked"),
            "mails": self.tr("mails"),
        }
        found = [(one, list_cells(one, overview.by, self._choices.who, what)) for one in overview.groups]
        headings = [titles[name] for name in (found[0][1] if found else ())]
        bars = [
            BarRow(make_visible(one.key), tuple(getattr(one, name) for name in series), tuple(cells.values()))
            for one, cells in found
        ]
        first = (
            f"; {bars[0].label}: {', '.join(map(' '.join, zip(bars[0].cells, headings, strict=True)))}" if bars else ""
        )
        description = self.tr("{0} groups, the first: {1}{2}").format(len(bars), bars[0].label, first) if bars else ""
        self._bars.set_rows(list(series.values()), headings, bars, description)
        most = self.tr(", the first {0}").format(MOST_GROUPS) if len(bars) == MOST_GROUPS else ""
        name = self._choices.name_grouping(overview.by)
        self._bars_panel.set_title(self.tr("By {0}{1}").format(name, most))
        self._bars_panel.set_hint("" if bars else self.tr("Nothing that was counted has a {0}.").format(name))
        # The events stand in the table already, opens and clicks apart.
        rates = len({"people", "machines"}.intersection(found[0][1])) if found else 0
        self._bars_panel.set_rows(
            (name.capitalize(), *(one.name for one in series.values()), *headings[rates:]),
            [(bar.label, *bar.values, *bar.cells[rates:]) for bar in bars],
        )

    # -- what is clicked ----------------------------------------------------------------------------------------------

    def _choose_slot(self, place: int) -> None:
        self._ask(self._slots[place], "")

    def _choose_group(self, place: int) -> None:
        if self._overview is not None:
            self._ask(self._overview.by, self._overview.groups[place].key)

    def _ask(self, by: Grouping | Slot, key: str) -> None:
        what: Kind = "clicks" if by == "link" else self._choices.what
        self.query_requested.emit(make_query(by, key, audience=self._choices.who, kind=what))
