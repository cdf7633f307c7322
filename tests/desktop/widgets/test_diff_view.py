"""The source before and after."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from mailnod_desktop.models.diff_lines import DiffLines, show_source, wrap
from mailnod_desktop.services.diff import DiffRow, make_diff
from mailnod_desktop.services.model import Inspection, Wishes
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.views.diff import DiffView

InspectMail = Callable[..., Inspection]

LONG = (
    b"<html><body>\n%s<a href='https://example.com/1'>one</a>\n%s<a href='https://example.com/2'>two</a>\n</body></html>"
    % (
        b"<p>before</p>\n" * 50,
        b"<p>between</p>\n" * 80,
    )
)


@pytest.fixture
def view(qtbot: QtBot, inspect_mail: InspectMail) -> DiffView:
    """Return a view that is shown, of a page with two links far from each other."""
    view = DiffView()
    qtbot.addWidget(view)
    view.resize(900, 400)
    view.set_inspection(inspect_mail(LONG, form="html"))
    view.show()
    return view


def _get_rows(view: DiffView) -> list[DiffRow]:
    assert view.canvas.lines is not None
    return view.canvas.lines.rows


def test_long_text_wraps_where_it_is_full() -> None:
    """Each line begins where the one before is full, and wide characters take two columns."""
    assert list(wrap("abcdefg", 3)) == [0, 3, 6]
    assert list(wrap("", 3)) == [0]
    assert list(wrap("漢字漢字", 4)) == [0, 2]
    assert list(wrap("ab漢", 3)) == [0, 2]


def test_source_shows_what_is_not_seen_and_keeps_its_length() -> None:
    """Characters that steer or hide are seen, each in its own place."""
    source = "a\tb\u202ec\x00d\u200b\ud800"
    shown = show_source(source)
    assert len(shown) == len(source)
    assert shown == "a→b\ufffdc\u2400d·\ufffd"


def test_lines_of_the_screen_belong_to_rows(inspect_mail: InspectMail) -> None:
    """Every line that rows take leads back to its row, gaps open or not."""
    body = inspect_mail(LONG, form="html").bodies[0]
    lines = DiffLines(make_diff(body), body.original, body.rewritten)
    for _ in range(2):
        lines.lay_out(40)
        found = [lines.find_row(line) for line in range(lines.height)]
        assert [row for row, below in found if below == 0] == list(range(len(lines.rows)))
        lines.expand_all()
    assert lines.get_text(0, len(lines.rows) - 1, "old") == body.original
    assert lines.get_text(0, len(lines.rows) - 1, "new") == body.rewritten


def test_gap_opens_with_a_click(view: DiffView) -> None:
    """What is left out is said, and comes with a click on it."""
    rows = _get_rows(view)
    assert (rows[0].kind, rows[0].hidden) == ("gap", 48)
    before = len(rows)
    none = Qt.KeyboardModifier.NoModifier
    QTest.mouseClick(view.canvas.viewport(), Qt.MouseButton.LeftButton, none, QPoint(60, 6))
    assert len(_get_rows(view)) == before + 47


def test_keys_go_through_the_edits(view: DiffView) -> None:
    """N and F7 go on, P and Shift+F7 back, round and round; the caption says where one is."""
    assert view.caption == "3 edits"
    QTest.keyClick(view.canvas, Qt.Key.Key_N)
    assert view.caption == "Edit 1 of 3: link 1 tracked"
    QTest.keyClick(view.canvas, Qt.Key.Key_F7)
    QTest.keyClick(view.canvas, Qt.Key.Key_F7)
    assert view.caption == "Edit 3 of 3: pixel, before </body>"
    QTest.keyClick(view.canvas, Qt.Key.Key_N)
    assert view.caption.startswith("Edit 1")
    QTest.keyClick(view.canvas, Qt.Key.Key_F7, Qt.KeyboardModifier.ShiftModifier)
    assert view.caption.startswith("Edit 3")


def test_link_is_shown_by_its_edit_or_by_its_line(view: DiffView, inspect_mail: InspectMail) -> None:
    """A tracked link leads to its edit; one that was left alone to its line, out of a gap too."""
    inspection = inspect_mail(LONG, form="html")
    view.show_link(inspection.links[1])
    assert view.caption.endswith("link 2 tracked")
    refused = inspect_mail(LONG, Wishes(refused=frozenset({(0, 0)})), form="html")
    view.set_inspection(refused)
    view.show_link(refused.links[0])
    assert view.canvas.current is None
    assert view.canvas.get_first_number() == 48


def test_same_mail_keeps_the_edit_and_the_place(view: DiffView, inspect_mail: InspectMail) -> None:
    """A mail that is rewritten again is shown where one was."""
    view.step(1)
    view.step(1)
    first = view.canvas.get_first_number()
    view.set_inspection(inspect_mail(LONG, Wishes(refused=frozenset({(0, 0)})), form="html"))
    assert view.caption == "Edit 1 of 2: link 2 tracked"
    assert abs(view.canvas.get_first_number() - first) < 100


def test_return_leads_to_the_preview(view: DiffView, qtbot: QtBot) -> None:
    """The edit that one is at can be seen rendered, the pixel too."""
    view.step(1)
    with qtbot.waitSignal(view.jump_to_preview) as told:
        QTest.keyClick(view.canvas, Qt.Key.Key_Return)
    assert told.args[0].url == "https://example.com/1"
    view.step(-1)
    with qtbot.waitSignal(view.jump_to_preview) as told:
        QTest.keyClick(view.canvas, Qt.Key.Key_Return)
    assert told.args[0].kind == "pixel"


def test_search_opens_gaps_and_counts(view: DiffView) -> None:
    """What stands in a gap is found, in any case, and Escape takes the marks away."""
    view.search.open()
    QTest.keyClicks(view.search.field, "BETWEEN")
    assert view.search.count_text == "1 of 80"
    QTest.keyClick(view.search.field, Qt.Key.Key_Return)
    QTest.keyClick(view.search.field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(view.search.field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert view.search.count_text == "80 of 80"
    view.search.field.setText("nowhere")
    assert view.search.count_text == "not found"
    QTest.keyClick(view.search.field, Qt.Key.Key_Escape)
    assert view.search.isHidden()


def test_lines_are_copied_as_they_stand(view: DiffView) -> None:
    """A row that was clicked on is copied from the side of the click."""
    view.step(1)
    lines = view.canvas.lines
    assert lines is not None
    line = lines.find_line(lines.edits[0].row) - view.canvas.verticalScrollBar().value()
    none, left = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton
    height = view.canvas.viewport().height() / view.canvas.verticalScrollBar().pageStep()
    QTest.mouseClick(view.canvas.viewport(), left, none, QPoint(120, int((line + 0.5) * height)))
    QTest.keyClick(view.canvas, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "<a href='https://example.com/1'>one</a>"
    actions = {action.text(): action for action in view.make_menu(lines.edits[0].number).actions()}
    actions["Copy tracked URL"].trigger()
    assert QGuiApplication.clipboard().text().startswith("https://track.example.com/t/c/")


def test_copies_of_two_recipients_differ_by_their_token_alone(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """Between two copies nothing but the token is marked."""
    view = DiffView()
    qtbot.addWidget(view)
    inspection = inspect_mail()
    view.set_inspection(inspection)
    view.compare_copies("anna@example.com", "cleo@example.com")
    assert view.caption == "3 places differ, each of them the token; all else is the same"
    tokens = inspection.tokens
    for row in _get_rows(view):
        for text, spans, who in ((row.old, row.old_spans, "anna"), (row.new, row.new_spans, "cleo")):
            assert {text[span.start : span.end] for span in spans} <= {tokens[f"{who}@example.com"]}


def test_mail_without_edits_can_be_read(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """A body that leaves as it came is said to, and can be opened all the same."""
    view = DiffView()
    qtbot.addWidget(view)
    view.set_inspection(inspect_mail(LONG, Wishes(route="plain"), form="html"))
    assert view.caption == "No edits: this body leaves as it came"
    view.canvas.expand(0)
    assert len(_get_rows(view)) == 134
    view.set_inspection(inspect_mail(b"Subject: text\n\nno HTML"))
    assert view.canvas.lines is None
    view.set_inspection(None)
    assert view.caption == ""


def test_long_source_is_compared_beside_the_window(qtbot: QtBot, tasks: Tasks, inspect_mail: InspectMail) -> None:
    """A megabyte holds up nobody: its lines come, and with them the link that somebody wanted to see."""
    inspection = inspect_mail(b"<p>%s</p>\n%s" % (b"long " * 200_000, LONG), form="html")
    view = DiffView(tasks)
    qtbot.addWidget(view)
    view.set_inspection(inspection)
    view.show_link(next(row for row in inspection.links if row.link is not None and row.link.index == 1))
    assert view.canvas.lines is None
    assert view.caption == "Comparing…"
    qtbot.waitUntil(lambda: view.canvas.lines is not None)
    assert view.caption.endswith("link 2 tracked")


def test_long_source_that_is_left_is_not_shown(qtbot: QtBot, tasks: Tasks, inspect_mail: InspectMail) -> None:
    """What was compared for a mail that is not the chosen one any more is dropped."""
    view = DiffView(tasks)
    qtbot.addWidget(view)
    view.set_inspection(inspect_mail(b"<p>%s</p>\n%s" % (b"long " * 200_000, LONG), form="html"))
    view.set_inspection(inspect_mail(LONG, form="html"))
    qtbot.waitUntil(lambda: not tasks.is_running("diff"))
    assert len(_get_rows(view)) < 20
