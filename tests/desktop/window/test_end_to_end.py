"""The main job in a real window: catch a mail, change its tracking, play clients, see their events, export them."""

from __future__ import annotations

import csv
import smtplib
from email.message import EmailMessage
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QTabBar
from pytestqt.qtbot import QtBot

from mailnod_desktop.services.clients import get_persona
from mailnod_desktop.views.export import ExportDialog
from mailnod_desktop.views.main_window import MainWindow

LIMIT_MS = 60_000
HTML = """<html><body><h1>Spring</h1><p><a href="https://example.com/spring">Spring is here</a> and
<a href="https://example.com/summer">summer is near</a>.</p></body></html>"""


def send(port: int, *recipients: str) -> None:
    """Send a newsletter as an app does."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "news@example.com", "ada@example.com", "Spring news"
    message["Message-ID"] = "<spring@example.com>"
    message.set_content("Spring is here.")
    message.add_alternative(HTML, subtype="html")
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as server:
        server.send_message(message, to_addrs=recipients)


def catch_one(window: MainWindow, qtbot: QtBot) -> None:
    """Start the catcher, send a mail to it, and wait until it is shown."""
    window.catcher.start(0)
    assert window.catcher.port is not None
    with qtbot.waitSignal(window.mail.preview.rendered, timeout=LIMIT_MS):
        send(window.catcher.port, "ada@example.com", "hidden@example.com")
        qtbot.waitUntil(lambda: window.session.inspection is not None, timeout=LIMIT_MS)


def test_from_a_caught_mail_to_an_export(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    """A caught mail is rewritten, a link is left alone, a scanner and a person are told apart, all is exported."""
    catch_one(window, qtbot)
    inspection = window.session.inspection
    assert inspection is not None
    assert inspection.parsed.summary.recipients == ("ada@example.com", "hidden@example.com")
    assert "/c/" in inspection.bodies[0].rewritten

    window.mail.links.select_link(0, 1)
    QTest.keyClick(window.mail.links.table, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.session.inspection is not inspection, timeout=LIMIT_MS)
    changed = window.session.inspection
    assert changed is not None
    assert [row.tracked for row in changed.links if row.kind == "click"] == [True, False]
    assert 'href="https://example.com/summer"' in changed.bodies[0].rewritten
    window.stack.undo()
    qtbot.waitUntil(lambda: window.session.inspection is not changed, timeout=LIMIT_MS)
    assert window.session.inspection is not None
    assert all(row.tracked for row in window.session.inspection.links)

    for name in ("gateway", "phone"):
        persona = get_persona(name)
        assert persona is not None
        window.simulate.form.choose(persona)
        with qtbot.waitSignal(window.simulate.played, timeout=LIMIT_MS):
            window.simulate.play()
    window.simulate.show_events()
    model = window.events.events.model
    qtbot.waitUntil(lambda: model.rowCount() >= 3, timeout=LIMIT_MS)

    window.events.export_shown()
    (dialog,) = [one for one in QApplication.topLevelWidgets() if isinstance(one, ExportDialog)]
    target = tmp_path / "events.csv"
    dialog.set_target(target)
    with qtbot.waitSignal(dialog.written, timeout=LIMIT_MS):
        dialog.start()
    with target.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == model.rowCount()
    assert {row["machine"] for row in rows} == {"yes", "no"}
    dialog.close()


def test_layout_and_appearance_are_remembered(window: MainWindow) -> None:
    """What was closed stays closed in the next window, and the theme is that of the last one."""
    window.docks["messages"].close()
    window.set_appearance("dark")
    window.close()
    assert window.preferences.appearance == "dark"
    layout = window.preferences.get_layout()
    assert layout is not None
    window.docks["messages"].show()
    assert window.restoreState(layout[1])
    assert not window.docks["messages"].isVisibleTo(window)


def test_no_tab_stands_over_something_else(window: MainWindow, qtbot: QtBot) -> None:
    """Each row of tabs stands above the dock that it belongs to, also after the layout was reset."""

    def count_tabs() -> int:
        bars = window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
        return len({bar.geometry().getRect() for bar in bars if bar.isVisible()})

    qtbot.waitUntil(lambda: count_tabs() == 2, timeout=LIMIT_MS)
    window.resizeDocks([window.docks["events"]], [500], Qt.Orientation.Vertical)
    window.reset_layout()
    qtbot.waitUntil(lambda: count_tabs() == 2, timeout=LIMIT_MS)


def test_every_action_is_named_and_in_a_menu(window: MainWindow) -> None:
    """Whatever can be done is in a menu and the palette, says what it does, and no key means two things."""
    actions = list(window.actions_.actions)
    keys = [action.shortcut().toString() for action in actions if not action.shortcut().isEmpty()]
    assert len(keys) == len(set(keys))
    for action in actions:
        assert action.text()
        assert action.statusTip()
        assert window.actions_.actions.find_menu(action)


def test_taken_port_is_said(window: MainWindow, qtbot: QtBot) -> None:
    """A port that another program has is said in words, and the window goes on."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with qtbot.waitSignal(window.catcher.problem, timeout=LIMIT_MS) as heard:
            window.catcher.start(taken.getsockname()[1])
    assert str(taken) not in heard.args[0]
    assert window.catcher.port is None
