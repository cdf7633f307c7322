"""An SMTP server on this machine that takes every mail and hands it over; it never passes one on.

Passwords are taken and forgotten at once: apps that are set up with a login must be able to send here unchanged.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from aiosmtpd.smtp import MISSING, SMTP, Envelope, Session, _Missing

from mailnod_desktop.services.model import CATCHER_PORT, Mail

__all__ = ["MAX_BYTES", "Catcher", "CatcherError"]

#: The largest mail that is taken (RFC 1870); no mailbox provider takes more.
MAX_BYTES = 50 * 1024 * 1024

#: How many answers each way of logging in sends (RFC 4954; LOGIN is as old clients have it).
_ANSWERS = {"PLAIN": 1, "LOGIN": 2}

_START_TIMEOUT_S = 5.0


class CatcherError(Exception):
    """The server could not be started; the message says why and what to do."""


class Catcher:
    """Takes mail over SMTP in a thread of its own.

    :param on_mail: called in that thread with each mail, before the sender is told that it was taken.
    :param host: the address that is listened on; who can reach it can send.
    """

    def __init__(self, on_mail: Callable[[Mail], None], *, host: str = "127.0.0.1") -> None:
        self._on_mail = on_mail
        self._host = host
        self._numbers = itertools.count(1)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._serving: asyncio.Task[None] | None = None
        self._port: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def host(self) -> str:
        """The address that is listened on."""
        return self._host

    @property
    def port(self) -> int | None:
        """The port that is listened on; None while nothing is."""
        return self._port

    def start(self, port: int) -> int:
        """Listen; where it listens already, on the new port from now on.

        :param port: 0 takes any free one.
        :returns: the port that is listened on.
        :raises CatcherError: the port cannot be used.
        """
        self.stop()
        if not 0 <= port <= 65_535:
            raise CatcherError(f"{port} is no port: ports go from 1 to 65535. Try {CATCHER_PORT}.")
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="mailnod-catcher", daemon=True)
        thread.start()
        self._loop, self._thread = loop, thread
        try:
            self._port = asyncio.run_coroutine_threadsafe(self._listen(port), loop).result(_START_TIMEOUT_S)
        except (OSError, TimeoutError) as error:
            self.stop()
            raise CatcherError(_explain(error, self._host, port)) from error
        return self._port

    def stop(self) -> None:
        """Stop listening, end what is being sent, and wait for both."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._loop = self._thread = self._port = None
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(_end_others(), loop).result(_START_TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_START_TIMEOUT_S)
        if not thread.is_alive():
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    async def _listen(self, port: int) -> int:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Conversation(self, loop), self._host, port)
        self._serving = loop.create_task(_hold(server))
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002
        """Take one mail."""
        content = envelope.content or b""
        received_at = datetime.now(UTC)
        mail = Mail(
            key=f"smtp:{next(self._numbers)}",
            name=f"{received_at.astimezone():%H:%M:%S}",
            origin="smtp",
            data=content.encode("utf-8", "surrogateescape") if isinstance(content, str) else bytes(content),
            received_at=received_at,
            envelope_sender=envelope.mail_from or "",
            envelope_recipients=tuple(dict.fromkeys(map(str, envelope.rcpt_tos))),
        )
        self._on_mail(mail)
        return "250 2.0.0 Kept here, and sent nowhere"

    async def handle_AUTH(
        self,
        server: SMTP,
        session: Session,  # noqa: ARG002
        envelope: Envelope,  # noqa: ARG002
        args: list[str],
    ) -> str | None:
        """Let anybody in, and forget what they said."""
        for _ in range(_ANSWERS[args[0]] - (len(args) - 1)):
            if await server.challenge_auth("") is MISSING:
                return None
        return "235 2.7.0 Any login will do"


class _Conversation(SMTP):
    """aiosmtpd's server for one connection, with the limits of a tool that must take what providers would refuse."""

    # HTML on one line is common, and refusing it would hide the mail that a person wants to see.
    line_length_limit = MAX_BYTES

    def __init__(self, catcher: Catcher, loop: asyncio.AbstractEventLoop) -> None:
        # A name of its own, because the machine's would be asked of a name server.
        super().__init__(
            catcher,
            data_size_limit=MAX_BYTES,
            enable_SMTPUTF8=True,
            hostname="mailnod.localhost",
            ident="Mailnod catches mail",
            auth_require_tls=False,
            loop=loop,
        )

    async def challenge_auth(
        self,
        challenge: str | bytes,  # noqa: ARG002
        encode_to_b64: bool = True,  # noqa: ARG002
        log_client_response: bool = False,  # noqa: ARG002
    ) -> bytes | _Missing:
        """Ask for a part of a login and drop the answer; the base class logs what it cannot decode."""
        await self.push("334 ")
        answer = await self._reader.readline()
        if answer.strip() == b"*":
            await self.push("501 5.7.0 Login given up")
            return MISSING
        return b""


async def _hold(server: asyncio.Server) -> None:
    async with server:
        await server.serve_forever()


async def _end_others() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _explain(error: Exception, host: str, port: int) -> str:
    number = error.errno if isinstance(error, OSError) else None
    advice = f"Try {CATCHER_PORT if port != CATCHER_PORT else CATCHER_PORT + 1}, or 0 for any free port."
    if number == errno.EADDRINUSE:
        return f"Port {port} is taken by another program. {advice}"
    if number == errno.EACCES:
        return f"Port {port} is one that only an administrator may listen on. {advice}"
    if number == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine. Use 127.0.0.1."
    return f"Nothing can listen on {host}, port {port}: {error or 'it took too long'}. {advice}"
