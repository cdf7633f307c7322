"""Editing raw messages by the spans of their parts."""

from __future__ import annotations

import email
import email.policy
import json
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mailnod.errors import RewriteError
from mailnod.html.plan import Plan, compile_plan
from mailnod.send.mime import MAX_LINE_BYTES, RawMessage, read_message

CASES = [json.loads(line) for line in (Path(__file__).parents[2] / "data" / "cases.jsonl").read_text().splitlines()]
TOKEN = "0123456789abcdefghijklmnopqrst-_"
LINK = "<a href='https://e.example/'>x</a>"


def compile_parts(message: RawMessage) -> list[Plan]:
    """Compile a plan for each part with both axes on."""
    return [
        compile_plan(
            part.html.text,
            base_url="https://t.example",
            tag_link=lambda index, url: "t" * 16,
            track_opens=True,
            track_clicks=True,
            list_unsubscribe=message.list_unsubscribe,
        )
        for part in message.parts
    ]


def fill(data: bytes) -> bytes:
    """Rewrite a message."""
    message = read_message(data)
    return message.fill(compile_parts(message), TOKEN)


def find_tracked(data: bytes) -> list[str]:
    """Return the destinations of a message's tracked links."""
    return [link.url for plan in compile_parts(read_message(data)) for link in plan.links if link.tracked]


def make_message(html: str, *, head: str = "", newline: str = "\r\n") -> bytes:
    """Return a message with one HTML body."""
    lines = ["Subject: =?utf-8?q?=C3=A9?=", "Content-Type: text/html; charset=utf-8", *head.splitlines(), "", html]
    return newline.join(lines).encode()


@pytest.mark.parametrize("case", [case for case in CASES if "mime" in case], ids=lambda case: case["id"])
def test_case(case: dict[str, Any]) -> None:
    """Each case tracks the destinations of its bodies, and every line outside the edits stays."""
    data = case["mime"].encode()
    message = read_message(data)
    plans = compile_parts(message)
    assert [link.url for plan in plans for link in plan.links if link.tracked] == case["expect"]["tracked"]
    assert (plans[0].pixel if plans else "none") == case["expect"]["pixel"]
    filled = message.fill(plans, TOKEN)
    texts = [part.html.text for part in read_message(filled).parts]
    assert [plan.restore(text) for plan, text in zip(plans, texts, strict=True)] == [plan.source for plan in plans]
    assert all(text.count(f"/o/{TOKEN}.gif") == 1 for text in texts)


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize("encoding", ["7bit", "8bit", "quoted-printable", "base64"])
def test_transfer_encoding_is_kept(encoding: str, newline: str) -> None:
    """An edited part keeps its transfer encoding, its line ends, and its neighbours byte for byte."""
    policy = email.policy.SMTP if newline == "\r\n" else email.policy.default
    source = EmailMessage(policy=policy)
    source["Subject"] = "Größe"
    source["X-Odd"] = "a  b\tc"
    source.set_content("plain https://e.example/\n")
    accents = "" if encoding == "7bit" else "é=" * 90
    source.add_alternative(f"<html><body>\n{accents}{LINK} \n<b>y</b></body></html>\n", subtype="html", cte=encoding)
    source.add_attachment(b"\0\1\2", maintype="image", subtype="png", filename="a.png")
    data = source.as_bytes()
    filled = fill(data)
    before, after = (email.message_from_bytes(one, policy=policy) for one in (data, filled))
    assert before.items() == after.items()
    assert [part.items() for part in before.walk()] == [part.items() for part in after.walk()]
    part = next(part for part in after.walk() if part.get_content_type() == "text/html")
    html = part.get_payload(decode=True)
    assert isinstance(html, bytes)
    assert f"/c/{TOKEN}.0.".encode() in html
    assert f"/o/{TOKEN}.gif".encode() in html
    limit = MAX_LINE_BYTES if "bit" in encoding else 76
    assert max(map(len, str(part.get_payload()).splitlines())) <= limit
    cut = data.index(b"<html>" if encoding in ("7bit", "8bit") else b"Content-Type: text/html")
    assert filled[:cut] == data[:cut]
    assert filled.endswith(data[data.index(b"Content-Type: image/png") :])
    assert (b"\r\n" in filled) is (newline == "\r\n")


def test_quoted_printable_lines_outside_the_edits_stay() -> None:
    """What an encoder wrote in its own way stays as it wrote it."""
    lines = ["<p>=41=e9 soft=", " break</p> =20", f"{LINK.replace('=', '=3D')}", "=C3=A9 tail</body>", ""]
    head = "Content-Transfer-Encoding: Quoted-Printable"
    data = make_message("\r\n".join(lines), head=head)
    filled = fill(data)
    assert b"\r\n".join(line.encode() for line in lines[:2]) in filled
    assert b"=\r\n</body>\r\n" in filled
    assert find_tracked(data) == ["https://e.example/"]


@pytest.mark.parametrize(
    "head",
    ["", "Content-Transfer-Encoding: 8bit", "content-transfer-encoding:\r\n 7bit", "Content-Transfer-Encoding: binary"],
)
def test_long_lines_switch_to_quoted_printable(head: str) -> None:
    """Where an edit makes a line too long, the part says so and is encoded anew."""
    data = make_message("<p>\r\n" + LINK * 20 + "é" * 100 + "</p>\r\n", head=head)
    filled = fill(data)
    assert max(map(len, filled.splitlines())) <= MAX_LINE_BYTES
    parsed = email.message_from_bytes(filled)
    assert parsed["Content-Transfer-Encoding"] == "quoted-printable"
    assert len(parsed.keys()) == 3
    assert filled.startswith(b"Subject: =?utf-8?q?=C3=A9?=\r\nContent-Type: text/html; charset=utf-8\r\n")
    assert read_message(filled).parts[0].html.text.count(f"/c/{TOKEN}.") == 20


@pytest.mark.parametrize(
    "head",
    [
        "Content-Type: multipart/signed; boundary=B",
        "Content-Type: multipart/encrypted; boundary=B",
        "Content-Type: multipart/digest; boundary=B",
        "Content-Type: multipart/mixed",
        "Content-Type: message/rfc822",
        "Content-Type: text/plain",
        "X-Nothing: more",
    ],
)
def test_what_must_not_be_edited(head: str) -> None:
    """Signed and encrypted parts, forwarded messages and text are never edited."""
    data = f"{head}\r\n\r\n--B\r\nContent-Type: text/html\r\n\r\n{LINK}\r\n--B--\r\n".encode()
    assert read_message(data).parts == ()
    assert fill(data) == data


@pytest.mark.parametrize(
    "field",
    [
        "Content-Type: text/html\r\nContent-Disposition: attachment",
        "Content-Type: text/html\r\nContent-Disposition: inline; filename*=utf-8''a.html",
        "Content-Type: text/x-amp-html",
        "Content-Type: text/calendar",
        "Content-Type: text/html\r\nContent-Transfer-Encoding: x-uuencode",
    ],
)
def test_parts_that_are_no_bodies(field: str) -> None:
    """Attached files, AMP, calendars and unknown encodings stay."""
    data = f"Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n{field}\r\n\r\n{LINK}\r\n--B--".encode()
    assert fill(data) == data


def test_list_unsubscribe_of_the_message_counts() -> None:
    """The link that the header names, folded as it may be, is not tracked."""
    data = make_message(LINK, head="List-Unsubscribe: <mailto:u@e.example>,\r\n <https://e.example/>")
    assert find_tracked(data) == []


def test_nested_boundaries_with_a_common_beginning() -> None:
    """A boundary that begins like another one ends only its own parts."""
    data = (
        "Content-Type: multipart/mixed; boundary=A\n\n--A\nContent-Type: multipart/alternative; boundary=AB\n\n"
        f"--AB\nContent-Type: text/html\n\n{LINK}\n--AB--\n--A\n\nplain\n--A--\nepilogue {LINK}"
    ).encode()
    filled = fill(data)
    assert filled.count(b"/c/") == 1
    assert filled.endswith(f"\n--AB--\n--A\n\nplain\n--A--\nepilogue {LINK}".encode())


def test_odd_messages_stay() -> None:
    """Empty, headless and endless messages are no error."""
    for data in (
        b"",
        b"\r\n",
        b"Content-Type: text/html",
        b"Content-Type: text/html\r\n\r\n",
        b"\n<a href='https://e.example'>",
    ):
        assert fill(data) == data


def test_broken_base64_is_refused() -> None:
    """A body that cannot be decoded is not edited."""
    with pytest.raises(RewriteError, match="base64"):
        read_message(make_message("QUJDR", head="Content-Transfer-Encoding: base64"))


def test_too_many_parts_are_refused() -> None:
    """A message of nothing but delimiters is refused."""
    with pytest.raises(RewriteError, match="parts"):
        read_message(b"Content-Type: multipart/mixed; boundary=B\r\n\r\n" + b"--B\r\n" * 2000)


def test_too_many_parts_in_containers_are_refused() -> None:
    """A message whose containers have few parts each, and a million together, is refused too, and soon."""
    inner = b"Content-Type: multipart/mixed; boundary=C\r\n\r\n" + b"--C\r\n\r\n" * 500 + b"--C--\r\n"
    started = time.process_time()
    with pytest.raises(RewriteError, match="parts"):
        read_message(b"Content-Type: multipart/mixed; boundary=B\r\n\r\n" + (b"--B\r\n" + inner) * 500)
    assert time.process_time() - started < 2


def test_corpus(shared: Path) -> None:
    """Every message of the corpus is edited so that its other parts stay, or refused for a body that is broken."""
    refused: list[str] = []
    for path in sorted(path for path in (shared / "data" / "corpus" / "eml").rglob("*") if path.is_file()):
        data = path.read_bytes()
        try:
            filled = fill(data)
        except RewriteError:
            refused.append(path.name)
            continue
        before, after = ([*email.message_from_bytes(one).walk()] for one in (data, filled))
        assert [part.get_content_type() for part in before] == [part.get_content_type() for part in after]
        for old, new in zip(before, after, strict=True):
            if old.get_content_type() != "text/html" and not old.is_multipart():
                assert old.get_payload() == new.get_payload(), path.name
    assert len(refused) <= 1
