"""Editing HTML as bytes in any charset."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from mailnod.errors import RewriteError
from mailnod.html.encoded import EncodedHtml, decode_html
from mailnod.html.plan import Plan, compile_plan

CASES = [json.loads(line) for line in (Path(__file__).parents[2] / "data" / "cases.jsonl").read_text().splitlines()]
TOKEN = "0123456789abcdefghijklmnopqrst-_"


def compile_bytes(html: EncodedHtml) -> Plan:
    """Compile a plan with both axes on."""
    return compile_plan(
        html.text,
        base_url="https://t.example",
        tag_link=lambda index, url: "t" * 16,
        track_opens=True,
        track_clicks=True,
    )


def mask_edits(html: EncodedHtml, plan: Plan) -> bytes:
    """Return the edited bytes with every edit taken back by hand."""
    filled = html.fill(plan, TOKEN)
    for edit in plan.edits:
        old = html.text[edit.start : edit.end].encode(html.codec, html.errors)
        filled = filled.replace(edit.fill(TOKEN).encode(html.codec), old, 1)
    return filled


@pytest.mark.parametrize("case", [case for case in CASES if "bytes_b64" in case], ids=lambda case: case["id"])
def test_case(case: dict[str, Any]) -> None:
    """Each case in its own charset tracks its destinations and keeps every byte outside the edits."""
    html = decode_html(base64.b64decode(case["bytes_b64"]), case["charset"])
    plan = compile_bytes(html)
    assert [link.url for link in plan.links if link.tracked] == case["expect"]["tracked"]
    assert plan.pixel == case["expect"]["pixel"]
    assert mask_edits(html, plan) == html.data


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("utf-8", b"\xff\xfe \xc3"),
        ("us-ascii", "é".encode()),
        ("iso-8859-1", b"\x81\x93q\x94"),
        ("windows-1252", b"\x81\x8d"),
        ("koi8-r", bytes(range(128, 256))),
        ("shift_jis", b"\x95\\\x81 \xfd"),
        ("euc-jp", b"\xa4\xa2\xff"),
        ("gb2312", "龍€".encode("gb18030") + b"\xff"),
        ("big5", b"\xa4\xa4\xff"),
        ("euc-kr", b"\xb0\xa1\xff"),
        ("no-such-charset", b"\xff"),
        ("rot13", b"\xff"),
        ("base64", b"\xff"),
        ("", b"\xff"),
        # Redundant escapes, which no encoder writes.
        ("iso-2022-jp", b"\x1b(B\x1b$B\x1b$BF|\x1b(B\x1b(J\\\x1b(B"),
        ("iso-2022-jp", b"\x1b(B\x1b(B"),
        # Bytes that are decoded to characters that the encoder refuses.
        ("iso-2022-jp", b"\x1bh>\xc4"),
    ],
)
def test_bytes_outside_the_edits_stay(charset: str, text: bytes) -> None:
    """Bytes that do not decode, or that no encoder would write, come out as they went in."""
    data = b"<body>" + text + b"<a href='https://e.example/'>" + text + b"</a></body>"
    html = decode_html(data, charset)
    plan = compile_bytes(html)
    assert [link.url for link in plan.links if link.tracked] == ["https://e.example/"]
    assert mask_edits(html, plan) == data


@pytest.mark.parametrize(
    ("data", "charset", "codec"),
    [
        (b"\xef\xbb\xbf<p>", "iso-8859-1", "utf-8"),
        (b"\xff\xfe<\0", "utf-8", "utf-16-le"),
        (b"\xfe\xff\0<", None, "utf-16-be"),
        (b"<meta charset=shift_jis>", "utf-8", "utf-8"),
        (b"<meta charset=shift_jis>", None, "cp932"),
        (b'<meta content="text/html; charset=koi8-r">', "unknown", "koi8-r"),
        (b"<p>", None, "utf-8"),
    ],
)
def test_charset_order(data: bytes, charset: str | None, codec: str) -> None:
    """A byte order mark goes before MIME, MIME before the HTML's own word, and that before UTF-8."""
    assert decode_html(data, charset).codec == codec


def test_undecodable_bytes_are_refused() -> None:
    """Half a code unit of UTF-16 is refused, not repaired."""
    with pytest.raises(RewriteError, match="utf-16"):
        decode_html(b"\xff\xfe<", None)


def test_a_text_that_ends_in_a_shifted_state_is_refused() -> None:
    """A pixel behind Japanese bytes without a way back to ASCII would be read as Japanese, so nothing is edited."""
    html = decode_html(b"<p>\x1b$BF|K\\", "iso-2022-jp")
    with pytest.raises(RewriteError, match="in place"):
        html.fill(compile_bytes(html), TOKEN)
