"""The window: it puts the parts together and connects them; what each of them does, it does itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QLineEdit,
    QMainWindow,
    QMessageBox,
    QTabBar,
    QTabWidget,
    QWidget,
)

from mailnod.settings import Settings
from mailnod.tokens import Keyring
from mailnod_desktop.models.plain import capitalise
from mailnod_desktop.preferences import Appearance, Preferences
from mailnod_desktop.services.model import Inspection, LinkRow, Mail, Wishes
from mailnod_desktop.services.rewriting import Rewriter
from mailnod_desktop.session import Session
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.theme import apply_theme
from mailnod_desktop.views.catching import CatcherBridge
from mailnod_desktop.views.event_area import EventArea
from mailnod_desktop.views.mail_area import MailArea
from mailnod_desktop.views.messages import MessagesView
from mailnod_desktop.views.no_title import NoTitle
from mailnod_desktop.views.opening import Opener
from mailnod_desktop.views.overrides import OverridesPanel
from mailnod_desktop.views.simulate import SimulatePanel
from mailnod_desktop.views.status_bar import StatusBar
from mailnod_desktop.views.window_actions import WindowActions
from mailnod_desktop.views.wishes_stack import WishesStack

__all__ = ["MainWindow"]


class MainWindow(QMainWindow):
    """The inspector's window.

    :param settings: routes and base URL by which mails are rewritten.
    :param keyring: signs the links that are shown; None makes keys for this run.
    :param preferences: what is remembered from run to run.
    :param scratch: a folder for what simulations write, removed by the caller.
    """

    def __init__(self, *, settings: Settings, keyring: Keyring | None, preferences: Preferences, scratch: Path) -> None:
        super().__init__()
        self.setObjectName("main")
        self.setWindowTitle(self.tr("Mailnod Inspector"))
        self.preferences = preferences
        self.tasks = Tasks(self)
        remembered = preferences.settings
        self.opener = Opener(self.tasks, settings, keyring, preferences, scratch, self)
        self.session = Session(self.tasks, self.opener.make_rewriter(), self)
        self.stack = WishesStack(self)
        self.catcher = CatcherBridge(self)
        self.messages = MessagesView(self.tasks)
        self.mail = MailArea(remembered, self.tasks)
        self.overrides = OverridesPanel()
        self.simulate = SimulatePanel(self.tasks, scratch, remembered)
        self.events = EventArea(self.tasks, remembered)
        self.status = StatusBar()
        self.setStatusBar(self.status)
        self.setCentralWidget(self.mail)
        self.setAcceptDrops(True)
        self._dock()
        self.actions_ = WindowActions(self)
        self._connect()
        for item, action in (
            (self.status.catcher, "catch"),
            (self.status.collector, "simulated"),
            (self.status.database, "database"),
        ):
            item.clicked.connect(self.actions_.actions[action].trigger)
        self._show_rewriter()
        self._show_catcher(None)
        self.status.database.show_state(self.tr("No database"), on=False, tip=self.tr("Open one with Ctrl+D"))
        self._forget_simulated(None)
        self._first_layout = self.saveState(), self.mail.splitter.saveState()
        self.mail.splitter.restoreState(preferences.get_splitter())
        layout = preferences.get_layout()
        if layout is None or not (self.restoreGeometry(layout[0]) and self.restoreState(layout[1])):
            self.resize(QSize(1480, 940).boundedTo(self.screen().availableSize()))

    def begin(self, files: Sequence[Path], *, database: Path | None, catch: int | None, demo: bool) -> None:
        """Open what the command line named."""
        if files:
            self.opener.open_files(list(files))
        if database is not None:
            self.opener.open_database(database)
        if demo:
            self.opener.open_demo()
        if catch is not None:
            self.catcher.start(catch)

    # -- what actions ask for ---------------------------------------------------------------------------------------

    def set_appearance(self, appearance: Appearance) -> None:
        """Look light, dark, or as the desktop does."""
        self.preferences.appearance = appearance
        application = QApplication.instance()
        if isinstance(application, QApplication):
            apply_theme(application, self.preferences.pick_theme())

    def reset_layout(self) -> None:
        """Put every part back where it was at first."""
        self.preferences.forget_layout()
        docks, splitter = self._first_layout
        self.restoreState(docks)
        self.mail.splitter.restoreState(splitter)
        QTimer.singleShot(0, self._hide_stale_tabs)

    def show_page(self, number: int) -> None:
        """Turn to one of the views of the mail, counted from 0."""
        self.mail.show_page(number)

    def change_wishes(self, text: str, **changes: object) -> None:
        """Rewrite the chosen mail in another way, so that it can be undone."""
        key = self.session.key
        if key is not None:
            # Which fields there are is the dataclass's own matter.
            self._push(text, replace(self.session.get_wishes(key), **changes))  # type: ignore[arg-type]

    def reset_wishes(self) -> None:
        """Rewrite the chosen mail as its route says."""
        self._push(self.tr("Reset overrides"), Wishes())

    # -- how the parts are put together -------------------------------------------------------------------------------

    def _dock(self) -> None:
        self.setDockNestingEnabled(True)
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        self.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.BottomDockWidgetArea)
        self.docks = {
            "messages": self._make_dock("messages", self.tr("Messages"), self.messages),
            "overrides": self._make_dock("overrides", self.tr("Overrides"), self.overrides),
            "simulate": self._make_dock("simulate", self.tr("Simulate"), self.simulate),
            "events": self._make_dock("events", self.tr("Events"), self.events.events),
            "metrics": self._make_dock("metrics", self.tr("Metrics"), self.events.metrics),
            "details": self._make_dock("details", self.tr("Event"), self.events.details),
        }
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, self.docks["messages"])
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.docks["overrides"])
        self.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, self.docks["events"])
        self.splitDockWidget(self.docks["events"], self.docks["details"], Qt.Orientation.Horizontal)
        self.tabifyDockWidget(self.docks["events"], self.docks["metrics"])
        self.tabifyDockWidget(self.docks["overrides"], self.docks["simulate"])
        for name in ("overrides", "events"):
            self.docks[name].raise_()
        for name in ("overrides", "simulate", "events", "metrics"):
            # Their tabs name them already.
            self.docks[name].setTitleBarWidget(NoTitle())
        sizes = {"messages": 280, "overrides": 300, "events": 900, "details": 420}
        self.resizeDocks([self.docks[name] for name in sizes], list(sizes.values()), Qt.Orientation.Horizontal)
        self.resizeDocks([self.docks["events"]], [360], Qt.Orientation.Vertical)

    def _make_dock(self, name: str, title: str, widget: QWidget) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(f"dock-{name}")
        dock.setWidget(widget)
        return dock

    def _connect(self) -> None:
        session, mail, events = self.session, self.mail, self.events
        self.messages.mail_selected.connect(self._choose)
        self.messages.files_dropped.connect(self.opener.open_files)
        self.messages.catch_requested.connect(self.switch_catcher)
        self.messages.mails_removed.connect(self._forget)
        self.opener.mails_opened.connect(self._add_mails)
        self.opener.mailbox_opened.connect(self.messages.add_mailbox)
        self.opener.first_opened.connect(self.messages.select)
        self.opener.database_opened.connect(self._show_database)
        self.opener.rewriter_changed.connect(self._use_rewriter)
        self.opener.problem.connect(self.warn)
        self.messages.problem.connect(self.warn)
        # A method of the window, because a mail is caught in another thread and must be taken in this one.
        self.catcher.caught.connect(self._take_caught)
        self.catcher.changed.connect(self._show_catcher)
        self.catcher.problem.connect(self.warn)
        session.inspected.connect(self._show)
        session.started.connect(lambda: self.status.say(self.tr("Reading…")))
        session.problem.connect(self.warn)
        self.stack.wishes_applied.connect(self._apply)
        self.overrides.wishes_changed.connect(lambda wishes, text: self._push(text, wishes))
        mail.refused_changed.connect(self._refuse)
        mail.mime.save_requested.connect(self.actions_.saver.save_part)
        mail.recipient_chosen.connect(lambda one: self.change_wishes(self.tr("Show another copy"), recipient=one))
        mail.link_offered.connect(self._offer)
        mail.preview.simulate_requested.connect(lambda _side, row, url: self._offer(row, url))
        mail.preview.link_hovered.connect(self._hint)
        events.events.open_requested.connect(self.actions_.actions["database"].trigger)
        events.events.explain_requested.connect(self._raise_details)
        self.simulate.played.connect(self._show_collector)
        self.simulate.open_events_requested.connect(self._show_simulated)
        self.simulate.forgotten.connect(self._forget_simulated)
        self.simulate.problem.connect(self.warn)
        # The panel of the events says it at length, and says it again while it lasts.
        events.problem.connect(lambda text: self.status.say(text.splitlines()[0]))
        events.status_changed.connect(self._show_events)
        events.metrics.query_requested.connect(self._show_query)

    def _hide_stale_tabs(self) -> None:
        """Hide tabs that stand above no dock: Qt leaves those of an earlier layout behind, on top of everything."""
        docks = [dock.geometry() for dock in self.docks.values() if not dock.visibleRegion().isEmpty()]
        for bar in self.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly):
            place = bar.geometry()
            if not any(dock.topLeft() == place.bottomLeft() + QPoint(0, 1) for dock in docks):
                bar.hide()

    # -- what happens -------------------------------------------------------------------------------------------------

    def _choose(self, key: str) -> None:
        if key:
            self.session.choose(key, self.messages.make_fetch(key))
        else:
            self.session.clear()

    def _add_mails(self, mails: list[Mail]) -> None:
        first = self.messages.current_key() is None
        self.messages.add_mails(mails)
        for mail in mails:
            if mail.key == self.session.key:
                # Its file was opened once more.
                self._choose(mail.key)
        if first and mails:
            self.messages.select(mails[0].key)
            if not isinstance(self.focusWidget(), QLineEdit):
                # The keys of the list work at once, and no other part looks as if it were meant.
                self.messages.list.setFocus()

    def _take_caught(self, mail: Mail) -> None:
        self._add_mails([mail])

    def _forget(self, keys: list[str]) -> None:
        for key in keys:
            self.session.forget(key)

    def _push(self, text: str, wishes: Wishes) -> None:
        key = self.session.key
        # Until the chosen mail is shown, the switches are those of the one before.
        if key is not None and self.session.inspection is not None:
            self.stack.push_wishes(key, self.session.get_wishes(key), wishes, text)

    def _refuse(self, refused: frozenset[tuple[int, int]]) -> None:
        self.change_wishes("", refused=refused)

    def _apply(self, key: str, wishes: Wishes) -> None:
        """Take wishes that were made, undone or made again; an undo may be about another mail."""
        self.session.set_wishes(key, wishes)
        if self.messages.current_key() != key:
            self.messages.select(key)

    def _show(self, inspection: Inspection | None) -> None:
        self.mail.set_inspection(inspection)
        self.overrides.set_inspection(inspection)
        self.simulate.set_inspection(inspection)
        self.actions_.enable(inspection)
        if inspection is None:
            self.status.say("")
        elif inspection.error:
            self.status.say(self.tr("Leaves as it came: {}").format(inspection.error))
        elif inspection.as_sent:
            self.status.say(capitalise("; ".join(inspection.decision.reasons)))
        else:
            edits = sum(len(body.plan.edits) for body in inspection.bodies if body.plan is not None)
            self.status.say(
                self.tr("Rewritten in {:.1f} ms, {} edits").format(inspection.took_ms, edits)
                if inspection.decision.tracked
                else self.tr("Not tracked: {}").format("; ".join(inspection.decision.reasons))
            )

    def _hint(self, url: str) -> None:
        self.status.showMessage(url) if url else self.status.clearMessage()

    def _offer(self, row: LinkRow | None, url: str) -> None:
        self.simulate.offer(row, url)
        self.docks["simulate"].raise_()

    def _show_collector(self, _result: object) -> None:
        port = self.simulate.port
        if port is not None:
            tip = self.tr("Real requests go through a collector of this window's own, into a scratch store")
            self.status.collector.show_state(self.tr("Collector 127.0.0.1:{}").format(port), on=True, tip=tip)

    def _show_simulated(self, path: Path) -> None:
        self.events.show_simulated(path)
        self.docks["events"].raise_()

    def _forget_simulated(self, path: Path | None) -> None:
        if path is not None:
            self.events.forget_simulated(path)
        tip = self.tr("It starts with the first simulation")
        self.status.collector.show_state(self.tr("Collector idle"), on=False, tip=tip)

    def _show_query(self, query: str) -> None:
        self.events.events.set_query(query)
        self.docks["events"].raise_()

    def _use_rewriter(self, rewriter: Rewriter) -> None:
        self.session.use(rewriter)
        self._show_rewriter()

    def _show_rewriter(self) -> None:
        rewriter = self.session.rewriter
        self.overrides.set_routes(rewriter.routes, rewriter.default_route, ephemeral_keys=self.opener.ephemeral_keys)
        self.simulate.set_rewriter(rewriter)

    def _show_database(self, path: Path) -> None:
        self.events.open_database(path)
        self.status.database.show_state(path.name, on=True, tip=str(path))

    def _show_events(self, text: str) -> None:
        path = self.events.path
        if path is not None:
            self.status.database.show_state(text, on=True, tip=str(path))

    def _raise_details(self, _chosen: object) -> None:
        self.docks["details"].show()
        self.docks["details"].raise_()

    def switch_catcher(self, on: bool) -> None:
        """Begin to catch mail, or end it."""
        if on:
            self.catcher.start()
        else:
            self.catcher.stop()

    def _show_catcher(self, port: int | None) -> None:
        self.messages.set_catching(port)
        self.actions_.show_catching(port)
        if port is None:
            self.status.catcher.show_state(self.tr("SMTP off"), on=False, tip=self.tr("Catch mail with Ctrl+Shift+C"))
        else:
            self.status.catcher.show_state(
                self.tr("SMTP 127.0.0.1:{}").format(port), on=True, tip=self.tr("What is sent there is shown here")
            )

    def warn(self, text: str) -> None:
        """Say what went wrong without standing in the way."""
        self.status.say(text.splitlines()[0])
        box = QMessageBox(QMessageBox.Icon.Warning, self.tr("Mailnod Inspector"), "", parent=self)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(text)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    # -- events of Qt -------------------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        """Draw what has a colour of its own anew after the theme has changed."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "actions_"):
            self.status.redraw()

    def showEvent(self, event: QShowEvent) -> None:
        """Show the docks as they were put before the window had a size."""
        super().showEvent(event)
        QTimer.singleShot(0, self._hide_stale_tabs)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open files that were dropped."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.opener.open_files(paths)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember the layout, and end everything in the order in which it depends on each other."""
        self.preferences.set_layout(self.saveGeometry(), self.saveState(), self.mail.splitter.saveState())
        self.catcher.stop()
        self.events.close()
        self.simulate.start_over()
        self.opener.close()
        self.tasks.close()
        self.mail.preview.close_pages()
        super().closeEvent(event)
