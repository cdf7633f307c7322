"""A mail server on the loopback interface that keeps the bytes it is given, for the contract of mail adapters."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One mail as it came over the wire."""

    recipients: tuple[str, ...]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed by the standard library."""
        message = email.message_from_bytes(self.raw, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return message

    @property
    def html(self) -> str:
        """The decoded HTML body; "" where there is none. Line ends are those of the sender's text."""
        body = self.message.get_body(("html",))
        return "" if body is None else str(body.get_content()).replace("\r\n", "\n").removesuffix("\n")


class _Protocol(SMTP):
    """SMTP without a limit to lines: what an adapter sends is for the tests to judge."""

    line_length_limit = 2**24


class MailServer(Controller):
    """An SMTP server at a free port of 127.0.0.1."""

    def __init__(self) -> None:
        super().__init__(self, hostname="127.0.0.1", port=0)
        self.received: list[Received] = []
        #: What DATA is answered with.
        self.answer = "250 OK"
        #: Mail to this recipient is refused.
        self.refuses = ""
        #: Called for each mail that comes in, in the server's own thread.
        self.on_mail: Callable[[], object] = bool

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep one mail, unless the server is told to refuse."""
        content = envelope.content
        raw = content.encode() if isinstance(content, str) else content or b""
        self.on_mail()
        if self.refuses in envelope.rcpt_tos:
            return "554 refused"
        if self.answer.startswith("250"):
            self.received.append(Received(recipients=tuple(map(str, envelope.rcpt_tos)), raw=raw))
        return self.answer

    def factory(self) -> SMTP:
        """Make the protocol of one connection."""
        return _Protocol(self.handler, **self.SMTP_kwargs)

    def _trigger_server(self) -> None:
        # The base class connects once to see that the server lives, to the port that it was given: here 0.
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]
