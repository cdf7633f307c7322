"""The preview as the window uses it: two panes that go together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from mailnod_desktop.services.model import CLIP_BYTES, Inspection, Wishes
from mailnod_desktop.views.preview import PreviewView
from mailnod_desktop.views.preview_pane import PreviewPane
from mailnod_desktop.web.surface import WebSurface

from .conftest import Canary

InspectHtml = Callable[..., Inspection]

MAIL = """<html><body style="margin:0">
<a href="https://example.com/first" style="display:block;width:300px;height:60px;background:#eee">First</a>
<!--[if mso]><a href="https://example.com/outlook">Outlook</a><![endif]-->
<a href="mailto:help@example.com" style="display:block;height:60px">Help</a>
<a href="https://example.com/first" style="display:block;height:60px">Again</a>
<p style="height:4000px">Text</p></body></html>"""


def show(qtbot: QtBot, view: PreviewView, inspection: Inspection, body: int = 0) -> float:
    """Show an inspection, wait until it is there, and return how long that took in milliseconds."""
    with qtbot.waitSignal(view.rendered, timeout=30_000) as rendered:
        view.show_inspection(inspection, body)
    assert rendered.args is not None
    return float(rendered.args[0])


def surface_of(view: PreviewView, side: str) -> WebSurface:
    """Return what draws one pane."""
    surface = view.findChild(WebSurface, f"{side}Surface")
    assert surface is not None
    return surface


def pane_of(view: PreviewView, side: str) -> PreviewPane:
    """Return one pane."""
    pane = view.findChild(PreviewPane, f"{side}Pane")
    assert pane is not None
    return pane


def ask(qtbot: QtBot, view: PreviewView, side: str, expression: str) -> object:
    """Return what an expression is in one pane."""
    answers: list[object] = []
    page = surface_of(view, side).page
    assert page is not None
    page.runJavaScript(expression, 1, answers.append)
    qtbot.waitUntil(lambda: bool(answers), timeout=10_000)
    return answers[0]


def place_of(qtbot: QtBot, view: PreviewView, side: str) -> float:
    """Return how far a pane is scrolled, in CSS pixels."""
    return float(str(ask(qtbot, view, side, "scrollY")))


def wait_for_place(qtbot: QtBot, view: PreviewView, side: str, place: float, within: float = 10) -> None:
    """Wait until a pane is scrolled to a place."""
    qtbot.waitUntil(lambda: abs(place_of(qtbot, view, side) - place) < within, timeout=10_000)


def test_tracking_does_not_begin_by_looking(
    qtbot: QtBot, view: PreviewView, inspect_html: InspectHtml, canary: Canary
) -> None:
    """The pixel of a rewritten mail is not loaded, allowed or not, and is listed."""
    inspection = inspect_html(MAIL)
    show(qtbot, view, inspection)
    qtbot.waitUntil(lambda: len(view.blocked) == 1, timeout=5000)
    assert view.blocked[0].page == "rewritten"
    view.set_allowed(True)
    show(qtbot, view, inspect_html(MAIL + " "))
    assert canary.count() == (0, 0)


def test_a_click_names_its_row_in_both_panes(qtbot: QtBot, view: PreviewView, inspect_html: InspectHtml) -> None:
    """The same place is the same link, as it came and as it leaves; Outlook's link in between is no element."""
    inspection = inspect_html(MAIL)
    show(qtbot, view, inspection)
    rows = [row for row in inspection.links if row.kind == "click"]
    assert [row.url for row in rows].count("https://example.com/first") == 2
    for side in ("original", "rewritten"):
        for y, row in ((20, rows[0]), (100, rows[-1])):
            target = surface_of(view, side).view.focusProxy()
            assert target is not None
            with qtbot.waitSignal(view.link_clicked, timeout=5000) as clicked:
                QTest.mouseClick(target, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(40, y))
            assert clicked.args is not None
            assert clicked.args[0] == side
            assert clicked.args[1] == row
            assert clicked.args[2] == (row.tracked_url if side == "rewritten" else row.url)


def test_panes_scroll_together_until_they_are_told_not_to(
    qtbot: QtBot, view: PreviewView, inspect_html: InspectHtml
) -> None:
    """One pane follows the other, in both directions, and comes to rest."""
    show(qtbot, view, inspect_html(MAIL))
    for source, follower, place in (("original", "rewritten", 1500), ("rewritten", "original", 300)):
        ask(qtbot, view, source, f"scrollTo(0, {place}), 0")
        wait_for_place(qtbot, view, follower, place)
        assert abs(place_of(qtbot, view, source) - place) < 2
    view.set_scroll_linked(False)
    with qtbot.waitSignal(surface_of(view, "original").scrolled):
        ask(qtbot, view, "original", "scrollTo(0, 2000), 0")
    assert abs(place_of(qtbot, view, "rewritten") - 300) < 2


def test_a_change_of_wishes_keeps_place_and_the_pane_that_did_not_change(
    qtbot: QtBot, view: PreviewView, inspect_html: InspectHtml
) -> None:
    """Only what leaves is drawn again, at the same place."""
    show(qtbot, view, inspect_html(MAIL))
    ask(qtbot, view, "original", "scrollTo(0, 1500), document.title = 'kept', 0")
    wait_for_place(qtbot, view, "rewritten", 1500)
    show(qtbot, view, inspect_html(MAIL, Wishes(track_clicks=False)))
    assert ask(qtbot, view, "original", "document.title") == "kept"
    assert abs(place_of(qtbot, view, "rewritten") - 1500) < 20


def test_headers_say_sizes_and_edits(qtbot: QtBot, view: PreviewView, inspect_html: InspectHtml) -> None:
    """A person reads how large the mail was and what rewriting added."""
    inspection = inspect_html(MAIL)
    show(qtbot, view, inspection)
    original, rewritten = pane_of(view, "original"), pane_of(view, "rewritten")
    assert original.facts.text == f"{len(MAIL)} bytes"
    added = inspection.bodies[0].rewritten_bytes - inspection.bodies[0].original_bytes
    assert rewritten.facts.text.startswith(f"+{added} bytes in 4 edits".replace(",", "\N{NARROW NO-BREAK SPACE}"))
    assert rewritten.meter.text == "1 % of 102 KB"


def test_a_clipped_mail_says_that_its_pixel_is_lost(qtbot: QtBot, view: PreviewView, inspect_html: InspectHtml) -> None:
    """Beyond 102 KB the meter says so in words, and whether the pixel is behind the clip."""
    html = "<html><body>" + "<p>many words in many lines</p>\n" * (CLIP_BYTES // 30) + "</body></html>"
    inspection = inspect_html(html)
    show(qtbot, view, inspection)
    text = pane_of(view, "rewritten").meter.text
    assert ", clipped" in text
    place = inspection.bodies[0].rewritten.encode().find(b'.gif"')
    assert ("the pixel is cut off" in text) == (place > CLIP_BYTES)


def test_images_off_shows_texts_and_their_score(qtbot: QtBot, view: PreviewView, inspect_html: InspectHtml) -> None:
    """Without images a reader sees what the texts say, and the header how good they are."""
    html = '<img src="https://example.com/a.png" alt="Spring sale" width="100" height="50"><img src="b.png" width="9">'
    show(qtbot, view, inspect_html(html))
    with qtbot.waitSignal(view.rendered, timeout=10_000):
        view.set_images(False)
    assert ask(qtbot, view, "original", "document.images.length") == 0
    assert "Spring sale" in str(ask(qtbot, view, "original", "document.body.textContent"))
    notes = pane_of(view, "original").notes.text
    assert notes.endswith("alt texts 50 %: 1 of 2 images says what is shown, 1 without alt text")


def test_a_mail_without_html_is_said_to_have_none(qtbot: QtBot, view: PreviewView, inspect_html: InspectHtml) -> None:
    """Where there is nothing to draw, the headers say why."""
    view.show_inspection(inspect_html(MAIL), body=5)
    assert pane_of(view, "original").facts.text == "This mail has no HTML."
    view.clear()
    assert pane_of(view, "original").facts.text == ""


def test_both_panes_are_saved_as_a_picture(
    qtbot: QtBot, view: PreviewView, inspect_html: InspectHtml, tmp_path: Path
) -> None:
    """The picture has both panes; a place that cannot be written is an error with its name."""
    show(qtbot, view, inspect_html(MAIL))
    view.grab_png(tmp_path / "both.png")
    assert QImage(str(tmp_path / "both.png")).width() == 1000
    with pytest.raises(OSError, match="missing"):
        view.grab_png(tmp_path / "missing" / "both.png")


def test_a_link_is_shown_in_both_panes(qtbot: QtBot, view: PreviewView, inspect_html: InspectHtml) -> None:
    """A row that was chosen elsewhere is scrolled to."""
    html = '<p style="height:3000px">x</p><a href="https://example.com/">y</a><p style="height:3000px">z</p>'
    inspection = inspect_html(html)
    show(qtbot, view, inspection)
    view.scroll_to_link(inspection.links[0])
    for side in ("original", "rewritten"):
        middle = float(str(ask(qtbot, view, side, "3000 - innerHeight / 2")))
        wait_for_place(qtbot, view, side, middle, within=60)


def test_switches_say_what_they_do(qtbot: QtBot, view: PreviewView) -> None:
    """Every control has a name, and the state of the view is that of its switches."""
    buttons = view.controls.findChildren(QToolButton)
    assert all(button.accessibleName() for button in buttons)
    phone = next(button for button in buttons if button.accessibleName().startswith("Phone"))
    with qtbot.waitSignal(view.option_changed) as told:
        phone.click()
    assert told.args == ["width", 375]
    assert phone.isChecked()
    assert [button.isChecked() for button in buttons].count(True) == 2
