"""Find the parts of a raw message as spans of its bytes (RFC 2046), without changing one of them."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Final

from mailnod.errors import RewriteError
from mailnod.send.quoted import QuotedPrintable

__all__ = ["MessagePart", "decode_transfer", "find_body", "read_head", "walk_parts"]

# Deeper nesting and more parts than any mail has; each level is searched once more.
_MAX_DEPTH: Final = 20
_MAX_PARTS: Final = 1000
_HEAD_END = re.compile(rb"(?:\A|\n)\r?\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePart:
    """One part of a message, containers included; offsets are bytes of the message."""

    #: Position in the tree: "1", "1.2".
    path: str
    depth: int
    head: Message
    head_start: int
    body_start: int
    body_end: int

    @property
    def transfer_encoding(self) -> str:
        """What ``Content-Transfer-Encoding`` says, in lower case; "7bit" where it says nothing."""
        value = str(self.head.get("Content-Transfer-Encoding", "7bit"))
        return value.partition(";")[0].strip().lower() or "7bit"

    @property
    def is_attachment(self) -> bool:
        """Whether a mail program offers it as a file."""
        named = self.head.get_param("filename", None, "content-disposition")
        return self.head.get_content_disposition() == "attachment" or bool(named)


def walk_parts(data: bytes, *, enters: Callable[[str], bool]) -> Iterator[MessagePart]:
    """Yield a message and every part of it, a container before what it holds.

    :param enters: tells by a container's type, such as ``multipart/signed``, whether its parts are looked at.
    :raises RewriteError: it has more parts than any mail has.
    """
    parts = _walk(data, 0, len(data), path="1", depth=0, enters=enters)
    for count, part in enumerate(parts, start=1):
        if count > _MAX_PARTS:
            raise RewriteError(f"the message has more than {_MAX_PARTS} parts")
        yield part


def _walk(
    data: bytes, start: int, end: int, *, path: str, depth: int, enters: Callable[[str], bool]
) -> Iterator[MessagePart]:
    body_start = find_body(data, start, end)
    head = read_head(data, start, body_start)
    yield MessagePart(path=path, depth=depth, head=head, head_start=start, body_start=body_start, body_end=end)
    boundary = head.get_boundary() if head.get_content_maintype() == "multipart" else None
    if boundary and enters(head.get_content_type()) and depth < _MAX_DEPTH:
        spans = _split(data, body_start, end, boundary.encode("utf-8", "surrogateescape"))
        for number, (part_start, part_end) in enumerate(spans, start=1):
            yield from _walk(data, part_start, part_end, path=f"{path}.{number}", depth=depth + 1, enters=enters)


def find_body(data: bytes, start: int, end: int) -> int:
    """Return where the body begins: behind the first empty line, or at the end where there is none."""
    if data.startswith((b"\r\n", b"\n"), start, end):
        return data.index(b"\n", start) + 1
    match = _HEAD_END.search(data, start, end)
    return match.end() if match else end


def read_head(data: bytes, start: int, end: int) -> Message:
    """Return the fields of a head."""
    return BytesHeaderParser().parsebytes(data[start:end])


def _split(data: bytes, start: int, end: int, boundary: bytes) -> Iterator[tuple[int, int]]:
    """Yield the span of each part of a multipart body (RFC 2046, section 5.1.1)."""
    # It begins with what is constant, which is found ten times as fast as a line end that may stand before it.
    delimiter = re.compile(rb"--" + re.escape(boundary) + rb"(--)?+[ \t]*+(?:\r?\n|\Z)")
    part_start = None
    for match in delimiter.finditer(data, start, end):
        if match.start() and data[match.start() - 1] != ord("\n"):
            continue
        if part_start is not None:
            # The line end before a delimiter belongs to it, and may be the one that ends the delimiter before.
            newline = match.start() - (2 if data[match.start() - 2 : match.start()] == b"\r\n" else 1)
            yield part_start, max(part_start, newline)
        if match[1]:
            return
        part_start = match.end()
    if part_start is not None:
        yield part_start, end


def decode_transfer(body: bytes, encoding: str) -> bytes:
    """Return a body without its transfer encoding; one that is not known is taken for none.

    :raises RewriteError: it is not what the encoding says.
    """
    if encoding == "base64":
        try:
            return binascii.a2b_base64(body)
        except binascii.Error as error:
            raise RewriteError(f"a part is not valid base64: {error}") from error
    return QuotedPrintable(body).decoded if encoding == "quoted-printable" else body
