"""What a list shows of a message, by its head alone; it is cheap, and takes whatever comes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from email.utils import getaddresses, parsedate_to_datetime
from typing import Final

from mailnod_desktop.services.model import MailSummary
from mailnod_desktop.services.text import clean_text, decode_words, shorten

__all__ = ["HEAD_BYTES", "decode_head", "find_addresses", "find_head", "read_fields", "summarise_head"]

#: No more of a head is read for a summary.
HEAD_BYTES: Final = 64 * 1024

_MAX_SUBJECT_CHARS: Final = 1000
_FIELD = re.compile(
    rb"^(subject|from|to|cc|bcc|date)[ \t]*:((?:[^\n]*\n?)(?:[ \t][^\n]*\n?)*)", re.IGNORECASE | re.MULTILINE
)
_ANY_FIELD = re.compile(r"^([!-9;-~]{1,200}?)[ \t]*:((?:[^\n]*\n?)(?:[ \t][^\n]*\n?)*)", re.MULTILINE)
_PLAIN_ADDRESS = re.compile(r"\s*([^\s<>,;:\"()\[\]@]+@[A-Za-z0-9.\-]+)\s*")
_ADDRESS = re.compile(r"[^\s<>,;:\"()\[\]@]{1,200}@[^\s<>,;:\"()\[\]@]{1,255}")
_HEAD_END = re.compile(rb"(?:\A|\n)\r?\n")


def find_head(data: bytes) -> bytes:
    """Return the head of a message without the empty line that ends it, cut at :data:`HEAD_BYTES`."""
    end = _HEAD_END.search(data, 0, HEAD_BYTES)
    return data[: end.start() + 1 if end else HEAD_BYTES]


def decode_head(head: bytes) -> str:
    """Return a head as text; bytes beyond ASCII are UTF-8 (RFC 6532), and Windows-1252 where they are not."""
    try:
        return head.decode("utf-8")
    except UnicodeDecodeError:
        return head.decode("cp1252", "replace")


def read_fields(head: bytes) -> Iterator[tuple[str, str]]:
    """Yield name and value of each field in order, as a person reads them."""
    for match in _ANY_FIELD.finditer(decode_head(head)):
        yield match[1], decode_words(match[2])


def summarise_head(head: bytes, *, size_bytes: int, received_at: Callable[[], datetime | None]) -> MailSummary:
    """Return what a list shows of a message.

    :param head: the message or its beginning.
    :param size_bytes: of the whole message.
    :param received_at: asked where the head has no date that can be read.
    """
    fields: dict[bytes, list[str]] = {}
    for match in _FIELD.finditer(find_head(head)):
        fields.setdefault(match[1].lower(), []).append(decode_head(match[2]))
    subject, sender, date = (next(iter(fields.get(name, ())), "") for name in (b"subject", b"from", b"date"))
    to_all = [value for name in (b"to", b"cc", b"bcc") for value in fields.get(name, ())]
    return MailSummary(
        subject=shorten(decode_words(subject), _MAX_SUBJECT_CHARS),
        sender=shorten(decode_words(sender), _MAX_SUBJECT_CHARS),
        recipients=tuple(find_addresses(to_all)),
        sent_at=_read_date(date) or received_at(),
        size_bytes=size_bytes,
        html_bytes=0,
    )


def find_addresses(values: Iterable[str]) -> list[str]:
    """Return the bare addresses of address fields, each once, in their order."""
    found: dict[str, None] = {}
    for value in values:
        plain = _PLAIN_ADDRESS.fullmatch(value)
        addresses = [plain[1]] if plain else _parse_addresses(value)
        found.update(dict.fromkeys(clean_text(address) for address in addresses if "@" in address))
    return list(found)


def _parse_addresses(value: str) -> list[str]:
    try:
        addresses = [address for _, address in getaddresses([value]) if address]
    except (ValueError, IndexError, RecursionError):
        addresses = []
    # The standard library gives up a whole field for one part of it that is wrong.
    return addresses or _ADDRESS.findall(value)


def _read_date(value: str) -> datetime | None:
    if not value.strip():
        return None
    try:
        date = parsedate_to_datetime(value.strip()[:200])
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
