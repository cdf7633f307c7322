"""The window's actions: what stands in the menus, on the tool bar and in the palette, and its keys."""

from __future__ import annotations

from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QObject, QSignalBlocker, QSize, Qt
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QFileDialog, QLabel, QMenu, QSizePolicy, QToolBar, QToolButton, QWidget

from mailnod_desktop.preferences import Appearance
from mailnod_desktop.services.model import Inspection, MimeNode
from mailnod_desktop.services.report import Report
from mailnod_desktop.theme import icon
from mailnod_desktop.views.actions import Actions
from mailnod_desktop.views.palette import Choice, Palette

if TYPE_CHECKING:
    from mailnod_desktop.views.main_window import MainWindow

__all__ = ["WindowActions"]

#: Widths of screens in CSS pixels; None is as wide as there is room.
WIDTHS: dict[str, int | None] = {"desktop": None, "tablet": 768, "phone": 375}

_PAGES = 8
#: So many mails the palette looks through.
_MOST_MAILS = 500


class WindowActions(QObject):
    """Makes the window's actions, and puts them into its menus and its tool bar."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.actions = Actions(window)
        self._groups: list[QActionGroup] = []
        self._add_file()
        self._add_edit()
        self._add_view()
        self._add_message()
        self._add_simulate()
        self._add_tools()
        self._add_help()
        menus = self.actions.fill(window.menuBar())
        self._recent = QMenu(self.tr("Open &recent"), window)
        self._recent.aboutToShow.connect(self._list_recent)
        menus[self.tr("&File")].insertMenu(self.actions["catch"], self._recent)
        docks = menus[self.tr("&View")].addMenu(self.tr("&Panels"))
        for dock in window.docks.values():
            docks.addAction(dock.toggleViewAction())
        self._make_tool_bar()
        window.mail.preview.option_changed.connect(self._follow_preview)
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
            choices.append(Choice(text=entry.title, kind=self.tr("Mail"), run=run, icon=icon("email-outline")))
        palette = Palette(choices, self._window)
        palette.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        palette.place(self._window)
        palette.show()

    def save_part(self, part: MimeNode, name: str) -> None:
        """Ask where to put a part of the mail, and write it there; nothing is opened.

        :param name: without anything that leads to another folder.
        """
        self._write(self.tr("Save part"), name, part.content)

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
        add("demo", self.tr("Open the de&mo"), self._window.opener.open_demo, menu=menu, picture="school-outline")
        self.actions.part(menu)
        add(
            "save",
            self.tr("&Save rewritten mail…"),
            self._save,
            menu=menu,
            keys="Ctrl+S",
            picture="content-save-outline",
        )
        add("report", self.tr("Save &report…"), self._save_report, menu=menu, picture="file-document-outline")
        add("picture", self.tr("Save &picture…"), self._save_picture, menu=menu, picture="image-outline")
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

    def _add_view(self) -> None:
        menu, add, preview = self.tr("&View"), self.actions.add, self._window.mail.preview
        pictures = {"desktop": "monitor", "tablet": "tablet", "phone": "cellphone"}
        titles = {"desktop": self.tr("&Desktop"), "tablet": self.tr("&Tablet"), "phone": self.tr("&Phone")}
        widths = [
            add(
                f"width-{name}",
                f"{titles[name]} width" if width is None else self.tr("{} width ({} px)").format(titles[name], width),
                lambda on, width=width: preview.set_width(width) if on else None,
                menu=menu,
                picture=pictures[name],
                checked=width is None,
            )
            for name, width in WIDTHS.items()
        ]
        self._group(widths)
        self.actions.part(menu)
        add(
            "images",
            self.tr("Show &images"),
            preview.set_images,
            menu=menu,
            keys="Ctrl+I",
            picture="image-outline",
            tip=self.tr("Show what a reader sees whose mail program loads no images"),
            checked=True,
        )
        self._group(
            [
                self._add_dark("off", self.tr("&Light, as it is written"), "white-balance-sunny"),
                self._add_dark("author", self.tr("Dark by the mail's own styles (Apple Mail)"), "weather-night"),
                self._add_dark("invert", self.tr("Dark by inverting (Gmail app, Outlook)"), "invert-colors"),
            ]
        )
        self.actions.part(menu)
        add("linked", self.tr("Scroll &together"), preview.set_scroll_linked, menu=menu, picture="link", checked=True)
        add(
            "marks",
            self.tr("&Mark links and pixel"),
            preview.set_marks,
            menu=menu,
            keys="Ctrl+M",
            picture="marker",
            checked=False,
        )
        self.actions.part(menu)
        for number in range(_PAGES):
            title = self._window.mail.tabs.tabText(number)
            keys = f"Ctrl+{number + 1}"
            add(f"page-{number}", title, partial(self._window.show_page, number), menu=menu, keys=keys)
        self.actions.part(menu)
        appearances: dict[Appearance, str] = {
            "system": self.tr("Look as the &system does"),
            "light": self.tr("Light t&heme"),
            "dark": self.tr("Dar&k theme"),
        }
        chosen = self._window.preferences.appearance
        self._group(
            [
                add(
                    f"theme-{name}",
                    text,
                    lambda on, name=name: self._window.set_appearance(name) if on else None,
                    menu=menu,
                    checked=name == chosen,
                )
                for name, text in appearances.items()
            ]
        )
        add("layout", self.tr("&Reset layout"), self._window.reset_layout, menu=menu)
        add("palette", self.tr("&Command palette"), self.open_palette, menu=menu, keys="Ctrl+K", picture="console")

    def _add_dark(self, mode: Literal["off", "invert", "author"], text: str, picture: str) -> QAction:
        preview = self._window.mail.preview
        return self.actions.add(
            f"dark-{mode}",
            text,
            lambda on: preview.set_dark(mode) if on else None,
            menu=self.tr("&View"),
            picture=picture,
            checked=mode == "off",
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
        add("inherit", self.tr("&Reset overrides"), window.reset_wishes, menu=menu, picture="restore")
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
            picture="flask-outline",
        )

    def _add_tools(self) -> None:
        menu, add, events = self.tr("&Tools"), self.actions.add, self._window.events
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
            picture="scale-balance",
        )
        add("refresh-events", self.tr("&Refresh events"), events.events.refresh, menu=menu, keys="Shift+F5")

    def _add_help(self) -> None:
        menu = self.tr("&Help")
        self.actions.add("keys", self.tr("&Keys"), self._show_keys, menu=menu, keys="F1", picture="keyboard-outline")
        self.actions.add("about", self.tr("&About Mailnod"), self._show_about, menu=menu)

    def _follow_preview(self, option: str, value: object) -> None:
        """Let the menu say what the switches above the preview say."""
        if option == "width":
            name = next((name for name, width in WIDTHS.items() if width == value), None)
            option = "" if name is None else f"width-{name}"
            value = True
        elif option == "dark":
            option, value = f"dark-{value}", True
        if option:
            action = self.actions[option]
            blocker = QSignalBlocker(action)
            action.setChecked(bool(value))
            blocker.unblock()

    def _group(self, actions: list[QAction]) -> None:
        group = QActionGroup(self)
        for action in actions:
            group.addAction(action)
        self._groups.append(group)

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

    def _save(self) -> None:
        inspection = self._window.session.inspection
        if inspection is not None:
            self._write(self.tr("Save rewritten mail"), "rewritten.eml", inspection.data)

    def _save_report(self) -> None:
        inspection = self._window.session.inspection
        if inspection is not None:
            report = Report()
            report.add(inspection)
            self._write(self.tr("Save report"), "report.html", report.finish().encode())

    def _save_picture(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self._window, self.tr("Save picture"), "mail.png", "PNG (*.png)")
        if name:
            try:
                self._window.mail.preview.grab_png(Path(name))
            except OSError as error:
                self._window.warn(str(error))

    def _write(self, title: str, name: str, data: bytes) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self._window, title, name)
        if chosen:
            self._window.tasks.start(
                f"write {chosen}",
                lambda _: Path(chosen).write_bytes(data),
                lambda size: self._window.status.say(self.tr("{:,} bytes written to {}").format(size, chosen)),
                lambda error: self._window.warn(self.tr("{} cannot be written: {}").format(chosen, error)),
            )

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

    def _show_keys(self) -> None:
        rows = [(a.shortcut().toString(), a.text().replace("&", "").rstrip("…")) for a in self.actions]
        text = "\n".join(f"{keys:<16}{name}" for keys, name in rows if keys)
        self._show_text(self.tr("Keys"), text)

    def _show_about(self) -> None:
        from importlib.metadata import version

        text = self.tr("Mailnod {}\n\nSee what tracking does to a mail, and who really opened it.\n\nMIT licence.")
        self._show_text(self.tr("About Mailnod"), text.format(version("mailnod")))

    def _show_text(self, title: str, text: str) -> None:
        from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout

        from mailnod_desktop.theme import make_mono_font

        dialog = QDialog(self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(title)
        label = QLabel(text)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setFont(make_mono_font(10))
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(dialog.close)
        layout = QVBoxLayout(dialog)
        layout.setContentsMargins(20, 18, 20, 14)
        layout.addWidget(label)
        layout.addWidget(buttons)
        dialog.open()
