"""What the views around a mail have in common."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from mailnod_desktop.theme import DARK, apply_theme
from mailnod_desktop.views.controls import FilterBox, IconButton, IconTool, WarningLabel


def test_controls_follow_the_theme(qtbot: QtBot, qapp: QApplication) -> None:
    """Pictures and warnings are drawn in the colours of a theme that is chosen while they are shown."""
    button, tool, box, label = (
        IconButton("magnify", "Find"),
        IconTool("close", "Close"),
        FilterBox("a", "b"),
        WarningLabel(),
    )
    for widget in (button, tool, box, label):
        qtbot.addWidget(widget)
    label.show_text("<b>wrong</b>")
    before = [widget.icon().cacheKey() for widget in (button, tool)]
    apply_theme(qapp, DARK)
    assert all(widget.icon().cacheKey() != key for widget, key in zip((button, tool), before, strict=True))
    assert DARK.bad in label.styleSheet()
    assert label.text() == "<b>wrong</b>"


def test_picture_alone_is_named_for_who_hears_it(qtbot: QtBot) -> None:
    """A button without text has a name, and tells the keys that do the same."""
    tool = IconTool("chevron-down", "Next edit", "F7", "N")
    qtbot.addWidget(tool)
    assert (tool.accessibleName(), tool.toolTip()) == ("Next edit", "Next edit (F7, N)")
