"""The whole window on a screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from mailnod.settings import Settings
from mailnod_desktop.preferences import Preferences
from mailnod_desktop.theme import LIGHT, apply_theme
from mailnod_desktop.views.main_window import MainWindow
from mailnod_desktop.web.flags import prepare_engine

# Chromium reads its flags, and Qt the schemes, before there is an application.
prepare_engine()


HERE = Path(__file__).parent
#: What Qt logs on a screen without a graphics card.
NO_CARD = ("[Vv]ulkan", "Unable to detect GPU vendor", "GBM is not supported", "GPUInfo not initialized", "QRhiGles2")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let pass what is logged where there is no graphics card."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.qt_log_ignore(*NO_CARD, extend=True))


@pytest.fixture
def preferences(tmp_path: Path) -> Preferences:
    """Return preferences in a file of the test's own."""
    return Preferences(QSettings(str(tmp_path / "preferences.ini"), QSettings.Format.IniFormat))


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication, preferences: Preferences, tmp_path: Path) -> Iterator[MainWindow]:
    """Give the window, shown, with nothing open."""
    apply_theme(qapp, LIGHT)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    window = MainWindow(settings=Settings.from_mapping({}), keyring=None, preferences=preferences, scratch=scratch)
    with qtbot.waitExposed(window, timeout=30_000):
        window.show()
    yield window
    window.close()
    window.deleteLater()
