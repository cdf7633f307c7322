"""The window's actions: what stands in the menus, on the tool bar and in the palette, and its keys."""

from __future__ import annotations

from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSize, Qt
from PySide6.QtWidgets import QFileDialog, QMenu, QSizePolicy, QToolBar, QToolButton, QWidget

from mailnod_desktop.models.messages import Entry
from mailnod_desktop.models.plain import make_visible
from mailnod_desktop.services.model import Inspection
from mailnod_desktop.theme import icon
from mailnod_desktop.views.about import show_about, show_keys
from mailnod_desktop.views.actions import Actions
from mailnod_desktop.views.palette import Choice, Palette
from mailnod_desktop.views.saving import Saver
from mailnod_desktop.views.view_actions import ViewActions

if TYPE_CHECKING:
    from mailnod_desktop.views.main_window import MainWindow

__all__ = ["WindowActions"]

#: So many mails the palette looks through.
_MOST_MAILS = 500


class WindowActions(QObject):
    """Makes the window's actions, and puts them into its menus and its tool bar."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.actions = Actions(window)
        self.saver = Saver(window)
        self._add_file()
        self._add_edit()
        self._view = ViewActions(window, self.actions)
        self._add_message()
        self._add_simulate()
        self._add_tools()
        self._add_help()
        menus = self.actions.fill(window.menuBar())
        self._recent = QMenu(self.tr("Open &recent"), window)
        self._recent.aboutToShow.connect(self._list_recent)
        menus[self.tr("&File")].insertMenu(self.actions["catch"], self._recent)
        self._make_tool_bar()
        self.enable(None)

    def enable(self, inspection: Inspection | None) -> None:
        """Allow what needs a mail only where there is one."""
        for name in ("save", "report", "picture", "opens", "clicks", "inherit", "play"):
            self.actions[name].setEnabled(inspection is not None)

    def show_catching(self, port: int | None) -> None:
        """Show whether mail is caught."""
        action = self.actions["catch"]
        action.blockSignals(True)
        action.setChecked(port is not None)
        action.blockSignals(False)
        action.setText(self.tr("&Catch mail (SMTP)") if port is None else self.tr("&Catching at :{}").format(port))

    def open_palette(self) -> None:
        """Offer every action and every mail by a few letters."""
        choices = [
            Choice(
                text=action.text().replace("&", ""),
                kind=self.actions.find_menu(action),
                run=action.trigger,
                keys=action.shortcut().toString(),
                icon=action.icon(),
                enabled=action.isEnabled(),
            )
            for action in self.actions
        ]
        messages = self._window.messages
        for entry in islice(messages.model.entries, _MOST_MAILS):
            run = partial(messages.select, entry.key)
            choices.append(Choice(text=entry.title, kind=self._tell_apart(entry), run=run, icon=icon("email-outline")))
        palette = Palette(choices, self._window)
        palette.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        palette.place(self._window)
        palette.show()

    def _tell_apart(self, entry: Entry) -> str:
        """Return for whom a mail is and when it was sent, because many have the same subject."""
        recipients = entry.summary.recipients if entry.summary is not None else ()
        time = f"{entry.time.astimezone():%Y-%m-%d %H:%M}" if entry.time is not None else ""
        return make_visible("   ·   ".join(filter(None, (self.tr("Mail"), *recipients[:1], time))))

    # -- menus --------------------------------------------------------------------------------------------------------

    def _add_file(self) -> None:
        menu, add = self.tr("&File"), self.actions.add
        add("open", self.tr("&Open mail…"), self._open, menu=menu, keys="Ctrl+O", picture="folder-open-outline")
        add(
            "database",
            self.tr("Open &database…"),
            self._open_database,
            menu=menu,
            keys="Ctrl+D",
            picture="database-outline",
            tip=self.tr("Read the events of a store; nothing is written to it"),
        )
        add(
            "catch",
            self.tr("&Catch mail (SMTP)"),
            self._window.switch_catcher,
            menu=menu,
            keys="Ctrl+Shift+C",
            picture="email-arrow-left-outline",
            tip=self.tr("Show every mail that an app sends to this program's SMTP port"),
            checked=False,
        )
        demo = self._window.opener.open_demo
        add("demo", self.tr("Open the de&mo"), demo, menu=menu, keys="Ctrl+Shift+D", picture="school-outline")
        self.actions.part(menu)
        add(
            "save",
            self.tr("&Save rewritten mail…"),
            self.saver.save_mail,
            menu=menu,
            keys="Ctrl+S",
            picture="content-save-outline",
        )
        add(
            "report",
            self.tr("Save &report…"),
            self.saver.save_report,
            menu=menu,
            keys="Ctrl+Shift+S",
            picture="file-document-outline",
        )
        add(
            "picture",
            self.tr("Save &picture…"),
            self.saver.save_picture,
            menu=menu,
            keys="Ctrl+Shift+P",
            picture="image-outline",
        )
        self.actions.part(menu)
        add("quit", self.tr("&Quit"), self._window.close, menu=menu, keys="Ctrl+Q", picture="exit-to-app")

    def _add_edit(self) -> None:
        menu, stack, add = self.tr("&Edit"), self._window.stack, self.actions.add
        undo = add("undo", self.tr("&Undo"), stack.undo, menu=menu, keys="Ctrl+Z", picture="undo")
        redo = add("redo", self.tr("&Redo"), stack.redo, menu=menu, keys="Ctrl+Shift+Z", picture="redo")
        undo.setEnabled(False)
        redo.setEnabled(False)
        stack.canUndoChanged.connect(undo.setEnabled)
        stack.canRedoChanged.connect(redo.setEnabled)
        stack.undoTextChanged.connect(lambda text: undo.setText(self.tr("&Undo {}").format(text).strip()))
        stack.redoTextChanged.connect(lambda text: redo.setText(self.tr("&Redo {}").format(text).strip()))
        self.actions.part(menu)
        add(
            "find",
            self.tr("&Find mail"),
            self._window.messages.focus_search,
            menu=menu,
            keys="Ctrl+F",
            picture="magnify",
        )
        add(
            "query",
            self.tr("Find &events"),
            self._find_events,
            menu=menu,
            keys="Ctrl+Shift+F",
            picture="filter-outline",
        )

    def _add_message(self) -> None:
        menu, add, window = self.tr("&Message"), self.actions.add, self._window
        add("next", self.tr("&Next mail"), window.messages.select_next, menu=menu, keys="J", picture="chevron-down")
        add(
            "previous",
            self.tr("&Previous mail"),
            window.messages.select_previous,
            menu=menu,
            keys="K",
            picture="chevron-up",
        )
        self.actions.part(menu)
        add("opens", self.tr("Switch &opens"), partial(self._switch, "track_opens"), menu=menu, keys="Ctrl+Shift+O")
        add("clicks", self.tr("Switch &clicks"), partial(self._switch, "track_clicks"), menu=menu, keys="Ctrl+Shift+L")
        add(
            "inherit",
            self.tr("&Reset overrides"),
            window.reset_wishes,
            menu=menu,
            keys="Ctrl+Backspace",
            picture="restore",
        )
        add("reload", self.tr("Re&write again"), window.session.refresh, menu=menu, keys="F5", picture="refresh")

    def _add_simulate(self) -> None:
        menu = self.tr("&Simulate")
        self.actions.add(
            "play",
            self.tr("&Play the chosen client"),
            self._play,
            menu=menu,
            keys="Ctrl+Return",
            picture="play-outline",
            tip=self.tr("Open or click as the client that is chosen at the right"),
        )
        self.actions.add(
            "simulated",
            self.tr("Show &simulated events"),
            self._window.simulate.show_events,
            menu=menu,
            keys="Ctrl+Shift+Return",
            picture="flask-outline",
        )
        self.actions.add(
            "opened",
            self.tr("Show events of the &database"),
            self._window.events.show_opened,
            menu=menu,
            keys="Ctrl+Shift+E",
            picture="database-eye-outline",
            tip=self.tr("Go back from simulated events to those of the database that is open"),
        )

    def _add_tools(self) -> None:
        menu, add, events = self.tr("&Tools"), self.actions.add, self._window.events
        add("palette", self.tr("&Command palette"), self.open_palette, menu=menu, keys="Ctrl+K", picture="console")
        self.actions.part(menu)
        for name, text, keys, button in (
            ("live", self.tr("&Live events"), "Ctrl+L", events.events.live),
            ("humans", self.tr("&People only"), "Ctrl+P", events.events.humans),
        ):
            action = add(name, text, button.setChecked, menu=menu, keys=keys, checked=button.isChecked())
            button.toggled.connect(action.setChecked)
        self.actions.part(menu)
        add(
            "export",
            self.tr("&Export events…"),
            self._window.events.export_shown,
            menu=menu,
            keys="Ctrl+E",
            picture="export-variant",
        )
        add(
            "rejudge",
            self.tr("Judge again, as a &preview…"),
            self._window.events.rejudge_shown,
            menu=menu,
            keys="Ctrl+J",
            picture="scale-balance",
        )
        add("refresh-events", self.tr("&Refresh events"), events.events.refresh, menu=menu, keys="Shift+F5")

    def _add_help(self) -> None:
        menu, keys = self.tr("&Help"), partial(show_keys, self.actions, self._window)
        self.actions.add("keys", self.tr("&Keys"), keys, menu=menu, keys="F1", picture="keyboard-outline")
        about = partial(show_about, self._window)
        self.actions.add("about", self.tr("&About Mailnod"), about, menu=menu, keys="Shift+F1")

    def _make_tool_bar(self) -> None:
        bar = QToolBar(self.tr("Tool bar"), self._window)
        bar.setObjectName("tool-bar")
        bar.setMovable(False)
        bar.setIconSize(QSize(18, 18))
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        for name in ("open", "database", "catch"):
            bar.addAction(self.actions[name])
        for name in ("open", "catch"):
            button = bar.widgetForAction(self.actions[name])
            if isinstance(button, QToolButton):
                button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        bar.addSeparator()
        for name in ("undo", "redo", "play", "export"):
            bar.addAction(self.actions[name])
        gap = QWidget()
        gap.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        bar.addWidget(gap)
        search = QToolButton()
        search.setObjectName("palette-button")
        search.setText(self.tr("Search or run a command   Ctrl+K"))
        search.setIcon(icon("magnify"))
        search.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        search.clicked.connect(self.open_palette)
        bar.addWidget(search)
        self._window.addToolBar(bar)

    # -- what they do -------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(
            self._window, self.tr("Open mail"), "", self.tr("Mail (*.eml *.html *.htm *.mbox);;All files (*)")
        )
        if names:
            self._window.opener.open_files([Path(name) for name in names])

    def _open_database(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self._window, self.tr("Open database"), "", self.tr("Databases (*.db *.sqlite *.sqlite3);;All files (*)")
        )
        if name:
            self._window.opener.open_database(Path(name))

    def _list_recent(self) -> None:
        self._recent.clear()
        preferences = self._window.preferences
        for path in preferences.list_recent():
            action = self._recent.addAction(str(path).replace("&", "&&"))
            action.triggered.connect(lambda _=False, path=path: self._window.opener.open_files([path]))
        if self._recent.isEmpty():
            self._recent.addAction(self.tr("Nothing yet")).setEnabled(False)
        else:
            self._recent.addSeparator()
            self._recent.addAction(self.tr("Forget these")).triggered.connect(preferences.forget_recent)

    def _switch(self, field: str) -> None:
        inspection = self._window.session.inspection
        if inspection is None:
            return
        axis = field.removeprefix("track_")
        on = bool(getattr(inspection.decision, axis))
        text = self.tr("Turn {} off") if on else self.tr("Turn {} on")
        self._window.change_wishes(text.format(axis), **{field: not on})

    def _play(self) -> None:
        self._window.docks["simulate"].show()
        self._window.docks["simulate"].raise_()
        self._window.simulate.play()

    def _find_events(self) -> None:
        self._window.docks["events"].raise_()
        self._window.events.events.focus_query()
