"""The preview's parts that need no engine: the panel in its place, the meter, the list of what was blocked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QPlainTextEdit, QPushButton, QToolButton, QTreeWidget
from pytestqt.qtbot import QtBot

from mailnod_desktop.services.model import CLIP_BYTES, Inspection
from mailnod_desktop.theme import DARK, apply_theme
from mailnod_desktop.views.preview import PreviewView
from mailnod_desktop.views.preview_blocked import BlockedButton, merge_blocked
from mailnod_desktop.views.preview_documents import find_shown, format_bytes, make_document
from mailnod_desktop.views.preview_fallback import TextBackend
from mailnod_desktop.views.preview_meter import ClipMeter
from mailnod_desktop.views.preview_pane import PreviewPane
from mailnod_desktop.web.rules import Blocked

InspectMail = Callable[..., Inspection]


def make_blocked(url: str, page: str = "original") -> Blocked:
    """Make something that was blocked."""
    return Blocked(kind="image", url=url, reason="remote", page=page)


def test_without_an_engine_the_text_is_shown_and_what_is_missing(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """A person reads the mail's text and how to get the rest; sizes and edits are there all the same."""
    view = PreviewView(backend=TextBackend("Qt WebEngine is not installed."))
    qtbot.addWidget(view)
    with qtbot.waitSignal(view.rendered):
        view.show_inspection(inspect_mail())
    text = view.findChildren(QPlainTextEdit)[0]
    assert text.toPlainText().startswith("See https://example.com/order")
    pane = view.findChild(PreviewPane, "rewrittenPane")
    assert pane is not None
    assert "edits" in pane.facts.text
    assert view.problem == "Qt WebEngine is not installed."
    assert not any(button.isEnabled() for button in view.controls.findChildren(QToolButton))


def test_without_an_engine_every_call_is_harmless(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """The window need not ask what draws."""
    view = PreviewView(backend=TextBackend("missing"))
    qtbot.addWidget(view)
    inspection = inspect_mail()
    view.show_inspection(inspection)
    view.set_width(375)
    view.set_images(False)
    view.set_dark("author")
    view.set_scroll_linked(False)
    view.set_marks(True)
    view.set_allowed(True)
    view.scroll_to_link(inspection.links[0])
    view.clear()
    view.close_pages()
    assert view.blocked == []


@pytest.mark.parametrize(
    ("size", "pixel", "text"),
    [
        (24_158, None, "23 % of 102 KB"),
        (40, None, "1 % of 102 KB"),
        (CLIP_BYTES, CLIP_BYTES, "100 % of 102 KB"),
        (2 * CLIP_BYTES, 2000, "200 % of 102 KB, clipped"),
        (2 * CLIP_BYTES, 2 * CLIP_BYTES - 20, "200 % of 102 KB, clipped; the pixel is cut off"),
    ],
)
def test_the_meter_says_in_words_what_its_colour_says(size: int, pixel: int | None, text: str, qtbot: QtBot) -> None:
    """No meaning is in the colour alone."""
    meter = ClipMeter()
    qtbot.addWidget(meter)
    meter.set_size(size, pixel)
    assert meter.text == meter.accessibleName() == text
    meter.resize(meter.sizeHint())
    assert not meter.grab().isNull()


def test_what_both_panes_were_refused_is_listed_once() -> None:
    """One image is one line."""
    merged = merge_blocked(
        [make_blocked("a"), make_blocked("b"), make_blocked("a", "rewritten"), make_blocked("c", "rewritten")]
    )
    assert [(each.url, each.page) for each in merged] == [("a", "both"), ("b", "original"), ("c", "rewritten")]


def test_the_badge_lists_what_was_blocked_and_asks_for_a_permission(qtbot: QtBot) -> None:
    """A person sees addresses, copies them, and lets images in or not."""
    button = BlockedButton()
    qtbot.addWidget(button)
    button.set_state(
        [make_blocked("https://example.com/a.png"), make_blocked("https://example.com/b.png")], allowed=False
    )
    assert button.text() == "2 blocked"
    button.show()
    button.open_panel()
    listed = button.findChild(QTreeWidget)
    allow = button.findChild(QPushButton, "allowImages")
    assert listed is not None
    assert allow is not None
    assert listed.topLevelItemCount() == 2
    copy = next(each for each in button.findChildren(QPushButton) if each is not allow)
    copy.click()
    assert QGuiApplication.clipboard().text() == "https://example.com/a.png\nhttps://example.com/b.png"
    with qtbot.waitSignal(button.allow_toggled) as told:
        allow.click()
    assert told.args == [True]
    button.set_state([], allowed=True)
    assert button.text() == "Nothing blocked, images allowed"


def test_documents_name_links_as_the_table_does(inspect_mail: InspectMail) -> None:
    """Marks bear the numbers of the links, and the pixel is known in the rewritten pane alone."""
    inspection = inspect_mail()
    shown = find_shown(inspection, 0)
    assert shown is not None
    original = make_document(shown, "original", shown.body.original)
    rewritten = make_document(shown, "rewritten", shown.body.rewritten)
    assert [href for _, href in original.links] == [row.link.url for row in shown.rows if row.link is not None]
    assert original.pixel == ""
    assert rewritten.pixel in shown.body.rewritten
    assert original.names[0] == "1"
    assert shown.pixel_end_bytes is not None
    assert find_shown(inspection, 1) is None


def test_bytes_are_grouped_by_thousands() -> None:
    """Large numbers are readable."""
    assert format_bytes(24_158) == "24\N{NARROW NO-BREAK SPACE}158 bytes"
    assert format_bytes(1) == "1 byte"


def test_another_theme_draws_the_icons_anew(qtbot: QtBot, qapp: QApplication) -> None:
    """Icons are readable after the colours changed."""
    view = PreviewView(backend=TextBackend("missing"))
    qtbot.addWidget(view)
    view.show()
    button = view.controls.findChildren(QToolButton)[0]
    before = button.icon().pixmap(17, 17).toImage()
    apply_theme(qapp, DARK)
    assert button.icon().pixmap(17, 17).toImage() != before
