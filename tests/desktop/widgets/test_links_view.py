"""The table of links."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, QSettings, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from mailnod_desktop.models.links import LinkColumn, LinksModel
from mailnod_desktop.services.model import Inspection, LinkRow, Wishes
from mailnod_desktop.views.links import LinksView

InspectMail = Callable[..., Inspection]


@pytest.fixture
def view(qtbot: QtBot, inspect_mail: InspectMail) -> LinksView:
    """Return a view that is shown, of a mail with four links."""
    view = LinksView()
    qtbot.addWidget(view)
    view.resize(1100, 300)
    view.set_inspection(inspect_mail())
    view.show()
    return view


def _read(view: LinksView, column: LinkColumn) -> list[str]:
    model = view.table.model()
    return [model.index(row, column).data() for row in range(model.rowCount())]


def _click(view: LinksView, at: QPoint) -> None:
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QTest.mouseClick(view.table.viewport(), left, none, at)


def test_model_keeps_the_contract_of_qt_through_other_inspections(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """Rows may come, change and go without breaking what Qt asks of a model."""
    model = LinksModel()
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    for wishes in (Wishes(), Wishes(track_opens=False), Wishes(track_clicks=False), Wishes()):
        model.set_inspection(inspect_mail(wishes=wishes))
    model.set_inspection(inspect_mail(key="another"))
    model.set_inspection(None)
    assert model.rowCount() == 0


def test_filtered_rows_keep_the_contract_of_qt(view: LinksView, inspect_mail: InspectMail) -> None:
    """What the filter lets through is a model like any other, while links come, go and are switched below it."""
    QAbstractItemModelTester(view.table.model(), QAbstractItemModelTester.FailureReportingMode.Fatal)
    box = view.findChild(QLineEdit, "links_filter")
    assert isinstance(box, QLineEdit)
    for text in ("order", "", "nothing at all", "example"):
        box.setText(text)
        view.set_inspection(inspect_mail(wishes=Wishes(track_clicks=not text)))
    view.set_inspection(None)
    assert view.table.model().rowCount() == 0


def test_rows_stand_in_the_order_of_the_source_and_say_why(view: LinksView) -> None:
    """Each link says what becomes of it and why, first in the source first in the table."""
    html, text = ["tracked", "left alone", "tracked", "left alone", "pixel"], ["tracked", "tracked"]
    assert _read(view, LinkColumn.STATE) == html + text
    assert _read(view, LinkColumn.KIND)[4:] == ["pixel", "text link", "text link"]
    assert _read(view, LinkColumn.NUMBER) == ["1", "2", "3", "4", "—", "5", "6"]
    assert _read(view, LinkColumn.URL)[1] == "mailto:help@example.com"
    assert "unsubscribe" in _read(view, LinkColumn.WHY)[3]
    assert view.counts_text == "4 links: 2 tracked, 2 left alone · pixel, 2 in plain text"


def test_space_leaves_the_link_alone_and_says_so(view: LinksView, qtbot: QtBot) -> None:
    """Space switches the selected link, and what is emitted is what the wishes take."""
    view.select_link(0, 0)
    with qtbot.waitSignal(view.refused_changed) as told:
        QTest.keyClick(view.table, Qt.Key.Key_Space)
    assert told.args == [frozenset({(0, 0)})]
    with qtbot.waitSignal(view.refused_changed) as told:
        QTest.keyClick(view.table, Qt.Key.Key_Space)
    assert told.args == [frozenset()]


def test_click_on_the_box_switches_and_click_beside_it_does_not(view: LinksView, qtbot: QtBot) -> None:
    """Only the box itself is a switch."""
    told: list[frozenset[tuple[int, int]]] = []
    view.refused_changed.connect(told.append)
    cell = view.table.visualRect(view.table.model().index(2, LinkColumn.NUMBER))
    _click(view, QPoint(cell.left() + 15, cell.center().y()))
    assert told == [frozenset({(0, 2)})]
    _click(view, QPoint(cell.right() - 3, cell.center().y()))
    assert len(told) == 1


def test_link_that_rules_keep_cannot_be_switched(view: LinksView, qtbot: QtBot) -> None:
    """A box that nobody may switch says why, and keys do not move it."""
    view.select_link(0, 1)
    with qtbot.assertNotEmitted(view.refused_changed):
        QTest.keyClick(view.table, Qt.Key.Key_Space)
    box = view.table.currentIndex().siblingAtColumn(LinkColumn.NUMBER)
    assert "Cannot be tracked" in box.data(Qt.ItemDataRole.ToolTipRole)


def test_same_mail_keeps_selection_and_other_mail_does_not(view: LinksView, inspect_mail: InspectMail) -> None:
    """What a person had selected stays while the mail is rewritten again, even where the pixel goes."""
    view.select_link(0, 2)
    view.set_inspection(inspect_mail(wishes=Wishes(track_opens=False, refused=frozenset({(0, 2)}))))
    (row,) = view.get_selected()
    assert row.link is not None
    assert (row.link.index, row.tracked) == (2, False)
    html, text = ["tracked", "left alone", "left alone", "left alone", "no pixel"], ["tracked", "tracked"]
    assert _read(view, LinkColumn.STATE) == html + text
    view.set_inspection(inspect_mail(key="another"))
    assert view.get_selected() == []


def test_filter_takes_all_words_and_gives_way_to_a_link_that_is_shown(view: LinksView) -> None:
    """The filter hides rows, until somebody is led to one of them."""
    box = view.findChild(QLineEdit, "links_filter")
    assert isinstance(box, QLineEdit)
    box.setText("EXAMPLE order")
    assert _read(view, LinkColumn.URL) == ["https://example.com/order"] * 2
    assert view.counts_text.endswith("2 shown")
    view.select_link(0, 3)
    assert len(_read(view, LinkColumn.URL)) == 7
    assert view.get_selected()[0].url == "https://example.com/unsubscribe"


def test_only_a_person_s_selection_is_told(view: LinksView, qtbot: QtBot) -> None:
    """A link that is selected from elsewhere does not lead back there."""
    told: list[LinkRow] = []
    view.link_selected.connect(told.append)
    view.select_link(0, 2)
    assert told == []
    QTest.keyClick(view.table, Qt.Key.Key_Up)
    assert [row.url for row in told] == ["mailto:help@example.com"]


def test_copy_and_menu_act_on_what_is_selected(view: LinksView, qtbot: QtBot) -> None:
    """Ctrl+C copies the original URLs, and the menu leads to preview, diff and simulation."""
    view.select_link(0, 0)
    QTest.keyClick(view.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "https://example.com/order"
    view.copy_selected(tracked=True)
    assert QGuiApplication.clipboard().text().startswith("https://track.example.com/t/c/")
    actions = {action.text(): action for action in view.make_menu().actions()}
    for text, signal in (
        ("Show in preview", view.show_in_preview),
        ("Show in source diff", view.show_in_diff),
        ("Simulate a click", view.simulate),
    ):
        with qtbot.waitSignal(signal) as told:
            actions[text].trigger()
        assert told.args[0].url == "https://example.com/order"


def test_menu_switches_every_link_that_may_be(view: LinksView, qtbot: QtBot) -> None:
    """All links are left alone at once, and those that rules keep are not named."""
    actions = {action.text(): action for action in view.make_menu().actions()}
    with qtbot.waitSignal(view.refused_changed) as told:
        actions["Leave every link alone"].trigger()
    assert told.args == [frozenset({(0, 0), (0, 2)})]


def test_markup_and_turned_text_of_a_mail_stay_text(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """What a mail writes is never read as markup, nor does it turn what stands around it."""
    html = '<a href="https://example.com/<b>x</b>?\u202egpj.exe">go</a>'
    view = LinksView()
    qtbot.addWidget(view)
    view.set_inspection(inspect_mail(html.encode(), form="html"))
    cell = view.table.model().index(0, LinkColumn.URL)
    assert "\u202e" not in cell.data()
    tip = cell.data(Qt.ItemDataRole.ToolTipRole)
    assert "<b>" not in tip
    assert "&lt;b&gt;" in tip


def test_place_is_told_by_line_and_column(view: LinksView) -> None:
    """The tooltip of an offset names the line that an editor would show."""
    tip = view.table.model().index(0, LinkColumn.OFFSET).data(Qt.ItemDataRole.ToolTipRole)
    assert "Line 3, column 10" in tip


def test_widths_of_columns_last(qtbot: QtBot, tmp_path: object, inspect_mail: InspectMail) -> None:
    """A column is as wide as it was left."""
    settings = QSettings(f"{tmp_path}/columns.ini", QSettings.Format.IniFormat)
    for width in (None, 333):
        view = LinksView(settings)
        qtbot.addWidget(view)
        if width is None:
            view.table.horizontalHeader().resizeSection(LinkColumn.URL, 333)
        else:
            assert view.table.columnWidth(LinkColumn.URL) == width


def test_empty_table_says_why(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """No mail, no links and no match are told apart in words."""
    view = LinksView()
    qtbot.addWidget(view)
    assert "Open a mail" in view.table.hint
    view.set_inspection(inspect_mail(b"<p>Nothing</p>", Wishes(track_opens=False), form="html"))
    assert "no links" in view.table.hint
