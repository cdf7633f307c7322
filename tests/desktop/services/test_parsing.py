"""Tests of taking mails apart."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.desktop_mails import CASES, HTML, inspect_mail, make_html_mail, make_message, walk_corpus
from mailnod_desktop.services.model import Mail
from mailnod_desktop.services.parsing import parse, summarise


def make_raw(data: bytes) -> Mail:
    """Return a message of those bytes."""
    return Mail(key="raw", name="raw.eml", origin="file", data=data)


def test_summary_says_what_a_list_shows() -> None:
    """Subject, sender, recipients, time and size come from the head."""
    mail = make_message(headers={"Cc": "c@example.com, A@example.com"})
    summary = summarise(mail)
    assert (summary.subject, summary.sender) == ("Spring sale", "News <news@example.com>")
    assert summary.recipients == ("a@example.com", "b@example.com", "c@example.com")
    assert summary.sent_at == datetime(2026, 11, 2, 9, tzinfo=UTC)
    assert summary.size_bytes == len(mail.data)


def test_envelope_adds_blind_recipients() -> None:
    """Whom the SMTP conversation alone named is a recipient too."""
    data = make_message().data
    mail = Mail(key="x", name="x", origin="smtp", data=data, envelope_recipients=("B@example.com", "bcc@example.com"))
    assert summarise(mail).recipients == ("a@example.com", "b@example.com", "bcc@example.com")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"=?utf-8?q?caf=C3=A9?=", "café"),
        (b"=?utf-8?b?4pyT?= =?utf-8?q?_ok?=", "✓ ok"),
        (b"=?nonsense?q?caf=C3=A9?=", "café"),
        (b"=?utf-8?b?!!!?=", "=?utf-8?b?!!!?="),
        ("café".encode(), "café"),
        (b"caf\xe9", "café"),
        (b"two\r\n lines", "two lines"),
        ("a\u202eb\u2066c".encode(), "a\ufffdb\ufffdc"),
        (b"a\x1b[31mb\x07", "a\ufffd[31mb\ufffd"),
        ("a\u200bb \U0001f469\u200d\U0001f4bb".encode(), "ab \U0001f469\u200d\U0001f4bb"),
    ],
)
def test_fields_are_decoded_and_made_harmless(raw: bytes, shown: str) -> None:
    """A field is shown as it was meant, and nothing in it steers or turns what stands around it."""
    mail = make_raw(b"Subject: " + raw + b"\r\n\r\nHello")
    assert summarise(mail).subject == shown
    assert parse(mail).headers == (("Subject", shown),)


def test_tree_names_each_part_and_its_role() -> None:
    """Containers, bodies, inline images and attachments are told apart, and each is decoded."""
    parsed = parse(
        make_raw(
            b'Content-Type: multipart/mixed; boundary="m"\n\n--m\nContent-Type: multipart/related; boundary="r"\n\n'
            b"--r\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
            b'<img src=3D"cid:logo@x">=\n\n--r\nContent-Type: image/png\nContent-ID: <logo@x>\n'
            b"Content-Transfer-Encoding: base64\n\niVBO\n--r--\n--m\nContent-Type: text/plain\n\nHello\n"
            b'--m\nContent-Type: application/pdf; name="a.pdf"\nContent-Disposition: attachment; filename="a.pdf"\n\n'
            b"%PDF\n--m--\n"
        )
    )
    assert [(node.path, node.depth, node.role) for node in parsed.nodes] == [
        ("1", 0, "container"),
        ("1.1", 1, "container"),
        ("1.1.1", 2, "html body"),
        ("1.1.2", 2, "inline"),
        ("1.2", 1, "text body"),
        ("1.3", 1, "attachment"),
    ]
    assert parsed.htmls == ('<img src="cid:logo@x">',)
    assert parsed.text == "Hello"
    assert parsed.inline == {"logo@x": ("image/png", b"\x89PN")}
    assert parsed.nodes[5].filename == "a.pdf"
    assert parsed.nodes[0].size_bytes == sum(node.size_bytes for node in parsed.nodes if node.role != "container")
    assert parsed.summary.attachments == 1


def test_links_and_size_are_counted() -> None:
    """The summary of a mail that was taken apart knows its links and its HTML's size."""
    summary = parse(make_message()).summary
    assert (summary.links, summary.tracked, summary.problem) == (4, False, "")
    assert summary.html_bytes > 400


def test_body_that_cannot_be_decoded_is_said_and_the_tree_is_shown() -> None:
    """Broken base64 stops the rewriting and nothing else."""
    mail = make_raw(b"Subject: x\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\nPGE+PGE+A")
    parsed = parse(mail)
    assert "base64" in parsed.summary.problem
    assert [node.content for node in parsed.nodes] == [b"<a><a>"]
    assert inspect_mail(mail).data == mail.data


def test_mail_without_content_says_so() -> None:
    """A delivery of a store, whose body nobody kept, is shown by what is known of it."""
    assert parse(make_raw(b"")).summary.problem == "its content is not known here"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_cases_are_taken_apart(case: dict[str, str]) -> None:
    """Every case has the HTML that the sender would rewrite."""
    parsed = parse(make_html_mail(case["html"])) if "html" in case else parse(make_raw(case["mime"].encode()))
    assert parsed.summary.problem == ""


@given(st.binary(max_size=300), st.sampled_from([b"", b"Content-Type: multipart/mixed; boundary=b\n\n--b\n", b"\n"]))
def test_nothing_raises(data: bytes, head: bytes) -> None:
    """Whatever bytes come, there is something to show and the mail leaves as it came or better."""
    mail = make_raw(head + data)
    summarise(mail)
    assert inspect_mail(mail).parsed.mail is mail


HEAD = b"Content-Type: text/html\n\n"
WIDE = (
    b"Content-Type: multipart/mixed; boundary=a\n\n"
    + (b"--a\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 900 + b"--b--\n") * 900
)
HOSTILE = {
    "field": b"Subject: " + b"x" * 50_000_000,
    "head": b"x\n" * 25_000_000,
    "large": HEAD + b"<" * 50_000_000,
    "quoted": b"Content-Transfer-Encoding: quoted-printable\n" + HEAD + b"=41" * 16_000_000,
    "parts": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 1_000_000,
    "nested": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(5_000)),
    "wide": WIDE,
    "unclosed": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(100_000)),
    "parameters": b"Content-Type: text/html" + b'; a*0*="x"' * 100_000 + b"\n\n<a href=x>",
    "disposition": b"Content-Disposition: inline" + b"; a=x" * 200_000 + b"\n" + HEAD + b"<a href=x>",
    "attributes": HEAD + b"<a " + b"a=1 " * 1_200_000 + b"href=https://e.example>x</a>",
    "angles": HEAD + b"<img src=x>" + b"<" * 1_000_000,
    "comments": HEAD + b"<img src=x>" + b"<!--" * 300_000,
    "styles": HEAD + b"<img src=x>" + b"<style>" * 200_000,
    "anchors": HEAD + b"<a href=https://e.example>" * 9_999 + b"x" * 1_000_000,
    "images": HEAD + b"<img src=https://e.example/a.png>" * 20_000,
    "style": HEAD + b"<img src=x style='" + b"width: " * 200_000 + b"'>",
    "links": HEAD + b"<a href=x>" * 100_000,
    "foreign": HEAD + b"<svg>" * 200_000,
    "quotes": HEAD + b"<img src='" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mails_end_in_seconds(name: str) -> None:
    """Whatever is made to take long ends soon, with a problem in words or with a rewriting."""
    started = time.process_time()
    inspection = inspect_mail(make_raw(HOSTILE[name]))
    assert time.process_time() - started < 10
    assert inspection.error or inspection.token or not inspection.bodies


def test_corpus_is_taken_apart(shared: Path) -> None:
    """Every mail of the corpus is read; the one whose base64 is broken is said to be that."""
    problems = {mail.name: problem for mail in walk_corpus(shared) if (problem := parse(mail).summary.problem)}
    assert [name for name in problems if "extra-base64" not in name] == []


def test_page_is_its_own_body() -> None:
    """Bare HTML has no head and no parts, and is the one body."""
    parsed = parse(make_html_mail(HTML))
    assert parsed.htmls == (HTML,)
    assert (parsed.headers, parsed.nodes, parsed.summary.subject) == ((), (), "page.html")
