"""Tests of the parts of raw messages, and of putting other texts into them."""

from __future__ import annotations

import pytest

from mailnod.errors import RewriteError
from mailnod.send.mime import MAX_LINE_BYTES, read_message
from mailnod.send.parts import decode_transfer, walk_parts

MIXED = (
    b'Subject: x\nContent-Type: multipart/mixed; boundary="b"\n\n'
    b"--b\nContent-Type: text/plain\n\nHello\n"
    b"--b\nContent-Type: multipart/signed; boundary=s\n\n--s\nContent-Type: text/html\n\n<p>x\n--s--\n"
    b"--b\nContent-Type: image/png\nContent-Disposition: attachment; filename=a.png\n\nx\n--b--\n"
)


def make(html: bytes, *, encoding: str = "8bit", charset: str = "utf-8") -> bytes:
    """Return a message of one part."""
    return (
        f"Content-Type: text/html; charset={charset}\nContent-Transfer-Encoding: {encoding}\n\n".encode() + html + b"\n"
    )


def test_parts_are_walked_in_order_and_containers_entered_where_asked() -> None:
    """Each part has its place in the tree, and what is not entered is one part."""
    walked = [
        (part.path, part.depth, part.head.get_content_type()) for part in walk_parts(MIXED, enters=lambda _: True)
    ]
    assert walked == [
        ("1", 0, "multipart/mixed"),
        ("1.1", 1, "text/plain"),
        ("1.2", 1, "multipart/signed"),
        ("1.2.1", 2, "text/html"),
        ("1.3", 1, "image/png"),
    ]
    closed = list(walk_parts(MIXED, enters=lambda kind: kind == "multipart/mixed"))
    assert [part.path for part in closed] == ["1", "1.1", "1.2", "1.3"]
    assert [part.is_attachment for part in closed] == [False, False, False, True]
    assert MIXED[closed[1].body_start : closed[1].body_end] == b"Hello"


def test_bodies_of_another_kind_are_found() -> None:
    """Plain text is found as HTML is, attachments left out."""
    assert [part.html.text for part in read_message(MIXED, kind="text/plain").parts] == ["Hello"]
    assert read_message(MIXED).parts == ()


@pytest.mark.parametrize("encoding", ["7bit", "8bit", "binary", "quoted-printable", "base64"])
@pytest.mark.parametrize("text", ["<p>short</p>\n", "ä=\u2713 \n" * 40, "x" * (MAX_LINE_BYTES + 1)])
def test_replaced_text_reads_as_it_was_given(encoding: str, text: str) -> None:
    """Whatever the part's encoding is, another text in it is read back, and no line becomes too long."""
    body = b"PHA+" if encoding == "base64" else b"<p>"
    message = read_message(make(body, encoding=encoding))
    replaced = message.replace_texts([text])
    assert [part.html.text.rstrip("\n") for part in read_message(replaced).parts] == [text.rstrip("\n")]
    assert max(map(len, replaced.splitlines())) <= MAX_LINE_BYTES


def test_same_text_changes_no_byte() -> None:
    """A message with the text that it has stays as it is."""
    message = read_message(make(b"=3Cp>", encoding="quoted-printable"))
    assert message.replace_texts([part.html.text for part in message.parts]) == message.data


def test_text_that_its_charset_lacks_is_refused() -> None:
    """What cannot be written is not replaced by something else."""
    with pytest.raises(RewriteError, match="not every character"):
        read_message(make(b"<p>", charset="iso-8859-1")).replace_texts(["\u2713"])


def test_transfer_encodings_are_undone() -> None:
    """What is not known is taken as it is, and what is broken is said to be."""
    assert decode_transfer(b"PHA+", "base64") == b"<p>"
    assert decode_transfer(b"=3Cp>=\n", "quoted-printable") == b"<p>"
    assert decode_transfer(b"<p>", "x-unknown") == b"<p>"
    with pytest.raises(RewriteError):
        decode_transfer(b"PHA+A", "base64")
