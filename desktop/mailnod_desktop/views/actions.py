"""Every action of the window, once: menus, tool bar, keys and the palette all take it from here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from mailnod_desktop.theme import icon

__all__ = ["Actions"]


class Actions(QObject):
    """The actions of a window by name, in the order in which they were added.

    :param window: what they act on; their keys work wherever in it the focus is.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._actions: dict[str, QAction] = {}
        self._menus: dict[str, list[str | None]] = {}

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def __iter__(self) -> Iterator[QAction]:
        return iter(self._actions.values())

    def add(
        self,
        name: str,
        text: str,
        slot: Callable[..., object],
        *,
        menu: str,
        keys: str = "",
        picture: str = "",
        tip: str = "",
        checked: bool | None = None,
    ) -> QAction:
        """Add an action.

        :param name: by which it is found again.
        :param slot: called when it is triggered; with its state where it has one.
        :param menu: the title of the menu that it stands in.
        :param keys: such as "Ctrl+O".
        :param picture: name of an icon, see :func:`mailnod_desktop.theme.icon`.
        :param tip: what it does, in a sentence; its text where there is none.
        :param checked: its state at first; None for an action that has none.
        """
        action = QAction(text, self._window)
        action.setObjectName(f"action-{name}")
        action.setStatusTip(tip or text.replace("&", ""))
        shown = tip or text.replace("&", "").rstrip("…")
        action.setToolTip(f"{shown} ({keys})" if keys else shown)
        if keys:
            action.setShortcut(QKeySequence(keys))
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        if picture:
            action.setIcon(icon(picture))
        if checked is None:
            action.triggered.connect(lambda _=False: slot())
        else:
            action.setCheckable(True)
            action.setChecked(checked)
            action.toggled.connect(slot)
        self._window.addAction(action)
        self._actions[name] = action
        self._menus.setdefault(menu, []).append(name)
        return action

    def part(self, menu: str) -> None:
        """Draw a line in a menu below what was added so far."""
        self._menus.setdefault(menu, []).append(None)

    def fill(self, bar: QMenuBar) -> dict[str, QMenu]:
        """Put a menu for each title into a bar, and return them by title."""
        menus: dict[str, QMenu] = {}
        for title, names in self._menus.items():
            menu = menus[title] = bar.addMenu(title)
            menu.setToolTipsVisible(True)
            for name in names:
                if name is None:
                    menu.addSeparator()
                else:
                    menu.addAction(self._actions[name])
        return menus

    def find_menu(self, action: QAction) -> str:
        """Return the title of the menu that an action stands in, without its mark."""
        name = next(name for name, one in self._actions.items() if one is action)
        return next(title.replace("&", "") for title, names in self._menus.items() if name in names)
