"""A mail server on the loopback interface that keeps what it is given, and mail as a reader's program sees it."""

from __future__ import annotations

import asyncio
import email
import email.policy
from base64 import b64encode
from dataclasses import dataclass
from email.message import EmailMessage
from html.parser import HTMLParser

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

__all__ = ["DeliveredMail", "MailServer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredMail:
    """One mail as the server took it."""

    #: The address of RCPT TO.
    to: str
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed by the standard library."""
        message = email.message_from_bytes(self.raw, policy=email.policy.default)
        assert isinstance(message, EmailMessage)  # noqa: S101  # The policy makes nothing else.
        return message

    @property
    def subject(self) -> str:
        """The decoded subject."""
        return str(self.message["Subject"])

    @property
    def html(self) -> str:
        """The HTML body; "" where there is none."""
        body = self.message.get_body(("html",))
        return "" if body is None else str(body.get_content())

    def find_links(self) -> list[str]:
        """Return where the links of the HTML body lead, each once, in order."""
        return list(dict.fromkeys(_read(self.html).links))

    def find_pictures(self) -> list[str]:
        """Return the addresses of the pictures that a reader's program fetches."""
        return [url for url in _read(self.html).pictures if url.startswith("http")]

    def html_with_pictures(self) -> str:
        """Return the HTML body with its inline pictures put in, as a browser can show it."""
        html = self.html
        for part in self.message.walk():
            name = str(part["Content-ID"] or "").strip("<>")
            if name and isinstance(data := part.get_payload(decode=True), bytes):
                html = html.replace(f"cid:{name}", f"data:{part.get_content_type()};base64,{b64encode(data).decode()}")
        return html


class MailServer(Controller):
    """An SMTP server at a free port of 127.0.0.1; delivered mail is put into :attr:`mails`."""

    def __init__(self) -> None:
        super().__init__(self, hostname="127.0.0.1", port=0)
        #: In the order of delivery.
        self.mails: list[DeliveredMail] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802, ARG002
        """Take one mail, for each of its recipients."""
        content = envelope.content
        raw = content.encode() if isinstance(content, str) else content or b""
        self.mails.extend(DeliveredMail(to=str(to), raw=raw) for to in envelope.rcpt_tos)
        return "250 OK"

    def _trigger_server(self) -> None:
        # The base class connects once to see that the server lives, to the port that it was given: here 0.
        assert isinstance(self.server, asyncio.Server)  # noqa: S101  # It was started just before.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


class _Reader(HTMLParser):
    """Collects what a mail program follows and fetches."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pictures: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an ``<a href>`` or ``<img src>``."""
        found = dict(attrs)
        if tag == "a" and found.get("href"):
            self.links.append(str(found["href"]))
        if tag == "img" and found.get("src"):
            self.pictures.append(str(found["src"]))


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    return reader
