"""Tests of the report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from pathlib import Path

import pytest

from contracts.desktop_mails import HTML, inspect_html, inspect_mail, make_message, walk_corpus
from mailnod_desktop.services.model import Inspection, Mail
from mailnod_desktop.services.reading import ReadingError
from mailnod_desktop.services.report import Report

PNG = b"\x89PNG\r\n\x1a\n"
HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(2)>"\'><a href="javascript:alert(3)">'
#: Elements that a report is made of; none of them runs or loads anything.
ELEMENTS = (
    "html head meta title style body main h1 h2 h3 p section div span ul li b i a code table thead tbody tr th td mark "
    "details summary img"
)


class _Reader(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.open: list[str] = []
        self.urls: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name in ("src", "href", "action", "background", "poster", "srcset"):
                self.urls.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(report: str) -> _Reader:
    """Read a report, and check that it neither runs nor loads anything and that its elements are closed."""
    reader = _Reader()
    reader.feed(report)
    reader.close()
    assert reader.open == []
    assert set(reader.elements) <= set(ELEMENTS.split())
    assert [name for name in reader.attributes if name.startswith("on")] == []
    assert [url for url in reader.urls if not url.startswith(("#", "data:image/png;base64,"))] == []
    assert "url(" not in report.partition("</style>")[0]
    return reader


def write_report(
    inspections: Iterable[Inspection],
    *,
    pictures: Mapping[str, bytes] | None = None,
    unreadable: Iterable[ReadingError] = (),
) -> str:
    """Write a report on some mails, with pictures by the keys of these."""
    report = Report()
    for inspection in inspections:
        report.add(inspection, picture=(pictures or {}).get(inspection.parsed.mail.key))
    for error in unreadable:
        report.add_error(error)
    return report.finish()


def test_report_says_all_there_is_to_say() -> None:
    """Subject, size, findings, links, edits and headers stand in it."""
    report = write_report([inspect_mail(make_message(HTML + '<a href="/x">relative</a>'))])
    read(report)
    for text in ("Spring sale", "opens on", "relative-link", "edits", "of the 102 KB"):
        assert text in report
    for text in ("https://shop.example/second", "unsubscribe link", "before &lt;/body&gt;", "<mark", "From"):
        assert text in report
    assert "default-src 'none'" in report
    assert "prefers-color-scheme:dark" in report


def test_whatever_a_mail_holds_is_escaped() -> None:
    """Nothing of a mail becomes markup of the report, wherever it stands."""
    mail = make_message(f"{HOSTILE}<p>{HOSTILE}", headers={"X-Evil": HOSTILE, "Cc": "x@example.com"})
    data = mail.data.replace(b"Spring sale", HOSTILE.encode())
    hostile = inspect_mail(Mail(key="x", name=HOSTILE, origin="file", data=data))
    error = ReadingError(HOSTILE, HOSTILE, HOSTILE)
    reader = read(write_report([hostile, inspect_html(HOSTILE)], unreadable=[error]))
    assert "script" not in reader.elements
    assert "img" not in reader.elements


def test_pictures_stand_in_the_page_itself() -> None:
    """A picture of a mail needs no file beside the report."""
    inspection = inspect_mail(make_message())
    reader = read(write_report([inspection], pictures={inspection.parsed.mail.key: PNG}))
    assert reader.urls == ["data:image/png;base64,iVBORw0KGgo="]


def test_several_mails_have_an_overview() -> None:
    """Of many mails a table leads to each."""
    report = write_report([inspect_html(HTML), inspect_html("<a href='/x'>x</a>")])
    targets = re.findall(r'href="#([^"]+)"', report)
    assert targets == ["mail-1", "mail-2"]
    assert all(f'id="{target}"' in report for target in targets)


def test_report_of_nothing_is_a_page() -> None:
    """Where no file could be read the report says so."""
    report = write_report([], unreadable=[ReadingError("a.eml", "the file is empty", "Save it again.")])
    read(report)
    assert "a.eml" in report


@pytest.mark.parametrize("html", ["Gr\udcfc\u00dfe", "a\x00b\x1b[31m", "\u202eabc"])
def test_report_can_be_written_whatever_bytes_came(html: str) -> None:
    """What is no character of UTF-8 becomes a visible mark, and nothing turns the line around."""
    report = write_report([inspect_html(f"<p>{html}</p><a href='https://e.example/'>x</a>")])
    report.encode()
    assert not set(report) & set("\x00\x1b\u202e")


def test_corpus_is_reported(shared: Path) -> None:
    """A report on any mail of the corpus is sound."""
    for number, mail in enumerate(walk_corpus(shared)):
        if number % 7 == 0:
            read(write_report([inspect_mail(mail)]))
