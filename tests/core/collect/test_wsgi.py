"""The collector as WSGI."""

from __future__ import annotations

from contextlib import closing
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from mailnod.collect.collector import Request
from mailnod.collect.paths import MAX_TARGET_CHARS
from mailnod.collect.wsgi import make_app, wrap_app
from mailnod.model import Reply


class Seen:
    """Answers every request and keeps it."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Reply:
        self.requests.append(request)
        return Reply(status=200, headers=(("Content-Type", "image/gif"), ("Content-Length", "1")), body=b"x")


def call(app: Any, path: str, **environ: str) -> tuple[str, bytes]:
    values: dict[str, Any] = {"SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "", **environ}
    setup_testing_defaults(values)
    status: list[str] = []

    def start_response(given: str, headers: Any, error: Any = None) -> Any:
        status.append(given)
        return lambda data: None

    answer: Any = validator(app)(values, start_response)
    with closing(answer):
        body = b"".join(answer)
    return status[0], body


def inner(environ: Any, start_response: Any) -> list[bytes]:
    start_response("418 Teapot", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"app"]


@pytest.mark.parametrize(
    ("path", "rest"),
    [("/t/o/a.gif", "/o/a.gif"), ("/t/c/a.1.b", "/c/a.1.b"), ("/deep/er/o/a.gif", "/o/a.gif")],
)
def test_tracking_paths_are_answered_without_the_app(path: str, rest: str) -> None:
    """Paths below a base URL's path never reach the app."""
    seen = Seen()
    app = wrap_app(inner, seen, ["https://a.example/t", "https://b.example/deep/er"])
    assert call(app, path) == ("200 OK", b"x")
    assert seen.requests[0].path == rest


@pytest.mark.parametrize("path", ["/", "/t", "/t/", "/t/x", "/o/a.gif", "/tt/o/a.gif", "/x/t/o/a.gif", "/T/o/a.gif"])
def test_every_other_path_belongs_to_the_app(path: str) -> None:
    """Nothing outside the tracking paths is taken from the app."""
    assert call(wrap_app(inner, Seen(), ["https://a.example/t"]), path) == ("418 Teapot", b"app")


def test_path_that_is_too_long_stays_so_below_a_prefix() -> None:
    """Of an endless path enough is handed on for the collector to refuse it."""
    seen = Seen()
    call(wrap_app(inner, seen, ["https://a.example/t"]), "/t/o/" + "a" * 20_000)
    assert MAX_TARGET_CHARS < len(seen.requests[0].path) < 20_000


@pytest.mark.parametrize("path", ["/c/cart", "/o/orders", "/o/orders/7.gif", "/c/", "/o/" + "a" * 31 + ".gif"])
def test_app_that_has_the_whole_host_keeps_its_paths(path: str) -> None:
    """Where the base URL has no path, only what has the form of our links is taken."""
    app = wrap_app(inner, Seen(), ["https://a.example"])
    assert call(app, path) == ("418 Teapot", b"app")
    for ours in (f"/o/{'a' * 32}.gif", f"/c/{'a' * 32}.12.{'b' * 16}"):
        assert call(app, ours) == ("200 OK", b"x")


def test_app_below_a_prefix_is_found_by_its_full_path() -> None:
    """Where the server mounts the app below a prefix, the base URL's path counts from the host."""
    seen = Seen()
    app = wrap_app(inner, seen, ["https://a.example/shop/t"])
    assert call(app, "/t/o/a.gif", SCRIPT_NAME="/shop") == ("200 OK", b"x")


def test_without_a_base_url_everything_belongs_to_the_app() -> None:
    """An app that has no base URL is wrapped without effect."""
    assert call(wrap_app(inner, Seen(), []), "/o/a.gif")[0] == "418 Teapot"


@pytest.mark.parametrize("path", ["/o/a.gif", "/any/prefix/o/a.gif", "/c/c/o/a.gif"])
def test_collector_alone_answers_under_any_prefix(path: str) -> None:
    """A proxy in front may cut the prefix or keep it."""
    seen = Seen()
    assert call(make_app(seen), path)[0] == "200 OK"
    assert seen.requests[0].path == "/o/a.gif"


def test_collector_alone_knows_no_other_path() -> None:
    """Everything else is not found."""
    assert call(make_app(Seen()), "/favicon.ico")[0] == "404 Not Found"


def test_request_carries_what_the_client_sent() -> None:
    """Method, query, headers and peer reach the collector."""
    seen = Seen()
    call(make_app(seen), "/c/a.1.b", QUERY_STRING="u=x", REMOTE_ADDR="203.0.113.9", HTTP_USER_AGENT="UA")
    (request,) = seen.requests
    assert (request.method, request.query, request.peer) == ("GET", "u=x", "203.0.113.9")
    assert ("user-agent", "UA") in request.headers


def test_decoded_question_mark_stays_in_the_path() -> None:
    """A percent-encoded question mark, decoded by the server, does not become a query."""
    seen = Seen()
    call(make_app(seen), "/c/a?u=x")
    assert seen.requests[0].path == "/c/a%3Fu%3Dx"
