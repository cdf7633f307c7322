"""The actions of the View menu: how the mail is shown, which view of it, which panels, and how the window looks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QObject, QSignalBlocker
from PySide6.QtGui import QAction, QActionGroup

from mailnod_desktop.preferences import Appearance
from mailnod_desktop.views.actions import Actions
from mailnod_desktop.views.preview_controls import PHONE_WIDTH, TABLET_WIDTH

if TYPE_CHECKING:
    from mailnod_desktop.views.main_window import MainWindow

__all__ = ["ViewActions"]

#: Widths of screens in CSS pixels; None is as wide as there is room.
_WIDTHS: dict[str, int | None] = {"desktop": None, "tablet": TABLET_WIDTH, "phone": PHONE_WIDTH}
_DARK = ("dark-off", "dark-author", "dark-invert")


class ViewActions(QObject):
    """Adds the actions of the View menu, and remembers how the preview was switched.

    :param actions: where they are added.
    """

    def __init__(self, window: MainWindow, actions: Actions) -> None:
        super().__init__(window)
        self._window = window
        self._actions = actions
        self._menu = self.tr("&View")
        self._groups: list[QActionGroup] = []
        self._add_widths()
        self._add_images()
        self._add_dark()
        self._add_switches()
        self._add_pages()
        self._add_panels()
        self._add_appearances()
        self._restore()
        if window.mail.preview.problem:
            for name in ("images", "linked", "marks", *(f"width-{one}" for one in _WIDTHS), *_DARK):
                actions[name].setEnabled(False)
        window.mail.preview.option_changed.connect(self._follow)

    def _add_widths(self) -> None:
        preview = self._window.mail.preview
        texts = {
            "desktop": self.tr("&Desktop width"),
            "tablet": self.tr("&Tablet width ({} px)").format(TABLET_WIDTH),
            "phone": self.tr("&Phone width ({} px)").format(PHONE_WIDTH),
        }
        pictures = {"desktop": "monitor", "tablet": "tablet", "phone": "cellphone"}
        self._group(
            [
                self._actions.add(
                    f"width-{name}",
                    texts[name],
                    lambda on, width=width: preview.set_width(width) if on else None,
                    menu=self._menu,
                    keys=f"Alt+{number}",
                    picture=pictures[name],
                    checked=width is None,
                )
                for number, (name, width) in enumerate(_WIDTHS.items(), 1)
            ]
        )
        self._actions.part(self._menu)

    def _add_images(self) -> None:
        self._actions.add(
            "images",
            self.tr("Show &images"),
            self._window.mail.preview.set_images,
            menu=self._menu,
            keys="Ctrl+I",
            picture="image-outline",
            tip=self.tr("Show what a reader sees whose mail program loads no images"),
            checked=True,
        )

    def _add_dark(self) -> None:
        preview = self._window.mail.preview
        modes: tuple[tuple[Literal["off", "author", "invert"], str, str], ...] = (
            ("off", self.tr("&Light, as it is written"), "white-balance-sunny"),
            ("author", self.tr("Dark by the mail's own styles (Apple Mail)"), "weather-night"),
            ("invert", self.tr("Dark by inverting (Gmail app, Outlook)"), "invert-colors"),
        )
        self._group(
            [
                self._actions.add(
                    f"dark-{mode}",
                    text,
                    lambda on, mode=mode: preview.set_dark(mode) if on else None,
                    menu=self._menu,
                    keys=f"Alt+{number}",
                    picture=picture,
                    checked=mode == "off",
                )
                for number, (mode, text, picture) in enumerate(modes, 4)
            ]
        )
        self._actions.part(self._menu)

    def _add_switches(self) -> None:
        preview, add = self._window.mail.preview, self._actions.add
        linked, marks = self.tr("Scroll &together"), self.tr("&Mark links and pixel")
        menu = self._menu
        add("linked", linked, preview.set_scroll_linked, menu=menu, keys="Ctrl+T", picture="link", checked=True)
        add("marks", marks, preview.set_marks, menu=menu, keys="Ctrl+M", picture="marker", checked=False)
        self._actions.part(self._menu)

    def _add_pages(self) -> None:
        tabs = self._window.mail.tabs
        for number in range(tabs.count()):
            show = partial(self._window.show_page, number)
            self._actions.add(f"page-{number}", tabs.tabText(number), show, menu=self._menu, keys=f"Ctrl+{number + 1}")
        mail, add, menu = self._window.mail, self._actions.add, self._menu
        add("edit-next", self.tr("Ne&xt edit"), partial(mail.show_edit, 1), menu=menu, keys="F7")
        add("edit-previous", self.tr("Pre&vious edit"), partial(mail.show_edit, -1), menu=menu, keys="Shift+F7")
        self._actions.part(self._menu)

    def _add_panels(self) -> None:
        for number, (name, dock) in enumerate(self._window.docks.items(), 1):
            text = self.tr("Panel: {}").format(dock.windowTitle())
            self._actions.adopt(
                f"panel-{name}", dock.toggleViewAction(), menu=self._menu, text=text, keys=f"Ctrl+F{number}"
            )
        self._actions.part(self._menu)

    def _add_appearances(self) -> None:
        window = self._window
        appearances: dict[Appearance, str] = {
            "system": self.tr("Look as the &system does"),
            "light": self.tr("Light t&heme"),
            "dark": self.tr("Dar&k theme"),
        }
        self._group(
            [
                self._actions.add(
                    f"theme-{name}",
                    text,
                    lambda on, name=name: window.set_appearance(name) if on else None,
                    menu=self._menu,
                    keys=f"Alt+{number}",
                    checked=name == window.preferences.appearance,
                )
                for number, (name, text) in enumerate(appearances.items(), 7)
            ]
        )
        self._actions.add("layout", self.tr("&Reset layout"), window.reset_layout, menu=self._menu, keys="Ctrl+0")

    def _group(self, actions: Sequence[QAction]) -> None:
        group = QActionGroup(self)
        for action in actions:
            group.addAction(action)
        self._groups.append(group)

    def _restore(self) -> None:
        """Switch the preview as it was switched when the window was closed last."""
        for option in ("width", "images", "dark", "linked", "marks"):
            value = self._window.preferences.get_view(option)
            name = f"{option}-{value}" if option in ("width", "dark") else option
            if value and name in self._actions:
                self._actions[name].setChecked(value != "off" or option == "dark")

    def _follow(self, option: str, value: object) -> None:
        """Let the menu say what the switches above the preview say, and remember it."""
        if option == "width":
            value = next((name for name, width in _WIDTHS.items() if width == value), "desktop")
        if option in ("width", "dark"):
            # The others of its group are told by its signal.
            self._actions[f"{option}-{value}"].setChecked(True)
        else:
            with QSignalBlocker(self._actions[option]):
                self._actions[option].setChecked(bool(value))
            value = "on" if value else "off"
        self._window.preferences.set_view(option, str(value))
