"""Edit the HTML parts of a raw message and leave its other bytes alone.

The message is never serialised anew: its parts are found as spans of its bytes (RFC 2046), and an edit is made in the
transfer encoding that the part already has.
"""

from __future__ import annotations

import binascii
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Final

from mailnod.errors import RewriteError
from mailnod.html.encoded import ByteEdit, EncodedHtml, decode_html, splice
from mailnod.html.plan import Plan

__all__ = ["MAX_LINE_BYTES", "HtmlPart", "RawMessage", "read_message"]

#: RFC 5322, section 2.1.1: a line has at most this many octets without its line end.
MAX_LINE_BYTES: Final = 998

# Deeper nesting and more parts than any mail has; each level is searched once more.
_MAX_DEPTH: Final = 20
_MAX_PARTS: Final = 1000
_UNTOUCHABLE = ("multipart/signed", "multipart/encrypted", "multipart/digest")
_HEAD_END = re.compile(rb"(?:\A|\n)\r?\n")
_ENCODING_FIELD = re.compile(
    rb"^Content-Transfer-Encoding[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE
)
# RFC 2045, section 6.7: an escape, a soft break, white space that transport added, and everything else.
_QP_TOKEN = re.compile(
    rb"=(?:(?P<escape>[0-9A-Fa-f]{2})|(?P<soft>[ \t]*+(?:\r?\n|\Z)))"
    rb"|(?P<padding>[ \t]++(?=\r?\n|\Z))|[^= \t]++|[ \t]++|="
)
_QP_UNSAFE = re.compile(rb"[^\t -<>-~]")
_QP_LINE = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlPart:
    """One ``text/html`` body of a message; offsets are bytes of the message."""

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


def read_message(data: bytes) -> RawMessage:
    """Find the HTML bodies of a message.

    :param data: the message as it goes to the mail server, with CRLF or LF line ends.
    :raises RewriteError: where a body cannot be decoded.
    """
    head_end = _find_body(data, 0, len(data))
    head = _read_head(data, 0, head_end)
    header = head.get("List-Unsubscribe")
    return RawMessage(
        data=data,
        parts=tuple(_find_parts(data, 0, len(data), depth=0)),
        list_unsubscribe=None if header is None else str(header),
    )


def _find_parts(data: bytes, start: int, end: int, *, depth: int) -> Iterator[HtmlPart]:
    body_start = _find_body(data, start, end)
    head = _read_head(data, start, body_start)
    kind = head.get_content_type()
    if head.get_content_maintype() == "multipart":
        boundary = head.get_boundary()
        if boundary and kind not in _UNTOUCHABLE and depth < _MAX_DEPTH:
            for part_start, part_end in _split(data, body_start, end, boundary.encode("utf-8", "surrogateescape")):
                yield from _find_parts(data, part_start, part_end, depth=depth + 1)
        return
    encoding = str(head.get("Content-Transfer-Encoding", "7bit")).partition(";")[0].strip().lower() or "7bit"
    is_body = head.get_content_disposition() != "attachment" and not head.get_param(
        "filename", None, "content-disposition"
    )
    if kind == "text/html" and is_body and encoding in ("7bit", "8bit", "binary", "quoted-printable", "base64"):
        yield HtmlPart(
            head_start=start,
            body_start=body_start,
            body_end=end,
            transfer_encoding=encoding,
            html=decode_html(_decode_transfer(data[body_start:end], encoding), head.get_content_charset()),
        )


def _find_body(data: bytes, start: int, end: int) -> int:
    """Return where the body begins: behind the first empty line, or at the end where there is none."""
    if data.startswith((b"\r\n", b"\n"), start, end):
        return data.index(b"\n", start) + 1
    match = _HEAD_END.search(data, start, end)
    return match.end() if match else end


def _read_head(data: bytes, start: int, end: int) -> Message:
    return BytesHeaderParser().parsebytes(data[start:end])


def _split(data: bytes, start: int, end: int, boundary: bytes) -> Iterator[tuple[int, int]]:
    """Yield the span of each part of a multipart body (RFC 2046, section 5.1.1)."""
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?+[ \t]*+(?:\r?\n|\Z)")
    # The line end before a delimiter belongs to it, and may be the one that ends the delimiter before.
    position, part_start, count = max(start - 2, 0), None, 0
    while match := delimiter.search(data, position, end):
        count += 1
        if count > _MAX_PARTS:
            raise RewriteError(f"a multipart body has more than {_MAX_PARTS} parts")
        if part_start is not None:
            yield part_start, max(part_start, match.start())
        if match[1]:
            return
        part_start = match.end()
        position = match.end() - 1
    if part_start is not None:
        yield part_start, end


def _decode_transfer(body: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        try:
            return binascii.a2b_base64(body)
        except binascii.Error as error:
            raise RewriteError(f"an HTML part is not valid base64: {error}") from error
    return _QuotedPrintable(body).decoded if encoding == "quoted-printable" else body


def _edit_part(data: bytes, part: HtmlPart, plan: Plan, token: str) -> list[ByteEdit]:
    """Return the edits of one part as edits of the message."""
    body = data[part.body_start : part.body_end]
    newline = b"\r\n" if b"\r\n" in data[part.head_start : part.body_end] or b"\n" not in body else b"\n"
    edits = part.html.find_edits(plan, token)
    if part.transfer_encoding == "base64":
        new = _encode_base64(splice(part.html.data, edits), body, newline)
        return [ByteEdit(part.body_start, part.body_end, new)]
    if part.transfer_encoding == "quoted-printable":
        edits = _QuotedPrintable(body).encode_edits(edits, newline)
    if _is_sound(splice(body, edits), part, plan, token):
        return [ByteEdit(part.body_start + edit.start, part.body_start + edit.end, edit.replacement) for edit in edits]
    return _switch_to_quoted_printable(data, part, part.html.fill(plan, token), newline)


def _is_sound(body: bytes, part: HtmlPart, plan: Plan, token: str) -> bool:
    """Tell whether a body that was edited in place keeps to the line limit and decodes to what was planned."""
    if max(map(len, body.splitlines()), default=0) > MAX_LINE_BYTES:
        return False
    return part.html.reads_as(_decode_transfer(body, part.transfer_encoding), plan.fill(token))


def _switch_to_quoted_printable(data: bytes, part: HtmlPart, html: bytes, newline: bytes) -> list[ByteEdit]:
    """Encode a part whose lines have become too long, and say so in its head."""
    field = b"Content-Transfer-Encoding: quoted-printable" + newline
    old = _ENCODING_FIELD.search(data[part.head_start : part.body_start])
    # Without the field it is added as the last one, before the empty line.
    last = part.body_start - (2 if data.endswith(b"\r\n", 0, part.body_start) else 1)
    start, end = (part.head_start + old.start(), part.head_start + old.end()) if old else (last, last)
    return [
        ByteEdit(start, end, field),
        ByteEdit(part.body_start, part.body_end, _encode_quoted_printable(html, newline)),
    ]


def _encode_base64(html: bytes, old: bytes, newline: bytes) -> bytes:
    """Encode a body with lines as long as the old one had, and the line end that it had."""
    encoded = binascii.b2a_base64(html, newline=False)
    width = min(max(len(old.lstrip().partition(b"\n")[0].rstrip()), 60), 76)
    lines = [encoded[start : start + width] for start in range(0, len(encoded), width)]
    return newline.join(lines) + old[len(old.rstrip()) :]


def _encode_quoted_printable(html: bytes, newline: bytes) -> bytes:
    """Encode a whole body; only line ends of the message's own kind stay line ends."""
    lines = []
    for line in html.split(newline):
        escaped = _escape(line)
        if escaped.endswith((b" ", b"\t")):
            escaped = escaped[:-1] + b"=%02X" % escaped[-1]
        lines.append((b"=" + newline).join(_fold(escaped)))
    return newline.join(lines)


def _escape(data: bytes) -> bytes:
    return _QP_UNSAFE.sub(lambda match: b"=%02X" % match[0][0], data)


def _fold(escaped: bytes) -> list[bytes]:
    """Cut escaped bytes into pieces that fit a line, no escape in two."""
    pieces: list[bytes] = []
    start = 0
    while len(escaped) - start > _QP_LINE:
        end = start + _QP_LINE
        cut = escaped.find(b"=", end - 2, end)
        pieces.append(escaped[start : cut if cut >= 0 else end])
        start = cut if cut >= 0 else end
    return [*pieces, escaped[start:]]


class _QuotedPrintable:
    """A quoted-printable body, its decoded bytes, and where each of them stands."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        decoded: list[bytes] = []
        #: Where each run begins, decoded and encoded; an escape is a run of one byte.
        self.decoded_starts: list[int] = []
        self.encoded_starts: list[int] = []
        size = 0
        for token in _QP_TOKEN.finditer(body):
            if token.lastgroup in ("soft", "padding"):
                continue
            run = bytes.fromhex(token["escape"].decode()) if token["escape"] else token[0]
            self.decoded_starts.append(size)
            self.encoded_starts.append(token.start())
            decoded.append(run)
            size += len(run)
        self.decoded = b"".join(decoded)

    def encode_edits(self, edits: Sequence[ByteEdit], newline: bytes) -> list[ByteEdit]:
        """Return edits of the decoded bytes as edits of the body; what is added stands on lines of its own."""
        found: list[ByteEdit] = []
        for edit in edits:
            start, end = self._locate(edit.start), self._locate(edit.end)
            soft = b"=" + newline
            pieces = _fold(_escape(edit.replacement)) if edit.replacement else []
            if pieces and start and self.body[start - 1 : start] != b"\n":
                pieces.insert(0, b"")
            if pieces and not self.body.startswith((b"\r\n", b"\n"), end) and end < len(self.body):
                pieces.append(b"")
            found.append(ByteEdit(start, end, soft.join(pieces)))
        return found

    def _locate(self, decoded: int) -> int:
        """Return where a decoded byte stands in the body."""
        if decoded >= len(self.decoded):
            return len(self.body)
        run = bisect_right(self.decoded_starts, decoded) - 1
        return self.encoded_starts[run] + decoded - self.decoded_starts[run]
