"""How the window's tests are run: each kind in a process of its own, and only where Qt can be loaded.

``services`` need no Qt and run with all other tests. ``widgets`` (offscreen), ``web`` (Qt WebEngine) and ``window`` (a
real window, on a virtual screen) need ``-p pytestqt.plugin``, as ``make test-desktop`` says it; without it they are not
collected.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent
#: Folders whose tests open windows.
WINDOWED = tuple(HERE / name for name in ("widgets", "web", "window"))

# As root Chromium refuses its sandbox, and ends the process.
if os.geteuid() == 0:
    os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the window's tests out where pytest-qt was not asked for."""
    if config.pluginmanager.hasplugin("pytestqt.plugin"):
        return None
    return True if collection_path in WINDOWED else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let a warning that Qt logs fail the test that caused it."""
    if config.pluginmanager.hasplugin("pytestqt.plugin"):
        for item in items:
            item.add_marker(pytest.mark.qt_log_level_fail("WARNING"))
            # What the offscreen platform says of itself is about no code of ours.
            item.add_marker(pytest.mark.qt_log_ignore("This plugin does not support", extend=True))
