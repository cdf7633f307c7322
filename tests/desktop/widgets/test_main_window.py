"""The whole window, here without Qt WebEngine: it comes up, names its parts, and closes in the middle of work."""

from __future__ import annotations

import smtplib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QApplication,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QScrollBar,
    QTextEdit,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from mailnod.settings import Settings
from mailnod_desktop.preferences import Preferences
from mailnod_desktop.services.demo import Demo, make_demo
from mailnod_desktop.services.model import Mail, Wishes
from mailnod_desktop.views.export import ExportDialog
from mailnod_desktop.views.main_window import MainWindow
from mailnod_desktop.views.palette import Palette
from mailnod_desktop.views.rejudge import RejudgeDialog

LIMIT_MS = 60_000
#: What a person clicks, types into or reads with the keyboard.
INTERACTIVE = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Make the demo's mails and its store, once."""
    return make_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def window(qtbot: QtBot, preferences: Preferences, tmp_path: Path) -> Iterator[MainWindow]:
    """Give the window, shown, with nothing open."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    window = MainWindow(settings=Settings.from_mapping({}), keyring=None, preferences=preferences, scratch=scratch)
    window.show()
    yield window
    if isValid(window):
        window.close()
        window.deleteLater()


def show_demo(window: MainWindow, demo: Demo, qtbot: QtBot) -> None:
    """Show the demo's first mail and its events."""
    window._add_mails(list(demo.mails))
    window.opener.open_database(demo.database)
    qtbot.waitUntil(lambda: window.session.inspection is not None, timeout=LIMIT_MS)
    qtbot.waitUntil(lambda: window.events.events.model.rowCount() > 0, timeout=LIMIT_MS)


def is_part_of_another(widget: QWidget) -> bool:
    """Tell whether Qt itself made a widget as a part of another, which speaks for it."""
    parent = widget.parent()
    if isinstance(widget, QScrollBar | QHeaderView) or widget.objectName().startswith("qt_"):
        return True
    in_popup = type(parent).__name__ == "QFrame" and isinstance(parent.parent() if parent else None, QComboBox)
    return in_popup or isinstance(parent, QLineEdit)


def list_unnamed(window: QWidget) -> list[str]:
    """Return where the widgets are that somebody acts on, and of which a screen reader would not say what they are."""
    unnamed = []
    for widget in window.findChildren(QWidget):
        focusable = widget.focusPolicy() != Qt.FocusPolicy.NoFocus and type(widget) is not QWidget
        if is_part_of_another(widget) or not (focusable or isinstance(widget, INTERACTIVE)):
            continue
        if isinstance(widget, QLabel) or (isinstance(widget, QAbstractButton) and widget.isHidden()):
            # A label is what it says, and some buttons get their text when they are shown.
            continue
        said = QAccessible.queryAccessibleInterface(widget)
        if not said.text(QAccessible.Text.Name):
            place: QWidget | None = widget
            names = []
            while place is not None:
                names.append(f"{type(place).__name__} {place.objectName()}".strip())
                place = place.parentWidget()
            unnamed.append(" in ".join(names))
    return unnamed


def test_window_works_without_the_engine(window: MainWindow, qtbot: QtBot, demo: Demo) -> None:
    """Where HTML cannot be drawn the preview says what is missing, and all else is there."""
    show_demo(window, demo, qtbot)
    assert "WebEngine" in window.mail.preview.problem
    assert not window.actions_.actions["width-phone"].isEnabled()
    assert window.mail.links.table.model().rowCount() > 0
    for number in range(window.mail.tabs.count()):
        window.show_page(number)
        assert window.mail.tabs.currentWidget().isVisible()


def test_whatever_somebody_acts_on_has_a_name(window: MainWindow, qtbot: QtBot, demo: Demo) -> None:
    """A screen reader can say of every control of the window and of its dialogs what it is."""
    assert list_unnamed(window) == []
    show_demo(window, demo, qtbot)
    for number in range(window.mail.tabs.count()):
        window.show_page(number)
    for dock in window.docks.values():
        dock.raise_()
    window.events.export_shown()
    window.events.rejudge_shown()
    window.actions_.open_palette()
    windows = [one for one in QApplication.topLevelWidgets() if one.isVisible()]
    assert {ExportDialog, RejudgeDialog} <= {type(one) for one in windows}
    assert [name for one in windows for name in list_unnamed(one)] == []


def test_every_action_has_a_menu_a_key_and_a_line_in_the_palette(window: MainWindow) -> None:
    """Whatever can be done is in a menu and the palette, has a key of its own, and says what it does."""
    actions = window.actions_.actions
    keys = [action.shortcut().toString() for action in actions]
    assert all(keys)
    assert len(keys) == len(set(keys))
    assert all(action.text() and action.statusTip() and actions.find_menu(action) for action in actions)
    window.actions_.open_palette()
    (palette,) = window.findChildren(Palette)
    QTest.keyClicks(palette.line, "panel metrics")
    assert "Panel: Metrics" in palette.list.item(0).text()
    menus = {one for menu in window.menuBar().findChildren(QMenu) for one in menu.actions()}
    assert set(actions) <= menus


def test_switches_of_the_preview_are_remembered(window: MainWindow, preferences: Preferences, tmp_path: Path) -> None:
    """Width, images, dark mode, marks and linked scrolling are as they were left, above the panes and in the menu."""
    window.mail.preview.controls.width_chosen.emit(375)
    window.mail.preview.controls.dark_chosen.emit("invert")
    window.mail.preview.controls.images_toggled.emit(False)
    window.mail.preview.controls.linked_toggled.emit(False)
    window.mail.preview.controls.marks_toggled.emit(True)
    window.close()
    later = MainWindow(settings=Settings.from_mapping({}), keyring=None, preferences=preferences, scratch=tmp_path)
    checked = {action.objectName().removeprefix("action-") for action in later.actions_.actions if action.isChecked()}
    assert {"width-phone", "dark-invert", "marks"} <= checked
    assert not {"width-desktop", "dark-off", "images", "linked"} & checked
    later.close()
    later.deleteLater()


def test_parts_of_the_status_bar_do_what_is_next(window: MainWindow, qtbot: QtBot) -> None:
    """A click on the catcher's part of the status bar starts it, and says so to a screen reader too."""
    (item,) = window.status.catcher.findChildren(QToolButton)
    assert item.accessibleName() == "SMTP catcher: SMTP off"
    window.catcher.start(0)
    assert item.accessibleName().startswith("SMTP catcher: SMTP 127.0.0.1:")
    QTest.mouseClick(item, Qt.MouseButton.LeftButton)
    assert window.catcher.port is None


def test_an_edit_leads_to_its_place_and_back(window: MainWindow, qtbot: QtBot, demo: Demo) -> None:
    """The source leads to the preview at an edit's link, and a link of the preview to its edit in the source."""
    show_demo(window, demo, qtbot)
    inspection = window.session.inspection
    assert inspection is not None
    row = next(row for row in inspection.links if row.kind == "click" and row.tracked)
    window.mail.preview.source_requested.emit(row)
    assert window.mail.tabs.currentWidget() is window.mail.diff
    assert row.link is not None
    assert window.mail.diff.caption.endswith(f"link {row.link.index + 1} tracked")
    window.mail.diff.jump_to_preview.emit(row)
    assert window.mail.tabs.currentWidget() is window.mail.preview


def test_starting_over_takes_the_simulated_events_away(window: MainWindow, qtbot: QtBot, demo: Demo) -> None:
    """Events of a scratch store that is gone are not shown any more, and the status bar names no collector."""
    show_demo(window, demo, qtbot)
    with qtbot.waitSignal(window.simulate.played, timeout=LIMIT_MS):
        window.simulate.play()
    window.simulate.show_events()
    assert window.events.path == window.simulate.database
    (item,) = window.status.collector.findChildren(QToolButton)
    assert "127.0.0.1" in item.text()
    window.simulate.start_over()
    assert window.events.path == demo.database
    assert item.text() == "Collector idle"


def read_mails(window: MainWindow, demo: Demo, tmp_path: Path) -> None:
    """Begin to read a mailbox file of many mails."""
    path = tmp_path / "many.mbox"
    lines = [f"From a@example.com Thu Jan  1 00:00:00 2026\nSubject: {one}\n\nHello\n\n" for one in range(3000)]
    path.write_text("".join(lines), encoding="ascii")
    window.opener.open_files([path])


def rewrite(window: MainWindow, demo: Demo, tmp_path: Path) -> None:
    """Begin to rewrite a large mail, several times."""
    html = "<p>" + '<a href="https://example.com/long/path">a link</a> ' * 2_000
    window._add_mails([Mail(key="large", name="large.html", origin="file", form="html", data=html.encode())])
    window.messages.select("large")
    for on in (True, False, True):
        window.change_wishes("switch", track_opens=on)


def play(window: MainWindow, demo: Demo, tmp_path: Path) -> None:
    """Begin to play a client."""
    window.simulate.play()
    assert window.simulate.port is None or window.tasks.is_running("simulate")


def export(window: MainWindow, demo: Demo, tmp_path: Path) -> None:
    """Begin to write events into a file."""
    window.events.export_shown()
    (dialog,) = window.findChildren(ExportDialog)
    dialog.set_target(tmp_path / "events.csv")
    dialog.start()


def judge_again(window: MainWindow, demo: Demo, tmp_path: Path) -> None:
    """Begin to judge events again."""
    window.events.rejudge_shown()


def catch(window: MainWindow, demo: Demo, tmp_path: Path) -> None:
    """Catch mails that somebody goes on to send."""
    window.catcher.start(0)
    port = window.catcher.port
    assert port is not None
    sent = threading.Event()

    def send() -> None:
        message = EmailMessage()
        message["Subject"] = "Hello"
        try:
            with smtplib.SMTP("127.0.0.1", port, timeout=30) as server:
                while True:
                    server.send_message(message, "a@example.com", ["b@example.com"])
                    sent.set()
        except (OSError, smtplib.SMTPException):
            sent.set()

    threading.Thread(target=send, daemon=True).start()
    assert sent.wait(30)


def follow(window: MainWindow, demo: Demo, tmp_path: Path) -> None:
    """Follow a store, search the bodies of mails, and read the counts."""
    window.events.events.set_live(True)
    window.events.events.set_query("is:machine")
    window.events.metrics.refresh()
    window.messages.focus_search()
    QTest.keyClicks(QApplication.focusWidget() or window, "example")


def open_demo(window: MainWindow, demo: Demo, tmp_path: Path) -> None:
    """Begin to make another demo."""
    window.opener.open_demo()


@pytest.mark.parametrize("begin", [read_mails, rewrite, play, export, judge_again, catch, follow, open_demo])
def test_window_closes_in_the_middle_of_work(
    window: MainWindow,
    qtbot: QtBot,
    demo: Demo,
    tmp_path: Path,
    begin: Callable[[MainWindow, Demo, Path], None],
) -> None:
    """Whatever goes on, the window closes, nothing is said by Qt, nothing is left running, and no half file is left."""
    show_demo(window, demo, qtbot)
    begin(window, demo, tmp_path)
    assert window.close()
    window.deleteLater()
    qtbot.wait(1)
    assert not [one.name for one in threading.enumerate() if one.name.startswith("mailnod")]
    assert not list(tmp_path.glob("events.csv*"))


def test_everything_fits_into_a_small_window(window: MainWindow, qtbot: QtBot, demo: Demo) -> None:
    """At 1100 by 700 nothing lies over anything else, and what to do with events is not cut off."""
    show_demo(window, demo, qtbot)
    window.resize(1100, 700)
    qtbot.wait(1)
    assert (window.width(), window.height()) == (1100, 700)
    for dock in window.docks.values():
        if not dock.visibleRegion().isEmpty():
            least = dock.widget().minimumSizeHint()
            assert dock.widget().width() >= least.width(), dock.objectName()
            assert dock.widget().height() >= least.height(), dock.objectName()
    for size in ((1100, 700), (1480, 940)):
        window.resize(*size)
        qtbot.wait(1)
        for label in window.events.details.findChildren(QLabel):
            if label.isVisible() and label.wordWrap():
                assert label.height() >= label.heightForWidth(label.width()), label.text()


def test_edits_are_gone_through_from_anywhere(window: MainWindow, qtbot: QtBot, demo: Demo) -> None:
    """The key for the next edit turns to the source, wherever the focus is."""
    show_demo(window, demo, qtbot)
    window.actions_.actions["edit-next"].trigger()
    assert window.mail.tabs.currentWidget() is window.mail.diff
    first = window.mail.diff.caption
    window.actions_.actions["edit-next"].trigger()
    assert window.mail.diff.caption != first


def test_simulated_events_lead_back_to_those_of_the_database(
    window: MainWindow, qtbot: QtBot, demo: Demo, tmp_path: Path
) -> None:
    """After simulated events were looked at, the database that was opened is shown again."""
    show_demo(window, demo, qtbot)
    play(window, demo, tmp_path)
    qtbot.waitUntil(lambda: window.simulate.database is not None, timeout=LIMIT_MS)
    window.actions_.actions["simulated"].trigger()
    assert window.events.path == window.simulate.database
    window.actions_.actions["opened"].trigger()
    assert window.events.path == demo.database


def test_a_database_that_cannot_be_shown_is_named(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    """What is said about a file that is no store of ours says which one is meant."""
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE anything (value)")
    with qtbot.waitSignal(window.opener.problem, timeout=LIMIT_MS) as said:
        window.opener.open_database(foreign)
    assert said.args[0].startswith("foreign.db: the database belongs to another program")


def test_palette_tells_mails_apart(window: MainWindow, qtbot: QtBot, demo: Demo) -> None:
    """Mails with the same subject are offered with their recipients."""
    show_demo(window, demo, qtbot)
    qtbot.waitUntil(lambda: all(entry.summary for entry in window.messages.model.entries), timeout=LIMIT_MS)
    window.actions_.open_palette()
    (palette,) = window.findChildren(Palette)
    palette.line.setText("reader-001@example.com")
    nearest = palette.list.item(0)
    assert "reader-001@example.com" in nearest.text()
    assert not nearest.icon().isNull()


@pytest.mark.parametrize("name", ["old.eml", "old.mbox"])
def test_what_is_opened_is_shown(window: MainWindow, qtbot: QtBot, demo: Demo, tmp_path: Path, name: str) -> None:
    """A file that a person opens is chosen, wherever its date puts it in the list."""
    show_demo(window, demo, qtbot)
    mail = b"Subject: Old\nDate: Mon, 01 Jan 2001 10:00:00 +0000\nContent-Type: text/html\n\n<p>Old</p>\n"
    file = tmp_path / name
    file.write_bytes(mail if name == "old.eml" else b"From x@example.com Mon Jan 01 10:00:00 2001\n" + mail + b"\n")
    window.opener.open_files([file])

    def is_shown() -> bool:
        inspection = window.session.inspection
        return inspection is not None and inspection.parsed.summary.subject == "Old"

    qtbot.waitUntil(is_shown, timeout=LIMIT_MS)
    current = window.messages.list.currentIndex()
    assert window.messages.model.get_entry(current.row()).key == window.messages.current_key()


def test_nothing_is_changed_by_the_switches_of_another_mail(window: MainWindow, qtbot: QtBot, demo: Demo) -> None:
    """Until the chosen mail is shown, what is still seen is of the one before: nothing is changed or saved by it."""
    show_demo(window, demo, qtbot)
    other = next(mail.key for mail in demo.mails if mail.key != window.messages.current_key())
    window.messages.select(other)
    assert window.session.inspection is None
    window.overrides.wishes_changed.emit(Wishes(track_opens=False), "Turn opens off")
    assert not window.stack.canUndo()
    qtbot.waitUntil(lambda: window.session.inspection is not None, timeout=LIMIT_MS)
    assert window.session.get_wishes(other) == Wishes()


def test_mail_that_cannot_be_shown_is_said(window: MainWindow, qtbot: QtBot) -> None:
    """What fails behind the scene is said, and the mail before it is not shown in its place."""
    window._add_mails([Mail(key="one", name="one.html", origin="file", form="html", data=b"<p>One</p>")])
    qtbot.waitUntil(lambda: window.session.inspection is not None, timeout=LIMIT_MS)

    def fail() -> Mail:
        raise RuntimeError("no mail")

    with qtbot.waitSignal(window.session.problem, timeout=LIMIT_MS) as said:
        window.session.choose("two", fail)
    assert said.args == ["This mail cannot be shown: no mail"]
    assert window.session.inspection is None
    assert window.mail.inspection is None


def test_file_that_is_opened_once_more_is_read_anew(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    """Who renders a template again and opens it again sees what is in it now."""
    file = tmp_path / "mail.html"
    for text in ("before", "after"):
        file.write_text(f"<p>{text}</p>", encoding="utf-8")
        window.opener.open_files([file])

        def shows(text: str = text) -> bool:
            inspection = window.session.inspection
            return inspection is not None and text in inspection.bodies[0].original

        qtbot.waitUntil(shows, timeout=LIMIT_MS)
    assert window.messages.model.rowCount() == 1
