"""Filters that a person saved by name, and those that were used last."""

from __future__ import annotations

import json

from PySide6.QtCore import QSettings

__all__ = ["QueryMemory"]

_SAVED, _HISTORY = "events/saved", "events/history"
_MOST = 30


class QueryMemory:
    """Remembers filters from one start of the program to the next.

    :param settings: where they are kept.
    """

    def __init__(self, settings: QSettings) -> None:
        self._settings = settings

    def list_saved(self) -> list[tuple[str, str]]:
        """Return name and text of each saved filter, in the order of their names."""
        return sorted(self._read_saved().items(), key=lambda item: item[0].casefold())

    def save(self, name: str, text: str) -> None:
        """Keep a filter under a name, in place of one that had it."""
        self._write_saved({**self._read_saved(), name: text})

    def rename(self, name: str, new: str) -> None:
        """Give a saved filter another name."""
        saved = self._read_saved()
        if name in saved and new:
            saved[new] = saved.pop(name)
            self._write_saved(saved)

    def delete(self, name: str) -> None:
        """Forget a saved filter."""
        saved = self._read_saved()
        saved.pop(name, None)
        self._write_saved(saved)

    def list_history(self) -> list[str]:
        """Return the filters that were used last, the latest first."""
        found = self._read(_HISTORY)
        return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []

    def remember(self, text: str) -> None:
        """Note that a filter was used."""
        if text.strip():
            rest = [one for one in self.list_history() if one != text]
            self._settings.setValue(_HISTORY, json.dumps([text, *rest][:_MOST]))

    def _read_saved(self) -> dict[str, str]:
        found = self._read(_SAVED)
        if not isinstance(found, dict):
            return {}
        return {name: text for name, text in found.items() if isinstance(text, str)}

    def _write_saved(self, saved: dict[str, str]) -> None:
        self._settings.setValue(_SAVED, json.dumps(saved))

    def _read(self, key: str) -> object:
        # Whatever somebody wrote into the file, the window must open.
        try:
            return json.loads(str(self._settings.value(key, "null")))
        except ValueError:
            return None
