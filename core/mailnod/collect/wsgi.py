"""The collector as WSGI (PEP 3333): alone, and around an app's own callable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from mailnod.collect.collector import NOT_FOUND, Request
from mailnod.collect.paths import cut_any, cut_prefix, is_plain, quote_path, read_prefixes
from mailnod.model import Reply

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["make_app", "wrap_app"]

Collect = Callable[[Request], Reply]


def wrap_app(app: WSGIApplication, collect: Collect, base_urls: Sequence[str]) -> WSGIApplication:
    """Return an app that answers tracking paths itself and hands everything else on, untouched.

    Nothing of the wrapped app runs for a hit: no sessions, no redirects, no maintenance page, no database.

    :param base_urls: where sent mail points to; ``/o/`` and ``/c/`` below their paths are answered here.
    """
    prefixes = read_prefixes(base_urls)

    def tracked_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = cut_prefix(_get_path(environ), prefixes)
        return app(environ, start_response) if path is None else _answer(collect, path, environ, start_response)

    return tracked_app


def make_app(collect: Collect) -> WSGIApplication:
    """Return the collector as an app of its own; it answers under any prefix, so that a proxy may cut or keep one."""

    def collector_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = cut_any(_get_path(environ))
        if path is not None:
            return _answer(collect, path, environ, start_response)
        start_response("404 Not Found", list(NOT_FOUND.headers))
        return [NOT_FOUND.body]

    return collector_app


def _answer(collect: Collect, path: str, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    request = Request(
        method=environ["REQUEST_METHOD"],
        path=path,
        query=environ.get("QUERY_STRING", ""),
        headers=tuple(_read_headers(environ)),
        peer=environ.get("REMOTE_ADDR"),
    )
    reply = collect(request)
    start_response(f"{reply.status} {HTTPStatus(reply.status).phrase}", list(reply.headers))
    return [reply.body] if reply.body else []


def _get_path(environ: WSGIEnvironment) -> str:
    # WSGI hands bytes over as Latin-1 (PEP 3333).
    path: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return path if is_plain(path) else quote_path(path.encode("latin-1", "replace"))


def _read_headers(environ: WSGIEnvironment) -> Iterator[tuple[str, str]]:
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            yield key[5:].replace("_", "-").lower(), value
        elif key == "CONTENT_LENGTH":
            yield "content-length", value
