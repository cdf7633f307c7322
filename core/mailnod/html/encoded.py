"""HTML as bytes: decode it in any charset, edit it, and leave every byte outside the edits alone."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import NamedTuple

from mailnod.errors import RewriteError
from mailnod.html.plan import Plan

__all__ = ["ByteEdit", "EncodedHtml", "decode_html", "splice"]

# Encoding Standard, section 6: a byte order mark goes before every label.
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# What browsers and mail programs read where these labels stand (Encoding Standard, section 4.2).
_READ_AS = {
    "ascii": "utf-8",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "iso8859-11": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "utf-16": "utf-16-le",
    "utf-32": "utf-32-le",
}
_META = re.compile(rb"""<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}["']?([A-Za-z0-9_.:\-]{1,40})""", re.IGNORECASE)
_META_BYTES = 1024


class ByteEdit(NamedTuple):
    """Replace a span of bytes."""

    start: int
    end: int
    replacement: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedHtml:
    """An HTML text and the bytes it came as."""

    data: bytes
    #: Bytes that do not decode are lone surrogates here.
    text: str
    #: Name of the Python codec, and how it treats bytes that do not decode.
    codec: str
    errors: str

    def fill(self, plan: Plan, token: str) -> bytes:
        """Return the edited bytes for one delivery.

        :param plan: compiled from :attr:`text`.
        :raises RewriteError: where the edits cannot be made in this charset.
        """
        return splice(self.data, self.find_edits(plan, token))

    def find_edits(self, plan: Plan, token: str) -> list[ByteEdit]:
        """Return the edits of a plan as edits of the bytes, in order.

        :raises RewriteError: where the edited bytes would not decode to the edited text.
        """
        offsets = self._find_offsets(sorted({place for edit in plan.edits for place in (edit.start, edit.end)}))
        edits = [
            ByteEdit(offsets[edit.start], offsets[edit.end], edit.fill(token).encode(self.codec)) for edit in plan.edits
        ]
        if not self.reads_as(splice(self.data, edits), plan.fill(token)):
            raise RewriteError(f"the charset {self.codec!r} does not let this HTML be edited in place")
        return edits

    def reads_as(self, data: bytes, text: str) -> bool:
        """Tell whether bytes are that text in this charset."""
        try:
            return data.decode(self.codec, self.errors) == text
        except UnicodeError:
            return False

    def _find_offsets(self, places: list[int]) -> dict[int, int]:
        """Return the offset of each place in bytes.

        An encoder gives the lengths of what lies between, unless the bytes are written as it would not write them.
        """
        offsets: dict[int, int] = {}
        position = size = 0
        try:
            for place in [*places, len(self.text)]:
                size += len(self.text[position:place].encode(self.codec, self.errors))
                offsets[place] = size
                position = place
        except UnicodeError:
            # Some decoders take bytes for characters that their encoders refuse.
            return self._walk(places)
        return offsets if size == len(self.data) else self._walk(places)

    def _walk(self, places: list[int]) -> dict[int, int]:
        """Decode byte by byte and note where the character at each place begins, which is an ASCII one in markup."""
        decoder = codecs.getincrementaldecoder(self.codec)(self.errors)
        width = len("<".encode(self.codec))
        ends: list[int] = []
        for position in range(len(self.data)):
            ends += [position + 1] * len(decoder.decode(self.data[position : position + 1]))
        return {place: ends[place] - width if place < len(ends) else len(self.data) for place in places}


def decode_html(data: bytes, charset: str | None) -> EncodedHtml:
    """Decode an HTML text so that every byte can be given back.

    :param data: the text as it travels, without transfer encoding.
    :param charset: what MIME says; it goes before what the HTML says of itself, a byte order mark before both. None,
        or a name that is not known, leaves it to the HTML, and then to UTF-8.
    :raises RewriteError: where the bytes cannot be read in their charset at all.
    """
    codec = _find_codec(data, charset)
    errors = "surrogatepass" if codec.startswith(("utf-16", "utf-32")) else "surrogateescape"
    try:
        text = data.decode(codec, errors)
    except UnicodeError as error:
        raise RewriteError(f"the HTML cannot be read as {codec!r}: {error}") from error
    return EncodedHtml(data=data, text=text, codec=codec, errors=errors)


def splice(data: bytes, edits: list[ByteEdit]) -> bytes:
    """Apply sorted edits that do not overlap."""
    kept: list[bytes] = []
    position = 0
    for edit in edits:
        kept += (data[position : edit.start], edit.replacement)
        position = edit.end
    return b"".join((*kept, data[position:]))


def _find_codec(data: bytes, charset: str | None) -> str:
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return codec
    declared = _META.search(data, 0, _META_BYTES)
    return _look_up(charset) or (declared and _look_up(declared[1].decode("ascii"))) or "utf-8"


def _look_up(label: str | None) -> str | None:
    try:
        # Codecs that are no charset (rot13, base64) encode no text, or not "<" alone.
        codec = codecs.lookup((label or "").strip()).name
        codec = _READ_AS.get(codec, codec)
        known = "<a>".encode(codec).decode(codec) == "<a>" and b"<" in "<a>".encode(codec)
    except (LookupError, UnicodeError, ValueError):
        return None
    return codec if known and codec not in ("unicode_escape", "raw_unicode_escape", "idna", "punycode") else None
