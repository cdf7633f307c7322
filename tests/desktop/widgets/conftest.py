"""What the tests of widgets share: preferences of their own, and a pool of threads that ends with the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication

from mailnod_desktop.preferences import Preferences
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.theme import LIGHT, apply_theme


@pytest.fixture
def preferences(tmp_path: Path) -> Preferences:
    """Return preferences in a file of the test's own."""
    return Preferences(QSettings(str(tmp_path / "preferences.ini"), QSettings.Format.IniFormat))


@pytest.fixture
def tasks(qapp: QApplication) -> Iterator[Tasks]:
    """Give a pool of threads, and wait for what still runs in it."""
    tasks = Tasks()
    yield tasks
    tasks.close()


@pytest.fixture(autouse=True)
def light(qapp: QApplication) -> None:
    """Begin each test in the light theme."""
    apply_theme(qapp, LIGHT)
