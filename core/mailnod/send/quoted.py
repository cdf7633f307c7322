"""Quoted-printable bodies (RFC 2045, section 6.7): decode them, encode them, and edit them in place."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from mailnod.html.encoded import ByteEdit

__all__ = ["QuotedPrintable", "encode_quoted_printable"]

# An escape, a soft break, white space that transport added, and everything else.
_QP_TOKEN = re.compile(
    rb"=(?:(?P<escape>[0-9A-Fa-f]{2})|(?P<soft>[ \t]*+(?:\r?\n|\Z)))"
    rb"|(?P<padding>[ \t]++(?=\r?\n|\Z))|[^= \t]++|[ \t]++|="
)
_QP_UNSAFE = re.compile(rb"[^\t -<>-~]")
_QP_LINE = 72


def encode_quoted_printable(html: bytes, newline: bytes) -> bytes:
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


class QuotedPrintable:
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
