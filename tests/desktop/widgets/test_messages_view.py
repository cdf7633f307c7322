"""The list of mails: newest first, searched, filtered and walked, and never held up by what it lists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from mailnod_desktop.models.messages import Source
from mailnod_desktop.services.mailbox import Mailbox
from mailnod_desktop.services.model import CLIP_BYTES, Mail, Origin
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.theme import DARK, apply_theme
from mailnod_desktop.views.message_delegate import describe_time
from mailnod_desktop.views.messages import MessagesView

Kind = TypeVar("Kind", bound=QWidget)

NOW = datetime.now(UTC).replace(microsecond=0)


def make_mail(
    number: int, *, origin: Origin = "file", subject: str = "", body: str = "<p>Hello</p>", minutes: int | None = None
) -> Mail:
    """Return a mail that is so many minutes old."""
    at = NOW - timedelta(minutes=number if minutes is None else minutes)
    data = f"Subject: {subject or f'Number {number}'}\r\nFrom: app@example.com\r\n"
    data += f"To: one-{number}@example.com, b@example.com\r\n"
    data += f"Date: {at:%a, %d %b %Y %H:%M:%S +0000}\r\nMessage-ID: <{number}@example.com>\r\n"
    data += f"Content-Type: text/html; charset=utf-8\r\n\r\n{body}"
    return Mail(key=f"mail:{number}", name=f"{number}.eml", origin=origin, data=data.encode(), received_at=at)


@pytest.fixture
def view(qtbot: QtBot, tasks: Tasks) -> MessagesView:
    """Give the list, shown."""
    view = MessagesView(tasks)
    QAbstractItemModelTester(view.model, QAbstractItemModelTester.FailureReportingMode.Fatal, view)
    qtbot.addWidget(view)
    view.resize(320, 600)
    view.show()
    return view


def find(view: MessagesView, kind: type[Kind], name: str) -> Kind:
    """Return a widget within the view by its object name."""
    found = view.findChild(kind, name)
    assert found is not None
    return found


def list_keys(view: MessagesView) -> list[str]:
    """Return the keys of the rows in order."""
    return [view.model.get_entry(row).key for row in range(view.model.rowCount())]


def wait_until_read(qtbot: QtBot, view: MessagesView, *, bodies: bool = False) -> None:
    """Wait until every head (and body) was read."""
    qtbot.waitUntil(
        lambda: all(one.summary is not None and (one.complete or not bodies) for one in view.model.entries),
        timeout=20_000,
    )


def test_mails_stand_newest_first(qtbot: QtBot, view: MessagesView) -> None:
    """Whatever the order in which they come, the newest is on top, by its own date."""
    view.add_mails([make_mail(number) for number in (5, 1, 3)])
    wait_until_read(qtbot, view)
    assert list_keys(view) == ["mail:1", "mail:3", "mail:5"]
    view.add_mails([make_mail(2)])
    assert list_keys(view) == ["mail:1", "mail:2", "mail:3", "mail:5"]


def test_links_and_sizes_are_found_out_for_what_is_in_view(qtbot: QtBot, view: MessagesView) -> None:
    """Bodies are read behind the scene, and told in words too."""
    body = '<p><a href="https://example.com/a">a</a> <a href="https://example.com/b">b</a></p>' + "x" * CLIP_BYTES
    view.add_mails([make_mail(1, body=body)])
    wait_until_read(qtbot, view, bodies=True)
    index = view.model.index(0)
    for role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
        assert "2 links" in index.data(role)
        assert "HTML of 102.1 KB" in index.data(role)


def test_what_is_chosen_is_told_once_and_is_read(qtbot: QtBot, view: MessagesView) -> None:
    """Choosing a mail says its key, and shows it as read; mails that come later change neither."""
    view.add_mails([make_mail(1), make_mail(2)])
    with qtbot.waitSignal(view.mail_selected) as told:
        view.select("mail:2")
    assert told.args == ["mail:2"]
    assert view.current_key() == "mail:2"
    assert [entry.unread for entry in view.model.entries] == [True, False]
    with qtbot.assertNotEmitted(view.mail_selected):
        view.add_mails([make_mail(number) for number in range(10, 200)])
        wait_until_read(qtbot, view)
        view.add_mails([make_mail(0)])
    assert view.current_key() == "mail:2"
    assert view.list.currentIndex().row() == list_keys(view).index("mail:2")


def test_keys_of_mail_programs_walk_the_list(qtbot: QtBot, view: MessagesView) -> None:
    """J and K go down and up as the arrows do, and stop at the ends."""
    view.add_mails([make_mail(number) for number in range(3)])
    view.select("mail:0")
    for key, expected in (("j", 1), ("j", 2), ("j", 2), ("k", 1)):
        QTest.keyClicks(view.list, key)
        assert view.current_key() == f"mail:{expected}"
    QTest.keyClick(view.list, Qt.Key.Key_Down)
    assert view.current_key() == "mail:2"
    view.select_previous()
    view.select_previous()
    view.select_previous()
    assert view.current_key() == "mail:0"
    view.select_next()
    assert view.current_key() == "mail:1"


def test_delete_takes_mails_off_and_chooses_the_next(qtbot: QtBot, view: MessagesView) -> None:
    """The keys of what was removed are told, and the last removal leaves nothing chosen."""
    view.add_mails([make_mail(number) for number in range(3)])
    view.select("mail:1")
    with qtbot.waitSignal(view.mails_removed) as gone:
        QTest.keyClick(view.list, Qt.Key.Key_Delete)
    assert gone.args == [["mail:1"]]
    assert view.current_key() == "mail:2"
    view.list.selectAll()
    with qtbot.waitSignal(view.mail_selected) as told:
        view.remove_selected()
    assert told.args == [""]
    assert view.current_key() is None


def search(qtbot: QtBot, view: MessagesView, text: str) -> None:
    """Type into the search and press Return."""
    field = find(view, QLineEdit, "message-search")
    field.setText(text)
    QTest.keyClick(field, Qt.Key.Key_Return)


def test_words_are_looked_for_in_subjects_and_people(qtbot: QtBot, view: MessagesView) -> None:
    """All words must stand there, in any case; the chosen mail stays chosen when the list comes back."""
    view.add_mails([make_mail(1, subject="Spring SALE"), make_mail(2, subject="Invoice"), make_mail(3, subject="Sale")])
    wait_until_read(qtbot, view)
    view.select("mail:1")
    search(qtbot, view, "sale spring")
    assert list_keys(view) == ["mail:1"]
    search(qtbot, view, "ONE-3@")
    assert list_keys(view) == ["mail:3"]
    search(qtbot, view, "nowhere")
    assert list_keys(view) == []
    view.clear_filter()
    assert len(list_keys(view)) == 3
    assert view.current_key() == "mail:1"
    assert view.list.currentIndex().row() == 0


def test_bodies_are_searched_on_demand(qtbot: QtBot, view: MessagesView) -> None:
    """Words within encoded bodies are found where a person asks for it."""
    encoded = make_mail(2, body="PHA+R3LDvMOfZSBhdXMgS8O2bG48L3A+")
    data = encoded.data.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n", 1)
    mails = [make_mail(1, body="<p>harbour</p>"), Mail(key="mail:2", name="2.eml", origin="file", data=data)]
    view.add_mails(mails)
    wait_until_read(qtbot, view)
    search(qtbot, view, "harbour")
    assert list_keys(view) == []
    find(view, QToolButton, "search-bodies").click()
    qtbot.waitUntil(lambda: list_keys(view) == ["mail:1"])
    search(qtbot, view, "grüße KÖLN")
    qtbot.waitUntil(lambda: list_keys(view) == ["mail:2"])


def test_one_source_can_be_shown_alone(qtbot: QtBot, view: MessagesView) -> None:
    """Sources are offered with their numbers, and choosing a hidden mail shows everything again."""
    view.add_mails([make_mail(1), make_mail(2, origin="smtp"), make_mail(3, origin="store")])
    wait_until_read(qtbot, view)
    assert view.model.list_sources() == [(Source("smtp"), 1), (Source("file"), 1), (Source("store"), 1)]
    view.model.set_filter(source=Source("smtp"))
    assert list_keys(view) == ["mail:2"]
    view.select("mail:3")
    assert len(list_keys(view)) == 3
    assert view.current_key() == "mail:3"


def test_a_mail_that_comes_again_takes_its_own_place(qtbot: QtBot, view: MessagesView) -> None:
    """Opening a file again shows what it holds now, and no second row."""
    view.add_mails([make_mail(1)])
    wait_until_read(qtbot, view)
    view.add_mails([make_mail(1, subject="Changed")])
    wait_until_read(qtbot, view)
    assert [view.model.index(0).data()] == ["Changed"]
    assert view.model.rowCount() == 1
    assert b"Changed" in view.get_mail("mail:1").data


def write_mailbox(path: Path, number: int) -> Path:
    """Write a mailbox file."""
    with path.open("wb") as file:
        for one in range(number):
            file.write(b"From app@example.com Mon Nov  2 12:00:00 2026\r\n" + make_mail(one).data + b"\r\n\r\n")
    return path


def test_ten_thousand_mails_can_be_used_at_once(qtbot: QtBot, view: MessagesView, tmp_path: Path) -> None:
    """A large mailbox is on the list before its heads are read, scrolls meanwhile, and is then in order."""
    mailbox = Mailbox(write_mailbox(tmp_path / "large.mbox", 10_000))
    view.add_mailbox(mailbox)
    view.select(f"mailbox:{mailbox.path}:9999")
    view.list.scrollToBottom()
    assert view.loader.busy
    assert view.model.rowCount() == 10_000
    qtbot.waitUntil(lambda: not view.loader.busy, timeout=60_000)
    keys = [f"mailbox:{mailbox.path}:{number}" for number in range(10_000)]
    assert list_keys(view) == keys
    assert view.current_key() == keys[-1]
    assert view.list.currentIndex().row() == 9_999
    assert view.get_mail(keys[7]).data.startswith(b"Subject: Number 7")


def test_a_mailbox_that_goes_away_is_said_and_harms_nobody(qtbot: QtBot, view: MessagesView, tmp_path: Path) -> None:
    """Mails whose file is gone bear the problem, and are empty when they are asked for."""
    path = write_mailbox(tmp_path / "gone.mbox", 3)
    mailbox = Mailbox(path)
    path.unlink()
    view.add_mailbox(mailbox)
    wait_until_read(qtbot, view)
    assert all(one.summary is not None and one.summary.problem for one in view.model.entries)
    assert view.get_mail(f"mailbox:{path}:1").data == b""


def test_files_that_are_dropped_are_told(qtbot: QtBot, view: MessagesView) -> None:
    """Paths of local files are handed on, and anything else is not."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile("/tmp/a.eml"), QUrl("https://example.com/b.eml")])
    action, button, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(5, 5), action, data, button, none)
    view.dragEnterEvent(enter)
    assert enter.isAccepted()
    with qtbot.waitSignal(view.files_dropped) as dropped:
        view.dropEvent(QDropEvent(QPointF(5, 5), action, data, button, none, QEvent.Type.Drop))
    assert dropped.args == [[Path("/tmp/a.eml")]]


def test_an_empty_list_says_what_to_do(qtbot: QtBot, view: MessagesView) -> None:
    """It offers to catch, and gives the settings for the app with the port that is listened on."""
    text = find(view, QPlainTextEdit, "settings-snippet")
    assert "MAIL_PORT = 2525" in text.toPlainText()
    with qtbot.waitSignal(view.catch_requested) as asked:
        find(view, QPushButton, "start-catching").click()
    assert asked.args == [True]
    view.set_catching(2599)
    find(view, QToolButton, "settings-django").click()
    find(view, QToolButton, "copy-settings").click()
    assert QGuiApplication.clipboard().text() == 'EMAIL_HOST = "127.0.0.1"\nEMAIL_PORT = 2599\nEMAIL_USE_TLS = False'
    view.add_mails([make_mail(1)])
    assert not text.isVisible()
    with qtbot.waitSignal(view.catch_requested) as asked:
        find(view, QToolButton, "catch").click()
    assert asked.args == [False]


def test_a_mail_is_saved_byte_for_byte(qtbot: QtBot, view: MessagesView, tmp_path: Path) -> None:
    """The file holds the bytes that came, and a folder that is not there is said."""
    view.add_mails([make_mail(1)])
    mail = view.get_mail("mail:1")
    view.save_mail(mail, tmp_path / "saved.eml")
    qtbot.waitUntil(lambda: (tmp_path / "saved.eml").exists() and (tmp_path / "saved.eml").read_bytes() == mail.data)
    with qtbot.waitSignal(view.problem) as said:
        view.save_mail(mail, tmp_path / "nowhere" / "saved.eml")
    assert "nowhere" in said.args[0]


def test_the_menu_copies_the_message_id_and_marks_as_unread(view: MessagesView) -> None:
    """What cannot be done with a mail is not offered."""
    view.add_mails([make_mail(1)])
    view.select("mail:1")
    actions = {action.text(): action for action in view.make_menu("mail:1").actions()}
    actions["Copy Message-ID"].trigger()
    assert QGuiApplication.clipboard().text() == "<1@example.com>"
    assert not actions["Show in folder"].isEnabled()
    actions["Mark as unread"].trigger()
    assert view.model.get_entry(0).unread


@pytest.mark.parametrize("dark", [False, True])
def test_hostile_mails_are_drawn(qtbot: QtBot, view: MessagesView, dark: bool) -> None:
    """Long, reordering, broken and empty heads are rows like any others, in both themes."""
    if dark:
        apply_theme(QGuiApplication.instance(), DARK)  # type: ignore[arg-type]
    subjects = ("x" * 100_000, "\u202eevil\u2028", "", "<b>bold</b>", "\N{GRINNING FACE}" * 50)
    mails = [make_mail(number, subject=subject) for number, subject in enumerate(subjects)]
    mails += [
        Mail(key="empty", name="empty", origin="store", data=b""),
        Mail(key="binary", name="binary", origin="smtp", data=bytes(range(256)) * 100),
        Mail(key="head", name="head", origin="file", data=b"A: " + b"x" * 3_000_000),
        Mail(key="html", name="page.html", origin="file", form="html", data=b"<p>Hi"),
    ]
    view.add_mails(mails)
    wait_until_read(qtbot, view, bodies=True)
    assert not view.grab().isNull()
    texts = [view.model.index(row).data() for row in range(view.model.rowCount())]
    assert "\u202e" not in "".join(texts)
    assert max(map(len, texts)) < 1000
    assert all("<b>" not in view.model.index(row).data(Qt.ItemDataRole.ToolTipRole) for row in range(len(mails)))


def test_times_say_no_more_than_is_needed() -> None:
    """Today has hours, this year days, and all else whole dates."""
    today = datetime(2026, 11, 30, 12, tzinfo=UTC).astimezone()
    assert describe_time(today, today=today.date()) == f"{today:%H:%M}"
    assert describe_time(today - timedelta(days=40), today=today.date()) == "21 Oct"
    assert describe_time(today - timedelta(days=400), today=today.date()).startswith("2025-10-")
    assert describe_time(None, today=today.date()) == ""
