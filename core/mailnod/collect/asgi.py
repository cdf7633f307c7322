"""The collector as ASGI 3: alone, and around an app's own callable; hits that arrive together share a commit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Protocol

from mailnod.collect.collector import NOT_FOUND, PIXEL_REPLY, Request
from mailnod.collect.operations import Operations
from mailnod.collect.paths import OURS, SHORT_LINK, cut_any, cut_prefix, is_plain, quote_path, read_prefixes
from mailnod.collect.requests import Headers, read_headers
from mailnod.collect.ticks import Recording, Ticks
from mailnod.model import Recorded, Reply

__all__ = ["make_app", "wrap_app"]

_FORWARDED = b"x-forwarded-for"

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_RawHeaders = tuple[tuple[bytes, bytes], ...]
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
    return _answer_hits(collector, lambda scope: cut_prefix(_get_path(scope), prefixes), app)


def make_app(
    collector: Collecting, *, operations: Operations | None = None, on_end: Callable[[], None] = lambda: None
) -> ASGIApp:
    """Return the collector as an app of its own; it answers under any prefix, so that a proxy may cut or keep one.

    :param operations: what it answers besides hits; None has nothing else.
    :param on_end: called when the server ends, after the last reply.
    """

    async def other_app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send, on_end)
            return
        if scope["type"] != "http":
            # A server takes the end of the call as a refusal.
            return
        reply = NOT_FOUND
        if operations is not None and scope["path"] in operations.paths:
            # A thread, because some of them read files.
            reply = await asyncio.to_thread(operations.reply, scope["method"], scope["path"])
        for message in _make_messages(reply if scope["method"] != "HEAD" else replace(reply, body=b"")):
            await send(message)

    return _answer_hits(collector, _find_path, other_app)


def _answer_hits(collector: Collecting, find_path: Callable[[Scope], str | None], app: ASGIApp) -> ASGIApp:
    """Return an app that answers tracking paths; hits that arrive in one turn of the event loop share a commit.

    All of it is one coroutine, because every hit would pay for each more.

    :param find_path: returns the tracking path of a request, from its ``/o/`` or ``/c/`` on; None where it has none.
    :param app: answers everything else.
    """
    # A thread runs one event loop at a time.
    own = threading.local()

    async def answering_app(scope: Scope, receive: Receive, send: Send) -> None:
        path = find_path(scope) if scope["type"] == "http" else None
        if path is None:
            await app(scope, receive, send)
            return
        request = _read_request(path, scope)
        if path[1] == "c" and SHORT_LINK.fullmatch(path):
            reply, item = await asyncio.to_thread(collector.read, request)
        else:
            reply, item = collector.read(request)
        if item is not None:
            loop = asyncio.get_running_loop()
            ticks: Ticks | None = getattr(own, "ticks", None)
            if ticks is None or ticks.loop is not loop:
                own.ticks = ticks = Ticks(collector, loop)
            await ticks.add(item)
        start, body = _make_messages(reply)
        await send(start)
        await send(body)

    return answering_app


def _find_path(scope: Scope) -> str | None:
    path: str = scope["path"]
    return path if OURS.fullmatch(path) else cut_any(_get_path(scope))


def _read_request(path: str, scope: Scope) -> Request:
    raw = tuple(scope["headers"])
    forwarded = None
    # Behind a proxy this header is another for each reader, and all others are the same for many.
    for header in raw:
        if header[0] == _FORWARDED:
            raw, forwarded = _take_forwarded(raw)
            break
    try:
        headers, known = _read_headers(raw)
    except TypeError:
        # By the specification a header may be a list, by which nothing can be looked up.
        headers, known = _read_headers(tuple(map(tuple, raw)))
    query: bytes = scope.get("query_string", b"")
    client = scope.get("client")
    return Request(
        scope["method"],
        path,
        query.decode("latin-1") if query else "",
        headers,
        client[0] if client else None,
        forwarded,
        known,
    )


def _take_forwarded(raw: _RawHeaders) -> tuple[_RawHeaders, str]:
    """Return headers without those that name the clients of proxies, and what these say."""
    taken = [value for name, value in raw if name.lower() == _FORWARDED]
    return tuple([header for header in raw if header[0].lower() != _FORWARDED]), b",".join(taken).decode("latin-1")


@lru_cache(maxsize=256)
def _read_headers(raw: _RawHeaders) -> tuple[tuple[tuple[str, str], ...], Headers]:
    headers = tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw])
    return headers, read_headers(headers)


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
