"""What of a mail the sender would rewrite, and its bytes afterwards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mailnod.errors import RewriteError
from mailnod.html.encoded import EncodedHtml, decode_html
from mailnod.html.plan import Plan
from mailnod.send.mime import RawMessage, read_message
from mailnod.send.parts import find_body, walk_parts
from mailnod_desktop.services.model import Mail

__all__ = ["Source", "check_size", "drop_own_headers", "measure", "open_source"]

#: HTML that is longer, as it travels, is neither shown nor rewritten: it would take seconds, and clients cut it off.
MAX_HTML_BYTES: Final = 5 * 1024 * 1024
MAX_MAIL_BYTES: Final = 100 * 1024 * 1024
MAX_HEAD_BYTES: Final = 1024 * 1024
#: Of the fields that say what a part is; the standard library reads their parameters in quadratic time.
MAX_FIELD_CHARS: Final = 16 * 1024

_KIND_FIELDS: Final = ("Content-Type", "Content-Disposition")
_OWN_HEADER = re.compile(rb"^X-Mailnod-[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The HTML of a message, or a bare page."""

    #: None for a bare page.
    message: RawMessage | None
    #: None for a message.
    page: EncodedHtml | None

    @property
    def encoded(self) -> tuple[EncodedHtml, ...]:
        """Its HTML bodies, in order."""
        if self.page is not None:
            return (self.page,)
        return tuple(part.html for part in self.message.parts) if self.message else ()

    @property
    def htmls(self) -> tuple[str, ...]:
        """Its HTML bodies, decoded, in order."""
        return tuple(html.text for html in self.encoded)

    @property
    def list_unsubscribe(self) -> str | None:
        """The header of that name, or None."""
        return self.message.list_unsubscribe if self.message else None

    @property
    def data(self) -> bytes:
        """The whole mail."""
        if self.page is not None:
            return self.page.data
        return self.message.data if self.message else b""

    def fill(self, plans: Sequence[Plan], token: str) -> bytes:
        """Return the whole mail for one delivery.

        :param plans: one for each body.
        :raises RewriteError: where an edited body would not read as planned.
        """
        if self.page is not None:
            return self.page.fill(plans[0], token)
        return self.message.fill(plans, token) if self.message else b""


def open_source(mail: Mail) -> Source:
    """Find what the sender would rewrite.

    :raises RewriteError: it cannot be read, or is too large to be looked at.
    """
    check_size(mail)
    if mail.form == "html":
        return Source(message=None, page=decode_html(mail.data, None))
    return Source(message=read_message(mail.data), page=None)


def check_size(mail: Mail) -> None:
    """Refuse a mail whose reading would take long, before anything of it is decoded.

    :raises RewriteError: it is too large, or has more parts than any mail has.
    """
    size = len(mail.data)
    if size > (MAX_HTML_BYTES if mail.form == "html" else MAX_MAIL_BYTES):
        raise RewriteError(f"it has {size:,} bytes, and is too large to be looked at")
    if mail.form == "html":
        return
    if find_body(mail.data, 0, size) > MAX_HEAD_BYTES:
        raise RewriteError("its head does not end within a megabyte, so no body can be found")
    for part in walk_parts(mail.data, enters=lambda _: True):
        for name in _KIND_FIELDS:
            if len(str(part.head.get(name, ""))) > MAX_FIELD_CHARS:
                raise RewriteError(f"the field {name} of part {part.path} is too long to be looked at")
        size = part.body_end - part.body_start
        if part.head.get_content_type() in ("text/html", "text/plain") and size > MAX_HTML_BYTES:
            raise RewriteError(f"a body of it has {size:,} bytes, and is too large to be looked at")


def drop_own_headers(data: bytes) -> bytes:
    """Return a message without the headers that are for Mailnod alone, as adapters send it."""
    end = find_body(data, 0, len(data))
    head = _OWN_HEADER.sub(b"", data[:end])
    return data if len(head) == end else head + data[end:]


def measure(text: str) -> int:
    """Return the size of a text in UTF-8, as a client sees it whatever it travelled in."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
