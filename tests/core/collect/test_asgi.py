"""The collector as ASGI."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from mailnod.collect.asgi import make_app, wrap_app
from mailnod.collect.collector import Request
from mailnod.model import Reply


class Seen:
    """Answers every request and keeps it."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Reply:
        self.requests.append(request)
        return Reply(status=200, headers=(("Content-Type", "image/gif"), ("Content-Length", "1")), body=b"x")


async def inner(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "the app's own", "scope": scope["type"]})


def make_scope(path: str, **values: Any) -> dict[str, Any]:
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "query_string": b"", "headers": []}
    return {**scope, "client": ("203.0.113.9", 4711), **values}


def call(app: Any, path: str, **values: Any) -> list[dict[str, Any]]:
    """Return what an app sends for one request."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body of a hit is not read")

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(make_scope(path, **values), receive, send))
    return sent


@pytest.mark.parametrize(
    ("path", "rest"),
    [("/t/o/a.gif", "/o/a.gif"), ("/t/c/a.1.b", "/c/a.1.b"), ("/deep/er/o/a.gif", "/o/a.gif")],
)
def test_tracking_paths_are_answered_without_the_app(path: str, rest: str) -> None:
    """Paths below a base URL's path never reach the app."""
    seen = Seen()
    start, body = call(wrap_app(inner, seen, ["https://a.example/t", "https://b.example/deep/er"]), path)
    assert (start["type"], start["status"]) == ("http.response.start", 200)
    assert start["headers"] == [(b"content-type", b"image/gif"), (b"content-length", b"1")]
    assert body == {"type": "http.response.body", "body": b"x"}
    assert seen.requests[0].path == rest


@pytest.mark.parametrize("path", ["/", "/t", "/t/", "/t/x", "/o/a.gif", "/tt/o/a.gif", "/x/t/o/a.gif", "/T/o/a.gif"])
def test_every_other_path_belongs_to_the_app(path: str) -> None:
    """Nothing outside the tracking paths is taken from the app."""
    assert call(wrap_app(inner, Seen(), ["https://a.example/t"]), path)[0]["type"] == "the app's own"


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_everything_but_http_belongs_to_the_app(kind: str) -> None:
    """Web sockets and the server's start and end are the app's, whatever their path is."""
    sent = call(wrap_app(inner, Seen(), ["https://a.example/t"]), "/t/o/a.gif", type=kind)
    assert sent == [{"type": "the app's own", "scope": kind}]


@pytest.mark.parametrize("path", ["/shop/t/o/a.gif", "/t/o/a.gif"])
def test_app_below_a_root_path_is_found_by_its_full_path(path: str) -> None:
    """The base URL's path counts from the host, whether the server puts the root path into the path or not."""
    seen = Seen()
    call(wrap_app(inner, seen, ["https://a.example/shop/t"]), path, root_path="/shop")
    assert seen.requests[0].path == "/o/a.gif"


def test_without_a_base_url_everything_belongs_to_the_app() -> None:
    """An app that has no base URL is wrapped without effect."""
    assert call(wrap_app(inner, Seen(), []), "/o/a.gif")[0]["type"] == "the app's own"


@pytest.mark.parametrize("path", ["/o/a.gif", "/any/prefix/o/a.gif", "/c/c/o/a.gif"])
def test_collector_alone_answers_under_any_prefix(path: str) -> None:
    """A proxy in front may cut the prefix or keep it."""
    seen = Seen()
    assert call(make_app(seen), path)[0]["status"] == 200
    assert seen.requests[0].path == "/o/a.gif"


def test_collector_alone_knows_no_other_path() -> None:
    """Everything else is not found, and web sockets are refused."""
    assert call(make_app(Seen()), "/favicon.ico")[0]["status"] == 404
    assert call(make_app(Seen()), "/o/a.gif", type="websocket") == []


def test_collector_alone_starts_and_ends_with_its_server() -> None:
    """The lifespan protocol is answered to its end."""
    stages = iter(["lifespan.startup", "lifespan.shutdown"])
    sent: list[str] = []
    app: Any = make_app(Seen())

    async def receive() -> dict[str, str]:
        return {"type": next(stages)}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(app({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_request_carries_what_the_client_sent() -> None:
    """Method, query, headers and peer reach the collector; a server behind a Unix socket names no peer."""
    seen = Seen()
    app = make_app(seen)
    call(app, "/c/a.1.b", query_string=b"u=x%20y", headers=[(b"user-agent", "Ümlaut".encode("latin-1"))])
    call(app, "/c/a.1.b", method="HEAD", client=None)
    first, second = seen.requests
    assert (first.method, first.query, first.peer) == ("GET", "u=x%20y", "203.0.113.9")
    assert first.headers == (("user-agent", "Ümlaut"),)
    assert (second.method, second.peer) == ("HEAD", None)


@pytest.mark.parametrize(("path", "quoted"), [("/c/a?u=x", "/c/a%3Fu%3Dx"), ("/c/ü\udcff", "/c/%C3%BC%3F")])
def test_decoded_characters_stay_in_the_path(path: str, quoted: str) -> None:
    """A percent-encoded question mark, decoded by the server, does not become a query, and no path is an error."""
    seen = Seen()
    call(make_app(seen), path)
    assert seen.requests[0].path == quoted


def test_the_event_loop_goes_on_while_a_hit_is_written() -> None:
    """A hit that waits for its disk holds up no other request."""
    written = threading.Event()

    def collect(request: Request) -> Reply:
        # Ends only if the other coroutine runs meanwhile; the time limit is a guard against hanging for ever.
        return Reply(status=200 if written.wait(30) else 500, headers=())

    async def ignore() -> dict[str, Any]:
        return {}

    async def run() -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def other_request() -> None:
            written.set()

        await asyncio.gather(make_app(collect)(make_scope("/o/a.gif"), ignore, send), other_request())
        return sent

    assert asyncio.run(run())[0]["status"] == 200
