"""Edit the HTML parts of a raw message and leave its other bytes alone.

The message is never serialised anew: its parts are found as spans of its bytes (RFC 2046), and an edit is made in the
transfer encoding that the part already has.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mailnod.errors import RewriteError
from mailnod.html.encoded import ByteEdit, EncodedHtml, decode_html, splice
from mailnod.html.plan import Plan
from mailnod.send.parts import decode_transfer, find_body, read_head, walk_parts
from mailnod.send.quoted import QuotedPrintable, encode_quoted_printable

__all__ = ["MAX_LINE_BYTES", "HtmlPart", "RawMessage", "read_message"]

#: RFC 5322, section 2.1.1: a line has at most this many octets without its line end.
MAX_LINE_BYTES: Final = 998

_UNTOUCHABLE = ("multipart/signed", "multipart/encrypted", "multipart/digest")
_EDITABLE = ("7bit", "8bit", "binary", "quoted-printable", "base64")
_ENCODING_FIELD = re.compile(
    rb"^Content-Transfer-Encoding[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlPart:
    """One body of a message; offsets are bytes of the message."""

    head_start: int
    body_start: int
    body_end: int
    #: Lower case: "7bit", "8bit", "binary", "quoted-printable" or "base64".
    transfer_encoding: str
    #: The decoded text.
    html: EncodedHtml


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMessage:
    """A message as bytes, and the bodies in it that may be edited."""

    data: bytes
    #: In order. Attachments, forwarded messages and what is signed or encrypted are not among them.
    parts: tuple[HtmlPart, ...]
    #: The header of that name, or None.
    list_unsubscribe: str | None

    def fill(self, plans: Sequence[Plan], token: str) -> bytes:
        """Return the edited message for one delivery.

        :param plans: one for each part, compiled from its text.
        :param token: the same for all parts, so that two alternatives count as one open.
        :raises RewriteError: where an edited part would not read as planned.
        """
        edits: list[ByteEdit] = []
        for part, plan in zip(self.parts, plans, strict=True):
            if plan.changed:
                edits += _edit_part(self.data, part, plan, token)
        filled = splice(self.data, edits)
        texts = [part.html.text for part in read_message(filled).parts]
        if texts != [plan.fill(token) for plan in plans]:
            raise RewriteError("the edited message does not read as planned")
        return filled

    def replace_texts(self, texts: Sequence[str]) -> bytes:
        """Return the message with whole other texts in the place of its HTML, each encoded as its part says.

        :param texts: one for each part.
        :raises RewriteError: where a text cannot be written in the charset of its part.
        """
        edits: list[ByteEdit] = []
        for part, text in zip(self.parts, texts, strict=True):
            if text != part.html.text:
                edits += _replace_part(self.data, part, text)
        return splice(self.data, edits)


def read_message(data: bytes, *, kind: str = "text/html") -> RawMessage:
    """Find the HTML bodies of a message.

    :param data: the message as it goes to the mail server, with CRLF or LF line ends.
    :param kind: the bodies of another type are found in their stead, such as ``text/plain``.
    :raises RewriteError: where a body cannot be decoded.
    """
    head_end = find_body(data, 0, len(data))
    head = read_head(data, 0, head_end)
    header = head.get("List-Unsubscribe")
    return RawMessage(
        data=data,
        parts=tuple(_find_parts(data, kind)),
        list_unsubscribe=None if header is None else str(header),
    )


def _find_parts(data: bytes, kind: str) -> Iterator[HtmlPart]:
    for part in walk_parts(data, enters=lambda container: container not in _UNTOUCHABLE):
        encoding = part.transfer_encoding
        if part.head.get_content_type() == kind and not part.is_attachment and encoding in _EDITABLE:
            body = decode_transfer(data[part.body_start : part.body_end], encoding)
            yield HtmlPart(
                head_start=part.head_start,
                body_start=part.body_start,
                body_end=part.body_end,
                transfer_encoding=encoding,
                html=decode_html(body, part.head.get_content_charset()),
            )


def _replace_part(data: bytes, part: HtmlPart, text: str) -> list[ByteEdit]:
    """Return the edits of the message that put another text into one part."""
    try:
        html = text.encode(part.html.codec, part.html.errors)
    except UnicodeError as error:
        raise RewriteError(f"the charset {part.html.codec!r} has not every character of the text") from error
    body = data[part.body_start : part.body_end]
    newline = _find_newline(data, part)
    if part.transfer_encoding == "base64":
        return [ByteEdit(part.body_start, part.body_end, _encode_base64(html, body, newline))]
    fits = max(map(len, html.splitlines()), default=0) <= MAX_LINE_BYTES
    fits = fits and (html.isascii() or part.transfer_encoding != "7bit")
    if part.transfer_encoding == "quoted-printable" or not fits:
        return _switch_to_quoted_printable(data, part, html, newline)
    return [ByteEdit(part.body_start, part.body_end, html)]


def _find_newline(data: bytes, part: HtmlPart) -> bytes:
    """Return the line end that a part has."""
    crlf = data.find(b"\r\n", part.head_start, part.body_end) >= 0
    return b"\r\n" if crlf or data.find(b"\n", part.body_start, part.body_end) < 0 else b"\n"


def _edit_part(data: bytes, part: HtmlPart, plan: Plan, token: str) -> list[ByteEdit]:
    """Return the edits of one part as edits of the message."""
    body = data[part.body_start : part.body_end]
    newline = _find_newline(data, part)
    edits = part.html.find_edits(plan, token)
    if part.transfer_encoding == "base64":
        new = _encode_base64(splice(part.html.data, edits), body, newline)
        return [ByteEdit(part.body_start, part.body_end, new)]
    if part.transfer_encoding == "quoted-printable":
        edits = QuotedPrintable(body).encode_edits(edits, newline)
    if _is_sound(splice(body, edits), part, plan, token):
        return [ByteEdit(part.body_start + edit.start, part.body_start + edit.end, edit.replacement) for edit in edits]
    return _switch_to_quoted_printable(data, part, part.html.fill(plan, token), newline)


def _is_sound(body: bytes, part: HtmlPart, plan: Plan, token: str) -> bool:
    """Tell whether a body that was edited in place keeps to the line limit and decodes to what was planned."""
    if max(map(len, body.splitlines()), default=0) > MAX_LINE_BYTES:
        return False
    return part.html.reads_as(decode_transfer(body, part.transfer_encoding), plan.fill(token))


def _switch_to_quoted_printable(data: bytes, part: HtmlPart, html: bytes, newline: bytes) -> list[ByteEdit]:
    """Encode a part whose lines have become too long, and say so in its head."""
    field = b"Content-Transfer-Encoding: quoted-printable" + newline
    old = _ENCODING_FIELD.search(data[part.head_start : part.body_start])
    # Without the field it is added as the last one, before the empty line.
    last = part.body_start - (2 if data.endswith(b"\r\n", 0, part.body_start) else 1)
    start, end = (part.head_start + old.start(), part.head_start + old.end()) if old else (last, last)
    return [
        ByteEdit(start, end, field),
        ByteEdit(part.body_start, part.body_end, encode_quoted_printable(html, newline)),
    ]


def _encode_base64(html: bytes, old: bytes, newline: bytes) -> bytes:
    """Encode a body with lines as long as the old one had, and the line end that it had."""
    encoded = binascii.b2a_base64(html, newline=False)
    width = min(max(len(old.lstrip().partition(b"\n")[0].rstrip()), 60), 76)
    lines = [encoded[start : start + width] for start in range(0, len(encoded), width)]
    return newline.join(lines) + old[len(old.rstrip()) :]
