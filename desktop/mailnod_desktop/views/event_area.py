"""Everything about events: the table, what is known of one, the metrics, and the windows that are opened from them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QSettings, Qt, Signal

from mailnod.model import EventFilter
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.views.event_details import EventDetails
from mailnod_desktop.views.events import EventsView
from mailnod_desktop.views.export import ExportDialog
from mailnod_desktop.views.metrics import MetricsView
from mailnod_desktop.views.rejudge import RejudgeDialog

__all__ = ["EventArea"]


class EventArea(QObject):
    """Shows the events of a store, or those that simulations made.

    :param settings: where filters and columns are remembered.
    """

    #: How many events there are, in words.
    status_changed = Signal(str)
    #: What went wrong and what to do, in words.
    problem = Signal(str)

    def __init__(self, tasks: Tasks, settings: QSettings) -> None:
        super().__init__()
        self._tasks = tasks
        #: The store whose events are shown.
        self.path: Path | None = None
        #: The store that a person opened, while simulated events are shown too.
        self._opened: Path | None = None
        self.events = EventsView(tasks, settings)
        self.details = EventDetails(tasks)
        self.metrics = MetricsView(tasks)
        self.events.event_selected.connect(self._show_event)
        self.events.status_changed.connect(self.status_changed)
        self.events.problem.connect(self.problem)
        self.events.export_requested.connect(self.export)
        self.events.rejudge_requested.connect(self.rejudge)

    def open_database(self, path: Path) -> None:
        """Show the events of a store."""
        self._opened = path
        self._open(path)

    def show_simulated(self, path: Path) -> None:
        """Show the events of a scratch store, until :meth:`show_opened` or :meth:`forget_simulated`."""
        self._open(path)

    def show_opened(self) -> None:
        """Show the events of the store that was opened last again."""
        if self._opened is not None and self._opened != self.path:
            self._open(self._opened)

    def forget_simulated(self, path: Path) -> None:
        """Let go of a scratch store, and go back to what was open before."""
        if path == self.path:
            if self._opened is None:
                self.close_database()
            else:
                self._open(self._opened)

    def _open(self, path: Path) -> None:
        self.path = path
        self.details.clear()
        self.events.open_database(path)
        self.metrics.open_database(path)

    def close_database(self) -> None:
        """Read no more."""
        self.path = None
        self.details.clear()
        self.events.close_database()
        self.metrics.close_database()

    def close(self) -> None:
        """Stop all work, and close every file."""
        self.close_database()
        self.events.close()

    def export(self, filter: EventFilter) -> None:
        """Ask where to write the events that a filter lets through, and write them."""
        if self.path is not None:
            dialog = ExportDialog(self.path, filter, self._tasks, self.events.window())
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.open()

    def export_shown(self) -> None:
        """Write the events that the table shows."""
        self.export(self.events.get_filter())

    def rejudge_shown(self) -> None:
        """Judge the events that the table shows again, as a preview."""
        self.rejudge(self.events.get_filter())

    def rejudge(self, filter: EventFilter) -> None:
        """Show which verdicts the rules of today would change."""
        if self.path is not None:
            path = self.path
            dialog = RejudgeDialog(path, filter, self._tasks, self.events.window())
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.event_chosen.connect(lambda event_id: self.details.show_event(path, event_id))
            dialog.show()

    def _show_event(self, chosen: tuple[Path, bytes] | None) -> None:
        if chosen is None:
            self.details.clear()
        else:
            self.details.show_event(*chosen)
