"""The smaller views around a mail: headers, parts, recipients, findings, images, text."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtCore import QAbstractItemModel, QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from mailnod_desktop.models.findings import FindingsModel
from mailnod_desktop.models.headers import HeaderColumn, HeadersModel, read_raw_head
from mailnod_desktop.models.images import ImageColumn, ImagesModel
from mailnod_desktop.models.mime import MimeModel, find_danger, suggest_filename
from mailnod_desktop.models.plain import make_tooltip, make_visible, shorten
from mailnod_desktop.models.recipients import RecipientColumn, RecipientsModel
from mailnod_desktop.services.images import list_images
from mailnod_desktop.services.model import Finding, Inspection, MimeNode, Wishes
from mailnod_desktop.views.findings import FindingsView
from mailnod_desktop.views.headers import HeadersView
from mailnod_desktop.views.images_off import ImagesOffView
from mailnod_desktop.views.mime_tree import MimeView
from mailnod_desktop.views.plain_text import PlainTextView
from mailnod_desktop.views.recipients import RecipientsView

InspectMail = Callable[..., Inspection]

FINDINGS = (
    Finding(rule="no-text", severity="notice", message="There is no plain text.", advice="Add one."),
    Finding(rule="relative", severity="error", message="<b>/x</b> leads nowhere.", advice="", body=0, offset=40),
)


def _read(model: QAbstractItemModel, column: int) -> list[str]:
    return [model.index(row, column).data() for row in range(model.rowCount())]


def _attach(filename: str, content: bytes = b"data", content_type: str = "application/octet-stream") -> MimeNode:
    return MimeNode(path="2", depth=1, content_type=content_type, role="attachment", filename=filename, content=content)


def _write_png_head(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    begun = struct.pack(">I", 4) + b"IDAT" + bytes(8)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)) + begun


def test_models_keep_the_contract_of_qt(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """Each model may be filled, refilled and emptied without breaking what Qt asks of it."""
    one, other = inspect_mail(), inspect_mail(b"Subject: x\n\ny", key="other")
    headers, mime, recipients, findings, images = (
        HeadersModel(),
        MimeModel(),
        RecipientsModel(),
        FindingsModel(),
        ImagesModel(),
    )
    mode = QAbstractItemModelTester.FailureReportingMode.Fatal
    testers = [QAbstractItemModelTester(model, mode) for model in (headers, mime, recipients, findings, images)]
    for inspection in (one, other, one):
        headers.set_parsed(inspection.parsed)
        mime.set_nodes(inspection.parsed.nodes)
        recipients.set_inspection(inspection)
        findings.set_findings(FINDINGS if inspection is one else ())
        images.set_images(list_images(inspection.bodies[0].rewritten) if inspection.bodies else ())
    headers.set_parsed(None)
    mime.set_nodes(())
    recipients.set_inspection(None)
    assert [tester.model().rowCount() for tester in testers] == [0, 0, 0, 2, 2]


@pytest.mark.parametrize("view", [HeadersView, MimeView, RecipientsView, FindingsView, ImagesOffView, PlainTextView])
def test_every_view_can_be_emptied(qtbot: QtBot, inspect_mail: InspectMail, view: type[QWidget]) -> None:
    """No view keeps anything of a mail that is no longer there, nor stumbles over a bare or an empty one."""
    widget = view()
    qtbot.addWidget(widget)
    widget.show()
    for inspection in (
        inspect_mail(),
        inspect_mail(b"<p>bare", form="html"),
        inspect_mail(b""),
        inspect_mail(b"\x00\xff: \n\n\x00"),
        None,
    ):
        widget.set_inspection(inspection)  # type: ignore[attr-defined]
        widget.grab()


def test_text_of_strangers_is_shown_as_it_is() -> None:
    """Nothing that a mail says is read as markup, turns what stands around it, or is endless."""
    assert make_tooltip("<img src=x>\u202eab") == "<qt>&lt;img src=x&gt;[U+202E]ab</qt>"
    assert make_visible("a\r\nb") == "a␍␊b"
    assert make_visible("a\nb\u200b", keep_lines=True) == "a\nb\u200b"
    assert len(shorten("x" * 10_000)) == 601


def test_headers_of_ours_are_marked_in_words(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """Each header says what Mailnod makes of it, and those that do not leave are counted."""
    view = HeadersView()
    qtbot.addWidget(view)
    view.set_inspection(inspect_mail())
    notes = dict(zip(*(_read(view.table.model(), column) for column in HeaderColumn if column != 2), strict=True))
    assert notes["X-Mailnod-Track-Opens"] == "removed before it leaves"
    assert notes["List-Unsubscribe"] == "its links are left alone"
    assert notes["Subject"] == ""


def test_headers_are_copied_and_shown_as_they_came(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """A header is copied as it is read; the source shows what is not seen."""
    view = HeadersView()
    qtbot.addWidget(view)
    view.set_inspection(inspect_mail(b"Subject: a\x07b\r\nTo: x@example.com\r\n\r\nbody"))
    view.table.selectRow(1)
    QTest.keyClick(view.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "To: x@example.com"
    view.show_source(True)
    assert view.source_text == "Subject: a[U+0007]b\nTo: x@example.com"
    assert read_raw_head(b"X: " + b"y" * 300_000).endswith("\n…")


def test_part_is_shown_and_never_opened(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """Text is shown as text; a program is named one, and saved under a name that is safe."""
    view = MimeView()
    qtbot.addWidget(view)
    view.set_inspection(inspect_mail())
    view.select_part("1.1.2")
    assert "<b>you</b>" in view.preview.shown_text
    view.select_part("1.2")
    assert "program" in view.preview.danger_text
    button = next(one for one in view.findChildren(QPushButton) if "Save" in one.text())
    with qtbot.waitSignal(view.save_requested) as told:
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    node, name = told.args
    assert (node.content[:2], name) == (b"MZ", "invoice.pdf.exe")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG\r\n\x1a\n broken", "damaged"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture"),
        (_write_png_head(60_000, 60_000), "too large"),
    ],
)
def test_picture_that_cannot_be_shown_says_why(qtbot: QtBot, content: bytes, said: str) -> None:
    """A damaged picture, one that is none, and one that would fill the memory are told apart."""
    view = MimeView()
    qtbot.addWidget(view)
    view.preview.show_node(_attach("x.png", content, "image/png"))
    assert said in view.preview.shown_text
    assert not view.preview.shows_picture


@pytest.mark.parametrize(
    ("filename", "content", "dangerous"),
    [
        ("invoice.pdf", b"%PDF-1.7", False),
        ("photo.jpg", b"\xff\xd8\xff", False),
        ("setup.exe", b"", True),
        ("invoice.pdf.exe", b"", True),
        ("invoice\u202efdp.exe", b"", True),
        ("report.docm", b"", True),
        ("page.html", b"", True),
        ("innocent.txt", b"MZ\x90", True),
        ("run", b"#!/bin/sh", True),
    ],
)
def test_what_may_do_harm_is_named(filename: str, content: bytes, dangerous: bool) -> None:
    """Programs, scripts, macros, pages and names that hide them are warned of."""
    assert bool(find_danger(_attach(filename, content))) is dangerous


@pytest.mark.parametrize(
    ("filename", "saved"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.txt", "a.txt"),
        ("con.txt", "part-2.bin"),
        ("", "part-2.bin"),
        ("...", "part-2.bin"),
        ("a\u202eb\x00.txt", "a_b_.txt"),
    ],
)
def test_name_to_save_under_is_safe(filename: str, saved: str) -> None:
    """No name leaves the folder, hides its ending, or is one that a system keeps for itself."""
    assert suggest_filename(_attach(filename)) == saved
    assert len(suggest_filename(_attach("x" * 500 + ".tar.gz"))) <= 120


def test_recipients_of_the_envelope_are_marked(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """Who is reached by the envelope alone is said to be, and each has a token of their own."""
    view = RecipientsView()
    qtbot.addWidget(view)
    inspection = inspect_mail(envelope=("anna@example.com", "audit@example.com"))
    view.set_inspection(inspection)
    assert _read(view.table.model(), RecipientColumn.WAY) == ["To", "To", "Cc", "envelope only (Bcc)"]
    assert len(set(_read(view.table.model(), RecipientColumn.TOKEN))) == 4
    assert view.counts_text == "4 recipients, 1 in the envelope only"


def test_copy_of_a_recipient_is_asked_for(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """Return shows the copy of the selected recipient, and the one that is shown is marked."""
    view = RecipientsView()
    qtbot.addWidget(view)
    view.set_inspection(inspect_mail())
    view.table.selectRow(1)
    with qtbot.waitSignal(view.recipient_chosen) as told:
        QTest.keyClick(view.table, Qt.Key.Key_Return)
    assert told.args == ["ben@example.com"]
    view.set_inspection(inspect_mail(wishes=Wishes(recipient="ben@example.com")))
    assert _read(view.table.model(), RecipientColumn.ADDRESS)[1] == "ben@example.com (shown)"
    shared = next(one for one in view.findChildren(QPushButton) if "shared" in one.text())
    with qtbot.waitSignal(view.recipient_chosen) as told:
        QTest.mouseClick(shared, Qt.MouseButton.LeftButton)
    assert told.args == [None]


def test_gravest_finding_is_first_and_leads_to_its_place(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """Findings stand by their weight; one that has a place leads there, one that has none does not."""
    view = FindingsView()
    qtbot.addWidget(view)
    view.set_inspection(replace(inspect_mail(), findings=FINDINGS))
    assert view.counts_text == "1 error, 1 notice"
    view.list.setCurrentIndex(view.list.model().index(0, 0))
    with qtbot.waitSignal(view.show_requested) as told:
        QTest.keyClick(view.list, Qt.Key.Key_Return)
    assert told.args == [FINDINGS[1]]
    view.list.setCurrentIndex(view.list.model().index(1, 0))
    with qtbot.assertNotEmitted(view.show_requested):
        QTest.keyClick(view.list, Qt.Key.Key_Return)


def test_finding_is_shown_by_a_click_on_its_button(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """The button of a finding is where it is drawn."""
    view = FindingsView()
    qtbot.addWidget(view)
    view.resize(700, 300)
    view.set_inspection(replace(inspect_mail(), findings=FINDINGS))
    view.show()
    area = view.list.visualRect(view.list.model().index(0, 0))
    none, left = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton
    with qtbot.waitSignal(view.show_requested):
        QTest.mouseClick(view.list.viewport(), left, none, area.topRight() + QPoint(-40, 20))


def test_filter_of_findings_looks_at_every_text(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """A finding is found by its rule and by its severity, which the row does not hold as text."""
    view = FindingsView()
    qtbot.addWidget(view)
    view.set_inspection(replace(inspect_mail(), findings=FINDINGS))
    box = view.findChild(QLineEdit)
    assert isinstance(box, QLineEdit)
    box.setText("notice NO-TEXT")
    assert view.list.model().rowCount() == 1
    view.set_inspection(replace(inspect_mail(), findings=()))
    assert view.list.hint == "Nothing to worry about."


def test_images_say_what_is_seen_without_them(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """Each image tells what stands in its place, the pixel that is added too, and a score sums it up."""
    view = ImagesOffView()
    qtbot.addWidget(view)
    view.set_inspection(inspect_mail())
    assert _read(view.table.model(), ImageColumn.STATE) == ["missing", "open pixel"]
    assert view.score == 0
    assert "without alt text" in view.words
    view.set_inspection(inspect_mail(b'<img src="https://example.com/a.png" alt="A red bicycle">', form="html"))
    assert view.score == 100
    assert _read(view.table.model(), ImageColumn.SEEN)[0] == "“A red bicycle”"


def test_text_is_shown_beside_what_leaves(qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """Where text links are tracked both texts are shown, else the one that stays."""
    view = PlainTextView()
    qtbot.addWidget(view)
    view.set_inspection(inspect_mail())
    assert "https://example.com/order and" in view.original_text
    assert view.rewritten_text is not None
    assert view.rewritten_text.count("https://track.example.com/t/c/") == 2
    view.set_inspection(inspect_mail(wishes=Wishes(track_clicks=False)))
    assert view.rewritten_text is None
