"""The collector as ASGI 3: alone, and around an app's own callable; hits that arrive together share a commit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Protocol

from mailnod.collect.collector import NOT_FOUND, PIXEL_REPLY, Request
from mailnod.collect.operations import Operations
from mailnod.collect.paths import SHORT_LINK, cut_any, cut_prefix, is_own, is_plain, quote_path, read_prefixes
from mailnod.collect.requests import Headers, read_headers
from mailnod.collect.ticks import Recording, Ticks
from mailnod.model import Recorded, Reply

__all__ = ["make_app", "wrap_app"]

_FORWARDED = b"x-forwarded-for"
_FORWARDED_BYTES = len(_FORWARDED)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class Collecting(Recording, Protocol):
    """The steps of the collector; see :class:`~mailnod.collect.collector.Collector`."""

    def read(self, request: Request) -> tuple[Reply, Recorded | None]:
        """Return the reply, and what must be recorded before it leaves; never raises.

        It touches no disk, but for a short link.
        """
        ...


def wrap_app(app: ASGIApp, collector: Collecting, base_urls: Sequence[str]) -> ASGIApp:
    """Return an app that answers tracking paths itself and hands everything else on, untouched.

    Nothing of the wrapped app runs for a hit, and the event loop goes on while hits are written to disk.

    :param base_urls: where sent mail points to; ``/o/`` and ``/c/`` below their paths are answered here.
    """
    prefixes = read_prefixes(base_urls)
    answer = _Answerer(collector)

    async def tracked_app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = cut_prefix(_get_path(scope), prefixes)
            if path is not None:
                await answer(path, scope, send)
                return
        await app(scope, receive, send)

    return tracked_app


def make_app(
    collector: Collecting, *, operations: Operations | None = None, on_end: Callable[[], None] = lambda: None
) -> ASGIApp:
    """Return the collector as an app of its own; it answers under any prefix, so that a proxy may cut or keep one.

    :param operations: what it answers besides hits; None has nothing else.
    :param on_end: called when the server ends, after the last reply.
    """
    answer = _Answerer(collector)

    async def collector_app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send, on_end)
            return
        if scope["type"] != "http":
            # A server takes the end of the call as a refusal.
            return
        path = scope["path"] if is_own(scope["path"]) else cut_any(_get_path(scope))
        if path is not None:
            await answer(path, scope, send)
            return
        reply = NOT_FOUND
        if operations is not None and scope["path"] in operations.paths:
            # A thread, because some of them read files.
            reply = await asyncio.to_thread(operations.reply, scope["method"], scope["path"])
        await _reply(reply if scope["method"] != "HEAD" else replace(reply, body=b""), send)

    return collector_app


class _Answerer:
    """Answers tracking paths; hits that arrive in one turn of the event loop share a commit."""

    def __init__(self, collector: Collecting) -> None:
        self._collector = collector
        self._ticks: Ticks | None = None

    async def __call__(self, path: str, scope: Scope, send: Send) -> None:
        request = _read_request(path, scope)
        if path[1] == "c" and SHORT_LINK.fullmatch(path):
            reply, observation = await asyncio.to_thread(self._collector.read, request)
        else:
            reply, observation = self._collector.read(request)
        if observation is not None:
            await self._get_ticks().add(observation)
        # One coroutine less than by way of _reply, at every hit.
        start, body = _make_messages(reply)
        await send(start)
        await send(body)

    def _get_ticks(self) -> Ticks:
        loop = asyncio.get_running_loop()
        if self._ticks is None or self._ticks.loop is not loop:
            self._ticks = Ticks(self._collector, loop)
        return self._ticks


def _read_request(path: str, scope: Scope) -> Request:
    client = scope.get("client")
    raw = tuple(map(tuple, scope["headers"]))
    # Behind a proxy this header is another for each reader, and all others are the same for many.
    forwarded = [value for name, value in raw if len(name) == _FORWARDED_BYTES and name.lower() == _FORWARDED]
    if forwarded:
        raw = tuple([header for header in raw if header[0].lower() != _FORWARDED])
    headers, known = _read_headers(raw)
    return Request(
        method=scope["method"],
        path=path,
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=headers,
        peer=client[0] if client else None,
        forwarded=b",".join(forwarded).decode("latin-1") if forwarded else "",
        known=known,
    )


@lru_cache(maxsize=256)
def _read_headers(raw: tuple[tuple[bytes, bytes], ...]) -> tuple[tuple[tuple[str, str], ...], Headers]:
    headers = tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw])
    return headers, read_headers(headers)


async def _reply(reply: Reply, send: Send) -> None:
    for message in _make_messages(reply):
        await send(message)


def _make_messages(reply: Reply) -> tuple[Message, Message]:
    # New ones for each request: what stands around this app may add to them, and that is for one client alone.
    headers = [*_PIXEL_HEADERS] if reply is PIXEL_REPLY else _encode_headers(reply)
    return (
        {"type": "http.response.start", "status": reply.status, "headers": headers},
        {"type": "http.response.body", "body": reply.body},
    )


def _encode_headers(reply: Reply) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]


_PIXEL_HEADERS = tuple(_encode_headers(PIXEL_REPLY))


async def _live(receive: Receive, send: Send, on_end: Callable[[], None]) -> None:
    while True:
        stage = (await receive())["type"]
        if stage == "lifespan.shutdown":
            await asyncio.to_thread(on_end)
        await send({"type": f"{stage}.complete"})
        if stage == "lifespan.shutdown":
            return


def _get_path(scope: Scope) -> str:
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root:
        root = root.rstrip("/")
        # The path holds the root path by the specification, and does not with some older servers.
        if path != root and not path.startswith(f"{root}/"):
            path = root + path
    return path if is_plain(path) else quote_path(path.encode("utf-8", "replace"))
