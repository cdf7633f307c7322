"""What the program remembers from one run to the next: layout, appearance, recent files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast, get_args

from PySide6.QtCore import QByteArray, QSettings, Qt
from PySide6.QtGui import QGuiApplication

from mailnod_desktop.theme import DARK, LIGHT, Theme

__all__ = ["Appearance", "Preferences"]

#: "system" follows the desktop, where it says what it prefers.
Appearance = Literal["system", "light", "dark"]

_MOST_RECENT = 12


class Preferences:
    """Reads and writes what is remembered.

    :param settings: where it is kept.
    """

    def __init__(self, settings: QSettings) -> None:
        self.settings = settings

    @property
    def appearance(self) -> Appearance:
        """Which theme was chosen."""
        value = self.settings.value("appearance")
        return cast("Appearance", value) if value in get_args(Appearance) else "system"

    @appearance.setter
    def appearance(self, value: Appearance) -> None:
        self.settings.setValue("appearance", value)

    def pick_theme(self) -> Theme:
        """Return the theme that is to be used now."""
        if self.appearance == "system":
            return DARK if QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark else LIGHT
        return DARK if self.appearance == "dark" else LIGHT

    def list_recent(self) -> list[Path]:
        """Return the files that were opened last and still exist, newest first."""
        kept = self.settings.value("recent")
        # A single value comes back as itself from some formats.
        names = [kept] if isinstance(kept, str) else kept if isinstance(kept, list) else []
        return [path for name in names if isinstance(name, str) and name and (path := Path(name)).exists()]

    def add_recent(self, path: Path) -> None:
        """Put a file at the head of the recent ones."""
        path = path.absolute()
        rest = [one for one in self.list_recent() if one != path]
        self.settings.setValue("recent", [str(one) for one in [path, *rest][:_MOST_RECENT]])

    def forget_recent(self) -> None:
        """Forget which files were opened."""
        self.settings.remove("recent")

    def get_layout(self) -> tuple[QByteArray, QByteArray] | None:
        """Return geometry and state of the window; None where there are none."""
        geometry, state = self.settings.value("window/geometry"), self.settings.value("window/state")
        if isinstance(geometry, QByteArray) and isinstance(state, QByteArray):
            return geometry, state
        return None

    def set_layout(self, geometry: QByteArray, state: QByteArray) -> None:
        """Keep geometry and state of the window."""
        self.settings.setValue("window/geometry", geometry)
        self.settings.setValue("window/state", state)

    def forget_layout(self) -> None:
        """Let the next window look as the first one did."""
        self.settings.remove("window")

    def get_flag(self, name: str, *, default: bool) -> bool:
        """Return a switch of the window."""
        value = self.settings.value(f"view/{name}")
        return default if value is None else value in (True, "true")

    def set_flag(self, name: str, value: bool) -> None:
        """Keep a switch of the window."""
        self.settings.setValue(f"view/{name}", value)
